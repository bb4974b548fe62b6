"""The EC2 calls on security groups' rules, as AWS answers them; methods for moto's response class.

All or nothing per call, every kind of source, complete answers. Values and identity of a rule are in
``rules.py``, reading the parameters in ``parameters.py``.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    InvalidPermissionDuplicateError,
    InvalidPermissionNotFoundError,
    InvalidSecurityGroupRuleIdNotFoundError,
    MissingParameter,
    RulesPerSecurityGroupLimitExceededError,
)
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.responses.security_groups import SecurityGroups

from sandbox.aws.repairs.limits import check_description
from sandbox.aws.repairs.parameters import addressed_group, rule_of_request, rules_of_request
from sandbox.aws.repairs.rules import AwsRule, Identity, grouped_rules

#: Per direction, IPv4 and IPv6 counted apart.
#: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
RULES_PER_GROUP = 60
#: The kinds of source, as ModifySecurityGroupRules names them.
SOURCE_KEYS = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")


def authorize_ingress(response: SecurityGroups) -> ActionResult:
    """AuthorizeSecurityGroupIngress: adds every rule of the call or none, and returns them all."""
    return _authorize(response, egress=False)


def authorize_egress(response: SecurityGroups) -> ActionResult:
    """AuthorizeSecurityGroupEgress: adds every rule of the call or none, and returns them all."""
    return _authorize(response, egress=True)


def revoke_ingress(response: SecurityGroups) -> ActionResult:
    """RevokeSecurityGroupIngress: takes away all or none, and says what it took away and did not know."""
    return _revoke(response, egress=False)


def revoke_egress(response: SecurityGroups) -> ActionResult:
    """RevokeSecurityGroupEgress: takes away all or none, and says what it took away and did not know."""
    return _revoke(response, egress=True)


def describe_ingress(response: SecurityGroups) -> ActionResult:
    """UpdateSecurityGroupRuleDescriptionsIngress, by rule id and by permission."""
    return _describe(response, egress=False)


def describe_egress(response: SecurityGroups) -> ActionResult:
    """UpdateSecurityGroupRuleDescriptionsEgress, by rule id and by permission."""
    return _describe(response, egress=True)


def modify(response: SecurityGroups) -> ActionResult:
    """ModifySecurityGroupRules: replaces protocol, ports, source and description; id and tags stay.

    Every kind of source. The kind itself cannot change, and a rule cannot become the same as another one. An
    absent description is an empty one. All rules of the call change, or none.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
    """
    response.error_on_dryrun()
    group = addressed_group(response)
    changes = [_change(response, group, item) for item in response._get_param("SecurityGroupRules", [])]
    if not changes:
        raise MissingParameter("The request must contain the parameter SecurityGroupRule")
    replaced = {rule.id: new for rule, new in changes}
    for direction in (group.ingress_rules, group.egress_rules):
        _refuse_duplicates([], [replaced.get(rule.id, rule) for rule in direction])
    for rule, new in changes:
        rule.ip_protocol, rule.from_port, rule.to_port = new.ip_protocol, new.from_port, new.to_port
        rule.ip_range, rule.source_group = new.ip_range, new.source_group
        rule.prefix_list_id = new.prefix_list_id
        rule.description = new.description
    return ActionResult({"Return": True})


def _change(response: SecurityGroups, group: SecurityGroup, item: dict[str, Any]) -> tuple[Any, AwsRule]:
    rule_id = item["SecurityGroupRuleId"]
    values = item.get("SecurityGroupRule", {})
    rule = group.get_rule(rule_id)
    if not isinstance(rule, AwsRule):
        raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)
    sources = [key for key in SOURCE_KEYS if values.get(key) is not None]
    if len(sources) > 1:
        raise InvalidParameterCombination(
            "Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified"
        )
    if not sources:
        raise MissingParameter(
            "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId"
        )
    if values.get("IpProtocol") is None:
        raise InvalidParameterValue(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
        )
    if rule.source[0] != sources[0]:
        raise InvalidParameterValue(
            f"Invalid rule type for security group rule '{rule_id}'. "
            f"You may not specify {sources[0]} for an existing {rule.source[0]} rule."
        )
    return rule, rule_of_request(response, group, values, egress=rule.is_egress)


def _authorize(response: SecurityGroups, *, egress: bool) -> ActionResult:
    response.error_on_dryrun()
    group = addressed_group(response)
    wanted = rules_of_request(response, group, egress=egress)
    if not wanted:
        raise MissingParameter("The request must contain the parameter ipPermissions")
    existing: list[Any] = group.egress_rules if egress else group.ingress_rules
    _refuse_duplicates(existing, wanted)
    _refuse_too_many([*existing, *wanted])
    existing.extend(wanted)
    return ActionResult({"Return": True, "SecurityGroupRules": wanted})


def _refuse_duplicates(existing: list[Any], wanted: list[Any]) -> None:
    seen: set[Identity] = {rule.identity for rule in existing}
    for rule in wanted:
        if rule.identity in seen:
            raise InvalidPermissionDuplicateError
        seen.add(rule.identity)


def _refuse_too_many(rules: list[AwsRule]) -> None:
    for other_family in ("CidrIpv4", "CidrIpv6"):
        if sum(rule.source[0] != other_family for rule in rules) > RULES_PER_GROUP:
            raise RulesPerSecurityGroupLimitExceededError


def _revoke(response: SecurityGroups, *, egress: bool) -> ActionResult:
    """All or nothing by rule id and in a non-default VPC; in a default VPC unknown rules are only listed.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    response.error_on_dryrun()
    group = addressed_group(response)
    rules: list[Any] = group.egress_rules if egress else group.ingress_rules
    rule_ids = response._get_param("SecurityGroupRuleIds", [])
    unknown: list[AwsRule] = []
    if rule_ids:
        revoked = [_rule_by_id(rules, rule_id) for rule_id in rule_ids]
    else:
        known = {rule.identity: rule for rule in rules}
        wanted = rules_of_request(response, group, egress=egress)
        revoked = [known[rule.identity] for rule in wanted if rule.identity in known]
        unknown = [rule for rule in wanted if rule.identity not in known]
    if unknown and not _in_default_vpc(response, group):
        raise InvalidPermissionNotFoundError
    gone = {rule.id for rule in revoked}
    rules[:] = [rule for rule in rules if rule.id not in gone]
    result: dict[str, Any] = {"Return": True}
    if revoked:
        result["RevokedSecurityGroupRules"] = revoked
    if unknown:
        result["UnknownIpPermissions"] = grouped_rules(group, unknown)
    return ActionResult(result)


