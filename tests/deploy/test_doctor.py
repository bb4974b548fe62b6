"""Doctor in broken accounts, one by one: each problem has its own sentence; repaired, there is none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from central.chalicelib.slack.signature import find_flaw
from deploy.doctor import central, checks
from deploy.names import App, Place
from sandbox.slack.stand_in import Reply
from tests.deploy.operations import CENTRAL, MEMBER, SECRET, Operator, operating

pytestmark = pytest.mark.slow
Break = Callable[[Any], None]


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Deploy both apps, healthy."""
    with operating(tmp_path_factory) as found:
        found.make_trail()
        found.store_secrets()
        for place in (CENTRAL, MEMBER):
            assert found.deploy(place) == 0
        yield found


@pytest.fixture(autouse=True)
def route(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signed request to the test of its own: moto serves no route that Slack could call."""
    monkeypatch.setattr(central, "probe", lambda _url, _secret: iter(()))


def examined(operator: Operator, place: Place, **options: Any) -> list[str]:
    """Return what doctor says."""
    return list(checks.examine(operator.target(place), **options))


def clients(operator: Operator, place: Place) -> Callable[[str], Any]:
    """Return a maker of an administrator's clients."""
    return lambda service: operator.client(place, service)


def test_a_healthy_account_has_no_problem(operator: Operator) -> None:
    """A doctor who always finds something is no help."""
    assert [examined(operator, place) for place in (CENTRAL, MEMBER)] == [[], []]


def revert_rule(action: str) -> Break:
    """Return what enables or disables the rule of the revert function."""
    return lambda client: getattr(client("events"), f"{action}_rule")(Name=MEMBER.rule("revertSecurityGroup"))


def stop_trail(client: Any) -> None:
    """Stop the trail."""
    client("cloudtrail").stop_logging(Name="all")


def start_trail(client: Any) -> None:
    """Start the trail."""
    client("cloudtrail").start_logging(Name="all")


def select_events(**selector: Any) -> Break:
    """Return what sets the trail's event selectors."""
    return lambda client: client("cloudtrail").put_event_selectors(TrailName="all", EventSelectors=[selector])


def set_topic_policy(place: Place, topic: str, change: Callable[[dict[str, Any]], None]) -> Break:
    """Return what changes statements of a topic's policy."""

    def apply(client: Any) -> None:
        arn = place.arn("sns", topic)
        policy = json.loads(client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
        saved.setdefault(arn, json.dumps(policy))
        change(policy)
        client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy))

    return apply


saved: dict[str, str] = {}


def restore_topic_policy(place: Place, topic: str) -> Break:
    """Return what puts a topic's policy back."""
    arn = place.arn("sns", topic)
    return lambda client: client("sns").set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=saved.pop(arn)
    )


def without(*sids: str) -> Callable[[dict[str, Any]], None]:
    """Return what takes statements out of a policy."""

    def change(policy: dict[str, Any]) -> None:
        policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] not in sids]

    return change


def set_secret(name: str, value: str, kind: str = "SecureString") -> Break:
    """Return what stores a secret."""

    def apply(client: Any) -> None:
        client("ssm").delete_parameter(Name=f"/security-group-approval/{name}")
        client("ssm").put_parameter(Name=f"/security-group-approval/{name}", Value=value, Type=kind)

    return apply


def set_concurrency(limit: int | None) -> Break:
    """Return what limits the revert function's concurrency, or ends the limit."""
    name = MEMBER.function("revertSecurityGroup")

    def apply(client: Any) -> None:
        if limit is None:
            client("lambda").delete_function_concurrency(FunctionName=name)
        else:
            client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)

    return apply


def set_variable(function: str, name: str, value: str) -> Break:
    """Return what sets one environment variable of one function."""

    def apply(client: Any) -> None:
        full = MEMBER.function(function)
        found = client("lambda").get_function_configuration(FunctionName=full)["Environment"]["Variables"]
        client("lambda").update_function_configuration(
            FunctionName=full, Environment={"Variables": {**found, name: value}}
        )

    return apply


def set_role(name: str) -> Break:
    """Return what makes a function run under a role."""
    return lambda client: client("lambda").update_function_configuration(
        FunctionName=MEMBER.function("applySecurityGroupChange"), Role=f"arn:aws:iam::{MEMBER.account}:role/{name}"
    )


def set_protection(enabled: bool) -> Break:
    """Return what sets the table's deletion protection."""
    return lambda client: client("dynamodb").update_table(
        TableName="securityGroupRequests", DeletionProtectionEnabled=enabled
    )


