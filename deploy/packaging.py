"""The verb ``package``: one self-contained CloudFormation template per app, for a fleet.

``chalice package`` writes SAM, which StackSets with service-managed permissions do not take: they run no macros
(https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html, ``Capabilities``). So
what it writes is merged with the foundation and with what Chalice leaves out, and translated here by AWS's own
translator.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any, Final

from central.chalicelib.secrets import SECRETS
from deploy import preflight, running_chalice, staging
from deploy.console import done
from deploy.finishing import (
    BURST,
    DELIVERY_SECONDS,
    DELIVERY_TRIES,
    EVENT_AGE_SECONDS,
    LOG_DAYS,
    REQUESTS_PER_SECOND,
    RETRIES,
)
from deploy.names import APPS, FUNCTIONS, REVERT, ROUTE, RULES, TOPICS, App, template_place
from deploy.policies import as_template, function_policy, template_scope
from deploy.templates import as_body, foundation

_STAGE: Final = "package"
_BUCKET: Final = "${CodeBucketPrefix}-${AWS::Region}"
_LOGICAL_NAMES: Final = {ROUTE: "APIHandler"}


def write_packages(_: None, *, app: App | None, out: Path) -> int:
    """The verb ``package``: write the templates and zips.

    Args:
        app: only this one.
        out: the folder to write them to.
    """
    preflight.check()
    out.mkdir(parents=True, exist_ok=True)
    for one in APPS if app is None else (app,):
        template, code = package(one, out, dict(os.environ))
        done(f"{template}: {template.stat().st_size:,} bytes")
        done(f"{code}: {code.stat().st_size:,} bytes; upload it to the bucket of every region")
    return 0


def package(app: App, folder: Path, environment: dict[str, str]) -> tuple[Path, Path]:
    """Write an app's template and zip.

    Args:
        app: which.
        folder: where to.
        environment: for Chalice's process.

    Returns:
        The template, and the zip. The zip's name contains its SHA-256; the template refers to it by that name.
    """
    scope = template_scope(app)
    project = staging.make_project(folder / f"{app}-project", _STAGE, staging.shipped_stage(app), scope)
    merge = project / "merge.json"
    merge.write_text(json.dumps(_additions(app)), encoding="utf-8")
    built = folder / f"{app}-built"
    running_chalice.chalice(
        project,
        ["package", "--stage", _STAGE, "--template-format", "json", "--merge-template", str(merge), str(built)],
        # boto3 needs some region; no credentials are needed.
        {"AWS_DEFAULT_REGION": "us-east-1", **environment},
    )
    digest = hashlib.sha256((built / "deployment.zip").read_bytes()).hexdigest()
    for older in folder.glob(f"{app}-{'[0-9a-f]' * 64}.zip"):
        older.unlink()  # else the pattern that the guide uploads by would match two
    code = folder / f"{app}-{digest}.zip"
    shutil.move(built / "deployment.zip", code)
    sam = json.loads((built / "sam.json").read_text(encoding="utf-8"))
    shutil.rmtree(built)
    template = folder / f"{app}.template.json"
    # Compact, so that CloudFormation accepts it without a bucket.
    template.write_text(as_body(_plain(app, sam, code.name)), encoding="utf-8")
    return template, code


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
        shipped = staging.shipped_stage("central")["environment_variables"]
        return common | {
            _capitalized(name): {
                "Type": "String",
                "Default": shipped[name],
                "AllowedPattern": "^(ssm:/|secretsmanager:).+$",
                "ConstraintDescription": "a reference: ssm:/name or secretsmanager:name",
            }
            for name in SECRETS
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
    logical, place = _logical_name(function), template_place(app)
    properties: dict[str, Any] = {
        "FunctionName": {"Fn::Sub": place.function(function)},
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
                "LogGroupName": {"Fn::Sub": place.log_group(function)},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        },
    }
    if app == "central":
        role = "ApiHandlerRole" if function == ROUTE else f"{logical}Role"
        document = as_template(function_policy(function, template_scope(app)))
        found[role] = {
            "Properties": {
                "RoleName": {"Fn::Sub": place.function_role(function)},
                "Policies": [{"PolicyName": function, "PolicyDocument": document}],
            }
        }
    return found


def _events(app: App, function: str) -> dict[str, Any]:
    logical, queue = _logical_name(function), {"Fn::GetAtt": ["Undelivered", "Arn"]}
    if function in TOPICS[app]:
        properties: dict[str, Any] = {
            # Not a Ref: the merge would combine it with the Fn::Sub of Chalice's template.
            "Topic": {"Fn::Sub": f"${{{_topic_resource(app, function)}}}"},
            "RedrivePolicy": {"deadLetterTargetArn": queue},
        }
        return {f"{logical}SnsSubscription": {"Properties": properties}}
    assert function in RULES[app]  # noqa: S101 - every function without a route has a topic or a rule
    properties = {
        "RuleName" if function == REVERT else "Name": {"Fn::Sub": template_place(app).rule(function)},
        "DeadLetterConfig": {"Arn": queue},
        "RetryPolicy": {"MaximumEventAgeInSeconds": DELIVERY_SECONDS, "MaximumRetryAttempts": DELIVERY_TRIES},
    }
    event: dict[str, Any] = {"Properties": properties}
    if function == REVERT:
        event["Type"] = "EventBridgeRule"  # the newer name of CloudWatchEvent; only it has a RuleName
    return {f"{logical}Event": event}


def _environment(app: App) -> dict[str, Any]:
    if app == "central":
        return {name: {"Ref": _capitalized(name)} for name in SECRETS}
    return {
        "centralAccountId": {"Ref": "CentralAccountId"},
        "centralRegion": {"Ref": "CentralRegion"},
        "accountName": {"Ref": "AccountName"},
        "modeOverride": {"Ref": "ModeOverride"},
        staging.OWN_ROLE: {"Fn::GetAtt": ["Role", "Arn"]},
    }


def _topic_resource(app: App, topic: str) -> str:
    """Return the logical name of a topic in the foundation."""
    resources = foundation(app)["Resources"].items()
    return next(str(name) for name, one in resources if one.get("Properties", {}).get("TopicName") == topic)


def _logical_name(function: str) -> str:
    return _LOGICAL_NAMES.get(function, _capitalized(function))


def _capitalized(name: str) -> str:
    return name[0].upper() + name[1:]


def _plain(app: App, sam: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the SAM template in plain CloudFormation."""
    # Imported here: it takes a second, and only this verb needs it.
    import boto3
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # it ships no types
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # see above

    for resource in sam["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # The translator accepts only text; the bucket that CloudFormation fills in is set afterwards.
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
