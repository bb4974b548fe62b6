"""Doctor tells when the last heartbeat was sent, and how long the last probe's event took."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.doctor.heartbeat import told
from shared.aws.attributes import to_attributes

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
BEAT = {"beatAt": "2026-10-01T11:48:00.000Z", "version": "0.1.0", "probedAt": "2026-10-01T11:48:01.000Z"}
ARRIVED = {"arrivedAt": "2026-10-01T11:48:01.000Z", "delayMilliseconds": 7400}
SENT = "The last heartbeat was sent 12 minutes ago, by version 0.1.0; "


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({}, "No heartbeat was sent yet; the first snapshot sends it."),
        ({"beatAt": "x"}, "No heartbeat was sent yet; the first snapshot sends it."),
        (BEAT, f"{SENT}the event of no probe has arrived yet."),
        (BEAT | ARRIVED, f"{SENT}the event of the last probe took 7 seconds."),
        (
            BEAT | ARRIVED | {"arrivedAt": "2026-10-01T10:48:01.000Z"},
            f"{SENT}an earlier probe's event took 7 seconds, the last is missing.",
        ),
    ],
)
def test_doctor_tells_of_heartbeat_and_probe(item: dict[str, Any], text: str) -> None:
    """Whatever the item has."""
    found = {"Item": to_attributes(item)} if item else {}
    table = SimpleNamespace(get_item=lambda **_: found)
    target: Any = SimpleNamespace(place=SimpleNamespace(region="eu-west-1"), client=lambda _: table)
    assert told(target, NOW) == text
