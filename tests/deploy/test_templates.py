"""The foundation's templates, the SCP and the policies, as documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from deploy.names import APPS, FUNCTIONS, ROOT, ROUTE, TABLES, App, Place
from deploy.policies import SOURCE_FUNCTION, Scope, function_policy, narrow, template_scope
from deploy.templates import LARGEST_BODY, as_body, foundation
from shared.domain.retention import EXPIRES_AT

SCP_LIMIT = 10_240
"""Characters, with the white space that the AWS CLI sends: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""
ROLE_POLICIES_LIMIT = 10_240
"""Characters, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def test_the_templates_pass_cfn_lint(tmp_path: Path) -> None:
    """No finding, and no rule is switched off, in the files people read and in what is sent to CloudFormation."""
    sources = [ROOT / "deploy" / "templates" / f"{app}.yaml" for app in APPS]
    rendered = [tmp_path / f"{app}.json" for app in APPS]
    for app, path in zip(APPS, rendered, strict=True):
        path.write_text(as_body(foundation(app)), encoding="utf-8")
    found = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), *map(str, (*sources, *rendered))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.returncode) == ("", 0)
    assert not [source for source in sources if "cfn-lint" in source.read_text(encoding="utf-8")]


@pytest.mark.parametrize("app", APPS)
def test_a_template_needs_no_bucket(app: App) -> None:
    """CloudFormation takes it in the call itself."""
    assert len(as_body(foundation(app)).encode()) <= LARGEST_BODY


@pytest.mark.parametrize("app", APPS)
def test_what_a_functions_code_may_holds_for_that_function_alone(app: App) -> None:
    """Sharing a role shares no rights, and the role in the hands of another function is worth nothing."""
    for function in FUNCTIONS[app]:
        statements = {one["Sid"]: one for one in function_policy(function, template_scope(app))["Statement"]}
        name = f"{app}-${{Stage}}-${{AWS::Region}}" + ("" if function == ROUTE else f"-{function}")
        own = f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{name}"
        bound = {
            sid: next(
                (name for name in one.get("Condition", {}) if one["Condition"][name] == {SOURCE_FUNCTION: own}), ""
            )
            for sid, one in statements.items()
        }
        by_code = {sid for sid, operator in bound.items() if operator == "ArnEquals"}
        assert by_code == statements.keys() - {"Failures", "Log", "OwnKey"}
        assert {"State", "StateAndMessages"} & by_code
        # Lambda itself names no function, code always does: another function's code forges no dead letter and no log.
        not_by_other_code = {sid for sid, operator in bound.items() if operator == "ArnEqualsIfExists"}
        assert not_by_other_code == statements.keys() & {"Failures", "Log"}


@pytest.mark.parametrize("app", APPS)
def test_a_right_is_named_and_as_narrow_as_aws_allows(app: App) -> None:
    """No action is a pattern; "all resources" stands only where EC2 knows no narrower."""
    for function in FUNCTIONS[app]:
        for one in function_policy(function, template_scope(app))["Statement"]:
            assert not [action for action in one["Action"] if "*" in action]
            assert (one["Resource"] == "*") == (one["Sid"] == "ReadGroups")
            if one["Sid"] == "TagRules":  # only the rules that this very call makes
                assert one["Condition"]["StringEquals"].keys() == {"ec2:CreateAction"}
            if (
                one["Sid"] == "OwnKey"
            ):  # the key's id is known to nobody beforehand: its alias and who uses it stand for it
                assert one["Condition"].keys() == {"ForAnyValue:StringLike", "StringLike"}


LONGEST = Place(
    app="member", stage="p23456789", partition="aws-us-gov", account="222222222222", region="ap-southeast-2"
)
"""A place with names as long as any."""


@pytest.mark.parametrize("app", APPS)
def test_tracing_is_off_and_switched_on_in_one_place(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the cost of a request; `"xray": true` in config.json brings the permission with it."""
    function = FUNCTIONS[app][0]
    assert "Trace" not in [one["Sid"] for one in function_policy(function, template_scope(app))["Statement"]]
    monkeypatch.setattr("deploy.policies.is_traced", lambda _: True)
    (trace,) = [one for one in function_policy(function, template_scope(app))["Statement"] if one["Sid"] == "Trace"]
    assert trace["Action"] == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]


