"""Duplicates in the central table: which stored request a new one duplicates, and how many duplicates it has.

A duplicate (``requests.fingerprint``) is stored and counted in one transaction, so that it is counted once however
often it is delivered. Nothing is scanned: at most the newest :data:`MOST_EXAMINED` requests of the index ``byStatus``
are examined. The index may lag or list too little; then the request gets its own question.

What does not belong here: when something is posted (``central.chalicelib.duplicates``).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.aws.conflicts import cancellation_reasons
from shared.domain.request import Request
from shared.wire.fields import FieldError
from shared.wire.rule_json import time_to_text

from .fingerprint import asked_singly, fingerprint, requester_text
from .items import record_from_item, record_to_item
from .record import Record
from .retention import new_item
from .table import INDEX, TABLE, RequestsTable, Row

_PAGE: Final = 100
_PAGES: Final = 5
MOST_EXAMINED: Final = _PAGE * _PAGES
"""So many of the newest requests in a status are examined."""

_MOST_READ: Final = 25
"""Where the index lists less than is needed, so many requests are read from the table."""


class Duplicates:
    """The duplicates of a table, as one invocation of a function uses them."""

    def __init__(self, table: RequestsTable) -> None:
        """Take the table."""
        self._table = table

    def original_of(self, record: Record, *, since: datetime) -> str:
        """Return the id of the request that a new one duplicates, ``""`` when it gets its own question.

        Args:
            record: the new request, not stored yet.
            since: earlier requests are not examined.
        """
        own, asked = record.request.request_id, 0
        for request_id, duplicate_of in self._same(record, since):
            if request_id == own:
                continue
            if duplicate_of:
                return duplicate_of if duplicate_of != own else ""
            asked += 1
            if asked == asked_singly(record.request):
                return request_id
        return ""

    def store(self, record: Record, original: str, *, joins_for: timedelta) -> Record | None:
        """Store a new request without tasks, and count it at the one that it duplicates.

        Args:
            record: the new request.
            original: id of the other one.
            joins_for: how old the other one may be.

        Returns:
            ``None`` when nothing was written: it is stored already, or the other one does not stand for it any more.
        """
        duplicate = replace(record, tasks=(), duplicate_of=original)
        update: dict[str, Any] = {
            "TableName": TABLE,
            "Key": to_attributes({"requestId": original}),
            "UpdateExpression": "SET #duplicates = if_not_exists(#duplicates, :asked) + :one",
            "ConditionExpression": (
                "attribute_exists(requestId) AND #status = :status AND #requestedAt > :since"
                " AND attribute_not_exists(#duplicateOf) AND #fingerprint = :fingerprint"
            ),
            "ExpressionAttributeNames": {
                f"#{name}": name for name in ("duplicates", "status", "requestedAt", "duplicateOf", "fingerprint")
            },
            "ExpressionAttributeValues": to_attributes(
                {
                    ":asked": asked_singly(record.request) - 1,
                    ":one": 1,
                    ":status": record.status,
                    ":since": time_to_text(record.requested_at - joins_for),
                    ":fingerprint": fingerprint(record.request),
                }
            ),
        }
        put: dict[str, Any] = {
            "TableName": TABLE,
            "Item": to_attributes(new_item(duplicate)),
            "ConditionExpression": "attribute_not_exists(requestId)",
        }
        both: Any = [{"Put": put}, {"Update": update}]
        try:
            self._table.write(lambda: self._table.client.transact_write_items(TransactItems=both))
        except ClientError as error:
            if "ConditionalCheckFailed" in cancellation_reasons(error):
                return None
            raise
        return duplicate

    def _same(self, record: Record, since: datetime) -> Iterator[tuple[str, str]]:
        """Yield id and ``duplicateOf`` of the newest requests with the same status and fingerprint."""
        left, wanted = _MOST_READ, fingerprint(record.request)
        for item in self._newest(record, wanted, since):
            known = item
            if not {"fingerprint", "body"} <= item.keys():  # the index does not project everything
                if not left:
                    return
                left -= 1
                known = self._read(item)
            if known.get("fingerprint") == wanted:
                yield str(item["requestId"]), str(known.get("duplicateOf", ""))
            elif item["requestId"] != record.request.request_id and self._is_later_wish(known, record):
                return  # the requester has wanted something else for these rules since

    def _read(self, item: dict[str, Any]) -> dict[str, Any]:
        try:
            record = self._table.read(Row(request_id=str(item["requestId"]), item=item))
        except FieldError:
            return {}
        if record is None:
            return {}
        return record_to_item(record)

    def _is_later_wish(self, item: dict[str, Any], record: Record) -> bool:
        """Say whether a request is of the same requester, about some of the same rules, and another change."""
        if item.get("groupId") != record.request.group_id or "body" not in item:
            return False
        try:
            other = record_from_item(item).request
        except FieldError:
            return False
        request = record.request
        is_same = (other.account, other.region) == (request.account, request.region)
        is_same = is_same and requester_text(other.requester) == requester_text(request.requester)
        return is_same and not _touched(other).isdisjoint(_touched(request))

    def _newest(self, record: Record, wanted: str, since: datetime) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": TABLE,
            "IndexName": INDEX,
            "KeyConditionExpression": "#status = :status AND #requestedAt >= :since",
            # An index that does not project it lists everything.
            "FilterExpression": ("attribute_not_exists(#fingerprint) OR #fingerprint = :wanted OR #groupId = :group"),
            "ExpressionAttributeNames": {
                "#status": "status",
                "#requestedAt": "requestedAt",
                "#fingerprint": "fingerprint",
                "#groupId": "groupId",
            },
            "ExpressionAttributeValues": to_attributes(
                {
                    ":status": record.status,
                    ":since": time_to_text(since),
                    ":wanted": wanted,
                    ":group": record.request.group_id,
                }
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


def _touched(request: Request) -> set[str]:
    """Return the identities of the rules that a request would change, before and after."""
    return {rule.identity for rule in request.change.rules}
