"""Batches in the central table: each step of a batch is one transaction with the requests that it concerns.

A transaction that meets somebody else's is tried again with jitter. Whether a write whose answer was lost has happened
is seen from what is stored: a request's own item, ``movedIn`` of a batch.

What does not belong here: which steps make sense (the flows in this package).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.aws.conflicts import is_transaction_conflict
from shared.domain.request import Request
from shared.wire.rule_json import time_to_text

from ..requests.items import LEASED_FOR, Item, lease_to_item, record_from_item
from ..requests.record import Record, Task
from ..requests.retention import new_item
from ..requests.table import INDEX, TABLE, RequestsTable
from ..requests.update_expression import Refused, Update
from .batch import MOST_BYTES, MOST_REQUESTS, Batch, Gathering, Joining, batch_id
from .items import batch_from_item, batch_to_item, gathering_from_item, gathering_to_item

Joined = Literal["stored", "known", "not marked", "conflict"]
"""What became of storing a request: it is stored; something is stored under its id already; the request that was asked
at once has been decided meanwhile; somebody else was faster."""

_MOST_READ: Final = 100
"""Items that DynamoDB reads in one call.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""

_FAILED: Final = "ConditionalCheckFailed"
_MUST_BE_NEW: Final = "attribute_not_exists(requestId)"


