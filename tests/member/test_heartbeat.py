"""Once an hour a member tells how it is and makes a probe; the probe's event is noted, and asks nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bench import heartbeats as heartbeats_cost
from member.chalicelib import heartbeat as flow
from member.chalicelib import probe
from shared.version import VERSION
from shared.wire.heartbeat import UNKNOWN, Heartbeat
from shared.wire.messages import HeartbeatMessage, RequestMessage
from tests.support import events
from tests.support.faults import Faults
from tests.support.member_account import ACCOUNT, REGION, Json, Member, Person, at

ROLE = "security-group-approval-member-dev"
HOUR = timedelta(hours=1)
DRY_RUN = "Client.DryRunOperation"
FUNCTION = "member-dev-snapshotSecurityGroups"


@pytest.fixture(autouse=True)
def own_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment says which role the functions have."""
    monkeypatch.setenv("ownRoleArn", f"arn:aws:iam::{ACCOUNT}:role/{ROLE}")


def heartbeats(member: Member) -> list[Heartbeat]:
    """Return the heartbeats since the last call."""
    return [one.heartbeat for one in member.told_all() if isinstance(one, HeartbeatMessage)]


def event_of_probe(member: Member, *, role: str = ROLE, error: str = DRY_RUN, seconds: int = 7, **range_: Any) -> Json:
    """Return the event of a probe that was made some seconds ago; ``range_`` replaces its values."""
    values = {"protocol": "tcp", "from": 65535, "to": 65535, "cidr": "192.0.2.1/32", **range_}
    permission = {
        "ipProtocol": values["protocol"],
        "fromPort": values["from"],
        "toPort": values["to"],
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": values["cidr"]}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    person = Person(member, identity=events.assumed_role(role, FUNCTION, account=ACCOUNT))
    return person.event(
        range_.get("name", "AuthorizeSecurityGroupIngress"),
        {"groupId": member.group_id, "ipPermissions": {"items": [permission]}, "dryRun": True},
        None,
        eventTime=at(datetime.now(UTC) - timedelta(seconds=seconds)),
        errorCode=error,
        errorMessage="Request would have succeeded, but DryRun flag is set.",
    )


def item(member: Member) -> dict[str, Any]:
    """Return what is remembered between heartbeats."""
    found = member.dynamodb.get_item(TableName="securityGroupState", Key={"id": {"S": f"probe#{REGION}"}})
    return dict(found.get("Item", {}))


# -- the heartbeat -----------------------------------------------------------------------------------------------------


def test_the_first_snapshot_tells_how_the_member_is(member: Member) -> None:
    """Outside of Lambda no names are known, so nothing is looked at."""
    member.snapshot()
    (one,) = heartbeats(member)
    assert (one.account, one.account_name, one.region) == (ACCOUNT, "payments", REGION)
    assert (one.version, one.mode, len(one.policy_digest)) == (VERSION, "enforce", 16)
    assert [direction for direction, _ in one.adopted_at] == ["ingress"]
    assert one.groups == len(member.ec2.describe_security_groups()["SecurityGroups"])
    assert (one.rule, one.trail, one.dead_letters) == (UNKNOWN, UNKNOWN, None)
    assert (one.probe, one.probe_ms, one.problems) == ("waiting", None, ())


def test_there_is_one_heartbeat_an_hour(member: Member) -> None:
    """Of six snapshots an hour one sends it, whatever a schedule's seconds are."""
    for minutes in range(0, 180, 10):
        member.snapshot(after=timedelta(minutes=minutes))
    assert len(heartbeats(member)) == 3


def test_a_new_version_tells_at_once_and_calls_no_probe_lost(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever upgrades a fleet sees it; the probe of a minute ago may still be on its way."""
    member.snapshot()
    monkeypatch.setattr(flow, "VERSION", "9.9.9")
    member.snapshot(after=timedelta(minutes=1))
    _, second = heartbeats(member)
    assert (second.version, second.probe, second.problems) == ("9.9.9", "waiting", ())


def test_a_snapshot_that_fails_sends_it_too(member: Member, policy: Callable[[str], None]) -> None:
    """With the problem; the failure is raised as before, and the retries send no second one."""
    policy("mode = 5")
    for _ in range(2):
        with pytest.raises(Exception, match="policy cannot be used"):
            member.snapshot()
    (one,) = heartbeats(member)
    assert [problem.kind for problem in one.problems] == ["snapshot", "policy"]
    assert "policy cannot be used" in one.problems[0].text


def test_what_is_raised_is_the_snapshots_failure(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the heartbeat fails too."""
    monkeypatch.delenv("centralAccountId")
    monkeypatch.setattr("member.chalicelib.snapshot.read_region", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        member.snapshot()


def test_a_heartbeat_that_cannot_be_sent_fails_the_run(member: Member) -> None:
    """Lambda runs it again, and operators see the error."""
    member.adopt()
    heartbeats(member)
    faults = Faults()
    with faults.watching():
        member.snapshot(after=2 * HOUR)
    number = faults.operations.index("Publish") + 1
    with Faults(kind="unreachable", at=number).watching(), pytest.raises(Exception, match=r"aws\.invalid"):
        member.snapshot(after=4 * HOUR)


def test_without_its_state_a_member_still_tells_once_an_hour(member: Member) -> None:
    """In the first ten minutes of each hour, since nobody knows when it was last."""
    member.dynamodb.delete_table(TableName="securityGroupState")
    try:
        start = datetime.now(UTC).replace(minute=0, second=30) + HOUR - datetime.now(UTC)
        for minutes in range(0, 60, 10):
            with pytest.raises(ClientError):
                member.snapshot(after=start + timedelta(minutes=minutes))
    finally:
        member.dynamodb.create_table(
            TableName="securityGroupState",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    (one,) = heartbeats(member)
    assert [problem.kind for problem in one.problems] == ["snapshot", "state"]


def test_a_damaged_note_costs_one_heartbeat_and_no_more(member: Member) -> None:
    """It is written anew."""
    member.snapshot()
    member.dynamodb.put_item(
        TableName="securityGroupState", Item={"id": {"S": f"probe#{REGION}"}, "beatAt": {"S": "yesterday"}}
    )
    member.snapshot()
    member.snapshot(after=timedelta(minutes=10))
    assert len(heartbeats(member)) == 2


# -- the probe ---------------------------------------------------------------------------------------------------------


def test_the_probe_is_a_dry_run_and_opens_nothing(member: Member, faults: Faults) -> None:
    """Of a documentation address, on a group of ours, once an hour."""
    before = member.state()
    with faults.watching():
        member.snapshot()
        member.snapshot(after=timedelta(minutes=10))
    made = [call.parameters for call in faults.calls if call.operation == "AuthorizeSecurityGroupIngress"]
    (call,) = made
    ours = {one["GroupId"] for one in member.ec2.describe_security_groups()["SecurityGroups"]}
    assert call["GroupId"] in ours
    assert call["DryRun"] is True
    assert call["IpPermissions"] == [
        {"IpProtocol": "tcp", "FromPort": 65535, "ToPort": 65535, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
    ]
    assert member.state() == before


def test_the_next_heartbeat_says_how_long_the_event_took(member: Member, faults: Faults) -> None:
    """Noting it is one write; nothing is asked, not even where dry runs ask."""
    member.snapshot()
    with faults.watching():
        member.deliver(event_of_probe(member, seconds=7))
    assert faults.operations == ["UpdateItem"]
    member.snapshot(after=HOUR)
    _, second = heartbeats(member)
    assert second.probe == "arrived"
    assert 7000 <= (second.probe_ms or 0) < 20000
    assert second.problems == ()


@pytest.mark.parametrize("kinds", ["ask_by_dry_run = true", 'ask_by_dry_run = true\nmode = "observe"'])
def test_a_probe_never_asks(member: Member, policy: Callable[[str], None], kinds: str) -> None:
    """It is the product's own call."""
    policy(kinds)
    member.snapshot()
    member.deliver(event_of_probe(member))
    member.snapshot(after=timedelta(minutes=10))
    assert not [one for one in member.told_all() if isinstance(one, RequestMessage)]
    assert "arrivedAt" in item(member)


@pytest.mark.parametrize(
    "other",
    [
        {"role": "deploy"},
        {"role": f"{ROLE}-2"},
        {"error": "Client.UnauthorizedOperation"},
        {"cidr": "192.0.2.2/32"},
        {"from": 65534},
        {"protocol": "udp"},
        {"protocol": 5},
        {"name": "AuthorizeSecurityGroupEgress"},
    ],
    ids=str,
)
def test_nothing_else_is_taken_for_the_probe(member: Member, other: dict[str, Any]) -> None:
    """Another role, another answer, another rule; or what cannot be read."""
    member.snapshot()
    member.deliver(event_of_probe(member, **other))
    assert "arrivedAt" not in item(member)


def test_somebody_elses_dry_run_of_the_same_rule_asks(member: Member, policy: Callable[[str], None]) -> None:
    """It is a call like any other."""
    policy("ask_by_dry_run = true")
    member.adopt()
    member.told()
    member.deliver(event_of_probe(member, role="deploy"))
    assert len(member.told()) == 1


def test_a_probe_whose_event_does_not_come_is_a_problem(member: Member) -> None:
    """Trail, event rule or function do not work; the next that arrives ends it."""
    member.snapshot()
    member.snapshot(after=HOUR)
    member.deliver(event_of_probe(member, seconds=-3600))
    member.snapshot(after=2 * HOUR)
    _, second, third = heartbeats(member)
    assert (second.probe, [problem.kind for problem in second.problems]) == ("missing", ["probe"])
    assert (third.probe, third.problems) == ("arrived", ())


def test_an_earlier_probes_event_that_comes_late_changes_nothing(member: Member) -> None:
    """Events come in any order."""
    member.snapshot()
    member.deliver(event_of_probe(member, seconds=7))
    arrived = item(member)["arrivedAt"]
    member.deliver(event_of_probe(member, seconds=3600))
    assert item(member)["arrivedAt"] == arrived


def test_a_note_that_cannot_be_written_stops_nothing(member: Member) -> None:
    """The next heartbeat reports the probe as lost; the event is not delivered again for it."""
    member.snapshot()
    with Faults(kind="throttled", at=1, times=9).watching():
        member.deliver(event_of_probe(member))
    assert "arrivedAt" not in item(member)


def test_a_probe_that_ec2_refuses_is_a_problem(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service control policy, for example."""
    monkeypatch.setattr(
        "member.chalicelib.ec2.security_groups.SecurityGroups.dry_run", lambda *_: "UnauthorizedOperation"
    )
    member.snapshot()
    member.snapshot(after=HOUR)
    _, second = heartbeats(member)
    assert second.probe == "UnauthorizedOperation"
    assert [problem.text for problem in second.problems] == ["The probe could not be made: UnauthorizedOperation."]


def test_a_group_that_is_gone_is_passed_over(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was deleted since it was listed; a region without groups makes no probe, and that is no problem."""
    monkeypatch.setattr(
        "member.chalicelib.ec2.security_groups.SecurityGroups.dry_run", lambda *_: "InvalidGroup.NotFound"
    )
    member.snapshot()
    member.snapshot(after=HOUR)
    _, second = heartbeats(member)
    assert (second.probe, second.problems) == (probe.NO_GROUP, ())


# -- what is around the functions --------------------------------------------------------------------------------------


@pytest.fixture
def deployed(member: Member, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The function runs in Lambda; call it to make rule, trail and queues."""
    del member
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)

    def make() -> None:
        boto3.client("events", REGION).put_rule(
            Name="member-dev-revertSecurityGroup-event", EventPattern=json.dumps({"source": ["aws.ec2"]})
        )
        boto3.client("s3", "us-east-1").create_bucket(Bucket="trail")
        trails = boto3.client("cloudtrail", REGION)
        trails.create_trail(Name="trail", S3BucketName="trail", IsMultiRegionTrail=True)
        trails.start_logging(Name="trail")
        for name in ("failures", "undelivered"):
            boto3.client("sqs", REGION).create_queue(QueueName=f"security-group-approval-member-{name}")

    return make


def test_a_heartbeat_says_whether_changes_can_be_seen(member: Member, deployed: Callable[[], None]) -> None:
    """Rule, trail and queues, as they are; then switched off; then gone."""
    deployed()
    rules, trails, queues = (boto3.client(name, REGION) for name in ("events", "cloudtrail", "sqs"))
    try:
        member.snapshot()
        (one,) = heartbeats(member)
        assert (one.rule, one.trail, one.dead_letters, one.problems) == ("on", "on", 0, ())
        rules.disable_rule(Name="member-dev-revertSecurityGroup-event")
        trails.stop_logging(Name="trail")
        queue = queues.get_queue_url(QueueName="security-group-approval-member-failures")["QueueUrl"]
        queues.send_message(QueueUrl=queue, MessageBody="{}")
        member.deliver(event_of_probe(member))
        member.snapshot(after=HOUR)
        (one,) = heartbeats(member)
        assert (one.rule, one.trail, one.dead_letters) == ("off", "off", 1)
        assert [problem.kind for problem in one.problems] == ["deadLetters", "rule", "trail"]
    finally:
        rules.delete_rule(Name="member-dev-revertSecurityGroup-event")
        trails.delete_trail(Name="trail")
        for name in ("failures", "undelivered"):
            url = queues.get_queue_url(QueueName=f"security-group-approval-member-{name}")["QueueUrl"]
            queues.delete_queue(QueueUrl=url)
    member.snapshot(after=2 * HOUR)
    (one,) = heartbeats(member)
    assert (one.rule, one.trail, one.dead_letters) == ("missing", "missing", None)


def test_what_may_not_be_looked_at_is_unknown(
    member: Member, deployed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no problem, and keeps no heartbeat back."""
    del deployed

    def refuse(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Look")

    monkeypatch.setattr("member.chalicelib.surroundings.client", refuse)
    member.snapshot()
    (one,) = heartbeats(member)
    assert (one.rule, one.trail, one.dead_letters, one.problems) == (UNKNOWN, UNKNOWN, None, ())


def test_an_hour_takes_the_calls_that_are_billed(member: Member, faults: Faults) -> None:
    """Six snapshots, one heartbeat, one probe and its event: what docs/cost.md counts, and nothing that costs more."""
    member.adopt()
    quiet = Faults()
    with quiet.watching():
        member.snapshot(after=timedelta(minutes=10))
    with faults.watching():
        for minutes in range(60, 120, 10):
            member.snapshot(after=timedelta(minutes=minutes))
        member.deliver(event_of_probe(member))
    made = Counter(faults.operations)
    for operation, number in Counter(quiet.operations).items():
        made[operation] -= number * 6
    # Of a quiet snapshot one read is the look whether a heartbeat is due.
    made["GetItem"] += 6
    billed = {
        name: number for name, number in made.items() if number and not name.startswith(("Describe", "Authorize"))
    }
    assert billed == heartbeats_cost.MEMBER_HOUR
