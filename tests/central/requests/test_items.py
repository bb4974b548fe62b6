"""Items of the central table: what is stored is what comes back, and a damaged item is named by its attribute."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.chalicelib.requests.items import leased_by, record_from_item, record_to_item
from central.chalicelib.requests.record import Decision, Failure, HistoryEntry, Record
from shared.domain.change import make_change
from shared.domain.rule import cidr, make_rule
from shared.wire.fields import FieldError
from tests.support.central_account import make_request
from tests.support.strategies import records

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def record(**values: Any) -> Record:
    """Return a pending record."""
    request = make_request(event_time=NOON)
    defaults: dict[str, Any] = {"status": "pending", "requested_at": NOON}
    return Record(request=request, **(defaults | values))


def to_milliseconds(moment: datetime) -> datetime:
    """Return the time as precisely as it is stored."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(records())
def test_every_record_comes_back_as_it_was_stored(original: Record) -> None:
    """Writing and reading keep everything; times are kept to the millisecond, so the second time keeps all of it."""
    once = record_from_item(record_to_item(original))
    assert record_from_item(record_to_item(once)) == once
    assert once.request.digest == original.request.digest
    assert once.tasks == tuple((task, to_milliseconds(since)) for task, since in original.tasks)
    times = {"requested_at": NOON, "decision": None, "reminded_at": None}
    plain = {"request": original.request, "tasks": (), "history": (), **times}
    assert replace(once, **plain) == replace(original, **plain)
    assert (once.decision is None) == (original.decision is None)
    if once.decision is not None and original.decision is not None:
        assert replace(once.decision, at=NOON) == replace(original.decision, at=NOON)
    assert [replace(one, at=NOON) for one in once.history] == [replace(one, at=NOON) for one in original.history]


def test_a_failure_comes_back_as_it_was_stored() -> None:
    """With its code and its reason."""
    failed = record(status="error", failure=Failure(code="RuleLimitExceeded", reason="full"))
    assert record_from_item(record_to_item(failed)).failure == failed.failure


def test_a_history_is_stored_line_by_line() -> None:
    """In order, empty attributes left out, and it comes back as it was."""
    lines = (
        HistoryEntry(at=NOON, status="pending", previous="", by="222222222222"),
        HistoryEntry(at=NOON + timedelta(minutes=1), status="denied", previous="pending", by="U1", note="why"),
    )
    item = record_to_item(record(history=lines))
    assert item["history"] == [
        {"at": "2026-10-01T12:00:00.000Z", "status": "pending", "by": "222222222222"},
        {"at": "2026-10-01T12:01:00.000Z", "status": "denied", "previous": "pending", "by": "U1", "note": "why"},
    ]
    assert record_from_item(item).history == lines


def test_people_can_read_an_item_in_the_console() -> None:
    """What operators look for stands in attributes of its own; empty ones are left out."""
    item = record_to_item(record(decision=Decision(by="U1", at=NOON)))
    assert item["status"] == "pending"
    assert item["requestedAt"] == "2026-10-01T12:00:00.000Z"
    assert item["requester"] == "ada@example.com (AWSReservedSSO_Admin_1a2b)"
    assert item["kind"] == "add"
    assert item["decidedAt"] == "2026-10-01T12:00:00.000Z"
    assert isinstance(item["body"], str)
    assert "errorCode" not in item


def test_a_request_of_a_thousand_rules_is_stored_compressed() -> None:
    """A large body becomes binary, far below DynamoDB's 400 KB, and comes back."""
    rules = [
        make_rule(
            direction="ingress",
            protocol="tcp",
            from_port=number,
            to_port=number,
            source=cidr("10.0.0.0/8"),
            description=f"{number} " + "x" * 200,
        )
        for number in range(1, 1001)
    ]
    large = record()
    large = replace(large, request=replace(large.request, change=make_change(added=rules)))
    item = record_to_item(large)
    assert isinstance(item["body"], bytes)
    assert len(item["body"]) < 100_000
    assert record_from_item(item) == large


def test_a_lease_says_who_and_until_when() -> None:
    """Leased tasks are known by their owner, and are not due before their time."""
    busy = record(tasks=(("ask", NOON), ("notify", NOON)), leases=(("ask", NOON + timedelta(minutes=2)),))
    item = record_to_item(busy, owner="invocation-1")
    assert leased_by(item, "invocation-1") == {"ask"}
    assert leased_by(item, "invocation-2") == frozenset()
    read = record_from_item(item)
    assert read.due(NOON) == ("notify",)
    assert read.due(NOON + timedelta(minutes=2)) == ("ask", "notify")
    assert read.due(NOON, pending_for=timedelta(minutes=5)) == ()


@pytest.mark.parametrize(
    ("attribute", "value", "path"),
    [
        ("status", "maybe", "status"),
        ("status", None, "status"),
        ("requestedAt", "yesterday", "requestedAt"),
        ("body", None, "body"),
        ("body", b"damaged", "body"),
        ("body", "{}", "body.requestId"),
        ("tasks", {"thanks": "2026-10-01T12:00:00Z"}, "tasks"),
        ("tasks", {"notify": 1}, "tasks.notify"),
        ("leases", {"notify": {"by": "x"}}, "leases.notify.until"),
        ("history", [{"at": "2026-10-01T12:00:00Z", "status": "x"}], "history[0].status"),
        ("decidedAt", "x", "decidedAt"),
        ("decidedAt", None, "decidedAt"),
    ],
)
def test_a_damaged_item_is_named_by_request_and_attribute(attribute: str, value: object, path: str) -> None:
    """An item somebody edited by hand is an error that says which request and which attribute."""
    item = record_to_item(record(decision=Decision(by="U1", at=NOON))) | {attribute: value}
    with pytest.raises(FieldError) as caught:
        record_from_item(item)
    assert caught.value.path == f"request {item['requestId']}.{path}"


@given(st.dictionaries(st.sampled_from(sorted(record_to_item(record()))), st.text() | st.integers() | st.none()))
def test_no_item_breaks_the_reader(values: dict[str, Any]) -> None:
    """An item with arbitrary values is a record or a FieldError."""
    try:
        record_from_item(record_to_item(record()) | values)
    except FieldError:
        return
