"""Reads a security-group call out of the EventBridge event that CloudTrail sends.

CloudTrail writes EC2 calls in several forms at once: camelCase for the old actions, PascalCase below a wrapper for the
newer ones, one element as an object or several as a list, ports as numbers or text. ``read_head`` reads what the
decision and a revoke by rule id need; ``read_rules`` adds everything else, so that a form nobody foresaw in a
description can never keep a port open.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from shared.domain.location import is_region
from shared.wire.fields import Field, FieldError

from .call import Call
from .forms import anything_omitted, is_omitted, items
from .identity import read_caller

if TYPE_CHECKING:
    from shared.domain.rule import Direction, Rule

    from .call import CallKind, RuleEdit


class EventError(FieldError):
    """An event that cannot be read; the message names the field by its path."""


class _Action(NamedTuple):
    kind: CallKind
    direction: Direction | None


ACTIONS: Final[Mapping[str, _Action]] = {
    "AuthorizeSecurityGroupIngress": _Action("add", "ingress"),
    "AuthorizeSecurityGroupEgress": _Action("add", "egress"),
    "RevokeSecurityGroupIngress": _Action("remove", "ingress"),
    "RevokeSecurityGroupEgress": _Action("remove", "egress"),
    "ModifySecurityGroupRules": _Action("modify", None),
    "UpdateSecurityGroupRuleDescriptionsIngress": _Action("describe", "ingress"),
    "UpdateSecurityGroupRuleDescriptionsEgress": _Action("describe", "egress"),
    "CreateSecurityGroup": _Action("create_group", None),
    "DeleteSecurityGroup": _Action("delete_group", None),
}
"""The API actions the member app listens to."""


def read_head(event: Mapping[str, object]) -> Call:
    """Read who did what to which group, and the ids of the rules an Authorize call made; no other rule values.

    Args:
        event: the EventBridge envelope with ``detail``, the CloudTrail record.

    Raises:
        EventError: when a field the decision needs is missing or malformed; names the field's path.
    """
    try:
        return _head(Field(event)["detail"])
    except FieldError as error:
        raise _as_event_error(error) from error


def read_rules(event: Mapping[str, object], head: Call) -> Call:
    """Return ``head`` with every rule the event speaks of.

    Args:
        event: the same event that ``head`` was read from.
        head: what :func:`read_head` returned.

    Raises:
        EventError: when a rule is missing a field or has a value EC2 could not have accepted; names the field's path.
    """
    try:
        return _with_rules(Field(event)["detail"], head)
    except FieldError as error:
        raise _as_event_error(error) from error


def created_rule_ids(event: Mapping[str, object]) -> tuple[str, ...]:
    """Return the ids of the rules that an Authorize call made, or ``()`` when the event does not have them all.

    Never raises: an answer that cannot be read is one that does not have them.
    """
    try:
        answered = Field(event)["detail"]["responseElements"]["securityGroupRuleSet"]
    except FieldError:
        return ()
    if anything_omitted(answered):
        return ()
    # Without a cursor for each of a thousand rules, all of which stay open meanwhile.
    listed = answered.value
    listed = listed.get("items", listed) if isinstance(listed, Mapping) else listed
    listed = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(listed, list | tuple):
        return ()
    ids: tuple[Any, ...] = tuple(one.get("securityGroupRuleId") for one in listed if isinstance(one, Mapping))
    return ids if len(ids) == len(listed) and all(map(_is_rule_id, ids)) else ()


def _is_rule_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value) and value.isascii()


def _as_event_error(error: FieldError) -> EventError:
    return EventError(error.path.removeprefix("detail."), error.problem)


def _head(detail: Field) -> Call:
    name = detail["eventName"].text()
    action = ACTIONS.get(name)
    if action is None:
        raise detail["eventName"].error(f"{name!r} is not a security group call this product knows")
    region = detail["awsRegion"].text()
    if not is_region(region):  # it becomes part of a host name
        raise detail["awsRegion"].error(f"{region[:40]!r} is no AWS region")
    caller = read_caller(detail["userIdentity"])
    account = detail["recipientAccountId"].optional_text() or caller.account
    if not account:
        raise detail["recipientAccountId"].error("is missing")
    error_code = detail["errorCode"].optional_text()
    parameters = _parameters(detail)
    group_id = parameters.either("groupId", "GroupId").optional_text() if not error_code else ""
    return Call(
        name=name,
        kind=action.kind,
        direction=action.direction,
        request_id=(detail["requestID"] if detail["requestID"].value else detail["eventID"]).text(),
        event_time=detail["eventTime"].time(),
        account=account,
        region=region,
        caller=caller,
        error_code=error_code,
        group_id=group_id or _group_of_response(detail["responseElements"]),
        group_name="" if error_code else parameters.either("groupName", "GroupName").optional_text(),
        omitted=is_omitted(detail["requestParameters"]) or is_omitted(detail["responseElements"]),
    )


def _group_of_response(response: Field) -> str:
    if response.is_missing or is_omitted(response):
        return ""
    if response["groupId"].value:
        return response["groupId"].text()
    for name in ("securityGroupRuleSet", "revokedSecurityGroupRuleSet"):
        for item in items(response[name]):
            if item["groupId"].value:
                return item["groupId"].text()
    return ""


def _with_rules(detail: Field, head: Call) -> Call:
    # Imported here: a port is closed before rules are looked at.
    from .rules import (
        answered_rules,
        described_rules,
        modified_rules,
        requested_rule_ids,
        requested_rules,
    )

    if head.error_code or head.kind in ("create_group", "delete_group"):
        return head
    parameters, response = _parameters(detail), detail["responseElements"]
    direction = head.direction or "ingress"
    requested: tuple[Rule, ...] = ()
    edits: tuple[RuleEdit, ...] = ()
    if not is_omitted(parameters):
        if head.kind == "modify":
            edits = tuple(modified_rules(parameters, head.account))
        else:
            requested = tuple(requested_rules(parameters, direction, head.account))
            edits = tuple(described_rules(parameters)) if head.kind == "describe" else ()
    is_answer_whole = not anything_omitted(response)
    resulting = answered_rules(response, head.kind, direction, head.account, requested) if is_answer_whole else None
    omitted = not is_answer_whole or anything_omitted(detail["requestParameters"])
    rule_ids = () if is_omitted(parameters) else tuple(requested_rule_ids(parameters))
    return replace(head, requested=requested, resulting=resulting, rule_ids=rule_ids, edits=edits, omitted=omitted)


def _parameters(detail: Field) -> Field:
    """Return the request parameters, without the wrapper that the newer actions put around them."""
    parameters = detail["requestParameters"]
    wrapped = parameters[f"{detail['eventName'].value}Request"]
    return parameters if wrapped.is_missing else wrapped
