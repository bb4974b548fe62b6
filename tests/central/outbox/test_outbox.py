"""Pending tasks: leased by one, completed or released, begun anew; two never do the same one at the same time."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.outbox import Channels, Lease, Outbox
from central.chalicelib.requests.items import LEASED_FOR
from central.chalicelib.requests.moves import Moved
from central.chalicelib.requests.record import ClickedMessage, HistoryEntry, Record
from central.chalicelib.requests.table import RequestsTable
from central.chalicelib.requests.update_expression import Update
from tests.support.central_account import LATER, NOON, approval, new_record
from tests.support.slack_stand_in import APPROVAL, SlackStandIn

HOUR = timedelta(hours=1)


class Invocation:
    """An invocation with its table and outbox."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self.now = NOON
        self.table = RequestsTable(dynamodb, invocation=name)
        self.outbox = Outbox(self.table, Channels(until=math.inf, message_seconds=1), clock=lambda: self.now)

    def lease(self, *tasks: Any, at: datetime = NOON, digest: str = "") -> Lease:
        """Lease tasks of the request, which exists."""
        self.now = at
        leased = self.outbox.lease("r-1", tasks, digest=digest)
        assert leased is not None
        return leased

    def stored(self) -> Record:
        """Return the request as stored."""
        record = self.table.get("r-1")
        assert record is not None
        return record


@pytest.fixture
def one(dynamodb: Any) -> Invocation:
    """The invocation that stores the request."""
    return Invocation(dynamodb, "invocation-1")


@pytest.fixture
def other(dynamodb: Any) -> Invocation:
    """Another invocation at the same time."""
    return Invocation(dynamodb, "invocation-2")


def test_a_task_is_leased_by_one_of_two(one: Invocation, other: Invocation, calls: list[str]) -> None:
    """The first gets it in one write; the second learns that somebody works on it."""
    record = one.table.store(new_record(tasks=("ask", "announce"))).record
    one.outbox.release(record, "ask")
    one.outbox.release(record, "announce")
    calls.clear()
    assert one.lease("ask", "announce").tasks == {"ask", "announce"}
    assert calls == ["dynamodb.UpdateItem"]
    assert other.lease("ask", "announce").tasks == frozenset()


def test_a_lease_takes_what_is_pending_and_free(one: Invocation, other: Invocation) -> None:
    """Of several tasks, those that nobody has leased."""
    record = one.table.store(new_record(tasks=("ask", "announce"))).record
    one.outbox.release(record, "announce")
    assert other.lease("ask", "announce", "notify").tasks == {"announce"}


def test_a_lease_ends_by_itself(one: Invocation, other: Invocation) -> None:
    """What a crashed invocation had leased can be leased again afterwards."""
    one.table.store(new_record())
    assert other.lease("ask", at=NOON + LEASED_FOR - timedelta(seconds=1)).tasks == frozenset()
    assert other.lease("ask", at=NOON + LEASED_FOR).tasks == {"ask"}


def test_a_retry_of_the_same_invocation_keeps_its_leases(one: Invocation) -> None:
    """Lambda's own retry has the same id: it continues with what is still pending, and with that only."""
    record = one.table.store(new_record(tasks=("ask", "announce"))).record
    one.outbox.complete(record, "ask")
    assert not one.table.store(new_record(tasks=("ask", "announce"))).is_new
    assert one.lease("ask", "announce").tasks == {"announce"}


def test_an_unknown_request_or_another_digest_leases_nothing(one: Invocation, other: Invocation) -> None:
    """Nothing is written either."""
    record = one.table.store(new_record()).record
    one.outbox.release(record, "ask")
    assert other.outbox.lease("r-2", ("ask",)) is None
    assert other.lease("ask", digest="ab" * 32).tasks == frozenset()
    assert one.stored().leases == ()


def test_a_completed_task_is_gone_with_its_lease(one: Invocation) -> None:
    """What is written with it is written at the same time."""
    clicked = ClickedMessage(response_url="https://hooks.slack.com/x")
    record = one.table.store(new_record(clicked=clicked)).record
    assert one.outbox.complete(record, "ask", values={"responseUrl": "", "remindedAt": "2026-10-01T12:00:00.000Z"})
    after = one.stored()
    assert (after.tasks, after.leases, after.clicked, after.reminded_at) == ((), (), ClickedMessage(), NOON)


def test_a_task_that_began_anew_is_not_completed_by_the_former_one(one: Invocation, other: Invocation) -> None:
    """Whoever still posts an error must not complete the message about the success after it."""
    one.table.store(new_record())
    one.table.move(approval(new_record()))
    error = approval(new_record(), previous="approved", to="error", tasks=("notify",), leases_tasks=True)
    failed = one.table.move(error)
    assert isinstance(failed, Moved)
    at = LATER + timedelta(seconds=1)
    other.table.move(replace(error, previous="error", to="applied", at=at))
    assert not one.outbox.complete(failed.record, "notify")
    assert one.stored().tasks == (("notify", at),)
    assert one.stored().leases


def test_a_released_task_may_have_to_wait(one: Invocation, other: Invocation) -> None:
    """Only its owner releases it, until a time and with a line in the history."""
    record = one.table.store(new_record()).record
    other.outbox.release(record, "ask")
    line = HistoryEntry(at=LATER, status="pending", previous="pending", by="sweep", note="tried")
    one.outbox.release(record, "ask", until=NOON + HOUR, entry=line)
    assert one.stored().history[-1] == line
    assert one.stored().due(NOON + timedelta(minutes=59)) == ()
    assert one.stored().due(NOON + HOUR) == ("ask",)
    assert one.lease("ask").tasks == frozenset(), "not even by whoever released it"


def test_tasks_begin_once_while_what_they_require_holds(
    one: Invocation, other: Invocation, slack: SlackStandIn
) -> None:
    """They are posted and completed; the loser of a race begins nothing."""

    def begin(invocation: Invocation) -> bool:
        update = Update()
        update.set("remindedAt", "2026-10-01T12:00:00.000Z")
        update.require_absent("remindedAt")
        update.require_absent("tasks.ask")
        return invocation.outbox.begin(record, ("ask",), by="sweep", note="asked again", update=update)

    record = one.table.store(new_record()).record
    assert not begin(one), "the question itself is still pending"
    one.outbox.complete(record, "ask")
    assert begin(one)
    assert not begin(other)
    assert len(slack.to(APPROVAL)) == 1
    assert (one.stored().tasks, one.stored().history[-1].note) == ((), "asked again")
