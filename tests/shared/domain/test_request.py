"""Requests: their digest covers all that approval would do, and their statuses move one way."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import assume, given

from central.chalicelib.requests.record import Record, Task
from shared.domain.caller import Caller
from shared.domain.change import Change, Modification, make_change
from shared.domain.reach import Reach
from shared.domain.request import FIRST_STATUSES, MOVES, Request, Status
from shared.domain.rule import cidr, group, make_rule
from tests.support import strategies

RULE = make_rule(
    direction="ingress",
    protocol="tcp",
    from_port=22,
    to_port=22,
    source=group("sg-1", account="333333333333", peering="pcx-1"),
    description="peered bastion",
    tags=[("team", "a")],
    rule_id="sgr-1",
)


def request(change: Change, **values: Any) -> Request:
    """A request for this change, with other values where the test says so."""
    parts: dict[str, Any] = {
        "request_id": "59dbff89-35bd-4eac-99ed-be587EXAMPLE",
        "account": "222222222222",
        "account_name": "shop",
        "region": "eu-west-1",
        "group_id": "sg-0a1b2c3d4e5f60718",
        "group_name": "web",
        "requester": None,
        "event_name": "AuthorizeSecurityGroupIngress",
        "event_time": datetime(2026, 3, 2, 9, 15, 27, tzinfo=UTC),
        "change": change,
    }
    return Request(**{**parts, **values})


ADD = make_change(added=[RULE])


def test_a_digest_is_the_same_on_every_python() -> None:
    """Member and central account may run different versions; this digest is written down and must never change."""
    rule = replace(RULE, description="Grüße 🚪", tags=(("équipe", "𐐀"),))
    digest = request(make_change(added=[rule], removed=[rule], modified=[Modification(before=rule, after=RULE)])).digest
    assert digest == "9c6d055bf43ccd678a5c0bdff28e9aaea0a5172a316994fee0ba0f7f447dc891"


@pytest.mark.parametrize(
    "other",
    [
        request(ADD, request_id="59dbff89-35bd-4eac-99ed-be587EXAMPLF"),
        request(ADD, account="222222222223"),
        request(ADD, region="eu-west-2"),
        request(ADD, group_id="sg-0a1b2c3d4e5f60719"),
        request(make_change(removed=[RULE])),
        request(make_change(added=[RULE], removed=[RULE])),
        request(make_change(modified=[Modification(before=RULE, after=RULE)])),
        request(make_change(added=[replace(RULE, direction="egress")])),
        request(make_change(added=[replace(RULE, protocol="udp")])),
        request(make_change(added=[replace(RULE, from_port=21)])),
        request(make_change(added=[replace(RULE, to_port=23)])),
        request(make_change(added=[replace(RULE, source=cidr("0.0.0.0/0"))])),
        request(make_change(added=[replace(RULE, source=group("sg-2", account="333333333333", peering="pcx-1"))])),
        request(make_change(added=[replace(RULE, source=group("sg-1", account="444444444444", peering="pcx-1"))])),
        request(make_change(added=[replace(RULE, source=group("sg-1", account="333333333333"))])),
        request(make_change(added=[replace(RULE, description="peered bastion ")])),
        request(make_change(added=[replace(RULE, tags=())])),
        request(make_change(added=[replace(RULE, tags=(("team", "b"),))])),
        request(make_change(added=[RULE, replace(RULE, from_port=21)])),
        request(Change()),
        request(ADD, account_name="sandbox"),
        request(ADD, group_name="harmless"),
        request(ADD, requester=Caller(type="IAMUser", name="grace")),
        request(ADD, event_name="RevokeSecurityGroupIngress"),
        request(ADD, event_time=datetime(2026, 3, 2, 9, 15, 28, tzinfo=UTC)),
        request(ADD, origin="snapshot"),
        request(ADD, status="observed"),
        request(ADD, reason="agreed with security"),
        request(ADD, remaining=(RULE,)),
        request(ADD, reach=Reach()),
    ],
)
def test_the_digest_depends_on_all_that_approval_would_do_and_all_that_is_shown(other: Request) -> None:
    """Another id, place, rule, description, tag, author, name or reason is another digest; no approval fits it."""
    assert other.digest != request(ADD).digest


@pytest.mark.parametrize("attribute", [field.name for field in fields(Caller)])
def test_the_digest_depends_on_who_asks(attribute: str) -> None:
    """Every attribute of the requester counts: none of them can be exchanged for somebody else's."""
    ada = Caller(type="IAMUser", account="1", arn="2", principal_arn="3", name="ada", invoked_by="4")
    eve = replace(ada, **{attribute: "eve"})
    assert request(ADD, requester=eve).digest != request(ADD, requester=ada).digest


