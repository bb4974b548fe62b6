"""A security group's rule as EC2 keeps it: canonical values, one identity, a description for every kind of source.

Only the rule itself; what the API calls do with rules is in `calls.py`.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import InvalidCIDRSubnetError, InvalidParameterValue
from moto.ec2.models.security_groups import GroupedSecurityRuleView, SecurityGroup, SecurityGroupRule

from sandbox.aws.repairs.limits import check_description, check_ports, check_protocol

#: EC2 shows these protocols by name, also when the caller sent a number.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
#: Ports (for ICMP: type and code) that mean "all", stored when the caller names none.
ALL_PORTS = {"tcp": (0, 65535), "udp": (0, 65535), "icmp": (-1, -1), "icmpv6": (-1, -1)}
#: Everything that tells two rules of one group and direction apart.
Identity = tuple[str, int | None, int | None, str, str]


def canonical_protocol(protocol: str) -> str:
    """Name a protocol as EC2 does: `"6"` and `"TCP"` are `"tcp"`, `"all"` is `"-1"`, `"50"` stays."""
    lowered = str(protocol).lower()
    return PROTOCOL_NAMES.get(lowered, lowered)


def canonical_cidr(text: str, *, version: int) -> str:
    """Write a CIDR as EC2 stores it: no host bits (`10.0.0.5/24` is `10.0.0.0/24`), shortest IPv6 text.

    Raises `InvalidParameterValue` as EC2 does when it is not a CIDR of that family.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidCIDRSubnetError(cidr=text) from error
    if network.version != version or (version == 4 and "/" not in text):
        raise InvalidCIDRSubnetError(cidr=text)
    return str(network)


def canonical_ports(protocol: str, ports: tuple[Any, Any]) -> tuple[int | None, int | None]:
    """Give the ports that EC2 stores: numbers where the protocol has ports, none where all ports are meant.

    ``-1`` and protocols other than tcp, udp, icmp and icmpv6 always mean all ports, also when others were sent; absent
    ports of those four mean all of them.
    """
    if protocol not in ALL_PORTS:
        return None, None
    start, end = ports
    if start is None and end is None:
        return ALL_PORTS[protocol]
    if start is None or end is None:
        raise InvalidParameterValue(
            f"Invalid value 'Must specify both from and to ports with {protocol.upper()}.' for portRange."
        )
    check_ports(protocol, int(start), int(end))
    return int(start), int(end)


class AwsRule(SecurityGroupRule):
    """moto's rule, with EC2's values and EC2's idea of sameness."""

    def __init__(
        self,
        ec2_backend: Any,
        ip_protocol: str,
        group_id: str,
        from_port: Any,
        to_port: Any,
        ip_range: dict[str, str] | None,
        source_group: dict[str, str] | None = None,
        prefix_list_id: dict[str, str] | None = None,
        is_egress: bool = True,
        tags: dict[str, str] | None = None,
    ) -> None:
        source = dict(ip_range or {})
        for key, version in (("CidrIp", 4), ("CidrIpv6", 6)):
            if key in source:
                source[key] = canonical_cidr(source[key], version=version)
        protocol = canonical_protocol(ip_protocol)
        check_protocol(protocol)
        # moto turns ports into numbers unless the protocol is -1, and fails on absent ones.
        super().__init__(ec2_backend, "-1", group_id, None, None, source, source_group, prefix_list_id, is_egress, tags)
        self.ip_protocol = protocol
        self.from_port, self.to_port = canonical_ports(protocol, (from_port, to_port))
        self._prefix_list_description = (prefix_list_id or {}).get("Description")
        check_description(self.description)

    @property
    def description(self) -> str | None:
        """The description, for every kind of source; ``None`` instead of an empty one."""
        text = self.ip_range.get("Description") or self.source_group.get("Description")
        return text or self._prefix_list_description or None

    @description.setter
    def description(self, text: str | None) -> None:
        holder = self.ip_range or self.source_group
        holder.pop("Description", None)
        self._prefix_list_description = None
        if not text:
            return
        if holder:
            holder["Description"] = text
        else:
            self._prefix_list_description = text

    @property
    def security_group_rule_id(self) -> str:
        """The rule's id by its full name, as the answer to a revoke has it."""
        return self.id

    @property
    def group_owner_id(self) -> str:
        """The account of the group, which EC2 gives with every rule it returns."""
        return self.owner_id

    @property
    def referenced_group_id(self) -> str | None:
        """The referenced group alone, as the answer to a revoke shows it."""
        return self.source_group.get("GroupId")

    @property
    def source(self) -> tuple[str, str]:
        """Kind and value: ``("CidrIpv4", "10.0.0.0/8")``, ``("ReferencedGroupId", "1111…/sg-0a…")``."""
        if "CidrIp" in self.ip_range:
            return "CidrIpv4", self.ip_range["CidrIp"]
        if "CidrIpv6" in self.ip_range:
            return "CidrIpv6", self.ip_range["CidrIpv6"]
        if self.prefix_list_id:
            return "PrefixListId", self.prefix_list_id
        owner = self.source_group.get("UserId") or self.owner_id
        return "ReferencedGroupId", f"{owner}/{self.source_group.get('GroupId', '')}"

    @property
    def identity(self) -> Identity:
        """What makes it this rule: protocol, ports and source; never the description.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
        """
        return (self.ip_protocol or "-1", self.from_port, self.to_port, *self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AwsRule) and self.identity == other.identity

    __hash__ = None  # type: ignore[assignment]  # a rule changes in place, as moto's own does


def grouped_rules(_group: SecurityGroup, rules: Iterable[AwsRule]) -> list[GroupedSecurityRuleView]:
    """Group rules into `IpPermissions` by protocol and ports, descriptions of every kind of source kept.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html
    """
    views: dict[tuple[str | None, int | None, int | None], GroupedSecurityRuleView] = {}
    for rule in rules:
        key = (rule.ip_protocol, rule.from_port, rule.to_port)
        view = views.setdefault(key, GroupedSecurityRuleView(rule.from_port, rule.to_port, rule.ip_protocol))
        if rule.ip_range:
            view.all_ip_ranges.append(rule.ip_range)
        if rule.source_group:
            view.source_groups.append(rule.source_group)
        if rule.prefix_list_id:
            described = {"Description": rule.description} if rule.description else {}
            view.prefix_list_ids.append({"PrefixListId": rule.prefix_list_id, **described})
    return list(views.values())
