"""What monitoring reads about a member: where, what, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.slack.member_messages import problem_text, recovered_text, silent_text
from shared.wire.heartbeat import Heartbeat, Problem

TRAIL = Problem(kind="trail", text="CloudTrail is off.")
LAST = Heartbeat(
    account="222222222222",
    account_name="payments",
    region="eu-west-1",
    sent_at=datetime(2026, 10, 1, 12, tzinfo=UTC),
    version="0.1.0",
    mode="enforce",
    problems=(TRAIL, Problem(kind="rule", text="The rule is off.")),
)
NAMELESS = Heartbeat(account="222222222222", region="eu-west-1", sent_at=LAST.sent_at, version="1", mode="enforce")


def test_silence_says_since_when() -> None:
    """And where to read on."""
    text = silent_text(LAST)
    assert text.startswith("Region eu-west-1 of account 222222222222 (payments) has sent no heartbeat for 3 hours;")
    assert "2026-10-01 12:00:00 UTC" in text
    assert "runbook" in text


def test_only_new_problems_are_told() -> None:
    """Those that were announced before are not."""
    assert problem_text(LAST, {"trail"}).startswith(
        "Region eu-west-1 of account 222222222222 (payments): CloudTrail is off. See the runbook"
    )


def test_recovery_says_what_is_over_and_what_is_left() -> None:
    """An account without a name goes by its number."""
    assert recovered_text(LAST, {"silent", "probe"}).endswith(
        "sends heartbeats again and no longer reports a problem with probe. It still reports: trail, rule."
    )
    assert recovered_text(NAMELESS, {"probe"}) == (
        "Region eu-west-1 of account 222222222222 no longer reports a problem with probe."
    )
