"""What ``python -m deploy report`` counts."""

from __future__ import annotations

from datetime import UTC, datetime

from central.chalicelib.requests.record import Record
from deploy.reporting import lines
from deploy.round_trip import GROUP
from tests.support.central_account import make_request

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def observed(**values: str) -> Record:
    """Return an observed change."""
    request = make_request(**{"status": "observed", "reason": "observe mode", **values})
    return Record(request=request, status="observed", requested_at=NOON)


def test_changes_are_counted_by_account_requester_and_reason() -> None:
    """The most frequent first."""
    found = list(lines([observed(), observed(), observed(reason="exempt")]))
    assert found[0] == "3 changes would have been reverted, or were allowed and reported:"
    assert [line.split()[0] for line in found[1:]] == ["2", "1"]


def test_doctors_own_test_event_is_not_counted() -> None:
    """It shows that messages arrive; nothing happened."""
    assert list(lines([observed(group_id=GROUP)])) == ["Nothing was observed."]
    assert next(lines([observed(group_id=GROUP), observed()])).startswith("1 change")
