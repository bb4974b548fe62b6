"""Stored requests: their pending tasks, and how often the change they stand for was made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from central.chalicelib.requests.record import Decision, Failure, Record
from tests.support.central_account import make_record, make_request
from tests.support.examples import NOON

HOUR = timedelta(hours=1)


def with_tasks() -> Record:
    """A request with a question pending since noon, and an outcome pending for an hour longer."""
    return make_record(make_request(event_time=NOON), tasks=(("ask", NOON), ("notify", NOON - HOUR)))


def test_a_task_is_pending_until_it_is_completed() -> None:
    """What is not in the list has been done, or was never to be done."""
    assert [with_tasks().has(task) for task in ("ask", "notify", "dispatch")] == [True, True, False]
    assert not replace(with_tasks(), tasks=()).has("ask")


def test_only_what_is_pending_for_long_enough_is_due() -> None:
    """To the second."""
    assert with_tasks().due(NOON) == ("ask", "notify")
    assert with_tasks().due(NOON, pending_for=HOUR) == ("notify",)
    assert with_tasks().due(NOON - timedelta(seconds=1), pending_for=HOUR) == ()


def test_a_leased_task_is_not_due_until_the_lease_ends() -> None:
    """Whoever leased it may have crashed."""
    leased = replace(with_tasks(), leases=(("ask", NOON + HOUR),))
    assert leased.due(NOON) == ("notify",)
    assert leased.due(NOON + HOUR) == ("ask", "notify")


def test_a_request_stands_for_itself_and_its_duplicates() -> None:
    """The number of times the change was made includes the first time."""
    assert (with_tasks().times_made, replace(with_tasks(), duplicates=4).times_made) == (1, 5)


def test_messages_show_who_decided_and_what_failed() -> None:
    """The view has decision and failure, and empty texts where there is none."""
    assert (with_tasks().view.decided_by, with_tasks().view.decided_at, with_tasks().view.error_code) == ("", None, "")
    decision, failure = Decision(by="U1", by_name="grace", at=NOON), Failure(code="Some.Code", reason="because")
    view = replace(with_tasks(), decision=decision, failure=failure, duplicates=2).view
    assert (view.decided_by, view.decided_by_name, view.decided_at) == ("U1", "grace", NOON)
    assert (view.error_code, view.error_reason, view.times_made) == ("Some.Code", "because", 3)
