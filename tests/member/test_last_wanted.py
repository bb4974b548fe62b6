"""Whatever one requester does, and however reverts come between: approving what is asked ends in what they last wanted.

Or in an error, never in anything else: at once as a batch, or one by one in any order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.net_change import compositions, questions_of
from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.wire.messages import AppliedMessage, ErrorMessage, RequestMessage
from tests.support.events import Json
from tests.support.member_account import Person, exact, rule
from tests.support.memory_account import MemoryMember, memory_member

PORTS = st.integers(1, 4)
TEXTS = st.sampled_from(("", "one", "two"))
some = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


class _Lambda:
    """Runs the triggers as Chalice does."""

    def invoke(self, function: str, event: Json) -> None:
        """Invoke one."""
        import member.app

        getattr(member.app, function)(event, None)


@contextmanager
def member_account() -> Iterator[MemoryMember]:
    """A member account in memory."""
    from member.chalicelib import context

    with pytest.MonkeyPatch.context() as patch:
        made, memory = memory_member(_Lambda(), lambda name, value: patch.setattr(context, name, value))
        context._own_session_arn.cache_clear()
        with memory.installed():
            yield made
        context._own_session_arn.cache_clear()


@dataclass
class Wishes:
    """What the requester wants the group to be: the last word on each rule, whatever id it has by now.

    Attributes:
        rules: by the name of the rule: its first identity, where it was approved.
        names: by rule id.
    """

    rules: dict[str, Rule] = field(default_factory=dict)
    names: dict[str | None, str] = field(default_factory=dict)

    def name_of(self, live: Rule) -> str:
        """The name of a live rule: by its id; of a restored one, by what is wanted in its place, if anything."""
        if live.rule_id not in self.names:
            here = (name for name, wanted in self.rules.items() if wanted.identity == live.identity)
            self.names[live.rule_id] = next(here, live.identity)
        return self.names[live.rule_id]

    def put(self, name: str, wanted: Rule) -> None:
        """A rule is wanted; whatever was wanted in its place before is not."""
        self.rules = {one: held for one, held in self.rules.items() if held.identity != wanted.identity}
        self.rules[name] = wanted


def act(data: st.DataObject, ada: Person, wishes: Wishes) -> Json | None:
    """Let the requester make one call."""
    live = list(ada.member.live())
    taken = {one.identity for one in live}
    kind = data.draw(st.sampled_from(("add", "remove", "edit", "describe")))
    new = rule(data.draw(PORTS), "10.0.0.0/8", data.draw(TEXTS))
    if kind == "add":
        if new.identity in taken:
            return None
        event = ada.opens(new)
        (made,) = [one for one in ada.member.live() if one.identity == new.identity]
        wishes.names[made.rule_id] = new.identity if new.identity not in wishes.rules else f"new {made.rule_id}"
        wishes.put(wishes.names[made.rule_id], new)
        return event
    if not live:
        return None
    picked = data.draw(st.sampled_from(live))
    name = wishes.name_of(picked)
    if kind == "remove":
        wishes.rules.pop(name, None)
        return ada.closes(picked, by_id=data.draw(st.booleans()))
    if kind == "describe":
        wanted = rule(picked.from_port, "10.0.0.0/8", new.description)
        held = wishes.rules.get(name)
        place = held if held is not None else picked
        wishes.put(name, rule(place.from_port, "10.0.0.0/8", new.description))
        return ada.describes(wanted) if data.draw(st.booleans()) else ada.describes_by_id(wanted)
    if new.identity in taken:
        return None
    wishes.put(name, new)
    return ada.edits((picked, new))


def played(data: st.DataObject, member: MemoryMember) -> tuple[list[Request], Wishes]:
    """Some calls, some of which are reverted before the next one is made; return the requests and the wishes."""
    ports = data.draw(st.sets(PORTS, max_size=3))
    held = [rule(port, "10.0.0.0/8", data.draw(TEXTS)) for port in ports]
    if held:
        member.holds(*held)
    member.snapshot()
    member.told()
    wishes = Wishes(rules={one.identity: one for one in held})
    wishes.names = {one.rule_id: one.identity for one in member.live()}
    ada, waiting = Person(member), list[Json]()
    for _ in range(data.draw(st.integers(1, 5))):
        event = act(data, ada, wishes)
        waiting += [] if event is None else [event]
        if data.draw(st.booleans(), label="reverted now"):
            data.draw(st.randoms(use_true_random=False)).shuffle(waiting)
            member.deliver(*waiting)
            waiting.clear()
    data.draw(st.randoms(use_true_random=False)).shuffle(waiting)
    member.deliver(*waiting)
    assert member.state() == exact(held)
    return [one.request for one in member.told() if isinstance(one, RequestMessage)], wishes


def failed(member: MemoryMember) -> bool:
    """Whether an error was reported since the last call."""
    told: list[Any] = member.told()
    assert all(isinstance(one, AppliedMessage | ErrorMessage) for one in told)
    return any(isinstance(one, ErrorMessage) for one in told)


@some
@given(st.data())
def test_approving_a_batch_ends_in_what_was_last_wanted(data: st.DataObject) -> None:
    """One question for all."""
    with member_account() as member:
        requests, wishes = played(data, member)
        if any(one.alone for one in compositions(requests).values()) or not compositions(requests):
            return
        member.approve_batch(*requests, at=member.clock.now)
        assert not failed(member)
        assert member.state() == member.approved() == exact(wishes.rules.values())


@some
@given(st.data(), st.randoms(use_true_random=False))
def test_approving_one_by_one_ends_in_what_was_last_wanted_or_in_an_error(
    data: st.DataObject, chance: random.Random
) -> None:
    """In any order; what only makes sense together is one question."""
    with member_account() as member:
        requests, wishes = played(data, member)
        if any(one.alone for one in compositions(requests).values()):
            return
        by_id = {one.request_id: one for one in requests}
        plans = questions_of(requests).values()
        questions = [one for plan in plans for one in (*((each,) for each in plan.singly), *plan.together)]
        chance.shuffle(questions)
        has_failed = False
        for ids in questions:
            if len(ids) == 1:
                member.approve(by_id[ids[0]], at=member.clock.now)
            else:
                member.approve_batch(*(by_id[one] for one in ids), at=member.clock.now)
            has_failed = failed(member) or has_failed
        assert has_failed or member.state() == exact(wishes.rules.values())
