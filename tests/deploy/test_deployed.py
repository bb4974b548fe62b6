"""Both apps in two accounts and two regions: deployed by the real Chalice, run from the uploaded zips, removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.foundation import find_stack, parameter
from deploy.names import FUNCTIONS, RULES, TOPICS, Place
from tests.deploy.grants import POLICIES, REASONS, actions, used_grants
from tests.deploy.operations import (
    APPROVE_ACTION,
    CENTRAL,
    DENY_ACTION,
    MEMBER,
    OTHER_REGION,
    Operator,
    deleted,
    operating,
)
from tests.support.permissions import is_allowed

pytestmark = pytest.mark.slow
PLACES = (CENTRAL, MEMBER, OTHER_REGION)


INTERRUPTED: dict[str, Any] = {}
"""What was there after the central app's first deployment had been interrupted."""


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Deploy the central app, at the second try, beside the table of an earlier installation; and two member apps."""
    with operating(tmp_path_factory) as found:
        found.make_trail()
        found.store_secrets()
        found.leave_a_table()
        with found.cloud.refusing("create_deployment"):
            INTERRUPTED["code"] = found.deploy(CENTRAL)
        INTERRUPTED["apis"] = _apis(found)
        for place in PLACES:
            assert found.deploy(place, *(["--account-name", "shop"] if place.app == "member" else [])) == 0
        found.cloud.settle()
        yield found


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.app}-{place.region}")
def test_every_function_runs_under_its_own_role_or_the_shared_one(operator: Operator, place: Place) -> None:
    """The central app's functions have a role each; the member app's share the one the product knows itself by."""
    client = operator.client(place, "lambda")
    roles = {
        name: client.get_function_configuration(FunctionName=place.function(name))["Role"]
        for name in FUNCTIONS[place.app]
    }
    if place.app == "central":
        names = {name: f"central-prod-us-east-1-{name}" for name in roles}
    else:
        names = dict.fromkeys(roles, f"security-group-approval-member-{place.chalice_stage}")
    assert roles == {name: f"arn:aws:iam::{place.account}:role/{role}" for name, role in names.items()}


def test_a_function_is_configured_as_shipped(operator: Operator) -> None:
    """Architecture, tracing and the operator's settings reach Lambda; no secret does."""
    found = operator.client(CENTRAL, "lambda").get_function_configuration(FunctionName=CENTRAL.function("api_handler"))
    assert (found["Architectures"], found["TracingConfig"]["Mode"]) == (["arm64"], "PassThrough")
    variables = found["Environment"]["Variables"]
    assert variables["slackSigningSecret"] == "ssm:/security-group-approval/slackSigningSecret"
    member = operator.client(MEMBER, "lambda").get_function_configuration(
        FunctionName=MEMBER.function("revertSecurityGroup")
    )
    settings = member["Environment"]["Variables"]
    assert settings["ownRoleArn"] == MEMBER.role_arn
    assert (settings["centralAccountId"], settings["centralRegion"], settings["accountName"]) == (
        CENTRAL.account,
        CENTRAL.region,
        "shop",
    )


def test_a_deployed_policy_names_its_own_account_and_region(operator: Operator) -> None:
    """The shipped files are for every account, a deployed policy for its own, except for topics of others."""
    iam = operator.client(CENTRAL, "iam")
    role = "central-prod-us-east-1-api_handler"
    document = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    resources = {statement["Sid"]: statement["Resource"] for statement in document["Statement"]}
    assert resources["State"] == "arn:aws:dynamodb:us-east-1:111111111111:table/securityGroupRequests"
    assert resources["Publish"] == [
        "arn:aws:sns:*:*:applySecurityGroupChange",
        "arn:aws:sns:us-east-1:111111111111:denySecurityGroupChange",
    ]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.app}-{place.region}")
