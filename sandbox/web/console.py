"""The EC2 console: the calls that AWS's console makes when a user views and edits inbound rules.

Adding is AuthorizeSecurityGroupIngress with one permission per row, editing (descriptions too) is
ModifySecurityGroupRules, deleting is RevokeSecurityGroupIngress by rule ids. Reading is done under the sandbox's own
role, so that it does not fill the timeline.
"""

from typing import Any

from sandbox.errors import SandboxError
from sandbox.settings import MemberAccount
from sandbox.system import Sandbox
from sandbox.web.body import BadRequestError, Body

#: The identities to choose from, in each member account; names as ``AwsAccess.credentials`` takes them.
IDENTITIES = {
    "user": "alice, IAM user",
    "sso": "ada@example.com, IAM Identity Center",
    "asker": "linus, IAM user who may only ask",
    "ci": "ci-deploy, exempt pipeline role",
}
MANY_AT_MOST = 200
_ICMP = ("icmp", "icmpv6")

Json = dict[str, Any]


class Console:
    """The console of all member accounts."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Look at and act on the accounts of a sandbox."""
        self._sandbox = sandbox

    def groups(self, account: str, region: str) -> Json:
        """Return the security groups of a member account and region with their inbound rules, the default last."""
        client = self._sandbox.aws.operator("ec2", self._member(account).id, self._region(region))
        groups = client.describe_security_groups()["SecurityGroups"]
        rules: dict[str, list[Json]] = {group["GroupId"]: [] for group in groups}
        for rule in client.describe_security_group_rules()["SecurityGroupRules"]:
            if not rule["IsEgress"]:
                rules[rule["GroupId"]].append(shown_rule(rule))
        ordered = sorted(groups, key=lambda group: (group["GroupName"] == "default", group["GroupName"]))
        return {
            "account": account,
            "region": region,
            "groups": [
                {
                    "id": group["GroupId"],
                    "name": group["GroupName"],
                    "description": group.get("Description", ""),
                    "rules": rules[group["GroupId"]],
                }
                for group in ordered
            ],
        }

    def add(self, body: Body) -> Json:
        """Add inbound rules, all in one call."""
        permissions = [permission_of(rule) for rule in body.bodies("rules")]
        return self._authorize(body, permissions)

    def add_many(self, body: Body) -> Json:
        """Add a number of different rules in one call."""
        count = int(body.number("count", least=1, most=MANY_AT_MOST))
        ranges = [
            {"CidrIp": f"10.{60 + number // 250}.{number % 250}.0/24", "Description": f"branch office {number + 1}"}
            for number in range(count)
        ]
        permission = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": ranges}
        return self._authorize(body, [permission])

    def deploy_stack(self, body: Body) -> Json:
        """Make many calls in a row, as a tool does that deploys a stack: one rule each, spread over the groups."""
        count = int(body.number("count", least=2, most=MANY_AT_MOST))
        client, groups = self._client(body), body.texts("groups")
        if not groups:
            raise BadRequestError("groups names no group.")
        answer: Json = {}
        for number in range(count):
            answer = client.authorize_security_group_ingress(
                GroupId=groups[number % len(groups)],
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": 9000 + number,
                        "ToPort": 9000 + number,
                        "IpRanges": [{"CidrIp": "10.70.0.0/16", "Description": f"service {number + 1}"}],
                    }
                ],
            )
        return {**_done("AuthorizeSecurityGroupIngress", answer), "calls": count}

    def edit(self, body: Body) -> Json:
        """Edit one rule in place."""
        change = {"SecurityGroupRuleId": body.text("ruleId"), "SecurityGroupRule": values_of(body.body("rule"))}
        answer = self._client(body).modify_security_group_rules(GroupId=body.text("group"), SecurityGroupRules=[change])
        return _done("ModifySecurityGroupRules", answer)

    def delete(self, body: Body) -> Json:
        """Delete rules by their ids."""
        answer = self._client(body).revoke_security_group_ingress(
            GroupId=body.text("group"), SecurityGroupRuleIds=body.texts("ruleIds")
        )
        return _done("RevokeSecurityGroupIngress", answer)

    def create_group(self, body: Body) -> Json:
        """Make a security group without rules."""
        description = body.text("description") or body.text("name")
        answer = self._client(body).create_security_group(GroupName=body.text("name"), Description=description)
        return {**_done("CreateSecurityGroup", answer), "group": answer["GroupId"]}

    def _authorize(self, body: Body, permissions: list[Json]) -> Json:
        answer = self._client(body).authorize_security_group_ingress(
            GroupId=body.text("group"), IpPermissions=permissions
        )
        rules = [shown_rule(rule) for rule in answer.get("SecurityGroupRules", ())]
        return {**_done("AuthorizeSecurityGroupIngress", answer), "rules": rules}

    def _client(self, body: Body) -> Any:
        who = body.choice("who", tuple(IDENTITIES))
        member, region = self._member(body.text("account")), self._region(body.text("region"))
        return self._sandbox.aws.ec2(member, who=who, region=region)

    def _member(self, account: str) -> MemberAccount:
        for member in self._sandbox.settings.members:
            if member.id == account:
                return member
        raise BadRequestError(f"{account!r} is not a member account.")

    def _region(self, region: str) -> str:
        if region not in self._sandbox.settings.regions:
            raise BadRequestError(f"{region!r} is not a guarded region.")
        return region