def send_message(client: Any) -> None:
    """Put something into the queue of failures."""
    url = client("sqs").get_queue_url(QueueName=MEMBER.failures)["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="{}")


def purge_messages(client: Any) -> None:
    """Empty the queue of failures."""
    url = client("sqs").get_queue_url(QueueName=MEMBER.failures)["QueueUrl"]
    client("sqs").purge_queue(QueueUrl=url)


def keep_logs_for_ever(client: Any) -> None:
    """Take a log group's retention away."""
    client("logs").delete_retention_policy(logGroupName=MEMBER.log_group("revertSecurityGroup"))


def keep_logs_for_days(client: Any) -> None:
    """Give it back."""
    client("logs").put_retention_policy(logGroupName=MEMBER.log_group("revertSecurityGroup"), retentionInDays=90)


def open_queue(client: Any) -> None:
    """Let everybody with rights in the account put messages into the queue of failures."""
    url = client("sqs").get_queue_url(QueueName=MEMBER.failures)["QueueUrl"]
    saved["queue"] = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    policy = json.loads(saved["queue"])
    without("NobodyElse")(policy)
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})


def close_queue(client: Any) -> None:
    """Put its policy back."""
    url = client("sqs").get_queue_url(QueueName=MEMBER.failures)["QueueUrl"]
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": saved.pop("queue")})


def set_reference(value: str) -> Break:
    """Return what makes the central app's functions look for the approval channel's webhook somewhere."""

    def apply(client: Any) -> None:
        client("ssm").put_parameter(Name="/hooks/approve", Value="https://x/", Type="SecureString", Overwrite=True)
        full = CENTRAL.function("api_handler")
        found = client("lambda").get_function_configuration(FunctionName=full)["Environment"]["Variables"]
        client("lambda").update_function_configuration(
            FunctionName=full, Environment={"Variables": {**found, HOOK: value}}
        )

    return apply


HOOK = "approvalHookUrl"


@pytest.mark.parametrize(
    ("place", "break_it", "mend_it", "sentence"),
    [
        (MEMBER, stop_trail, start_trail, "The trail all is stopped: aws cloudtrail start-logging --name all"),
        (
            MEMBER,
            select_events(ReadWriteType="All", IncludeManagementEvents=False),
            select_events(ReadWriteType="All", IncludeManagementEvents=True),
            "The trail all does not log management events that write",
        ),
        (
            MEMBER,
            select_events(ReadWriteType="ReadOnly", IncludeManagementEvents=True),
            select_events(ReadWriteType="WriteOnly", IncludeManagementEvents=True),
            "The trail all does not log management events that write",
        ),
        (MEMBER, revert_rule("disable"), revert_rule("enable"), "revertSecurityGroup-event is disabled, so revert"),
        (
            MEMBER,
            set_topic_policy(MEMBER, "applySecurityGroupChange", without("Central", "NobodyElse")),
            restore_topic_policy(MEMBER, "applySecurityGroupChange"),
            "The topic applySecurityGroupChange does not accept messages from 111111111111.",
        ),
        (
            CENTRAL,
            set_topic_policy(CENTRAL, "securityGroupChange", without("NobodyElse")),
            restore_topic_policy(CENTRAL, "securityGroupChange"),
            "The topic securityGroupChange does not deny everybody else",
        ),
        (
            CENTRAL,
            set_topic_policy(CENTRAL, "securityGroupChange", without("OnlyEncrypted")),
            restore_topic_policy(CENTRAL, "securityGroupChange"),
            "The topic securityGroupChange accepts messages without TLS.",
        ),
        (
            MEMBER,
            set_concurrency(0),
            set_concurrency(None),
            "has a reserved concurrency of 0: somebody switched it off",
        ),
        (
            MEMBER,
            set_variable("revertSecurityGroup", "modeOverride", "observe"),
            set_variable("revertSecurityGroup", "modeOverride", ""),
            "The functions have different positions of the emergency switch",
        ),
        (
            MEMBER,
            set_variable("revertSecurityGroup", "centralRegion", "Ireland"),
            set_variable("revertSecurityGroup", "centralRegion", CENTRAL.region),
            "The setting centralRegion is not a region",
        ),
        (
            MEMBER,
            set_variable("revertSecurityGroup", "ownRoleArn", "arn:aws:iam::222222222222:role/other"),
            set_variable("revertSecurityGroup", "ownRoleArn", MEMBER.role_arn),
            "The setting ownRoleArn is not the functions' role",
        ),
        (MEMBER, set_role("other"), set_role(MEMBER.role), "runs under the role other instead of"),
        (
            CENTRAL,
            set_protection(False),
            set_protection(True),
            "securityGroupRequests is not protected against deletion",
        ),
        (
            MEMBER,
            send_message,
            purge_messages,
            "1 event is in the queue security-group-approval-member-failures: ",
        ),
        (
            MEMBER,
            open_queue,
            close_queue,
            "The queue security-group-approval-member-failures accepts messages from anybody",
        ),
        (
            CENTRAL,
            set_reference("ssm:/hooks/approve"),
            set_reference(f"ssm:/security-group-approval/{HOOK}"),
            "approvalHookUrl refers to ssm:/hooks/approve, which the functions may not read",
        ),
        (MEMBER, keep_logs_for_ever, keep_logs_for_days, "revertSecurityGroup is kept for ever"),
        (
            CENTRAL,
            set_secret("slackSigningSecret", "xyz"),
            set_secret("slackSigningSecret", SECRET),
            "The secret slackSigningSecret does not look like one of Slack's",
        ),
        (
            CENTRAL,
            set_secret("slackSigningSecret", SECRET, "String"),
            set_secret("slackSigningSecret", SECRET),
            "which is not a SecureString",
        ),
    ],
)
def test_what_is_broken_has_its_sentence(
    operator: Operator, place: Place, break_it: Break, mend_it: Break, sentence: str
) -> None:
    """The break is named, with what to do."""
    client = clients(operator, place)
    break_it(client)
    try:
        assert [one for one in examined(operator, place) if sentence in one]
    finally:
        mend_it(client)


