"""What a member remembers between heartbeats: one small item ``probe#<region>``, of which two functions write a part.

``snapshotSecurityGroups`` notes when it sent the last heartbeat and made the last probe, ``revertSecurityGroup`` when
the probe's event arrived. Nothing here has to do with what is approved: lost, it costs one heartbeat too many.

What does not belong here: making the probe (``probe``), judging it (``heartbeat``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes
from shared.aws.clients import client
from shared.wire.fields import Field
from shared.wire.rule_json import time_to_text

from .table import TABLE

CLOCKS_DIFFER: Final = timedelta(minutes=2)
"""CloudTrail's time of a call has whole seconds and is EC2's; the time of a probe is that of Lambda's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What is remembered.

    Attributes:
        beat_at: when the last heartbeat was sent.
        version: which version of the product sent it.
        probed_at: when the last probe was made.
        probe: what came of making it: ``sent``, ``no group`` or EC2's error code.
        arrived_at: the time of the last probe whose event arrived, as CloudTrail has it.
        delay_ms: milliseconds from that call to its event.
    """

    beat_at: datetime | None = None
    version: str = ""
    probed_at: datetime | None = None
    probe: str = ""
    arrived_at: datetime | None = None
    delay_ms: int | None = None

    @property
    def has_arrived(self) -> bool:
        """True when the event of the last probe has arrived."""
        return (
            self.probed_at is not None
            and self.arrived_at is not None
            and self.arrived_at > self.probed_at - CLOCKS_DIFFER
        )


def pulse_key(region: str) -> str:
    """Return the table key, ``probe#<region>``."""
    return f"probe#{region}"


def pulse_from_item(item: Mapping[str, Any]) -> Pulse:
    """Read the item.

    Raises:
        FieldError: names the attribute that is wrong.
    """
    field = Field(item, str(item.get("id", "item")))
    return Pulse(
        beat_at=_time(field["beatAt"]),
        version=field["version"].optional_text(),
        probed_at=_time(field["probedAt"]),
        probe=field["probe"].optional_text(),
        arrived_at=_time(field["arrivedAt"]),
        delay_ms=field["delayMilliseconds"].optional_integer(),
    )


def read_pulse(region: str) -> Pulse:
    """Return what is remembered of a region, read consistently.

    Raises:
        botocore.exceptions.ClientError: when the table could not be asked.
        FieldError: when the item is damaged.
    """
    key = to_attributes({"id": pulse_key(region)})
    answer = client("dynamodb", region).get_item(TableName=TABLE, Key=key, ConsistentRead=True)
    return pulse_from_item(from_attributes(answer.get("Item", {})))


def note_beat(region: str, *, at: datetime, version: str, probe: str, probed_at: datetime | None) -> None:
    """Note that a heartbeat was sent, and what came of making the next probe.

    Args:
        region: e.g. ``eu-west-1``.
        at: when it was sent.
        version: of the product.
        probe: ``sent``, ``no group`` or EC2's error code.
        probed_at: when the probe was made; ``None`` where none was.
    """
    values = {"beatAt": time_to_text(at), "version": version, "probe": probe}
    values["probedAt"] = "" if probed_at is None else time_to_text(probed_at)
    _write(region, values)


def note_arrival(region: str, *, made_at: datetime, delay_ms: int) -> None:
    """Note that the event of a probe arrived, unless a later one has."""
    text = time_to_text(made_at)
    try:
        _write(
            region,
            {"arrivedAt": text, "delayMilliseconds": delay_ms},
            ConditionExpression="attribute_not_exists(arrivedAt) OR arrivedAt < :arrivedAt",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def _write(region: str, values: Mapping[str, Any], **condition: str) -> None:
    more: Any = condition
    client("dynamodb", region).update_item(
        TableName=TABLE,
        Key=to_attributes({"id": pulse_key(region)}),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues=to_attributes({f":{name}": value for name, value in values.items()}),
        **more,
    )


def _time(field: Field) -> datetime | None:
    return None if field.value in (None, "") else field.time()
