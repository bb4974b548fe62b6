"""What the functions may do, what they were seen to do, and why some may do more."""

from __future__ import annotations

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
    ("*", "ec2:CreateTags"): "a rule that had tags is restored with them; EC2 asks for this when authorize carries tags",
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
                action = f"{call['service']}:{call['operation']}"
                if action != "sts:GetCallerIdentity":  # allowed to everybody
                    found.add((name, action, _resource(place, call)))
    return sorted(found)


def is_allowed(function: str, action: str, resource: str) -> bool:
    """Say whether a function's policy has an action on a resource."""
    for statement in POLICIES[function]["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in resources):
            return True
    return False


def _resource(place: Place, call: dict[str, Any]) -> str:
    params = call["params"]
    match call["service"]:
        case "dynamodb":
            tables = [params["TableName"]] if "TableName" in params else list(params["RequestItems"])
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            return place.arn("dynamodb", f"table/{tables[0]}{index}")
        case "sns":
            return str(params["TopicArn"])
        case "ssm":
            return place.arn("ssm", f"parameter{params['Name']}")
        case "ec2" if "GroupId" in params:
            return place.arn("ec2", f"security-group/{params['GroupId']}")
        case _:
            return "*"
