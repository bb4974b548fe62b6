"""Reading the parameters of EC2's calls on rules: the group, and rules from every form the calls take."""

from typing import Any

from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError
from moto.ec2.models import ec2_backends
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.responses.security_groups import SecurityGroups

from sandbox.aws.repairs.rules import AwsRule


def addressed_group(response: SecurityGroups) -> SecurityGroup:
    """Find the group of a call, by id or by name alone; raises `InvalidGroup.NotFound`."""
    named = response._get_param("GroupId") or response._get_param("GroupName")
    group = response.ec2_backend.get_security_group_by_name_or_id(named)
    if not isinstance(group, SecurityGroup):
        raise InvalidSecurityGroupNotFoundError(named)
    return group


def rules_of_request(response: SecurityGroups, group: SecurityGroup, *, egress: bool) -> list[AwsRule]:
    """Make the rules that a call names: of `IpPermissions`, or of the flat form (`IpProtocol`, `CidrIp`, …).

    One rule per source. The flat form's `SourceSecurityGroupName` stands for all of tcp, udp and icmp.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
    """
    tags = response._parse_tag_specification().get("security-group-rule", {})
    permissions = response._get_param("IpPermissions", []) or _flat_permissions(response)
    rules: list[AwsRule] = []
    for permission in permissions:
        ranges = [*permission.get("IpRanges", []), *permission.get("Ipv6Ranges", [])]
        pairs = [_referenced(response, group, pair) for pair in permission.get("UserIdGroupPairs", [])]
        sources: list[tuple[Any, Any, Any]] = [
            *((item, None, None) for item in ranges),
            *((None, item, None) for item in pairs),
            *((None, None, item) for item in permission.get("PrefixListIds", [])),
        ]
        rules += [_rule(response, group, permission, source, egress, tags) for source in sources]
    return rules


def rule_of_request(response: SecurityGroups, group: SecurityGroup, values: dict[str, Any], *, egress: bool) -> AwsRule:
    """Make the rule that ModifySecurityGroupRules asks for, from a `SecurityGroupRuleRequest`."""
    described = {"Description": values["Description"]} if values.get("Description") else {}
    source: tuple[Any, Any, Any]
    if values.get("CidrIpv4") is not None:
        source = ({"CidrIp": values["CidrIpv4"], **described}, None, None)
    elif values.get("CidrIpv6") is not None:
        source = ({"CidrIpv6": values["CidrIpv6"], **described}, None, None)
    elif values.get("PrefixListId") is not None:
        source = (None, None, {"PrefixListId": values["PrefixListId"], **described})
    else:
        pair = {"GroupId": values["ReferencedGroupId"], **described}
        source = (None, _referenced(response, group, pair), None)
    return _rule(response, group, values, source, egress, {})


def _flat_permissions(response: SecurityGroups) -> list[dict[str, Any]]:
    params = response._get_params()
    source_name = params.get("SourceSecurityGroupName")
    if source_name:
        pair = {"GroupName": source_name}
        if params.get("SourceSecurityGroupOwnerId"):
            pair["UserId"] = params["SourceSecurityGroupOwnerId"]
        return [{"IpProtocol": name, "UserIdGroupPairs": [dict(pair)]} for name in ("tcp", "udp", "icmp")]
    if not params.get("CidrIp"):
        return []
    flat: dict[str, Any] = {key: params[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in params}
    return [{**flat, "IpRanges": [{"CidrIp": params["CidrIp"]}]}]


def _rule(
    response: SecurityGroups,
    group: SecurityGroup,
    values: dict[str, Any],
    source: tuple[Any, Any, Any],
    egress: bool,
    tags: dict[str, str],
) -> AwsRule:
    ip_range, pair, prefix_list = source
    return AwsRule(
        response.ec2_backend,
        values.get("IpProtocol", "-1"),
        group.id,
        values.get("FromPort"),
        values.get("ToPort"),
        ip_range,
        pair,
        prefix_list,
        egress,
        dict(tags),
    )


def _referenced(response: SecurityGroups, group: SecurityGroup, pair: dict[str, Any]) -> dict[str, Any]:
    """Resolve a referenced group: of this account, or of another one whose VPC is peered with the group's.

    A rule may reference a group of a peer VPC, in another account too, by account and group id; the answer
    then also names the VPC, the peering connection and its state.
    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
    """
    account = response.current_account
    owner = str(pair.get("UserId") or account)
    backend = ec2_backends[owner][response.region]
    named = str(pair.get("GroupId") or pair.get("GroupName"))
    other = backend.get_security_group_by_name_or_id(named)
    if other is None and not pair.get("UserId"):
        owner, other = _peered_group(response, named) or (owner, None)
    if other is None:
        raise InvalidSecurityGroupNotFoundError(named)
    resolved: dict[str, Any] = {"UserId": owner, "GroupId": other.id}
    if pair.get("Description"):
        resolved["Description"] = pair["Description"]
    if other.vpc_id != group.vpc_id:
        connection = _peering(response, {group.vpc_id, other.vpc_id})
        if connection is None:
            raise InvalidSecurityGroupNotFoundError(named)
        resolved |= {
            "VpcId": other.vpc_id,
            "VpcPeeringConnectionId": connection.id,
            "PeeringStatus": connection._status.code,
        }
    return resolved


def _peered_group(response: SecurityGroups, group_id: str) -> tuple[str, SecurityGroup] | None:
    """Find a group by id alone in the other accounts: a request often leaves the owner out."""
    for account, regions in list(ec2_backends.items()):
        if response.region in regions:
            found = regions[response.region].get_security_group_from_id(group_id)
            if found is not None:
                return account, found
    return None


def _peering(response: SecurityGroups, vpc_ids: set[str | None]) -> Any:
    for _, regions in list(ec2_backends.items()):
        if response.region not in regions:
            continue
        for connection in regions[response.region].vpc_pcxs.values():
            if {connection.vpc.id, connection.peer_vpc.id} == vpc_ids and connection._status.code == "active":
                return connection
    return None