def _rule_by_id(rules: list[Any], rule_id: str) -> Any:
    for rule in rules:
        if rule.id == rule_id:
            return rule
    raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)


def _in_default_vpc(response: SecurityGroups, group: SecurityGroup) -> bool:
    vpc = response.ec2_backend.vpcs.get(group.vpc_id)
    return vpc is not None and vpc.is_default in (True, "true")


def _describe(response: SecurityGroups, *, egress: bool) -> ActionResult:
    """Sets descriptions; an omitted description is removed; a rule that is not there fails the call.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsIngress.html
    """
    response.error_on_dryrun()
    group = addressed_group(response)
    rules: list[Any] = group.egress_rules if egress else group.ingress_rules
    updates: list[tuple[Any, str | None]] = [
        (_rule_by_id(rules, item["SecurityGroupRuleId"]), item.get("Description"))
        for item in response._get_param("SecurityGroupRuleDescriptions", [])
    ]
    known = {rule.identity: rule for rule in rules}
    for wanted in rules_of_request(response, group, egress=egress):
        if wanted.identity not in known:
            raise InvalidPermissionNotFoundError
        updates.append((known[wanted.identity], wanted.description))
    for _, description in updates:
        check_description(description)
    for rule, description in updates:
        rule.description = description
    return ActionResult({"Return": True})
