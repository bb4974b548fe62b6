"""Alike requests in the central table: which one stands for a new one, and how many it stands for.

A request that only repeats another (``requests.fingerprint``) is stored and counted in one transaction, so that it is
counted once however often it is delivered. Nothing is scanned: of the index ``byStatus`` the newest
:data:`MOST_LOOKED_AT` requests are looked through at most. The index may lag or list too little; then the request has a
question of its own, as if there were no such thing.

What does not belong here: when somebody is told (``central.chalicelib.duplicates``).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.aws.update_expression import Refused, Update, one_at_a_time
from shared.domain.record import Debt, Entry, Record
from shared.wire.fields import FieldError
from shared.wire.rule_json import time_to_text

from .fingerprint import ASKED_SINGLY, likeness, shown_again_at
from .items import claim_to_item, entry_to_item, record_from_item, record_to_item
from .moves import CLAIMED_FOR
from .table import INDEX, TABLE, Claim, RequestsTable, Row

_PAGE: Final = 100
_PAGES: Final = 5
MOST_LOOKED_AT: Final = _PAGE * _PAGES
"""Of the newest requests in a status, so many are looked at."""

_MOST_READ: Final = 25
"""Where the index lists less than is needed, so many requests are read from the table."""

_TRIES: Final = 3


class Repeats:
    """The alike requests of a table, as one invocation of a function uses them."""

    def __init__(self, table: RequestsTable) -> None:
        """Take the table."""
        self._table = table

    def first_of(self, record: Record, *, since: datetime) -> str:
        """Return the id of the request that stands for a new one, ``""`` when it has to be asked on its own.

        Args:
            record: the new request, not stored yet.
            since: requests from before are not looked at.
        """
        own, alike = record.request.request_id, likeness(record.request)
        asked = 0
        for request_id, repeat_of in self._alike(record, alike, since):
            if request_id == own:
                continue
            if repeat_of:
                return repeat_of if repeat_of != own else ""
            asked += 1
            if asked == ASKED_SINGLY:
                return request_id
        return ""

    def store(self, record: Record, first: str, *, joins_for: timedelta) -> Claim | None:
        """Store a new request that owes nothing, and count it at the one that stands for it.

        Args:
            record: the new request.
            first: id of the other one.
            joins_for: how old the other one may be.

        Returns:
            ``None`` when nothing was written: it is stored already, or the other one does not stand for it any more.
        """
        repeat = replace(record, owed=(), claimed=(), repeat_of=first)
        counted: dict[str, Any] = {
            "TableName": TABLE,
            "Key": to_attributes({"requestId": first}),
            "UpdateExpression": "SET #repeats = if_not_exists(#repeats, :asked) + :one",
            "ConditionExpression": (
                "attribute_exists(requestId) AND #status = :status AND #requestedAt > :since"
                " AND attribute_not_exists(#repeatOf) AND #likeness = :alike"
            ),
            "ExpressionAttributeNames": {
                f"#{name}": name for name in ("repeats", "status", "requestedAt", "repeatOf", "likeness")
            },
            "ExpressionAttributeValues": to_attributes(
                {
                    ":asked": ASKED_SINGLY - 1,
                    ":one": 1,
                    ":status": record.status,
                    ":since": time_to_text(record.requested_at - joins_for),
                    ":alike": likeness(record.request),
                }
            ),
        }
        stored: dict[str, Any] = {
            "TableName": TABLE,
            "Item": to_attributes(record_to_item(repeat)),
            "ConditionExpression": "attribute_not_exists(requestId)",
        }
        both: Any = [{"Put": stored}, {"Update": counted}]
        for tries_left in reversed(range(_TRIES)):
            try:
                with one_at_a_time():
                    self._table.client.transact_write_items(TransactItems=both)
            except ClientError as error:
                codes = _cancelled(error)
                if "ConditionalCheckFailed" in codes:
                    return None
                if "TransactionConflict" not in codes or not tries_left:
                    raise
            else:
                break
        return Claim(record=repeat, debts=frozenset(), is_new=True)

    def show_again(self, first: Record, at: datetime, *, by: str) -> Claim:
        """Owe the question once more, and claim it, when its number has grown by enough since the last time.

        Args:
            first: a request that stands for others.
            at: now.
            by: for the history.
        """
        made = shown_again_at(first.made)
        if made <= first.repeats_shown:
            return Claim(record=first, debts=frozenset())
        debts: tuple[Debt, ...] = ("question_monitoring",)
        debts = debts if first.status == "denied" else ("question", *debts)
        note = f"shown again: made {first.made} times"
        entry = Entry(at=at, status=first.status, previous=first.status, by=by, note=note)
        update = Update()
        update.set("repeatsShown", made)
        for debt in debts:
            update.set(f"owed.{debt}", time_to_text(at))
            update.set(f"claims.{debt}", claim_to_item(self._table.invocation, at + CLAIMED_FOR))
        update.append("history", [entry_to_item(entry)])
        update.require(f"{update.name('status')} = {update.value(first.status)}")
        shown = update.name("repeatsShown")
        update.require(f"(attribute_not_exists({shown}) OR {shown} < {update.value(made)})")
        answer = update.run(self._table.client, TABLE, to_attributes({"requestId": first.request.request_id}))
        if isinstance(answer, Refused):
            return Claim(record=first, debts=frozenset())
        return Claim(record=record_from_item(answer), debts=frozenset(debts))

    def ask_on_its_own(self, repeat: Record, at: datetime, *, by: str, note: str) -> Claim:
        """Owe the question of a pending request that another one stood for, and claim it."""
        debts: tuple[Debt, ...] = ("question", "question_monitoring")
        update = Update()
        update.remove("repeatOf")
        for debt in debts:
            update.set(f"owed.{debt}", time_to_text(at))
            update.set(f"claims.{debt}", claim_to_item(self._table.invocation, at + CLAIMED_FOR))
        entry = Entry(at=at, status="pending", previous="pending", by=by, note=note)
        update.append("history", [entry_to_item(entry)])
        update.require(f"{update.name('status')} = {update.value('pending')}")
        update.require(f"{update.name('repeatOf')} = {update.value(repeat.repeat_of)}")
        answer = update.run(self._table.client, TABLE, to_attributes({"requestId": repeat.request.request_id}))
        if isinstance(answer, Refused):
            return Claim(record=repeat, debts=frozenset())
        return Claim(record=record_from_item(answer), debts=frozenset(debts))

    def _alike(self, record: Record, alike: str, since: datetime) -> Iterator[tuple[str, str]]:
        """Yield id and ``repeatOf`` of the newest alike requests in a status, as far as is looked."""
        left = _MOST_READ
        for item in self._newest(record.status, alike, since):
            known = item
            if not {"likeness", "body"} <= item.keys():  # not all of it, or of a version that did not write it yet
                if not left:
                    return
                left -= 1
                known = self._read(item)
            if known.get("likeness") == alike:
                yield str(item["requestId"]), str(known.get("repeatOf", ""))

    def _read(self, item: dict[str, Any]) -> dict[str, Any]:
        try:
            record = self._table.read(Row(request_id=str(item["requestId"]), item=item))
        except FieldError:
            return {}
        return {} if record is None else {"likeness": likeness(record.request), "repeatOf": record.repeat_of}

    def _newest(self, status: str, alike: str, since: datetime) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": TABLE,
            "IndexName": INDEX,
            "KeyConditionExpression": "#status = :status AND #requestedAt >= :since",
            # An index that does not project it lists everything.
            "FilterExpression": "attribute_not_exists(#likeness) OR #likeness = :alike",
            "ExpressionAttributeNames": {
                "#status": "status",
                "#requestedAt": "requestedAt",
                "#likeness": "likeness",
            },
            "ExpressionAttributeValues": to_attributes(
                {":status": status, ":since": time_to_text(since), ":alike": alike}
            ),
            "ScanIndexForward": False,
            "Limit": _PAGE,
        }
        for _ in range(_PAGES):
            page = self._table.client.query(**query)
            yield from map(from_attributes, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _cancelled(error: ClientError) -> frozenset[str]:
    """Return why a transaction was cancelled, as codes; nothing for another error."""
    response: Mapping[str, Any] = error.response
    if response["Error"]["Code"] != "TransactionCanceledException":
        return frozenset()
    return frozenset(reason.get("Code", "") for reason in response.get("CancellationReasons", ()))
