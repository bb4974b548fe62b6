"""Several people change the same rules within seconds; the events come in any order, each twice: the group ends right.

On moto with the sandbox's repairs, since these calls need moto to know a rule by its identity alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from shared.wire.messages import RequestMessage
from tests.support.events import Json, iam_user, identity_center
from tests.support.member_account import ACCOUNT, Member, Person, at, exact, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

R = rule(22, "10.0.0.0/8", "approved ssh", tags=[("team", "shop")])
S = rule(443, "10.0.0.0/8", "approved web")
A = rule(22, "0.0.0.0/0", "open")
B = rule(23, "0.0.0.0/0", "open too")
C = rule(24, "::/0", "open as well")
NEW = rule(25, "0.0.0.0/0", "edited")
NEWER = rule(26, "0.0.0.0/0", "edited again")


@dataclass(frozen=True, slots=True)
class Team:
    """Three people with three kinds of identity, and whether EC2's answers to them name the rules."""

    x: Person
    y: Person
    z: Person
    full: bool


Story = Callable[[Team], list[Json]]
"""What people do, in this order."""


def team(member: Member, group_id: str = "", *, full: bool = True) -> Team:
    """The people at work on one group."""
    bob, eve = iam_user("bob", account=ACCOUNT), identity_center("eve@example.com", account=ACCOUNT)
    return Team(
        Person(member, group_id=group_id),
        Person(member, identity=bob, group_id=group_id),
        Person(member, identity=eve, group_id=group_id),
        full,
    )


STORIES: dict[str, Story] = {
    "add, edit it": lambda t: [t.x.opens(A, with_answer=t.full), t.y.edits((A, B))],
    "add, remove it": lambda t: [t.x.opens(A, with_answer=t.full), t.y.closes(A, with_answer=t.full)],
    "add, describe it": lambda t: [
        t.x.opens(A, with_answer=t.full),
        t.y.describes(with_description(A, "mine")),
    ],
    "add, remove, add again": lambda t: [
        t.x.opens(A, with_answer=t.full),
        t.y.closes(A, by_id=False, with_answer=t.full),
        t.z.opens(A, with_answer=t.full),
    ],
    "remove, add again": lambda t: [
        t.x.closes(R, by_id=False, with_answer=t.full),
        t.y.opens(R, with_answer=t.full),
    ],
    "remove, add with another description": lambda t: [
        t.x.closes(R, with_answer=t.full),
        t.y.opens(with_description(R, "mine"), with_answer=t.full),
    ],
    "remove, add, remove": lambda t: [
        t.x.closes(R, by_id=False, with_answer=t.full),
        t.y.opens(R, with_answer=t.full),
        t.z.closes(R, by_id=False, with_answer=t.full),
    ],
    "edit, edit again": lambda t: [t.x.edits((R, NEW)), t.y.edits((NEW, NEWER))],
    "edit, edit back": lambda t: [t.x.edits((R, NEW)), t.y.edits((NEW, R))],
    "edit, remove": lambda t: [t.x.edits((R, NEW)), t.y.closes(NEW, with_answer=t.full)],
    "edit, remove by values": lambda t: [
        t.x.edits((R, NEW)),
        t.y.closes(NEW, by_id=False, with_answer=t.full),
    ],
    "edit, describe": lambda t: [t.x.edits((R, NEW)), t.y.describes(with_description(NEW, "mine"))],
    "describe, edit": lambda t: [
        t.x.describes_by_id(with_description(R, "mine")),
        t.y.edits((R, NEW)),
    ],
    "edit, add the old one": lambda t: [t.x.edits((R, NEW)), t.y.opens(R, with_answer=t.full)],
    "edit, add the old one, remove the edited": lambda t: [
        t.x.edits((R, NEW)),
        t.y.opens(R, with_answer=t.full),
        t.z.closes(NEW, by_id=False, with_answer=t.full),
    ],
    "remove one, edit another into it": lambda t: [
        t.x.closes(S, by_id=False, with_answer=t.full),
        t.y.edits((R, S)),
    ],
    "remove one, add another, edit it into the first": lambda t: [
        t.x.closes(R, by_id=False, with_answer=t.full),
        t.y.opens(A, with_answer=t.full),
        t.z.edits((A, R)),
    ],
    "edit one away, another into it": lambda t: [t.x.edits((R, NEW)), t.y.edits((S, R))],
    "edit both in one call, each to new values": lambda t: [t.x.edits((R, NEW), (S, NEWER))],
    "edit both in one call, one into the other's place": lambda t: [t.x.edits((R, NEW), (S, R))],
    "add several, edit one, remove one": lambda t: [
        t.x.opens(A, B, C, with_answer=t.full),
        t.y.edits((A, NEW)),
        t.z.closes(B, with_answer=t.full),
    ],
}


