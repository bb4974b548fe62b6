"""A member account in moto, and people who change its groups by real calls whose CloudTrail events they hand over."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from member.chalicelib.ec2.forms import permissions, rule_from_api, rule_request
from member.chalicelib.state.baseline import Baseline
from sandbox.aws.events import message_event, scheduled_event
from shared.domain.net_change import compositions, digest_of
from shared.domain.request import Approver, Request
from shared.domain.rule import Direction, Rule, Source, cidr, make_rule
from shared.wire.messages import (
    AdoptedMessage,
    AppliedMessage,
    ApplyBatchMessage,
    ApplyMessage,
    ErrorMessage,
    HeartbeatMessage,
    Message,
    RequestMessage,
    read_message,
)
from shared.wire.messages import write_message as write
from tests.support import events

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's default account

Json = dict[str, Any]


def rule(
    port: int | tuple[int, int] | None = 22,
    source: Source | str = "0.0.0.0/0",
    description: str = "",
    *,
    protocol: str = "tcp",
    direction: Direction = "ingress",
    tags: Iterable[tuple[str, str]] = (),
) -> Rule:
    """A rule, by what tells it from others; a source as text is a CIDR block."""
    first, last = port if isinstance(port, tuple) else (port, port)
    return make_rule(
        direction=direction,
        protocol=protocol,
        from_port=first,
        to_port=last,
        source=cidr(source) if isinstance(source, str) else source,
        description=description,
        tags=tags,
    )


@dataclass
class Member:
    """The member app and the account around it.

    Attributes:
        lambda_: Chalice's test client.
        ec2: an EC2 client of the account.
        sqs: an SQS client.
        dynamodb: a DynamoDB client.
        queue: the queue that gets what the central account would.
        vpc_id: a VPC that is not the default one.
        group_id: the group the tests are about.
    """

    lambda_: Any
    ec2: Any
    sqs: Any
    dynamodb: Any
    queue: str
    vpc_id: str
    group_id: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # -- the app -------------------------------------------------------------------------------------------------------

    def run(self, function: str, event: Mapping[str, Any]) -> None:
        """Invoke a trigger as Lambda does."""
        self.lambda_.invoke(function, dict(event))

    def snapshot(self, *, after: timedelta = timedelta(0)) -> None:
        """Run the scheduled snapshot, now or in a while."""
        moment = datetime.now(UTC) + after
        event = scheduled_event(account=ACCOUNT, region=REGION, rule="snapshotSecurityGroups", at=moment)
        self.run("snapshotSecurityGroups", event)

    def adopt(self) -> None:
        """Accept all groups as they are now, as when the product was deployed just now."""
        for item in self.dynamodb.scan(TableName="securityGroupState")["Items"]:
            if not item["id"]["S"].startswith("request#"):
                self.dynamodb.delete_item(TableName="securityGroupState", Key={"id": item["id"]})
        self.snapshot()

    def deliver(self, *some: Mapping[str, Any]) -> None:
        """Deliver CloudTrail events."""
        for event in some:
            self.run("revertSecurityGroup", event)

    def approve(
        self,
        request: Request,
        *,
        digest: str = "",
        at: datetime | None = None,
        by: Iterable[str] = ("U061F7AUR",),
        hours: float | None = None,
        valid_until: datetime | None = None,
    ) -> None:
        """Deliver the central account's approval of a request."""
        moment = at or datetime.now(UTC)
        people = tuple(Approver(by=one, by_name="ada", at=moment, hours=hours) for one in by)
        message = ApplyMessage(
            request_id=request.request_id,
            digest=digest or request.digest,
            approver_id=people[-1].by,
            approver_name="ada",
            approved_at=moment,
            approvals=people,
            valid_until=valid_until,
        )
        self.deliver_message(write(message))

    def approve_batch(self, *requests: Request, at: datetime | None = None, hours: float | None = None) -> None:
        """Deliver the central account's approval of the net change of requests, for good or for so many hours."""
        self.deliver_message(write(batch_approval(*requests, at=at, hours=hours)))

    def deliver_message(self, text: str) -> None:
        """Deliver a message of the apply topic."""
        arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:applySecurityGroupChange"
        self.run("applySecurityGroupChange", message_event(arn, text))

    # -- what the central account gets ---------------------------------------------------------------------------------

    def told(self) -> list[Message]:
        """Return the requests and outcomes that the central account was sent since the last call."""
        return [one for one in self.told_all() if not isinstance(one, AdoptedMessage | HeartbeatMessage)]

    def told_all(self) -> list[Message]:
        """Return everything that the central account was sent since the last call."""
        messages = []
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
                messages.append(read_message(one["Body"]))
        return messages

    def told_request(self) -> Request:
        """Return the one request that was published since the last call."""
        (message,) = self.told()
        assert isinstance(message, RequestMessage), message
        return message.request

    def told_applied(self) -> AppliedMessage:
        """Return the one success that was published since the last call."""
        (message,) = self.told()
        assert isinstance(message, AppliedMessage), message
        return message

    def told_error(self) -> ErrorMessage:
        """Return the one error that was published since the last call."""
        (message,) = self.told()
        assert isinstance(message, ErrorMessage), message
        return message

    # -- the group -----------------------------------------------------------------------------------------------------

    def live(self, group_id: str = "", direction: Direction = "ingress") -> tuple[Rule, ...]:
        """Return the group's rules of one direction, sorted by identity."""
        wanted = [{"Name": "group-id", "Values": [group_id or self.group_id]}]
        found = self.ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
        rules = [rule_from_api(one, ACCOUNT) for one in found]
        return tuple(sorted((one for one in rules if one.direction == direction), key=lambda one: one.identity))

    def state(self, group_id: str = "") -> list[tuple[Any, ...]]:
        """Return all that is to be restored exactly: values, descriptions and tags of the inbound rules."""
        return exact(self.live(group_id))

    def id_of(self, wanted: Rule, group_id: str = "") -> str:
        """Return the id a live rule has now."""
        (found,) = [one.rule_id for one in self.live(group_id) if one.identity == wanted.identity]
        assert found is not None
        return found

    def holds(self, *rules: Rule, group_id: str = "", tags: Iterable[tuple[str, str]] = ()) -> None:
        """Give the group rules without an event, as if they had always been there."""
        Person(self, group_id=group_id).opens(*rules, tags=tags)

    def new_group(self, name: str = "") -> str:
        """Make one more group and return its id."""
        name = name or f"group-{next(self._numbers)}"
        made: str = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=self.vpc_id)["GroupId"]
        return made

    # -- the table -----------------------------------------------------------------------------------------------------

    def baseline(self, group_id: str = "") -> Baseline | None:
        """Return the group's baseline as the app reads it."""
        from member.chalicelib import context

        return context.begin(REGION).table.baseline(group_id or self.group_id)

    def approved(self, group_id: str = "") -> list[tuple[Any, ...]]:
        """Return the inbound rules of the baseline, as :meth:`state` returns those of the group."""
        baseline = self.baseline(group_id)
        return [] if baseline is None else exact(baseline.rules.of(["ingress"]))

    def ledger(self, request_id: str) -> Json | None:
        """Return the ledger's item of a request, as DynamoDB has it."""
        key = {"id": {"S": f"request#{request_id}"}}
        item: Json | None = self.dynamodb.get_item(TableName="securityGroupState", Key=key).get("Item")
        return item

    def outcome(self, request_id: str) -> str:
        """Return the outcome the ledger has of a request."""
        item = self.ledger(request_id)
        return "" if item is None else item["outcome"]["S"]


