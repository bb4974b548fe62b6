"""Asks what has closed: one question for all that is still pending of a batch, one announcement for the rest.

The sweep comes by every minute. Each step is one transaction, and what was posted is a task of the batch's own item: so
after a crash between any two steps the next sweep continues. A batch is found through its requests: each that waits for
it has the task ``gather`` or names it (``askedIn``).

What does not belong here: clicks (``batches.deciding``), and what becomes of approved requests (``batches.reporting``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from shared.domain.policy import Policy
from shared.policy.loading import written_policies
from shared.telemetry import count, logger
from shared.wire.rule_json import time_to_text

from ..context import Context
from ..requests.record import Record, Task
from ..requests.update_expression import Update
from .batch import Batch, Outcome, batch_id, batch_of, closed, gathering_key
from .changes import (
    NOTIFY,
    SWEEP,
    ask_alone,
    asked_in_batch,
    begin_tasks,
    end_superseded,
    end_with_batch,
    leave_gathering,
    moves_to_batch,
)
from .net_change import NetChange, can_be_asked, compose_batch, split, terms_of_batch
from .overtaking import later_call
from .reporting import post_messages, report
from .table import Batches
from .views import is_announced


class PendingBatches:
    """The batches that one sweep meets; each is seen to once."""

    def __init__(self, context: Context) -> None:
        """Take the sweep's invocation."""
        self._context = context
        self._batches = Batches(context.table)
        self._seen: set[str] = set()

    def finish(self, record: Record, *, is_policy_known: bool) -> None:
        """Do what is to be done about the batch of a request.

        Args:
            record: one that waits for its batch, or was decided with it.
            is_policy_known: without the policy nothing expires and nobody is reminded.

        Raises:
            UnpostedError: when a setting or a dead webhook kept a message from Slack; the sweep tries again.
        """
        name = batch_of(record)
        if name in self._seen:
            return
        self._seen.add(name)
        batch = self._batches.get(name) or self._closed(record, name)
        if batch is None:
            return
        if batch.outcome == "one_by_one":
            self._ask_one_by_one(batch)
        elif batch.outcome or (batch.asked_at is not None and not batch.is_outdated):
            self._continue(batch, is_policy_known=is_policy_known)
        else:
            self._ask(batch)

    def _closed(self, record: Record, name: str) -> Batch | None:
        """Keep a batch that has closed; ``None`` while it is open."""
        gathering = self._batches.gathering(gathering_key(record.request))
        if gathering is None or batch_id(gathering.first) != name:
            batch = self._batches.get(name)  # another sweep may have kept it meanwhile
            if batch is None:
                self._show_alone(record, name)
            return batch
        if gathering.closes_at > self._context.now and not gathering.is_saved:
            return None
        batch = closed(gathering, record.request)
        return batch if self._batches.close(gathering, batch) else self._batches.get(name)

    def _show_alone(self, record: Record, name: str) -> None:
        """Show a request by itself whose batch cannot be found: its item is damaged or lost."""
        self._seen.discard(name)  # so are the others
        request_id = _id(record)
        logger.error("batch not found", extra={"batch": name, "request_id": request_id})
        update = ask_alone(record, self._context.clock())
        if record.status != "pending":
            update = leave_gathering()
            update.set("tasks.announce", time_to_text(self._context.clock()))
        self._context.table.update(request_id, update)
        self._context.outbox.resume(request_id, ("ask", "announce"))

    # -- asking --------------------------------------------------------------------------------------------------------

    def _ask(self, batch: Batch) -> None:
        """Ask what is pending of a batch, for the first time or anew, and announce the rest."""
        records = self._records(batch)
        net = compose_batch(batch, records)
        policy = self._policy(batch)
        if net.asked and not batch.is_together and not can_be_asked(terms_of_batch(policy, batch, net), net):
            logger.info("batch cannot be answered", extra={"batch": batch.batch_id})
            self._ask_one_by_one(batch)
            return
        now = self._context.clock()
        is_again = batch.asked_at is not None
        single = () if is_again or batch.is_together else _single(net)
        asked = () if single else net.asked
        announced = [] if is_again else [one for one in records if is_announced(batch, one)]
        tasks = _tasks(asked, net.superseded, announced)
        carrier = _id((*net.superseded, *announced)[0]) if tasks and not asked else ""
        updates = {_id(one): asked_in_batch(batch, one) for one in asked}
        updates |= {
            _id(one): end_superseded(
                one,
                now,
                by=SWEEP,
                superseded_by=later_call(net.calls, one),
                batch_id=batch.batch_id,
                carries=_id(one) == carrier,
            )
            for one in net.superseded
        }
        updates |= {_id(one): ask_alone(one, now) for one in (*net.alone, *single)}
        updates |= _leaving(records, {*updates, carrier})
        update = Update()
        begin_tasks(update, tasks, now)
        if not asked and (net.superseded or is_again):
            update.set("outcome", "superseded")
        update.set("askedAt", time_to_text(now))
        update.set("asked", [_id(one) for one in asked])
        update.set("digest", net.digest) if asked else update.remove("digest")
        update.remove("isOutdated")
        update.remove("approvals")
        update.require_absent("outcome")
        update.require_equal("digest", batch.digest) if batch.digest else update.require_absent("digest")
        if not self._batches.update(batch, update, updates):
            return  # something has changed since it was read: the next sweep asks
        count("BatchesAsked")
        logger.info("batch asked", extra={"batch": batch.batch_id, "requests": len(asked)})
        self._post(batch.batch_id)
        for one in (*asked, *net.superseded):
            self._retire(one)
        for one in (*net.alone, *single):
            self._context.outbox.resume(_id(one), ("ask",))

    def _retire(self, record: Record) -> None:
        """Take the buttons from a question that the one for all replaces."""
        now = self._context.table.get(_id(record)) if record.approval_post else None
        if now is not None:
            self._context.outbox.retire(now)

    def _ask_one_by_one(self, batch: Batch) -> None:
        """Ask the requests of a batch one by one, but those that only fit together; announce the rest."""
        records = self._records(batch)
        found = split(batch, records)
        by_id = {_id(one): one for one in records}
        now = self._context.clock()
        announced = [] if batch.asked_at is not None else [one for one in records if is_announced(batch, one)]
        carrier = _id(announced[0]) if announced else ""
        updates = {one: ask_alone(by_id[one], now) for one in found.singly}
        updates |= {
            one: end_superseded(by_id[one], now, by=SWEEP, superseded_by=later_call(records, by_id[one]))
            for one in found.superseded
        }
        begun = [_together(batch, [by_id[one] for one in some]) for some in found.together]
        for other in begun:
            moving = [by_id[one] for one in other.requests if by_id[one].request.status == "pending"]
            updates |= {_id(one): moves_to_batch(one, other.batch_id) for one in moving}
        updates |= _leaving(records, {*updates, carrier})
        update = Update()
        update.set("outcome", "one_by_one")
        update.set("askedAt", time_to_text(now))
        if announced:
            begin_tasks(update, ("announce",), now)
        if not self._batches.update(batch, update, updates, begun=begun):
            return
        for other in begun:
            self._ask(other)
        if announced:
            self._post(batch.batch_id)
        for one in found.singly:
            self._context.outbox.resume(one, ("ask",))
        for one in found.superseded:
            self._context.outbox.resume(one, NOTIFY)

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def _continue(self, batch: Batch, *, is_policy_known: bool) -> None:
        if batch.outcome:
            report(self._context, batch)
            return
        policy = self._policy(batch)
        now = self._context.now
        if is_policy_known and batch.digest and batch.first_at + policy.expires_after <= now:
            self._expire(batch)
            return
        if batch.tasks:
            post_messages(self._context, batch, self._records(batch), policy)
        is_late = is_policy_known and batch.first_at + policy.reminds_after <= now
        if is_late and batch.digest and batch.reminded_at is None and not batch.has("ask"):
            self._remind(batch)

    def _expire(self, batch: Batch) -> None:
        """Let all of a batch expire with its first request."""
        if expire(self._context, batch, self._records(batch), by=SWEEP):
            self._post(batch.batch_id)

    def _remind(self, batch: Batch) -> None:
        now = self._context.clock()
        update = Update()
        update.set("remindedAt", time_to_text(now))
        update.set("tasks.ask", time_to_text(now))
        update.require_absent("remindedAt")
        update.require_absent("outcome")
        if self._batches.update_alone(batch, update) is not None:
            count("Reminders")
            self._post(batch.batch_id)

    def _post(self, name: str) -> None:
        batch = self._batches.get(name)
        if batch is not None:
            post_messages(self._context, batch, self._records(batch), self._policy(batch))

    def _records(self, batch: Batch) -> list[Record]:
        return self._batches.records(batch)

    def _policy(self, batch: Batch) -> Policy:
        return written_policies().for_account(batch.account)


