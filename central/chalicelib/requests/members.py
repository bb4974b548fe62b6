"""What central knows of each member account and region: one item ``member#<account>#<region>`` in the requests table.

Its status is ``member``, which no request has: the audit does not list it. ``requestedAt`` is the time of its last
heartbeat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.domain.rule import DIRECTIONS, Direction
from shared.wire.fields import Field, FieldError
from shared.wire.heartbeat import Heartbeat, heartbeat_from_json, heartbeat_to_json
from shared.wire.messages import AdoptedMessage
from shared.wire.rule_json import time_to_text

from .items import Item
from .table import TABLE, RequestsTable
from .update_expression import refused

Adopted = Mapping[Direction, datetime]
"""When each direction of a region was adopted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member account and region that has sent a heartbeat.

    Attributes:
        heartbeat: the last one; sent when it arrived, where the member's clock is fast.
        reported: the kinds of problems that were announced and are not over.
    """

    heartbeat: Heartbeat
    reported: frozenset[str] = frozenset()


def member_key(account: str, region: str) -> str:
    """Return the id of a member's item."""
    return f"member#{account}#{region}"


def read_adopted(table: RequestsTable, account: str, region: str) -> Adopted:
    """Return when each direction was adopted, as far as central knows; empty for an unknown member.

    Raises:
        FieldError: when the item is damaged.
    """
    key = to_attributes({"requestId": member_key(account, region)})
    answer = table.client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    return _adopted(from_attributes(answer.get("Item", {})), account, region)


def write_adopted(table: RequestsTable, message: AdoptedMessage, *, known: Adopted, at: datetime) -> bool:
    """Write when each direction was adopted last, and that the member was in contact.

    Args:
        table: the requests.
        message: what the member says.
        known: what was read before.
        at: now.

    Returns:
        Whether it was written: nobody else has written since ``known`` was read.
    """
    latest = dict(known)
    for direction, moment in message.adopted_at:
        latest[direction] = max(moment, latest.get(direction, moment))
    values: Item = {
        "status": "member",
        "requestedAt": time_to_text(at),
        "account": message.account,
        "accountName": message.account_name,
        "region": message.region,
        "adoptedAt": _to_texts(latest),
    }
    condition = "#adoptedAt = :known" if known else "attribute_not_exists(#adoptedAt)"
    expected = {":known": _to_texts(known)} if known else {}
    return _write(table, member_key(message.account, message.region), values, condition, expected=expected)


def write_heartbeat(table: RequestsTable, heartbeat: Heartbeat, *, at: datetime) -> bool:
    """Keep a heartbeat, unless a later one is kept.

    Args:
        table: the requests.
        heartbeat: what the member sent.
        at: now; a heartbeat of the future counts as of now, so that it cannot hide that later ones stop.

    Returns:
        Whether it was written.
    """
    heartbeat = replace(heartbeat, sent_at=min(heartbeat.sent_at, at))
    values: Item = {
        "status": "member",
        "requestedAt": time_to_text(heartbeat.sent_at),
        "account": heartbeat.account,
        "accountName": heartbeat.account_name,
        "region": heartbeat.region,
        "heartbeat": heartbeat_to_json(heartbeat),
    }
    return _write(
        table,
        member_key(heartbeat.account, heartbeat.region),
        values,
        "attribute_not_exists(#heartbeat) OR #heartbeat.#sentAt < :requestedAt",
        names={"#sentAt": "sentAt"},
    )


def write_reported(table: RequestsTable, member: Member, kinds: Collection[str]) -> bool:
    """Note which kinds of problems have been announced by now; return whether nobody else has noted others before."""
    known = {":known": sorted(member.reported)}
    key = member_key(member.heartbeat.account, member.heartbeat.region)
    condition = "#reported = :known" if member.reported else "attribute_not_exists(#reported) OR #reported = :known"
    return _write(table, key, {"reported": sorted(kinds)}, condition, expected=known)


def members(table: RequestsTable) -> Iterator[tuple[str, Member | FieldError]]:
    """Yield every member that has sent a heartbeat, with its key; eventually consistent.

    One whose item is damaged comes as the error that says so.
    """
    for row in table.by_status("member"):
        item = row.item
        if "adoptedAt" not in item and "heartbeat" not in item:  # an index that does not have all attributes
            answer = table.client.get_item(TableName=TABLE, Key=to_attributes({"requestId": row.request_id}))
            item = from_attributes(answer.get("Item", {}))
        if "heartbeat" not in item:  # a version that sends none, or a member that was deleted just now
            continue
        try:
            yield row.request_id, member_from_item(item)
        except FieldError as error:
            yield row.request_id, error


def member_from_item(item: Mapping[str, Any]) -> Member:
    """Read an item.

    Raises:
        FieldError: names the attribute that is missing or wrong; the path begins with the key.
    """
    field = Field(item, str(item.get("requestId", "?")))
    return Member(
        heartbeat=heartbeat_from_json(field["heartbeat"]),
        reported=frozenset(one.text() for one in field["reported"].elements()),
    )


def _write(
    table: RequestsTable,
    key: str,
    values: Item,
    condition: str,
    *,
    names: Mapping[str, str] | None = None,
    expected: Item | None = None,
) -> bool:
    """Set attributes of a member's item if a condition holds; return whether it did."""
    written = {f":{name}": value for name, value in values.items()}
    try:
        table.write(
            lambda: table.client.update_item(
                TableName=TABLE,
                Key=to_attributes({"requestId": key}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression=condition,
                ExpressionAttributeNames={**{f"#{name}": name for name in values}, **(names or {})},
                ExpressionAttributeValues=to_attributes(written | (expected or {})),
            )
        )
    except ClientError as error:
        refused(error)
        return False
    return True


def _adopted(item: Item, account: str, region: str) -> Adopted:
    field = Field(item, member_key(account, region))["adoptedAt"]
    return {direction: field[direction].time() for direction in DIRECTIONS if direction in field.mapping()}


def _to_texts(adopted: Adopted) -> dict[str, str]:
    return {direction: time_to_text(moment) for direction, moment in adopted.items()}
