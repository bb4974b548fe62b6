"""Approvals that hold for a time: how they begin, follow their rules, are closed by others, and end.

A limit stands with the approved rule itself, so it follows the rule through new ids, restored rules and allowed edits.
It ends only with an approval of that rule for good, with other values than its description, or with its removal. Pure.

What does not belong here: reverting in EC2, and who is told (``ending``); the values themselves (``state.timed``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Rule

from ..assessment.overlap import overlap
from ..rule_set import RuleSet
from .approvals import Approval, Approvals, Editor, placed_rules
from .baseline import Baseline, accept_change, with_ids_seen
from .register import APPLIED, Moment, Register, moment
from .timed import Limit, Timed

MOST_TIMED: Final = 200
MOST_LET_THROUGH: Final = 250
"""Bounds of what a baseline remembers: approvals for a time, and rules that were let through for a time."""

ASKED_FOR: Final = timedelta(hours=24)
"""For how long after its end whatever overlaps what was let through for a time is asked."""

_NOTHING_LEFT: Final = "Nothing was left to revert: what it gave has been removed, or approved for good, since."


# -- beginning ---------------------------------------------------------------------------------------------------------


def accept_approved(
    baseline: Baseline, change: Change, live: RuleSet, at: datetime, timed: Timed | None = None
) -> Baseline:
    """Return the baseline after people approved a change and it was applied.

    Args:
        baseline: the group's.
        change: what was applied.
        live: the rules now.
        at: now, UTC.
        timed: until when it holds; ``None``: for good, which closes limits of the rules that were given other values.
    """
    accepted = accept_change(baseline, change, live, at)
    if timed is not None:
        return begin(accepted, change, live, moment(at, APPLIED), timed)
    if not baseline.timed:
        return accepted
    edited = (edit for edit in change.modified if edit.after.identity != edit.before.identity)
    given = [(rule, None) for rule in change.added] + [(edit.after, edit.before.rule_id) for edit in edited]
    entries = list(accepted.approvals.entries)
    for index in _found(entries, given, live).values():
        entries[index] = replace(entries[index], limits=())
    return _with_entries(accepted, entries, live)


def begin(baseline: Baseline, change: Change, live: RuleSet, at: Moment, timed: Timed) -> Baseline:
    """Return the baseline with limits of everything that an accepted change added or edited; repeating it is harmless.

    Args:
        baseline: in which the change has been accepted.
        change: what was accepted.
        live: the rules now.
        at: when it was accepted.
        timed: until when it holds.
    """
    if any(one.key == timed.key and one.ended_at is not None for one in baseline.timed):
        return baseline
    edits = {edit.after.identity: edit.before for edit in change.modified}
    given = [(rule, rule.rule_id) for rule in change.added]
    given += [(edit.after, edit.before.rule_id) for edit in change.modified]
    entries = list(baseline.approvals.entries)
    for rule, index in ((rule, index) for rule, index in _found(entries, given, live).items()):
        before = edits.get(rule.identity)
        limit = Limit(
            key=timed.key,
            at=at,
            place=rule.identity,
            text=rule.description,
            before=None if before is None else replace(before, tags=(), rule_id=None),
        )
        known = tuple(one for one in entries[index].limits if one.key != timed.key)
        entries[index] = replace(entries[index], limits=(*known, limit))
    others = tuple(one for one in baseline.timed if one.key != timed.key)
    return _with_entries(replace(baseline, timed=(*others, timed)), entries, live)


def has_room(baseline: Baseline, timed: Timed) -> bool:
    """Say whether a baseline has room for one more approval for a time."""
    others = [one for one in baseline.timed if one.key != timed.key]
    let_through = sum(len(one.let_through) for one in others) + len(timed.let_through)
    return len(others) < MOST_TIMED and let_through <= MOST_LET_THROUGH


# -- while it lasts, and after -----------------------------------------------------------------------------------------


def limits_of(baseline: Baseline, change: Change) -> tuple[tuple[str, datetime], ...]:
    """Return until when the approved rules that a change touches are approved: pairs of identity and time, sorted."""
    running = {one.key: one.until for one in baseline.timed if one.ended_at is None}
    if not running:
        return ()
    touched = {rule.identity for rule in (*change.removed, *(edit.before for edit in change.modified))}
    found: dict[str, datetime] = {}
    entries = baseline.approvals.entries
    for index, rule in placed_rules(entries).items():
        ends = [running[one.key] for one in entries[index].limits if one.key in running]
        if ends and rule.identity in touched:
            found[rule.identity] = min(ends)
    return tuple(sorted(found.items()))


def is_asked(baseline: Baseline, rules: Iterable[Rule], now: datetime) -> bool:
    """Say whether rules overlap what was let through for a time, from its beginning until a day after its end."""
    locked = [
        rule
        for one in baseline.timed
        if one.ended_at is None or now < one.ended_at + ASKED_FOR
        for rule in one.let_through
    ]
    return bool(locked) and overlap(rules, locked)


def without_old(baseline: Baseline, now: datetime) -> Baseline:
    """Return the baseline without the approvals of whose end nothing has to be remembered any more."""

    def is_old(one: Timed) -> bool:
        is_free = not one.let_through or (one.ended_at is not None and now >= one.ended_at + ASKED_FOR)
        return one.is_told and is_free

    kept = tuple(one for one in baseline.timed if not is_old(one))
    return baseline if kept == baseline.timed else replace(baseline, timed=kept)


# -- ending ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the end of an approval does.

    Attributes:
        becomes: by the identity of an approved rule, what it is afterwards; ``None``: it goes.
        places: the identities of the values that the approval gave and that end now.
        undo: what leads from the live group there.
    """

    becomes: Mapping[str, Rule | None]
    places: frozenset[str]
    undo: Change


