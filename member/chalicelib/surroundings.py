"""Looks at what carries events to this account's functions: event rule, trail, dead-letter queues; once an hour.

Where this function may not look, or runs on no Lambda and knows no names, the answer is ``unknown``: what cannot be
looked at is not reported as broken.

What does not belong here: a thorough check with remedies (``python -m deploy doctor``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.clients import client
from shared.settings import optional
from shared.telemetry import logger
from shared.wire.heartbeat import UNKNOWN

from .context import Context

ON: Final = "on"
OFF: Final = "off"
MISSING: Final = "missing"

_QUEUES: Final = ("security-group-approval-member-failures", "security-group-approval-member-undelivered")
_SNAPSHOT: Final = "snapshotSecurityGroups"

_T = TypeVar("_T")


def rule_state(here: Context) -> str:
    """Return the state of the event rule that feeds ``revertSecurityGroup``."""
    name = _sibling("revertSecurityGroup-event")
    if not name:
        return UNKNOWN

    def look() -> str:
        try:
            found = client("events", here.region, retries="fail_fast").describe_rule(Name=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return MISSING
            raise
        return OFF if found.get("State") == "DISABLED" else ON

    return _looked(look, UNKNOWN)


def trail_state(here: Context) -> str:
    """Return whether some trail that covers this region is logging."""
    return _looked(lambda: _trail_state(here), UNKNOWN) if _sibling("") else UNKNOWN


def dead_letters(here: Context) -> int | None:
    """Return how many events wait in the two dead-letter queues; ``None`` where that is not known."""
    return _looked(lambda: _dead_letters(here), None) if _sibling("") else None


def _trail_state(here: Context) -> str:
    trails: Any = client("cloudtrail", here.region, retries="fail_fast")
    found = trails.describe_trails(includeShadowTrails=True)["trailList"]
    covering = [one for one in found if one.get("IsMultiRegionTrail") or one.get("HomeRegion") == here.region]
    if not covering:
        return MISSING

    def state_of(arn: str) -> str:
        return _looked(lambda: ON if trails.get_trail_status(Name=arn)["IsLogging"] else OFF, UNKNOWN)

    states = {state_of(one["TrailARN"]) for one in covering}
    return next(state for state in (ON, UNKNOWN, OFF) if state in states)


def _dead_letters(here: Context) -> int:
    queues: Any = client("sqs", here.region, retries="fail_fast")
    waiting = "ApproximateNumberOfMessages"
    total = 0
    for name in _QUEUES:
        address = f"{queues.meta.endpoint_url.rstrip('/')}/{here.account}/{name}"
        found = queues.get_queue_attributes(QueueUrl=address, AttributeNames=[waiting])
        total += int(found["Attributes"][waiting])
    return total


def _looked(look: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return look()
    except (ClientError, BotoCoreError) as error:
        logger.info("not looked at", extra={"problem": str(error)})
        return otherwise


def _sibling(name: str) -> str:
    """Return the physical name of something that is named like this function; ``""`` outside of Lambda."""
    own = optional("AWS_LAMBDA_FUNCTION_NAME")
    return f"{own.removesuffix(_SNAPSHOT)}{name}" if own.endswith(_SNAPSHOT) else ""
