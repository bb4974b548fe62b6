"""Our own JSON form of callers and requests: in SNS messages and table items.

Reading checks every field, and that a request's digest is the one of its contents. docs/contracts.md describes the form
for people.
"""

from __future__ import annotations

import re
from typing import Final, get_args

from shared.domain.caller import Caller
from shared.domain.request import Approver, Origin, Request, Status
from shared.wire.fields import Field
from shared.wire.operations_json import operations_from_json, operations_to_json
from shared.wire.reach_json import reach_from_json, reach_to_json
from shared.wire.rule_json import (
    Json,
    change_from_json,
    change_to_json,
    one_of,
    rule_from_json,
    rule_to_json,
    time_to_text,
)

_HOURS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?\Z", re.ASCII)


def caller_to_json(caller: Caller) -> Json:
    """Return the caller's attributes, empty ones left out."""
    document = {
        "type": caller.type,
        "name": caller.name,
        "account": caller.account,
        "arn": caller.arn,
        "principalArn": caller.principal_arn,
        "invokedBy": caller.invoked_by,
    }
    return {key: value for key, value in document.items() if value}


def caller_from_json(field: Field) -> Caller:
    """Read a caller.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    return Caller(
        type=field["type"].text(),
        name=field["name"].text(),
        account=field["account"].optional_text(),
        arn=field["arn"].optional_text(),
        principal_arn=field["principalArn"].optional_text(),
        invoked_by=field["invokedBy"].optional_text(),
    )


def request_to_json(request: Request) -> Json:
    """Return the whole request with its digest."""
    return {
        "requestId": request.request_id,
        "digest": request.digest,
        "account": request.account,
        "accountName": request.account_name,
        "region": request.region,
        "groupId": request.group_id,
        "groupName": request.group_name,
        "requester": None if request.requester is None else caller_to_json(request.requester),
        "eventName": request.event_name,
        "eventTime": time_to_text(request.event_time),
        "change": change_to_json(request.change),
        "origin": request.origin,
        "status": request.status,
        "reason": request.reason,
        "remaining": [rule_to_json(rule) for rule in request.remaining],
        **{key: value for key, value in _optional(request).items() if value},
        **({} if request.reach is None else {"reach": reach_to_json(request.reach)}),
    }


def _optional(request: Request) -> Json:
    return {
        "operations": operations_to_json(request.operations),
        "approved": [rule_to_json(rule) for rule in request.approved],
        "limits": {identity: time_to_text(until) for identity, until in request.limits},
    }


def request_from_json(field: Field) -> Request:
    """Read a request and check that its digest is the one of its contents.

    Raises:
        FieldError: names the field that is missing or wrong; a digest that does not fit is one.
    """
    requester = field["requester"]
    request = Request(
        request_id=field["requestId"].text(),
        account=field["account"].text(),
        account_name=field["accountName"].optional_text(),
        region=field["region"].text(),
        group_id=field["groupId"].optional_text(),
        group_name=field["groupName"].optional_text(),
        requester=None if requester.is_missing else caller_from_json(requester),
        event_name=field["eventName"].optional_text(),
        event_time=field["eventTime"].time(),
        change=change_from_json(field["change"]),
        origin=one_of(field["origin"], get_args(Origin)),
        status=one_of(field["status"], get_args(Status)),
        reason=field["reason"].optional_text(),
        remaining=tuple(rule_from_json(one) for one in field["remaining"].elements()),
        operations=operations_from_json(field["operations"]),
        approved=tuple(rule_from_json(one) for one in field["approved"].elements()),
        limits=tuple((identity, until.time()) for identity, until in field["limits"].members()),
        reach=reach_from_json(field["reach"]),
    )
    if field["digest"].text() != request.digest:
        raise field["digest"].error("is not the digest of this request; it was altered on the way")
    return request


def approver_to_json(approver: Approver) -> Json:
    """Return ``by``, ``at``, and where there are any ``byName`` and ``hours`` (text, since it may be a fraction)."""
    document = {
        "by": approver.by,
        "byName": approver.by_name,
        "at": time_to_text(approver.at),
        "hours": hours_to_text(approver.hours),
    }
    return {key: value for key, value in document.items() if value}


def approver_from_json(field: Field) -> Approver:
    """Read who approved.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    return Approver(
        by=field["by"].text(),
        by_name=field["byName"].optional_text(),
        at=field["at"].time(),
        hours=hours_from_text(field["hours"]),
    )


def hours_to_text(hours: float | None) -> str:
    """Return e.g. ``8`` or ``0.5``; empty for no limit."""
    return "" if hours is None else f"{hours:.6f}".rstrip("0").rstrip(".")


def hours_from_text(field: Field) -> float | None:
    """Read a number of hours written as text.

    Raises:
        FieldError: when it is not a number above 0.
    """
    text = field.optional_text()
    if not text:
        return None
    if not _HOURS.match(text) or float(text) <= 0:
        raise field.error(f"expected a number of hours above 0, found {text[:40]!r}")
    return float(text)