@pytest.mark.parametrize("full", [True, False], ids=["with answers", "without answers"])
@pytest.mark.parametrize("name", STORIES)
def test_events_in_any_order_end_in_the_approved_state(member: Member, name: str, full: bool) -> None:
    """Whatever the order, and with each event twice, the group is what was approved, and every call has been filed."""
    for order in permutations(range(len(STORIES[name](team(member, _new(member), full=full))))):
        group_id = _new(member)
        member.told()
        happened = STORIES[name](team(member, group_id, full=full))
        for number in (*order, *reversed(order)):
            member.deliver(happened[number])
            member.deliver(happened[number])
        # An approved rule that somebody made anew is not made once more for the sake of its tags, unless by its id.
        parts = 3 if full else 2
        assert [one[:parts] for one in member.state(group_id)] == [one[:parts] for one in exact([R, S])], order
        assert member.approved(group_id) == exact([R, S]), order
        filed = {one.request.request_id for one in member.told() if isinstance(one, RequestMessage)}
        assert filed == {one["detail"]["requestID"] for one in happened}, order


@pytest.mark.parametrize("name", [name for name in STORIES if ", add" in name])
def test_calls_of_the_second_in_which_the_group_was_learned_end_in_the_approved_state(
    member: Member, name: str
) -> None:
    """CloudTrail's whole seconds do not say whether such a call came before the baseline; the ids of rules do."""
    for order in permutations(range(len(STORIES[name](team(member, _new(member)))))):
        group_id = _new(member)
        happened = STORIES[name](team(member, group_id))
        baseline = member.baseline(group_id)
        assert baseline is not None
        for event in happened:
            event["detail"]["eventTime"] = at(dict(baseline.adopted)["ingress"])
        for number in order:
            member.deliver(happened[number])
        member.deliver(*happened)
        assert [one[:2] for one in member.state(group_id)] == [one[:2] for one in exact([R, S])], order
        assert member.approved(group_id) == exact([R, S]), order


def _new(member: Member) -> str:
    """Make a group with two approved rules."""
    group_id = member.new_group()
    member.holds(R, group_id=group_id, tags=R.tags)
    member.holds(S, group_id=group_id)
    member.adopt()
    return group_id


@pytest.mark.parametrize("first_sight", ["never", "snapshot in between", "snapshot before the events"])
@pytest.mark.parametrize("name", [name for name in STORIES if name.startswith("add")])
def test_nothing_unapproved_stays_open_in_a_group_not_learned_in_time(
    member: Member, name: str, first_sight: str
) -> None:
    """Learning a group while changes are in flight accepts none of them, and no removal opens what was not approved."""
    for order in permutations(range(len(STORIES[name](team(member, member.new_group()))))):
        group_id = member.new_group()
        member.told()
        happened = STORIES[name](team(member, group_id))
        for event in happened:  # made before anybody could learn the group
            event["detail"]["eventTime"] = at(datetime.now(UTC) - timedelta(seconds=30))
        for number in order:
            if first_sight != "never":
                member.snapshot()
            member.deliver(happened[number])
            if first_sight == "snapshot in between":
                member.snapshot()
        member.deliver(*happened)
        assert member.state(group_id) == [], order
        assert member.approved(group_id) == [], order


def test_a_revoke_of_a_rule_that_never_was_opens_nothing(member: Member) -> None:
    """In a default VPC EC2 takes a removal of nothing for a success; there is nothing to restore then."""
    named = member.ec2.create_security_group(GroupName="default-vpc", Description="x")["GroupId"]
    person = Person(member, group_id=named)
    person.opens(A)
    event = person.closes(A, by_id=False)
    event["detail"]["responseElements"] = {
        "_return": True,
        "unknownIpPermissionSet": {"items": [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22}]},
    }
    member.deliver(event)
    assert member.state(named) == []
    request = member.told_request()
    assert request.status == "observed"


def test_a_removal_without_ec2s_answer_from_a_group_never_seen_is_restored(member: Member, ada: Person) -> None:
    """Events of old say only that the call succeeded: what it named is what it took away."""
    member.holds(R)
    event = ada.closes(R, by_id=False)
    event["detail"]["responseElements"] = {"_return": True}
    member.deliver(event)
    assert [one[:2] for one in member.state()] == [(R.identity, R.description)]
    assert member.told_request().status == "pending"


