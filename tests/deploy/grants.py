"""What the functions may do, what they were seen to do, and why some may do more."""

from __future__ import annotations

from typing import Any, Final

from deploy.names import FUNCTIONS
from deploy.policies import deployed_scope, function_policy
from tests.deploy.operations import CENTRAL, MEMBER, Operator
from tests.support.permissions import needs

POLICIES: Final[dict[str, dict[str, Any]]] = {
    name: function_policy(
        name, deployed_scope(place, {"centralRegion": CENTRAL.region, "centralAccountId": CENTRAL.account})
    )
    for place in (CENTRAL, MEMBER)
    for name in FUNCTIONS[place.app]
}
"""Deployed policies by function."""

_ELSEWHERE = "the flows here only add inbound rules; tests/member/test_permissions.py sees every kind of change"
REASONS: Final[dict[tuple[str, str], str]] = {
    ("*", "logs:CreateLogStream"): "Lambda writes the log as the function's role",
    ("*", "logs:PutLogEvents"): "Lambda writes the log as the function's role",
    ("*", "sqs:SendMessage"): "Lambda sends what a function failed on to the queue as its role",
    ("*", "kms:Decrypt"): "only where topics or secrets are encrypted with a customer managed key",
    ("*", "kms:GenerateDataKey"): "only where topics are encrypted with a customer managed key",
    ("*", "secretsmanager:GetSecretValue"): "only where a setting refers to Secrets Manager instead of SSM",
    ("*", "ec2:AuthorizeSecurityGroupIngress"): _ELSEWHERE,
    ("*", "ec2:AuthorizeSecurityGroupEgress"): _ELSEWHERE,
    ("*", "ec2:RevokeSecurityGroupIngress"): _ELSEWHERE,
    ("*", "ec2:RevokeSecurityGroupEgress"): _ELSEWHERE,
    ("*", "ec2:ModifySecurityGroupRules"): _ELSEWHERE,
    ("*", "ec2:UpdateSecurityGroupRuleDescriptionsIngress"): _ELSEWHERE,
    ("*", "ec2:UpdateSecurityGroupRuleDescriptionsEgress"): _ELSEWHERE,
    ("*", "ec2:CreateTags"): _ELSEWHERE,
    ("revertSecurityGroup", "dynamodb:GetItem"): "a baseline or an entry that another invocation wrote meanwhile",
    ("snapshotSecurityGroups", "dynamodb:UpdateItem"): "a difference that EC2 permanently refuses to revert",
    ("snapshotSecurityGroups", "dynamodb:DeleteItem"): "a group of another account that has a baseline",
    ("api_handler", "dynamodb:GetItem"): "who may decide depends on the request; a late click on an approved one",
    ("securityGroupChange", "dynamodb:GetItem"): "the request of which this one is a duplicate",
    ("sweepRequests", "dynamodb:GetItem"): "an index that does not have all of a request",
    ("*", "dynamodb:BatchGetItem"): "the requests of a batch",
    ("sweepRequests", "dynamodb:PutItem"): "a batch, once it has closed",
    ("denySecurityGroupChange", "dynamodb:GetItem"): "the batch of a request",
    ("errorHandlerSecurityGroupChange", "dynamodb:GetItem"): "the batch of a request",
    ("*", "ec2:DescribeManagedPrefixLists"): "only where a rule refers to a prefix list",
    ("*", "ec2:GetManagedPrefixListEntries"): "only where a rule refers to a prefix list",
    (
        "snapshotSecurityGroups",
        "ec2:DescribeNetworkInterfaces",
    ): "what a snapshot finds, and a time that ends",
    ("revertSecurityGroup", "dynamodb:UpdateItem"): "a call that needs no approval",
    ("sweepRequests", "sns:Publish"): "a decision whose message could not be sent at the click",
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
                needed = needs(call["service"], call["operation"], call["params"], place.arn)
                found |= {(name, action, resource) for action, resource in needed}
    return sorted(found)