def test_the_shared_role_has_every_functions_policy_and_room_left() -> None:
    """One inline policy per function, and all of them, filled in, within IAM's limit."""
    policies = foundation("member")["Resources"]["Role"]["Properties"]["Policies"]
    assert [one["PolicyName"] for one in policies] == list(FUNCTIONS["member"])
    scope = Scope(place=LONGEST, central_region="ap-southeast-2", central_account="111111111111")
    assert sum(len(as_body(function_policy(name, scope))) for name in FUNCTIONS["member"]) <= ROLE_POLICIES_LIMIT


@pytest.mark.parametrize("app", APPS)
def test_the_table_is_hard_to_lose(app: App) -> None:
    """On demand, recoverable to any second, encrypted, and protected against deletion."""
    tables = [one for one in foundation(app)["Resources"].values() if one["Type"] == "AWS::DynamoDB::Table"]
    (properties,) = (one["Properties"] for one in tables)
    assert properties["TableName"] == TABLES[app]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["DeletionProtectionEnabled"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": EXPIRES_AT, "Enabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("app", APPS)
def test_every_topic_and_queue_has_a_policy_that_wants_tls(app: App) -> None:
    """Nothing travels in the clear, and no topic is left with AWS's default policy."""
    resources = foundation(app)["Resources"]
    wanted = {name for name, one in resources.items() if one["Type"] in ("AWS::SNS::Topic", "AWS::SQS::Queue")}
    guarded = {
        reference["Ref"]
        for one in resources.values()
        if one["Type"] in ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
        for reference in one["Properties"].get("Topics", one["Properties"].get("Queues"))
        if any(
            statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in one["Properties"]["PolicyDocument"]["Statement"]
        )
    }
    assert guarded == wanted


@pytest.mark.parametrize("app", APPS)
def test_every_alarm_tells_where_the_parameter_says(app: App) -> None:
    """An alarm without a receiver is useless."""
    alarms = [one for one in foundation(app)["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    tell = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    assert len(alarms) >= 8
    assert all(one["Properties"]["AlarmActions"] == tell for one in alarms)


def test_the_dashboard_is_json() -> None:
    """CloudWatch refuses one that is not; what CloudFormation puts in are names."""
    body = foundation("central")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    assert [one["properties"]["title"].split(" (")[0] for one in widgets] == [
        "Exposure",
        "Requests by status",
        "Decisions",
        "Failures",
    ]


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("OrganizationId", ["", "o-a1b2c3d4e5"], ["o-", "a1b2c3d4e5", "o-A1B2C3D4E5"]),
        ("MemberAccountIds", ["", "222222222222"], ["22222222222", "shop"]),
        ("AlarmTopicArn", ["", "arn:aws:sns:eu-west-1:111111111111:alarms"], ["alarms", "arn:aws:sqs:eu-west-1:1:x"]),
        ("Stage", ["prod", "p2"], ["production1", "Prod", "2nd", "a-b"]),
    ],
)
def test_parameters_are_checked_by_the_template(parameter: str, good: list[str], bad: list[str]) -> None:
    """A mistyped value is refused before anything is made."""
    pattern = re.compile(foundation("central")["Parameters"][parameter]["AllowedPattern"])
    assert all(pattern.search(one) for one in good)
    assert not any(pattern.search(one) for one in bad)


MEMBER_SCOPE = Scope(
    place=Place(app="member", stage="prod", partition="aws", account="222222222222", region="eu-west-1"),
    central_region="us-east-1",
    central_account="111111111111",
)


@pytest.mark.parametrize(
    ("shipped", "narrowed"),
    [
        ("*", "*"),
        ("arn:*:dynamodb:*:*:table/t", "arn:aws:dynamodb:eu-west-1:222222222222:table/t"),
        ("arn:*:sns:*:*:securityGroupChange", "arn:aws:sns:us-east-1:111111111111:securityGroupChange"),
        ("arn:*:ec2:*:*:prefix-list/*", "arn:aws:ec2:eu-west-1:*:prefix-list/*"),
        (
            "arn:*:logs:*:*:log-group:/aws/lambda/member-*-revertSecurityGroup:*",
            "arn:aws:logs:eu-west-1:222222222222:log-group:/aws/lambda/member-prod-eu-west-1-revertSecurityGroup:*",
        ),
    ],
)
def test_a_policy_is_narrowed_to_its_place(shipped: str, narrowed: str) -> None:
    """Own resources get the own account and region, the central account's its own, and shared lists stay reachable."""
    assert narrow(shipped, MEMBER_SCOPE) == narrowed


def scp() -> list[dict[str, Any]]:
    """Return the statements of the SCP."""
    statements: list[dict[str, Any]] = json.loads((ROOT / "deploy" / "scp.json").read_text(encoding="utf-8"))[
        "Statement"
    ]
    return statements


def test_the_scp_fits_and_only_denies() -> None:
    """The file is sent as it is, white space and all; an SCP that allows would take everything else away."""
    assert len((ROOT / "deploy" / "scp.json").read_text(encoding="utf-8")) <= SCP_LIMIT
    assert {one["Effect"] for one in scp()} == {"Deny"}
    assert all("aws:PrincipalArn" in one["Condition"]["ArnNotLike"] for one in scp())


LAMBDA = "arn:aws:lambda:eu-west-1:222222222222:function:member-prod-eu-west-1-"
QUEUE = "arn:aws:sqs:eu-west-1:222222222222:security-group-approval-member-failures"
STACK = "arn:aws:cloudformation:eu-west-1:222222222222:stack/"
TABLE = "arn:aws:dynamodb:eu-west-1:222222222222:table/securityGroupState"
EVIDENCE = "arn:aws:logs:eu-west-1:222222222222:log-group:/aws/events/security-group-approval-tampering:log-stream:x"
KEY = "arn:aws:kms:eu-west-1:222222222222:key/0a1b2c3d"
TOPIC = "arn:aws:sns:eu-west-1:222222222222:applySecurityGroupChange"
RULE = "arn:aws:events:eu-west-1:222222222222:rule/member-prod-eu-west-1-revertSecurityGroup-event"
OWN_ROLE = "arn:aws:iam::222222222222:role/security-group-approval-member-prod-eu-west-1"


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("lambda:DeleteFunction", f"{LAMBDA}revertSecurityGroup"),
        ("lambda:PutFunctionConcurrency", f"{LAMBDA}applySecurityGroupChange"),
        ("lambda:UpdateFunctionCode", f"{LAMBDA}applySecurityGroupChange"),
        # An approval without a click: past the topic, past its policy.
        ("lambda:InvokeFunction", f"{LAMBDA}applySecurityGroupChange"),
        ("lambda:InvokeAsync", f"{LAMBDA}applySecurityGroupChange"),
        ("lambda:InvokeFunction", f"{LAMBDA}applySecurityGroupChange:$LATEST"),
        ("lambda:CreateFunctionUrlConfig", f"{LAMBDA}applySecurityGroupChange"),
        ("lambda:InvokeFunctionUrl", f"{LAMBDA}applySecurityGroupChange"),
        ("lambda:CreateEventSourceMapping", f"{LAMBDA}applySecurityGroupChange"),
        ("lambda:AddPermission", f"{LAMBDA}applySecurityGroupChange"),
        ("sns:SetTopicAttributes", TOPIC),
        ("sns:AddPermission", TOPIC),
        ("sns:PutDataProtectionPolicy", TOPIC),
        ("sns:Unsubscribe", f"{TOPIC}:0a1b"),
        ("sqs:SendMessage", QUEUE),
        ("sqs:SetQueueAttributes", QUEUE),
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:PurgeQueue", QUEUE),
        ("events:DisableRule", RULE),
        ("events:PutTargets", RULE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:DeleteTable", TABLE),
        ("dynamodb:PutResourcePolicy", TABLE),
        ("dynamodb:ImportTable", TABLE),
        ("sqs:CreateQueue", QUEUE),
        ("logs:PutLogEvents", EVIDENCE),
        ("logs:CreateLogStream", EVIDENCE),
        ("logs:AssociateKmsKey", EVIDENCE),
        ("kms:DisableKey", KEY),
        ("kms:ScheduleKeyDeletion", KEY),
        ("kms:PutKeyPolicy", KEY),
        ("kms:DeleteAlias", "arn:aws:kms:eu-west-1:222222222222:alias/security-group-approval-member"),
        ("cloudformation:RollbackStack", f"{STACK}security-group-approval-member/0a1b"),
        ("cloudformation:CancelUpdateStack", f"{STACK}security-group-approval-member/0a1b"),
        ("iam:PassRole", OWN_ROLE),
        ("iam:PutRolePolicy", OWN_ROLE),
        ("cloudformation:DeleteStack", f"{STACK}security-group-approval-member/0a1b"),
        ("cloudformation:UpdateStack", f"{STACK}StackSet-security-group-approval-member-0a1b/2c3d"),
        (
            "cloudwatch:DeleteAlarms",
            "arn:aws:cloudwatch:eu-west-1:222222222222:alarm:security-group-approval-member-X-1",
        ),
    ],
)
def test_the_scp_protects_what_the_product_needs(action: str, arn: str) -> None:
    """Functions, rules, topic, subscription, table, role, queues, stack and alarms."""
    found = [one for one in scp() if any(fnmatchcase(action, pattern) for pattern in listed(one["Action"]))]
    assert any(fnmatchcase(arn, pattern) for one in found for pattern in meant(one))