def test_a_removal_from_a_group_never_seen_is_restored_when_ec2_confirms_it(member: Member, ada: Person) -> None:
    """EC2's answer says what was there."""
    member.holds(R, tags=R.tags)
    member.deliver(ada.closes(R))
    assert [one[:2] for one in member.state()] == [(R.identity, R.description)]
    assert member.told_request().status == "pending"


def test_an_edit_that_was_live_at_the_adoption_leaves_the_baseline(member: Member, ada: Person) -> None:
    """The old values are nowhere: the rule is removed and asked about as an addition."""
    member.holds(R)
    event = ada.edits((R, NEW), eventTime=at(datetime.now(UTC) - timedelta(seconds=30)))
    member.snapshot()
    member.deliver(event)
    request = member.told_request()
    assert (request.status, request.change.added) == ("pending", (NEW,))
    assert member.state() == member.approved() == []


def test_an_edit_of_a_rule_that_is_gone_is_shown_without_guessing(member: Member, ada: Person) -> None:
    """Of a rule neither live nor approved not even the direction is known: nobody is asked to open anything."""
    member.snapshot()
    ada.opens(A)
    event = ada.edits((A, B))
    ada.closes(B)
    member.deliver(event)
    request = member.told_request()
    assert (request.status, request.change.is_empty) == ("observed", True)
    assert "tcp/23-23/ipv4/0.0.0.0/0 no longer exists" in request.reason


def test_changes_after_an_approval_are_measured_against_it(member: Member, ada: Person) -> None:
    """What is approved can be removed, edited and restored like anything else; late events of before change nothing."""
    member.holds(R, tags=R.tags)
    member.snapshot()
    early = ada.opens(A)
    early_removal = ada.closes(A)
    again = Person(member, identity=iam_user("bob", account=ACCOUNT)).opens(A)
    member.deliver(again)
    request = member.told_request()
    member.approve(request)
    member.told()
    member.deliver(early, early_removal, again)
    assert member.state() == member.approved() == exact([R, A])
    member.deliver(ada.closes(A))
    assert member.state() == member.approved() == exact([R, A])
    member.deliver(ada.edits((A, B)))
    assert member.state() == member.approved() == exact([R, A])


def test_an_allowed_event_redelivered_after_the_opposite_was_approved_changes_nothing(
    member: Member, policy: Callable[[str], None]
) -> None:
    """An exempt addition, removed later with approval, does not come back when its event does."""
    policy(f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:user/bob"]')
    member.snapshot()
    addition = team(member).y.opens(A, eventTime=at(datetime.now(UTC)))
    member.deliver(addition)
    member.deliver(team(member).x.closes(A))
    member.approve(member.told_request())
    member.told_applied()
    member.deliver(addition)
    assert member.state() == member.approved() == []
    member.snapshot(after=timedelta(hours=1))
    member.snapshot(after=timedelta(hours=2))
    assert member.state() == []


@pytest.mark.parametrize("seconds", [0, 1])
def test_allowed_events_in_any_order_end_in_what_is_live(
    member: Member, policy: Callable[[str], None], seconds: int
) -> None:
    """An exempt automation adds, edits and removes within a second or two; the baseline ends as the group is."""
    policy(f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:user/ada"]')
    stories: list[Callable[[Person], list[Json]]] = [
        lambda x: [x.opens(A), x.closes(A)],
        lambda x: [x.closes(R), x.opens(R)],
        lambda x: [x.opens(A), x.edits((A, B))],
        lambda x: [x.edits((R, NEW)), x.edits((NEW, NEWER))],
        lambda x: [x.edits((R, NEW)), x.closes(NEW)],
        lambda x: [x.opens(A), x.closes(A), x.opens(A)],
    ]
    for story in stories:
        for order in permutations(range(len(story(Person(member, group_id=_new(member)))))):
            group_id = _new(member)
            happened = story(Person(member, group_id=group_id))
            start = datetime.now(UTC) + timedelta(seconds=1)
            for number, event in enumerate(happened):
                event["detail"]["eventTime"] = at(start + timedelta(seconds=number * seconds))
            member.deliver(*(happened[number] for number in (*order, *order)))
            assert member.approved(group_id) == member.state(group_id), order
    assert member.told() == []
