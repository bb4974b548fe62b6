"""No size prevents a revert: what is too large is bounded, split or left out, and reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.state.items import LARGEST_BODY, TAGS_BUDGET
from tests.attack.member.attacks import (
    PIPELINE_POLICY,
    added,
    identities,
    large_tags,
    look_twice,
    names,
    requests,
    without,
)
from tests.support.events import assumed_role
from tests.support.member_account import ACCOUNT, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

KEPT = [rule(7000 + number, "10.9.0.0/16", "kept") for number in range(18)]
WIDE = rule((1, 65535), "::/0", "wide")


def tag(member: Member, tags: list[tuple[str, str]]) -> None:
    """Tag all live rules, which nobody has to ask for."""
    ids = [one.rule_id for one in member.live()]
    member.ec2.create_tags(Resources=ids, Tags=[{"Key": key, "Value": value} for key, value in tags])


def largest_item(member: Member) -> int:
    """Return the size of the largest body that is stored."""
    items: list[dict[str, Any]] = member.dynamodb.scan(TableName="securityGroupState")["Items"]
    return max(len(item["body"]["B"]) for item in items if "body" in item)


@pytest.mark.parametrize("parts", [("responseElements",), ("requestParameters", "responseElements")])
def test_a_call_with_more_tags_than_an_item_holds_is_reverted_and_asked_whole(
    member: Member, ada: Person, parts: tuple[str, ...]
) -> None:
    """25 rules with 50 tags of three-byte letters each are 1.4 MB: closed, and every rule is asked about."""
    member.snapshot()
    many = [rule(9000 + number, "0.0.0.0/0", "x" * 255) for number in range(25)]
    member.deliver(without(ada.opens(*many, tags=large_tags()), *parts))
    assert identities(member) == set()
    asked = requests(member)
    assert added(asked) == names(*many)
    assert all("tags of" in one.reason for one in asked)
    assert largest_item(member) <= LARGEST_BODY


def test_a_readable_call_with_large_tags_is_reverted_and_asked(member: Member, ada: Person) -> None:
    """Also where the whole event is there."""
    member.snapshot()
    many = [rule(9100 + number, "2001:db8::/32") for number in range(12)]
    member.deliver(ada.opens(*many, tags=large_tags(seed=3)))
    assert identities(member) == set()
    assert added(requests(member)) == names(*many)


def test_tags_on_approved_rules_do_not_blind_the_snapshot(member: Member, ada: Person) -> None:
    """What the snapshot stores of tags is bounded; a call that comes after is reverted as ever."""
    member.holds(*KEPT)
    member.snapshot()
    tag(member, large_tags(seed=2))
    member.snapshot(after=timedelta(minutes=20))
    assert largest_item(member) <= LARGEST_BODY
    member.deliver(without(ada.opens(WIDE)))
    assert identities(member) == names(*KEPT)
    assert added(requests(member)) == {WIDE.identity}


def test_a_baseline_cannot_be_made_unreadable_by_tags(member: Member, ada: Person) -> None:
    """Repetitive tags compress well; restored again and again they are still read, and an edit is reverted."""
    member.holds(*KEPT)
    member.snapshot()
    tag(member, [(f"{number}" + "k" * 126, "v" * 256) for number in range(50)])
    member.snapshot(after=timedelta(minutes=20))
    for _ in range(8):
        member.deliver(ada.closes(*KEPT))
        assert identities(member) == names(*KEPT)
    member.told()
    member.deliver(ada.edits((KEPT[3], rule((1, 65535), "0.0.0.0/0"))))
    assert identities(member) == names(*KEPT)
    assert len(requests(member)) == 1


def test_one_rule_restored_a_hundred_times_stays_readable(member: Member, ada: Person) -> None:
    """What is remembered of a rule is bounded."""
    member.holds(KEPT[0], tags=large_tags(number=30))
    member.snapshot()
    for _ in range(100):
        member.deliver(ada.closes(KEPT[0]))
    assert identities(member) == {KEPT[0].identity}
    assert member.baseline() is not None
    assert largest_item(member) <= LARGEST_BODY


def test_120_rules_with_fifty_tags_each_are_asked_in_messages_that_fit(
    member: Member, ada: Person, policy: Callable[[str], None]
) -> None:
    """60 IPv4 and 60 IPv6 rules, nothing of the event: every one is closed and asked about, in parts."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    ports = range(11000, 11060)
    many = [rule(port, source, "d" * 255) for port in ports for source in ("0.0.0.0/0", "::/0")]
    for start in range(0, len(many), 30):
        event = ada.opens(*many[start : start + 30], tags=large_tags(seed=start, number=8))
    member.deliver(without(event))
    assert identities(member) == set()
    assert added(requests(member)) == names(*many)


def test_an_exempt_call_with_large_tags_is_accepted(member: Member, policy: Callable[[str], None]) -> None:
    """The tags are left out of what is stored, the rules are not."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    pipeline = Person(member, identity=assumed_role("pipeline", "run-5", account=ACCOUNT))
    many = [rule(12000 + number, "10.2.0.0/16") for number in range(20)]
    member.deliver(pipeline.opens(*many, tags=large_tags(seed=9)))
    look_twice(member)
    assert identities(member) == names(*many)
    assert {one[0] for one in member.approved()} == names(*many)
    assert largest_item(member) <= LARGEST_BODY


def test_rules_of_approved_requests_lose_only_what_was_said_to_be_left_out(member: Member, ada: Person) -> None:
    """Approved, the rules come back; the request had said that tags are left out."""
    member.snapshot()
    many = [rule(13000 + number, "198.51.100.0/24", "asked") for number in range(6)]
    member.deliver(ada.opens(*many, tags=large_tags(seed=4)))
    (asked,) = requests(member)
    kept = sum(len(key.encode()) + len(value.encode()) for one in asked.change.added for key, value in one.tags)
    assert 0 < kept <= TAGS_BUDGET
    member.approve(asked)
    member.told_applied()
    assert identities(member) == names(*many)


def test_a_difference_with_large_tags_is_reverted_by_the_snapshot(member: Member) -> None:
    """No event at all: the drift request is bounded in the same way."""
    member.snapshot()
    many = [rule(14000 + number, "0.0.0.0/0") for number in range(16)]
    member.holds(*many, tags=large_tags(seed=6))
    look_twice(member)
    assert identities(member) == set()
    assert added(requests(member)) == names(*many)
