"""Edits: swapped, left out, unreadable, heard before what they edit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.domain.rule import Rule, group, prefix_list
from tests.attack.member.attacks import OMITTED, added, identities, look_twice, names, requests
from tests.support.events import Json
from tests.support.member_account import ACCOUNT, Member, Person, at, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

A, B = rule(636, "10.5.0.1/32", "first"), rule(636, "10.5.0.2/32", "second")
WIDE6 = rule((0, 65535), "::/0", "wide")
WIDE = rule((0, 65535), "0.0.0.0/0", "wide")


def damaged(event: Json, value: Any) -> Json:
    """Return an edit's event in which the edited rule is replaced by this."""
    event["detail"]["requestParameters"]["ModifySecurityGroupRulesRequest"]["SecurityGroupRule"] = value
    return event


UNREADABLE = [
    dict(OMITTED),
    None,
    "",
    {"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": {"IpProtocol": "tcp", "CidrIpv4": "010.0.0.1/08"}},
    [{"omitted": True}],
]


@pytest.mark.parametrize("value", UNREADABLE, ids=["omitted", "null", "text", "odd address", "omitted in a list"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_swap_without_details_is_undone_whole(
    member: Member, ada: Person, value: Any, order: tuple[int, int]
) -> None:
    """B becomes wide open, A takes B's place: the first event that arrives brings the whole group back."""
    member.holds(A, B)
    member.snapshot()
    before = member.state()
    happened = [damaged(ada.edits((B, WIDE)), value), damaged(ada.edits((A, B)), value)]
    member.deliver(happened[order[0]])
    assert member.state() == before
    member.deliver(happened[order[1]])
    look_twice(member)
    assert member.state() == member.approved() == before
    texts = [rule.identity for one in requests(member) for rule in _edited_to(one)]
    assert WIDE.identity in texts


def _edited_to(request: Any) -> list[Rule]:
    return [*request.change.added, *(edit.after for edit in request.change.modified)]


def test_three_rules_moved_round_in_one_call_are_moved_back(member: Member, ada: Person) -> None:
    """Each takes the place of the next; all keep their ids."""
    some = [rule(port, "2001:db8:1::/48", f"rule {port}") for port in (1001, 1002, 1003)]
    member.holds(*some)
    member.snapshot()
    ids = {one.identity: one.rule_id for one in member.live()}
    member.deliver(ada.edits((some[0], WIDE6), (some[1], some[0]), (some[2], some[1])))
    assert {one.identity: one.rule_id for one in member.live()} == ids
    (asked,) = requests(member)
    assert len(asked.change.modified) == 3


@pytest.mark.parametrize("kind", ["ipv6", "group", "prefix_list"])
def test_an_edit_of_every_kind_of_source_is_undone(member: Member, ada: Person, kind: str) -> None:
    """By its event, and by a comparison when the event says nothing."""
    lists = [
        member.ec2.create_managed_prefix_list(PrefixListName=name, MaxEntries=3, AddressFamily="IPv4")["PrefixList"]
        for name in ("p", "q")
    ]
    groups = [member.new_group(), member.new_group()]
    pairs = {
        "ipv6": ("2001:db8::/32", "::/0"),
        "group": tuple(group(one, account=ACCOUNT) for one in groups),
        "prefix_list": tuple(prefix_list(one["PrefixListId"]) for one in lists),
    }
    good, bad = (rule(9200, source, "x") for source in pairs[kind])  # type: ignore[arg-type]  # text or a source
    member.holds(good)
    member.snapshot()
    member.deliver(ada.edits((good, bad)))
    assert identities(member) == names(good)
    member.deliver(damaged(ada.edits((good, bad)), dict(OMITTED)))
    assert identities(member) == names(good)
    assert len(requests(member)) == 2


@pytest.mark.parametrize("order", list(permutations(range(2))))
@pytest.mark.parametrize("is_whole", [True, False])
def test_an_edit_of_an_unapproved_rule_is_an_addition_where_edits_are_not_guarded(
    member: Member, ada: Person, policy: Callable[[str], None], order: tuple[int, int], is_whole: bool
) -> None:
    """`guard` without `modify`: whichever event comes first, nothing of the new rule stays, and it is asked."""
    policy('guard = ["add", "remove"]')
    member.snapshot()
    small = rule(2222, "10.6.0.9/32")
    happened = [ada.opens(small), ada.edits((small, WIDE))]
    if not is_whole:
        damaged(happened[1], dict(OMITTED))
    for index in order:
        member.deliver(happened[index])
    look_twice(member)
    assert identities(member) == set()
    assert added(requests(member)) & {small.identity, WIDE.identity}


def test_unguarded_edits_of_approved_rules_are_accepted(
    member: Member, ada: Person, policy: Callable[[str], None]
) -> None:
    """They are shown, and the rule is approved as it is now."""
    policy('guard = ["add", "remove"]')
    member.holds(A)
    member.snapshot()
    member.deliver(ada.edits((A, B)))
    look_twice(member)
    assert identities(member) == names(B)
    assert [one.status for one in requests(member)] == ["observed"]


def test_an_unapproved_rule_edited_without_details_goes(member: Member, ada: Person) -> None:
    """The edit is heard first and says nothing; nothing of what was added stays."""
    member.holds(A)
    member.snapshot()
    small = rule(2223, "10.6.0.8/32")
    happened = [ada.opens(small), damaged(ada.edits((small, WIDE)), dict(OMITTED))]
    member.deliver(happened[1], happened[0])
    assert identities(member) == names(A)
    assert WIDE.identity in added(requests(member))


def test_descriptions_changed_without_details_are_restored(member: Member, ada: Person) -> None:
    """Request left out: all descriptions of the group are as approved again."""
    member.holds(A, B)
    member.snapshot()
    event = ada.describes(with_description(A, "something else"))
    event["detail"]["requestParameters"] = dict(OMITTED)
    member.deliver(event)
    look_twice(member)
    assert {one.description for one in member.live()} == {"first", "second"}


def test_an_approved_rule_made_anew_keeps_its_approval(member: Member, ada: Person) -> None:
    """Its id was edited away and lost; a new one in its place is the approved rule, whoever made it."""
    member.holds(A)
    member.snapshot()
    edited, made = ada.edits((A, B)), ada.opens(A)
    member.deliver(edited)
    member.deliver(made)
    look_twice(member)
    assert identities(member) == {one[0] for one in member.approved()} == names(A)


def test_a_rule_of_before_adoption_goes_also_if_its_id_was_moved(member: Member, ada: Person) -> None:
    """Its late event takes it out again, although an edit had led its id into an approved rule's place."""
    member.holds(A)
    early = ada.opens(WIDE, eventTime=at(datetime.now(UTC) - timedelta(seconds=20)))
    member.snapshot()
    first, second = ada.edits((A, B)), ada.edits((WIDE, A))
    member.deliver(damaged(second, dict(OMITTED)))
    member.deliver(first, early)
    look_twice(member)
    assert identities(member) == names(A)
