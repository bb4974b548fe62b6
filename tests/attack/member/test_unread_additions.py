"""An addition of which CloudTrail left out everything, closed again by its id: the revert of that must not open it.

Where it is known what is approved, the rule is known not to be. Before the adoption, and in a group that could not be
stored, nobody knows, so a rule that may have come from such a call is not restored; if it has been, it is closed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from member.chalicelib import context
from member.chalicelib.ec2.security_groups import SecurityGroups
from member.chalicelib.state.baseline import Baseline
from tests.attack.member.attacks import identities, look_twice, names, requests, without
from tests.attack.member.test_storage import TABLE, damage
from tests.support.events import Json
from tests.support.member_account import REGION, Member, Person, at, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

KEPT = rule(9443, "10.1.2.0/24", "kept")
SMALL = rule(8443, "10.3.0.0/16", "small")
WIDE = rule((0, 65535), "::/0", "everything")

ORDERS = [(0, 1), (1, 0), (0, 0, 1, 1), (1, 1, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1)]


def opened_and_closed(ada: Person, moment: datetime) -> list[Json]:
    """The giant call, and the removal of one of its rules by id."""
    opened = without(ada.opens(WIDE, eventTime=at(moment)))
    return [opened, ada.closes(WIDE, eventTime=at(moment + timedelta(seconds=5)))]


def edited_and_closed(ada: Person, moment: datetime) -> list[Json]:
    """An edit of which nothing is known, and the removal of the edited rule."""
    after = rule((0, 65535), "10.0.0.0/8", "small")
    edited = without(ada.edits((SMALL, after), eventTime=at(moment)))
    return [edited, ada.closes(after, eventTime=at(moment + timedelta(seconds=5)))]


WAYS = {"opened": opened_and_closed, "edited": edited_and_closed}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adopted", [None, 0, 1])
def test_what_an_unread_call_may_have_opened_is_never_opened_by_the_product(
    member: Member, ada: Person, way: str, order: Sequence[int], adopted: int | None
) -> None:
    """Heard in either order and twice, before the adoption, after it, or with the adoption in between."""
    member.holds(KEPT, SMALL)
    happened = WAYS[way](ada, datetime.now(UTC) - timedelta(seconds=40))
    told = []
    for number, index in enumerate(order):
        if number == adopted:
            member.snapshot()
        member.deliver(happened[index])
        told += requests(member)
    look_twice(member)
    assert identities(member) - names(SMALL) == names(KEPT)
    assert {one[0] for one in member.approved()} - names(SMALL) == names(KEPT)
    # People hear of the removal, and of the call that nobody can read.
    assert {happened[1]["detail"]["requestID"], "CallWithoutDetails"} <= {
        name for one in told for name in (one.request_id, one.event_name)
    }


@pytest.mark.parametrize("order", ORDERS)
def test_in_a_group_that_was_not_stored_nothing_unread_is_opened(
    member: Member, ada: Person, order: Sequence[int]
) -> None:
    """Nobody knows what is approved there, however long the region has been adopted."""
    member.snapshot()
    table = context.begin(REGION).table
    adoption = table.adoption()
    assert adoption is not None
    table.forget(member.group_id)
    table.save_adoption(replace(adoption, not_stored=(member.group_id,)))
    happened = opened_and_closed(ada, datetime.now(UTC))
    for index in order:
        member.deliver(happened[index])
    look_twice(member)
    assert identities(member) == set()


def test_a_removal_from_before_the_unread_call_is_restored(member: Member, ada: Person) -> None:
    """What was there before such a call did not come from it."""
    member.holds(KEPT)
    moment = datetime.now(UTC) - timedelta(seconds=40)
    closed = ada.closes(KEPT, eventTime=at(moment))
    opened = without(ada.opens(WIDE, eventTime=at(moment + timedelta(seconds=5))))
    member.deliver(opened)
    member.deliver(closed)
    assert KEPT.identity in identities(member)


def test_a_removal_after_an_unread_call_is_told_and_not_restored(member: Member, ada: Person) -> None:
    """An approved rule may be missing; that is told, with the reason."""
    member.holds(KEPT)
    moment = datetime.now(UTC) - timedelta(seconds=40)
    member.deliver(without(ada.opens(WIDE, eventTime=at(moment))))
    requests(member)
    closed = ada.closes(KEPT, eventTime=at(moment + timedelta(seconds=5)))
    member.deliver(closed)
    (told,) = requests(member)
    assert told.status == "unreverted"
    assert {one.identity for one in told.remaining} == names(KEPT)
    assert "nobody can read" in told.reason


def test_an_unread_call_on_a_known_group_is_noted_there_alone(member: Member, ada: Person) -> None:
    """Its answer names the group, but not all rules; a removal in another group is restored."""
    other = member.new_group()
    eve = Person(member, group_id=other)
    member.holds(KEPT)
    member.holds(SMALL, group_id=other)
    moment = datetime.now(UTC) - timedelta(seconds=40)
    opened = ada.opens(WIDE, eventTime=at(moment))
    opened["detail"]["requestParameters"]["ipPermissions"] = {"omitted": True}
    member.deliver(without(opened, "responseElements"))
    later = at(moment + timedelta(seconds=5))
    member.deliver(ada.closes(KEPT, eventTime=later))
    member.deliver(eve.closes(SMALL, eventTime=later))
    assert KEPT.identity not in identities(member)
    assert identities(member, other) == names(SMALL)


def test_a_rule_is_closed_also_if_the_unread_call_is_heard_while_it_is_restored(member: Member, ada: Person) -> None:
    """It looks at the group before the rule is there; who restores it looks for such calls afterwards."""
    opened, closed = opened_and_closed(ada, datetime.now(UTC) - timedelta(seconds=40))
    authorize = SecurityGroups.authorize

    def overtaken(*arguments: object, **more: object) -> object:
        patch.stop()
        member.deliver(opened)
        return authorize(*arguments, **more)  # type: ignore[arg-type]

    patch = mock.patch.object(SecurityGroups, "authorize", overtaken)
    patch.start()
    member.deliver(closed)
    assert identities(member) == set()
    member.snapshot()
    look_twice(member)
    assert identities(member) == set()


@pytest.mark.parametrize("item", ["group", "unread"])
def test_what_cannot_be_remembered_is_not_opened(member: Member, ada: Person, item: str) -> None:
    """Damaged notes: nobody knows what was added without approval, so the removed rule stays closed; it is told."""
    member.holds(KEPT)
    key = f"group#{REGION}#{member.group_id}" if item == "group" else f"unread#{REGION}"
    member.deliver(without(ada.opens(WIDE), "responseElements") if item == "group" else without(ada.opens(WIDE)))
    damage(member, key, **({"body": {"B": b"?"}} if item == "group" else {"since": {"S": "?"}}))
    requests(member)
    closed = ada.closes(KEPT)
    member.deliver(closed)
    assert KEPT.identity not in identities(member)
    told = {one.request_id: one for one in requests(member)}
    assert told[closed["detail"]["requestID"]].status == "unreverted"


def test_a_note_that_cannot_be_written_keeps_a_rule_from_being_opened(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told at once; the event is delivered again, and then restores it."""
    member.holds(KEPT)
    closed = ada.closes(KEPT)
    with monkeypatch.context() as patch:
        patch.setattr("member.chalicelib.state.table.StateTable.save", _refuse)
        with pytest.raises(RuntimeError):
            member.deliver(closed)
    (told,) = requests(member)
    assert (told.status, told.request_id) == ("unreverted", f"{closed['detail']['requestID']}-unread")
    assert identities(member) == set()
    member.deliver(closed)
    assert identities(member) == names(KEPT)


def _refuse(_table: object, _baseline: Baseline) -> None:
    raise RuntimeError("no")


def test_the_earliest_unread_call_counts(member: Member, ada: Person) -> None:
    """A later one that is heard afterwards changes nothing."""
    moment = datetime.now(UTC) - timedelta(seconds=40)
    for number, seconds in enumerate((20, 0, 30)):
        opened = ada.opens(rule(100 + number), eventTime=at(moment + timedelta(seconds=seconds)))
        member.deliver(without(opened))
    item = member.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": f"unread#{REGION}"}})["Item"]
    assert item["since"]["S"].startswith(at(moment)[:19])
