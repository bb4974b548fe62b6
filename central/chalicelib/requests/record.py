"""A request as the central account keeps it: its status, who decided, what is still owed, and its full history.

``central`` stores records (``central``) and shows them (``shared.slack``). Every function here
returns what a move *would* do; the store makes it true with one conditional write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.domain.request import Request, Status

Debt = Literal[
    "question",  # ask in the approval channel (for a request nobody can decide: show it there)
    "question_monitoring",  # show the new request in the monitoring channel
    "dispatch",  # tell the member account to apply; paid when its outcome arrives
    "result",  # show the outcome in the approval channel, over the question where that is possible
    "result_monitoring",  # show the outcome in the monitoring channel
]

POLICY: Final = "policy"
"""``decided_by`` of a request that policy itself denied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a request's history; lines are only ever appended.

    Attributes:
        at: when, UTC.
        status: the status moved to.
        previous: the status moved from; empty for the first entry.
        by: Slack user id, ``policy``, an account id, or ``sweep``.
        note: what else is worth knowing, e.g. an error code.
    """

    at: datetime
    status: Status
    previous: Status | Literal[""]
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored request.

    Attributes:
        request: what was asked.
        status: where it stands now.
        requested_at: when it was stored, UTC; reminder and expiry count from here. The sort key of the index.
        owed: what still has to be done, each with the time since when it is owed.
        claimed: debts that somebody is paying right now, or that may not be paid again earlier: until when. Everybody
            else leaves them alone until then, so that nothing is posted twice.
        history: every move, oldest first.
        decided_by: Slack user id of who decided; ``policy``; empty while nobody has.
        decided_by_name: how Slack names them, for plain text.
        decided_at: when, UTC.
        error_code: why applying failed, e.g. ``InvalidPermission.Duplicate``.
        error_reason: the same as a sentence.
        response_url: Slack's address for replacing the message that was clicked; a secret, 30 minutes, 5 uses.
        message_ts: Slack's id of the clicked message; a reply in its thread is the way when ``response_url`` is spent.
        reminded_at: when it was asked again.
        repeat_of: id of the request whose question stands for this one too; empty for one with a question of its own.
        repeats: how often the same change was made again, where this request's question stands for these too.
        repeats_shown: how often it had been made when the question was last shown again for that reason.
    """

    request: Request
    status: Status
    requested_at: datetime
    owed: tuple[tuple[Debt, datetime], ...] = ()
    claimed: tuple[tuple[Debt, datetime], ...] = ()
    history: tuple[Entry, ...] = ()
    decided_by: str = ""
    decided_by_name: str = ""
    decided_at: datetime | None = None
    error_code: str = ""
    error_reason: str = ""
    response_url: str = ""
    message_ts: str = ""
    reminded_at: datetime | None = None
    repeat_of: str = ""
    repeats: int = 0
    repeats_shown: int = 0

    @property
    def made(self) -> int:
        """How often the change was made, as far as this request stands for all of it."""
        return self.repeats + 1

    def owes(self, debt: Debt) -> bool:
        """True while ``debt`` is not paid."""
        return any(one == debt for one, _ in self.owed)

    def due(self, now: datetime, *, owed_for: timedelta = timedelta(0)) -> tuple[Debt, ...]:
        """Return the debts that are owed for at least ``owed_for`` and that nobody is paying."""
        busy = {debt for debt, until in self.claimed if until > now}
        return tuple(
            debt for debt, since in self.owed if now - self._begun(debt, since) >= owed_for and debt not in busy
        )

    def _begun(self, debt: Debt, since: datetime) -> datetime:
        """Return when a debt began: showing the request was owed from the moment it came, reminders excepted."""
        is_first = debt == "question_monitoring" or (debt == "question" and self.reminded_at is None)
        return min(since, self.requested_at) if is_first else since
