"""The form of batches in the table ``securityGroupRequests``; docs/contracts.md describes each attribute.

No item of a batch has a ``status``, so none is in the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, get_args

from shared.wire.fields import Field
from shared.wire.request_json import approver_from_json, approver_to_json
from shared.wire.rule_json import time_to_text

from ..requests.items import Item, decision_from_item, lease_to_item, parts_to_item, task_from_key
from ..requests.record import ClickedMessage
from .batch import Batch, Gathering, Outcome

_OUTCOMES: Final = get_args(Outcome)


def gathering_to_item(gathering: Gathering) -> Item:
    """Return the item of an open batch."""
    return {
        "requestId": gathering.key,
        "first": gathering.first,
        "firstAt": time_to_text(gathering.first_at),
        "closesAt": time_to_text(gathering.closes_at),
        "requests": list(gathering.requests),
        "size": gathering.size,
        "asked": gathering.asked,
        "announced": gathering.announced,
        "isMarked": gathering.is_marked,
        "isSaved": gathering.is_saved,
        "earlier": [{"requestId": one, "at": time_to_text(at)} for one, at in gathering.earlier],
    }


def gathering_from_item(item: Mapping[str, Any]) -> Gathering:
    """Read the item of an open batch.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("requestId", "?")))
    return Gathering(
        key=field["requestId"].text(),
        first=field["first"].text(),
        first_at=field["firstAt"].time(),
        closes_at=field["closesAt"].time(),
        requests=tuple(one.text() for one in field["requests"].elements()),
        size=field["size"].integer(),
        asked=field["asked"].optional_text(),
        announced=field["announced"].optional_text(),
        is_marked=field["isMarked"].flag(),
        is_saved=field["isSaved"].flag(),
        earlier=tuple((one["requestId"].text(), one["at"].time()) for one in field["earlier"].elements()),
    )


def batch_to_item(batch: Batch) -> Item:
    """Return the item of a batch that has closed; what is empty is left out."""
    optional = {
        "digest": batch.digest,
        "askedAt": _time(batch.asked_at),
        "asked": list(batch.asked),
        "announced": batch.announced,
        "isOutdated": batch.is_outdated,
        "isTogether": batch.is_together,
        "approvals": [approver_to_json(one) for one in batch.approvals],
        "outcome": batch.outcome,
        **parts_to_item(batch.decision, None, batch.clicked),
        "validUntil": _time(batch.valid_until),
        "remindedAt": _time(batch.reminded_at),
        "partlyShownAt": _time(batch.partly_shown_at),
        "shown": batch.shown,
        "movedIn": batch.moved_in,
    }
    return {
        "requestId": batch.batch_id,
        "first": batch.first,
        "firstAt": time_to_text(batch.first_at),
        "requests": list(batch.requests),
        "account": batch.account,
        "region": batch.region,
        "tasks": {task: time_to_text(since) for task, since in batch.tasks},
        "leases": {task: lease_to_item("", until) for task, until in batch.leases},
        **{key: value for key, value in optional.items() if value},
    }


def batch_from_item(item: Mapping[str, Any]) -> Batch:
    """Read the item of a batch that has closed.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("requestId", "?")))
    return Batch(
        batch_id=field["requestId"].text(),
        first=field["first"].text(),
        first_at=field["firstAt"].time(),
        requests=tuple(one.text() for one in field["requests"].elements()),
        account=field["account"].text(),
        region=field["region"].text(),
        digest=field["digest"].optional_text(),
        asked_at=_optional_time(field["askedAt"]),
        asked=tuple(one.text() for one in field["asked"].elements()),
        announced=field["announced"].optional_text(),
        is_outdated=field["isOutdated"].flag(),
        is_together=field["isTogether"].flag(),
        tasks=tuple((task_from_key(key, field["tasks"]), since.time()) for key, since in field["tasks"].members()),
        leases=tuple(
            (task_from_key(key, field["leases"]), one["until"].time()) for key, one in field["leases"].members()
        ),
        approvals=tuple(approver_from_json(one) for one in field["approvals"].elements()),
        outcome=_outcome(field["outcome"]),
        decision=decision_from_item(field),
        valid_until=_optional_time(field["validUntil"]),
        clicked=ClickedMessage(
            response_url=field["responseUrl"].optional_text(), ts=field["messageTs"].optional_text()
        ),
        reminded_at=_optional_time(field["remindedAt"]),
        partly_shown_at=_optional_time(field["partlyShownAt"]),
        shown=field["shown"].optional_text(),
        moved_in=field["movedIn"].optional_text(),
    )


def _time(moment: datetime | None) -> str:
    return "" if moment is None else time_to_text(moment)


def _optional_time(field: Field) -> datetime | None:
    return None if field.is_missing else field.time()


def _outcome(field: Field) -> Outcome:
    for outcome in _OUTCOMES:
        if (field.value or "") == outcome:
            return outcome  # type: ignore[no-any-return]  # get_args forgets the literal type
    raise field.error(f"expected one of {', '.join(filter(None, _OUTCOMES))}, found {field.value!r}")
