"""Puts back what somebody changed or deleted in the foundation outside of CloudFormation.

CloudFormation compares templates, not resources: where the template is the same, it answers "no updates" and leaves a
changed policy as it is. So a deployment compares the policies that decide who may do what, and the protection of the
table, with the template itself, and makes a deleted topic, queue or role again under its fixed name.

A lost table is not made again: an empty one would make the next snapshot accept what is open (docs/runbook.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from deploy import evidence, foundation, templates
from deploy.intrinsics import Resolver
from deploy.names import TABLES
from deploy.target import Target

Policy = Mapping[str, Any]


def repair(target: Target) -> Iterator[str]:
    """Repair policies and protection; yield what was repaired, e.g. ``the policy of the topic securityGroupChange``.

    Args:
        target: an app whose stack is up to date.
    """
    template = templates.foundation(target.place.app)
    stack = foundation.find_stack(target) or {}
    parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
    resolver = Resolver(template, target.place, parameters)
    for resource in template["Resources"].values():
        if resource["Type"] in _MAKERS:
            yield from _MAKERS[resource["Type"]](target, resolver, resource["Properties"])
    for resource in template["Resources"].values():
        if resource["Type"] in _REPAIRS and resolver.holds(resource.get("Condition", "")):
            yield from _REPAIRS[resource["Type"]](target, template, resolver, resource["Properties"])
    yield from _protect_table(target)


def _make_topic(target: Target, resolver: Resolver, properties: Mapping[str, Any]) -> Iterator[str]:
    name = properties["TopicName"]
    if target.find("sns", "get_topic_attributes", TopicArn=target.place.arn("sns", name)) is None:
        is_encrypted = resolver.resolved({"Fn::If": ["HasKey", True, False]})
        attributes = {"KmsMasterKeyId": f"alias/{target.place.stack}"} if is_encrypted else {}
        target.client("sns").create_topic(Name=name, Attributes=attributes)
        yield f"the topic {name}, which was missing"


def _make_queue(target: Target, _: Resolver, properties: Mapping[str, Any]) -> Iterator[str]:
    name = properties["QueueName"]
    if target.find("sqs", "get_queue_url", QueueName=name) is None:
        attributes = {one: str(properties[one]).lower() for one in ("MessageRetentionPeriod", "SqsManagedSseEnabled")}
        target.client("sqs").create_queue(QueueName=name, Attributes=attributes)
        yield f"the queue {name}, which was missing"


def _make_role(target: Target, resolver: Resolver, properties: Mapping[str, Any]) -> Iterator[str]:
    name = resolver.resolved(properties["RoleName"])
    if target.find("iam", "get_role", RoleName=name) is None:
        trust = json.dumps(resolver.resolved(properties["AssumeRolePolicyDocument"]))
        target.client("iam").create_role(
            RoleName=name, Description=properties["Description"], AssumeRolePolicyDocument=trust
        )
        yield f"the role {name}, which was missing"


_MAKERS: Final[Mapping[str, Callable[[Target, Resolver, Mapping[str, Any]], Iterator[str]]]] = {
    "AWS::SNS::Topic": _make_topic,
    "AWS::SQS::Queue": _make_queue,
    "AWS::IAM::Role": _make_role,
}


def _topic(target: Target, _: Any, resolver: Resolver, properties: Mapping[str, Any]) -> Iterator[str]:
    wanted = resolver.resolved(properties["PolicyDocument"])
    for arn in resolver.resolved(properties["Topics"]):
        found = target.find("sns", "get_topic_attributes", TopicArn=arn)
        if found is None or _same(found["Attributes"].get("Policy"), wanted):
            continue
        target.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(wanted)
        )
        yield f"the policy of the topic {arn.rsplit(':', 1)[-1]}"


def _queue(
    target: Target, template: Mapping[str, Any], resolver: Resolver, properties: Mapping[str, Any]
) -> Iterator[str]:
    wanted = resolver.resolved(properties["PolicyDocument"])
    for reference in properties["Queues"]:
        name = resolver.resolved(template["Resources"][reference["Ref"]]["Properties"]["QueueName"])
        found = target.find("sqs", "get_queue_url", QueueName=name)
        if found is None:
            continue
        sqs, url = target.client("sqs"), found["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        if not _same(attributes.get("Policy"), wanted):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(wanted)})
            yield f"the policy of the queue {name}"


def _role(target: Target, _: Any, resolver: Resolver, properties: Mapping[str, Any]) -> Iterator[str]:
    """Repair the role's own policies and who may take the role; what somebody added to it is left."""
    name = resolver.resolved(properties["RoleName"])
    found = target.find("iam", "get_role", RoleName=name)
    if found is None:
        return
    iam = target.client("iam")
    trust = resolver.resolved(properties["AssumeRolePolicyDocument"])
    if not _same(found["Role"]["AssumeRolePolicyDocument"], trust):
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        yield f"who may take the role {name}"
    for policy in properties["Policies"]:
        wanted, title = resolver.resolved(policy["PolicyDocument"]), policy["PolicyName"]
        present = target.find("iam", "get_role_policy", RoleName=name, PolicyName=title)
        if present is None or not _same(present["PolicyDocument"], wanted):
            iam.put_role_policy(RoleName=name, PolicyName=title, PolicyDocument=json.dumps(wanted))
            yield f"the policy {title} of the role {name}"


def _log_policy(target: Target, _: Any, resolver: Resolver, properties: Mapping[str, Any]) -> Iterator[str]:
    wanted = json.loads(resolver.resolved(properties["PolicyDocument"]))
    if not _same(evidence.find_policy(target), wanted):
        target.client("logs").put_resource_policy(policyName=evidence.POLICY, policyDocument=json.dumps(wanted))
        yield f"the policy {evidence.POLICY} of CloudWatch Logs"


_REPAIRS: Final[Mapping[str, Callable[[Target, Mapping[str, Any], Resolver, Mapping[str, Any]], Iterator[str]]]] = {
    "AWS::SNS::TopicPolicy": _topic,
    "AWS::SQS::QueuePolicy": _queue,
    "AWS::IAM::Role": _role,
    "AWS::Logs::ResourcePolicy": _log_policy,
}


def _protect_table(target: Target) -> Iterator[str]:
    table = TABLES[target.place.app]
    found = foundation.find_table(target)
    if found is not None and not found.get("DeletionProtectionEnabled"):
        target.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=True)
        yield f"the protection of the table {table}"


def _same(present: Any, wanted: Policy) -> bool:
    """Compare a policy as AWS returns it (a text, quoted, or a value) with the template's."""
    if isinstance(present, str):
        try:
            present = json.loads(unquote(present) if present.startswith("%") else present)
        except ValueError:
            return False
    return bool(_normal(present) == _normal(wanted))


def _normal(value: Any) -> Any:
    """Return a policy in one form: single values as lists, lists sorted, the root of an account as the account.

    AWS stores a principal that is an account id as the ARN of its root.
    """
    if isinstance(value, Mapping):
        return {name: _normal(one) for name, one in value.items()}
    values = [
        _normal(one) if isinstance(one, Mapping) else _bare(one)
        for one in (value if isinstance(value, list) else [value])
    ]
    return sorted(values, key=lambda one: json.dumps(one, sort_keys=True))


def _bare(value: Any) -> Any:
    parts = str(value).split(":")
    return parts[4] if parts[0] == "arn" and parts[2:4] == ["iam", ""] and parts[5:] == ["root"] else value
