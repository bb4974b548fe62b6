"""Requests of one requester that follow each other are stored as one batch, however they arrive."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from central.chalicelib.batches import joining
from central.chalicelib.batches.batch import batch_id, gathering_key, join
from central.chalicelib.requests.items import record_from_item
from central.chalicelib.requests.record import Record
from shared.domain.change import make_change
from shared.domain.operations import Removed
from shared.domain.request import Request
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import RequestMessage
from tests.support.central_account import ADA, Central, fail_once, make_record, make_request, meet_transactions


def call(number: int, **values: Any) -> Request:
    """Return the request of one call: each opens another port."""
    rule = make_rule(direction="ingress", protocol="tcp", from_port=number, to_port=number, source=cidr("10.0.0.0/8"))
    return make_request(f"r-{number}", **({"change": make_change(added=[rule])} | values))


def stored(central: Central, number: int) -> Record:
    """Return a stored request."""
    return record_from_item(central.item(f"r-{number}"))


def test_the_first_is_asked_at_once_and_later_ones_have_no_question(central: Central) -> None:
    """Each later one names the first, and is stored like any other."""
    for number in range(1, 5):
        central.file(call(number))
    assert (len(central.approval), len(central.monitoring)) == (1, 1)
    records = [stored(central, number) for number in range(1, 5)]
    assert [one.batch_of for one in records] == ["", "r-1", "r-1", "r-1"]
    assert [one.asked_in for one in records] == [batch_id("r-1")] * 4
    assert [[task for task, _ in one.tasks] for one in records] == [[], ["gather"], ["gather"], ["gather"]]
    assert {one.status for one in records} == {"pending"}
    assert central.item(gathering_key(call(1)))["requests"] == ["r-1", "r-2", "r-3", "r-4"]


def test_one_that_comes_alone_has_its_own_question(central: Central) -> None:
    """Nothing replaces it."""
    central.file(call(1))
    assert stored(central, 1).asked_in == ""
    assert "status" not in central.item(gathering_key(call(1)))


@pytest.mark.parametrize(
    "values",
    [
        {"account": "222222222222"},
        {"region": "eu-west-2"},
        {"requester": replace(ADA, arn=ADA.arn.replace("ada", "bob"))},
        {"requester": None, "origin": "snapshot"},
        {"status": "denied", "reason": "no"},
        {"status": "unreverted"},
        {"origin": "ended"},
    ],
)
def test_what_never_joins_is_shown_at_once(central: Central, values: dict[str, Any]) -> None:
    """Other places and people, drift, denied and unreverted requests."""
    central.file(call(1))
    central.file(call(2, **values))
    assert len(central.monitoring) == 2
    assert stored(central, 2).batch_of == ""
    assert stored(central, 1).asked_in == ""


def test_sessions_of_a_role_are_one_requester(central: Central) -> None:
    """A pipeline has a new session for each run."""
    role = replace(ADA, arn="arn:aws:sts::1:assumed-role/ci/one", principal_arn="arn:aws:iam::1:role/ci")
    central.file(call(1, requester=role))
    central.file(call(2, requester=replace(role, arn=role.arn.replace("one", "two"))))
    assert stored(central, 2).batch_of == "r-1"


def test_a_request_that_comes_late_begins_another_batch(central: Central) -> None:
    """The batch before is kept by the same transaction."""
    for number in (1, 2):
        central.file(call(number))
    central.edit(gathering_key(call(1)), closesAt="2026-01-01T00:00:00.000Z")
    central.file(call(3))
    assert stored(central, 3).batch_of == ""
    assert len(central.approval) == 2
    assert central.item(batch_id("r-1"))["requests"] == ["r-1", "r-2"]
    assert central.item(gathering_key(call(1)))["requests"] == ["r-3"]
    assert [one["requestId"] for one in central.item(gathering_key(call(1)))["earlier"]] == ["r-1", "r-2"]


def test_a_batch_closes_two_minutes_after_its_first_request(central: Central, policy: Callable[[str], None]) -> None:
    """However closely its requests follow each other."""
    policy("gather_seconds = 100")
    central.file(call(1))
    begun = datetime.now(UTC) - timedelta(seconds=90)
    key = gathering_key(call(1))
    central.edit(key, firstAt=begun.isoformat(timespec="milliseconds"))
    central.file(call(2))
    assert central.item(key)["closesAt"][:19] == (begun + timedelta(minutes=2)).isoformat()[:19]


def test_a_batch_holds_sixty_requests(central: Central) -> None:
    """The 61st begins another one."""
    central.file(call(1))
    central.edit(gathering_key(call(1)), requests=[f"r-{number}" for number in range(1, 61)])
    central.file(call(61))
    assert stored(central, 61).batch_of == ""


def test_a_batch_holds_three_megabytes(central: Central) -> None:
    """What is more begins another one."""
    central.file(call(1))
    central.edit(gathering_key(call(1)), size=2_999_000)
    central.file(call(2))
    assert stored(central, 2).batch_of == ""


def test_without_gathering_every_call_is_asked_alone(central: Central, policy: Callable[[str], None]) -> None:
    """``gather_seconds = 0``."""
    policy("gather_seconds = 0")
    for number in (1, 2, 3):
        central.file(call(number))
    assert len(central.approval) == 3
    assert {stored(central, number).batch_of for number in (1, 2, 3)} == {""}


def test_what_is_only_announced_gathers_too(central: Central) -> None:
    """The first is announced at once, and the first question is asked at once."""
    for number in (1, 2, 3):
        central.file(call(number, status="observed"))
    central.file(call(4))
    central.file(call(5, status="applied"))
    assert (len(central.approval), len(central.monitoring)) == (1, 2)
    assert [stored(central, number).batch_of for number in range(1, 6)] == ["", "r-1", "r-1", "r-1", "r-1"]
    assert stored(central, 4).asked_in == ""


def test_a_removal_that_asks_nothing_takes_the_question_of_the_first(central: Central) -> None:
    """The requester removed the rule before it was reverted: the question for all says what is left."""
    central.file(call(1))
    gone = Removed(rule=call(1).change.added[0])
    central.file(call(2, status="observed", change=make_change(), operations=(gone,)))
    assert stored(central, 1).asked_in == batch_id("r-1")


def test_a_decided_first_request_is_no_question_for_the_others(central: Central) -> None:
    """The next one is asked at once, in the same batch."""
    first = central.file(call(1))
    central.click(first, "deny")
    central.file(call(2))
    central.file(call(3))
    assert (stored(central, 1).asked_in, stored(central, 1).status) == ("", "denied")
    assert [len(stored(central, number).tasks) for number in (2, 3)] == [1, 1]
    assert '"approve"' in central.approval[-1].text
    assert "r-2" in central.approval[-1].text
    assert stored(central, 2).asked_in == batch_id("r-1")


def test_a_request_delivered_again_joins_once(central: Central) -> None:
    """SNS delivers at least once."""
    one, two = call(1), call(2)
    for request in (one, two, two, one, two):
        central.file(request)
    assert central.item(gathering_key(call(1)))["requests"] == ["r-1", "r-2"]
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


@pytest.mark.parametrize("after", [False, True])
def test_a_transaction_that_fails_or_is_not_confirmed_loses_nothing(
    central: Central, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """The request is in the batch, or it is asked alone."""
    central.file(call(1))
    fail_once(monkeypatch, "transact_write_items", after=after)
    central.file(call(2))
    assert stored(central, 2).batch_of == "r-1"
    assert len(central.approval) == 1


def test_a_request_that_others_always_overtake_is_asked_alone(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: it has a question of its own."""
    monkeypatch.setattr(joining, "JOIN_SECONDS", 0.1)
    monkeypatch.setattr(joining.Batches, "join", lambda *_: "conflict")
    central.file(call(1))
    assert len(central.approval) == 1
    assert stored(central, 1).batch_of == ""