def ending(baseline: Baseline, key: str, live: RuleSet) -> Ending:
    """Say what the end of an approval does.

    An added rule goes. An edited one is edited back; it goes where an allowed edit has changed it since, where its
    former place is taken, or where a later allowed change closed that.

    Args:
        baseline: the group's.
        key: which approval.
        live: the rules of the group now.
    """
    entries = baseline.approvals.entries
    placed = placed_rules(entries)
    limits = {index: limit for index in placed if (limit := _limit(entries[index], key)) is not None}
    becomes = _becomes(entries, placed, limits, live)
    removed: list[Rule] = []
    added: list[Rule] = []
    modified: list[Modification] = []
    for index, after in becomes.items():
        now = live.like(placed[index])
        if after is None:
            removed += [now] if now is not None else []
        elif now is None:
            added.append(after)
        elif (now.identity, now.description) != (after.identity, after.description):
            modified.append(Modification(before=now, after=replace(after, tags=now.tags, rule_id=now.rule_id)))
    return Ending(
        becomes={placed[index].identity: after for index, after in becomes.items()},
        places=frozenset(limits[index].place for index, after in becomes.items() if after != placed[index]),
        undo=make_change(removed=removed, added=added, modified=modified),
    )


def _becomes(
    entries: tuple[Approval, ...], placed: Mapping[int, Rule], limits: Mapping[int, Limit], live: RuleSet
) -> dict[int, Rule | None]:
    """Return what each rule with one of these limits is after their end."""
    held = {rule.identity: index for index, rule in placed.items()}
    becomes: dict[int, Rule | None] = {}
    back: dict[int, Rule] = {}
    for index, limit in limits.items():
        before, now = limit.before, placed[index]
        if before is not None and before.identity == limit.place:  # nothing but the description was changed
            is_as_given = (now.identity, now.description) == (limit.place, limit.text)
            becomes[index] = replace(now, description=before.description) if is_as_given else now
        elif before is None or _has_moved(entries[index], limit, now):
            becomes[index] = None
        else:
            back[index] = before
    # Rules of one approval may have been edited into each other's places.
    while blocked := [index for index in back if _is_blocked(index, back, entries, held, limits[index], live)]:
        for index in blocked:
            becomes[index] = None
            del back[index]
    for before in back.values():
        occupant = held.get(before.identity, -1)
        if occupant in becomes and becomes[occupant] is None:
            becomes[occupant] = placed[occupant]  # one that came into a place which is free for good again stays
    by_place = {rule.identity for rule in becomes.values() if rule is not None}
    return {**becomes, **{index: None if one.identity in by_place else one for index, one in back.items()}}


def _has_moved(entry: Approval, limit: Limit, now: Rule) -> bool:
    """True when an allowed change gave the rule other values since."""
    later = (one.value.identity for one in entry.values.versions if one.at > limit.at)
    return now.identity != limit.place or any(identity != limit.place for identity in later)


def _is_blocked(
    index: int,
    back: Mapping[int, Rule],
    entries: tuple[Approval, ...],
    held: Mapping[str, int],
    limit: Limit,
    live: RuleSet,
) -> bool:
    """True when the former place of a rule is taken, or has been closed by a change since.

    By a rule of the same approval that leaves it now, it is neither.
    """
    place = back[index].identity
    occupant = held.get(place, index)
    if occupant != index and occupant not in back and _limit(entries[occupant], limit.key) is None:
        return True
    was_there = (one for other, one in enumerate(entries) if other != index and _limit(one, limit.key) is None)
    if any(_was_in(one, place, limit.at) for one in was_there):
        return True
    now = live.with_identity(place)
    is_own = now is None or any(now.rule_id in entries[other].ids for other in (index, *back, occupant))
    return not is_own


