"""Ends what later calls of its requester have overtaken, also where nothing is gathered.

A removal whose rule its requester has put back since must not be applied as a plain removal: the later request carries
the edit. So each new request is compared with the undecided ones of its requester and group, before it is asked. What
only fits together is asked together.

Requests of the last minutes are known exactly, from the requester's open batch; older ones from the index.

What does not belong here: requests of one open batch (``batches.net_change`` composes them when it closes).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.composition import OneByOne, one_by_one
from shared.domain.net_change import approved_of, call_of
from shared.domain.operations import keys_of, operations_of
from shared.domain.request import Request
from shared.telemetry import count, logger
from shared.wire.fields import FieldError

from ..context import Context
from ..requests.fingerprint import requester_text
from ..requests.record import Record
from ..requests.update_expression import Update
from ..steps import facts
from .batch import Batch, batch_id, batch_of, gathering_key, gathers
from .changes import NOTIFY, SWEEP, end_superseded, moves_to_batch
from .table import Batches

_TRIES: Final = 5
_MOST_EXAMINED: Final = 500


def overtake(context: Context, record: Record) -> bool:
    """Compare a request with the undecided ones of its requester and group, and end what has been overtaken.

    Args:
        context: this invocation.
        record: as stored.

    Returns:
        Whether it is still to be shown as any other; false when it has been overtaken itself, or is asked with others.

    Raises:
        UnpostedError: when a setting or a dead webhook kept from Slack what became of another one.
    """
    is_undecided = record.status in ("pending", "observed") and gathers(record) and not record.duplicate_of
    if not is_undecided or call_of(record.request) is None:
        return True
    try:
        return _overtake(context, record)
    except (ClientError, BotoCoreError, FieldError) as error:  # asking comes first; the sweep compares again
        problem = f"{type(error).__name__}: {error}"
        logger.warning("requests not compared", extra={**facts(record), "problem": problem})
        return True


def _overtake(context: Context, record: Record) -> bool:
    batches = Batches(context.table)
    for _ in range(_TRIES):
        others = _undecided(batches, record)
        if not any(one.status == "pending" for one in others if not _is_of_same_batch(record, one)):
            return True
        found = judge([record, *others])
        by_id = {_id(one): one for one in (record, *others)}
        superseded = [by_id[one] for one in found.superseded if by_id[one].status == "pending"]
        together = [some for some in found.together if not _are_together([by_id[one] for one in some])]
        if not superseded and not together:
            return True
        if _write(context, batches, superseded, [[by_id[one] for one in some] for some in together], by_id):
            for one in superseded:
                count("Outcomes", status="expired")
                logger.info("request superseded", extra=facts(one))
                context.outbox.resume(_id(one), NOTIFY)
            moved = {_id(one) for one in superseded} | {one for some in together for one in some}
            return _id(record) not in moved
        now = context.table.get(_id(record))
        if now is None or (record.status == "pending" and now.status != "pending"):
            return False
        record = now
    logger.warning("requests not compared: others keep being faster", extra=facts(record))
    return True


class PendingRequests:
    """The pending requests that one sweep meets: of each requester and group together."""

    def __init__(self, context: Context) -> None:
        """Take the sweep's invocation."""
        self._context = context
        self._found: dict[tuple[str, ...], list[Record]] = {}

    def add(self, record: Record) -> None:
        """Note a pending request."""
        if record.status == "pending" and not record.duplicate_of and gathers(record):
            self._found.setdefault(_key(record.request), []).append(record)

    def finish(self) -> None:
        """Compare those that an invocation may have stored and not compared, because it died.

        Raises:
            UnpostedError: as :func:`overtake`.
        """
        for records in self._found.values():
            if len(records) < 2 or _are_together(records):
                continue
            found = judge(records)
            if found.superseded or found.together:
                overtake(self._context, max(records, key=lambda one: one.requested_at))


def judge(records: Iterable[Record]) -> OneByOne:
    """Say which requests of one requester and group may be asked on their own."""
    requests = [one.request for one in records]
    calls = [call for one in requests if (call := call_of(one)) is not None]
    return one_by_one(calls, approved_of(requests))


def later_call(records: Iterable[Record], overtaken: Record) -> str:
    """Return the id of the last call that has to do with a request; its own where there is no other."""
    wanted = _keys(overtaken.request)
    related = [one for one in records if wanted & _keys(one.request)]
    return _id(max(related, key=lambda one: one.request.event_time, default=overtaken))


def _write(
    context: Context,
    batches: Batches,
    superseded: Sequence[Record],
    together: Sequence[Sequence[Record]],
    by_id: dict[str, Record],
) -> bool:
    now = context.clock()
    updates: dict[str, Update] = {
        _id(one): end_superseded(one, now, by=SWEEP, superseded_by=later_call(by_id.values(), one))
        for one in superseded
    }
    begun = [_batch_of(some) for some in together]
    for batch, some in zip(begun, together, strict=True):
        for one in some:
            if one.status == "pending":
                updates[_id(one)] = moves_to_batch(one, batch.batch_id)
    left = {by_id[one].asked_in for one in updates} - {"", *(one.batch_id for one in begun)}
    for name in sorted(left):
        if batches.get(name) is not None:  # an open batch is composed when it closes
            outdated = Update()
            outdated.set("isOutdated", True)
            updates[name] = outdated
    return batches.write(updates, begun)


def _undecided(batches: Batches, record: Record) -> list[Record]:
    """Return the other undecided requests of its requester and group, and calls of minutes ago that ask nothing."""
    request = record.request
    gathering = batches.gathering(gathering_key(request))
    recent = [] if gathering is None else [*(one for one, _ in gathering.earlier), *gathering.requests]
    listed = batches.pending_of_group(request, most=_MOST_EXAMINED)
    names = dict.fromkeys([*recent, *listed])
    names.pop(request.request_id, None)
    found = batches.read(list(names))
    return [
        one
        for one in found
        if _key(one.request) == _key(request)
        and call_of(one.request) is not None
        and not one.duplicate_of
        and (one.status == "pending" or one.status == "observed")
    ]


def _batch_of(records: Sequence[Record]) -> Batch:
    """Return the batch of requests that only fit together; the next sweep asks it."""
    ids = tuple(_id(one) for one in records)
    first = records[0].request
    return Batch(
        batch_id=batch_id(f"together {' '.join(ids)}"),
        first=ids[0],
        first_at=min(one.requested_at for one in records if one.status == "pending"),
        requests=ids,
        account=first.account,
        region=first.region,
        announced=ids[0],
        is_together=True,
    )


def _is_of_same_batch(record: Record, other: Record) -> bool:
    return batch_of(record) == batch_of(other)


def _are_together(records: Iterable[Record]) -> bool:
    """Say whether one question stands for all of them already."""
    homes = {one.asked_in for one in records if one.status == "pending"}
    return len(homes) == 1 and "" not in homes


def _keys(request: Request) -> set[str]:
    steps = (*request.operations, *operations_of(request.change))
    return {key for step in steps for key in keys_of(step)}


def _key(request: Request) -> tuple[str, ...]:
    return (request.account, request.region, request.group_id, requester_text(request.requester))


def _id(record: Record) -> str:
    return record.request.request_id
