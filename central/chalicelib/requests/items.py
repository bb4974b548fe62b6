"""The form of a request in the central table ``securityGroupRequests``: attributes people can read in the console.

Beside the attributes, ``body`` holds the whole request; the attributes that repeat parts of it are there to be read and
to be asked for in conditions. docs/contracts.md describes each attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from shared.domain.request import Request, Status
from shared.wire.compression import from_bytes, to_bytes
from shared.wire.fields import Field
from shared.wire.request_json import approver_from_json, approver_to_json, request_from_json, request_to_json
from shared.wire.rule_json import time_to_text

from .fingerprint import JOINING, fingerprint
from .record import ClickedMessage, Decision, Failure, HistoryEntry, Record, Task

Item = dict[str, Any]

_STATUSES: Final = get_args(Status)
_TASKS: Final = get_args(Task)

LEASED_FOR: Final = timedelta(seconds=120)
"""How long a lease holds: longer than any function but the sweep may run, shorter than the sweep waits."""


def record_to_item(record: Record, *, owner: str = "") -> Item:
    """Return the item of a new record.

    Args:
        record: the record.
        owner: who has its leases: the id of the Lambda invocation.
    """
    request = record.request
    readable = {
        "account": request.account,
        "accountName": request.account_name,
        "region": request.region,
        "groupId": request.group_id,
        "groupName": request.group_name,
        "requester": "" if request.requester is None else request.requester.name,
        "eventName": request.event_name,
        "origin": request.origin,
        "kind": request.change.kind,
        "reason": request.reason,
        **parts_to_item(record.decision, record.failure, record.clicked),
        "remindedAt": "" if record.reminded_at is None else time_to_text(record.reminded_at),
        "fingerprint": fingerprint(request) if request.status in JOINING else "",
        "duplicateOf": record.duplicate_of,
        "approvals": [approver_to_json(one) for one in record.approvals],
        "validUntil": "" if record.valid_until is None else time_to_text(record.valid_until),
        "batchOf": record.batch_of,
        "askedIn": record.asked_in,
        "supersededBy": record.superseded_by,
        "duplicates": record.duplicates,
        "duplicatesShown": record.duplicates_shown,
        "approvalPost": record.approval_post,
        "monitoringPost": record.monitoring_post,
    }
    return {
        "requestId": request.request_id,
        "status": record.status,
        "requestedAt": time_to_text(record.requested_at),
        "digest": request.digest,
        **{key: value for key, value in readable.items() if value},
        "tasks": {task: time_to_text(since) for task, since in record.tasks},
        "leases": {task: lease_to_item(owner, until) for task, until in record.leases},
        "history": [entry_to_item(entry) for entry in record.history],
        "body": _body(request),
    }


def parts_to_item(decision: Decision | None, failure: Failure | None, clicked: ClickedMessage | None) -> Item:
    """Return the attributes that say who decided, what failed and which message was clicked; unknown ones left out."""
    item: Item = {}
    if decision is not None:
        at = time_to_text(decision.at)
        item |= {"decidedBy": decision.by, "decidedByName": decision.by_name, "decidedAt": at}
        item["denialReason"] = decision.reason
    if failure is not None:
        item |= {"errorCode": failure.code, "errorReason": failure.reason}
    if clicked is not None:
        item |= {"responseUrl": clicked.response_url, "messageTs": clicked.ts}
    return {key: value for key, value in item.items() if value}


def entry_to_item(entry: HistoryEntry) -> Item:
    """Return one line of the history, empty attributes left out."""
    item = {
        "at": time_to_text(entry.at),
        "status": entry.status,
        "previous": entry.previous,
        "by": entry.by,
        "note": entry.note,
    }
    return {key: value for key, value in item.items() if value}


def lease_to_item(owner: str, until: datetime) -> Item:
    """Return who has leased a task, and until when."""
    return {"by": owner, "until": time_to_text(until)}


def leased_by(item: Mapping[str, Any], owner: str) -> frozenset[Task]:
    """Return the tasks of an item that a certain invocation has leased."""
    leases = Field(item, "item")["leases"]
    return frozenset(task_from_key(key, leases) for key, lease in leases.members() if lease["by"].value == owner)


def record_from_item(item: Mapping[str, Any]) -> Record:
    """Read an item.

    Raises:
        FieldError: names the attribute that is missing or wrong; the path begins with the request id.
    """
    field = Field(item, f"request {item.get('requestId', '?')}")
    return Record(
        request=_request(field["body"]),
        status=_status(field["status"]),
        requested_at=field["requestedAt"].time(),
        tasks=tuple((task_from_key(key, field["tasks"]), since.time()) for key, since in field["tasks"].members()),
        leases=tuple(
            (task_from_key(key, field["leases"]), one["until"].time()) for key, one in field["leases"].members()
        ),
        history=tuple(_entry(one) for one in field["history"].elements()),
        decision=decision_from_item(field),
        failure=_failure(field),
        clicked=ClickedMessage(
            response_url=field["responseUrl"].optional_text(), ts=field["messageTs"].optional_text()
        ),
        reminded_at=None if field["remindedAt"].is_missing else field["remindedAt"].time(),
        duplicate_of=field["duplicateOf"].optional_text(),
        duplicates=field["duplicates"].optional_integer() or 0,
        duplicates_shown=field["duplicatesShown"].optional_integer() or 0,
        approvals=tuple(approver_from_json(one) for one in field["approvals"].elements()),
        valid_until=None if field["validUntil"].is_missing else field["validUntil"].time(),
        batch_of=field["batchOf"].optional_text(),
        asked_in=field["askedIn"].optional_text(),
        superseded_by=field["supersededBy"].optional_text(),
        approval_post=field["approvalPost"].optional_text(),
        monitoring_post=field["monitoringPost"].optional_text(),
    )


def _body(request: Request) -> str | bytes:
    stored = to_bytes(request_to_json(request))
    return stored.decode() if stored[:1] == b"{" else stored  # text where it is JSON: the console shows it


def _request(field: Field) -> Request:
    value = field.value
    data = value if isinstance(value, bytes) else field.text().encode()
    return request_from_json(from_bytes(data, field.path))


def decision_from_item(field: Field) -> Decision | None:
    """Read who decided, as :func:`parts_to_item` writes it; ``None`` where nobody has."""
    if field["decidedBy"].is_missing:
        return None
    by, by_name = field["decidedBy"].text(), field["decidedByName"].optional_text()
    return Decision(by=by, by_name=by_name, at=field["decidedAt"].time(), reason=field["denialReason"].optional_text())


def _failure(field: Field) -> Failure | None:
    code, reason = field["errorCode"].optional_text(), field["errorReason"].optional_text()
    return Failure(code=code, reason=reason) if code or reason else None


def _entry(field: Field) -> HistoryEntry:
    return HistoryEntry(
        at=field["at"].time(),
        status=_status(field["status"]),
        previous="" if field["previous"].is_missing else _status(field["previous"]),
        by=field["by"].optional_text(),
        note=field["note"].optional_text(),
    )


def _status(field: Field) -> Status:
    for status in _STATUSES:
        if field.value == status:
            return status  # type: ignore[no-any-return]  # get_args forgets the literal type
    raise field.error(f"expected one of {', '.join(_STATUSES)}, found {field.value!r}")


def task_from_key(key: str, field: Field) -> Task:
    """Read a task's name; ``field`` is named where there is no such task."""
    for task in _TASKS:
        if key == task:
            return task  # type: ignore[no-any-return]  # get_args forgets the literal type
    raise field.error(f"{key!r} is not one of {', '.join(_TASKS)}")