class Batches:
    """The batches of a table, as one invocation of a function uses them."""

    def __init__(self, table: RequestsTable) -> None:
        """Take the table."""
        self._table = table

    # -- reading -------------------------------------------------------------------------------------------------------

    def gathering(self, key: str) -> Gathering | None:
        """Return a requester's open batch, or the last one, read consistently."""
        item = self._item(key)
        return gathering_from_item(item) if item else None

    def get(self, batch: str) -> Batch | None:
        """Return a batch that has closed, read consistently."""
        item = self._item(batch)
        return batch_from_item(item) if item else None

    def records(self, batch: Batch) -> list[Record]:
        """Return the requests of a batch, read consistently, in the order in which they came."""
        return self.read(batch.requests)

    def read(self, request_ids: Sequence[str]) -> list[Record]:
        """Return requests, read consistently, in this order; unknown ones are left out."""
        found: dict[str, Item] = {}
        left = [to_attributes({"requestId": one}) for one in dict.fromkeys(request_ids)]
        while left:  # what DynamoDB had no room for in one answer, 16 MB, comes with the next
            asked: Any = {TABLE: {"Keys": left[:_MOST_READ], "ConsistentRead": True}}
            answer = self._table.client.batch_get_item(RequestItems=asked)
            found |= {one["requestId"]: one for one in map(from_attributes, answer["Responses"].get(TABLE, []))}
            unread: Any = answer.get("UnprocessedKeys", {})
            left = [*left[_MOST_READ:], *unread.get(TABLE, {}).get("Keys", [])]
        return [record_from_item(found[one]) for one in dict.fromkeys(request_ids) if one in found]

    def pending_of_group(self, request: Request, *, most: int) -> list[str]:
        """Return the ids of pending requests that may be of a request's group, newest first, from the index.

        Args:
            request: whose group.
            most: so many of the newest pending requests are examined.
        """
        query: dict[str, Any] = {
            "TableName": TABLE,
            "IndexName": INDEX,
            "KeyConditionExpression": "#status = :pending",
            # An index that does not project it lists everything.
            "FilterExpression": "attribute_not_exists(#groupId) OR #groupId = :group",
            "ExpressionAttributeNames": {"#status": "status", "#groupId": "groupId"},
            "ExpressionAttributeValues": to_attributes({":pending": "pending", ":group": request.group_id}),
            "ScanIndexForward": False,
            "Limit": most,
        }
        page = self._table.client.query(**query)
        return [str(from_attributes(item)["requestId"]) for item in page["Items"]]

    # -- joining -------------------------------------------------------------------------------------------------------

    def join(self, joining: Joining, before: Gathering | None) -> Joined:
        """Store a request and the open batch with it.

        Args:
            joining: what to write.
            before: the open batch as it was read.
        """
        record = joining.record
        shown = [(task, since) for task, since in record.tasks if task != "gather"]
        lease = lease_to_item(self._table.invocation, record.history[0].at + LEASED_FOR)
        item = new_item(record) | {"leases": {task: lease for task, _ in shown}}
        writes = [_put(item, condition=_MUST_BE_NEW)]
        writes.append(_begin(joining.gathering, before) if joining.begins else _grow(joining, before))
        if joining.marks:
            writes.append(self._write(joining.marks, _mark(joining)))
        if joining.saves is not None:
            writes.append(_put(batch_to_item(joining.saves)))
        try:
            reasons = self._transact(writes)
        except ClientError as error:
            if is_transaction_conflict(error):
                return "conflict"
            raise
        if not reasons:
            return "stored"
        if reasons[0] == _FAILED:
            return "known"
        return "not marked" if joining.marks and reasons[2] == _FAILED else "conflict"

    def close(self, gathering: Gathering, batch: Batch) -> bool:
        """Keep a batch that has closed; false when it has changed, or somebody has kept it."""
        update = Update()
        update.set("isSaved", True)
        update.require_equal("first", gathering.first)
        update.require_equal("isSaved", False)
        update.require(f"size({update.name('requests')}) = {update.value(len(gathering.requests))}")
        return not self._transact(
            [_put(batch_to_item(batch), condition=_MUST_BE_NEW), self._write(gathering.key, update)]
        )

    # -- the batch and its requests ------------------------------------------------------------------------------------

    def put(self, batch: Batch, updates: Mapping[str, Update]) -> bool:
        """Keep a new batch, and update its requests; false when a condition did not hold."""
        others = [self._write(request_id, update) for request_id, update in updates.items()]
        return not self._transact([_put(batch_to_item(batch), condition=_MUST_BE_NEW), *others])

    def update(
        self, batch: Batch, update: Update, updates: Mapping[str, Update], *, begun: Sequence[Batch] = ()
    ) -> bool:
        """Update a batch and its requests; false when a condition did not hold.

        Args:
            batch: which.
            update: of its item.
            updates: of its requests, by request id.
            begun: batches that begin with it.
        """
        others = [self._write(request_id, one) for request_id, one in updates.items()]
        puts = [_put(batch_to_item(one), condition=_MUST_BE_NEW) for one in begun]
        return not self._transact([self._write(batch.batch_id, update), *others, *puts])

    def update_alone(self, batch: Batch, update: Update) -> Batch | None:
        """Update a batch and return it, ``None`` when a condition did not hold."""
        answer = self._table.update(batch.batch_id, update)
        return None if isinstance(answer, Refused) else batch_from_item(answer)

    def write(self, updates: Mapping[str, Update], begun: Sequence[Batch]) -> bool:
        """Update items of requests and batches, by id, and keep new batches; false when a condition did not hold."""
        writes = [self._write(key, update) for key, update in updates.items()]
        return not self._transact([*writes, *(_put(batch_to_item(one), condition=_MUST_BE_NEW) for one in begun)])

    # -- its messages --------------------------------------------------------------------------------------------------

    def lease(self, batch: Batch, tasks: Iterable[Task], now: datetime) -> Batch | None:
        """Lease those tasks of a batch that are free, all of them or none; ``None`` when nothing could be leased."""
        free = [task for task in batch.due(now) if task in set(tasks)]
        if not free:
            return None
        update = Update()
        for task in free:
            update.set(f"leases.{task}", lease_to_item(self._table.invocation, now + LEASED_FOR))
            until = update.name(f"leases.{task}.until")
            update.require(f"attribute_exists({update.name(f'tasks.{task}')})")
            update.require(f"(attribute_not_exists({until}) OR {until} <= {update.value(time_to_text(now))})")
        leased = self.update_alone(batch, update)
        return None if leased is None else replace(leased, tasks=tuple(one for one in leased.tasks if one[0] in free))

    def complete(self, batch: Batch, task: Task, *, values: Mapping[str, str] | None = None) -> None:
        """Write that a message of a batch was posted, and other attributes; an empty text removes one."""
        update = Update()
        update.remove(f"tasks.{task}")
        update.remove(f"leases.{task}")
        for key, value in (values or {}).items():
            update.set(key, value) if value else update.remove(key)
        update.require_equal(f"tasks.{task}", time_to_text(dict(batch.tasks)[task]))
        self.update_alone(batch, update)

    def release(self, batch: Batch, task: Task, *, until: datetime | None = None) -> None:
        """End the lease of a message that was not posted; nobody tries it before ``until``."""
        update = Update()
        update.remove(f"leases.{task}") if until is None else update.set(f"leases.{task}", lease_to_item("", until))
        update.require_equal(f"leases.{task}.by", self._table.invocation)
        self.update_alone(batch, update)

    # -- writing -------------------------------------------------------------------------------------------------------

    @property
    def invocation(self) -> str:
        """The id of the invocation."""
        return self._table.invocation

    def _item(self, key: str) -> Item:
        answer = self._table.client.get_item(
            TableName=TABLE, Key=to_attributes({"requestId": key}), ConsistentRead=True
        )
        return from_attributes(answer.get("Item", {}))

    def _write(self, key: str, update: Update) -> dict[str, Any]:
        return {"Update": update.arguments(TABLE, to_attributes({"requestId": key}))}

    def _transact(self, writes: Sequence[dict[str, Any]]) -> list[str]:
        """Make all writes or none; return why not, one reason for each write, nothing when they were made.

        Raises:
            ClientError: a conflict that lasts, and every other refusal.
        """
        items: Any = list(writes)
        try:
            self._table.write(lambda: self._table.client.transact_write_items(TransactItems=items))
        except ClientError as error:
            reasons = _reasons(error)
            if _FAILED not in reasons:
                raise
            return reasons
        return []


