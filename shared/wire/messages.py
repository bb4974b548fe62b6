"""The SNS messages between the accounts, one class each, and how they are read and written.

A message carries everything its receiver needs to check it: the request's id and its digest. The receiver trusts its
own store, not the message (docs/decisions/0002). docs/contracts.md describes each field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

from shared.domain.request import FIRST_STATUSES, Approver, Request
from shared.domain.rule import Direction
from shared.wire.compression import from_text, to_text
from shared.wire.fields import Field, FieldError
from shared.wire.heartbeat import Heartbeat, heartbeat_from_json, heartbeat_to_json
from shared.wire.request_json import approver_from_json, approver_to_json, request_from_json, request_to_json
from shared.wire.rule_json import time_to_text

SECURITY_GROUP_CHANGE: Final = "securityGroupChange"
APPLY: Final = "applySecurityGroupChange"
DENY: Final = "denySecurityGroupChange"
ERROR_HANDLER: Final = "errorHandlerSecurityGroupChange"


class MessageError(FieldError):
    """A message that cannot be read; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMessage:
    """Member → central on ``securityGroupChange``: a change was reverted, seen, or could not be reverted."""

    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedMessage:
    """Member → central on ``securityGroupChange``: an approved change is in force."""

    request_id: str
    digest: str
    account: str
    region: str
    applied_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMessage:
    """Member → central on ``errorHandlerSecurityGroupChange``: an approved change could not be applied.

    Attributes:
        code: EC2's error code, e.g. ``InvalidPermission.Duplicate``, or one of ours, e.g. ``UnknownRequest``.
        reason: a sentence for people.
    """

    request_id: str
    digest: str
    account: str
    region: str
    code: str
    reason: str
    failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyMessage:
    """Central → member on ``applySecurityGroupChange``: approvers said yes to exactly this digest.

    Attributes:
        approver_id: Slack user id of the last who approved.
        approver_name: how Slack names them.
        approved_at: when.
        approvals: everybody who approved.
        valid_until: when the change has to be reverted again; ``None``: never.
    """

    request_id: str
    digest: str
    approver_id: str
    approver_name: str
    approved_at: datetime
    approvals: tuple[Approver, ...] = ()
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyBatchMessage:
    """Central → member on ``applySecurityGroupChange``: approvers said yes to the net change of these requests.

    Attributes:
        batch_id: ``batch#…``.
        digest: of the batch (:func:`shared.domain.composition.batch_digest`).
        requests: id and digest of each request, in the order of their calls.
        approvals: everybody who approved.
        approved_at: when the last of them did.
        valid_until: when the change has to be reverted again; ``None``: never.
    """

    batch_id: str
    digest: str
    requests: tuple[tuple[str, str], ...]
    approvals: tuple[Approver, ...]
    approved_at: datetime
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedMessage:
    """Member → central on ``securityGroupChange``: the time of an applied change is over, and it is reverted.

    Attributes:
        reason: a sentence where there is something to say, e.g. that an approved change had removed it before.
    """

    request_id: str
    digest: str
    account: str
    region: str
    ended_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyMessage:
    """Central → central on ``denySecurityGroupChange``: tell everybody that a request was denied."""

    request_id: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedMessage:
    """Member → central on ``securityGroupChange``: a region's groups were accepted as they are.

    Attributes:
        account_name: how people call the account.
        adopted_at: when each direction was adopted, e.g. ``(("ingress", …),)``.
        groups: how many groups were accepted.
        not_stored: ids of groups whose rules could not be stored; they count as unknown.
    """

    account: str
    account_name: str
    region: str
    adopted_at: tuple[tuple[Direction, datetime], ...]
    groups: int
    not_stored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatMessage:
    """Member → central on ``securityGroupChange``: how a member is; a hint that grants nothing."""

    heartbeat: Heartbeat


Message = (
    RequestMessage
    | AppliedMessage
    | EndedMessage
    | AdoptedMessage
    | HeartbeatMessage
    | ErrorMessage
    | ApplyMessage
    | ApplyBatchMessage
    | DenyMessage
)


def write_message(message: Message) -> str:
    """Return the text to publish: JSON, compressed when large (at most SNS's 256 KB for a thousand rules)."""
    body: dict[str, Any]
    match message:
        case RequestMessage():
            body = {"type": "request", "request": request_to_json(message.request)}
        case AppliedMessage():
            body = {"type": "applied", **_subject(message), "appliedAt": time_to_text(message.applied_at)}
        case EndedMessage():
            ending = {"endedAt": time_to_text(message.ended_at), "reason": message.reason}
            body = {"type": "ended", **_subject(message), **ending}
        case ApplyBatchMessage():
            body = {
                "type": "applyBatch",
                "batchId": message.batch_id,
                "digest": message.digest,
                "requests": [{"requestId": one, "digest": digest} for one, digest in message.requests],
                "approvedAt": time_to_text(message.approved_at),
                **_approval(message),
            }
        case AdoptedMessage():
            body = {
                "type": "adopted",
                "account": message.account,
                "accountName": message.account_name,
                "region": message.region,
                "adoptedAt": {direction: time_to_text(moment) for direction, moment in message.adopted_at},
                "groups": message.groups,
                "notStored": list(message.not_stored),
            }
        case HeartbeatMessage():
            body = {"type": "heartbeat", **heartbeat_to_json(message.heartbeat)}
        case ErrorMessage():
            body = {
                "type": "error",
                **_subject(message),
                "code": message.code,
                "reason": message.reason,
                "failedAt": time_to_text(message.failed_at),
            }
        case ApplyMessage():
            body = {
                "type": "apply",
                "requestId": message.request_id,
                "digest": message.digest,
                "approverId": message.approver_id,
                "approverName": message.approver_name,
                "approvedAt": time_to_text(message.approved_at),
                **_approval(message),
            }
        case DenyMessage():
            body = {"type": "deny", "requestId": message.request_id, "digest": message.digest}
        case _:
            assert_never(message)
    return to_text({"version": 1, **body})


