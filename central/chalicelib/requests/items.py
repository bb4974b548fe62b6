"""The form of a request in the central table ``securityGroupRequests``: attributes people can read in the console.

Beside the attributes, ``body`` holds the whole request; the attributes that repeat parts of it are there to be read and
to be asked for in conditions. docs/contracts.md describes each attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, get_args

from shared.domain.record import Debt, Entry, Record
from shared.domain.request import Request, Status
from shared.wire.compression import from_bytes, to_bytes
from shared.wire.fields import Field
from shared.wire.rule_json import request_from_json, request_to_json, time_to_text

from .fingerprint import JOINING, likeness

Item = dict[str, Any]

_STATUSES: Final = get_args(Status)
_DEBTS: Final = get_args(Debt)


def record_to_item(record: Record, *, claimant: str = "") -> Item:
    """Return the item of a new record.

    Args:
        record: the record.
        claimant: who claims the debts of ``record.claimed``: the id of the Lambda invocation.
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
        "decidedBy": record.decided_by,
        "decidedByName": record.decided_by_name,
        "decidedAt": _optional_time(record.decided_at),
        "errorCode": record.error_code,
        "errorReason": record.error_reason,
        "responseUrl": record.response_url,
        "messageTs": record.message_ts,
        "remindedAt": _optional_time(record.reminded_at),
        "likeness": likeness(request) if request.status in JOINING else "",
        "repeatOf": record.repeat_of,
        "repeats": record.repeats,
        "repeatsShown": record.repeats_shown,
    }
    return {
        "requestId": request.request_id,
        "status": record.status,
        "requestedAt": time_to_text(record.requested_at),
        "digest": request.digest,
        **{key: value for key, value in readable.items() if value},
        "owed": {debt: time_to_text(since) for debt, since in record.owed},
        "claims": {debt: claim_to_item(claimant, until) for debt, until in record.claimed},
        "history": [entry_to_item(entry) for entry in record.history],
        "body": _body(request),
    }


def entry_to_item(entry: Entry) -> Item:
    """Return one line of the history, empty attributes left out."""
    item = {
        "at": time_to_text(entry.at),
        "status": entry.status,
        "previous": entry.previous,
        "by": entry.by,
        "note": entry.note,
    }
    return {key: value for key, value in item.items() if value}


def claim_to_item(claimant: str, until: datetime) -> Item:
    """Return the mark on a debt that somebody is paying."""
    return {"by": claimant, "until": time_to_text(until)}


def claimed_by(item: Mapping[str, Any], claimant: str) -> frozenset[Debt]:
    """Return the debts of an item that a certain invocation has claimed."""
    claims = Field(item, "item")["claims"]
    return frozenset(_debt(key, claims) for key, claim in claims.members() if claim["by"].value == claimant)


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
        owed=tuple((_debt(key, field["owed"]), since.time()) for key, since in field["owed"].members()),
        claimed=tuple((_debt(key, field["claims"]), one["until"].time()) for key, one in field["claims"].members()),
        history=tuple(_entry(one) for one in field["history"].elements()),
        decided_by=field["decidedBy"].optional_text(),
        decided_by_name=field["decidedByName"].optional_text(),
        decided_at=_time_or_none(field["decidedAt"]),
        error_code=field["errorCode"].optional_text(),
        error_reason=field["errorReason"].optional_text(),
        response_url=field["responseUrl"].optional_text(),
        message_ts=field["messageTs"].optional_text(),
        reminded_at=_time_or_none(field["remindedAt"]),
        repeat_of=field["repeatOf"].optional_text(),
        repeats=field["repeats"].optional_integer() or 0,
        repeats_shown=field["repeatsShown"].optional_integer() or 0,
    )


def _body(request: Request) -> str | bytes:
    packed = to_bytes(request_to_json(request))
    return packed.decode() if packed[:1] == b"{" else packed  # text, where it is JSON: the console shows it


def _request(field: Field) -> Request:
    value = field.value
    data = value if isinstance(value, bytes) else field.text().encode()
    return request_from_json(from_bytes(data, field.path))


def _entry(field: Field) -> Entry:
    return Entry(
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


def _debt(key: str, field: Field) -> Debt:
    for debt in _DEBTS:
        if key == debt:
            return debt  # type: ignore[no-any-return]  # get_args forgets the literal type
    raise field.error(f"{key!r} is not one of {', '.join(_DEBTS)}")


def _optional_time(moment: datetime | None) -> str:
    return "" if moment is None else time_to_text(moment)


def _time_or_none(field: Field) -> datetime | None:
    return None if field.is_missing else field.time()
