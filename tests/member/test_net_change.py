"""Related calls of one requester, in whichever order their events arrive between reverts: one net change."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.change import Modification, make_change
from shared.domain.net_change import compositions, digest_of
from shared.domain.request import Request
from shared.wire.messages import RequestMessage
from tests.support.events import Json, iam_user
from tests.support.member_account import ACCOUNT, Member, Person, at, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

WEB, ALT, LAST = rule(443, "10.0.0.0/8", "web"), rule(8443, "10.0.0.0/8", "web"), rule(9443, "10.0.0.0/8", "web")
SSH = rule(22, "10.0.0.0/8", "office")
THE_OFFICE = with_description(SSH, "the office")


def requests_of(member: Member, *events: Json) -> list[Request]:
    """Deliver events and return the requests they led to."""
    member.deliver(*events)
    return [one.request for one in member.told() if isinstance(one, RequestMessage)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_chain_of_edits_asks_for_the_last_values(member: Member, ada: Person, order: tuple[int, ...]) -> None:
    """Authorize, edited twice; whichever event is read first, and whatever was reverted before the next one."""
    member.snapshot()
    events = [ada.opens(WEB), ada.edits((WEB, ALT)), ada.edits((ALT, LAST))]
    requests = requests_of(member, *(events[number] for number in order))
    assert len(requests) == 3
    assert compositions(requests)[member.group_id].change == make_change(added=[LAST])
    assert member.state() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_was_removed_in_the_end_asks_nothing(member: Member, ada: Person, order: tuple[int, ...]) -> None:
    """Authorize, edited, revoked."""
    member.snapshot()
    events = [ada.opens(WEB), ada.edits((WEB, ALT)), ada.closes(ALT)]
    requests = requests_of(member, *(events[number] for number in order))
    composed = compositions(requests)[member.group_id]
    assert (composed.change.is_empty, composed.alone) == (True, ())
    assert set(composed.superseded) == {one.request_id for one in requests if not one.change.is_empty}


@pytest.mark.parametrize("is_same_second", [True, False])
@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_terraforms_new_description_is_one_edit(
    member: Member,
    ada: Person,
    order: tuple[int, int],
    by_id: bool,
    is_same_second: bool,
) -> None:
    """Revoke and Authorize of an in-line rule, whichever event is read first."""
    member.holds(SSH)
    member.snapshot()
    member.told()
    now = datetime.now(UTC)
    events = [
        ada.closes(SSH, by_id=by_id, eventTime=at(now)),
        ada.opens(THE_OFFICE, eventTime=at(now if is_same_second else now + timedelta(seconds=1))),
    ]
    requests = requests_of(member, *(events[number] for number in order))
    composed = compositions(requests)[member.group_id]
    assert composed.change == make_change(modified=[Modification(before=SSH, after=THE_OFFICE)])
    assert (composed.superseded, composed.alone) == ((), ())
    assert [one.description for one in member.live()] == ["office"]


def test_the_second_delivery_tells_the_same(member: Member, ada: Person) -> None:
    """The ledger has operations and approved rules too."""
    member.holds(SSH)
    member.snapshot()
    events = [ada.closes(SSH), ada.opens(THE_OFFICE), ada.opens(WEB), ada.edits((WEB, ALT))]
    first = requests_of(member, *events)
    again = requests_of(member, *events)
    assert [one for one in again if one in first] == again
    assert digest_of(again) == digest_of(first)


def test_a_request_carries_the_approved_ranges_that_count_with_it(member: Member, ada: Person) -> None:
    """Of a call, and of a difference that no event explains."""
    half = rule(22, "0.0.0.0/1", "half")
    member.holds(half, rule(443, "0.0.0.0/1"))
    member.snapshot()
    (request,) = requests_of(member, ada.opens(rule(22, "128.0.0.0/2")))
    assert request.approved == (replace(half, description=""),)
    ada.opens(rule(22, "192.0.0.0/2"))
    member.snapshot(after=timedelta(minutes=20))
    member.snapshot(after=timedelta(minutes=40))
    (drift,) = [one.request for one in member.told() if isinstance(one, RequestMessage)]
    assert (drift.origin, drift.approved) == ("snapshot", (replace(half, description=""),))
    assert drift.account == ACCOUNT


@pytest.mark.parametrize("text", ["office", "the office"])
def test_a_removal_whose_rule_was_put_back_is_not_applied(member: Member, ada: Person, text: str) -> None:
    """Approved just before the second call's event arrived; the later request still carries the edit."""
    member.holds(SSH)
    member.snapshot()
    member.told()
    removal, later = requests_of(member, ada.closes(SSH), ada.opens(with_description(SSH, text)))
    member.snapshot(after=timedelta(hours=2))
    member.told()
    member.approve(removal)
    error = member.told_error()
    assert (error.code, later.request_id in error.reason) == ("Superseded", True)
    assert [one.description for one in member.live()] == ["office"]
    if text != "office":
        member.approve(later)
        member.told_applied()
        assert [one.description for one in member.live()] == [text]
    (again,) = requests_of(member, ada.closes(with_description(SSH, member.live()[0].description)))
    member.approve(again)
    member.told_applied()
    assert member.live() == ()


def test_a_removal_is_applied_where_somebody_else_put_the_rule_back(member: Member, ada: Person) -> None:
    """Approvers see both requests; no requester decides about another one's."""
    member.holds(SSH)
    member.snapshot()
    member.told()
    bob = Person(member, identity=iam_user("bob", account=ACCOUNT))
    removal, _ = requests_of(member, ada.closes(SSH), bob.opens(THE_OFFICE))
    member.approve(removal)
    member.told_applied()
    assert member.live() == ()
