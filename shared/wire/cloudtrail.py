"""Reads a security-group call out of the EventBridge event that CloudTrail sends.

CloudTrail writes EC2 calls in several forms at once: camelCase for the old actions, PascalCase below a wrapper for the
newer ones, one element as an object or several as a list, ports as numbers or text. Both forms are read here, and only
here. ``read_head`` reads what the decision and a revoke by rule id need; ``read_rules`` adds everything else, so that a
form nobody foresaw in a description can never keep a port open.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from shared.domain.call import Call, CallKind, RuleEdit
from shared.domain.caller import Caller
from shared.domain.rule import (
    Direction,
    Rule,
    RuleError,
    Source,
    cidr,
    group,
    group_by_name,
    make_rule,
    prefix_list,
)
from shared.wire.fields import Field, FieldError


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
    """Return the ids of the rules that an Authorize call made, or ``()`` when the event does not have them all."""
    items = Field(event)["detail"]["responseElements"]["securityGroupRuleSet"]
    ids = [item["securityGroupRuleId"].value for item in _items(items)]
    return tuple(str(rule_id) for rule_id in ids) if all(isinstance(one, str) and one for one in ids) else ()


def _as_event_error(error: FieldError) -> EventError:
    path = error.path.removeprefix("detail.")
    return EventError(path, str(error).removeprefix(f"{error.path}: "))


def _head(detail: Field) -> Call:
    name = detail["eventName"].text()
    action = ACTIONS.get(name)
    if action is None:
        raise detail["eventName"].error(f"{name!r} is not a security group call this product knows")
    region = detail["awsRegion"].text()
    caller = _caller(detail["userIdentity"])
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
        omitted=_is_omitted(detail["requestParameters"]) or _is_omitted(detail["responseElements"]),
    )


def _group_of_response(response: Field) -> str:
    if response.is_missing or _is_omitted(response):
        return ""
    if response["groupId"].value:
        return response["groupId"].text()
    for name in ("securityGroupRuleSet", "revokedSecurityGroupRuleSet"):
        for item in _items(response[name]):
            if item["groupId"].value:
                return item["groupId"].text()
    return ""


def _with_rules(detail: Field, head: Call) -> Call:
    if head.error_code or head.kind in ("create_group", "delete_group"):
        return head
    parameters, response = _parameters(detail), detail["responseElements"]
    direction = head.direction or "ingress"
    requested: tuple[Rule, ...] = ()
    edits: tuple[RuleEdit, ...] = ()
    if not _is_omitted(parameters):
        if head.kind == "modify":
            edits = tuple(_edits(parameters, head.account))
        else:
            requested = tuple(_requested(parameters, direction, head.account))
            edits = tuple(_description_edits(parameters)) if head.kind == "describe" else ()
    resulting = None if _is_omitted(response) else _resulting(response, head.kind, direction, head.account, requested)
    omitted = head.omitted or _anything_omitted(detail["requestParameters"])
    rule_ids = () if _is_omitted(parameters) else tuple(_rule_ids(parameters))
    return replace(head, requested=requested, resulting=resulting, rule_ids=rule_ids, edits=edits, omitted=omitted)


def _parameters(detail: Field) -> Field:
    """Return the request parameters, without the wrapper that the newer actions put around them."""
    parameters = detail["requestParameters"]
    wrapped = parameters[f"{detail['eventName'].value}Request"]
    return parameters if wrapped.is_missing else wrapped


def _is_omitted(field: Field) -> bool:
    return isinstance(field.value, Mapping) and field.value.get("omitted") in (True, "true")


def _anything_omitted(field: Field) -> bool:
    if _is_omitted(field):
        return True
    if isinstance(field.value, Mapping):
        return any(_anything_omitted(member) for _, member in field.members())
    return False


def _items(field: Field) -> Iterator[Field]:
    """Yield list elements from ``{"items": […]}``, from a bare list, or from a single object."""
    if isinstance(field.value, Mapping):
        if _is_omitted(field):
            return
        if "items" in field.value:
            yield from field["items"].elements()
        elif field.value:
            yield field
    else:
        yield from field.elements()


# -- requests ----------------------------------------------------------------------------------------------------------


def _requested(parameters: Field, direction: Direction, account: str) -> Iterator[Rule]:
    for permission in _items(parameters.either("ipPermissions", "IpPermissions")):
        yield from _permission(permission, direction, account)
    if parameters["ipProtocol"].value is not None and parameters["cidrIp"].value is not None:
        yield _rule(parameters, direction, _cidr_source(parameters["cidrIp"]), description="")
    elif parameters["sourceSecurityGroupName"].value is not None:
        owner = parameters["sourceSecurityGroupOwnerId"].optional_text() or account
        source = group_by_name(parameters["sourceSecurityGroupName"].text(), account=owner)
        if parameters["ipProtocol"].value is None:  # the old form without protocol opens all of them
            yield make_rule(direction=direction, protocol="-1", source=source)
        else:
            yield _rule(parameters, direction, source, description="")


def _permission(permission: Field, direction: Direction, account: str) -> Iterator[Rule]:
    """Yield one rule for each source of a permission; several kinds and several sources may stand in one."""
    kinds: tuple[tuple[tuple[str, ...], Callable[[Field], Source]], ...] = (
        (("ipRanges", "IpRanges"), lambda item: _cidr_source(item.either("cidrIp", "CidrIp"))),
        (("ipv6Ranges", "Ipv6Ranges"), lambda item: _cidr_source(item.either("cidrIpv6", "CidrIpv6"))),
        (
            ("prefixListIds", "PrefixListIds"),
            lambda item: prefix_list(item.either("prefixListId", "PrefixListId").text()),
        ),
        (("groups", "Groups", "UserIdGroupPairs"), lambda item: _group_source(item, account)),
    )
    for spellings, source_of in kinds:
        for item in _items(permission.either(*spellings)):
            description = item.either("description", "Description").optional_text()
            yield _rule(permission, direction, source_of(item), description=description)


def _rule(field: Field, direction: Direction, source: Source, *, description: str, rule_id: str | None = None) -> Rule:
    protocol = field.either("ipProtocol", "IpProtocol")
    if isinstance(protocol.value, int) and not isinstance(protocol.value, bool):
        protocol = Field(str(protocol.value), protocol.path)
    try:
        return make_rule(
            direction=direction,
            protocol=protocol.text(),
            from_port=field.either("fromPort", "FromPort").optional_integer(),
            to_port=field.either("toPort", "ToPort").optional_integer(),
            source=source,
            description=description,
            tags=tuple(_tags(field.either("tagSet", "TagSet"))),
            rule_id=rule_id,
        )
    except RuleError as error:
        raise field.error(str(error)) from error


def _cidr_source(field: Field) -> Source:
    try:
        return cidr(field.text())
    except RuleError as error:
        raise field.error(str(error)) from error


def _group_source(item: Field, account: str) -> Source:
    owner = item.either("userId", "UserId").optional_text() or account
    group_id = item.either("groupId", "GroupId").optional_text()
    if not group_id:
        return group_by_name(item.either("groupName", "GroupName").text(), account=owner)
    peering = item.either("vpcPeeringConnectionId", "VpcPeeringConnectionId").optional_text()
    return group(group_id, account=owner, peering=peering)


def _tags(field: Field) -> Iterator[tuple[str, str]]:
    for item in _items(field):
        yield item["key"].text(), item["value"].optional_text()


def _rule_ids(parameters: Field) -> Iterator[str]:
    for item in _items(parameters.either("securityGroupRuleIds", "SecurityGroupRuleIds")):
        is_object = isinstance(item.value, Mapping)
        yield item.either("securityGroupRuleId", "SecurityGroupRuleId").text() if is_object else item.text()


def _edits(parameters: Field, account: str) -> Iterator[RuleEdit]:
    """Yield the new values of each rule of ``ModifySecurityGroupRules``."""
    for item in _items(parameters.either("SecurityGroupRule", "securityGroupRule", "SecurityGroupRules")):
        values = item.either("SecurityGroupRule", "securityGroupRule")
        rule_id = item.either("SecurityGroupRuleId", "securityGroupRuleId").text()
        description = values.either("Description", "description").optional_text()
        rule = _rule(values, "ingress", _flat_source(values, account), description=description, rule_id=rule_id)
        yield RuleEdit(rule_id=rule_id, after=rule, description=description)


def _description_edits(parameters: Field) -> Iterator[RuleEdit]:
    names = ("SecurityGroupRuleDescription", "securityGroupRuleDescriptions", "SecurityGroupRuleDescriptions")
    for item in _items(parameters.either(*names)):
        yield RuleEdit(
            rule_id=item.either("SecurityGroupRuleId", "securityGroupRuleId").text(),
            after=None,
            description=item.either("Description", "description").optional_text(),
        )


# -- answers -----------------------------------------------------------------------------------------------------------


def _resulting(
    response: Field, kind: CallKind, direction: Direction, account: str, requested: tuple[Rule, ...]
) -> tuple[Rule, ...] | None:
    if response.is_missing or kind not in ("add", "remove"):
        return None
    answered = response["securityGroupRuleSet" if kind == "add" else "revokedSecurityGroupRuleSet"]
    if answered.is_missing or _is_omitted(answered):
        return None
    owners = {rule.source.value: rule.source for rule in requested if rule.source.kind == "group"}
    return tuple(_answered_rule(item, direction, account, owners) for item in _items(answered))


def _answered_rule(item: Field, direction: Direction, account: str, owners: Mapping[str, Source]) -> Rule:
    is_egress = item["isEgress"]
    if not is_egress.is_missing:
        direction = "egress" if is_egress.flag() else "ingress"
    source = _flat_source(item, account)
    if source.kind == "group" and item["referencedGroupInfo"].is_missing:
        # The answer to a revoke names the referenced group without its owner; the request may have had it.
        source = owners.get(source.value, replace(source, account=""))
    description = item["description"].optional_text()
    return _rule(
        item,
        direction,
        source,
        description=description,
        rule_id=item["securityGroupRuleId"].optional_text() or None,
    )


def _flat_source(values: Field, account: str) -> Source:
    """Return the source of a rule that has exactly one, as EC2's ``SecurityGroupRule`` has."""
    for spellings in (("cidrIpv4", "CidrIpv4"), ("cidrIpv6", "CidrIpv6")):
        field = values.either(*spellings)
        if not field.is_missing:
            return _cidr_source(field)
    field = values.either("prefixListId", "PrefixListId")
    if not field.is_missing:
        return prefix_list(field.text())
    info = values["referencedGroupInfo"]
    if not info.is_missing:
        return _group_source(info, account)
    field = values.either("referencedGroupId", "ReferencedGroupId")
    if not field.is_missing:
        return group(field.text(), account=account)
    raise values.error("has no source: none of cidrIpv4, cidrIpv6, prefixListId, referencedGroupId")


