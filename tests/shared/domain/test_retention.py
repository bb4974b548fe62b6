"""Until when something is kept: ``keep_days`` after its end, and never less than a decision or redrive may take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.policy import Policy
from shared.domain.retention import entry_kept_until, kept_until

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
FOREVER = (Policy(keep_days=0), Policy(problem="unreadable"))


def days_after(until: int | None) -> float:
    """Return how many days after now that is."""
    assert until is not None
    return (until - NOW.timestamp()) / 86400


def test_what_has_ended_is_kept_for_as_many_days() -> None:
    """From its end on."""
    assert days_after(kept_until(Policy(keep_days=30), NOW)) == 30


@pytest.mark.parametrize("policy", FOREVER)
def test_nothing_ends_with_0_days_or_without_a_policy(policy: Policy) -> None:
    """Nobody knows what an unreadable policy says."""
    assert kept_until(policy, NOW) is None
    assert entry_kept_until(policy, NOW, NOW) is None


def test_an_entry_is_kept_while_it_may_still_be_decided_or_redriven() -> None:
    """Its hours to be decided, 15 days for dead letters, and then the days that policy says; from its call on."""
    policy = Policy(keep_days=30, expire_after_hours=48)
    assert days_after(entry_kept_until(policy, NOW, NOW)) == 30 + 2 + 15
    assert days_after(entry_kept_until(policy, NOW - timedelta(days=10), NOW)) == 30 + 2 + 15 - 10
    assert days_after(entry_kept_until(policy, NOW - timedelta(days=100), NOW)) == 30


@pytest.mark.parametrize("year", [1, 9998])
def test_times_that_an_event_invents_do_no_harm(year: int) -> None:
    """They must not keep a request from being stored."""
    until = entry_kept_until(Policy(keep_days=36_500), NOW.replace(year=year), NOW)
    assert until is not None
    assert until >= NOW.timestamp()
