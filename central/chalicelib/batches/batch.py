"""A batch as the central account keeps it, and which requests join it.

Each requester has at most one *open* batch per account and region, the :class:`Gathering`. Once it has closed it is a
:class:`Batch`, with a question, approvals and a result of its own. Only the request that begins a batch, and the first
one that has to be decided, are shown at once.

What does not belong here: how both are stored (``batches.items``, ``batches.table``), and what a batch comes to
(``batches.net_change``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.domain.request import Approver, Request

from ..requests.fingerprint import requester_text
from ..requests.record import ClickedMessage, Decision, Record, Task

BATCH: Final = "batch#"
"""How the ids of batches begin; no request id does."""

MOST_REQUESTS: Final = 60
"""With the batch's own item well below the 100 items that DynamoDB takes in one transaction.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""

MOST_BYTES: Final = 3_000_000
"""Of stored requests; a transaction takes 4 MB, a message to a member 256 KB."""

LONGEST: Final = timedelta(minutes=2)
"""How long after its first request a batch closes at the latest."""

REMEMBERED_FOR: Final = timedelta(minutes=5)
"""How long the requests of earlier batches are remembered: the index may not list them yet."""

Outcome = Literal["", "approved", "denied", "expired", "withdrawn", "superseded", "one_by_one"]
"""How a batch was decided; ``withdrawn``: by its requester; ``superseded``: its calls cancel each other out;
``one_by_one``: its requests are asked one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """The open batch of a requester, or the one that was open last.

    Attributes:
        key: id of its item.
        first: id of the request that began it.
        first_at: when that was stored.
        closes_at: requests that come later begin another batch.
        requests: ids of all its requests, in the order in which they came.
        size: bytes of their items.
        asked: id of the request that was asked at once, because it was the first to be decided; empty when there is
            none.
        announced: id of the request that was announced at once, as the first that nobody has to decide.
        is_marked: the question of ``asked`` is replaced by one for all.
        is_saved: it has closed and is kept as a :class:`Batch`.
        earlier: requests of batches before, and when these closed.
    """

    key: str
    first: str
    first_at: datetime
    closes_at: datetime
    requests: tuple[str, ...]
    size: int
    asked: str = ""
    announced: str = ""
    is_marked: bool = False
    is_saved: bool = False
    earlier: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch that has closed.

    Attributes:
        batch_id: ``batch#…``.
        first: id of the request that began it.
        first_at: when that was stored; the batch expires with it.
        requests: ids of all its requests, in the order in which they came.
        account: of the member.
        region: of the member.
        digest: of the question; empty while it has not been asked.
        asked_at: when it was asked first.
        asked: ids of the requests that the question asks about.
        announced: id of the request that was announced at once, before the batch closed.
        is_outdated: something has left it since it was asked, so it is asked anew.
        is_together: its requests only fit together, so they are not asked one by one.
        tasks: messages still to be posted, each with the time since when.
        leases: until when a task is left to somebody.
        approvals: who has approved so far.
        outcome: how it was decided; empty while it was not.
        decision: who decided.
        valid_until: until when the approved change is in force; ``None``: for good.
        clicked: the message that was clicked last.
        reminded_at: when it was asked again.
        partly_shown_at: when a result was shown that was not complete.
        shown: how many requests had which status when the result was shown.
        moved_in: the invocation that decided it.
    """

    batch_id: str
    first: str
    first_at: datetime
    requests: tuple[str, ...]
    account: str
    region: str
    digest: str = ""
    asked_at: datetime | None = None
    asked: tuple[str, ...] = ()
    announced: str = ""
    is_outdated: bool = False
    is_together: bool = False
    tasks: tuple[tuple[Task, datetime], ...] = ()
    leases: tuple[tuple[Task, datetime], ...] = ()
    approvals: tuple[Approver, ...] = ()
    outcome: Outcome = ""
    decision: Decision | None = None
    valid_until: datetime | None = None
    clicked: ClickedMessage = field(default_factory=ClickedMessage)
    reminded_at: datetime | None = None
    partly_shown_at: datetime | None = None
    shown: str = ""
    moved_in: str = ""

    def has(self, task: Task) -> bool:
        """True while ``task`` is pending."""
        return any(one == task for one, _ in self.tasks)

    def due(self, now: datetime) -> tuple[Task, ...]:
        """Return the pending tasks that nobody has leased."""
        leased = {task for task, until in self.leases if until > now}
        return tuple(task for task, _ in self.tasks if task not in leased)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """How a request is stored: what is written in one transaction.

    Attributes:
        record: the request, with the tasks that it has of its own.
        gathering: the open batch with it.
        begins: the open batch is a new one.
        marks: id of the request whose question is replaced from now on; empty when none is.
        saves: the batch before, where it has closed and is not kept yet.
    """

    record: Record
    gathering: Gathering
    begins: bool = False
    marks: str = ""
    saves: Batch | None = None


