"""Finds requests in the central table: by status and time through the index, by everything else in what that yields.

The table is never scanned. Each status is one query of the index ``byStatus``, newest first, read page by page as far
as needed; the statuses are merged by time. What is listed is eventually consistent: a request that moves
while it is being listed may be shown in its former status, or, rarely, not at all.

What does not belong here: how it is written down (``central.audit.writing``).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, get_args

from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import RequestsTable, Row
from shared.domain.request import Status
from shared.wire.fields import Field, FieldError

STATUSES: Final[tuple[Status, ...]] = get_args(Status)


class CursorError(ValueError):
    """The place to continue from is not one that a listing has named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to list; every value narrows it, and an empty one does not.

    Attributes:
        statuses: in one of these.
        account: 12-digit member account.
        group: id of the security group, or its exact name.
        person: part of the requester's name or ARN, or of the id or name of who decided or did anything else to the
            request; in upper or lower case.
        since: requested then or later, UTC.
        until: requested then or earlier, UTC.
        after: continue after this one: ``<requestedAt>/<requestId>``, as :func:`place_of` returns it.
    """

    statuses: tuple[Status, ...] = STATUSES
    account: str = ""
    group: str = ""
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A stored request that cannot be read.

    Attributes:
        request_id: which.
        problem: the attribute and what is wrong with it.
    """

    request_id: str
    problem: str


def listed(table: RequestsTable, wanted: Wanted) -> Iterator[Record | Unreadable]:
    """Yield the requests that are wanted, newest first; no more is read than is taken.

    Raises:
        CursorError: when ``wanted.after`` has another form.
        botocore.exceptions.ClientError: when DynamoDB refuses.
    """
    behind = _behind(wanted.after)
    until = min((moment for moment in (wanted.until, _moment(behind)) if moment is not None), default=None)
    if wanted.since is not None and until is not None and wanted.since > until:
        return
    streams = [_newest_first(table, status, wanted.since, until) for status in dict.fromkeys(wanted.statuses)]
    seen: set[str] = set()
    for row in heapq.merge(*streams, key=_place, reverse=True):
        if row.request_id in seen or (behind is not None and _place(row) >= behind):
            continue
        seen.add(row.request_id)
        try:
            record = table.read(row)
        except FieldError as error:
            yield Unreadable(request_id=row.request_id, problem=str(error))
            continue
        if record is not None and _is_wanted(record, wanted):
            yield record


def place_of(record: Record, requested_at: str) -> str:
    """Return where a listing can continue after this request.

    Args:
        record: the last one that was shown.
        requested_at: its time as the table has it.
    """
    return f"{requested_at}/{record.request.request_id}"


def _newest_first(
    table: RequestsTable, status: Status, since: datetime | None, until: datetime | None
) -> Iterator[Row]:
    rows = table.by_status(status, since=since, until=until, newest_first=True)
    for _, same_time in groupby(rows, key=lambda row: _place(row)[0]):
        yield from sorted(same_time, key=_place, reverse=True)


def _place(row: Row) -> tuple[str, str]:
    return str(row.item.get("requestedAt", "")), row.request_id


def _behind(after: str) -> tuple[str, str] | None:
    if not after:
        return None
    moment, slash, request_id = after.partition("/")
    if not slash or not request_id:
        raise CursorError(f"{after!r} is not a place to continue from: expected <requestedAt>/<requestId>")
    return moment, request_id


def _moment(behind: tuple[str, str] | None) -> datetime | None:
    if behind is None:
        return None
    try:
        return Field(behind[0], "time").time()
    except FieldError as error:
        raise CursorError(f"{behind[0]!r} is not a time to continue from: {error.problem}") from error


def _is_wanted(record: Record, wanted: Wanted) -> bool:
    request = record.request
    if wanted.account and request.account != wanted.account:
        return False
    if wanted.group and wanted.group not in (request.group_id, request.group_name):
        return False
    return not wanted.person or any(wanted.person.casefold() in one.casefold() for one in _people(record))


def _people(record: Record) -> Iterator[str]:
    requester = record.request.requester
    if requester is not None:
        yield from (requester.name, requester.arn)
    if record.decision is not None:
        yield from (record.decision.by, record.decision.by_name)
    yield from (one.by_name for one in record.approvals)
    yield from (entry.by for entry in record.history)
