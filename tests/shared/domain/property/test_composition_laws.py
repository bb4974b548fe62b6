"""The laws of composition, for any calls that EC2 could have accepted.

A story is a group with few rules, so that calls meet: some add, some remove, some edit or describe, each named as old
and new events name it, by id, by values or by both.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import ChangeConflictError, apply, by_identity, diff, make_change
from shared.domain.composition import batch_digest, compose, one_by_one
from shared.domain.operations import Added, Described, Edited, Operation, Removed, keys_of, operations_of, touched
from shared.domain.replay import Call
from shared.domain.rule import Rule, cidr, make_rule

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
PORTS = st.integers(1, 6)
KINDS = ("add", "remove", "edit", "describe")
DESCRIPTIONS = st.sampled_from(("", "one", "two"))


@dataclass(frozen=True)
class Story:
    """A group's approved rules, the calls that were made to it, and its rules after each of them."""

    approved: tuple[Rule, ...]
    calls: tuple[Call, ...]
    states: tuple[tuple[Rule, ...], ...]

    @property
    def live(self) -> tuple[Rule, ...]:
        """The rules after the last call."""
        return self.states[-1]


def rule(port: int, description: str = "", rule_id: str | None = None) -> Rule:
    """A rule for one TCP port."""
    return make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=port,
        source=cidr("10.0.0.0/8"),
        description=description,
        rule_id=rule_id,
    )


def rules_of(live: dict[str, Rule]) -> tuple[Rule, ...]:
    """The rules in the order that ``apply`` returns them in."""
    return tuple(live[identity] for identity in sorted(live))


@st.composite
def groups(draw: st.DrawFn) -> tuple[Rule, ...]:
    """The approved rules of a group, with ids."""
    ports = draw(st.sets(PORTS, max_size=4))
    return rules_of(by_identity(rule(port, draw(DESCRIPTIONS), f"sgr-{port}") for port in ports))


@st.composite
def names(draw: st.DrawFn, named: Rule) -> dict[str, Any]:
    """What a call may name a rule by: id, values without an id, or both."""
    by_id: dict[str, Any] = {"rule_id": named.rule_id}
    by_values: dict[str, Any] = {"rule": replace(named, rule_id=None)}
    return draw(st.sampled_from((by_id, by_values, by_id | by_values)))


@st.composite
def operations(
    draw: st.DrawFn, live: dict[str, Rule], number: int, *, kinds: Sequence[str] = KINDS
) -> tuple[Operation, ...]:
    """What one call does, each to another rule; ``live`` is changed accordingly."""
    done: list[Operation] = []
    met: set[str] = set()
    kind = draw(st.sampled_from(kinds))
    for step in range(draw(st.integers(1, 3))):
        come = rule(draw(PORTS), draw(DESCRIPTIONS), f"sgr-{number}-{step}")
        here = [live[identity] for identity in sorted(live) if identity not in met]
        if kind == "add" and come.identity not in live:
            live[come.identity] = come
            done.append(Added(rule=come))
        if kind == "add" or not here:
            continue
        before = draw(st.sampled_from(here))
        named = draw(names(before))
        if kind == "remove":
            del live[before.identity]
            done.append(Removed(**named))
        elif kind == "describe":
            live[before.identity] = replace(before, description=come.description)
            done.append(Described(description=come.description, **named))
        elif come.identity == before.identity or come.identity not in {*live, *met}:
            del live[before.identity]
            live[come.identity] = replace(come, rule_id=before.rule_id)
            done.append(Edited(after=come, **named))
        met |= {before.identity, come.identity}
    return tuple(done)


@st.composite
def stories(draw: st.DrawFn, *, within_seconds: bool = False) -> Story:
    """Calls that EC2 accepted one after the other, without a revert in between.

    Args:
        draw: hypothesis' own.
        within_seconds: several calls may have been made in one second.
    """
    approved = draw(groups())
    live = by_identity(approved)
    calls: list[Call] = []
    states = [approved]
    second = 0
    for request_id in draw(st.permutations("abcdef")):  # ids say nothing about the order
        done = draw(operations(live, len(calls)))
        second += 0 if within_seconds and draw(st.booleans()) else 1
        if done:
            calls.append(asking(approved, Call(request_id=request_id, event_time=at(second), operations=done)))
            states.append(rules_of(live))
    return Story(approved=approved, calls=tuple(calls), states=tuple(states))


