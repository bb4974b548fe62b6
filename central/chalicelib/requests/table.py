"""The central table ``securityGroupRequests``: every move of a request is one conditional write.

Whoever loses a race gets the item as it stands from the very write that was refused
(``ReturnValuesOnConditionCheckFailure``), so that nobody has to read again to be told who won. The table is never
scanned; the index ``byStatus`` may project any attributes, since what it does not have is read from the table.

A debt (``Record.owed``) is *claimed* before it is paid and *settled* afterwards, so that a handler, its redelivery and
the sweep don't post the same message at the same time. A claim ends by itself; nothing stays claimed by the dead.

What does not belong here: which moves make sense (``shared.domain.request.MOVES``), who may make them, Slack.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.aws.update_expression import Refused, Update, one_at_a_time, refused
from shared.domain.record import Debt, Entry, Record
from shared.domain.request import MOVES, Status
from shared.wire.rule_json import time_to_text

from .items import (
    Item,
    claim_to_item,
    claimed_by,
    entry_to_item,
    record_from_item,
    record_to_item,
)
from .moves import CLAIMED_FOR, Move, Moved, NotMoved, entry_of, update_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE: Final = "securityGroupRequests"
INDEX: Final = "byStatus"


class DifferentRequestError(RuntimeError):
    """Another request is stored under the same id; it was not touched. One of the two is forged or damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What somebody may pay now.

    Attributes:
        record: the request as it stands.
        debts: the debts claimed; empty when none is owed or others are at work on them.
        is_new: the request was stored just now.
    """

    record: Record
    debts: frozenset[Debt]
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request as the index lists it; :meth:`RequestsTable.read` makes a record of it."""

    request_id: str
    item: Item


