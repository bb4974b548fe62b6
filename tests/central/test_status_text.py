"""What a late clicker is told: where the request stands, and who decided it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from central.chalicelib.status_text import sentence
from shared.domain.record import POLICY, Record
from shared.domain.request import Status
from tests.support.central_account import make_request

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def record(status: Status, **values: str) -> Record:
    """Return a record in a status, decided by grace at noon."""
    request = make_request()
    decided = {"decided_by": "U1", "decided_by_name": "grace"} | values
    return Record(request=request, status=status, requested_at=NOON, decided_at=NOON, error_code="Some.Code", **decided)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pending", "still waiting"),
        ("approved", "Already approved by grace on 2026-10-01 at 12:00 UTC; it is being applied"),
        ("applied", "Already approved by grace on 2026-10-01 at 12:00 UTC, and applied"),
        ("denied", "Already denied by grace on 2026-10-01 at 12:00 UTC"),
        ("expired", "has expired"),
        ("error", "could not be applied (Some.Code)"),
        ("unreverted", "it is unreverted"),
        ("observed", "it is observed"),
    ],
)
def test_every_status_has_its_sentence(status: Status, words: str) -> None:
    """Whatever happened, the clicker can read it."""
    assert words in sentence(record(status))


def test_no_status_is_forgotten() -> None:
    """Each status has a sentence of its own."""
    assert len({sentence(record(status)) for status in get_args(Status)}) == len(get_args(Status))


def test_policy_and_people_without_a_name_are_named_too() -> None:
    """Who decided is told by the best name there is."""
    assert "by policy" in sentence(record("denied", decided_by=POLICY))
    assert "by U1" in sentence(record("denied", decided_by_name=""))
    assert "by somebody" in sentence(record("denied", decided_by="", decided_by_name=""))
