"""CloudTrail events as EventBridge delivers them, part by part: identities, permissions, answers, whole envelopes.

Whole events as AWS writes them stand in ``tests/data/cloudtrail``; these builders make the many others that differ from
one of those in one respect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.aws.cloudtrail_forms import make_event, user_identity
from sandbox.aws.request import Caller
from shared.domain.rule import Rule

Json = dict[str, Any]

ACCOUNT = "222222222222"
REGION = "eu-west-1"
GROUP = "sg-0a1b2c3d4e5f60718"
EVENT_TIME = datetime(2026, 3, 2, 9, 15, 27, tzinfo=UTC)

DATA = Path(__file__).parent.parent / "data" / "cloudtrail"


def example(name: str) -> Json:
    """Return the whole event of ``tests/data/cloudtrail/<name>.json``."""
    event: Json = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return event


# -- identities --------------------------------------------------------------------------------------------------------


def iam_user(name: str = "ada", *, account: str = ACCOUNT, path: str = "/") -> Json:
    """An IAM user with an access key."""
    return user_identity(
        Caller(
            kind="IAMUser",
            account=account,
            arn=f"arn:aws:iam::{account}:user{path}{name}",
            principal_id="AIDAEXAMPLEEXAMPLE001",
            access_key_id="AKIAIOSFODNN7EXAMPLE",
            name=name,
        )
    )


def assumed_role(role: str = "deploy", session: str = "build-7", *, account: str = ACCOUNT, path: str = "/") -> Json:
    """A session of a role.

    Args:
        role: the role's name.
        session: the session's name, chosen by who assumed the role.
        account: the role's account.
        path: the role's path; the session's ARN does not show it.
    """
    return user_identity(
        Caller(
            kind="AssumedRole",
            account=account,
            arn=f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            principal_id=f"AROAEXAMPLEEXAMPLE002:{session}",
            access_key_id="ASIAIOSFODNN7EXAMPLE",
            name=role,
            role_arn=f"arn:aws:iam::{account}:role{path}{role}",
            role_id="AROAEXAMPLEEXAMPLE002",
            since=datetime(2026, 3, 2, 8, 50, 11, tzinfo=UTC),
        )
    )


def identity_center(person: str = "ada@example.com", permission_set: str = "Admin", *, account: str = ACCOUNT) -> Json:
    """A person who signed in through IAM Identity Center: a session of the permission set's role."""
    role = f"AWSReservedSSO_{permission_set}_0123456789abcdef"
    return assumed_role(role, person, account=account, path="/aws-reserved/sso.amazonaws.com/eu-west-1/")


def service_linked(role: str = "AWSServiceRoleForElasticLoadBalancing", *, account: str = ACCOUNT) -> Json:
    """A session of a service-linked role: AWS itself at work."""
    identity = assumed_role(
        role, "ElasticLoadBalancing", account=account, path="/aws-service-role/elasticloadbalancing.amazonaws.com/"
    )
    return {**identity, "invokedBy": "elasticloadbalancing.amazonaws.com"}


def root(*, account: str = ACCOUNT) -> Json:
    """The account's root user."""
    return {
        "type": "Root",
        "principalId": account,
        "arn": f"arn:aws:iam::{account}:root",
        "accountId": account,
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {"attributes": {"creationDate": "2026-03-02T08:50:11Z", "mfaAuthenticated": "true"}},
    }


# -- parts of calls ----------------------------------------------------------------------------------------------------


def permission(
    protocol: str = "tcp",
    first: int | str | None = 22,
    last: int | str | None = 22,
    *,
    ipv4: Sequence[Json | str] = (),
    ipv6: Sequence[Json | str] = (),
    prefix_lists: Sequence[Json | str] = (),
    groups: Sequence[Json] = (),
) -> Json:
    """One permission of an old-style request; a source is its CIDR or id, or the whole object of CloudTrail."""
    document: Json = {"ipProtocol": protocol}
    if first is not None:
        document |= {"fromPort": first, "toPort": last}
    document["groups"] = _items(groups)
    document["ipRanges"] = _items({"cidrIp": one} if isinstance(one, str) else one for one in ipv4)
    document["ipv6Ranges"] = _items({"cidrIpv6": one} if isinstance(one, str) else one for one in ipv6)
    document["prefixListIds"] = _items({"prefixListId": one} if isinstance(one, str) else one for one in prefix_lists)
    return document


def _items(elements: Iterable[Json]) -> Json:
    """CloudTrail writes an empty list of the old actions as ``{}``."""
    listed = list(elements)
    return {"items": listed} if listed else {}


def permission_of(rule: Rule) -> Json:
    """The permission that holds exactly this rule, as a careful client would send it."""
    described = {"description": rule.description} if rule.description else {}
    source = rule.source
    return permission(
        rule.protocol,
        rule.from_port,
        rule.to_port,
        ipv4=[{"cidrIp": source.value, **described}] if source.kind == "ipv4" else (),
        ipv6=[{"cidrIpv6": source.value, **described}] if source.kind == "ipv6" else (),
        prefix_lists=[{"prefixListId": source.value, **described}] if source.kind == "prefix_list" else (),
        groups=[_group_pair(rule) | described] if source.kind == "group" else (),
    )


def _group_pair(rule: Rule) -> Json:
    source = rule.source
    peering = {"vpcPeeringConnectionId": source.peering} if source.peering else {}
    return {"groupId": source.value, "userId": source.account, **peering}


