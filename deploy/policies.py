"""Makes the policies of ``.chalice/*/policies`` as narrow as the place allows.

The files are written for every account, with ``*`` for partition, region and account. Here the place is known and its
own values replace the ``*``: real ones for ``chalice deploy``, CloudFormation's pseudo parameters for the templates.
``*`` stays only where resources of other accounts are meant.

A statement for what a function's own code does applies to that function alone. So the member app's functions share a
role without sharing rights, and somebody who attaches the role to another function gains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.names import FROM_MEMBERS, ROOT, ROUTE, App, Place, template_place
from shared.wire.messages import APPLY

SOURCE_FUNCTION: Final = "lambda:SourceFunctionArn"
"""IAM's key for the function whose code makes a call."""
_TRACE: Final = {
    "Sid": "Trace",
    "Effect": "Allow",
    "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    "Resource": "*",
}
"""What a function needs where ``config.json`` switches X-Ray on; as shipped it is off.

https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""
_MADE_BY_LAMBDA: Final = ("Failures", "Log", "OwnKey", "Trace")
"""Statements for calls that the function's code does not make itself: their context does not always name the function.

https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
"""
_NOT_FOR_OTHER_CODE: Final = ("Failures", "Log")
"""Those of them that the code of another function, given the role, could misuse: for a forged dead letter, which a
redrive would hand to the product, or a forged log. Calls of code always name their function, so code is refused.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a policy applies: the app's own place, and where the member app's central account is."""

    place: Place
    central_region: str = "*"
    central_account: str = "*"


def deployed_scope(place: Place, settings: Mapping[str, str]) -> Scope:
    """Return the scope of a deployed app.

    Args:
        place: where it is deployed.
        settings: environment variables of its functions.
    """
    return Scope(
        place=place,
        central_region=settings.get("centralRegion") or "*",
        central_account=settings.get("centralAccountId") or "*",
    )


def template_scope(app: App) -> Scope:
    """Return the scope of a CloudFormation template."""
    if app == "central":
        return Scope(place=template_place(app))
    return Scope(place=template_place(app), central_region="${CentralRegion}", central_account="${CentralAccountId}")


def function_policy(function: str, scope: Scope) -> dict[str, Any]:
    """Return the policy of a function, narrowed.

    Args:
        function: its key in ``config.json``.
        scope: where it applies.
    """
    name = {ROUTE: "buttonClick"}.get(function, function)
    text = (ROOT / ".chalice" / scope.place.app / "policies" / f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    if is_traced(scope.place.app):
        document["Statement"].append(dict(_TRACE))
    for statement in document["Statement"]:
        resource = statement["Resource"]
        statement["Resource"] = (
            narrow(resource, scope) if isinstance(resource, str) else [narrow(one, scope) for one in resource]
        )
        operator = _bound_by(statement["Sid"])
        if operator:
            bound = {operator: {SOURCE_FUNCTION: scope.place.function_arn(function)}}
            statement["Condition"] = {**statement.get("Condition", {}), **bound}
    return document


def is_traced(app: App) -> bool:
    """True when ``.chalice/<app>/config.json`` switches X-Ray on."""
    config = json.loads((ROOT / ".chalice" / app / "config.json").read_text(encoding="utf-8"))
    return bool(config["stages"]["dev"].get("xray"))


def _bound_by(sid: str) -> str:
    """Return the operator that binds a statement to its function; ``""`` for none."""
    if sid in _NOT_FOR_OTHER_CODE:
        return "ArnEqualsIfExists"
    return "" if sid in _MADE_BY_LAMBDA else "ArnEquals"


def as_template(value: Any) -> Any:
    """Return a policy, or a part of one, with ``Fn::Sub`` around every text that CloudFormation has to fill in."""
    if isinstance(value, Mapping):
        return {name: as_template(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_template(one) for one in value]
    return {"Fn::Sub": value} if isinstance(value, str) and "${" in value else value


def narrow(resource: str, scope: Scope) -> str:
    """Return an ARN of a policy with the place's own partition, region and account where those are meant.

    For example ``arn:*:dynamodb:*:*:table/securityGroupState`` becomes
    ``arn:aws:dynamodb:eu-west-1:222222222222:table/securityGroupState``.
    """
    if resource == "*":
        return resource
    _, _, service, _, _, name = resource.split(":", 5)
    region, account = _owner(service, name, scope)
    if service in ("events", "logs"):
        name = name.replace(f"/{scope.place.app}-*", f"/{scope.place.app}-{scope.place.chalice_stage}", 1)
    return ":".join(("arn", scope.place.partition, service, region, account, name))


def _owner(service: str, name: str, scope: Scope) -> tuple[str, str]:
    """Return region and account of a resource."""
    place = scope.place
    if place.app == "central" and (name == APPLY or service == "kms"):
        return "*", "*"  # topics of all member accounts and regions, and the keys they are encrypted with
    if place.app == "member" and (name in FROM_MEMBERS or service == "kms"):
        return scope.central_region, scope.central_account
    if name.startswith("prefix-list/"):
        return place.region, "*"  # AWS's own lists, and lists that other accounts share
    return place.region, place.account