def test_the_digest_of_a_difference_survives_a_revert_that_failed_at_first() -> None:
    """What a snapshot found may turn out not to be revertible; it is still the same request."""
    found = request(ADD, origin="snapshot", reason="found by the snapshot")
    assert replace(found, status="unreverted", reason="refused", remaining=(RULE,)).digest == found.digest


def test_the_digest_survives_the_precision_of_our_formats() -> None:
    """Times are kept in milliseconds, in UTC; what is cut off does not count."""
    moment = datetime(2026, 3, 2, 9, 15, 27, 123999, tzinfo=UTC)
    elsewhere = moment.replace(microsecond=123000).astimezone(timezone(timedelta(hours=5)))
    assert request(ADD, event_time=moment).digest == request(ADD, event_time=elsewhere).digest


@given(strategies.requests(), strategies.requests())
def test_different_changes_have_different_digests(one: Request, other: Request) -> None:
    """Nothing in a change can be moved about without moving the digest."""
    assume(one.change != other.change)
    place = {"request_id": "1", "account": "2", "region": "3", "group_id": "4"}
    assert replace(one, **place).digest != replace(other, **place).digest  # type: ignore[arg-type]  # texts all


def test_parts_of_a_digest_cannot_run_together() -> None:
    """Text moved from one field into the next makes another digest."""
    one = request(ADD, region="eu-west-1", group_id="sg-1")
    assert replace(one, region="eu-west-1s", group_id="g-1").digest != one.digest
    before_and_after = make_change(modified=[Modification(before=RULE, after=replace(RULE, from_port=1))])
    after_and_before = make_change(modified=[Modification(before=replace(RULE, from_port=1), after=RULE)])
    assert request(before_and_after).digest != request(after_and_before).digest


def test_the_digest_does_not_depend_on_rule_ids() -> None:
    """A restored rule has a new id; what was approved stays the same."""
    assert request(make_change(added=[replace(RULE, rule_id=None)])).digest == request(ADD).digest


def test_every_status_has_its_moves() -> None:
    """The table of moves knows all statuses and no others, and every status can be reached."""
    statuses = set(get_args(Status))
    assert set(MOVES) == statuses
    assert FIRST_STATUSES | {status for moves in MOVES.values() for status in moves} == statuses


def test_nothing_moves_back() -> None:
    """No way through the table leads to a status a request has left: decisions are final."""

    def reachable(status: Status) -> set[Status]:
        return {later for move in MOVES[status] for later in {move, *reachable(move)}}

    for status in MOVES:
        assert status not in reachable(status)


def test_only_an_approved_request_can_be_applied() -> None:
    """``applied`` comes from ``approved``, or from ``error``, which only an approved request reaches."""
    leads_to = {status: {one for one, moves in MOVES.items() if status in moves} for status in MOVES}
    assert leads_to["applied"] == {"approved", "error"}
    assert leads_to["error"] == {"approved"}
    assert leads_to["approved"] == {"pending"}


@given(strategies.records())
def test_a_record_has_the_tasks_that_it_lists(record: Record) -> None:
    """A task is pending exactly while it is listed."""
    listed = {task for task, _ in record.tasks}
    assert {task for task in get_args(Task) if record.has(task)} == listed


def test_a_task_is_due_once_it_is_old_enough_and_not_leased() -> None:
    """The sweep does tasks pending for a while, and leaves alone those that another function has leased."""
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    record = Record(
        request=request(ADD),
        status="pending",
        requested_at=at,
        tasks=(("ask", at), ("dispatch", at + timedelta(minutes=4)), ("notify", at)),
        leases=(("ask", at + timedelta(minutes=6)), ("notify", at + timedelta(minutes=5))),
    )
    five = timedelta(minutes=5)
    assert record.due(at + five, pending_for=five) == ("notify",)
    assert record.due(at + 2 * five, pending_for=five) == ("ask", "dispatch", "notify")
    assert record.due(at + timedelta(minutes=4)) == ("dispatch",)


def test_showing_a_request_is_pending_since_it_came() -> None:
    """Only a reminder's question is younger than its request; a decision is pending since it was made."""
    now, five = datetime(2026, 3, 2, 9, 0, tzinfo=UTC), timedelta(minutes=5)
    record = Record(
        request=request(ADD),
        status="pending",
        requested_at=now - 2 * five,
        tasks=(("ask", now), ("announce", now), ("dispatch", now)),
    )
    assert record.due(now, pending_for=five) == ("ask", "announce")
    assert replace(record, reminded_at=now).due(now, pending_for=five) == ("announce",)
