"""As much of DynamoDB as the member app and the sweep's listing use, in memory, where moto would drown the figure.

An expression that is not one of the product's own is refused, so a change of the product shows here instead of being
answered wrongly. The harness compares the calls of a flow against this with those against moto.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Item = dict[str, Any]
Document = Mapping[str, Any]

_KEYS: Final = {"securityGroupState": "id", "securityGroupRequests": "requestId"}
_PAGE_BYTES: Final = 1_000_000  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html


class RefusedError(Exception):
    """DynamoDB says no; carries the answer's document."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.document = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **more}


class Requests:
    """A table of any number of ended requests, one copy of one item that differ in id and time alone."""

    def __init__(self, number: int, template: Item, days: float) -> None:
        """Spread the requests evenly over the days up to now."""
        now = datetime.now(UTC)
        step = timedelta(days=days) / max(number, 1)
        self._times = [_text(now - step * (number - index)) for index in range(number)]
        self._template = template
        size = len(json.dumps(template))
        self._per_page = max(1, _PAGE_BYTES // size)

    def query(self, document: Document) -> Document:
        """Answer a query of the index ``byStatus``."""
        values = document["ExpressionAttributeValues"]
        if values[":status"] != self._template["status"]:
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        first = bisect.bisect_left(self._times, values[":since"]["S"]) if ":since" in values else 0
        last = bisect.bisect_right(self._times, values[":until"]["S"]) if ":until" in values else len(self._times)
        start = document.get("ExclusiveStartKey")
        begin = first if start is None else int(start["requestId"]["S"])
        end = min(begin + self._per_page, last)
        tasks = self._template.get("tasks", {"M": {}})["M"]
        shown = range(begin, end) if "FilterExpression" not in document or tasks else ()
        items = [self._item(index) for index in shown]
        answer: Item = {"Items": items, "Count": len(items), "ScannedCount": max(0, end - begin)}
        if end < last:
            answer["LastEvaluatedKey"] = {"requestId": {"S": str(end)}, "status": self._template["status"]}
        return answer

    def _item(self, index: int) -> Item:
        requested, request_id = {"S": self._times[index]}, {"S": f"request-{index}"}
        return {**self._template, "requestedAt": requested, "requestId": request_id}


class Tables:
    """The tables."""

    def __init__(self) -> None:
        """Begin with none."""
        self.items: dict[str, dict[str, Item]] = {table: {} for table in _KEYS}
        self.requests = Requests(0, {"status": {"S": "applied"}}, 1)
        self._operations: dict[str, Callable[[Document], Document]] = {
            "GetItem": self._get,
            "PutItem": self._put,
            "DeleteItem": self._delete,
            "BatchGetItem": self._get_many,
            "BatchWriteItem": self._write_many,
            "TransactWriteItems": self._write_all,
            "Query": lambda document: self.requests.query(document),
        }

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Answer a call with status and body."""
        run = self._operations.get(operation)
        if run is None:
            return 501, json.dumps({"__type": "NotImplemented", "message": operation}).encode()
        try:
            return 200, json.dumps(run(json.loads(body))).encode()
        except RefusedError as refusal:
            return 400, json.dumps(refusal.document).encode()

    def _key(self, table: str, item: Document) -> str:
        return str(item[_KEYS[table]]["S"])

    def _get(self, document: Document) -> Document:
        found = self.items[document["TableName"]].get(self._key(document["TableName"], document["Key"]))
        return {} if found is None else {"Item": found}

    def _put(self, document: Document) -> Document:
        self._check(document)
        self._write(document)
        return {}

    def _write(self, document: Document) -> None:
        table, item = document["TableName"], document["Item"]
        self.items[table][self._key(table, item)] = item

    def _check(self, document: Document) -> None:
        table, condition = document["TableName"], document.get("ConditionExpression")
        found = self.items[table].get(self._key(table, document["Item"]))
        match condition:
            case None:
                holds = True
            case "attribute_not_exists(id)":
                holds = found is None
            case "version = :seen":
                holds = found is not None and found["version"] == document["ExpressionAttributeValues"][":seen"]
            case _:
                raise RefusedError("ValidationException", unknown=condition)
        if not holds:
            raise RefusedError("ConditionalCheckFailedException")

    def _delete(self, document: Document) -> Document:
        self.items[document["TableName"]].pop(self._key(document["TableName"], document["Key"]), None)
        return {}

    def _get_many(self, document: Document) -> Document:
        found: Item = {}
        for table, wanted in document["RequestItems"].items():
            keys = [self._key(table, key) for key in wanted["Keys"]]
            if len(keys) > 100:
                raise RefusedError("ValidationException")
            found[table] = [self.items[table][key] for key in keys if key in self.items[table]]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _write_many(self, document: Document) -> Document:
        for table, writes in document["RequestItems"].items():
            if len(writes) > 25:
                raise RefusedError("ValidationException")
            for write in writes:
                self._write({"TableName": table, "Item": write["PutRequest"]["Item"]})
        return {"UnprocessedItems": {}}

    def _write_all(self, document: Document) -> Document:
        puts = [one["Put"] for one in document["TransactItems"]]
        if len(puts) > 100:
            raise RefusedError("ValidationException")
        reasons = [{"Code": "None" if self._holds(put) else "ConditionalCheckFailed"} for put in puts]
        if any(reason["Code"] != "None" for reason in reasons):
            raise RefusedError("TransactionCanceledException", CancellationReasons=reasons)
        for put in puts:
            self._write(put)
        return {}

    def _holds(self, put: Document) -> bool:
        try:
            self._check(put)
        except RefusedError:
            return False
        return True


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