def test_a_repaired_account_has_no_problem(operator: Operator) -> None:
    """Every sentence above is gone with its cause."""
    assert [examined(operator, place) for place in (CENTRAL, MEMBER)] == [[], []]


def test_a_dead_webhook_is_found_without_posting(operator: Operator) -> None:
    """Slack knows the address no longer; and nothing appears in the channel, dead or alive."""
    operator.slack.forget()
    operator.slack.always["/monitor"] = Reply(status=404, body="no_service")
    try:
        (said,) = examined(operator, CENTRAL)
    finally:
        operator.slack.always.clear()
    assert "The webhook monitoringHookUrl is dead (Slack says 404 no_service)" in said
    assert operator.slack.posts == []


def test_a_missing_secret_is_named(operator: Operator) -> None:
    """With its reference, so that one knows where to put it."""
    operator.client(CENTRAL, "ssm").delete_parameter(Name=f"/security-group-approval/{HOOK}")
    try:
        (said,) = examined(operator, CENTRAL)
    finally:
        operator.store_secrets()
    assert said.startswith(f"The setting {HOOK} refers to ssm:/security-group-approval/{HOOK}, which does not exist")


def test_one_webhook_stored_twice_is_noticed(operator: Operator) -> None:
    """Under two names; questions and monitoring would be in one channel."""
    set_secret("monitoringHookUrl", operator.slack.url("/approve"))(clients(operator, CENTRAL))
    try:
        (said,) = examined(operator, CENTRAL)
    finally:
        operator.store_secrets()
    assert said.startswith("Both channels have the same webhook")


def test_a_secret_is_never_printed(operator: Operator) -> None:
    """Whatever is wrong with it."""
    secret = "not-a-signing-secret-but-still-secret"
    set_secret("slackSigningSecret", secret)(clients(operator, CENTRAL))
    try:
        assert secret not in " ".join(examined(operator, CENTRAL))
    finally:
        set_secret("slackSigningSecret", SECRET)(clients(operator, CENTRAL))


@pytest.mark.parametrize(("seconds", "side"), [(400, "fast"), (-400, "slow")])
def test_a_wrong_clock_is_noticed(operator: Operator, seconds: int, side: str) -> None:
    """AWS's own time tells."""
    (said,) = examined(operator, MEMBER, now=datetime.now(UTC) + timedelta(seconds=seconds))
    assert said.startswith("This machine's clock is")
    assert f"seconds {side}" in said


