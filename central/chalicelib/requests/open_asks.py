"""The open asks of one role or user, counted exactly: at most :data:`MOST_OPEN` requests that ask first are pending.

One item per requester lists their ids. A request takes its place there by a conditional write before it is stored, so
never more are stored than there is room for. Nobody gives a place back: where there is no room, the listed requests
are read, and those that have ended or expired make room. So no way a request can end has to know of this.

What does not belong here: what becomes of a request that finds no room (``central.chalicelib.asks``).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.domain.request import Request
from shared.wire.rule_json import time_to_text

from .fingerprint import requester_text
from .table import TABLE, RequestsTable
from .update_expression import refused

PREFIX: Final = "asks#"
"""Begins the key of a requester's item, and the id of a notice about it."""

MOST_OPEN: Final = 20
_TRIES: Final = 50
_STORED_WITHIN: Final = timedelta(minutes=15)
"""A place whose request is not stored by then is free: the function died, and its retries are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """There is no room.

    Attributes:
        key: of the requester's item.
        since: when a request first found none; the same until one of the open ones has ended.
    """

    key: str
    since: str


class OpenAsks:
    """The open asks in a table, as one invocation of a function uses them."""

    def __init__(self, table: RequestsTable, *, now: datetime) -> None:
        """Take the table and the time, UTC."""
        self._table = table
        self._now = now

    def take(self, request: Request, *, expires_after: timedelta) -> Full | None:
        """Give a request its place among its requester's open asks; one that has it already keeps it.

        Args:
            request: one that asks first.
            expires_after: how long a request waits for a decision at most.

        Returns:
            ``None`` when it has a place.

        Raises:
            botocore.exceptions.ClientError: when DynamoDB refuses; the message is delivered again.
        """
        key = key_of(request)
        for _ in range(_TRIES):  # each one finds that others have changed something meanwhile
            item = self._try_to_take(key, request)
            if item is None:
                return None
            if not item:
                if self._begin(key, request):
                    return None
                continue
            places = dict(item["open"])
            ended = dict(self._ended(places, expires_after))
            if not ended:
                return Full(key=key, since=self._note_full(key))
            self._free(key, ended)
        return Full(key=key, since=self._note_full(key))

    def _try_to_take(self, key: str, request: Request) -> dict[str, Any] | None:
        """Return ``None`` when the place is taken, else the item as it is; ``{}`` where there is none."""
        return self._update(
            key,
            "SET #open.#id = :now",
            "attribute_exists(requestId) AND (attribute_exists(#open.#id) OR size(#open) < :most)",
            names={"#open": "open", "#id": request.request_id},
            values={":now": time_to_text(self._now), ":most": MOST_OPEN},
        )

    def _begin(self, key: str, request: Request) -> bool:
        item = {
            "requestId": key,
            "account": request.account,
            "requester": "" if request.requester is None else request.requester.name,
            "open": {request.request_id: time_to_text(self._now)},
        }
        try:
            self._table.write(
                lambda: self._table.client.put_item(
                    TableName=TABLE,
                    Item=to_attributes(item),
                    ConditionExpression="attribute_not_exists(requestId)",
                )
            )
        except ClientError as error:
            refused(error)
            return False
        return True

    def _ended(self, places: Mapping[str, str], expires_after: timedelta) -> Iterator[tuple[str, str]]:
        """Yield the places, each with the time it was taken at, whose requests are not open any more."""
        for request_id, taken_at in places.items():
            answer = self._table.client.get_item(
                TableName=TABLE,
                Key=to_attributes({"requestId": request_id}),
                ConsistentRead=True,
                ProjectionExpression="#status, requestedAt",
                ExpressionAttributeNames={"#status": "status"},
            )
            stored = from_attributes(answer.get("Item", {}))
            if not stored:
                is_open = taken_at > time_to_text(self._now - _STORED_WITHIN)
            else:
                is_young = str(stored.get("requestedAt", "")) > time_to_text(self._now - expires_after)
                is_open = stored.get("status") == "pending" and is_young
            if not is_open:
                yield request_id, taken_at

    def _free(self, key: str, ended: Mapping[str, str]) -> None:
        """Give places free, unless one has been taken again meanwhile."""
        names = {f"#id{index}": request_id for index, request_id in enumerate(ended)}
        values = {f":at{index}": taken_at for index, taken_at in enumerate(ended.values())}
        self._update(
            key,
            f"REMOVE fullSince, {', '.join(f'#open.{name}' for name in names)}",
            " AND ".join(f"#open.{name} = {value}" for name, value in zip(names, values, strict=True)),
            names={"#open": "open", **names},
            values=values,
        )

    def _note_full(self, key: str) -> str:
        answer = self._table.write(
            lambda: self._table.client.update_item(
                TableName=TABLE,
                Key=to_attributes({"requestId": key}),
                UpdateExpression="SET fullSince = if_not_exists(fullSince, :now)",
                ExpressionAttributeValues=to_attributes({":now": time_to_text(self._now)}),
                ReturnValues="ALL_NEW",
            )
        )
        return str(from_attributes(answer["Attributes"])["fullSince"])

    def _update(
        self, key: str, update: str, condition: str, *, names: Mapping[str, str], values: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return ``None`` when it was written, else the item that did not meet the condition."""
        try:
            self._table.write(
                lambda: self._table.client.update_item(
                    TableName=TABLE,
                    Key=to_attributes({"requestId": key}),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=to_attributes(dict(values)),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            )
        except ClientError as error:
            return refused(error).item
        return None


def key_of(request: Request) -> str:
    """Return the key of the item that lists the open asks of a request's role or user, ``asks#<account>#<hash>``."""
    who = hashlib.sha256(requester_text(request.requester).encode()).hexdigest()[:32]
    return f"{PREFIX}{request.account}#{who}"
