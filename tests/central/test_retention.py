"""What has ended may go after ``keep_days``; what is open, unreverted or in force for a time never does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.requests.record import Record
from central.chalicelib.requests.retention import new_item
from central.chalicelib.requests.table import RequestsTable
from shared.domain.request import Request, Status
from shared.wire.messages import AppliedMessage, EndedMessage, ErrorMessage
from tests.support.central_account import Central, aged, make_record, make_request

Use = Callable[[str], None]

KEPT = "keep_days = 30"


def days_left(item: dict[str, Any]) -> int | None:
    """Return in how many days DynamoDB may delete an item; ``None``: never."""
    found = item.get("expiresAt")
    if not isinstance(found, int):
        return None
    return round((found - datetime.now(UTC).timestamp()) / 86400)


def applied(request: Request) -> AppliedMessage:
    """Return the member's word that a request was applied."""
    return AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        applied_at=datetime.now(UTC),
    )


@pytest.fixture(autouse=True)
def kept(policy: Use) -> None:
    """Thirty days."""
    policy(KEPT)


def test_an_open_request_never_goes(central: Central) -> None:
    """Pending, and approved."""
    request = central.file()
    assert days_left(central.item()) is None
    central.click(request)
    assert (central.status(), days_left(central.item())) == ("approved", None)


def test_a_denied_request_goes(central: Central) -> None:
    """The click that denies it says when."""
    central.click(central.file(), "deny")
    assert (central.status(), days_left(central.item())) == ("denied", 30)


def test_the_longest_time_counts_where_a_click_decides_unread(central: Central, policy: Use) -> None:
    """Which account it is of is not known then; 0 days in one of them keep it for ever."""
    policy(f'{KEPT}\n[accounts."999999999999"]\nkeep_days = 50')
    central.click(central.file(), "deny")
    assert days_left(central.item()) == 50
    policy(f'{KEPT}\n[accounts."999999999999"]\nkeep_days = 0')
    other = central.file(make_request("other"))
    central.click(other, "deny")
    assert (central.status("other"), days_left(central.item("other"))) == ("denied", None)


def test_an_expired_request_goes(central: Central, policy: Use) -> None:
    """With the days of its own account."""
    policy('keep_days = 60\n[accounts."999999999999"]\nkeep_days = 0')
    central.file(aged(make_request(), hours=73))
    central.sweep()
    assert (central.status(), days_left(central.item())) == ("expired", 60)


@pytest.mark.parametrize("is_timed", [False, True])
def test_an_applied_request_goes_unless_its_time_has_to_end_first(central: Central, is_timed: bool) -> None:
    """That of one for a time begins with its end."""
    request = central.file()
    central.click(request)
    if is_timed:
        central.edit(validUntil="2030-01-01T00:00:00.000Z")
    central.deliver(applied(request))
    assert (central.status(), days_left(central.item())) == ("applied", None if is_timed else 30)
    if is_timed:
        ended = EndedMessage(
            request_id=request.request_id,
            digest=request.digest,
            account=request.account,
            region=request.region,
            ended_at=datetime.now(UTC),
        )
        central.deliver(ended)
        assert (central.status(), days_left(central.item())) == ("ended", 30)


def test_an_error_goes_and_a_later_success_begins_anew(central: Central, policy: Use) -> None:
    """Also where policy keeps everything by then."""
    request = central.file()
    central.click(request)
    error = ErrorMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        code="X",
        reason="x",
        failed_at=datetime.now(UTC),
    )
    central.deliver(error, to="errorHandlerSecurityGroupChange")
    assert (central.status(), days_left(central.item())) == ("error", 30)
    policy("keep_days = 0")
    central.deliver(applied(request))
    assert (central.status(), days_left(central.item())) == ("applied", None)


@pytest.mark.parametrize(
    ("status", "days"), [("observed", 30), ("denied", 30), ("applied", 30), ("unreverted", None), ("pending", None)]
)
def test_a_request_that_comes_into_being_ended_goes(status: Status, days: int | None) -> None:
    """Decided by policy, or only told."""
    record = make_record(make_request(event_time=datetime.now(UTC)), status=status)
    assert days_left(new_item(record)) == days


def test_what_policy_let_through_for_a_time_never_goes_before_its_end() -> None:
    """Its limits say that it has one."""
    now = datetime.now(UTC)
    record: Record = make_record(make_request(event_time=now, limits=(("x", now + timedelta(hours=8)),)))
    assert days_left(new_item(make_record(record.request, status="applied"))) is None


def test_without_a_policy_nothing_goes(policy: Use) -> None:
    """Nobody knows what it would say."""
    policy("keep_days = 'x'")
    assert days_left(new_item(make_record(make_request(event_time=datetime.now(UTC)), status="observed"))) is None


def test_a_stored_observation_has_its_time(central: Central) -> None:
    """In the write that stores it."""
    central.file(make_request(status="observed", reason="observe mode"))
    assert days_left(central.item()) == 30
    assert RequestsTable(central.dynamodb, invocation="i").get(make_request().request_id) is not None