def test_a_permission_that_is_gone_is_named(operator: Operator) -> None:
    """The function and the action, before the first approval fails on it."""
    iam = operator.client(MEMBER, "iam")
    document = iam.get_role_policy(RoleName=MEMBER.role, PolicyName="applySecurityGroupChange")["PolicyDocument"]
    for policy in iam.list_role_policies(RoleName=MEMBER.role)["PolicyNames"]:
        found = iam.get_role_policy(RoleName=MEMBER.role, PolicyName=policy)["PolicyDocument"]
        saved[policy] = json.dumps(found)
        found["Statement"] = [one for one in found["Statement"] if one["Sid"] != "ChangeRules"]
        iam.put_role_policy(RoleName=MEMBER.role, PolicyName=policy, PolicyDocument=json.dumps(found))
    try:
        said = examined(operator, MEMBER)
    finally:
        for policy in ("revertSecurityGroup", "applySecurityGroupChange", "snapshotSecurityGroups"):
            iam.put_role_policy(RoleName=MEMBER.role, PolicyName=policy, PolicyDocument=saved.pop(policy))
    assert document["Statement"]
    assert [one for one in said if "lacks permissions that member-prod-eu-west-1-applySecurityGroupChange needs" in one]
    assert examined(operator, MEMBER) == []


def test_refused_credentials_are_not_reported_as_missing_resources(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An auditor without rights is not told that everything is missing."""
    from botocore.exceptions import ClientError

    def refused(_: Any) -> Iterator[str]:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeTable")
        yield ""

    monkeypatch.setattr(checks, "COMMON", (refused,))
    assert examined(operator, MEMBER) == [
        "Your credentials may not look at this: DescribeTable was refused (AccessDeniedException)."
    ]


def test_an_empty_account_is_reported_as_such(operator: Operator) -> None:
    """In the wrong region nothing is there, and the first sentence says that this may be the reason."""
    elsewhere = Place(app="member", stage="prod", partition="aws", account=MEMBER.account, region="ap-southeast-2")
    said = examined(operator, elsewhere)
    assert said[0] == (
        "The stack security-group-approval-member is missing: nothing is deployed here, or in another region; run "
        "`make deploy-member` again."
    )
    assert "The table securityGroupState is missing; run `make deploy-member` again." in said
    assert any("The event rule member-prod-ap-southeast-2-revertSecurityGroup-event is missing" in one for one in said)


@pytest.mark.parametrize(
    ("app", "verb", "sentence"),
    [
        ("member", ["redrive"], "There is no queue security-group-approval-member-failures in account 222222222222"),
        ("member", ["switch", "--mode", "observe"], "does not exist; is the member app deployed here?"),
        ("member", ["undeploy"], "Neither stack nor functions are here; is this the right account, region and stage?"),
        ("central", ["report"], "There is no table securityGroupRequests in account 111111111111, ap-southeast-2"),
        ("central", ["slack-manifest"], "No REST API is deployed here yet"),
        ("central", ["central"], "Name who may ask for approvals: MEMBERS="),
        ("member", ["member"], "Name the central app's place: CENTRAL="),
    ],
)
def test_a_verb_in_the_wrong_place_says_so(
    operator: Operator, app: App, verb: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence says what is missing and what to check."""
    usual = {"central": CENTRAL, "member": MEMBER}[app]
    operator.at(replace(usual, region="ap-southeast-2"), *verb)
    assert sentence in capsys.readouterr().out


class Route(BaseHTTPRequestHandler):
    """The route, with a signing secret of its own."""

    secret = SECRET
    broken = False

    def do_POST(self) -> None:
        """Answer as the product does: 401 for what is not signed."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        flaw = find_flaw(
            secret=self.secret,
            timestamp=self.headers.get("X-Slack-Request-Timestamp", ""),
            signature=self.headers.get("X-Slack-Signature", ""),
            body=body,
            now=datetime.fromtimestamp(time.time(), UTC),
        )
        self.send_response(502 if self.broken else 401 if flaw else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Keep still."""


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the route."""
    server = HTTPServer(("127.0.0.1", 0), Route)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/slack/actions"
    server.shutdown()
    server.server_close()
    thread.join()


real_probe = central.probe


def test_the_right_secret_is_taken_by_the_route(address: str) -> None:
    """Unsigned refused, signed taken: nothing to say."""
    assert list(real_probe(address, SECRET)) == []


def test_a_route_with_another_secret_is_noticed(address: str) -> None:
    """The store has a new signing secret, and the function the old one."""
    (said,) = real_probe(address, "f" * 32)
    assert said.startswith("The route refuses a request signed with the stored slackSigningSecret")


def test_a_route_that_fails_is_noticed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that cannot even start does not refuse."""
    monkeypatch.setattr(Route, "broken", True)
    (said,) = real_probe(address, SECRET)
    assert said.startswith("The route answers 502 to a request without signature instead of 401")


def test_a_route_that_is_not_there_is_noticed() -> None:
    """Nobody listens."""
    (said,) = real_probe("http://127.0.0.1:9/slack/actions", SECRET)
    assert "could not be reached from here (ConnectionError)" in said