def batch_approval(*requests: Request, at: datetime | None = None, hours: float | None = None) -> ApplyBatchMessage:
    """Return the central account's approval of the net change of requests."""
    now = at or datetime.now(UTC)
    composed = compositions(requests).values()
    digests = {one.request_id: one.digest for one in requests}
    return ApplyBatchMessage(
        batch_id="batch#1",
        digest=digest_of(requests),
        requests=tuple((one, digests[one]) for group in composed for one in group.request_ids),
        approvals=(Approver(by="U061F7AUR", by_name="ada", at=now, hours=hours),),
        approved_at=now,
        valid_until=None if hours is None else now + timedelta(hours=hours),
    )


def exact(rules: Iterable[Rule]) -> list[tuple[Any, ...]]:
    """Return everything of rules but their ids, in a fixed order."""
    return sorted((one.identity, one.description, one.tags) for one in rules)


_seconds = itertools.count(1)


def _moment() -> str:
    """Return a time for the next event: each one second later than the one before, none in the past."""
    moment = datetime.now(UTC) + timedelta(seconds=next(_seconds))
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass
class Person:
    """Somebody who changes a group by real calls, and the events CloudTrail would send of them.

    Attributes:
        member: the account.
        identity: CloudTrail's ``userIdentity``.
        group_id: the group; the account's own one when empty.
    """

    member: Member
    identity: Json = field(default_factory=lambda: events.iam_user("ada", account=ACCOUNT))
    group_id: str = ""

    @property
    def group(self) -> str:
        """The group."""
        return self.group_id or self.member.group_id

    def opens(
        self, *rules: Rule, with_answer: bool = True, tags: Iterable[tuple[str, str]] = (), **fields: Any
    ) -> Json:
        """Authorize rules in one call."""
        direction, listed = rules[0].direction, list(tags)
        call = getattr(self.member.ec2, f"authorize_security_group_{direction}")
        pairs = [{"Key": key, "Value": value} for key, value in listed]
        more = {"TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": pairs}]} if pairs else {}
        answer = call(GroupId=self.group, IpPermissions=permissions(rules, with_descriptions=True), **more)
        made = [rule_from_api(one, ACCOUNT) for one in answer["SecurityGroupRules"]]
        response: Json = {"requestId": "r", "_return": True}
        if with_answer:
            items = [events.answered_rule(one, owner=ACCOUNT, group_id=self.group) for one in made]
            response["securityGroupRuleSet"] = {"items": items}
        parameters: Json = {
            "groupId": self.group,
            "ipPermissions": {"items": [events.permission_of(one) for one in rules]},
        }
        if pairs:
            items = [{"key": key, "value": value} for key, value in listed]
            parameters["tagSpecificationSet"] = {"items": [{"resourceType": "security-group-rule", "tags": items}]}
        return self.event(f"AuthorizeSecurityGroup{direction.title()}", parameters, response, **fields)

    def closes(self, *rules: Rule, by_id: bool = True, with_answer: bool = True, **fields: Any) -> Json:
        """Revoke live rules in one call, by id as the console does, or by their values."""
        direction = rules[0].direction
        live = {one.identity: one for one in self.member.live(self.group, direction)}
        gone = [live[one.identity] for one in rules]
        call = getattr(self.member.ec2, f"revoke_security_group_{direction}")
        parameters: Json = {"groupId": self.group, "ipPermissions": {}}
        if by_id:
            call(GroupId=self.group, SecurityGroupRuleIds=[one.rule_id for one in gone])
            parameters["securityGroupRuleIds"] = {"items": [{"securityGroupRuleId": one.rule_id} for one in gone]}
        else:
            call(GroupId=self.group, IpPermissions=permissions(gone, with_descriptions=False))
            parameters["ipPermissions"] = {"items": [events.permission_of(one) for one in rules]}
        response: Json = {"requestId": "r", "_return": True}
        if with_answer:
            items = [events.revoked_rule(one, group_id=self.group) for one in gone]
            response |= {"revokedSecurityGroupRuleSet": {"items": items}, "unknownIpPermissionSet": {}}
        return self.event(f"RevokeSecurityGroup{direction.title()}", parameters, response, **fields)

    def edits(self, *pairs: tuple[Rule, Rule], **fields: Any) -> Json:
        """Modify live rules in place in one call: each (what it is, what it becomes)."""
        live = {one.identity: one.rule_id for one in self.member.live(self.group, pairs[0][0].direction)}
        updates = [
            {"SecurityGroupRuleId": live[before.identity], "SecurityGroupRule": rule_request(after)}
            for before, after in pairs
        ]
        self.member.ec2.modify_security_group_rules(GroupId=self.group, SecurityGroupRules=updates)
        wrapped = events.modified(updates, group_id=self.group)["detail"]
        return self.event(
            "ModifySecurityGroupRules", wrapped["requestParameters"], wrapped["responseElements"], **fields
        )

    def describes(self, *rules: Rule, **fields: Any) -> Json:
        """Give live rules the descriptions of these, by permission."""
        direction = rules[0].direction
        call = getattr(self.member.ec2, f"update_security_group_rule_descriptions_{direction}")
        wanted = permissions(rules, with_descriptions=True)
        call(GroupId=self.group, IpPermissions=wanted)
        name = f"UpdateSecurityGroupRuleDescriptions{direction.title()}"
        parameters = {
            f"{name}Request": {"GroupId": self.group, "IpPermissions": wanted[0] if len(wanted) == 1 else wanted}
        }
        return self.event(name, parameters, {"requestId": "r", "_return": True}, **fields)

    def describes_by_id(self, *rules: Rule, **fields: Any) -> Json:
        """Give live rules the descriptions of these, by rule id."""
        direction = rules[0].direction
        live = {one.identity: one.rule_id for one in self.member.live(self.group, direction)}
        wanted = [{"SecurityGroupRuleId": live[one.identity], "Description": one.description} for one in rules]
        call = getattr(self.member.ec2, f"update_security_group_rule_descriptions_{direction}")
        call(GroupId=self.group, SecurityGroupRuleDescriptions=wanted)
        name = f"UpdateSecurityGroupRuleDescriptions{direction.title()}"
        parameters = {f"{name}Request": {"GroupId": self.group, "SecurityGroupRuleDescription": wanted}}
        return self.event(name, parameters, {"requestId": "r", "_return": True}, **fields)

    def event(self, name: str, parameters: Any, response: Any, **fields: Any) -> Json:
        """Return the event of a call by this person."""
        fields = {"eventTime": _moment(), "recipientAccountId": ACCOUNT, "awsRegion": REGION, **fields}
        return events.event(name, parameters, response, identity=self.identity, **fields)


def at(moment: datetime) -> str:
    """Return a time as CloudTrail writes it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def with_description(one: Rule, description: str) -> Rule:
    """Return the rule described otherwise."""
    return replace(one, description=description)