# -- identity ----------------------------------------------------------------------------------------------------------


def _caller(identity: Field) -> Caller:
    """Read ``userIdentity``; every type is taken, because an unknown type is somebody's unapproved change too.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    kind = identity["type"].optional_text() or "unknown"
    arn = identity["arn"].optional_text()
    issuer = identity["sessionContext"]["sessionIssuer"]
    issuer_arn = issuer["arn"].optional_text()
    return Caller(
        type=kind,
        account=identity["accountId"].optional_text(),
        arn=arn,
        principal_arn=issuer_arn or arn,
        name=_name(identity, kind, arn, issuer),
        invoked_by=identity["invokedBy"].optional_text(),
    )


def _name(identity: Field, kind: str, arn: str, issuer: Field) -> str:
    session = arn.rsplit("/", 1)[-1] if "/" in arn else ""
    principal = identity["principalId"].optional_text()
    if not session and ":" in principal:
        session = principal.split(":", 1)[1]
    user_name = identity["userName"].optional_text()
    role = issuer["userName"].optional_text() or issuer["arn"].optional_text().rsplit("/", 1)[-1]
    if role and kind != "IAMUser":
        return f"{session or principal or kind} ({role})"
    if kind == "Root":
        return f"root of account {identity['accountId'].optional_text() or 'unknown'}"
    if kind in ("AWSService", "AWSAccount"):
        return identity["invokedBy"].optional_text() or identity["accountId"].optional_text() or kind
    on_behalf = identity["onBehalfOf"]["userId"].optional_text()
    return user_name or session or on_behalf or principal or identity["invokedBy"].optional_text() or kind