def answered_rule(rule: Rule, *, owner: str = ACCOUNT, group_id: str = GROUP) -> Json:
    """The element of ``securityGroupRuleSet`` with which EC2 answers an Authorize call."""
    document: Json = {
        "groupOwnerId": owner,
        "groupId": group_id,
        "securityGroupRuleId": rule.rule_id,
        "isEgress": rule.direction == "egress",
        "ipProtocol": rule.protocol,
        "fromPort": -1 if rule.from_port is None else rule.from_port,
        "toPort": -1 if rule.to_port is None else rule.to_port,
        "tagSet": _items({"key": key, "value": value} for key, value in rule.tags),
    }
    key = {"ipv4": "cidrIpv4", "ipv6": "cidrIpv6", "prefix_list": "prefixListId", "group": "referencedGroupInfo"}
    document[key[rule.source.kind]] = _group_pair(rule) if rule.source.kind == "group" else rule.source.value
    if rule.description:
        document["description"] = rule.description
    return document


def revoked_rule(rule: Rule, *, group_id: str = GROUP) -> Json:
    """The element of ``revokedSecurityGroupRuleSet``; it says neither owner nor tags."""
    document = answered_rule(rule, group_id=group_id)
    document.pop("tagSet")
    document.pop("groupOwnerId")
    if rule.source.kind == "group":
        document.pop("referencedGroupInfo")
        document["referencedGroupId"] = rule.source.value
    return document


# -- whole events ------------------------------------------------------------------------------------------------------


def event(
    name: str,
    parameters: Json | None,
    response: Json | None,
    *,
    identity: Json | None = None,
    request_id: str = "",
    **fields: Any,
) -> Json:
    """Wrap one call as EventBridge delivers it.

    Args:
        name: the API action.
        parameters: ``requestParameters``.
        response: ``responseElements``.
        identity: ``userIdentity``; an IAM user when left out.
        request_id: ``requestID``; a new one when left out.
        **fields: other fields of the CloudTrail record, e.g. ``errorCode``, ``awsRegion``, ``eventTime``.
    """
    return make_event(
        name,
        parameters,
        response,
        identity=iam_user() if identity is None else identity,
        account=ACCOUNT,
        region=REGION,
        at=EVENT_TIME,
        request_id=request_id,
        **fields,
    )


def authorize(
    permissions: Sequence[Json],
    answered: Sequence[Json] | None = None,
    *,
    direction: str = "Ingress",
    group_id: str = GROUP,
    **fields: Any,
) -> Json:
    """An Authorize call with permissions.

    Args:
        permissions: from :func:`permission`.
        answered: from :func:`answered_rule`; without it the answer is the old one, which has no rules.
        direction: ``Ingress`` or ``Egress``.
        group_id: the group.
        **fields: as for :func:`event`.
    """
    response: Json = {"requestId": "ignored", "_return": True}
    if answered is not None:
        response["securityGroupRuleSet"] = {"items": list(answered)}
    parameters = {"groupId": group_id, "ipPermissions": _items(permissions)}
    return event(f"AuthorizeSecurityGroup{direction}", parameters, response, **fields)


def authorized(rules: Sequence[Rule], *, direction: str = "Ingress", **fields: Any) -> Json:
    """An Authorize call that made exactly these rules, each in a permission of its own, with EC2's full answer."""
    permissions = [permission_of(rule) for rule in rules]
    return authorize(permissions, [answered_rule(rule) for rule in rules], direction=direction, **fields)


def revoked(rules: Sequence[Rule], *, direction: str = "Ingress", with_answer: bool = True, **fields: Any) -> Json:
    """A Revoke call by permissions, with the answer of 2026 or the old one."""
    response: Json = {"requestId": "ignored", "_return": True}
    if with_answer:
        response["revokedSecurityGroupRuleSet"] = {"items": [revoked_rule(rule) for rule in rules]}
        response["unknownIpPermissionSet"] = {}
    parameters = {"groupId": GROUP, "ipPermissions": _items(permission_of(rule) for rule in rules)}
    return event(f"RevokeSecurityGroup{direction}", parameters, response, **fields)


def modified(edits: Sequence[Json], *, group_id: str = GROUP, **fields: Any) -> Json:
    """A ModifySecurityGroupRules call; CloudTrail writes one edit as an object and several as a list.

    Args:
        edits: from :func:`edit`.
        group_id: the group.
        **fields: as for :func:`event`.
    """
    numbered = [{"tag": index + 1, **one} for index, one in enumerate(edits)]
    request = {"GroupId": group_id, "SecurityGroupRule": numbered[0] if len(numbered) == 1 else numbered}
    response = {
        "ModifySecurityGroupRulesResponse": {
            "xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/",
            "requestId": "ignored",
            "return": True,
        }
    }
    return event("ModifySecurityGroupRules", {"ModifySecurityGroupRulesRequest": request}, response, **fields)


def edit(rule_id: str, **values: Any) -> Json:
    """One edit of a ModifySecurityGroupRules call.

    Args:
        rule_id: the rule.
        **values: ``IpProtocol``, ``FromPort``, ``ToPort``, ``CidrIpv4`` …, ``Description``.
    """
    return {"SecurityGroupRuleId": rule_id, "SecurityGroupRule": values}
