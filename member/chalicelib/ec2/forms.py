"""EC2's API forms of rules: ``SecurityGroupRule`` as it answers, ``IpPermission`` and ``SecurityGroupRuleRequest`` as
it takes.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, assert_never

from shared.domain.rule import ALL_PROTOCOLS, Rule, RuleError, Source, cidr, group, make_rule, prefix_list
from shared.wire.fields import Field

Json = dict[str, Any]

_GROUP_NAME = "name:"
_NO_PORT = -1
"""What EC2 takes where the protocol has no ports."""


def rule_from_api(document: Mapping[str, object], owner: str) -> Rule:
    """Read one ``SecurityGroupRule`` of ``DescribeSecurityGroupRules`` or ``AuthorizeSecurityGroup*``.

    Args:
        document: as boto3 returns it.
        owner: account of a referenced group where EC2 does not say.

    Raises:
        FieldError: when a field is missing or malformed.
    """
    field = Field(document, "SecurityGroupRule")
    try:
        return make_rule(
            direction="egress" if field["IsEgress"].flag() else "ingress",
            protocol=field["IpProtocol"].text(),
            from_port=field["FromPort"].optional_integer(),
            to_port=field["ToPort"].optional_integer(),
            source=_source(field, owner),
            description=field["Description"].optional_text(),
            tags=((tag["Key"].text(), tag["Value"].optional_text()) for tag in field["Tags"].elements()),
            rule_id=field["SecurityGroupRuleId"].optional_text() or None,
        )
    except RuleError as error:
        raise field.error(str(error)) from error


def _source(field: Field, owner: str) -> Source:
    for name in ("CidrIpv4", "CidrIpv6"):
        if field[name].value:
            return cidr(field[name].text())
    if field["PrefixListId"].value:
        return prefix_list(field["PrefixListId"].text())
    info = field["ReferencedGroupInfo"]
    return group(
        info["GroupId"].text(),
        account=info["UserId"].optional_text() or owner,
        peering=info["VpcPeeringConnectionId"].optional_text(),
    )


def permissions(rules: Iterable[Rule], *, with_descriptions: bool) -> list[Json]:
    """Return ``IpPermissions`` for one call: one permission per protocol and port range, all sources of that range in
    it.

    Args:
        rules: rules of one direction.
        with_descriptions: descriptions are part of an authorize, and must not be part of a revoke.
    """
    ordered = sorted(rules, key=_range)
    return [_permission(tuple(same), with_descriptions=with_descriptions) for _, same in groupby(ordered, key=_range)]


def _range(rule: Rule) -> tuple[str, int, int]:
    return (
        rule.protocol,
        -1 if rule.from_port is None else rule.from_port,
        -1 if rule.to_port is None else rule.to_port,
    )


def _permission(rules: tuple[Rule, ...], *, with_descriptions: bool) -> Json:
    first = rules[0]
    permission: Json = {"IpProtocol": first.protocol}
    if first.from_port is not None:
        permission |= {"FromPort": first.from_port, "ToPort": first.to_port}
    elif first.protocol != ALL_PROTOCOLS:
        # Of a protocol by number EC2 allows all ports "regardless of any ports you specify"; some of its stand-ins
        # want some specified. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
        permission |= {"FromPort": _NO_PORT, "ToPort": _NO_PORT}
    for rule in rules:
        key, item = _permission_item(rule.source)
        if with_descriptions and rule.description:
            item["Description"] = rule.description
        permission.setdefault(key, []).append(item)
    return permission


def _permission_item(source: Source) -> tuple[str, Json]:
    match source.kind:
        case "ipv4":
            return "IpRanges", {"CidrIp": source.value}
        case "ipv6":
            return "Ipv6Ranges", {"CidrIpv6": source.value}
        case "prefix_list":
            return "PrefixListIds", {"PrefixListId": source.value}
        case "group":
            is_name = source.value.startswith(_GROUP_NAME)
            pair: Json = {"GroupName": source.value.removeprefix(_GROUP_NAME)} if is_name else {"GroupId": source.value}
            if source.account:
                pair["UserId"] = source.account
            if source.peering:
                pair["VpcPeeringConnectionId"] = source.peering
            return "UserIdGroupPairs", pair
        case _:
            assert_never(source.kind)


def rule_request(rule: Rule) -> Json:
    """Return the ``SecurityGroupRuleRequest`` that makes a rule exactly this one in place.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRuleRequest.html
    """
    request: Json = {
        "IpProtocol": rule.protocol,
        "FromPort": _NO_PORT if rule.from_port is None else rule.from_port,
        "ToPort": _NO_PORT if rule.to_port is None else rule.to_port,
        "Description": rule.description,
    }
    match rule.source.kind:
        case "ipv4":
            request["CidrIpv4"] = rule.source.value
        case "ipv6":
            request["CidrIpv6"] = rule.source.value
        case "prefix_list":
            request["PrefixListId"] = rule.source.value
        case "group":
            request["ReferencedGroupId"] = rule.source.value
        case _:
            assert_never(rule.source.kind)
    return request


def tag_specification(rules: tuple[Rule, ...]) -> list[Json]:
    """Return the ``TagSpecifications`` of an authorize call whose rules all carry the same tags.

    Tags whose keys begin with ``aws:`` are AWS's own; EC2 refuses calls that set them.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
    """
    tags = [(key, value) for key, value in rules[0].tags if not key.lower().startswith("aws:")]
    if not tags:
        return []
    return [{"ResourceType": "security-group-rule", "Tags": [{"Key": key, "Value": value} for key, value in tags]}]
