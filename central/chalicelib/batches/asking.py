"""Asks what has closed: one question for all that is still pending of a batch, one announcement for the rest.

The sweep comes by every minute. Each step is one transaction, and what was posted is a task of the batch's own item: so
after a crash between any two steps the next sweep continues. A batch is found through its requests: each that waits for
it has the task ``gather`` or names it (``askedIn``).

What does not belong here: clicks (``batches.deciding``), and what becomes of approved requests (``batches.reporting``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain.policy import Policy
from shared.policy.loading import written_policies
from shared.telemetry import count, logger
from shared.wire.rule_json import time_to_text

from ..context import Context
from ..requests.record import Record
from ..requests.update_expression import Update
from .batch import Batch, batch_id, batch_of, closed, gathering_key
from .changes import (
    SWEEP,
    ask_alone,
    asked_in_batch,
    begin_tasks,
    end_superseded,
    ends_with_batch,
    leave_gathering,
    moves_to_batch,
)
from .net_change import NetChange, can_be_asked, compose_batch, split, terms_of_batch
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
            # Kept meanwhile, or lost with a damaged item: then its requests are all that is known.
            return self._batches.get(name) or self._rescued(record, name)
        if gathering.closes_at > self._context.now and not gathering.is_saved:
            return None
        batch = closed(gathering, record.request)
        return batch if self._batches.close(gathering, batch) else self._batches.get(name)

    def _rescued(self, record: Record, name: str) -> Batch | None:
        """Keep a batch of one request whose own batch cannot be found."""
        request = record.request
        batch = Batch(
            batch_id=name,
            first=record.batch_of or request.request_id,
            first_at=record.requested_at,
            requests=(request.request_id,),
            account=request.account,
            region=request.region,
        )
        logger.error("batch not found", extra={"batch": name, "request_id": request.request_id})
        return batch if self._batches.put(batch, {}) else self._batches.get(name)

    # -- asking --------------------------------------------------------------------------------------------------------

    def _ask(self, batch: Batch) -> None:
        """Ask what is pending of a batch, for the first time or anew, and announce the rest."""
        records = self._records(batch)
        net = compose_batch(batch, records)
        policy = self._policy(batch)
        if net.asked and not batch.is_together and not can_be_asked(terms_of_batch(policy, batch, net), net):
            logger.info("batch cannot be answered", extra={"batch": batch.batch_id})
            self._ask_one_by_one(batch, by=SWEEP)
            return
        now = self._context.clock()
        single = _single(batch, net)
        asked = () if single else net.asked
        updates = {_id(one): asked_in_batch(batch, one) for one in asked}
        updates |= {_id(one): end_superseded(one, now, by=SWEEP) for one in net.superseded}
        updates |= {_id(one): ask_alone(one, now) for one in (*net.alone, *single)}
        is_again = batch.asked_at is not None
        announced = [] if is_again else [one for one in records if is_announced(batch, one)]
        rest = [one for one in records if one.has("gather") and _id(one) not in updates]
        updates |= {_id(one): leave_gathering(one) for one in rest}
        update = Update()
        begun = begin_tasks(update, _tasks(asked, net.superseded, announced), now)
        if begun and not asked:
            carrier = (*net.superseded, *announced)[0]
            updates[_id(carrier)].set("tasks", {"gather": time_to_text(now)})
        if not asked and net.superseded:
            update.set("outcome", "superseded")
        update.set("askedAt", time_to_text(now))
        update.set("asked", [_id(one) for one in asked])
        update.set("digest", net.digest if asked else "")
        update.remove("isOutdated")
        update.remove("approvals")
        update.require_absent("outcome")
        _require(update, "digest", batch.digest)
        if not self._batches.update(batch, update, updates):
            return  # something has changed since it was read: the next sweep asks
        count("BatchesAsked")
        logger.info("batch asked", extra={"batch": batch.batch_id, "requests": len(asked)})
        self._post(batch.batch_id)
        for one in (*net.alone, *single):
            self._context.outbox.resume(_id(one), ("ask",))

    def _ask_one_by_one(self, batch: Batch, *, by: str = "") -> None:
        """Ask the requests of a batch one by one, but those that only fit together."""
        records = self._records(batch)
        found = split(batch, records)
        by_id = {_id(one): one for one in records}
        now = self._context.clock()
        updates = {one: ask_alone(by_id[one], now) for one in found.singly}
        updates |= {one: end_superseded(by_id[one], now, by=SWEEP, tells=True) for one in found.superseded}
        together = [self._together(batch, [by_id[one] for one in some], now) for some in found.together]
        for other in together:
            pending = [by_id[one] for one in other.requests if by_id[one].status == "pending"]
            updates |= {_id(one): moves_to_batch(one, other.batch_id) for one in pending}
        rest = [one for one in records if one.has("gather") and _id(one) not in updates]
        updates |= {_id(one): leave_gathering(one) for one in rest}
        update = Update()
        update.set("outcome", "one_by_one")
        update.set("askedAt", time_to_text(now))
        if by:
            update.require_absent("outcome")
        if not self._batches.update(batch, update, updates, others=together):
            return
        for other in together:
            self._ask(other)
        for one in (*found.singly, *found.superseded):
            tasks = ("ask",) if one in found.singly else ("notify", "notifyMonitoring")
            self._context.outbox.resume(one, tasks)

    def _together(self, batch: Batch, records: Sequence[Record], now: datetime) -> Batch:
        ids = tuple(_id(one) for one in records)
        return Batch(
            batch_id=batch_id(f"together#{batch.batch_id}#{'#'.join(ids)}"),
            first=ids[0],
            first_at=min((one.requested_at for one in records if one.status == "pending"), default=now),
            requests=ids,
            account=batch.account,
            region=batch.region,
            announced=ids[0],
            is_together=True,
        )

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def _continue(self, batch: Batch, *, is_policy_known: bool) -> None:
        if batch.outcome:
            report(self._context, batch)
            return
        policy = self._policy(batch)
        now = self._context.now
        if is_policy_known and batch.first_at + policy.expires_after <= now:
            self._expire(batch)
            return
        if batch.tasks:
            post_messages(self._context, batch, self._records(batch), policy)
        is_late = is_policy_known and batch.first_at + policy.reminds_after <= now
        if is_late and batch.digest and batch.reminded_at is None and not batch.has("ask"):
            self._remind(batch)

    def _expire(self, batch: Batch) -> None:
        """Let all of a batch expire with its first request."""
        now = self._context.clock()
        waiting = [one for one in self._records(batch) if ends_with_batch(batch, one)]
        if expire(self._context, batch, waiting, now):
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


def expire(context: Context, batch: Batch, waiting: Iterable[Record], now: datetime) -> bool:
    """Let the waiting requests of a batch expire; false when somebody has decided meanwhile."""
    from .changes import end_with_batch

    updates = {
        _id(one): end_with_batch(batch, one, to="expired", at=now, by=SWEEP, note="nobody decided in time")
        for one in waiting
    }
    update = Update()
    update.set("outcome", "expired")
    begin_tasks(update, ("notify", "notifyMonitoring"), now)
    update.require_absent("outcome")
    for carrier in list(updates)[:1]:
        updates[carrier].set("tasks", {"gather": time_to_text(now)})
    return Batches(context.table).update(batch, update, updates)


def _single(batch: Batch, net: NetChange) -> tuple[Record, ...]:
    """Return the one request that is left, where its own question says all of it."""
    if len(net.asked) != 1 or net.superseded or batch.asked_at is not None:
        return ()
    (one,) = net.asked
    return net.asked if net.groups[one.request.group_id].change == one.request.change else ()


def _tasks(asked: Sequence[Record], superseded: Sequence[Record], announced: Sequence[Record]) -> tuple[str, ...]:
    if asked:
        return ("ask", "announce")
    if superseded:
        return ("notify", "notifyMonitoring")
    return ("announce",) if announced else ()


def _require(update: Update, name: str, value: str) -> None:
    update.require_equal(name, value) if value else update.require_absent(name)


def _id(record: Record) -> str:
    return record.request.request_id
