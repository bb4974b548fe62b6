"""Composes the calls of one group, in the order they were made, into their net change against its approved rules.

Central shows the net change of a batch and the member applies it, each from what it has stored itself; so both have to
come to the same result, whatever order the calls arrived in.

    composition = compose(calls, approved)
    composition.change       # an edit A → B and an edit B → C are one edit A → C
    composition.superseded   # a rule was removed and put back as it was: both requests
    composition.alone        # two edits of one rule within a second: nobody knows which came last

Give it all calls of the batch, those that ask nothing or are decided as superseded too: the rest means something else
without them.

What does not belong here: who may decide a batch, and how its net change is carried out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from shared.domain.change import Change, Modification, by_identity, make_change
from shared.domain.operations import keys_of
from shared.domain.replay import (
    Call,
    Line,
    Replay,
    TooManyOrdersError,
    in_order,
    possible_ends,
    related_calls,
    threads_of,
)
from shared.domain.request import rule_text
from shared.domain.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What the calls of one group come to.

    Attributes:
        request_ids: the composed calls, in the order they were made.
        change: the net change: what the group would be after all of them, against its approved rules.
        contributions: for each composed call, by request id, the part of the net change that it had a part in.
        superseded: requests that asked for something and contribute nothing: later calls cancelled them.
        alone: calls of which nobody can say in which order they were made, though it matters, and all that are
            related to them: they are not part of this composition, and each is asked alone.
        approved: each identity of the net change, and the approved rule there, ``None`` where there is none.
    """

    request_ids: tuple[str, ...]
    change: Change
    contributions: Mapping[str, Change]
    superseded: tuple[str, ...]
    alone: tuple[str, ...]
    approved: tuple[tuple[str, Rule | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneByOne:
    """How requests are asked that are not asked as a batch.

    Attributes:
        singly: requests that may each be asked and applied on its own, those too whose order nobody can say.
        superseded: requests that must not be: later ones have overtaken what they asked for, and carry all that is
            still wanted.
        together: requests of which part has been overtaken, or that only fit together, each with its related ones:
            only their composition says what their requester wants. Calls that ask nothing are among them.
    """

    singly: tuple[str, ...]
    superseded: tuple[str, ...]
    together: tuple[tuple[str, ...], ...]


class _Item(NamedTuple):
    """One rule of the net change (added, removed, or modified), and the calls that had a part in it."""

    before: Rule | None
    after: Rule | None
    calls: frozenset[str]


def compose(calls: Iterable[Call], approved: Iterable[Rule]) -> Composition:
    """Compose the calls of one group.

    Calls are ordered by the second they were made in; within one, a rule is made, then changed, then removed, by its
    id; then as EC2 could have accepted them. Where that leaves several orders with different results, these calls and
    those related to them are set aside (``alone``).

    Args:
        calls: in any order; one delivered twice counts once.
        approved: the approved rules of the group, at least those that the calls touch
            (:func:`shared.domain.operations.touched`).
    """
    known = {call.request_id: call for call in calls}
    held = by_identity(approved)
    order: list[str] = []
    alone: list[str] = []
    items: list[_Item] = []
    for related, end in _replayed(known.values(), held.values()):
        if end is None:
            alone += [call.request_id for call in related]
        else:
            order += end.order
            items += _items(end)
    for request_ids in (order, alone):
        request_ids.sort(key=lambda one: known[one].second)
    contributions = {one: _change(item for item in items if one in item.calls) for one in order}
    change = _change(items)
    return Composition(
        request_ids=tuple(order),
        change=change,
        contributions=contributions,
        superseded=tuple(one for one in order if contributions[one].is_empty and not known[one].change.is_empty),
        alone=tuple(alone),
        approved=tuple((one, held.get(one)) for one in sorted({rule.identity for rule in change.rules})),
    )


def one_by_one(calls: Iterable[Call], approved: Iterable[Rule]) -> OneByOne:
    """Say which requests of one group may be asked on their own, now that their requester has made all these calls.

    A removal whose rule has been put back since is superseded: the later request carries the edit. So is an edit of a
    rule that has been edited again.

    Args:
        calls: the requester's calls of this group whose requests are undecided or ask nothing, in any order.
        approved: as for :func:`compose`.
    """
    singly: list[str] = []
    superseded: list[str] = []
    together: list[tuple[str, ...]] = []
    for related, end in _replayed(calls, approved):
        asked = {call.request_id: set(steps_of(call.change)) for call in related if not call.change.is_empty}
        if end is None:
            singly += asked
            continue
        wanted = {(item.before, item.after) for item in _items(end)}
        fitting = [one for one, steps in asked.items() if steps <= wanted]
        if {step for one in fitting for step in asked[one]} == wanted:
            singly += fitting
            superseded += [one for one in asked if one not in fitting]
        else:
            together.append(end.order)
    return OneByOne(singly=tuple(singly), superseded=tuple(superseded), together=tuple(together))


def batch_digest(groups: Mapping[str, Composition], digests: Mapping[str, str]) -> str:
    """Return the SHA-256 (hex) over what a batch would apply.

    It covers, group by group, the composed requests in order with their digests, the net change, and the approved rule
    at each identity of the net change. Tags of approved rules may change without anybody's approval, so they are left
    out there.

    Args:
        groups: the composition of each group, by group id.
        digests: the digest of each composed request, by request id.
    """
    parts: list[object] = []
    for group_id, composed in sorted(groups.items()):
        parts.append(["group", group_id])
        parts += [["request", request_id, digests[request_id]] for request_id in composed.request_ids]
        parts += _texts(composed.change)
        parts += [["approved", one, None if rule is None else rule.description] for one, rule in composed.approved]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _replayed(calls: Iterable[Call], approved: Iterable[Rule]) -> Iterator[tuple[list[Call], Replay | None]]:
    """Yield the calls in parts that do not concern each other, each with what it led to.

    That is in one of the orders that lead there; ``None`` where orders with different net changes are possible.
    """
    ordered, held = in_order(calls), tuple(approved)
    threads = threads_of(ordered, held)
    by_key = {key: rule for rule in held for key in (rule.rule_id, rule.identity)}
    for related in related_calls(ordered, threads):
        keys = {key: None for call in related for step in call.steps for key in keys_of(step)}
        rules = by_identity(by_key[key] for key in keys if key in by_key)
        try:
            ends = possible_ends(related, list(rules.values()), threads)
        except TooManyOrdersError:
            ends = []
        is_sure = len(ends) == 1 or len({tuple(_texts(_change(_items(end)))) for end in ends}) == 1
        yield related, ends[0] if is_sure else None


def _items(end: Replay) -> Iterator[_Item]:
    """Yield the net change rule by rule: by identity first, then by what became of an approved rule."""
    now = {line.rule.identity: line for line in end.lines.values() if line.is_there}
    before = {line.origin.identity for line in end.lines.values() if line.origin is not None}
    for line in end.lines.values():
        if line.origin is None:
            continue
        in_place = now.get(line.origin.identity)
        if in_place is not None:
            after = replace(line.origin, description=in_place.rule.description)
            if after != line.origin:
                yield _Item(line.origin, after, line.calls | in_place.calls)
        elif _has_moved(line, now, before):
            yield _Item(line.origin, line.rule, line.calls)
        else:
            yield _Item(line.origin, None, line.calls)
    for identity, line in now.items():
        if identity not in before and not _has_moved(line, now, before):
            yield _Item(None, line.rule, line.calls)


def _has_moved(line: Line, now: Mapping[str, Line], before: set[str]) -> bool:
    """Say whether an approved rule has been edited into a place where none was, and no other has taken its own."""
    is_edited = line.origin is not None and line.origin.identity not in now
    return is_edited and line.is_there and line.rule.identity not in before


def _change(items: Iterable[_Item]) -> Change:
    some = tuple(items)
    return make_change(
        added=(after for before, after, _ in some if before is None and after is not None),
        removed=(before for before, after, _ in some if before is not None and after is None),
        modified=(Modification(before=b, after=a) for b, a, _ in some if b is not None and a is not None),
    )


def steps_of(change: Change) -> Iterator[tuple[Rule | None, Rule | None]]:
    """Yield what a change does, rule by rule: the rule before and after, ``None`` where there is none."""
    yield from ((None, rule) for rule in change.added)
    yield from ((rule, None) for rule in change.removed)
    yield from ((edit.before, edit.after) for edit in change.modified)


def _texts(change: Change) -> list[str]:
    edits = [one for edit in change.modified for one in (("before", edit.before), ("after", edit.after))]
    return [
        *(rule_text("add", rule) for rule in change.added),
        *(rule_text("remove", rule) for rule in change.removed),
        *(rule_text(role, rule) for role, rule in edits),
    ]
