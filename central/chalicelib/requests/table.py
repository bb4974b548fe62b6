"""The central table ``securityGroupRequests``: every move of a request is one conditional write.

Whoever loses a race gets the item as stored from the very write that was refused
(``ReturnValuesOnConditionCheckFailure``), so that nobody has to read again to learn who won. A write that meets a
transaction is tried again for a moment. The table is never scanned; the index ``byStatus`` may project any attributes,
since what it does not have is read from the table.

What does not belong here: which moves make sense (``shared.domain.request.MOVES``), who may make them, pending tasks
(``central.chalicelib.outbox``), Slack.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.aws.conflicts import retry_on_conflict
from shared.domain.request import Status
from shared.wire.rule_json import time_to_text

from .items import LEASED_FOR, Item, entry_to_item, lease_to_item, leased_by, record_from_item
from .moves import Move, Moved, NotMoved, entry_of, update_of
from .record import Record
from .retention import new_item
from .update_expression import Refused, Update, refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE: Final = "securityGroupRequests"
INDEX: Final = "byStatus"

_CONFLICT_SECONDS: Final = 5.0

_T = TypeVar("_T")


class DifferentRequestError(RuntimeError):
    """Another request is stored under the same id; it was not changed. One of the two is forged or damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A request that is stored.

    Attributes:
        record: as stored.
        is_new: it was stored just now, all its tasks leased by this invocation.
    """

    record: Record
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request as the index lists it; :meth:`RequestsTable.read` makes a record of it."""

    request_id: str
    item: Item


class RequestsTable:
    """The table, as one invocation of a function uses it."""

    def __init__(self, client: DynamoDBClient, *, invocation: str, conflict_seconds: float = _CONFLICT_SECONDS) -> None:
        """Take the client and the id of this invocation.

        Args:
            client: of the central account's region.
            invocation: AWS's id of the invocation. Lambda's own retries have the same one, so that a retry continues
                with what the invocation before it had leased; a repeated write whose first answer was lost is
                recognised by it.
            conflict_seconds: for how long one write that meets a transaction is tried again.
        """
        self.client = client
        self.invocation = invocation
        self._conflict_seconds = conflict_seconds

    def store(self, record: Record) -> Stored:
        """Store a new request and lease all its tasks; a request that is stored already stays as it is.

        One that lacks only the group's name is the same: the group was deleted before its event was delivered again.

        Args:
            record: the new record, with its tasks.

        Raises:
            DifferentRequestError: when another request has the same id.
        """
        request, lease = record.request, lease_to_item(self.invocation, record.history[0].at + LEASED_FOR)
        item = new_item(record) | {"leases": {task: lease for task, _ in record.tasks}}
        try:
            self.write(
                lambda: self.client.put_item(
                    TableName=TABLE,
                    Item=to_attributes(item),
                    ConditionExpression="attribute_not_exists(requestId)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            )
        except ClientError as error:
            item = refused(error).item
        else:
            return Stored(record=record, is_new=True)
        stored = record_from_item(item)
        named = request if request.group_name else replace(request, group_name=stored.request.group_name)
        if item.get("digest") != named.digest:
            raise DifferentRequestError(
                f"request {request.request_id} of account {request.account} is stored already with another content, "
                f"from account {item.get('account')}; the stored one was kept, this one refused"
            )
        # Is it our own write, whose answer was lost?
        is_new = leased_by(item, self.invocation) == {task for task, _ in record.tasks}
        return Stored(record=stored, is_new=is_new)

    def get(self, request_id: str) -> Record | None:
        """Return a request, read consistently; ``None`` when there is none."""
        answer = self.client.get_item(TableName=TABLE, Key=_key(request_id), ConsistentRead=True)
        return record_from_item(from_attributes(answer["Item"])) if "Item" in answer else None

    def move(self, move: Move) -> Moved | NotMoved:
        """Make a move, or return the record that does not allow it.

        Raises:
            ValueError: for a move that no request may make.
        """
        if not move.is_allowed:
            raise ValueError(f"a request cannot move from {move.previous} to {move.to}")
        answer = self.update(move.request_id, update_of(move, invocation=self.invocation))
        if not isinstance(answer, Refused):
            return Moved(record=record_from_item(answer))
        if not answer.item:
            return NotMoved(record=None)
        record = record_from_item(answer.item)
        # Our own write, whose answer was lost? The id alone does not say: where no Lambda gives out the ids, several
        # invocations may share one.
        entry = entry_to_item(entry_of(move))
        if answer.item.get("movedIn") == self.invocation and entry in answer.item.get("history", []):
            return Moved(record=record)
        return NotMoved(record=record)

    def update(self, request_id: str, update: Update) -> Item | Refused:
        """Make a conditional update of an item that exists; return it, or the item that did not meet a condition."""
        return self.write(lambda: update.run(self.client, TABLE, _key(request_id)))

    def write(self, write: Callable[[], _T]) -> _T:
        """Make a write; while it meets a transaction on the same item, make it again.

        Raises:
            ClientError: when DynamoDB refuses it, or a conflict lasts.
        """
        return retry_on_conflict(write, until=time.monotonic() + self._conflict_seconds)

    def by_status(
        self,
        status: Status | Literal["member"],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        with_tasks: bool = False,
        newest_first: bool = False,
    ) -> Iterator[Row]:
        """Yield the requests in a status, oldest first, page by page; eventually consistent.

        Args:
            status: which; ``member``: the members' own items.
            since: only those whose ``requestedAt`` is not earlier.
            until: only those whose ``requestedAt`` is not later.
            with_tasks: only those with pending tasks, as far as the index can tell.
            newest_first: in the opposite order.
        """
        names = {"#status": "status"}
        values: Item = {":status": status}
        bounds = [(":since", since), (":until", until)]
        values |= {name: time_to_text(moment) for name, moment in bounds if moment is not None}
        # A key takes one condition: both bounds together have to be one BETWEEN.
        condition = "#status = :status"
        if since is not None and until is not None:
            condition += " AND #requestedAt BETWEEN :since AND :until"
        elif since is not None:
            condition += " AND #requestedAt >= :since"
        elif until is not None:
            condition += " AND #requestedAt <= :until"
        if "#requestedAt" in condition:
            names["#requestedAt"] = "requestedAt"
        query: dict[str, Any] = {"KeyConditionExpression": condition, "ExpressionAttributeNames": names}
        query["ScanIndexForward"] = not newest_first
        if with_tasks:
            names["#tasks"], values[":none"] = "tasks", 0
            # An index that does not project `tasks` lists everything, and the table is read.
            query["FilterExpression"] = "attribute_not_exists(#tasks) OR size(#tasks) > :none"
        pages = self.client.get_paginator("query").paginate(
            TableName=TABLE, IndexName=INDEX, ExpressionAttributeValues=to_attributes(values), **query
        )
        for page in pages:
            for attributes in page["Items"]:
                item = from_attributes(attributes)
                yield Row(request_id=str(item["requestId"]), item=item)

    def read(self, row: Row) -> Record | None:
        """Return the record of a listed request, from the index where that has all of it, else from the table."""
        return record_from_item(row.item) if {"body", "tasks"} <= row.item.keys() else self.get(row.request_id)


def _key(request_id: str) -> Item:
    return to_attributes({"requestId": request_id})