def shown_rule(rule: Json) -> Json:
    """Turn EC2's rule, e.g. ``{"SecurityGroupRuleId": "sgr-…", "CidrIpv4": "10.0.0.0/8", …}``, into the page's."""
    reference = rule.get("ReferencedGroupInfo", {}).get("GroupId", "")
    source = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or reference
    return {
        "id": rule["SecurityGroupRuleId"],
        "protocol": rule["IpProtocol"],
        "fromPort": rule.get("FromPort"),
        "toPort": rule.get("ToPort"),
        "source": source,
        "description": rule.get("Description", ""),
    }


def permission_of(rule: Body) -> Json:
    """Write a row of the form as an element of ``IpPermissions``."""
    kind, value = _source(rule.text("source"))
    described = {"Description": rule.text("description")} if rule.text("description") else {}
    sources = {
        "CidrIpv4": ("IpRanges", "CidrIp"),
        "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "PrefixListId": ("PrefixListIds", "PrefixListId"),
        "ReferencedGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    outer, inner = sources[kind]
    return {**_traffic(rule), outer: [{inner: value, **described}]}


def values_of(rule: Body) -> Json:
    """Write a row of the form as ModifySecurityGroupRules takes it."""
    kind, value = _source(rule.text("source"))
    return {**_traffic(rule), kind: value, "Description": rule.text("description")}


def _traffic(rule: Body) -> Json:
    protocol, ports = rule.text("protocol"), rule.text("ports")
    if protocol == "-1":
        return {"IpProtocol": protocol}
    if not ports:
        start, end = ("-1", "-1") if protocol in _ICMP else ("0", "65535")
    else:
        start, dash, end = ports.partition("-") if not ports.startswith("-") else (ports, "", "")
        end = end if dash else "-1" if protocol in _ICMP else start
    try:
        return {"IpProtocol": protocol, "FromPort": int(start), "ToPort": int(end)}
    except ValueError as error:
        raise SandboxError(f"Ports must be like 443 or 8000-8100, not {ports!r}.") from error


def _source(text: str) -> tuple[str, str]:
    """Tell the kind of a source by how it looks, as the console's search field does."""
    if text.startswith("pl-"):
        return "PrefixListId", text
    if text.startswith("sg-"):
        return "ReferencedGroupId", text
    return ("CidrIpv6" if ":" in text else "CidrIpv4"), text


def _done(action: str, answer: Json) -> Json:
    return {"action": action, "requestId": answer["ResponseMetadata"]["RequestId"]}
