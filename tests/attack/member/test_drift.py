"""Differences that no event explains: since when is counted for each rule, and each snapshot tries again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.ec2.refusal import Ec2Error, Refusal
from member.chalicelib.ec2.security_groups import SecurityGroups
from member.chalicelib.snapshot import SnapshotError
from shared.domain.rule import group
from shared.wire.messages import RequestMessage
from tests.attack.member.attacks import (
    PIPELINE_POLICY,
    added,
    identities,
    look_twice,
    names,
    requests,
    without,
)
from tests.attack.stories import product
from tests.support.events import assumed_role
from tests.support.member_account import ACCOUNT, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule((20, 21), "::/0", "ftp")
WORLD = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIpv4": "0.0.0.0/0"}


@pytest.fixture
def refusing() -> Iterator[pytest.MonkeyPatch]:
    """Let EC2 refuse every revoke by id, until ``undo``."""

    def refused(*_: Any, **__: Any) -> None:
        raise Ec2Error(Refusal(code="UnauthorizedOperation", reason="not now"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecurityGroups, "revoke_ids", refused)
        yield patch


def minutes(number: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=number)


def test_a_junk_rule_before_each_snapshot_does_not_start_the_time_anew(member: Member, ada: Person) -> None:
    """Every rule has its own time: what no event told of goes although other differences come and go."""
    member.snapshot()
    member.holds(OPEN)
    for number in range(4):
        junk = ada.opens(rule(15000 + number, "192.0.2.7/32"))
        member.snapshot(after=minutes(9 * number))
        member.deliver(junk)
    assert identities(member) == set()
    assert OPEN.identity in added(requests(member))


@pytest.mark.parametrize("how", ["drift", "event"])
def test_a_temporary_refusal_is_tried_again_by_each_snapshot(
    member: Member, ada: Person, refusing: pytest.MonkeyPatch, how: str
) -> None:
    """Refused once, told as unreverted; reverted as soon as EC2 lets it, and that is told too."""
    member.snapshot()
    event = ada.opens(OPEN)
    if how == "event":
        member.deliver(event)
    else:
        member.snapshot(after=minutes(1))
        member.snapshot(after=minutes(18))
    assert identities(member) == {OPEN.identity}
    assert [one.status for one in requests(member)] == ["unreverted"]
    refusing.undo()
    for number in (30, 50, 70):
        member.snapshot(after=minutes(number))
    assert identities(member) == set()
    assert "RevertedLater" in {one.event_name for one in requests(member)}


def test_a_difference_in_a_region_without_adoption_is_not_accepted_by_refusals(
    member: Member, ada: Person, refusing: pytest.MonkeyPatch
) -> None:
    """An unapproved rule that could not be reverted before adoption is not approved by it."""
    event = ada.opens(OPEN)
    member.deliver(event)
    refusing.undo()
    assert [one.status for one in requests(member)] == ["unreverted"]
    member.deliver(event)
    member.snapshot()
    look_twice(member)
    assert identities(member) == set()


@pytest.mark.parametrize("is_heard", [True, False])
def test_an_edit_that_cannot_be_undone_in_place_is_replaced(member: Member, ada: Person, is_heard: bool) -> None:
    """The group that the approved rule referred to is gone: what the rule became goes, and the loss is told."""
    friend, other = member.new_group("friend-3"), member.new_group("other-3")
    before = rule(5000, group(friend, account=ACCOUNT), "peers")
    member.holds(before)
    member.snapshot()
    event = ada.edits((before, rule((0, 65535), group(other, account=ACCOUNT))))
    member.ec2.delete_security_group(GroupId=friend)
    if is_heard:
        member.deliver(without(event))
    look_twice(member)
    assert identities(member) == set()
    texts = " ".join(one.reason for one in requests(member))
    assert "no longer exists" in texts


def test_a_rule_that_can_never_be_restored_is_told_once_and_forgotten(member: Member, ada: Person) -> None:
    """A deleted reference is dropped from what is approved; later drift of the group is asked as ever."""
    friend = member.new_group("friend-4")
    lost = rule(5001, group(friend, account=ACCOUNT))
    member.holds(lost)
    member.snapshot()
    ada.closes(lost)
    member.ec2.delete_security_group(GroupId=friend)
    look_twice(member)
    told = [one for one in requests(member) if "no longer exists" in one.reason]
    assert len(told) == 1
    assert member.approved() == []
    member.holds(OPEN)
    for number in (90, 110, 130):
        member.snapshot(after=minutes(number))
    (asked,) = requests(member)
    assert asked.status == "pending"
    assert added([asked]) == {OPEN.identity}


@pytest.mark.parametrize("parts", [(), ("requestParameters",)])
def test_reported_drift_does_not_shield_a_call_without_details(
    member: Member, ada: Person, policy: Callable[[str], None], parts: tuple[str, ...]
) -> None:
    """With `drift = "report"` it is judged as the caller's change: reverted and asked."""
    policy('drift = "report"')
    member.snapshot()
    member.deliver(without(ada.opens(OPEN), *parts))
    assert identities(member) == set()
    (asked,) = requests(member)
    assert (asked.status, added([asked])) == ("pending", {OPEN.identity})


def test_a_call_without_details_spares_what_a_snapshot_had_seen_in_other_groups(member: Member, ada: Person) -> None:
    """A difference that stood before the call is not its doing; its own time goes on."""
    member.snapshot()
    other = member.new_group()
    member.holds(OPEN, group_id=other)
    member.snapshot(after=minutes(1))
    member.deliver(without(ada.opens(rule(99, "192.0.2.0/24"), eventTime="2099-01-01T00:00:00Z")))
    assert identities(member) == set()
    assert identities(member, other) == {OPEN.identity}


def test_an_exempt_change_on_its_way_in_another_group_survives(member: Member, policy: Callable[[str], None]) -> None:
    """Reverted by comparison, it is restored as soon as its event arrives."""
    policy(PIPELINE_POLICY)
    other = member.new_group()
    member.snapshot()
    pipeline = Person(member, identity=assumed_role("pipeline", "run-6", account=ACCOUNT))
    wanted = rule(8081, "10.4.0.0/16", "ours")
    late = pipeline.opens(wanted)
    member.deliver(without(Person(member, group_id=other).opens(OPEN)))
    member.deliver(late)
    assert identities(member) == {wanted.identity}
    assert identities(member, other) == set()
    look_twice(member)
    assert identities(member) == names(wanted)


def test_a_rule_that_cannot_be_read_hides_no_other_of_its_group() -> None:
    """It is named, the rest is compared, and it is not taken for an approved rule that is missing."""
    kept, odd = rule(443, "10.1.0.0/16", "kept"), rule(444, "10.2.0.0/16", "odd")
    with product() as begin:
        member, account = begin()
        with account.installed():
            member.holds(kept, odd)
            member.snapshot()
            stored = account.groups[member.group_id].rules
            (odd_id,) = (one.rule_id or "" for one in member.live() if one.identity == odd.identity)
            stored[odd_id]["IpProtocol"] = "carrier pigeon"
            account._put(account.groups[member.group_id], {**stored[odd_id], **WORLD}, is_egress=False)
            told = []
            for minutes in (1, 20):
                with pytest.raises(SnapshotError, match=odd_id):
                    member.snapshot(after=timedelta(minutes=minutes))
                told += member.told()
            assert {one["FromPort"] for one in stored.values() if not one["IsEgress"]} == {443, 444}
            (message,) = told
            assert isinstance(message, RequestMessage)
            assert ([one.from_port for one in message.request.change.added], message.request.change.removed) == (
                [1],
                (),
            )