def test_every_rule_is_enabled_feeds_its_function_and_has_a_queue(operator: Operator, place: Place) -> None:
    """An event that EventBridge cannot deliver is kept, after the first and after every later deployment."""
    events = operator.client(place, "events")
    for name in RULES[place.app]:
        assert events.describe_rule(Name=place.rule(name))["State"] == "ENABLED"
        (target,) = events.list_targets_by_rule(Rule=place.rule(name))["Targets"]
        assert target["Arn"] == place.function_arn(name)
        assert target["DeadLetterConfig"] == {"Arn": place.arn("sqs", place.undelivered)}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.app}-{place.region}")
def test_every_topic_feeds_its_function_and_has_a_queue(operator: Operator, place: Place) -> None:
    """A message that SNS cannot deliver is kept."""
    sns = operator.client(place, "sns")
    for topic in TOPICS[place.app]:
        (one,) = sns.list_subscriptions_by_topic(TopicArn=place.arn("sns", topic))["Subscriptions"]
        assert one["Endpoint"] == place.function_arn(topic)
        attributes = sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        assert json.loads(attributes["RedrivePolicy"]) == {"deadLetterTargetArn": place.arn("sqs", place.undelivered)}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.app}-{place.region}")
def test_what_a_function_fails_on_three_times_goes_to_a_queue(operator: Operator, place: Place) -> None:
    """Two retries, then the queue."""
    client = operator.client(place, "lambda")
    for name in FUNCTIONS[place.app]:
        if name != "api_handler":
            found = client.get_function_event_invoke_config(FunctionName=place.function(name))
            assert found["MaximumRetryAttempts"] == 2
            assert found["DestinationConfig"]["OnFailure"]["Destination"] == place.arn("sqs", place.failures)


def test_the_topics_take_messages_from_those_they_are_for(operator: Operator) -> None:
    """Every topic denies all others explicitly, and whatever comes without TLS."""
    for place, topic, allowed in (
        (CENTRAL, "securityGroupChange", MEMBER.account),
        (CENTRAL, "errorHandlerSecurityGroupChange", MEMBER.account),
        (MEMBER, "applySecurityGroupChange", CENTRAL.account),
    ):
        attributes = operator.client(place, "sns").get_topic_attributes(TopicArn=place.arn("sns", topic))["Attributes"]
        statements: dict[str, Any] = {one["Sid"]: one for one in json.loads(attributes["Policy"])["Statement"]}
        denied = statements["NobodyElse"]
        accounts = denied["Condition"]["StringNotEquals"]["aws:PrincipalAccount"]
        assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")
        assert accounts in (allowed, [allowed])
        assert statements["OnlyEncrypted"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert statements["NoOtherRole"]["Effect"] == "Deny"


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.app}-{place.region}")
def test_a_function_is_invoked_by_its_own_source_alone(operator: Operator, place: Place) -> None:
    """Only the rule, topic or API that is ours: not any rule or topic that somebody points at the function."""
    client = operator.client(place, "lambda")
    for name in FUNCTIONS[place.app]:
        policy = json.loads(client.get_policy(FunctionName=place.function(name))["Policy"])
        sources = {one["Condition"]["ArnLike"]["AWS:SourceArn"] for one in policy["Statement"]}
        if name in TOPICS[place.app]:
            assert sources == {place.arn("sns", name)}
        elif name in RULES[place.app]:
            assert sources == {place.arn("events", f"rule/{place.rule(name)}")}
        else:
            assert sources == {place.arn("execute-api", f"{_apis(operator)[0]}/*")}


def test_the_route_is_there_and_limited(operator: Operator) -> None:
    """Slack has one address to send clicks to, and its rate is limited."""
    client = operator.client(CENTRAL, "apigateway")
    (api,) = client.get_rest_apis()["items"]
    resources = client.get_resources(restApiId=api["id"], embed=["methods"])["items"]
    assert {one["path"]: set(one.get("resourceMethods", {})) for one in resources}["/slack/actions"] == {"POST"}
    settings = client.get_stage(restApiId=api["id"], stageName="prod")["methodSettings"]["*/*"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (10, 20)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.app}-{place.region}")
