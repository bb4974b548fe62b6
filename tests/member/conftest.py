"""A member account in moto: its table, its topics, a queue that hears what the central account would, and real-shaped events."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from chalice.test import Client
from moto import mock_aws

from shared.aws import clients
from shared.domain.rule import Rule
from shared.wire.ec2 import permissions, rule_from_api
from shared.wire.messages import Message, read_message
from tests.support import events

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's default account
CENTRAL = "123456789012"


@dataclass
class Member:
    """The member app and the account around it."""

    lambda_: Any
    ec2: Any
    sqs: Any
    dynamodb: Any
    queue: str
    group_id: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, function: str, event: Mapping[str, Any]) -> None:
        """Invoke a trigger as Lambda does."""
        self.lambda_.invoke(function, dict(event))

    def snapshot(self, at: datetime | None = None) -> None:
        """Run the scheduled snapshot, at a time of its own if given."""
        moment = (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        event = {"version": "0", "account": ACCOUNT, "region": REGION, "detail": {}, "detail-type": "Scheduled Event"}
        self.run("snapshotSecurityGroups", {**event, "source": "aws.events", "time": moment, "id": "x", "resources": []})

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Deliver a CloudTrail event."""
        self.run("revertSecurityGroup", event)

    def approve(self, request_id: str, digest: str) -> None:
        """Deliver the central account's approval."""
        body = {
            "version": 1,
            "type": "apply",
            "requestId": request_id,
            "digest": digest,
            "approverId": "U061F7AUR",
            "approverName": "ada",
            "approvedAt": "2026-10-01T12:00:00Z",
        }
        self.deliver_message(json.dumps(body))

    def deliver_message(self, text: str) -> None:
        """Deliver a message of the apply topic."""
        arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:applySecurityGroupChange"
        sns = {"TopicArn": arn, "Message": text, "Subject": "", "MessageId": "1", "MessageAttributes": {}}
        self.run("applySecurityGroupChange", {"Records": [{"EventSource": "aws:sns", "Sns": sns}]})

    def told(self) -> list[Message]:
        """Return what the central account was told since the last call."""
        messages = []
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
                messages.append(read_message(json.loads(one["Body"])["Message"]))
        return messages

    def rules(self, group_id: str | None = None) -> list[dict[str, Any]]:
        """Return the group's inbound rules as EC2 tells them."""
        wanted = [{"Name": "group-id", "Values": [group_id or self.group_id]}]
        found = self.ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
        return [rule for rule in found if not rule["IsEgress"]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the member app, and credentials that reach nothing real."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "centralAccountId": CENTRAL,
        "centralRegion": REGION,
        "accountName": "payments",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def policy(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a policy file in force."""
    numbers = itertools.count()

    def use(text: str) -> None:
        path = tmp_path / f"policy-{next(numbers)}.toml"
        path.write_text(text)
        monkeypatch.setenv("policyFile", str(path))

    return use


@pytest.fixture
def member() -> Iterator[Member]:
    """A member account with one group in a VPC and everything the product needs."""
    with mock_aws():
        clients.forget()
        ec2, sns = boto3.client("ec2", REGION), boto3.client("sns", REGION)
        sqs, dynamodb = boto3.client("sqs", REGION), boto3.client("dynamodb", REGION)
        queue = sqs.create_queue(QueueName="central")["QueueUrl"]
        for name in ("securityGroupChange", "errorHandlerSecurityGroupChange"):
            topic = sns.create_topic(Name=name)["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:central")
        dynamodb.create_table(
            TableName="securityGroupState",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]

        import member.app  # noqa: PLC0415 - the app is imported with the account's environment in place

        with Client(member.app.app) as client:
            yield Member(
                lambda_=client.lambda_, ec2=ec2, sqs=sqs, dynamodb=dynamodb, queue=queue, group_id=group
            )
        clients.forget()


@dataclass
class Person:
    """Somebody who changes the group by real calls, and the events CloudTrail would send of them."""

    member: Member
    identity: dict[str, Any] = field(default_factory=lambda: events.iam_user("ada", account=ACCOUNT))

    def _event(self, name: str, parameters: Any, response: Any, **fields: Any) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        fields = {"eventTime": at, "recipientAccountId": ACCOUNT, "awsRegion": REGION, **fields}
        return events.event(name, parameters, response, identity=self.identity, **fields)

    def opens(self, *rules: Rule, with_answer: bool = True, **fields: Any) -> dict[str, Any]:
        """Authorize the rules in one call and return the event."""
        direction = rules[0].direction
        call = getattr(self.member.ec2, f"authorize_security_group_{direction}")
        answer = call(GroupId=self.member.group_id, IpPermissions=permissions(rules, with_descriptions=True))
        made = [rule_from_api(one, ACCOUNT) for one in answer["SecurityGroupRules"]]
        items = [events.answered_rule(rule, owner=ACCOUNT, group_id=self.member.group_id) for rule in made]
        response = {"requestId": "r", "_return": True}
        if with_answer:
            response["securityGroupRuleSet"] = {"items": items}
        parameters = {
            "groupId": self.member.group_id,
            "ipPermissions": {"items": [events.permission_of(rule) for rule in rules]},
        }
        return self._event(f"AuthorizeSecurityGroup{direction.title()}", parameters, response, **fields)

    def closes(self, *rule_ids: str, with_answer: bool = True, **fields: Any) -> dict[str, Any]:
        """Revoke rules by id, as the console does, and return the event."""
        found = self.member.ec2.describe_security_group_rules(SecurityGroupRuleIds=list(rule_ids))["SecurityGroupRules"]
        self.member.ec2.revoke_security_group_ingress(
            GroupId=self.member.group_id, SecurityGroupRuleIds=list(rule_ids)
        )
        parameters = {
            "groupId": self.member.group_id,
            "ipPermissions": {},
            "securityGroupRuleIds": {"items": [{"securityGroupRuleId": one} for one in rule_ids]},
        }
        gone = [rule_from_api(one, ACCOUNT) for one in found]
        response: dict[str, Any] = {"requestId": "r", "_return": True}
        if with_answer:
            items = [events.revoked_rule(rule, group_id=self.member.group_id) for rule in gone]
            response |= {"revokedSecurityGroupRuleSet": {"items": items}, "unknownIpPermissionSet": {}}
        return self._event("RevokeSecurityGroupIngress", parameters, response, **fields)

    def edits(self, rule_id: str, **values: Any) -> dict[str, Any]:
        """Modify one rule in place, as the console does, and return the event."""
        self.member.ec2.modify_security_group_rules(
            GroupId=self.member.group_id,
            SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": values}],
        )
        wrapped = events.modified([events.edit(rule_id, **values)], group_id=self.member.group_id)
        return self._event("ModifySecurityGroupRules", wrapped["detail"]["requestParameters"], {})


@pytest.fixture
def ada(member: Member) -> Person:
    """An IAM user of the member account."""
    return Person(member)