def at(second: int) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=second)


def asking(approved: tuple[Rule, ...], one: Call) -> Call:
    """The call with the change that its request alone asks for."""
    return replace(one, change=compose([one], approved).change)


@given(stories())
def test_composing_is_applying_one_by_one(story: Story) -> None:
    """The net change is the difference that all calls together made."""
    composition = compose(story.calls, story.approved)
    assert composition.alone == ()
    assert composition.request_ids == tuple(call.request_id for call in story.calls)
    assert composition.change == diff(story.approved, story.live)


@given(stories(within_seconds=True))
def test_approving_the_net_change_ends_as_last_wanted(story: Story) -> None:
    """Also where calls of one second had to be ordered; rules of calls without an order stay as approved."""
    composition = compose(story.calls, story.approved)
    ended = by_identity(apply(composition.change, story.approved))
    lone = [step for call in story.calls if call.request_id in composition.alone for step in call.steps]
    unsure = {key for step in lone for key in keys_of(step)} | {one.identity for one in touched(story.approved, lone)}
    for identity in {*ended, *by_identity(story.live)} - unsure:
        assert ended.get(identity) == by_identity(story.live).get(identity)
    assert {*composition.request_ids, *composition.alone} == {call.request_id for call in story.calls}


@given(stories(), st.data())
def test_composing_is_associative(story: Story, data: st.DataObject) -> None:
    """Composing in two portions over the state between them ends in the same rules as composing all."""
    cut = data.draw(st.integers(0, len(story.calls)))
    between = story.states[cut]
    assert apply(compose(story.calls[:cut], story.approved).change, story.approved) == between
    second = compose(story.calls[cut:], between).change
    assert apply(second, between) == apply(compose(story.calls, story.approved).change, story.approved)