def test_logs_end_some_day(operator: Operator, place: Place) -> None:
    """Every function has its log group, with a retention."""
    logs = operator.client(place, "logs")
    for name in FUNCTIONS[place.app]:
        (group,) = logs.describe_log_groups(logGroupNamePrefix=place.log_group(name) + "")["logGroups"][:1]
        assert (group["logGroupName"], group["retentionInDays"]) == (place.log_group(name), 90)


def test_approved_from_the_zips(operator: Operator) -> None:
    """A port is opened, closed, asked for, approved, opened again and announced, only by the uploaded zips."""
    group = operator.make_group("approved")
    request = operator.open_port(group, 443)
    assert operator.ports(group) == set()
    assert operator.status(request) == "pending"
    answer = operator.click(APPROVE_ACTION)
    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert operator.status(request) == "applied"
    assert operator.ports(group) == {443}
    assert operator.slack.to("/response")
    assert operator.slack.to("/monitor")


def test_denied_from_the_zips(operator: Operator) -> None:
    """A denied port stays closed, and both channels see who denied it."""
    group = operator.make_group("denied")
    request = operator.open_port(group, 8443)
    assert operator.click(DENY_ACTION)["statusCode"] == 200
    assert (operator.status(request), operator.ports(group)) == ("denied", set())
    assert "denied" in operator.slack.to("/monitor")[-1].text.lower()


def test_failed_from_the_zips(operator: Operator) -> None:
    """An approval that can no longer be applied is reported as an error, in the table and in Slack."""
    group = operator.make_group("failed")
    request = operator.open_port(group, 9443)
    operator.client(MEMBER, "ec2").delete_security_group(GroupId=group)
    operator.click(APPROVE_ACTION)
    assert operator.status(request) == "error"
    assert "no longer exists" in operator.slack.to("/monitor")[-1].text


def test_a_late_click_changes_nothing(operator: Operator) -> None:
    """The first decision stands."""
    group = operator.make_group("twice")
    request = operator.open_port(group, 7443)
    for action, status in ((DENY_ACTION, "denied"), (APPROVE_ACTION, "denied")):
        assert operator.click(action)["statusCode"] == 200
        assert operator.status(request) == status
    assert operator.ports(group) == set()


def test_a_deleted_group_is_forgotten(operator: Operator) -> None:
    """Its baseline, which an approved rule gave it, goes with it."""
    group = operator.make_group("gone")
    operator.open_port(group, 5443)
    operator.click(APPROVE_ACTION)
    table = operator.client(MEMBER, "dynamodb")
    key = {"id": {"S": f"group#{MEMBER.region}#{group}"}}
    assert "Item" in table.get_item(TableName="securityGroupState", Key=key)
    operator.client(MEMBER, "ec2").delete_security_group(GroupId=group)
    operator.deliver(deleted(group))
    assert "Item" not in table.get_item(TableName="securityGroupState", Key=key)


def test_a_change_without_an_event_is_found_by_the_schedule(operator: Operator) -> None:
    """The snapshot reverts it when the time for a late event is over, and asks."""
    group = operator.make_group("drifted")
    _snapshot(operator)
    permission = {"IpProtocol": "tcp", "FromPort": 25, "ToPort": 25, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}
    operator.client(MEMBER, "ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    _snapshot(operator)
    assert operator.ports(group) == {25}
    _snapshot(operator, minutes=20)
    assert operator.ports(group) == set()
    operator.click(DENY_ACTION)


def test_the_sweep_runs_from_the_zip(operator: Operator) -> None:
    """Five hours later it reminds of a request that nobody decided."""
    operator.open_port(operator.make_group("undecided"), 6443)
    _run(operator, CENTRAL, "sweepRequests", minutes=3)  # asks what others made just before in the same batch
    before = len(operator.slack.to("/approve"))
    _run(operator, CENTRAL, "sweepRequests", minutes=300)
    assert len(operator.slack.to("/approve")) > before
    operator.click(DENY_ACTION)
    assert [_waiting(operator, place, place.failures) for place in (CENTRAL, MEMBER)] == [0, 0]


def test_an_event_that_failed_three_times_is_redriven_and_ends_right(operator: Operator) -> None:
    """Without a setting the port is closed, but nobody can be asked; corrected and redriven, the event is asked."""
    group = operator.make_group("redriven")
    client = operator.client(MEMBER, "lambda")
    full = MEMBER.function("revertSecurityGroup")
    before = client.get_function_configuration(FunctionName=full)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=full, Environment={"Variables": {**before, "centralAccountId": "none"}}
    )
    request = operator.open_port(group, 22)
    assert (operator.ports(group), operator.status(request)) == (set(), "")
    assert _waiting(operator, MEMBER, MEMBER.failures) == 1
    client.update_function_configuration(FunctionName=full, Environment={"Variables": before})
    assert operator.at(MEMBER, "redrive", "--look") == 0
    assert operator.at(MEMBER, "redrive") == 0
    operator.cloud.settle()
    assert (operator.ports(group), operator.status(request)) == (set(), "pending")
    assert _waiting(operator, MEMBER, MEMBER.failures) == 0


