"""The verb ``package``: one self-contained CloudFormation template per app, for a fleet.

``chalice package`` writes SAM, which StackSets with service-managed permissions do not take: they run no macros
(https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html, ``Capabilities``). So
what it writes, merged with the foundation and with what Chalice leaves out, is translated here, by AWS's own
translator.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any, Final

from deploy import running_chalice, staging
from deploy.finishing import BURST, DELIVERY_SECONDS, EVENT_AGE_SECONDS, LOG_DAYS, REQUESTS_PER_SECOND, RETRIES
from deploy.names import FUNCTIONS, ROUTE, RULES, TOPICS, App
from deploy.policies import TEMPLATE_SCOPE, as_template, function_policy
from deploy.templates import as_body, foundation

_STAGE: Final = "package"
_BUCKET: Final = "${CodeBucketPrefix}-${AWS::Region}"
_LOGICAL: Final = {ROUTE: "APIHandler"}


def package(app: App, folder: Path, environment: dict[str, str]) -> tuple[Path, Path]:
    """Write an app's template and zip.

    Args:
        app: which.
        folder: where to.
        environment: for Chalice's process.

    Returns:
        The template, and the zip, whose name is its SHA-256; that is where the template looks for it.
    """
    project = staging.make_project(folder / f"{app}-project", app, _STAGE, _stage(app), TEMPLATE_SCOPE[app])
    merge = project / "merge.json"
    merge.write_text(json.dumps(_additions(app)), encoding="utf-8")
    built = folder / f"{app}-built"
    running_chalice.chalice(
        project,
        ["package", "--stage", _STAGE, "--template-format", "json", "--merge-template", str(merge), str(built)],
        # Nobody's credentials are needed, but boto3 wants some region.
        {"AWS_DEFAULT_REGION": "us-east-1", **environment},
    )
    digest = hashlib.sha256((built / "deployment.zip").read_bytes()).hexdigest()
    code = folder / f"{app}-{digest}.zip"
    shutil.move(built / "deployment.zip", code)
    sam = json.loads((built / "sam.json").read_text(encoding="utf-8"))
    shutil.rmtree(built)
    template = folder / f"{app}.template.json"
    # Compact, so that CloudFormation takes it without a bucket.
    template.write_text(as_body(_plain(app, sam, code.name)), encoding="utf-8")
    return template, code


def _stage(app: App) -> dict[str, Any]:
    stage = staging.shipped_stage(app)
    if app == "member":
        # Chalice wants a text; the merged template puts the role of the foundation in its place.
        stage["iam_role_arn"] = "arn:aws:iam::000000000000:role/merged"
    return stage


def _additions(app: App) -> dict[str, Any]:
    """Return the template that ``chalice package`` merges into its own."""
    base = foundation(app)
    base["Parameters"].update(_parameters(app))
    resources = base["Resources"]
    for function in FUNCTIONS[app]:
        resources.update(_of_function(app, function))
    if app == "central":
        resources["RestAPI"] = {
            "Properties": {
                "MethodSettings": [
                    {
                        "ResourcePath": "/*",
                        "HttpMethod": "*",
                        "ThrottlingRateLimit": REQUESTS_PER_SECOND,
                        "ThrottlingBurstLimit": BURST,
                    }
                ]
            }
        }
        base["Outputs"]["RequestUrl"] = {
            "Description": "For Slack's Interactivity Request URL.",
            "Value": {"Fn::Sub": "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/prod/slack/actions"},
        }
    base["Globals"] = {"Api": {"OpenApiVersion": "2.0"}}  # else SAM adds a second stage to the API
    del base["AWSTemplateFormatVersion"]
    return base


def _parameters(app: App) -> dict[str, Any]:
    common: dict[str, Any] = {
        "CodeBucketPrefix": {
            "Type": "String",
            "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,40}$",
            "ConstraintDescription": "the beginning of a bucket name",
            "Description": "Each region has a bucket of this name, a hyphen and the region, with the zip in it.",
        },
        "LogRetentionDays": {"Type": "Number", "Default": 90, "AllowedValues": list(LOG_DAYS)},
    }
    if app == "central":
        secrets = ("approvalHookUrl", "monitoringHookUrl", "slackSigningSecret")
        shipped = staging.shipped_stage("central")["environment_variables"]
        return common | {
            name[0].upper() + name[1:]: {
                "Type": "String",
                "Default": shipped[name],
                "AllowedPattern": "^(ssm:/|secretsmanager:).+$",
                "ConstraintDescription": "a reference: ssm:/name or secretsmanager:name",
            }
            for name in secrets
        }
    return common | {
        "ModeOverride": {
            "Type": "String",
            "Default": "",
            "AllowedValues": ["", "observe", "enforce"],
            "Description": "Replaces the policy's mode; begin with observe. Empty: the policy file decides.",
        },
        "AccountName": {
            "Type": "String",
            "Default": "",
            "Description": "What people call the account; its number where this is empty.",
        },
    }


def _of_function(app: App, function: str) -> dict[str, Any]:
    """Return what is merged into one function, and its log group."""
    logical = _logical(function)
    name = {"Fn::Sub": _name(app, function)}
    properties: dict[str, Any] = {
        "FunctionName": name,
        "Tags": {"stage": {"Ref": "Stage"}},
        "Environment": {"Variables": _environment(app)},
    }
    if app == "member":
        properties["Role"] = {"Fn::GetAtt": ["Role", "Arn"]}
    if function != ROUTE:
        properties["EventInvokeConfig"] = {
            "MaximumRetryAttempts": RETRIES,
            "MaximumEventAgeInSeconds": EVENT_AGE_SECONDS,
            "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}},
        }
        properties["Events"] = _events(app, function)
    found: dict[str, Any] = {
        logical: {"Properties": properties, "DependsOn": [f"{logical}LogGroup"]},
        f"{logical}LogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/aws/lambda/{_name(app, function)}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        },
    }
    if app == "central":
        role = "ApiHandlerRole" if function == ROUTE else f"{logical}Role"
        document = as_template(function_policy(app, function, TEMPLATE_SCOPE[app]))
        found[role] = {
            "Properties": {
                "RoleName": {"Fn::Sub": f"{app}-${{Stage}}-${{AWS::Region}}-{function}"},
                "Policies": [{"PolicyName": function, "PolicyDocument": document}],
            }
        }
    return found


def _events(app: App, function: str) -> dict[str, Any]:
    logical, queue = _logical(function), {"Fn::GetAtt": ["Undelivered", "Arn"]}
    if function in TOPICS[app]:
        topics = {
            "securityGroupChange": "ChangeTopic",
            "errorHandlerSecurityGroupChange": "ErrorTopic",
            "denySecurityGroupChange": "DenyTopic",
            "applySecurityGroupChange": "ApplyTopic",
        }
        properties: dict[str, Any] = {
            # Not a Ref: the merge would join it with the Fn::Sub that is there.
            "Topic": {"Fn::Sub": f"${{{topics[function]}}}"},
            "RedrivePolicy": {"deadLetterTargetArn": queue},
        }
        return {f"{logical}SnsSubscription": {"Properties": properties}}
    assert function in RULES[app]  # noqa: S101 - every function that is no route has a topic or a rule
    rule = {"Fn::Sub": f"{_name(app, function)}-event"}
    properties = {
        "RuleName" if function == "revertSecurityGroup" else "Name": rule,
        "DeadLetterConfig": {"Arn": queue},
        "RetryPolicy": {"MaximumEventAgeInSeconds": DELIVERY_SECONDS, "MaximumRetryAttempts": 185},
    }
    event: dict[str, Any] = {"Properties": properties}
    if function == "revertSecurityGroup":
        event["Type"] = "EventBridgeRule"  # the newer name of CloudWatchEvent, the only one that has a RuleName
    return {f"{logical}Event": event}


def _environment(app: App) -> dict[str, Any]:
    if app == "central":
        return {
            name: {"Ref": name[0].upper() + name[1:]}
            for name in ("approvalHookUrl", "monitoringHookUrl", "slackSigningSecret")
        }
    return {
        "centralAccountId": {"Ref": "CentralAccountId"},
        "centralRegion": {"Ref": "CentralRegion"},
        "accountName": {"Ref": "AccountName"},
        "modeOverride": {"Ref": "ModeOverride"},
        staging.OWN_ROLE: {"Fn::GetAtt": ["Role", "Arn"]},
    }


def _name(app: App, function: str) -> str:
    base = f"{app}-${{Stage}}-${{AWS::Region}}"
    return base if function == ROUTE else f"{base}-{function}"


def _logical(function: str) -> str:
    return _LOGICAL.get(function, function[0].upper() + function[1:])


def _plain(app: App, sam: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the SAM template in plain CloudFormation."""
    # Imported here: it takes a second, and no other verb needs it.
    import boto3
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # it ships no types
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # see above

    for resource in sam["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # The translator takes only text; what CloudFormation fills in is put there afterwards.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": key}
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # of its metrics, which go nowhere
    session = boto3.Session(region_name="us-east-1")
    parameters = {name: str(one.get("Default", "")) for name, one in sam["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=session)
    plain: dict[str, Any] = translator.translate(sam, parameters)
    for resource in plain["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = {"S3Bucket": {"Fn::Sub": _BUCKET}, "S3Key": key}
    plain["AWSTemplateFormatVersion"] = "2010-09-09"
    plain["Description"] = foundation(app)["Description"]
    return plain
