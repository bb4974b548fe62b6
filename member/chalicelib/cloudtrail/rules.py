"""Reads the rules out of a CloudTrail record: what was sent, what EC2 answered, in every spelling of both.

What does not belong here: who called and what for (``member.chalicelib.cloudtrail.event``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from shared.domain.rule import (
    Direction,
    Rule,
    RuleError,
    Source,
    Tags,
    cidr,
    group,
    group_by_name,
    make_rule,
    prefix_list,
)
from shared.wire.fields import Field

from .call import CallKind, RuleEdit
from .forms import items


def requested_rules(parameters: Field, direction: Direction, account: str) -> Iterator[Rule]:
    """Yield the rules as they were sent, from permissions and from the flat form.

    Args:
        parameters: ``requestParameters``, or what stands below the wrapper of the newer actions.
        direction: from the action's name.
        account: owner of a referenced group where the caller left it out.

    Raises:
        FieldError: when a rule is missing a field or has a value EC2 could not have accepted.
    """
    tags = tuple(_specified_tags(parameters))
    for permission in items(parameters.either("ipPermissions", "IpPermissions")):
        yield from _permission(permission, direction, account, tags)
    if parameters["ipProtocol"].value is not None and parameters["cidrIp"].value is not None:
        yield _rule(parameters, direction, _cidr_source(parameters["cidrIp"]), description="", tags=tags)
    elif parameters["sourceSecurityGroupName"].value is not None:
        owner = parameters["sourceSecurityGroupOwnerId"].optional_text() or account
        source = group_by_name(parameters["sourceSecurityGroupName"].text(), account=owner)
        if parameters["ipProtocol"].value is None:
            # "The rule grants full ICMP, UDP, and TCP access": three rules, not the one of protocol -1.
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
            for protocol in ("icmp", "tcp", "udp"):
                yield make_rule(direction=direction, protocol=protocol, source=source, tags=tags)
        else:
            yield _rule(parameters, direction, source, description="", tags=tags)


def _permission(permission: Field, direction: Direction, account: str, tags: Tags) -> Iterator[Rule]:
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
        for item in items(permission.either(*spellings)):
            description = item.either("description", "Description").optional_text()
            yield _rule(permission, direction, source_of(item), description=description, tags=tags)


def _rule(
    field: Field, direction: Direction, source: Source, *, description: str, tags: Tags = (), rule_id: str | None = None
) -> Rule:
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
            tags=tags,
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
    for item in items(field):
        yield item.either("key", "Key").text(), item.either("value", "Value").optional_text()


def _specified_tags(parameters: Field) -> Iterator[tuple[str, str]]:
    """Yield the tags that an Authorize call asked for; EC2 puts them on every rule of the call."""
    for specification in items(parameters.either("tagSpecificationSet", "TagSpecification")):
        yield from _tags(specification.either("tags", "tagSet", "Tag"))


def requested_rule_ids(parameters: Field) -> Iterator[str]:
    """Yield the rule ids that were sent instead of rules, as the console does for a removal."""
    for item in items(parameters.either("securityGroupRuleIds", "SecurityGroupRuleIds")):
        is_object = isinstance(item.value, Mapping)
        yield item.either("securityGroupRuleId", "SecurityGroupRuleId").text() if is_object else item.text()


def modified_rules(parameters: Field, account: str) -> Iterator[RuleEdit]:
    """Yield the new values of each rule of ``ModifySecurityGroupRules``; the old ones are nowhere in the event."""
    for item in items(parameters.either("SecurityGroupRule", "securityGroupRule", "SecurityGroupRules")):
        values = item.either("SecurityGroupRule", "securityGroupRule")
        rule_id = item.either("SecurityGroupRuleId", "securityGroupRuleId").text()
        description = values.either("Description", "description").optional_text()
        rule = _rule(values, "ingress", _flat_source(values, account), description=description, rule_id=rule_id)
        yield RuleEdit(rule_id=rule_id, after=rule, description=description)


def described_rules(parameters: Field) -> Iterator[RuleEdit]:
    """Yield the new descriptions that a description update gives by rule id."""
    names = ("SecurityGroupRuleDescription", "securityGroupRuleDescriptions", "SecurityGroupRuleDescriptions")
    for item in items(parameters.either(*names)):
        yield RuleEdit(
            rule_id=item.either("SecurityGroupRuleId", "securityGroupRuleId").text(),
            after=None,
            description=item.either("Description", "description").optional_text(),
        )


def answered_rules(
    response: Field, kind: CallKind, direction: Direction, account: str, requested: tuple[Rule, ...]
) -> tuple[Rule, ...] | None:
    """Return the rules EC2 says it made or took away, with their ids; ``None`` when it does not say.

    Args:
        response: ``responseElements``.
        kind: what the call does; only additions and removals are answered with rules.
        direction: of the rules that do not say themselves.
        account: owner of a referenced group where the answer leaves it out.
        requested: what was sent; the answer to a revoke lacks the owner of a referenced group.
    """
    if response.is_missing or kind not in ("add", "remove"):
        return None
    answered = response["securityGroupRuleSet" if kind == "add" else "revokedSecurityGroupRuleSet"]
    if answered.is_missing:
        # In a default VPC EC2 takes the removal of absent rules for a success, and lists them here.
        nothing_went = kind == "remove" and any(True for _ in items(response["unknownIpPermissionSet"]))
        return () if nothing_went else None
    owners = {rule.source.value: rule.source for rule in requested if rule.source.kind == "group"}
    return tuple(_answered_rule(item, direction, account, owners) for item in items(answered))


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
        tags=tuple(_tags(item["tagSet"])),
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
