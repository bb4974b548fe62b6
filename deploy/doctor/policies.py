"""Checks of who may publish on the topics, and of what the functions' roles may do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from deploy.foundation import find_stack, parameter
from deploy.names import FROM_MEMBERS, FUNCTIONS
from deploy.policies import SOURCE_FUNCTION, deployed_scope, function_policy
from deploy.settings import configuration, current
from deploy.target import Target
from shared.wire.messages import APPLY


def from_members(target: Target) -> Iterator[str]:
    """The topics that members publish on accept messages from them and from nobody else."""
    stack = find_stack(target)
    organization = parameter(stack, "OrganizationId")
    accounts = [one for one in parameter(stack, "MemberAccountIds").split(",") if one]
    allowed = [organization] if organization else accounts
    key = "aws:PrincipalOrgID" if organization else "aws:PrincipalAccount"
    for topic in FROM_MEMBERS:
        yield from _topic(target, topic, key, allowed)


def from_central(target: Target) -> Iterator[str]:
    """The apply topic accepts messages from the central account and from nobody else."""
    central = current(target).get("centralAccountId", "")
    yield from _topic(target, APPLY, "aws:PrincipalAccount", [central])


def queues(target: Target) -> Iterator[str]:
    """The dead-letter queues accept dead letters from Lambda, SNS and EventBridge, and from nobody else."""
    for queue in target.place.queues:
        found = target.find("sqs", "get_queue_url", QueueName=queue)
        if found is None:
            continue  # reported by another check
        answer = target.client("sqs").get_queue_attributes(QueueUrl=found["QueueUrl"], AttributeNames=["Policy"])
        attributes = answer.get("Attributes", {})
        statements = json.loads(attributes.get("Policy") or "{}").get("Statement", [])
        if not any(one["Effect"] == "Deny" and "sqs:SendMessage" in _listed(one["Action"]) for one in statements):
            yield (
                f"The queue {queue} accepts messages from anybody with rights in this account, and a redrive would "
                f"send them to the functions. Run `make deploy-{target.place.app}` again."
            )


def roles(target: Target) -> Iterator[str]:
    """Every function runs under its role, and the role has the permissions of this checkout."""
    scope = deployed_scope(target.place, current(target))
    for name in FUNCTIONS[target.place.app]:
        found = configuration(target, name)
        if found is None:
            continue  # reported by another check
        role = found["Role"].rsplit("/", 1)[-1]
        full = target.place.function(name)
        if target.place.app == "member" and role != target.place.role:
            yield (
                f"{full} runs under the role {role} instead of {target.place.role}; approved changes would be reverted "
                "as somebody else's. Run `make deploy-member` again."
            )
            continue
        arn = target.place.function_arn(name)
        granted = _granted(target, role, arn)
        if granted is None:
            yield f"The role {role} of {full} is missing; run `make deploy-{target.place.app}` again."
            continue
        missing = {one for one in _grants(function_policy(name, scope), arn) if not _covers(granted, one)}
        if missing:
            actions = ", ".join(sorted({action for action, _ in missing}))
            yield (
                f"The role {role} lacks permissions that {full} needs: {actions}. "
                f"Run `make deploy-{target.place.app}` again."
            )


def _topic(target: Target, topic: str, key: str, allowed: list[str]) -> Iterator[str]:
    found = target.find("sns", "get_topic_attributes", TopicArn=target.place.arn("sns", topic))
    if found is None:
        return  # reported by another check
    statements = json.loads(found["Attributes"].get("Policy") or "{}").get("Statement", [])
    publishing = [one for one in statements if _names_publish(one)]
    who = _values(publishing, "Allow", "StringEquals", key) | _accounts(publishing)
    absent = [one for one in allowed if one not in who]
    again = f"Run `make deploy-{target.place.app}` again"
    if absent:
        yield f"The topic {topic} does not accept messages from {', '.join(absent)}. {again}."
    denied = [
        one
        for one in publishing
        if one["Effect"] == "Deny" and key in one.get("Condition", {}).get("StringNotEquals", {})
    ]
    if not denied:
        yield f"The topic {topic} does not deny everybody else, so others could publish on it. {again}."
    elif allowed and _values(denied, "Deny", "StringNotEquals", key) != set(allowed):
        others = sorted(_values(denied, "Deny", "StringNotEquals", key) ^ set(allowed))
        yield f"The topic {topic} has another list of accounts than the deployment says ({', '.join(others)}). {again}."
    if not any(one["Effect"] == "Deny" and "aws:SecureTransport" in str(one.get("Condition")) for one in publishing):
        yield f"The topic {topic} accepts messages without TLS. {again}."


def _names_publish(statement: Mapping[str, Any]) -> bool:
    return any(str(one).lower() in ("sns:publish", "sns:*") for one in _listed(statement.get("Action")))


def _values(statements: list[Any], effect: str, operator: str, key: str) -> set[str]:
    conditions = [one.get("Condition", {}).get(operator, {}).get(key) for one in statements if one["Effect"] == effect]
    return {value for one in conditions for value in _listed(one)}


def _accounts(statements: list[Any]) -> set[str]:
    """Return the accounts that are allowed as principals; AWS turns an id into the ARN of the account's root."""
    allowed = [one for one in statements if one["Effect"] == "Allow" and isinstance(one.get("Principal"), dict)]
    principals = [principal for one in allowed for principal in _listed(one["Principal"].get("AWS"))]
    return {principal.split(":")[4] if principal.startswith("arn:") else principal for principal in principals}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _grants(document: Mapping[str, Any], function: str) -> set[tuple[str, str]]:
    """Return (action, resource) of what a document allows to a function."""
    return {
        (action, resource)
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and _is_for(statement, function)
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


def _covers(granted: set[tuple[str, str]], needed: tuple[str, str]) -> bool:
    """True when a grant is there, or a wider one: plain Chalice takes the policies as shipped, for every account."""
    action, resource = needed
    return any(action == one and fnmatchcase(resource, pattern) for one, pattern in granted)


def _is_for(statement: Mapping[str, Any], function: str) -> bool:
    """True when a statement applies to a function; several functions share a role, each with its own statements."""
    conditions = statement.get("Condition", {})
    bound = [conditions.get(one, {}).get(SOURCE_FUNCTION) for one in ("ArnEquals", "ArnEqualsIfExists")]
    return all(one is None or function in _listed(one) for one in bound)


def _granted(target: Target, role: str, function: str) -> set[tuple[str, str]] | None:
    """Return what a role allows to a function, ``None`` when there is no such role."""
    policies = target.find("iam", "list_role_policies", RoleName=role)
    if policies is None:
        return None
    found: set[tuple[str, str]] = set()
    for name in policies["PolicyNames"]:
        document = target.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        found |= _grants(json.loads(unquote(document)) if isinstance(document, str) else document, function)
    return found
