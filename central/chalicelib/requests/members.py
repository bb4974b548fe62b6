"""What central knows of each member account and region: one item ``member#<account>#<region>`` in the requests table.

Its status is ``member``, which no request has: neither the sweep nor the audit lists it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.domain.rule import DIRECTIONS, Direction
from shared.wire.fields import Field
from shared.wire.messages import AdoptedMessage
from shared.wire.rule_json import time_to_text

from .items import Item
from .table import TABLE, RequestsTable
from .update_expression import refused

Adopted = Mapping[Direction, datetime]
"""When each direction of a region was adopted."""


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
    expected = {":known": _to_texts(known)} if known else {}
    try:
        table.write(
            lambda: table.client.update_item(
                TableName=TABLE,
                Key=to_attributes({"requestId": member_key(message.account, message.region)}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression="#adoptedAt = :known" if known else "attribute_not_exists(#adoptedAt)",
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues=to_attributes(
                    {**{f":{name}": value for name, value in values.items()}, **expected}
                ),
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
