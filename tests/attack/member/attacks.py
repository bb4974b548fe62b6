"""What several attacks on a member account need: details left out, groups that came unheard of, what was reported."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from random import Random
from typing import Final

from shared.domain.request import Request
from shared.domain.rule import Direction, Rule
from shared.wire.messages import RequestMessage
from tests.support.events import Json
from tests.support.member_account import Member

OMITTED: Final = {"omitted": True, "originalSize": 131072, "reason": "field too large"}
PIPELINE_POLICY: Final = '[exempt]\nprincipals = ["arn:aws:iam::*:role/pipeline"]\n'


def without(event: Json, *parts: str, form: object = OMITTED) -> Json:
    """Return the event with ``requestParameters``, ``responseElements`` or both as CloudTrail leaves them out."""
    for part in parts or ("requestParameters", "responseElements"):
        event["detail"][part] = form
    return event


def default_group(member: Member) -> str:
    """Make a VPC, whose default group nobody hears of; moto gives it no rules, so it gets the one AWS makes."""
    vpc_id = member.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    wanted = [{"Name": "vpc-id", "Values": [vpc_id]}]
    (found,) = member.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
    group_id: str = found["GroupId"]
    if not member.live(group_id):
        pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}
        member.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[pair])
    return group_id


def look_twice(member: Member, *, times: int = 3) -> None:
    """Run snapshots until every grace period is over."""
    for number in range(1, times + 1):
        member.snapshot(after=timedelta(minutes=21 * number))


def requests(member: Member) -> list[Request]:
    """Return the requests and notices that were published since the last call."""
    return [one.request for one in member.told() if isinstance(one, RequestMessage)]


def added(some: Iterable[Request]) -> set[str]:
    """Return the identities of all rules that people are asked to add."""
    return {rule.identity for one in some for rule in one.change.added}


def identities(member: Member, group_id: str = "", direction: Direction = "ingress") -> set[str]:
    """Return the identities of a group's live rules."""
    return {one.identity for one in member.live(group_id, direction)}


def names(*rules: Rule) -> set[str]:
    """Return the identities of rules."""
    return {one.identity for one in rules}


def large_tags(*, seed: int = 7, number: int = 50) -> list[tuple[str, str]]:
    """Tags as large as EC2 takes them, of letters with three bytes each that no compression makes smaller."""
    random = Random(seed)  # noqa: S311 - no secret

    def text(length: int) -> str:
        return "".join(chr(random.randrange(0x4E00, 0x9FA5)) for _ in range(length))

    return [(text(128), text(256)) for _ in range(number)]
