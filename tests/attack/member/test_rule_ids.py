"""Ids of rules: whose they are where creations are heard late, without ids, or after somebody moved a rule."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain.rule import Rule
from shared.wire.messages import RequestMessage
from tests.attack.member.attacks import OMITTED
from tests.attack.stories import product
from tests.support.events import Json, assumed_role
from tests.support.member_account import ACCOUNT, Person, at, rule
from tests.support.memory_account import MemoryAccount, MemoryMember

SSH, WEB, PIPED = rule(22, "10.0.0.0/8"), rule(443, "10.0.0.0/8"), rule(5000, "10.1.0.0/16")


@pytest.fixture
def place() -> Iterator[tuple[MemoryMember, MemoryAccount]]:
    """An account that begins with one rule, adopted."""
    with product() as begin:
        member, account = begin()
        with account.installed():
            member.holds(SSH)
            member.snapshot()
            member.told()
            yield member, account


def pipeline(member: MemoryMember, group_id: str = "") -> Person:
    """The exempt caller, a second later than whatever was before."""
    member.clock.wait(seconds=1)
    return Person(member, identity=assumed_role("pipeline", "run-1", account=ACCOUNT), group_id=group_id)


def now(member: MemoryMember) -> dict[str, str]:
    """The time of a call."""
    return {"eventTime": at(member.clock.now)}


def ends(member: MemoryMember, group_id: str = "") -> set[str]:
    """What is in force when every grace period is over; it is what is approved."""
    for _ in range(3):
        member.clock.wait(minutes=17)
        member.snapshot()
    live = {one.identity for one in member.live(group_id)}
    assert {one[0] for one in member.approved(group_id)} == live
    return live


def unnamed(event: Json) -> Json:
    """The event without EC2's answer, and with it without ids."""
    event["detail"]["responseElements"] = dict(OMITTED)
    return event


def names(*rules: Rule) -> set[str]:
    """Their identities."""
    return {one.identity for one in rules}


def test_a_rule_made_in_the_place_of_an_edited_one_is_another(place: tuple[MemoryMember, MemoryAccount]) -> None:
    """Its id is seen before its creation is heard, and the edit of the first rule last."""
    member, _ = place
    edited = pipeline(member).edits((SSH, PIPED), **now(member))
    made = pipeline(member).opens(SSH, **now(member))
    other = Person(member).opens(rule(80), **now(member))
    for event in (other, made, edited):
        member.deliver(event)
    assert ends(member) == names(SSH, PIPED)


def test_a_rule_somebody_moved_into_the_place_of_a_new_one_is_not_the_new_one(
    place: tuple[MemoryMember, MemoryAccount],
) -> None:
    """The new one was removed unheard; it is told that it was not found, once, and the moved one goes back."""
    member, _ = place
    made = unnamed(pipeline(member).opens(PIPED, **now(member)))
    member.clock.wait(seconds=1)
    ada = Person(member)
    away = ada.edits((PIPED, rule(23)), **now(member))
    moved = ada.edits((SSH, PIPED), **now(member))
    for event in (made, made, away, moved):
        member.deliver(event)
    notices = {
        one.request.request_id: one.request.reason
        for one in member.told()
        if isinstance(one, RequestMessage) and one.request.event_name == "AllowedRulesNotFound"
    }
    (text,) = notices.values()
    assert PIPED.identity in text
    assert ends(member) == names(SSH)


def test_a_new_rule_that_is_found_by_its_values_is_accepted_and_not_told(
    place: tuple[MemoryMember, MemoryAccount],
) -> None:
    """Also when the event comes again after an allowed removal."""
    member, _ = place
    made = unnamed(pipeline(member).opens(PIPED, **now(member)))
    member.deliver(made)
    closed = pipeline(member).closes(PIPED, **now(member))
    for event in (closed, made):
        member.deliver(event)
    assert member.told() == []
    assert ends(member) == names(SSH)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_first_call_heard_of_a_new_group_is_not_taken_for_the_rule_aws_gave(
    place: tuple[MemoryMember, MemoryAccount], order: tuple[int, int]
) -> None:
    """Somebody edited that rule unheard; the one rule that is missing is not the one that the call names."""
    member, account = place
    group_id = account.new_group("default")
    (own,) = member.live(group_id)
    Person(member, group_id=group_id).closes(own, **now(member))
    exempt = pipeline(member, group_id)
    happened = [exempt.opens(PIPED, **now(member))]
    member.clock.wait(seconds=1)
    happened.append(pipeline(member, group_id).edits((PIPED, WEB), **now(member)))
    for index in order:
        member.deliver(happened[index])
    assert ends(member, group_id) == {own.identity, WEB.identity}


def test_a_removal_of_another_rule_leaves_the_rule_aws_gave(place: tuple[MemoryMember, MemoryAccount]) -> None:
    """It is the first call heard of the group, and the rule AWS gave is there."""
    member, account = place
    group_id = account.new_group("default")
    (own,) = member.live(group_id)
    pipeline(member, group_id).opens(PIPED, **now(member))
    member.deliver(pipeline(member, group_id).closes(PIPED, **now(member)))
    assert ends(member, group_id) == {own.identity}


def test_an_allowed_rule_that_was_reverted_before_it_was_heard_is_known_by_its_new_id(
    place: tuple[MemoryMember, MemoryAccount],
) -> None:
    """It is restored when it is heard of; an edit of the restored rule leaves nothing of the one before."""
    member, _ = place
    made = pipeline(member).opens(PIPED, **now(member))
    member.clock.wait(seconds=1)
    unread = unnamed(Person(member).opens(rule(80), **now(member)))
    unread["detail"]["requestParameters"] = dict(OMITTED)
    for event in (unread, made):
        member.deliver(event)
    assert names(PIPED) < {one.identity for one in member.live()}
    member.deliver(pipeline(member).edits((PIPED, WEB), **now(member)))
    assert ends(member) == names(SSH, WEB)