@given(stories(within_seconds=True), st.randoms(use_true_random=False))
def test_the_order_of_delivery_does_not_matter(story: Story, chance: random.Random) -> None:
    """Nor that some calls are delivered twice, nor the order of the approved rules."""
    delivered = [*story.calls, *chance.sample(story.calls, len(story.calls) // 2)]
    chance.shuffle(delivered)
    shuffled = chance.sample(story.approved, len(story.approved))
    composition = compose(delivered, shuffled)
    assert composition == compose(story.calls, story.approved)
    assert one_by_one(delivered, shuffled) == one_by_one(story.calls, story.approved)


@given(stories(within_seconds=True), stories(within_seconds=True), st.randoms(use_true_random=False))
def test_calls_on_other_rules_change_nothing(one: Story, other: Story, chance: random.Random) -> None:
    """Two stories that never meet come to the sum of both, however they interleave."""
    other = elsewhere(other)
    calls = [*one.calls, *other.calls]
    chance.shuffle(calls)
    both = compose(calls, [*one.approved, *other.approved])
    parts = compose(one.calls, one.approved), compose(other.calls, other.approved)
    assert both.change == make_change(
        added=[rule for part in parts for rule in part.change.added],
        removed=[rule for part in parts for rule in part.change.removed],
        modified=[edit for part in parts for edit in part.change.modified],
    )
    assert sorted(both.superseded) == sorted([*parts[0].superseded, *parts[1].superseded])
    assert sorted(both.alone) == sorted([*parts[0].alone, *parts[1].alone])
    for part in parts:
        assert tuple(one for one in both.request_ids if one in part.request_ids) == part.request_ids


def elsewhere(story: Story) -> Story:
    """The same story with outbound rules, other rule ids and other request ids."""

    def moved(one: Rule | None) -> Rule | None:
        return one and replace(one, direction="egress", rule_id=one.rule_id and f"{one.rule_id}-out")

    def moved_step(step: Operation) -> Operation:
        values = {key: moved(getattr(step, key)) for key in ("rule", "after") if hasattr(step, key)}
        if not isinstance(step, Added):
            values["rule_id"] = step.rule_id and f"{step.rule_id}-out"  # type: ignore[assignment]  # not a rule
        return replace(step, **values)  # type: ignore[arg-type]  # as above

    def moved_rules(some: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(rule for one in some if (rule := moved(one)) is not None)

    approved = moved_rules(story.approved)
    calls = (
        replace(call, request_id=f"{call.request_id}-out", operations=tuple(moved_step(step) for step in call.steps))
        for call in story.calls
    )
    return Story(
        approved=approved,
        calls=tuple(asking(approved, call) for call in calls),
        states=tuple(moved_rules(state) for state in story.states),
    )


@given(stories())
def test_what_cancels_out_is_empty(story: Story) -> None:
    """A story, then everything put back as it was: nothing is asked, and every request that asked is superseded."""
    undone = operations_of(diff(story.live, story.approved))
    calls = [*story.calls, asking(story.approved, Call(request_id="z", event_time=at(100), operations=undone))]
    composition = compose(calls, story.approved)
    assert composition.change.is_empty
    assert composition.approved == ()
    assert composition.superseded == tuple(call.request_id for call in calls if not call.change.is_empty)


@given(stories(within_seconds=True))
def test_every_part_of_the_net_change_comes_from_a_call(story: Story) -> None:
    """No call contributes what is not in the net change, and nothing in it comes from nowhere."""
    composition = compose(story.calls, story.approved)
    contributed = composition.contributions.values()
    assert set(composition.contributions) == set(composition.request_ids)
    for part in ("added", "removed", "modified"):
        assert {one for change in contributed for one in getattr(change, part)} == set(
            getattr(composition.change, part)
        )


@given(stories(within_seconds=True))
def test_touched_rules_are_enough(story: Story) -> None:
    """Central knows no other approved rules than those stored with requests, and comes to the same digest."""
    known = touched(story.approved, [step for call in story.calls for step in call.steps])
    composition = compose(story.calls, known)
    assert composition == compose(story.calls, story.approved)
    digests = {call.request_id: "digest" for call in story.calls}
    assert batch_digest({"sg-1": composition}, digests) == batch_digest(
        {"sg-1": compose(story.calls, story.approved)}, digests
    )


@given(groups(), st.data())
def test_after_reverts_the_last_word_on_each_rule_counts(approved: tuple[Rule, ...], data: st.DataObject) -> None:
    """Each call met the approved rules again, since the one before it had been reverted."""
    wanted = by_identity(approved)
    calls = []
    for number in range(data.draw(st.integers(0, 6))):
        live = by_identity(approved)
        done = data.draw(operations(live, number, kinds=("add", "remove", "describe")))
        for identity in {*live, *by_identity(approved)}:
            if live.get(identity) is not by_identity(approved).get(identity):
                wanted.pop(identity, None)
                wanted |= {identity: live[identity]} if identity in live else {}
        calls.append(Call(request_id=str(number), event_time=at(number), operations=done))
    assert compose(calls, approved).change == diff(approved, rules_of(wanted))


@given(stories(), st.randoms(use_true_random=False))
def test_asked_one_by_one_everything_ends_as_last_wanted_or_in_an_error(story: Story, chance: random.Random) -> None:
    """In whatever order requests are approved; what is asked together is applied as its net change."""
    plan = one_by_one(story.calls, story.approved)
    asked = [call.change for call in story.calls if call.request_id in plan.singly]
    asked += [
        compose([c for c in story.calls if c.request_id in part], story.approved).change for part in plan.together
    ]
    chance.shuffle(asked)
    rules = story.approved
    for change in asked:
        try:
            rules = apply(change, rules)
        except ChangeConflictError:
            return
    assert rules == story.live


@given(stories(within_seconds=True))
def test_one_by_one_every_request_that_asks_is_dealt_with_once(story: Story) -> None:
    """It is asked singly, asked together with others, or superseded."""
    plan = one_by_one(story.calls, story.approved)
    dealt = [*plan.singly, *plan.superseded, *(one for part in plan.together for one in part)]
    assert len(set(dealt)) == len(dealt)
    assert {call.request_id for call in story.calls if not call.change.is_empty} <= set(dealt)