def expire(context: Context, batch: Batch, records: Iterable[Record], *, by: str) -> bool:
    """Let the waiting requests of a batch expire; false when somebody has decided meanwhile."""
    note = "nobody decided in time" if by == SWEEP else "clicked too late"
    return end_undecided(context, batch, records, "expired", by=by, note=note)


def end_undecided(
    context: Context, batch: Batch, records: Iterable[Record], outcome: Outcome, *, by: str, note: str
) -> bool:
    """End a batch and its waiting requests without a decision; false when somebody has decided meanwhile.

    Args:
        context: this invocation.
        batch: one that has closed.
        records: its requests.
        outcome: ``expired`` or ``withdrawn``; its requests end ``expired``.
        by: Slack user id, or ``sweep``.
        note: for the history of each request.
    """
    now = context.clock()
    waiting = [one for one in records if one.status == "pending" and one.asked_in == batch.batch_id]
    updates = {
        _id(one): end_with_batch(one, "expired", at=now, by=by, note=note, tasks=("gather",) if not index else ())
        for index, one in enumerate(waiting)
    }
    update = Update()
    update.set("outcome", outcome)
    begin_tasks(update, NOTIFY, now)
    update.require_absent("outcome")
    is_ended = Batches(context.table).update(batch, update, updates)
    if is_ended:
        count("Outcomes", status="expired")
        logger.info(f"batch {outcome}", extra={"batch": batch.batch_id, "requests": len(waiting)})
    return is_ended