def gathers(record: Record) -> bool:
    """Say whether a new request joins others: somebody's call that is asked, or only announced."""
    request = record.request
    if request.requester is None or request.origin not in ("call", "ask") or not _is_composable(request):
        return False
    if request.status == "observed":  # what is shown in both channels is shown at once
        return not record.has("ask")
    return request.status in ("pending", "applied")


def gathering_key(request: Request) -> str:
    """Return the id of the item of the requester's open batch."""
    return f"{BATCH}open#{_short_hash(request.account, request.region, requester_text(request.requester))}"


def batch_id(first: str) -> str:
    """Return the id of the batch that a request began."""
    return f"{BATCH}{_short_hash(first)}"


def batch_of(record: Record) -> str:
    """Return the id of a request's batch."""
    return record.asked_in or batch_id(record.batch_of or record.request.request_id)


def join(
    record: Record, gathering: Gathering | None, *, size: int, gathers_for: timedelta, is_asked_open: bool = True
) -> Joining:
    """Say how a request is stored.

    Args:
        record: the new request, with the tasks of one that is asked alone.
        gathering: the requester's open batch, or the last one.
        size: bytes of the request's item.
        gathers_for: how long after a request the next one joins it.
        is_asked_open: false when the request that was asked at once has been decided already.
    """
    now = record.requested_at
    # Without gathering not even one joins that was received earlier and is stored later.
    if gathering is None or not gathers_for or not _takes(gathering, now, size):
        return _begin(record, gathering, size=size, gathers_for=gathers_for)
    request_id = record.request.request_id
    grown = replace(
        gathering,
        requests=(*gathering.requests, request_id),
        size=gathering.size + size,
        closes_at=min(now + gathers_for, gathering.first_at + LONGEST),
    )
    joined = replace(record, batch_of=gathering.first)
    waits = replace(joined, tasks=(("gather", now),))
    shown = replace(joined, tasks=(*record.tasks, ("gather", now)))
    asked = gathering.asked if is_asked_open else ""
    marks = asked if _is_composed(record.request) and not gathering.is_marked else ""
    if record.request.status == "pending" and not asked:
        return Joining(record=shown, gathering=replace(grown, asked=request_id, is_marked=False))
    grown = replace(grown, is_marked=gathering.is_marked or bool(marks))
    if record.request.status == "pending":
        return Joining(record=replace(waits, asked_in=batch_id(gathering.first)), gathering=grown, marks=marks)
    if not gathering.announced:
        return Joining(record=shown, gathering=replace(grown, announced=request_id), marks=marks)
    return Joining(record=waits, gathering=grown, marks=marks)


def closed(gathering: Gathering, request: Request) -> Batch:
    """Return the batch that a gathering becomes; ``request``: any of its requests."""
    return Batch(
        batch_id=batch_id(gathering.first),
        first=gathering.first,
        first_at=gathering.first_at,
        requests=gathering.requests,
        account=request.account,
        region=request.region,
        announced=gathering.announced,
    )


def _takes(gathering: Gathering, now: datetime, size: int) -> bool:
    has_room = len(gathering.requests) < MOST_REQUESTS and gathering.size + size <= MOST_BYTES
    return not gathering.is_saved and now < gathering.closes_at and has_room


def _begin(record: Record, before: Gathering | None, *, size: int, gathers_for: timedelta) -> Joining:
    request, now = record.request, record.requested_at
    earlier: list[tuple[str, datetime]] = []
    saves = None
    if before is not None:
        earlier = [one for one in before.earlier if one[1] > now - REMEMBERED_FOR]
        earlier += [(one, now) for one in before.requests]
        saves = closed(before, request) if len(before.requests) > 1 and not before.is_saved else None
    gathering = Gathering(
        key=gathering_key(request),
        first=request.request_id,
        first_at=now,
        closes_at=now + min(gathers_for, LONGEST),
        requests=(request.request_id,),
        size=size,
        asked=request.request_id if request.status == "pending" else "",
        announced=request.request_id if request.status != "pending" else "",
        earlier=tuple(earlier[-2 * MOST_REQUESTS :]),
    )
    return Joining(record=record, gathering=gathering, begins=True, saves=saves)


def _is_composed(request: Request) -> bool:
    """Say whether a request may change what the others come to."""
    return request.status == "pending" or (request.status == "observed" and bool(request.operations))


def _is_composable(request: Request) -> bool:
    """Say whether a request carries the approved rules that it changes; one of an older member app does not."""
    change, carried = request.change, {rule.identity for rule in request.approved}
    changed = (*change.removed, *(edit.before for edit in change.modified))
    return request.status != "pending" or all(rule.identity in carried for rule in changed)


def _short_hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
