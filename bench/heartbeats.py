"""What heartbeats and probes cost: calls that tests count (``tests/central/test_fleet_load.py``), times their prices.

Nothing here is timed; the milliseconds are an assumption on the high side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

MEMBER_HOUR: Final[Mapping[str, int]] = {"GetItem": 7, "UpdateItem": 2, "Publish": 1}
"""Calls of a member in an hour that cost something: six looks whether a heartbeat is due, when the region was adopted;
heartbeat and probe noted, the probe's event noted; the heartbeat published."""

CENTRAL_HEARTBEAT: Final[Mapping[str, int]] = {"UpdateItem": 1}
"""Calls of the central app for one heartbeat."""

ITEM_BYTES: Final = 1024
"""A member's item is smaller, unless it reports several problems."""

SWEEPS_PER_HOUR: Final = 60
INDEX_WRITES: Final = 2
"""The sort key changes: the index deletes one entry and writes another."""

ASSUMED_MS: Final = 100
"""Of the two invocations of an hour: the probe's event at the member, the heartbeat at central."""


def member_hour(revert_mb: int) -> dict[str, float]:
    """Return the amounts of one member in an hour, by price.

    Args:
        revert_mb: memory of ``revertSecurityGroup``.
    """
    return {
        "Lambda, arm64": ASSUMED_MS / 1000 * revert_mb / 1024,
        "Lambda, requests": 1,
        "SNS": MEMBER_HOUR["Publish"],
        "DynamoDB, writes": MEMBER_HOUR["UpdateItem"],
        "DynamoDB, reads": MEMBER_HOUR["GetItem"],
    }


def central_hour(members: int, change_mb: int) -> dict[str, float]:
    """Return the amounts of the central account in an hour, by price.

    Args:
        members: how many accounts and regions send heartbeats.
        change_mb: memory of ``securityGroupChange``.
    """
    units = math.ceil(ITEM_BYTES / 1024)
    # A query that is eventually consistent takes half a unit for 4 KB of all its items together.
    read = 0.5 * math.ceil(members * ITEM_BYTES / 4096)
    return {
        "Lambda, arm64": members * ASSUMED_MS / 1000 * change_mb / 1024,
        "Lambda, requests": members,
        "DynamoDB, writes": members * CENTRAL_HEARTBEAT["UpdateItem"] * (1 + INDEX_WRITES) * units,
        "DynamoDB, reads": SWEEPS_PER_HOUR * read,
    }