def read_message(text: str) -> Message:
    """Read a published message.

    Raises:
        MessageError: when it is damaged, of an unknown version or type, or a field is missing or wrong.
    """
    try:
        return _read(from_text(text, "message"))
    except FieldError as error:
        raise MessageError(error.path, error.problem) from error


def _approval(message: ApplyMessage | ApplyBatchMessage) -> dict[str, Any]:
    until = {} if message.valid_until is None else {"validUntil": time_to_text(message.valid_until)}
    return {"approvals": [approver_to_json(one) for one in message.approvals], **until}


def _subject(message: AppliedMessage | EndedMessage | ErrorMessage) -> dict[str, str]:
    return {
        "requestId": message.request_id,
        "digest": message.digest,
        "account": message.account,
        "region": message.region,
    }


def _read(field: Field) -> Message:
    if field["version"].integer() != 1:
        raise field["version"].error(f"{field['version'].value!r} is unknown; this side speaks version 1")
    kind = field["type"].text()
    if kind == "request":
        return _read_request(field["request"])
    if kind == "heartbeat":
        return HeartbeatMessage(heartbeat=heartbeat_from_json(field))
    if kind in ("adopted", "applyBatch"):
        return _read_adopted(field) if kind == "adopted" else _read_apply_batch(field)
    request_id, digest = field["requestId"].text(), field["digest"].text()
    if kind == "deny":
        return DenyMessage(request_id=request_id, digest=digest)
    if kind == "apply":
        return ApplyMessage(
            request_id=request_id,
            digest=digest,
            approver_id=field["approverId"].text(),
            approver_name=field["approverName"].optional_text(),
            approved_at=field["approvedAt"].time(),
            approvals=tuple(approver_from_json(one) for one in field["approvals"].elements()),
            valid_until=_optional_time(field["validUntil"]),
        )
    account, region = field["account"].text(), field["region"].text()
    if kind == "applied":
        return AppliedMessage(
            request_id=request_id,
            digest=digest,
            account=account,
            region=region,
            applied_at=field["appliedAt"].time(),
        )
    if kind == "ended":
        return EndedMessage(
            request_id=request_id,
            digest=digest,
            account=account,
            region=region,
            ended_at=field["endedAt"].time(),
            reason=field["reason"].optional_text(),
        )
    if kind == "error":
        return ErrorMessage(
            request_id=request_id,
            digest=digest,
            account=account,
            region=region,
            code=field["code"].text(),
            reason=field["reason"].text(),
            failed_at=field["failedAt"].time(),
        )
    raise field["type"].error(f"{kind!r} is unknown")


def _read_request(field: Field) -> RequestMessage:
    request = request_from_json(field)
    if request.status not in FIRST_STATUSES:
        raise field["status"].error(f"a request cannot come into being as {request.status!r}")
    return RequestMessage(request=request)


def _read_apply_batch(field: Field) -> ApplyBatchMessage:
    requests = tuple((one["requestId"].text(), one["digest"].text()) for one in field["requests"].elements())
    if not requests:
        raise field["requests"].error("names no request")
    return ApplyBatchMessage(
        batch_id=field["batchId"].text(),
        digest=field["digest"].text(),
        requests=requests,
        approvals=tuple(approver_from_json(one) for one in field["approvals"].elements()),
        approved_at=field["approvedAt"].time(),
        valid_until=_optional_time(field["validUntil"]),
    )


def _optional_time(field: Field) -> datetime | None:
    return None if field.is_missing else field.time()


def _read_adopted(field: Field) -> AdoptedMessage:
    if field["adoptedAt"].is_missing:
        raise field["adoptedAt"].error("is missing")
    adopted = {direction: moment.time() for direction, moment in field["adoptedAt"].members()}
    unknown = sorted(adopted.keys() - {"ingress", "egress"})
    if unknown:
        raise field["adoptedAt"].error(f"{unknown[0]!r} is not a direction")
    directions: tuple[Direction, ...] = ("egress", "ingress")
    return AdoptedMessage(
        account=field["account"].text(),
        account_name=field["accountName"].optional_text(),
        region=field["region"].text(),
        adopted_at=tuple((direction, adopted[direction]) for direction in directions if direction in adopted),
        groups=field["groups"].integer(),
        not_stored=tuple(one.text() for one in field["notStored"].elements()),
    )
