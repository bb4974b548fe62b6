"""Old and repeated events and approvals: the product never opens by an exempt event what was removed since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from tests.attack.member.attacks import PIPELINE_POLICY, identities, look_twice, names, requests, without
from tests.support.events import assumed_role
from tests.support.member_account import ACCOUNT, Member, Person, at, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

WIDE = rule(8088, "0.0.0.0/0", "for a while")


@pytest.fixture(autouse=True)
def _exempt_pipeline(policy: Callable[[str], None]) -> None:
    policy(PIPELINE_POLICY)


@pytest.fixture
def pipeline(member: Member) -> Person:
    """Somebody exempt."""
    return Person(member, identity=assumed_role("pipeline", "run-9", account=ACCOUNT))


def ago(**some: float) -> str:
    """A time as CloudTrail writes it."""
    return at(datetime.now(UTC) - timedelta(**some))


@pytest.mark.parametrize("days", [0.02, 2, 45])
@pytest.mark.parametrize("with_answer", [True, False])
def test_an_exempt_opening_from_before_adoption_opens_nothing(
    member: Member, pipeline: Person, days: float, with_answer: bool
) -> None:
    """Its rule was gone when the region was adopted; its event comes out of a dead-letter queue."""
    event = pipeline.opens(WIDE, with_answer=with_answer, eventTime=ago(days=days))
    pipeline.closes(WIDE)
    member.snapshot()
    member.deliver(event)
    look_twice(member)
    assert identities(member) == set()
    assert member.approved() == []


@pytest.mark.parametrize("with_answer", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(2))))
@pytest.mark.parametrize("again", [0, 1])
def test_an_exempt_opening_and_closing_end_closed_in_every_order(
    member: Member, pipeline: Person, with_answer: bool, order: tuple[int, int], again: int
) -> None:
    """Whatever the order, one of the two heard twice, and whether or not EC2's answer is in the event."""
    member.snapshot()
    happened = [pipeline.opens(WIDE, with_answer=with_answer), pipeline.closes(WIDE)]
    for index in (*order, again):
        member.deliver(happened[index])
    look_twice(member)
    assert identities(member) == set()
    assert member.approved() == []


def test_an_approved_removal_outlives_an_older_exempt_opening(member: Member, ada: Person, pipeline: Person) -> None:
    """The pipeline's event arrives after people approved that its rule goes."""
    member.holds(WIDE)
    member.snapshot()
    member.deliver(ada.closes(WIDE))
    (asked,) = requests(member)
    made_again = pipeline.closes(WIDE), pipeline.opens(WIDE, eventTime=ago(seconds=3))
    member.approve(asked)
    assert identities(member) == set()
    member.deliver(made_again[1])
    look_twice(member)
    assert identities(member) == set()


def test_an_approval_delivered_again_opens_nothing_after_an_exempt_removal(
    member: Member, ada: Person, pipeline: Person
) -> None:
    """Applied once is applied for good."""
    member.snapshot()
    member.deliver(ada.opens(WIDE))
    (asked,) = requests(member)
    member.approve(asked)
    member.deliver(pipeline.closes(WIDE))
    member.approve(asked)
    look_twice(member)
    assert identities(member) == set()


def test_the_same_call_delivered_five_times_is_one_request(member: Member, ada: Person) -> None:
    """Its id is CloudTrail's request id."""
    member.snapshot()
    event = ada.opens(WIDE)
    for _ in range(5):
        member.deliver(event)
    assert len({one.request_id for one in requests(member)}) == 1
    assert identities(member) == set()


def test_an_opening_whose_details_are_left_out_is_not_forgiven_when_heard_again(member: Member, ada: Person) -> None:
    """Delivered again after somebody else opened the same: reverted again."""
    member.snapshot()
    event = without(ada.opens(WIDE))
    member.deliver(event)
    second = ada.opens(WIDE)
    member.deliver(second)
    member.deliver(event)
    look_twice(member)
    assert identities(member) == set()
    assert names(WIDE) <= {rule.identity for one in requests(member) for rule in one.change.added}