class RequestsTable:
    """The table, as one invocation of a function uses it."""

    def __init__(self, client: DynamoDBClient, *, invocation: str) -> None:
        """Take the client and the id of this invocation.

        Args:
            client: of the central account's region.
            invocation: AWS's id of the invocation. Lambda's own retries have the same one, so that a retry goes on
                with what the invocation before it had claimed; a repeated write whose first answer was lost is
                recognised by it.
        """
        self.client = client
        self.invocation = invocation

    def store(self, record: Record) -> Claim:
        """Store a new request and claim all its debts; a request that is stored already stays as it is.

        Args:
            record: the new record, with its debts.

        Raises:
            DifferentRequestError: when another request has the same id.
        """
        until = record.history[0].at + CLAIMED_FOR
        item = record_to_item(record, claimant=self.invocation)
        item["claims"] = {debt: claim_to_item(self.invocation, until) for debt, _ in record.owed}
        debts = frozenset(debt for debt, _ in record.owed)
        try:
            with one_at_a_time():
                self.client.put_item(
                    TableName=TABLE,
                    Item=to_attributes(item),
                    ConditionExpression="attribute_not_exists(requestId)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            item = refused(error).item
        else:
            return Claim(record=record, debts=debts, is_new=True)
        request_id = record.request.request_id
        if item.get("digest") != record.request.digest:
            raise DifferentRequestError(
                f"request {request_id} of account {record.request.account} is stored already with another content, "
                f"from account {item.get('account')}; the stored one was kept, this one refused"
            )
        if claimed_by(item, self.invocation) == debts:  # our own write, whose answer was lost
            return Claim(record=record_from_item(item), debts=debts, is_new=True)
        return self.claim(request_id, debts, now=record.history[0].at) or Claim(record=record, debts=frozenset())

    def get(self, request_id: str) -> Record | None:
        """Return a request, read consistently; ``None`` when there is none."""
        answer = self.client.get_item(TableName=TABLE, Key=_key(request_id), ConsistentRead=True)
        return record_from_item(from_attributes(answer["Item"])) if "Item" in answer else None

    def move(self, move: Move) -> Moved | NotMoved:
        """Make a move true, or say what stands in its way.

        Raises:
            ValueError: for a move that no request may make.
        """
        if move.to not in MOVES[move.previous]:
            raise ValueError(f"a request cannot move from {move.previous} to {move.to}")
        update = update_of(move, invocation=self.invocation)
        answer = update.run(self.client, TABLE, _key(move.request_id))
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

    def claim(self, request_id: str, debts: Iterable[Debt], *, now: datetime, digest: str = "") -> Claim | None:
        """Claim those of the debts that are owed and that nobody else is paying.

        Args:
            request_id: which request.
            debts: which debts, at least one.
            now: the time, UTC.
            digest: nothing is claimed when the request has another digest; any will do when empty.

        Returns:
            The claim, whose debts may be fewer than asked for or none; ``None`` when there is no such request.
        """
        wanted = frozenset(debts)
        while True:
            update = Update()
            if digest:
                update.require(f"{update.name('digest')} = {update.value(digest)}")
            for debt in sorted(wanted):
                update.set(f"claims.{debt}", claim_to_item(self.invocation, now + CLAIMED_FOR))
                free = (
                    f"attribute_not_exists({update.name(f'claims.{debt}')})",
                    f"{update.name(f'claims.{debt}.until')} <= {update.value(time_to_text(now))}",
                    f"{update.name(f'claims.{debt}.by')} = {update.value(self.invocation)}",
                )
                update.require(f"attribute_exists({update.name(f'owed.{debt}')})")
                update.require(f"({' OR '.join(free)})")
            answer = update.run(self.client, TABLE, _key(request_id))
            if not isinstance(answer, Refused):
                return Claim(record=record_from_item(answer), debts=wanted)
            if not answer.item:
                return None
            record = record_from_item(answer.item)
            # Others only take debts away between two tries, so this comes to an end.
            left = wanted & {*record.due(now), *(claimed_by(answer.item, self.invocation) & _owed(record))}
            if not left or left == wanted or digest not in ("", record.request.digest):
                return Claim(record=record, debts=frozenset())
            wanted = left

    def settle(self, record: Record, debt: Debt, *, values: Mapping[str, str] | None = None) -> bool:
        """Write down that a debt is paid.

        Args:
            record: the request as it was when the debt was paid.
            debt: which one.
            values: attributes to write with it; an empty text removes the attribute.

        Returns:
            Whether the debt still was the one that was paid: a later move may have ended it, or begun it anew.
        """
        update = Update()
        update.remove(f"owed.{debt}")
        update.remove(f"claims.{debt}")
        for key, value in (values or {}).items():
            update.set(key, value) if value else update.remove(key)
        update.require(f"{update.name(f'owed.{debt}')} = {update.value(time_to_text(dict(record.owed)[debt]))}")
        return not isinstance(update.run(self.client, TABLE, _key(record.request.request_id)), Refused)

    def release(self, record: Record, debt: Debt, *, until: datetime | None = None, entry: Entry | None = None) -> None:
        """Give a claimed debt back unpaid.

        Args:
            record: the request.
            debt: which one.
            until: leave it alone until then; at once to be paid by anybody when ``None``.
            entry: a line for the history.
        """
        update = Update()
        if until is None:
            update.remove(f"claims.{debt}")
        else:
            update.set(f"claims.{debt}", claim_to_item("", until))
        if entry is not None:
            update.append("history", [entry_to_item(entry)])
        update.require(f"{update.name(f'claims.{debt}.by')} = {update.value(self.invocation)}")
        update.run(self.client, TABLE, _key(record.request.request_id))

    def remind(self, record: Record, entry: Entry) -> Claim:
        """Owe the question of a pending request once more, and claim it; at most once per request."""
        update = Update()
        update.set("remindedAt", time_to_text(entry.at))
        update.set("owed.question", time_to_text(entry.at))
        update.set("claims.question", claim_to_item(self.invocation, entry.at + CLAIMED_FOR))
        update.append("history", [entry_to_item(entry)])
        update.require(f"{update.name('status')} = {update.value('pending')}")
        update.require(f"attribute_not_exists({update.name('remindedAt')})")
        update.require(f"attribute_not_exists({update.name('owed.question')})")
        answer = update.run(self.client, TABLE, _key(record.request.request_id))
        if isinstance(answer, Refused):
            return Claim(record=record, debts=frozenset())
        return Claim(record=record_from_item(answer), debts=frozenset({"question"}))

    def by_status(
        self,
        status: Status,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        owing: bool = False,
        newest_first: bool = False,
    ) -> Iterator[Row]:
        """Yield the requests in a status, oldest first, page by page; eventually consistent.

        Args:
            status: which.
            since: only those whose ``requestedAt`` is not earlier.
            until: only those whose ``requestedAt`` is not later.
            owing: only those that owe something, as far as the index can tell.
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
        if owing:
            names["#owed"], values[":none"] = "owed", 0
            # An index that does not project `owed` lists everything, and the table has to be asked.
            query["FilterExpression"] = "attribute_not_exists(#owed) OR size(#owed) > :none"
        pages = self.client.get_paginator("query").paginate(
            TableName=TABLE, IndexName=INDEX, ExpressionAttributeValues=to_attributes(values), **query
        )
        for page in pages:
            for attributes in page["Items"]:
                item = from_attributes(attributes)
                yield Row(request_id=str(item["requestId"]), item=item)

    def read(self, row: Row) -> Record | None:
        """Return the record of a listed request, from the index where that has all of it, else from the table."""
        return record_from_item(row.item) if "body" in row.item and "owed" in row.item else self.get(row.request_id)


def _owed(record: Record) -> frozenset[Debt]:
    return frozenset(debt for debt, _ in record.owed)


def _key(request_id: str) -> Item:
    return to_attributes({"requestId": request_id})