def test_a_conflict_is_tried_again(central: Central) -> None:
    """DynamoDB cancels one of two transactions on the same item."""
    central.file(call(1))
    meet_transactions(central.dynamodb, "TransactWriteItems", 2)
    central.file(call(2))
    assert stored(central, 2).batch_of == "r-1"


def test_damaged_state_of_a_batch_keeps_no_request_from_being_asked(central: Central) -> None:
    """It is asked alone."""
    central.file(call(1))
    central.edit(gathering_key(call(1)), closesAt="soon")
    central.file(call(2))
    assert len(central.approval) == 2


def test_sixty_requests_that_arrive_at_once_are_one_batch(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty functions that know nothing of each other: one question. How fast this machine is does not matter."""
    monkeypatch.setattr("central.chalicelib.batches.joining.JOIN_SECONDS", 300.0)
    monkeypatch.setattr("central.chalicelib.context._LOCAL_SECONDS", 300.0)
    start = Barrier(60)

    def file(number: int) -> None:
        start.wait(30)
        central.deliver(RequestMessage(request=call(number)))

    with ThreadPoolExecutor(60) as pool:
        list(pool.map(file, range(1, 61)))
    items = [central.item(f"r-{number}") for number in range(1, 61)]
    first = central.item(gathering_key(call(1)))
    assert sorted(first["requests"]) == sorted(f"r-{number}" for number in range(1, 61))
    assert [item.get("batchOf", "") for item in items].count("") == 1
    assert {item["askedIn"] for item in items} == {batch_id(first["first"])}
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


def test_where_nothing_is_gathered_a_request_received_earlier_and_stored_later_joins_nothing() -> None:
    """Two functions at the same moment: whoever began first may come second to the table."""
    request = call(1)
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    later = join(make_record(request, requested_at=at), None, size=1, gathers_for=timedelta(0))
    earlier = make_record(call(2), requested_at=at - timedelta(seconds=1))
    assert join(earlier, later.gathering, size=1, gathers_for=timedelta(0)).begins
    assert not join(earlier, later.gathering, size=1, gathers_for=timedelta(seconds=60)).begins
