"""What the functions may do, what they were seen to do, and why some may do more."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from deploy.names import FUNCTIONS, Place
from deploy.policies import function_policy
from deploy.staging import place_scope
from tests.deploy.operations import CENTRAL, MEMBER, Operator

POLICIES: Final[dict[str, dict[str, Any]]] = {
    name: function_policy(
        place.app,
        name,
        place_scope(place, central_region=CENTRAL.region, central_account=CENTRAL.account),
    )
    for place in (CENTRAL, MEMBER)
    for name in FUNCTIONS[place.app]
}
"""Deployed policies by function."""

_RESTORES = "a removed or edited rule is put back as it was; the flows here only add rules"
_EGRESS = "only where the policy guards outbound rules too"
REASONS: Final[dict[tuple[str, str], str]] = {
    ("*", "logs:CreateLogStream"): "Lambda writes the log as the function's role",
    ("*", "logs:PutLogEvents"): "Lambda writes the log as the function's role",
    ("*", "xray:PutTelemetryRecords"): "Lambda sends traces as the function's role",
    ("*", "xray:PutTraceSegments"): "Lambda sends traces as the function's role",
    ("*", "sqs:SendMessage"): "Lambda sends what a function failed on to the queue as its role",
    ("*", "kms:Decrypt"): "only where topics or secrets are encrypted with a customer managed key",
    ("*", "kms:GenerateDataKey"): "only where topics are encrypted with a customer managed key",
    ("*", "secretsmanager:GetSecretValue"): "only where a setting refers to Secrets Manager instead of SSM",
    ("*", "ec2:AuthorizeSecurityGroupIngress"): _RESTORES,
    ("*", "ec2:AuthorizeSecurityGroupEgress"): _EGRESS,
    ("*", "ec2:RevokeSecurityGroupIngress"): _RESTORES,
    ("*", "ec2:RevokeSecurityGroupEgress"): _EGRESS,
    ("*", "ec2:ModifySecurityGroupRules"): _RESTORES,
    ("*", "ec2:UpdateSecurityGroupRuleDescriptionsIngress"): _RESTORES,
    ("*", "ec2:UpdateSecurityGroupRuleDescriptionsEgress"): _EGRESS,
    (
        "revertSecurityGroup",
        "dynamodb:BatchGetItem",
    ): "a call whose event leaves the group out: all groups are looked at",
    ("revertSecurityGroup", "dynamodb:UpdateItem"): "the same, where a difference cannot be taken back",
    ("snapshotSecurityGroups", "dynamodb:UpdateItem"): "a difference that cannot be taken back",
    ("api_handler", "dynamodb:GetItem"): "who may decide depends on the request; a late click on an approved one",
    ("securityGroupChange", "dynamodb:GetItem"): "the request that stands for one that only repeats it",
    ("sweepRequests", "dynamodb:GetItem"): "an index that does not have all of a request",
    ("sweepRequests", "sns:Publish"): "a decision whose message could not be sent at the click",
    (
        "*",
        "ec2:CreateTags",
    ): "a rule that had tags is restored with them; EC2 asks for this when authorize carries tags",
}


def actions(function: str) -> set[str]:
    """Return the actions that a function may take."""
    return {action for statement in POLICIES[function]["Statement"] for action in statement["Action"]}


def used_grants(operator: Operator) -> list[tuple[str, str, str]]:
    """Return (function, action, resource) of every call seen so far that needs a permission, each once."""
    found = set()
    for place in (CENTRAL, MEMBER):
        for name in FUNCTIONS[place.app]:
            for call in operator.cloud.calls[place.function(name)]:
                found |= {(name, action, resource) for action, resource in _needs(place, call)}
    return sorted(found)


def is_allowed(function: str, action: str, resource: str) -> bool:
    """Say whether a function's policy has an action on a resource."""
    for statement in POLICIES[function]["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in resources):
            return True
    return False


def _needs(place: Place, call: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the permissions that a call needs: (action, resource)."""
    action, params = f"{call['service']}:{call['operation']}", call["params"]
    match call["service"], call["operation"]:
        case "sts", "GetCallerIdentity":
            return  # allowed to everybody
        case "dynamodb", "TransactWriteItems":
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
            for item in params["TransactItems"]:
                for kind, one in item.items():
                    name = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
                    yield f"dynamodb:{name}", place.arn("dynamodb", f"table/{one['TableName']}")
        case "dynamodb", _:
            tables = [params["TableName"]] if "TableName" in params else list(params["RequestItems"])
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            for table in tables:
                yield action, place.arn("dynamodb", f"table/{table}{index}")
        case "sns", _:
            yield action, params["TopicArn"]
        case "ssm", _:
            yield action, place.arn("ssm", f"parameter{params['Name']}")
        case "ec2", _ if "GroupId" in params:
            yield action, place.arn("ec2", f"security-group/{params['GroupId']}")
        case _:
            yield action, "*"
