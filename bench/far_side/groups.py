"""As much of EC2 as reverting and snapshots use: any number of groups and rules, in memory, in EC2's own limits.

moto allows sixty rules in a group and takes seconds for a thousand groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

OWNER: Final = "123456789012"
_NAMESPACE: Final = "http://ec2.amazonaws.com/doc/2016-11-15/"
_LARGEST_PAGE: Final = 1000


@dataclass(slots=True)
class Group:
    """A security group: its name, and its rules as EC2 writes them, by id."""

    name: str
    rules: dict[str, str] = field(default_factory=dict)


class Groups:
    """The security groups of one account and region."""

    def __init__(self) -> None:
        """Begin with none."""
        self.groups: dict[str, Group] = {}
        self._number = 0

    def add_group(self, group_id: str, name: str) -> None:
        """Make a group, or make it anew, with the outbound rule that EC2 gives it."""
        rule_id = f"sgr-e{group_id[-16:]:0>16}"
        egress = (
            f"<item><securityGroupRuleId>{rule_id}</securityGroupRuleId><groupId>{group_id}</groupId>"
            f"<groupOwnerId>{OWNER}</groupOwnerId><isEgress>true</isEgress><ipProtocol>-1</ipProtocol>"
            "<fromPort>-1</fromPort><toPort>-1</toPort><cidrIpv4>0.0.0.0/0</cidrIpv4></item>"
        )
        self.groups[group_id] = Group(name=name, rules={rule_id: egress})

    def add_rules(self, group_id: str, cidrs: Iterable[str], *, port: int) -> list[str]:
        """Open a port to some CIDR blocks; return the ids of the rules."""
        made = []
        for cidr in cidrs:
            self._number += 1
            rule_id = f"sgr-{self._number:017x}"
            self.groups[group_id].rules[rule_id] = (
                f"<item><securityGroupRuleId>{rule_id}</securityGroupRuleId><groupId>{group_id}</groupId>"
                f"<groupOwnerId>{OWNER}</groupOwnerId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol>"
                f"<fromPort>{port}</fromPort><toPort>{port}</toPort><cidrIpv4>{escape(cidr)}</cidrIpv4>"
                "<description>bench</description></item>"
            )
            made.append(rule_id)
        return made

    def answer(self, operation: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        """Answer a call with status and body."""
        match operation:
            case "RevokeSecurityGroupIngress":
                return self._revoke(parameters)
            case "DescribeSecurityGroupRules":
                wanted = parameters.get("Filter.1.Value.1")
                groups = self.groups.values() if wanted is None else [self.groups.get(wanted, Group(name=""))]
                rules = [text for group in groups for text in group.rules.values()]
                return _page(operation, "securityGroupRuleSet", rules, parameters)
            case "DescribeSecurityGroups":
                wanted = parameters.get("GroupId.1")
                ids = self.groups if wanted is None else [wanted] if wanted in self.groups else []
                if wanted is not None and not ids:
                    return error("InvalidGroup.NotFound", 400)
                return _page(operation, "securityGroupInfo", [self._group(one) for one in ids], parameters)
            case _:
                return error(f"NotImplemented {operation}", 501)

    def _group(self, group_id: str) -> str:
        name = escape(self.groups[group_id].name)
        return (
            f"<item><ownerId>{OWNER}</ownerId><groupId>{group_id}</groupId><groupName>{name}</groupName>"
            "<groupDescription>bench</groupDescription><vpcId>vpc-1</vpcId></item>"
        )

    def _revoke(self, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        group = self.groups.get(parameters["GroupId"])
        ids = [value for name, value in parameters.items() if name.startswith("SecurityGroupRuleId.")]
        if group is None:
            return error("InvalidGroup.NotFound", 400)
        if not ids:
            return error("NotImplemented: revoke by permission", 501)
        if any(rule_id not in group.rules for rule_id in ids):  # all or nothing, as in EC2
            return error("InvalidSecurityGroupRuleId.NotFound", 400)
        for rule_id in ids:
            del group.rules[rule_id]
        return 200, _document("RevokeSecurityGroupIngress", "<return>true</return>")


def _page(operation: str, element: str, items: list[str], parameters: Mapping[str, str]) -> tuple[int, bytes]:
    begin = int(parameters.get("NextToken", "0"))
    end = begin + min(int(parameters.get("MaxResults", _LARGEST_PAGE)), _LARGEST_PAGE)
    token = f"<nextToken>{end}</nextToken>" if end < len(items) else ""
    return 200, _document(operation, f"<{element}>{''.join(items[begin:end])}</{element}>{token}")


def _document(operation: str, content: str) -> bytes:
    return (
        f'<{operation}Response xmlns="{_NAMESPACE}"><requestId>bench</requestId>{content}</{operation}Response>'
    ).encode()


def error(code: str, status: int) -> tuple[int, bytes]:
    """Return an error as EC2 writes it."""
    detail = f"<Error><Code>{escape(code)}</Code><Message>{escape(code)}</Message></Error>"
    return status, f"<Response><Errors>{detail}</Errors><RequestID>bench</RequestID></Response>".encode()
