"""What the member app's functions may do, they also do: a right without a use has no place in a policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final, get_args

import pytest

from member.chalicelib import context
from shared.domain.rule import Direction, prefix_list
from shared.wire.messages import RequestMessage
from tests.support import permissions
from tests.support.aws_clients import aws_client
from tests.support.events import Json
from tests.support.member_account import REGION, Member, Person, rule, with_description
from tests.support.permissions import policy_of

pytestmark = pytest.mark.usefixtures("repaired_moto")

POLICY: Final = """
directions = ["ingress", "egress"]

[[rules]]
match = { cidrs = ["192.168.7.0/24"] }
approvals = 0
"""
LATER = timedelta(minutes=20)
TAGS: Final = [("team", "shop")]
OMITTED: Final = {"omitted": True, "originalSize": 123456, "reason": "too large"}
"""What CloudTrail leaves of the details of large calls."""
UNUSED: Final = {
    ("snapshotSecurityGroups", "dynamodb:DeleteItem"): "a group of another account that has a baseline",
}
BY_LAMBDA_ITSELF: Final = ("Failures", "Log", "OwnKey", "Trace")
"""Statements for what Lambda does under the function's role; no call of ours shows them."""


def changes(member: Member, ada: Person, direction: Direction) -> Iterator[Json]:
    """Make every kind of change in a new group, one after the other; each event is the change's own."""
    person = replace(ada, group_id=member.new_group())
    closed, edited, described = (
        rule(port, "10.0.0.0/8", "kept", direction=direction, tags=TAGS) for port in (443, 444, 445)
    )
    person.opens(closed, edited, described, tags=TAGS)
    member.adopt()
    yield person.opens(rule(22, "10.1.0.0/16", "new", direction=direction))
    yield person.closes(closed)
    yield person.edits((edited, rule(8443, "10.0.0.0/8", "edited", direction=direction)))
    yield person.describes(with_description(described, "described"))


def approve_all(member: Member) -> None:
    """Approve what was asked for since the last time."""
    for message in member.told():
        if isinstance(message, RequestMessage):
            member.approve(message.request)


def to_a_list(member: Member, ada: Person) -> None:
    """Open a group to a prefix list, with its event and without, approved."""
    made = member.ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "192.0.2.0/24"}]
    )
    person = replace(ada, group_id=member.new_group())
    opened = person.opens(rule(22, prefix_list(made["PrefixList"]["PrefixListId"])))
    member.deliver(opened)
    approve_all(member)
    person.opens(rule(23, prefix_list(made["PrefixList"]["PrefixListId"])))
    member.snapshot()
    member.snapshot(after=LATER)
    approve_all(member)


def look_around(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a heartbeat from Lambda, where names are known; afterwards the account is as before."""
    rules, trails, queues = (aws_client(name, REGION) for name in ("events", "cloudtrail", "sqs"))
    rules.put_rule(Name="member-dev-revertSecurityGroup-event", EventPattern='{"source": ["aws.ec2"]}')
    aws_client("s3", "us-east-1").create_bucket(Bucket="trail")
    trails.create_trail(Name="trail", S3BucketName="trail")
    urls = [
        queues.create_queue(QueueName=f"security-group-approval-member-{name}")["QueueUrl"]
        for name in ("failures", "undelivered")
    ]
    with monkeypatch.context() as patch:
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", "member-dev-snapshotSecurityGroups")
        member.snapshot(after=timedelta(hours=2))
    rules.delete_rule(Name="member-dev-revertSecurityGroup-event")
    trails.delete_trail(Name="trail")
    for url in urls:
        queues.delete_queue(QueueUrl=url)


@pytest.fixture
def used(
    member: Member, ada: Person, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> set[tuple[str, str]]:
    """Every kind of change in both directions: with its event, without, approved, let through; a group that goes."""
    permissions.seen.clear()
    policy(POLICY)
    for direction in get_args(Direction):
        for event in changes(member, ada, direction):
            member.deliver(event)
            approve_all(member)
        for _ in changes(member, ada, direction):
            member.snapshot()
            member.snapshot(after=LATER)
            approve_all(member)
    unheard = replace(ada, group_id=member.new_group())  # a group without rules that no snapshot has seen
    member.deliver(unheard.opens(rule(22, tags=TAGS), tags=TAGS))
    approve_all(member)
    member.deliver(ada.event("AuthorizeSecurityGroupIngress", OMITTED, OMITTED))
    for port in (8443, 9443):
        member.deliver(unheard.opens(rule(port)))
    member.approve_batch(*(one.request for one in member.told() if isinstance(one, RequestMessage)))
    member.deliver(ada.opens(rule(8080, "192.168.7.0/24")))  # needs no approval, and stays
    gone = member.new_group()
    member.snapshot()
    member.deliver(replace(ada, group_id=gone).opens(rule(22)))
    member.ec2.delete_security_group(GroupId=gone)
    approve_all(member)
    member.deliver(ada.event("DeleteSecurityGroup", {"groupId": gone}, {"_return": True}))
    to_a_list(member, ada)
    look_around(member, monkeypatch)
    policy('[[rules]]\nmatch = { source = ["private"] }\napprovals = 0')
    member.deliver(replace(ada, group_id=member.new_group()).opens(rule(22, "10.0.0.0/8")))
    return set(permissions.seen)


def test_every_right_of_the_member_app_is_used(used: set[tuple[str, str]]) -> None:
    """An action that no kind of change makes a function take has no place in its policy, but for a written reason."""
    rights = {
        (function, action)
        for function in context.OWN_FUNCTIONS
        for statement in policy_of("member", function)["Statement"]
        if statement["Sid"] not in BY_LAMBDA_ITSELF
        for action in statement["Action"]
    }
    assert rights - used == UNUSED.keys()