def _together(batch: Batch, records: Sequence[Record]) -> Batch:
    """Return the batch of requests that only fit together."""
    ids = tuple(_id(one) for one in records)
    return Batch(
        batch_id=batch_id(f"{batch.batch_id} {' '.join(ids)}"),
        first=ids[0],
        first_at=min(one.requested_at for one in records),
        requests=ids,
        account=batch.account,
        region=batch.region,
        is_together=True,
    )


def _leaving(records: Iterable[Record], others: Collection[str]) -> dict[str, Update]:
    """Return the writes of those that wait for their batch and that no other write is about."""
    return {_id(one): leave_gathering() for one in records if one.has("gather") and _id(one) not in others}


def _single(net: NetChange) -> tuple[Record, ...]:
    """Return the one request that is asked, where a question of its own says all of it."""
    if len(net.asked) != 1 or net.superseded:
        return ()
    (one,) = net.asked
    return net.asked if net.groups[one.request.group_id].change == one.request.change else ()


def _tasks(asked: Sequence[Record], superseded: Sequence[Record], announced: Sequence[Record]) -> tuple[Task, ...]:
    if asked:
        return ("ask", "announce")
    if superseded:
        return NOTIFY
    return ("announce",) if announced else ()


def _id(record: Record) -> str:
    return record.request.request_id
