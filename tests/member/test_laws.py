"""What holds for any group and any change: reverted, the group is as before; approved, it is as it was shown.

And for several people at once, decisions in between, events late, doubled and in any order: when all is delivered, the
group is its baseline and the approved changes, nothing more and nothing less. On moto with the sandbox's repairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.domain.change import apply
from shared.domain.request import Request
from shared.domain.rule import Rule, cidr, group, prefix_list
from shared.wire.messages import AppliedMessage, RequestMessage
from tests.support import strategies
from tests.support.events import Json, iam_user, identity_center
from tests.support.member_account import ACCOUNT, Member, Person, exact, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

USUAL = settings.get_profile("usual").max_examples
chosen = settings.default.max_examples if settings.default is not None else USUAL
bounded = settings(
    max_examples=30
    if chosen <= USUAL
    else chosen,  # with --hypothesis-profile=thorough, many more, and others each time
    derandomize=chosen <= USUAL,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PORTS: list[tuple[str, int | tuple[int, int] | None]] = [
    ("tcp", 22),
    ("tcp", (8000, 8080)),
    ("udp", 53),
    ("icmp", (8, -1)),
    ("icmpv6", (-1, -1)),
    ("-1", None),
    ("50", None),
]
descriptions = st.one_of(st.just(""), st.text(strategies.DESCRIPTION_ALPHABET, max_size=20).map(str.strip))
tags = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=2)


@pytest.fixture
def sources(member: Member) -> list[list[str]]:
    """Sources that exist, by kind: only within one kind can a rule be edited."""
    lists = [
        member.ec2.create_managed_prefix_list(PrefixListName=name, MaxEntries=5, AddressFamily="IPv4")["PrefixList"]
        for name in ("one", "two")
    ]
    return [
        ["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32"],
        ["::/0", "2001:db8::/32"],
        [one["PrefixListId"] for one in lists],
        [member.new_group("one"), member.new_group("two")],
    ]


def drawn_rule(data: st.DataObject, some: list[list[str]], *, like: Rule | None = None) -> Rule:
    """A rule from few values, so that rules often meet; of the same kind of source as another one, if given."""
    kinds = ["ipv4", "ipv6", "prefix_list", "group"]
    of_kind = some[kinds.index(like.source.kind)] if like is not None else data.draw(st.sampled_from(some))
    text = data.draw(st.sampled_from(of_kind))
    source = {"s": group, "p": prefix_list}.get(text[0], cidr)(text)  # type: ignore[operator]  # three like functions
    if text.startswith("sg-"):
        source = group(text, account=ACCOUNT)
    protocol, ports = data.draw(st.sampled_from(PORTS))
    return rule(ports, source, data.draw(descriptions), protocol=protocol)


def drawn_change(data: st.DataObject, person: Person, some: list[list[str]]) -> Json | None:
    """Let somebody change the group in some way it can be changed, and return the event."""
    live = list(person.member.live(person.group))
    taken = {one.identity for one in live}
    full = data.draw(st.booleans(), label="EC2's answer names the rules")
    kind = data.draw(st.sampled_from(["add", "remove", "edit", "describe"]), label="change")
    if kind == "add":
        fresh = [drawn_rule(data, some) for _ in range(data.draw(st.integers(1, 3)))]
        fresh = [one for one in {one.identity: one for one in fresh}.values() if one.identity not in taken]
        chosen = data.draw(tags) if fresh else {}
        return person.opens(*fresh, with_answer=full, tags=chosen.items()) if fresh else None
    if not live:
        return None
    picked = data.draw(st.lists(st.sampled_from(live), min_size=1, max_size=3, unique_by=lambda one: one.identity))
    if kind == "remove":
        return person.closes(*picked, by_id=data.draw(st.booleans()), with_answer=full)
    if kind == "describe":
        wanted = [with_description(one, data.draw(descriptions)) for one in picked]
        return person.describes(*wanted) if data.draw(st.booleans()) else person.describes_by_id(*wanted)
    pairs: list[tuple[Rule, Rule]] = []
    for one in picked:
        after = replace(drawn_rule(data, some, like=one), tags=one.tags)
        if after.identity == one.identity or after.identity not in taken:
            pairs.append((one, after))
            taken.add(after.identity)
    return person.edits(*pairs) if pairs else None


@pytest.fixture
def new_group(member: Member, sources: list[list[str]]) -> Callable[[st.DataObject], str]:
    """Return a function that makes a group with some approved rules."""

    def make(data: st.DataObject) -> str:
        group_id = member.new_group()
        rules = [drawn_rule(data, sources) for _ in range(data.draw(st.integers(0, 4)))]
        for one in {one.identity: one for one in rules}.values():
            member.holds(one, group_id=group_id, tags=data.draw(tags).items())
        member.adopt()
        member.told()
        return group_id

    return make


@given(data=st.data())
@bounded
def test_any_change_is_reverted_exactly_and_applied_exactly(
    member: Member, sources: list[list[str]], new_group: Callable[[st.DataObject], str], data: st.DataObject
) -> None:
    """`revert(change(state)) == state`, descriptions and tags included; after approval the group is as it was made."""
    group_id = new_group(data)
    before, ids = member.state(group_id), {one.identity: one.rule_id for one in member.live(group_id)}
    event = drawn_change(data, Person(member, group_id=group_id), sources)
    assume(event is not None and member.state(group_id) != before)
    assert event is not None
    wanted = member.state(group_id)
    member.deliver(event)
    assert member.state(group_id) == member.approved(group_id) == before
    request = member.told_request()
    assert request.status == "pending", request.reason
    if event["detail"]["eventName"] in ("ModifySecurityGroupRules", "UpdateSecurityGroupRuleDescriptionsIngress"):
        assert {one.identity: one.rule_id for one in member.live(group_id)} == ids
    member.approve(request)
    member.told_applied()
    assert member.state(group_id) == member.approved(group_id) == wanted
    member.deliver(event)
    assert member.state(group_id) == wanted


PEOPLE = (
    iam_user("ada", account=ACCOUNT),
    iam_user("bob", account=ACCOUNT),
    identity_center("eve@example.com", account=ACCOUNT),
)


class Story:
    """What happened to one group so far."""

    def __init__(self, member: Member, group_id: str) -> None:
        self.member = member
        self.group_id = group_id
        self.approved = member.live(group_id)
        self.waiting: list[Json] = []
        self.delivered: list[Json] = []
        self.asked: dict[str, Request] = {}
        self.applied: set[str] = set()

    def listen(self) -> None:
        """Take in what the central account was told."""
        for message in self.member.told():
            if isinstance(message, RequestMessage):
                self.asked[message.request.request_id] = message.request
            elif isinstance(message, AppliedMessage) and message.request_id not in self.applied:
                self.applied.add(message.request_id)
                self.approved = apply(self.asked[message.request_id].change, self.approved)

    def deliver(self, event: Json) -> None:
        """Deliver one event, for the first time or again."""
        self.member.deliver(event)
        self.delivered.append(event)
        self.listen()

    def decide(self, request: Request) -> None:
        """Approve a request, perhaps once more."""
        self.member.approve(request)
        self.listen()


@given(data=st.data())
@bounded
def test_several_people_and_decisions_end_in_the_baseline_and_the_approved_changes(
    member: Member, sources: list[list[str]], new_group: Callable[[st.DataObject], str], data: st.DataObject
) -> None:
    """Whatever people do, whenever events and approvals come: delivered, the group is what has been approved."""
    story = Story(member, new_group(data))
    for _ in range(data.draw(st.integers(2, 10), label="steps")):
        pending = [one for one in story.asked.values() if one.status == "pending"]
        step = data.draw(st.sampled_from(["change", "change", "deliver", "deliver again", "approve"]), label="step")
        if step == "change":
            person = Person(member, identity=data.draw(st.sampled_from(PEOPLE)), group_id=story.group_id)
            event = drawn_change(data, person, sources)
            story.waiting += [event] if event is not None else []
        elif step == "deliver" and story.waiting:
            story.deliver(story.waiting.pop(data.draw(st.integers(0, len(story.waiting) - 1))))
        elif step == "deliver again" and story.delivered:
            story.deliver(data.draw(st.sampled_from(story.delivered)))
        elif step == "approve" and pending:
            story.decide(data.draw(st.sampled_from(pending)))
    for event in data.draw(st.permutations(story.waiting), label="the rest"):
        story.deliver(event)
    values = [one[:2] for one in exact(story.approved)]
    assert [one[:2] for one in member.approved(story.group_id)] == values
    assert [one[:2] for one in member.state(story.group_id)] == values
    assert {event["detail"]["requestID"] for event in story.delivered} == set(story.asked)