def test_the_emergency_switch_works_without_a_redeploy(operator: Operator) -> None:
    """Observe: the port stays open and is reported; a redeployment keeps the switch; turned back, the file decides."""
    group = operator.make_group("switched")
    assert operator.at(MEMBER, "switch", "--mode", "observe") == 0
    request = operator.open_port(group, 80)
    assert (operator.ports(group), operator.status(request)) == ({80}, "observed")
    assert operator.deploy(MEMBER) == 0
    variables = operator.client(MEMBER, "lambda").get_function_configuration(
        FunctionName=MEMBER.function("revertSecurityGroup")
    )["Environment"]["Variables"]
    assert (variables["modeOverride"], variables["accountName"]) == ("observe", "shop")
    assert operator.at(MEMBER, "switch", "--mode", "policy") == 0
    operator.open_port(group, 81)
    assert operator.ports(group) == {80}


def test_the_report_says_what_observe_mode_saw(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    """Who would have been stopped, in which account, and how often."""
    group = operator.make_group("reported")
    operator.at(MEMBER, "switch", "--mode", "observe")
    operator.open_port(group, 8080)
    operator.at(MEMBER, "switch", "--mode", "policy")
    capsys.readouterr()
    assert operator.at(CENTRAL, "report") == 0
    assert "shop (222222222222), eu-west-1: ada – observe mode" in capsys.readouterr().out


def test_the_doctors_test_event_arrives_in_slack(operator: Operator) -> None:
    """It goes the way of every change, and says what it is."""
    assert operator.at(MEMBER, "doctor", "--round-trip") == 0
    operator.cloud.settle()
    assert "test-event-of-doctor" in operator.slack.to("/monitor")[-1].text


def test_no_function_makes_a_call_that_its_policy_does_not_allow(operator: Operator) -> None:
    """Every AWS call that was made from the zips, action and resource, is in the policy of its function."""
    made = used_grants(operator)
    assert {function for function, _, _ in made} == {name for names in FUNCTIONS.values() for name in names}
    assert [one for one in made if not is_allowed(POLICIES[one[0]], one[1], one[2])] == []


def test_no_function_may_what_it_never_does(operator: Operator) -> None:
    """An action that no flow here takes is in a policy only for a reason that is written down."""
    taken = {(function, action) for function, action, _ in used_grants(operator)}
    idle = sorted({(function, action) for function in POLICIES for action in actions(function)} - taken)
    assert [one for one in idle if one not in REASONS and ("*", one[1]) not in REASONS] == []
    allowed = {(function, action) for function in POLICIES for action in actions(function)}
    assert [one for one in REASONS if one[0] != "*" and one not in allowed] == []


def test_deploying_again_changes_nothing_that_counts(operator: Operator) -> None:
    """The same address for Slack, the same queues, one subscription and one target each."""
    before = _apis(operator)
    assert operator.deploy(CENTRAL) == 0
    operator.cloud.settle()
    assert _apis(operator) == before
    for place in PLACES:
        test_every_rule_is_enabled_feeds_its_function_and_has_a_queue(operator, place)
        test_every_topic_feeds_its_function_and_has_a_queue(operator, place)


def test_a_deployment_goes_on_where_it_was_interrupted(operator: Operator) -> None:
    """Chalice records nothing when it fails; the API that it had made already, Slack's address, is found again."""
    assert INTERRUPTED["code"] == 1
    assert len(INTERRUPTED["apis"]) == 1
    assert _apis(operator) == INTERRUPTED["apis"]


def test_the_table_of_an_earlier_installation_is_taken_up(operator: Operator) -> None:
    """What was decided before is still there, and the stack leaves the table alone."""
    assert operator.status("from-before") == "denied"
    assert parameter(find_stack(operator.target(CENTRAL)), "CreateTable") == "no"


def test_undeploying_leaves_nothing_but_what_it_says(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of requests stays unless asked; everything else goes, even what Chalice has no record of."""
    operator.client(OTHER_REGION, "ssm").delete_parameter(Name=OTHER_REGION.state_parameter)
    for place in (MEMBER, OTHER_REGION):
        assert operator.at(place, "undeploy", "--purge") == 0
        assert _left(operator, place) == []
    capsys.readouterr()
    assert operator.at(CENTRAL, "undeploy") == 0
    assert "The table securityGroupRequests stays" in capsys.readouterr().out
    kept = ["table securityGroupRequests", *(f"log group {CENTRAL.log_group(name)}" for name in FUNCTIONS["central"])]
    assert sorted(_left(operator, CENTRAL)) == sorted(kept)
    assert operator.at(CENTRAL, "undeploy", "--purge") == 0
    assert _left(operator, CENTRAL) == []


def _apis(operator: Operator) -> list[str]:
    return [one["id"] for one in operator.client(CENTRAL, "apigateway").get_rest_apis()["items"]]


def _snapshot(operator: Operator, *, minutes: int = 0) -> None:
    _run(operator, MEMBER, "snapshotSecurityGroups", minutes=minutes)


def _run(operator: Operator, place: Place, function: str, *, minutes: int) -> None:
    """Run a scheduled function as its rule does, some minutes from now."""
    event = {
        "version": "0",
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": place.account,
        "time": (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": place.region,
        "resources": [],
        "detail": {},
    }
    operator.client(place, "lambda").invoke(
        FunctionName=place.function(function), InvocationType="Event", Payload=json.dumps(event).encode()
    )
    operator.cloud.settle()


def _waiting(operator: Operator, place: Place, queue: str) -> int:
    sqs = operator.client(place, "sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


def _left(operator: Operator, place: Place) -> list[str]:
    """Return everything of the product that is still in an account and region."""

    def client(service: str) -> Any:
        return operator.client(place, service)

    functions = [one["FunctionName"] for one in client("lambda").list_functions()["Functions"]]
    roles = [one["RoleName"] for one in client("iam").list_roles()["Roles"] if place.chalice_stage in one["RoleName"]]
    parameters = [one["Name"] for one in client("ssm").describe_parameters()["Parameters"]]
    return [
        *(f"function {name}" for name in functions),
        *(f"role {name}" for name in roles),
        *(f"rule {one['Name']}" for one in client("events").list_rules()["Rules"]),
        *(f"topic {one['TopicArn']}" for one in client("sns").list_topics()["Topics"]),
        *(f"subscription {one['SubscriptionArn']}" for one in client("sns").list_subscriptions()["Subscriptions"]),
        *(f"queue {url}" for url in client("sqs").list_queues().get("QueueUrls", [])),
        *(f"table {name}" for name in client("dynamodb").list_tables()["TableNames"]),
        *(f"API {one['id']}" for one in client("apigateway").get_rest_apis()["items"]),
        *(f"log group {one['logGroupName']}" for one in client("logs").describe_log_groups()["logGroups"]),
        *(f"parameter {name}" for name in parameters if "deployments" in name),
    ]
