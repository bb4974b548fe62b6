"""Says in a sentence where a request stands, to somebody whose click came too late or went nowhere.

Plain text without markup: it names people as Slack names them.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.record import POLICY, Record


def sentence(record: Record) -> str:
    """Return where a request stands and who decided it: ``Already denied by ada on 2026-10-01 at 12:00 UTC. …``."""
    who, when = _who(record), _when(record.decided_at)
    match record.status:
        case "pending":
            return "This request is still waiting for a decision."
        case "approved":
            return f"Already approved {who}{when}; it is being applied. Your click changed nothing."
        case "applied":
            return f"Already approved {who}{when}, and applied: it is in force. Your click changed nothing."
        case "denied":
            return f"Already denied {who}{when}. The change stays taken back. Your click changed nothing."
        case "expired":
            return (
                "This request has expired: nobody decided in time. The change stays taken back; whoever still needs it "
                "makes it again."
            )
        case "error":
            return (
                f"Already approved {who}{when}, but it could not be applied ({record.error_code}). "
                "Your click changed nothing."
            )
        case _:
            return f"Nobody can decide this request: it is {record.status}. Your click changed nothing."


def _who(record: Record) -> str:
    if record.decided_by == POLICY:
        return "by policy"
    return f"by {record.decided_by_name or record.decided_by or 'somebody'}"


def _when(moment: datetime | None) -> str:
    return f" on {moment:%Y-%m-%d} at {moment:%H:%M} UTC" if moment is not None else ""
