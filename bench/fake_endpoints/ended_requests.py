"""Central's index over any number of ended requests, where moto would need minutes for each query."""

from __future__ import annotations

import bisect
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.models.dynamo_type import DynamoType, Item

_PAGE_BYTES: Final = 1_000_000
"""Of what is read, before the filter.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
"""


class EndedRequests:
    """Copies of one item that differ in id and time alone."""

    def __init__(self, template: dict[str, Any], number: int, days: float) -> None:
        """Spread the requests evenly over the days up to now."""
        now, step = datetime.now(UTC), timedelta(days=days) / number
        self._times = [_text(now - step * (number - index)) for index in range(number)]
        self._template = template
        self._per_page = max(1, _PAGE_BYTES // len(json.dumps(template)))

    def query(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a query of the index ``byStatus``, by status and between two times."""
        values = document["ExpressionAttributeValues"]
        if values[":status"] != self._template["status"]:
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        first = bisect.bisect_left(self._times, values[":since"]["S"]) if ":since" in values else 0
        last = bisect.bisect_right(self._times, values[":until"]["S"]) if ":until" in values else len(self._times)
        start = document.get("ExclusiveStartKey")
        begin = first if start is None else int(start["requestId"]["S"])
        end = min(begin + self._per_page, last)
        items = [self._item(index) for index in range(begin, end)] if self._is_listed(document) else []
        answer: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": max(0, end - begin)}
        if end < last:
            answer["LastEvaluatedKey"] = {"requestId": {"S": str(end)}, "status": self._template["status"]}
        return answer

    def _is_listed(self, document: Mapping[str, Any]) -> bool:
        names, values = document.get("ExpressionAttributeNames"), document["ExpressionAttributeValues"]
        expression = get_filter_expression(document.get("FilterExpression"), names, values)
        listed: bool = expression.expr(Item(DynamoType({"S": "any"}), None, self._template))
        return listed

    def _item(self, index: int) -> dict[str, Any]:
        return {**self._template, "requestedAt": {"S": self._times[index]}, "requestId": {"S": f"request-{index}"}}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
