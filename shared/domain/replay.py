"""Replays the calls of a group over its approved rules, in every order in which they may have been made.

CloudTrail gives whole seconds. Between two calls the product may have reverted the first one, so a call of a later
second found either what the calls before it had left, or the approved rules. Whatever it found, its requester then
wanted the rule as this call leaves it.

What does not belong here: the net change (``shared.domain.composition``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from shared.domain.change import Change
from shared.domain.operations import Added, Described, Edited, Operation, Removed, keys_of, operations_of, rule_id_of
from shared.domain.rule import Rule

MOST_PER_SECOND: Final = 6
"""Related calls of one second whose order is searched; more of them cannot be ordered."""

_MOST_STATES: Final = 32
_MOST_ENDS: Final = 4

Threads = Mapping[str, frozenset[str]]
"""For each call, by request id, what it has in common with related ones; see :func:`threads_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of one group.

    Attributes:
        request_id: CloudTrail's ``requestID``.
        event_time: when it was made; CloudTrail writes whole seconds.
        operations: what it did. Where nothing is stored, what its change says.
        change: what its request alone asks for, against the approved rules; empty when it asks nothing.
    """

    request_id: str
    event_time: datetime
    operations: tuple[Operation, ...] = ()
    change: Change = field(default_factory=Change)

    @property
    def second(self) -> datetime:
        """The second in which it was made."""
        return self.event_time.replace(microsecond=0)

    @property
    def steps(self) -> tuple[Operation, ...]:
        """What to replay."""
        return self.operations or operations_of(self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rule in the course of the calls.

    Attributes:
        origin: the approved rule it was before the first call; ``None`` when a call made it.
        rule: its values now, or the last ones.
        is_there: it has not been removed or replaced.
        calls: request ids of the calls that made, changed or removed it.
    """

    origin: Rule | None
    rule: Rule
    is_there: bool = True
    calls: frozenset[str] = frozenset()


class Replay:
    """The rules of a group after some calls. It is never changed: :meth:`after` returns another."""

    __slots__ = ("_ids", "_places", "fits", "lines", "order")

    def __init__(self, approved: Sequence[Rule]) -> None:
        """Begin with the approved rules."""
        self.lines = {rule.identity: Line(origin=rule, rule=rule) for rule in approved}
        self.order: tuple[str, ...] = ()
        """Request ids of the calls so far."""
        self.fits = True
        """EC2 could have accepted the last call in this state."""
        self._places = {identity: identity for identity in self.lines}
        """The line that has a rule's identity, or had it last."""
        self._ids = {rule.rule_id: rule.identity for rule in approved if rule.rule_id is not None}

    def after(self, call: Call) -> Replay:
        """Return the state after one more call. All that it removes and edits has left before anything comes."""
        new = Replay(())
        new.lines, new._places, new._ids = dict(self.lines), dict(self._places), dict(self._ids)
        new.order = (*self.order, call.request_id)
        targets = [self._target(operation) for operation in call.steps]
        for operation, name in zip(call.steps, targets, strict=True):
            if not isinstance(operation, Added):
                new.fits = new.fits and name is not None and self._is_at(operation, name)
                new._leave(name, operation, call)
        for number, (operation, name) in enumerate(zip(call.steps, targets, strict=True)):
            new._arrive(operation, name or f"{call.request_id}#{number}", call)
        return new

    def _target(self, operation: Operation) -> str | None:
        """Return the name of the line that an operation changes, by rule id, else by identity."""
        if isinstance(operation, Added):
            return None
        by_id = self._ids.get(rule_id_of(operation) or "")
        if by_id or operation.rule is None:
            return by_id
        place = operation.rule.identity
        name = self._places.get(place)
        if place in self.lines and self._holder(place) is None:
            return place  # a revert has restored the approved rule there, whatever was there in between
        return name

    def _is_at(self, operation: Operation, name: str) -> bool:
        line, rule_id = self.lines[name], rule_id_of(operation)
        if rule_id in self._ids or not line.is_there:
            return line.is_there
        # An id that is not known yet: a revert may have restored an approved rule under it, but no other rule.
        may_have_id = rule_id is None or line.origin is not None or line.rule.rule_id is None
        return may_have_id and operation.rule is not None and operation.rule.identity == line.rule.identity

    def _leave(self, name: str | None, operation: Operation, call: Call) -> None:
        if name is None:
            return
        rule_id = rule_id_of(operation)
        if rule_id is not None:
            self._ids[rule_id] = name
        line = self.lines[name]
        restored = None if line.is_there else line.origin  # a revert has put back what was removed
        rule = restored or line.rule
        self.lines[name] = replace(line, rule=rule, is_there=False, calls=line.calls | {call.request_id})

    def _arrive(self, operation: Operation, name: str, call: Call) -> None:
        line = self.lines.get(name)
        match operation:
            case Added():
                rule = operation.rule
            case Edited() if line is not None:
                kept = line.rule
                rule = replace(operation.after, direction=kept.direction, tags=kept.tags, rule_id=kept.rule_id)
            case Edited(was_gone=False):
                rule = operation.after
            case Described() if line is not None:
                rule = replace(line.rule, description=operation.description)
            case _:
                return
        other = self._holder(rule.identity)
        if other is not None and other != name:
            self.fits = False
            there = self.lines[other]
            if isinstance(operation, Added) and (there.origin is None or there.origin.identity == rule.identity):
                name, line = other, there  # the same rule again, after a revert
            elif isinstance(operation, Added):  # the edit that led here was reverted: this is another rule
                self.lines[other] = replace(there, rule=there.origin or there.rule, is_there=False)
            else:
                self.lines[other] = replace(self.lines[other], is_there=False)
        if line is None:
            line = Line(origin=None, rule=rule)
        if isinstance(operation, Added | Edited) and (rule_id := rule_id_of(operation)) is not None:
            self._ids[rule_id] = name
        self._places[rule.identity] = name
        self.lines[name] = replace(line, rule=rule, is_there=True, calls=line.calls | {call.request_id})

    def _holder(self, identity: str) -> str | None:
        """Return the name of the line that has a rule's identity now."""
        name = self._places.get(identity)
        if name is None or not self.lines[name].is_there or self.lines[name].rule.identity != identity:
            return None
        return name

    def difference(self, earlier: Replay) -> object:
        """Return a value that is equal for two states that differ from an earlier one by the same lines."""
        return frozenset(
            (name, line.is_there, line.rule, line.rule.tags)
            for name, line in self.lines.items()
            if line is not earlier.lines.get(name)
        )


class TooManyOrdersError(ValueError):
    """So many related calls were made within a second that their orders cannot be searched."""


def in_order(calls: Iterable[Call]) -> list[Call]:
    """Return the calls by second and, within one, by request id; one that is there twice, once."""
    return sorted({call.request_id: call for call in calls}.values(), key=lambda call: (call.second, call.request_id))


def possible_ends(calls: Sequence[Call], approved: Sequence[Rule], threads: Threads) -> list[Replay]:
    """Return the states that calls may have led to, each with one order that leads there.

    Args:
        calls: from :func:`in_order`.
        approved: the rules before the first of them.
        threads: from :func:`threads_of`.

    Returns:
        At least one state, unless rule ids contradict each other.

    Raises:
        TooManyOrdersError: when the orders cannot be searched.
    """
    start = Replay(approved)
    ends = [start]
    for _, some in groupby(calls, key=lambda call: call.second):
        for related in related_calls(some, threads):
            found = (end for state in ends for end in _orders(related, state, start))
            ends = list({end.difference(start): end for end in found}.values())
            if len(ends) > _MOST_ENDS:
                raise TooManyOrdersError(f"{len(ends)} possible ends; at most {_MOST_ENDS} are followed")
    return ends


def _orders(calls: Sequence[Call], state: Replay, start: Replay) -> list[Replay]:
    """Return the states after related calls of one second, in each order that rule ids and EC2 allow.

    Where EC2 would have accepted no order, something else happened in between, and each order is possible.
    """
    if len(calls) == 1:
        return [state.after(calls[0])]
    if len(calls) > MOST_PER_SECOND:
        raise TooManyOrdersError(f"{len(calls)} related calls of one second; at most {MOST_PER_SECOND} are searched")
    accepted = [end for world in (state, start) for end in _search(calls, world, state, must_fit=True)]
    return accepted or _search(calls, state, state, must_fit=False)


def _search(calls: Sequence[Call], world: Replay, state: Replay, *, must_fit: bool) -> list[Replay]:
    """Return the states after these calls in each possible order, equal ones once.

    Args:
        calls: of one second.
        world: the rules that EC2 may have had before them.
        state: what the calls before them led to.
        must_fit: only orders in which EC2 could have accepted each call.
    """
    earlier = {call.request_id: _made_earlier(call, calls) for call in calls}
    points = [(frozenset[str](), world, state)]
    for _ in calls:
        further: dict[object, tuple[frozenset[str], Replay, Replay]] = {}
        for done, here, so_far in points:
            for call in calls:
                if call.request_id in done or not earlier[call.request_id] <= done:
                    continue
                there = here.after(call)
                if must_fit and not there.fits:
                    continue
                now, end = done | {call.request_id}, so_far.after(call)
                further.setdefault((now, there.difference(world), end.difference(state)), (now, there, end))
        points = list(further.values())
        if len(points) > _MOST_STATES:
            raise TooManyOrdersError(f"{len(points)} states after some calls; at most {_MOST_STATES} are searched")
    return [end for _, _, end in points]


def _made_earlier(call: Call, others: Iterable[Call]) -> set[str]:
    """Return the request ids of the calls that rule ids put before a call: a rule is made, changed, then removed."""
    stages = _stages(call)
    return {
        other.request_id
        for other in others
        if any(stage < stages.get(rule_id, stage) for rule_id, stage in _stages(other).items())
    }


def _stages(call: Call) -> dict[str, int]:
    stage = {Added: 0, Edited: 1, Described: 1, Removed: 2}
    return {rule_id: stage[type(step)] for step in call.steps if (rule_id := rule_id_of(step)) is not None}


# -- what is related ---------------------------------------------------------------------------------------------------


def threads_of(calls: Iterable[Call], approved: Iterable[Rule]) -> Threads:
    """Return for each call, by request id, the threads it touches: what happens in one never matters in another.

    A thread is all rule ids and identities that a rule goes by, and those of the rules that take its place.
    """
    links = _Links()
    for rule in approved:
        links.join([rule.identity, rule.rule_id or rule.identity])
    keys = {call.request_id: [keys_of(step) for step in call.steps] for call in calls}
    for named in keys.values():
        for one in named:
            links.join(one)
    return {request_id: frozenset(links.root(one[0]) for one in named) for request_id, named in keys.items()}


def related_calls(calls: Iterable[Call], threads: Threads) -> list[list[Call]]:
    """Return the calls in parts that share no thread, in their order."""
    links = _Links()
    found: dict[str, list[Call]] = {}
    some = list(calls)
    for call in some:
        links.join([f"call {call.request_id}", *threads[call.request_id]])
    for call in some:
        found.setdefault(links.root(f"call {call.request_id}"), []).append(call)
    return list(found.values())


class _Links:
    """Which keys have been joined, directly or through others."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def join(self, keys: Iterable[str]) -> None:
        first, *others = keys
        for key in others:
            self._parents[self.root(key)] = self.root(first)

    def root(self, key: str) -> str:
        while (parent := self._parents.setdefault(key, key)) != key:
            self._parents[key] = self._parents[parent]
            key = self._parents[key]
        return key