def _reasons(error: ClientError) -> list[str]:
    response: Mapping[str, Any] = error.response
    return [str(reason.get("Code", "")) for reason in response.get("CancellationReasons", ())]


def _put(item: Item, *, condition: str = "", **more: Any) -> dict[str, Any]:
    conditions = {"ConditionExpression": condition} if condition else {}
    return {"Put": {"TableName": TABLE, "Item": to_attributes(item), **conditions, **more}}


def _begin(gathering: Gathering, before: Gathering | None) -> dict[str, Any]:
    item = gathering_to_item(gathering)
    if before is None:
        return _put(item, condition=_MUST_BE_NEW)
    return _put(
        item,
        condition="#first = :first AND size(#requests) = :number AND #isSaved = :saved",
        ExpressionAttributeNames={"#first": "first", "#requests": "requests", "#isSaved": "isSaved"},
        ExpressionAttributeValues=to_attributes(
            {":first": before.first, ":number": len(before.requests), ":saved": before.is_saved}
        ),
    )


def _grow(joining: Joining, before: Gathering | None) -> dict[str, Any]:
    """Return the write that adds a request to the open batch, if it is still as it was judged by."""
    assert before is not None  # noqa: S101 - only a batch that was read can grow
    record, gathering = joining.record, joining.gathering
    added = gathering.size - before.size
    update = Update()
    update.append("requests", [record.request.request_id])
    update.increase("size", added)
    update.set("closesAt", time_to_text(gathering.closes_at))
    for name, is_now, was in (
        ("asked", gathering.asked, before.asked),
        ("announced", gathering.announced, before.announced),
        ("isMarked", gathering.is_marked, before.is_marked),
    ):
        if is_now != was:
            update.set(name, is_now)
        update.require_equal(name, was)
    size = update.name("size")
    update.require_equal("first", before.first)
    update.require_equal("isSaved", False)
    update.require(f"{update.name('closesAt')} > {update.value(time_to_text(record.requested_at))}")
    update.require(f"size({update.name('requests')}) < {update.value(MOST_REQUESTS)}")
    update.require(f"{size} <= {update.value(MOST_BYTES - added)}")
    return {"Update": update.arguments(TABLE, to_attributes({"requestId": gathering.key}))}


def _mark(joining: Joining) -> Update:
    """Return the write that says that a question is replaced by one for all; approvals given to it do not count."""
    update = Update()
    update.set("askedIn", batch_id(joining.gathering.first))
    update.remove("approvals")
    update.remove("validUntil")
    update.require_equal("status", "pending")
    return update
