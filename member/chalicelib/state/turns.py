"""Lets those who write one group's baseline at the same time take turns.

Every write is conditional on the version that was read, so taking turns is never needed for a right result. It saves
work: when five hundred calls write one item, nearly every try without turns would read and work out everything for
nothing. Whoever has met somebody else's write takes a turn first, which costs one small write; whoever has not, does
not look at turns at all. A turn that nobody passed on ends by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.aws.attributes import to_attribute, to_attributes
from shared.wire.rule_json import time_to_text

TURN: Final = timedelta(seconds=10)
"""Longest time of a turn: reading, working out and writing one baseline takes a fraction of a second."""

_Put = Callable[..., Any]


class TurnTakenError(RuntimeError):
    """Somebody else has the turn."""


@contextmanager
def turn(put: _Put, table: str, key: str, now: datetime) -> Iterator[None]:
    """Have the turn for a group while the context is open.

    Args:
        put: DynamoDB's ``PutItem``.
        table: its table.
        key: of the item that says whose turn it is.
        now: the time, UTC.

    Raises:
        TurnTakenError: when somebody else has it.
    """
    holder = secrets.token_hex(8)

    def write(taken_until: datetime, condition: str, **values: str) -> bool:
        try:
            put(
                TableName=table,
                Item=to_attributes({"id": key, "holder": holder, "takenUntil": time_to_text(taken_until)}),
                ConditionExpression=condition,
                ExpressionAttributeValues={f":{name}": to_attribute(value) for name, value in values.items()},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    if not write(now + TURN, "attribute_not_exists(id) OR takenUntil < :now", now=time_to_text(now)):
        raise TurnTakenError(f"{key}: somebody else has the turn")
    try:
        yield
    finally:
        write(now - TURN, "holder = :holder", holder=holder)
