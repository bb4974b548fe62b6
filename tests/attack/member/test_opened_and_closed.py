"""Calls around an adoption: what was opened and closed again, and what an event writes while it goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from member.chalicelib import context
from member.chalicelib.state.baseline import Baseline
from member.chalicelib.state.table import StateTable
from tests.attack.member.attacks import identities, look_twice, without
from tests.support.events import Json
from tests.support.member_account import REGION, Member, Person, at, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

WIDE = rule((0, 65535), "::/0", "everything")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_before_adoption_a_rule_whose_answer_was_left_out_is_not_restored(
    member: Member, ada: Person, order: tuple[int, int]
) -> None:
    """The ids of the rules are in no event of the addition; its values are enough."""
    happened = [without(ada.opens(WIDE), "responseElements"), ada.closes(WIDE)]
    for index in order:
        member.deliver(happened[index])
    assert identities(member) == set()
    member.snapshot()
    look_twice(member)
    assert identities(member) == set()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_after_adoption_an_older_rule_whose_answer_was_left_out_is_not_restored(
    member: Member, ada: Person, order: tuple[int, int]
) -> None:
    """It had been opened and closed before adoption; both events come later."""
    moment = datetime.now(UTC) - timedelta(seconds=40)
    happened = [
        without(ada.opens(WIDE, eventTime=at(moment)), "responseElements"),
        ada.closes(WIDE, eventTime=at(moment + timedelta(seconds=5))),
    ]
    member.snapshot()
    for index in order:
        member.deliver(happened[index])
    look_twice(member)
    assert identities(member) == set()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_in_a_group_that_was_not_stored_nothing_unapproved_is_restored(
    member: Member, ada: Person, order: tuple[int, int]
) -> None:
    """Nobody knows what is approved there; that an addition was not approved is remembered."""
    member.snapshot()
    table = context.begin(REGION).table
    adoption = table.adoption()
    assert adoption is not None
    table.forget(member.group_id)
    table.save_adoption(replace(adoption, not_stored=(member.group_id,)))
    happened = [ada.opens(WIDE), ada.closes(WIDE)]
    for index in order:
        member.deliver(happened[index])
    assert identities(member) == set()
    look_twice(member)
    assert identities(member) == set()


TABLE = "securityGroupState"


def memory_of(member: Member, group_id: str) -> Json:
    """Return the item that remembers what an unapproved call added to a group before adoption."""
    member.deliver(Person(member, group_id=group_id).opens(WIDE))
    key = {"id": {"S": f"group#{REGION}#{group_id}"}}
    item: Json = member.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    member.dynamodb.delete_item(TableName=TABLE, Key=key)
    return item


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_group_of_which_an_event_was_handled_while_its_region_was_adopted_is_guarded(
    member: Member, is_heard: bool
) -> None:
    """The group is newer than the list of groups that the adoption read, and the event older than its marker."""
    group_id = member.new_group()
    memory = memory_of(member, group_id)
    member.snapshot()
    member.dynamodb.put_item(TableName=TABLE, Item=memory)
    event = without(Person(member, group_id=group_id).opens(WIDE))
    if is_heard:
        member.deliver(event)
        assert identities(member, group_id) == set()
    look_twice(member)
    assert identities(member, group_id) == set()


def test_a_baseline_that_an_event_writes_during_adoption_does_not_keep_the_group_from_being_adopted(
    member: Member,
) -> None:
    """Otherwise nobody would ever compare the group, and the marker would not say so."""
    memory = memory_of(member, member.group_id)
    kept = rule(443, "10.0.0.0/8", "https")
    member.holds(kept)
    save_new = StateTable.save_new

    def overtaken(table: StateTable, baselines: Iterable[Baseline]) -> dict[str, Exception]:
        patch.undo()
        member.dynamodb.put_item(TableName=TABLE, Item=memory)
        return save_new(table, baselines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StateTable, "save_new", overtaken)
        member.snapshot()
    assert [one[0] for one in member.approved()] == [kept.identity]
    member.holds(WIDE)
    look_twice(member)
    assert identities(member) == {kept.identity}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("is_adopted_first", [False, True])
def test_an_approved_looking_rule_that_was_edited_wide_and_closed_is_not_opened(
    member: Member, ada: Person, order: tuple[int, int], is_adopted_first: bool
) -> None:
    """Nobody knows its values from before the edit, so nothing is restored."""
    small, wide = rule(8443, "10.3.0.0/16", "small"), rule((0, 65535), "0.0.0.0/0", "small")
    member.holds(small)
    moment = datetime.now(UTC) - timedelta(seconds=40)
    happened = [
        ada.edits((small, wide), eventTime=at(moment)),
        ada.closes(wide, eventTime=at(moment + timedelta(seconds=5))),
    ]
    if is_adopted_first:
        member.snapshot()
    for index in order:
        member.deliver(happened[index])
    member.snapshot()
    look_twice(member)
    assert wide.identity not in identities(member)