def _was_in(entry: Approval, place: str, since: Moment) -> bool:
    """True when a rule came into a place, or was removed from it, since."""
    came = any(one.value.identity == place and one.at >= since for one in entry.values.versions)
    return came or (entry.place == place and entry.removed is not None and entry.removed >= since)


def going(done: Ending, lost: Iterable[Rule]) -> Ending:
    """Return what the end does where some rules cannot be as they were before: they refer to a group that is gone."""
    gone = {rule.identity for rule in lost}
    edits = [edit for edit in done.undo.modified if edit.after.identity in gone]
    return replace(
        done,
        becomes={
            identity: None if after is not None and after.identity in gone else after
            for identity, after in done.becomes.items()
        },
        undo=make_change(
            added=(rule for rule in done.undo.added if rule.identity not in gone),
            removed=(*done.undo.removed, *(edit.before for edit in edits)),
            modified=(edit for edit in done.undo.modified if edit not in edits),
        ),
    )


def ended(baseline: Baseline, key: str, done: Ending, left: Collection[str], live: RuleSet, at: datetime) -> Baseline:
    """Return the baseline after an approval has ended in EC2, or a part of it has.

    Args:
        baseline: the group's.
        key: which approval.
        done: what was to be done.
        left: the identities of the rules of which it was refused.
        live: the rules now.
        at: now, UTC.
    """
    entries = list(baseline.approvals.entries)
    waiting = False
    for index, rule in placed_rules(entries).items():
        if _limit(entries[index], key) is None:
            continue
        after = done.becomes.get(rule.identity, rule)
        is_refused = rule.identity in left or (after is not None and after.identity in left)
        if rule.identity not in done.becomes or is_refused:
            waiting = True  # given or edited meanwhile, or refused: the next snapshot sees to it
        else:
            entries[index] = _after(entries[index], key, rule, after, moment(at, APPLIED))
    note = "" if done.places else _NOTHING_LEFT
    timed = tuple(
        replace(one, ended_at=at, note=note) if one.key == key and not waiting and one.ended_at is None else one
        for one in baseline.timed
    )
    return with_ids_seen(_with_entries(replace(baseline, timed=timed), entries, live), live)


def told(baseline: Baseline, key: str) -> Baseline:
    """Return the baseline after the central account was told of an approval's end."""
    return replace(
        baseline, timed=tuple(replace(one, is_told=True) if one.key == key else one for one in baseline.timed)
    )


def _after(entry: Approval, key: str, rule: Rule, after: Rule | None, at: Moment) -> Approval:
    limit = _limit(entry, key)
    at = max(at, entry.last_change)  # clocks differ, and an end is the last that happens to what it ends
    entry = replace(entry, limits=tuple(one for one in entry.limits if one.key != key))
    if after is None:
        return replace(entry, removed=at)
    if limit is None or (after.identity, after.description) == (rule.identity, rule.description):
        return entry
    texts = Register(tuple(one for one in entry.texts.versions if one.at < limit.at)).put(at, after.description)
    if after.identity == rule.identity:
        return replace(entry, texts=texts)
    # What it was given for a time is forgotten, so that an earlier approval for a time still finds its own values.
    values = Register(tuple(one for one in entry.values.versions if one.at < limit.at))
    bare = replace(after, description="", tags=(), rule_id=None)
    return replace(entry, values=values.put(at, bare), texts=texts)


# -- parts -------------------------------------------------------------------------------------------------------------


def _limit(entry: Approval, key: str) -> Limit | None:
    return next((one for one in entry.limits if one.key == key), None)


def _found(entries: list[Approval], given: Iterable[tuple[Rule, str | None]], live: RuleSet) -> dict[Rule, int]:
    """Return which entry holds each rule: by the id it has now, by the one it is named with, or by its place."""
    by_id = {rule_id: index for index, one in enumerate(entries) for rule_id in one.ids}
    placed = placed_rules(entries)
    by_place = RuleSet(placed.values())
    indexes = {rule.identity: index for index, rule in placed.items()}
    found = {}
    for rule, rule_id in given:
        now = live.like(rule)
        named = now.rule_id if now is not None and now.rule_id in by_id else rule_id
        held = by_place.like(rule)
        index = by_id.get(named or "", -1 if held is None else indexes[held.identity])
        if index >= 0:
            found[rule] = index
    return found


def _with_entries(baseline: Baseline, entries: list[Approval], live: RuleSet) -> Baseline:
    known = Approvals(entries=tuple(entries), forgotten_until=baseline.approvals.forgotten_until)
    return replace(baseline, approvals=Editor(known, live).result())
