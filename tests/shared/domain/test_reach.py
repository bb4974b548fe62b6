"""Which approved rules allow a change already, and what a digest covers of what a change reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.change import Change, Modification, make_change
from shared.domain.reach import (
    MOST_COVERING,
    Interfaces,
    Manager,
    PrefixList,
    Reach,
    covered,
    covering,
    for_part,
    opened_by,
)
from shared.domain.rule import Rule, Source, cidr, group, make_rule, prefix_list

WHOLE = Reach(
    interfaces=Interfaces(count=3, is_more=True, kinds=(("instance", 3),), public=("192.0.2.1",), more_public=2),
    manager=Manager(name="CloudFormation stack web"),
    covered_by=(make_rule(direction="ingress", protocol="-1", source=cidr("10.0.0.0/8")),),
    in_force_seconds=4,
    prefix_lists=(
        PrefixList(
            list_id="pl-1", owner="111111111111", name="x", version=3, entries=("192.0.2.0/24",), more_entries=1
        ),
    ),
)


def one(
    ports: tuple[int, int] | None = (443, 443), source: str | Source = "10.1.0.0/16", protocol: str = "tcp", **more: Any
) -> Rule:
    """Return an inbound rule."""
    first, last = ports or (None, None)
    where = cidr(source) if isinstance(source, str) else source
    values: dict[str, Any] = {"direction": "ingress", **more}
    return make_rule(protocol=protocol, from_port=first, to_port=last, source=where, **values)


ECHO = (8, -1)


@pytest.mark.parametrize(
    ("approved", "added", "is_covered"),
    [
        (one(), one(), True),
        (one(source="10.0.0.0/8"), one(), True),
        (one(source="10.1.2.0/24"), one(), False),
        (one(source="11.0.0.0/8"), one(), False),
        (one(source="::/0"), one(source="0.0.0.0/0"), False),
        (one((400, 500)), one(), True),
        (one((444, 500)), one(), False),
        (one((400, 442)), one(), False),
        (one(None, protocol="-1"), one(), True),
        (one(), one(None, protocol="-1"), False),
        (one(protocol="udp"), one(), False),
        (one(direction="egress"), one(), False),
        (one(source=group("sg-1", account="1")), one(source=group("sg-1", account="1")), True),
        (one(source=group("sg-1", account="1")), one(source=group("sg-1", account="2")), False),
        (one(source=prefix_list("pl-1")), one(source=prefix_list("pl-1")), True),
        (one(source=prefix_list("pl-1")), one(), False),
        (one((-1, -1), protocol="icmp"), one(ECHO, protocol="icmp"), True),
        (one(ECHO, protocol="icmp"), one((8, 0), protocol="icmp"), True),
        (one((8, 0), protocol="icmp"), one(ECHO, protocol="icmp"), False),
        (one((3, -1), protocol="icmp"), one(ECHO, protocol="icmp"), False),
        (one(None, protocol="50"), one(None, protocol="50"), True),
    ],
)
def test_a_rule_covers_what_it_allows_already(approved: Rule, added: Rule, *, is_covered: bool) -> None:
    """Direction, protocol, ports, ICMP types and source have to be inside; groups and lists the same."""
    change = make_change(added=[added])
    found = covering(change, [approved])
    assert [rule.identity for rule in found] == ([approved.identity] if is_covered else [])
    assert covered(change, found) == ((added,) if is_covered else ())


def test_what_a_change_itself_takes_away_covers_nothing() -> None:
    """An edit narrows a rule: its former values are no reason to think that nothing opens."""
    wide, removed, narrow = one(source="0.0.0.0/0"), one((1, 1000)), one((443, 443), "10.1.2.0/24")
    change = Change(added=(), removed=(removed,), modified=(Modification(before=wide, after=narrow),))
    assert covering(change, [wide, removed]) == ()


def test_an_edit_of_a_description_opens_nothing() -> None:
    """So it says nothing of what covers it."""
    described = Modification(before=one(), after=one(description="new"))
    moved = Modification(before=one((1, 1)), after=one((2, 2)))
    change = Change(added=(one((3, 3)),), modified=(described, moved))
    assert opened_by(change) == (one((3, 3)), one((2, 2)))


def test_covering_rules_are_bare_and_bounded() -> None:
    """Each is named once, without what nobody compares."""
    wide = one((1, 1000), "10.0.0.0/8", description="d", tags=[("a", "b")], rule_id="sgr-1")
    change = make_change(added=[one((port, port)) for port in range(1, 30)])
    (found,) = covering(change, [wide])
    assert (found.description, found.tags, found.rule_id) == ("", (), None)
    single = [one((port, port), "10.0.0.0/8") for port in range(1, 30)]
    assert len(covering(change, single)) == MOST_COVERING


def test_a_part_has_what_is_about_it() -> None:
    """Interfaces and manager are the group's; covering rules and lists those of the part's rules."""
    part = for_part(WHOLE, make_change(added=[one()]))
    assert part == replace(WHOLE, prefix_lists=())
    other = for_part(WHOLE, make_change(added=[one(source=prefix_list("pl-1"))]))
    assert other == replace(WHOLE, covered_by=())


def test_every_value_is_part_of_the_text() -> None:
    """What an approver is shown cannot be exchanged."""
    interfaces, manager, (listed,) = WHOLE.interfaces, WHOLE.manager, WHOLE.prefix_lists
    assert interfaces is not None
    assert manager is not None
    others = [
        Reach(),
        replace(WHOLE, in_force_seconds=5),
        replace(WHOLE, in_force_seconds=None),
        replace(WHOLE, covered_by=()),
        *(
            replace(WHOLE, interfaces=changed)
            for changed in (
                None,
                replace(interfaces, count=4),
                replace(interfaces, is_more=False),
                replace(interfaces, kinds=(("other", 3),)),
                replace(interfaces, public=()),
                replace(interfaces, more_public=0),
            )
        ),
        *(
            replace(WHOLE, manager=changed)
            for changed in (None, replace(manager, name=""), replace(manager, is_tagged=True))
        ),
        *(
            replace(WHOLE, prefix_lists=(changed,))
            for changed in (
                replace(listed, list_id="pl-2"),
                replace(listed, owner="AWS"),
                replace(listed, name=""),
                replace(listed, version=None),
                replace(listed, entries=()),
                replace(listed, more_entries=0),
            )
        ),
    ]
    assert len({WHOLE.text, *(other.text for other in others)}) == len(others) + 1