def test_the_scp_leaves_the_functions_their_logs_and_other_keys_alone() -> None:
    """The product's own role is not the deployer; a key counts by its alias."""
    write = [one for one in scp() if "logs:PutLogEvents" in listed(one["Action"])]
    function_log = (
        "arn:aws:logs:eu-west-1:222222222222:log-group:/aws/lambda/member-prod-eu-west-1-revertSecurityGroup:x"
    )
    assert not [one for one in write if any(fnmatchcase(function_log, pattern) for pattern in meant(one))]
    keys = [one for one in scp() if "kms:DisableKey" in listed(one["Action"])]
    wanted = {"kms:ResourceAliases": "alias/security-group-approval-*"}
    assert [one["Condition"]["ForAnyValue:StringLike"] for one in keys] == [wanted]


def listed(value: Any) -> list[str]:
    """Return a value that may be one or several."""
    return value if isinstance(value, list) else [value]


def meant(statement: dict[str, Any]) -> list[str]:
    """Return the resources that a statement is about; event source mappings have only a condition to say so."""
    about = statement["Condition"].get("ArnLike", {}).get("lambda:FunctionArn")
    return listed(statement["Resource"] if about is None else about)


@pytest.mark.parametrize("statement", scp(), ids=lambda one: str(one["Sid"]))
def test_the_scp_leaves_other_resources_alone(statement: dict[str, Any]) -> None:
    """What an account does otherwise is none of the product's business."""
    others = [
        "arn:aws:lambda:eu-west-1:222222222222:function:membership",
        "arn:aws:events:eu-west-1:222222222222:rule/nightly",
        "arn:aws:sns:eu-west-1:222222222222:alerts",
        "arn:aws:sqs:eu-west-1:222222222222:orders",
        "arn:aws:iam::222222222222:role/developer",
        "arn:aws:dynamodb:eu-west-1:222222222222:table/orders",
        "arn:aws:cloudformation:eu-west-1:222222222222:stack/shop/0a1b",
        "arn:aws:cloudwatch:eu-west-1:222222222222:alarm:shop",
    ]
    assert not [one for one in others if any(fnmatchcase(one, pattern) for pattern in meant(statement))]


def test_few_alarms_are_those_on_the_dead_letter_queues() -> None:
    """What a member's function gave up on, or never got, is worth its price anywhere; heartbeats tell the rest."""
    template = foundation("member")
    alarms = {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"}
    assert {name for name, one in alarms.items() if "Condition" not in one} == {"FailuresAlarm", "UndeliveredAlarm"}
    assert {one["Condition"] for one in alarms.values() if "Condition" in one} == {"HasAllAlarms"}
    assert template["Parameters"]["Alarms"]["Default"] == "few"
