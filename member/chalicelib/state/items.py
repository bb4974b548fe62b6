"""The items of the member account's table ``securityGroupState``: baselines and the ledger of reverted requests.

docs/contracts.md describes each attribute. Rules stand in one binary attribute ``body`` (JSON, compressed when large);
what an operator looks for in the console (outcome, digest, version, times) are attributes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from shared.domain.request import Request
from shared.domain.rule import DIRECTIONS, Direction
from shared.wire.compression import from_bytes, to_bytes
from shared.wire.fields import Field
from shared.wire.rule_json import (
    request_from_json,
    request_to_json,
    rule_from_json,
    rule_to_json,
    time_to_text,
)

from .baseline import Baseline, Drift
from .history_json import history_from_json, history_to_json

Item = dict[str, Any]
Outcome = Literal["reverted", "unreverted", "observed", "denied", "applying", "applied", "error"]

OUTCOME_OF_STATUS: Final[Mapping[str, Outcome]] = {
    "pending": "reverted",
    "denied": "denied",
    "unreverted": "unreverted",
    "observed": "observed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What this account itself knows of a request; nothing is ever applied that is not written here.

    Attributes:
        request: as it was reverted.
        outcome: ``reverted`` may be applied; ``applying`` is the intent, written before the first call that opens
            anything.
        attempts: how often applying was begun.
    """

    request: Request
    outcome: Outcome
    attempts: int = 0


def group_key(region: str, group_id: str) -> str:
    """Return the table key of a group's baseline, ``group#<region>#<sg-id>``."""
    return f"group#{region}#{group_id}"


def request_key(request_id: str) -> str:
    """Return the table key of a ledger entry, ``request#<requestId>``."""
    return f"request#{request_id}"


def baseline_to_item(baseline: Baseline) -> Item:
    """Return the item of a baseline, in plain Python values."""
    body = {
        "rules": [rule_to_json(rule) for rule in baseline.rules],
        "learned": {direction: time_to_text(moment) for direction, moment in baseline.learned},
        "stamps": {key: time_to_text(moment) for key, moment in baseline.stamps},
        "history": history_to_json(baseline.history, baseline.rules),
    }
    item: Item = {
        "id": group_key(baseline.region, baseline.group_id),
        "region": baseline.region,
        "groupId": baseline.group_id,
        "groupName": baseline.group_name,
        "directions": list(baseline.directions),
        "version": baseline.version,
        "body": to_bytes(body),
    }
    if baseline.drift is not None:
        item["drift"] = {
            "digest": baseline.drift.digest,
            "since": time_to_text(baseline.drift.since),
            "filed": baseline.drift.filed,
        }
    return item


def baseline_from_item(item: Mapping[str, Any]) -> Baseline:
    """Read a baseline.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("id", "item")))
    body = from_bytes(_binary(field["body"]), f"{field.path}.body")
    drift = field["drift"]
    rules = tuple(rule_from_json(one) for one in body["rules"].elements())
    return Baseline(
        region=field["region"].text(),
        group_id=field["groupId"].text(),
        group_name=field["groupName"].optional_text(),
        rules=rules,
        directions=tuple(_direction(one) for one in field["directions"].elements()),
        learned=tuple(
            (direction, body["learned"][direction].time())
            for direction in DIRECTIONS
            if not body["learned"][direction].is_missing
        ),
        stamps=tuple((key, moment.time()) for key, moment in body["stamps"].members()),
        history=history_from_json(body["history"], rules),
        drift=None
        if drift.is_missing
        else Drift(digest=drift["digest"].text(), since=drift["since"].time(), filed=drift["filed"].flag()),
        version=field["version"].integer(),
    )


def entry_to_item(entry: LedgerEntry) -> Item:
    """Return the item of a ledger entry, in plain Python values."""
    request = entry.request
    return {
        "id": request_key(request.request_id),
        "requestId": request.request_id,
        "outcome": entry.outcome,
        "digest": request.digest,
        "attempts": entry.attempts,
        "groupId": request.group_id,
        "region": request.region,
        "eventTime": time_to_text(request.event_time),
        "body": to_bytes(request_to_json(request)),
    }


def entry_from_item(item: Mapping[str, Any]) -> LedgerEntry:
    """Read a ledger entry; its digest has to be the one of its contents.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("id", "item")))
    outcome = field["outcome"]
    if outcome.value not in get_args(Outcome):
        raise outcome.error(f"expected one of {', '.join(get_args(Outcome))}, found {outcome.value!r}")
    return LedgerEntry(
        request=request_from_json(from_bytes(_binary(field["body"]), f"{field.path}.body")),
        outcome=outcome.value,  # type: ignore[arg-type]  # checked above
        attempts=field["attempts"].optional_integer() or 0,
    )


def _direction(field: Field) -> Direction:
    for direction in DIRECTIONS:
        if field.value == direction:
            return direction
    raise field.error(f"expected one of {', '.join(DIRECTIONS)}, found {field.value!r}")


def _binary(field: Field) -> bytes:
    if not isinstance(field.value, bytes):
        raise field.error("expected binary data")
    return field.value
