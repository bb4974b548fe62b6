"""A request as the central account keeps it: its status, who decided, its pending tasks, and its history.

What does not belong here: how it is stored (``requests.items``) and changed (``requests.table``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.domain.request import Approver, Request, Status
from shared.slack.request_view import RequestView

Task = Literal[
    "ask",  # ask in the approval channel; a request that nobody can decide is shown there
    "announce",  # show the new request in the monitoring channel
    "dispatch",  # send the approval to the member account; completed when its outcome arrives
    "notify",  # show the outcome in the approval channel, over the question where that is possible
    "notifyMonitoring",  # show the outcome in the monitoring channel
    "gather",  # wait for its batch to close: it is asked or announced with the others
]

SUPERSEDED: Final = "superseded"
"""Note of a move to ``expired``: later calls of the requester have cancelled what the request asked for."""

WITHDRAWN: Final = "withdrawn"
"""Note of a move to ``expired``: the requester has withdrawn the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
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
class Decision:
    """Who decided.

    Attributes:
        by: Slack user id, or ``policy``.
        by_name: how Slack names them, for plain text.
        at: when, UTC.
        reason: why it was denied, where that was said.
    """

    by: str
    by_name: str = ""
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an approved change could not be applied: a code such as ``InvalidPermission.Duplicate``, and a sentence."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickedMessage:
    """The Slack message that was clicked.

    Attributes:
        response_url: Slack's address for replacing it; a secret, 30 minutes, 5 uses.
        ts: Slack's id of it, to reply in its thread when ``response_url`` is used up.
    """

    response_url: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored request.

    Attributes:
        request: what was asked.
        status: its present status.
        requested_at: when it was stored, UTC; reminder and expiry count from here. The sort key of the index.
        tasks: what still has to be done, each with the time since when.
        leases: until when a task is left alone by everybody else, because somebody works on it or it must not be
            tried earlier.
        history: every move, oldest first.
        decision: who decided; ``None`` while nobody has.
        failure: why applying failed.
        clicked: the message that was clicked.
        reminded_at: when it was asked again.
        duplicate_of: id of the request whose question stands for this one too; empty for one with its own question.
        duplicates: how often the same change was made again, where this request's question stands for those too.
        duplicates_shown: how often it had been made when the question was last shown again for that reason.
        approvals: who has approved so far, oldest first; nobody twice.
        valid_until: until when the approved change is in force; ``None``: for good, or nobody has approved yet.
        batch_of: id of the first request of its batch; empty for the first itself, and outside of batches.
        asked_in: id of the batch (``batch#…``) whose question stands for this request; empty for one that has, or
            had, a question of its own.
        superseded_by: id of the later call that has to do with it, where such calls have cancelled it.
        approval_post: address of its question, where the bot has posted it.
        monitoring_post: address of its message in the monitoring channel, where the bot has posted it.
    """

    request: Request
    status: Status
    requested_at: datetime
    tasks: tuple[tuple[Task, datetime], ...] = ()
    leases: tuple[tuple[Task, datetime], ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    decision: Decision | None = None
    failure: Failure | None = None
    clicked: ClickedMessage = ClickedMessage()
    reminded_at: datetime | None = None
    duplicate_of: str = ""
    duplicates: int = 0
    duplicates_shown: int = 0
    approvals: tuple[Approver, ...] = ()
    valid_until: datetime | None = None
    batch_of: str = ""
    asked_in: str = ""
    superseded_by: str = ""
    approval_post: str = ""
    monitoring_post: str = ""

    @property
    def is_superseded(self) -> bool:
        """True when later calls of the requester have cancelled it."""
        return self.status == "expired" and self.history[-1].note == SUPERSEDED

    @property
    def is_withdrawn(self) -> bool:
        """True when its requester has withdrawn it."""
        return self.status == "expired" and self.history[-1].note == WITHDRAWN

    @property
    def times_made(self) -> int:
        """How often the change was made, as far as this request stands for all of it."""
        return self.duplicates + 1

    @property
    def view(self) -> RequestView:
        """What Slack messages show."""
        decision, failure = self.decision, self.failure
        return RequestView(
            request=self.request,
            status=self.status,
            requested_at=self.requested_at,
            decided_by=decision.by if decision else "",
            decided_by_name=decision.by_name if decision else "",
            decided_at=decision.at if decision else None,
            denial_reason=decision.reason if decision else "",
            error_code=failure.code if failure else "",
            error_reason=failure.reason if failure else "",
            times_made=self.times_made,
            approvals=self.approvals,
            valid_until=self.valid_until,
            is_superseded=self.is_superseded,
            is_withdrawn=self.is_withdrawn,
        )

    def has(self, task: Task) -> bool:
        """True while ``task`` is pending."""
        return any(one == task for one, _ in self.tasks)

    def due(self, now: datetime, *, pending_for: timedelta = timedelta(0)) -> tuple[Task, ...]:
        """Return the tasks that have been pending for at least ``pending_for`` and that nobody has leased."""
        leased = {task for task, until in self.leases if until > now}
        return tuple(
            task for task, since in self.tasks if now - self._begun(task, since) >= pending_for and task not in leased
        )

    def _begun(self, task: Task, since: datetime) -> datetime:
        """Return since when a task is pending: to be shown since the request came, reminders excepted."""
        is_first = task == "announce" or (task == "ask" and self.reminded_at is None)
        return min(since, self.requested_at) if is_first else since
