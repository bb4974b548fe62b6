"""What an approver reads of what a change reaches."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.change import Change, make_change
from shared.domain.reach import Interfaces, Manager, PrefixList, Reach
from shared.domain.rule import Rule, make_rule, prefix_list
from shared.slack.limits import size
from shared.slack.messages import question
from shared.slack.reach_lines import REACH_ROOM, group_lines, reach_lines
from tests.shared.slack.examples import MARKUP, make_request, make_view, tcp
from tests.support import slack_limits

ONE = make_change(added=[tcp(443)])


def to_list(list_id: str, port: int = 22) -> Rule:
    """Return an inbound rule that refers to a prefix list."""
    source = prefix_list(list_id)
    return make_rule(direction="ingress", protocol="tcp", from_port=port, to_port=port, source=source)


def lines(reach: Reach | None, change: Change = ONE, **values: Any) -> tuple[str, ...]:
    """Return the lines of a request."""
    return reach_lines(make_request(change, reach=reach, **values))


def test_all_that_is_known_stands_in_its_line() -> None:
    """Interfaces first, then what is open already, who manages it, how long it was open."""
    reach = Reach(
        interfaces=Interfaces(
            count=3, kinds=(("instance", 2), ("load_balancer", 1)), public=("192.0.2.1", "192.0.2.2")
        ),
        manager=Manager(name="CloudFormation stack web"),
        covered_by=(tcp(443, "0.0.0.0/0"),),
        in_force_seconds=4,
    )
    assert lines(reach) == (
        "Reaches 3 interfaces (2 of instances, 1 of load balancers), public: 192.0.2.1, 192.0.2.2",
        "Already open, by an approved rule: TCP 443 (HTTPS) from 0.0.0.0/0 (the whole internet)",
        "Managed by CloudFormation stack web",
        "Was open for 4 s",
    )


@pytest.mark.parametrize(
    ("interfaces", "said"),
    [
        (Interfaces(), "Reaches nothing now: the group is attached to no network interface"),
        (Interfaces(count=1, kinds=(("lambda", 1),)), "Reaches 1 interface (1 of Lambda functions), no public address"),
        (Interfaces(count=100, is_more=True), "Reaches 100 or more interfaces, no public address among them"),
        (Interfaces(is_more=True), "Reaches 0 or more interfaces, no public address among them"),
        (
            Interfaces(count=9, public=("192.0.2.1",), more_public=8),
            "Reaches 9 interfaces, public: 192.0.2.1 and 8 more",
        ),
    ],
)
def test_interfaces_in_words(interfaces: Interfaces, said: str) -> None:
    """None, some, or as many as were counted."""
    assert lines(Reach(interfaces=interfaces, manager=Manager())) == (said,)


def test_what_is_not_known_is_said_of_a_question() -> None:
    """Whoever was told something else decided already, or has nothing to decide."""
    assert lines(None) == ("What it reaches: not known",)
    assert lines(Reach()) == ("What it reaches: not known",)
    assert lines(Reach(interfaces=Interfaces()))[1:] == ("Who manages the group: not known",)
    assert lines(None, status="observed") == ()
    assert lines(None, Change()) == ()


def test_a_tag_that_users_write_proves_nothing() -> None:
    """Only tags that begin with ``aws:`` are AWS's."""
    manager = Manager(name="terraform", is_tagged=True)
    assert lines(Reach(interfaces=Interfaces(), manager=manager))[1:] == ("Tagged as managed by terraform",)


def test_some_of_several_rules_may_be_open_already() -> None:
    """How many, and by which rules."""
    change = make_change(added=[tcp(port) for port in range(1, 7)])
    reach = Reach(covered_by=tuple(tcp(port, "0.0.0.0/0") for port in range(1, 6)))
    line = lines(reach, change)[1]
    assert line.startswith("Already open are 5 of 6 rules, by approved rules: TCP 1 from 0.0.0.0/0")
    assert line.endswith(" and 2 more")
    assert lines(Reach(covered_by=(tcp(9),)))[1:] == ()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")]
)
def test_how_long_it_was_in_force(seconds: int, said: str) -> None:
    """An addition was open; anything else was in force."""
    assert lines(Reach(in_force_seconds=seconds))[-1] == f"Was open for {said}"
    removed = make_change(removed=[tcp(443)])
    assert lines(Reach(in_force_seconds=seconds), removed)[-1] == f"Was in force for {said}"


def test_prefix_lists_say_whose_they_are_and_what_they_hold() -> None:
    """The owner, the version and the ranges; or that they are not known."""
    listed = (
        PrefixList(
            list_id="pl-1", owner="111111111111", name="x", version=3, entries=("192.0.2.0/24",), more_entries=2
        ),
        PrefixList(list_id="pl-2", owner="AWS", entries=("198.51.100.0/24",)),
        PrefixList(list_id="pl-3", owner="111111111111", version=1),
    )
    change = make_change(added=[to_list(f"pl-{number}", number) for number in (1, 2, 3, 4)])
    assert lines(Reach(prefix_lists=listed), change)[1:] == (
        "Prefix list pl-1 (x) of account 111111111111, version 3: 192.0.2.0/24 and 2 more",
        "Prefix list pl-2 of AWS: 198.51.100.0/24",
        "Prefix list pl-3 of account 111111111111, version 1: content not known",
        "Prefix list pl-4: owner and content not known",
    )


def test_long_names_keep_to_their_room() -> None:
    """Each line and all of them; what is left out is counted."""
    names = MARKUP * 3
    listed = tuple(
        PrefixList(list_id=f"pl-{number}", owner="1" * 12, name=names[:300], entries=("2001:db8::/32",) * 10)
        for number in range(9)
    )
    change = make_change(added=[to_list(one.list_id, 100 + number) for number, one in enumerate(listed)])
    reach = Reach(interfaces=Interfaces(), manager=Manager(name=names[:300], is_tagged=True), prefix_lists=listed)
    found = lines(reach, change)
    assert all(size(line) <= 300 for line in found)
    assert size("\n".join(found)) <= REACH_ROOM
    assert found[-1].endswith("more lines about what it reaches")
    for payload in question(make_view(make_request(change, reach=reach))):
        slack_limits.check(payload)


def test_a_batch_says_it_for_each_group() -> None:
    """By the newest call that knows it; what covers the net change, and the lists of all calls."""
    wide, listed = tcp(443, "0.0.0.0/0"), PrefixList(list_id="pl-1", owner="AWS", entries=("192.0.2.0/24",))
    first = Reach(interfaces=Interfaces(), covered_by=(wide,), prefix_lists=(listed,), in_force_seconds=3)
    second = Reach(interfaces=Interfaces(count=1), manager=Manager(), in_force_seconds=4)
    made = [make_request(ONE, reach=reach) for reach in (first, second, None)]
    change = make_change(added=[tcp(443), to_list("pl-1")])
    assert group_lines(change, made) == (
        "Reaches 1 interface, no public address",
        "Already open are 1 of 2 rules, by an approved rule: TCP 443 (HTTPS) from 0.0.0.0/0 (the whole internet)",
        "Prefix list pl-1 of AWS: 192.0.2.0/24",
    )
    assert group_lines(ONE, [make_request(ONE)]) == ("What it reaches: not known",)
    assert group_lines(make_change(added=[tcp(443)], removed=[wide]), made)[1:] == ()
