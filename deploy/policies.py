"""Makes the policies of ``.chalice/*/policies`` as narrow as the place allows.

The files hold for every account, with ``*`` for partition, region and account. Here the place is known, so its own goes
where theirs stands: in words for ``chalice deploy``, as CloudFormation's pseudo parameters for the templates. ``*``
stays only where resources of other accounts are meant.

A statement for what a function's own code does holds for that function alone: so the member app's functions, which
share a role, have the rights of one another no more than if they did not; and whoever gets hold of a role for a
function of their own gets nothing by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.names import ROOT, ROUTE, App

SOURCE_FUNCTION: Final = "lambda:SourceFunctionArn"
"""IAM's key for the function whose code makes a call."""
_FROM_MEMBERS: Final = ("securityGroupChange", "errorHandlerSecurityGroupChange")
"""Topics of the central account that member apps publish on."""
_BY_LAMBDA_ITSELF: Final = ("Failures", "Log", "OwnKey", "Trace")
"""Statements for calls that the function's code does not make itself: their context does not always say which function.

https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What stands for partition, region and account in a policy: words, or CloudFormation's placeholders."""

    app: App
    partition: str
    region: str
    account: str
    chalice_stage: str
    central_region: str = "*"
    central_account: str = "*"


TEMPLATE_SCOPE: Final[Mapping[App, Scope]] = {
    "central": Scope(
        app="central",
        partition="${AWS::Partition}",
        region="${AWS::Region}",
        account="${AWS::AccountId}",
        chalice_stage="${Stage}-${AWS::Region}",
    ),
    "member": Scope(
        app="member",
        partition="${AWS::Partition}",
        region="${AWS::Region}",
        account="${AWS::AccountId}",
        chalice_stage="${Stage}-${AWS::Region}",
        central_region="${CentralRegion}",
        central_account="${CentralAccountId}",
    ),
}


def function_policy(app: App, function: str, scope: Scope) -> dict[str, Any]:
    """Return the policy of a function, narrowed.

    Args:
        app: whose function.
        function: its key in ``config.json``.
        scope: where it will hold.
    """
    name = {ROUTE: "buttonClick"}.get(function, function)
    text = (ROOT / ".chalice" / app / "policies" / f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    for statement in document["Statement"]:
        resource = statement["Resource"]
        statement["Resource"] = (
            narrow(resource, scope) if isinstance(resource, str) else [narrow(one, scope) for one in resource]
        )
        if statement["Sid"] not in _BY_LAMBDA_ITSELF:
            statement["Condition"] = {"ArnEquals": {SOURCE_FUNCTION: _function_arn(function, scope)}}
    return document


def as_template(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy whose resources CloudFormation fills in."""
    return {
        **document,
        "Statement": [_as_template(one) for one in document["Statement"]],
    }


def narrow(resource: str, scope: Scope) -> str:
    """Return an ARN of a policy with the place's own partition, region and account where those are meant.

    For example ``arn:*:dynamodb:*:*:table/securityGroupState`` becomes
    ``arn:aws:dynamodb:eu-west-1:222222222222:table/securityGroupState``.
    """
    if resource == "*":
        return resource
    _, _, service, _, _, name = resource.split(":", 5)
    region, account = _owner(service, name, scope)
    if service == "logs":
        name = name.replace(f"/{scope.app}-*", f"/{scope.app}-{scope.chalice_stage}", 1)
    return ":".join(("arn", scope.partition, service, region, account, name))


def _owner(service: str, name: str, scope: Scope) -> tuple[str, str]:
    """Return region and account of a resource."""
    if scope.app == "central" and (name == "applySecurityGroupChange" or service == "kms"):
        return "*", "*"  # topics of all member accounts and regions, and the keys they are encrypted with
    if scope.app == "member" and (name in _FROM_MEMBERS or service == "kms"):
        return scope.central_region, scope.central_account
    if name.startswith("prefix-list/"):
        return scope.region, "*"  # AWS's own lists, and lists that other accounts share
    return scope.region, scope.account


def _function_arn(function: str, scope: Scope) -> str:
    name = f"{scope.app}-{scope.chalice_stage}" + ("" if function == ROUTE else f"-{function}")
    return f"arn:{scope.partition}:lambda:{scope.region}:{scope.account}:function:{name}"


def _as_template(statement: Mapping[str, Any]) -> dict[str, Any]:
    found = {**statement, "Resource": _substituted(statement["Resource"])}
    bound = statement.get("Condition", {}).get("ArnEquals")
    return (
        found
        if bound is None
        else found | {"Condition": {"ArnEquals": {SOURCE_FUNCTION: _substituted(bound[SOURCE_FUNCTION])}}}
    )


def _substituted(resource: Any) -> Any:
    if isinstance(resource, list):
        return [_substituted(one) for one in resource]
    return {"Fn::Sub": resource} if "${" in resource else resource
