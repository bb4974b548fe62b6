"""What was allowed and approved of one group's rules: the same result in whatever order it is heard, and however often.

Events come late, in any order, perhaps twice; an edit names a rule by its id alone. So each approved rule is remembered
on its own, with the ids it has had and the newest values it was given, each with the time of the call that gave them.
Putting one more event in is commutative and idempotent; nothing is replayed. Where two allowed edits cannot be ordered
(CloudTrail writes whole seconds) and the group shows neither of them, no value is guessed: the rule keeps the value
from before, and what is in the group is a difference that people are asked about.

Pure. What does not belong here: what a recorded call did (``accept_call`` in ``state.baseline``), tags, storage.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from shared.domain.rule import Direction, Rule

from ..rule_set import RuleSet

VALUES_KEPT: Final = 6
IDS_KEPT: Final = 20
REMOVED_KEPT: Final = 400
"""Bounds of what is remembered of a rule, and of how many removed rules: events are late by minutes."""

Moment = tuple[datetime, int]
"""A whole second, and a rank within it, because some orders are certain: see the constants below."""

ADOPTED, CREATED, EDITED, REMOVED, APPLIED = range(5)
"""Ranks within a second: a rule exists before it is edited, and it is edited before it is removed; what this account
applies itself comes after the calls it has heard of."""

_BEFORE_ALL: Final = -1

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

_T = TypeVar("_T")


def moment(at: datetime, rank: int) -> Moment:
    """Return the moment of a call or of an applied approval."""
    return at.replace(microsecond=0), rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Generic[_T]):
    """A value and when it was given; of several given at one moment, ``is_chosen`` marks the one that is in force."""

    at: Moment
    value: _T
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Register(Generic[_T]):
    """The newest value of those that were given, and a few before it."""

    versions: tuple[Version[_T], ...] = ()

    @property
    def newest(self) -> Version[_T] | None:
        """The newest version that is not in doubt; of a moment with several values none was chosen, the one before."""
        index = len(self.versions)
        while index:
            end = index
            at = self.versions[index - 1].at
            while index and self.versions[index - 1].at == at:
                index -= 1
            group = self.versions[index:end]
            chosen = group if len(group) == 1 else [one for one in group if one.is_chosen]
            if chosen:
                return chosen[0]
        return None

    def put(self, at: Moment, value: _T, live: _T | None = None) -> Register[_T]:
        """Return the register with one more value.

        Args:
            at: when it was given.
            value: the value.
            live: the value in force now; it decides between values that were given at the same moment.
        """
        peers = [one for one in self.versions if one.at == at]
        if any(one.value == value for one in peers):
            return self
        peers.append(Version(at=at, value=value))
        if len(peers) > 1:
            peers = [replace(one, is_chosen=one.value == live) for one in peers]
        rest = [one for one in self.versions if one.at != at]
        # Stable, and by text within a moment, so that equal contents are equal registers.
        versions = sorted([*rest, *peers], key=lambda one: (one.at, repr(one.value)))
        return Register(tuple(versions[-VALUES_KEPT:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One rule that is or was approved.

    Attributes:
        ids: the rule ids it has had, oldest first: restoring a rule gives it a new one.
        rule_id: the id it has now, as far as known.
        direction: ``None`` while only an edit has been heard of, whose event does not say.
        values: everything that is EC2's identity of the rule; without id, description and tags.
        texts: the description.
        removed: when it was last removed.
        is_adopted: it counts as approved only because it was there when the region was adopted.
    """

    ids: tuple[str, ...] = ()
    rule_id: str | None = None
    direction: Direction | None
    values: Register[Rule]
    texts: Register[str]
    removed: Moment | None = None
    is_adopted: bool = False

    @property
    def last_change(self) -> Moment:
        """When it was last given values."""
        return self.values.versions[-1].at if self.values.versions else (LONG_AGO, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """All rules of a group that are or were approved.

    Attributes:
        entries: in a fixed order, so that equal contents are equal values.
        forgotten_until: what was removed until then may have been forgotten; older additions of unknown rules do not
            count, because their removal may be among it.
    """

    entries: tuple[Approval, ...] = ()
    forgotten_until: datetime = LONG_AGO


class Editor:
    """Puts events into :class:`Approvals`; :meth:`result` gives the new value."""

    def __init__(self, approvals: Approvals, live: RuleSet) -> None:
        """Take what is approved so far, and the rules of the group now."""
        self._entries: list[Approval] = list(approvals.entries)
        self._by_id = {rule_id: index for index, one in enumerate(self._entries) for rule_id in one.ids}
        self._forgotten_until = approvals.forgotten_until
        self._live = live
        # What stood where before this event: of a call that moves several rules, each part is about that.
        self._placed = placed_rules(self._entries)
        self._places = RuleSet(self._placed.values())
        self._index_of_place = {rule.identity: index for index, rule in reversed(self._placed.items())}

    def add(self, rule: Rule, at: Moment, *, is_adopted: bool = False) -> None:
        """A rule was created, with its id where that is known."""
        index = self._by_id.get(rule.rule_id or "", -1)
        if index < 0 and not rule.rule_id:
            index = self._alike(rule)
        if index >= 0 and self._was_only_seen(rule, index):
            self._disown(rule.rule_id or "", index)
            index = -1
        if index >= 0:
            known = self._entries[index]
            changed = replace(known, direction=rule.direction, is_adopted=known.is_adopted and is_adopted)
            self._entries[index] = self._given(changed, rule, at)
        elif at[0] > self._forgotten_until:
            self._new(rule, at, rule.direction, is_adopted=is_adopted)

    def edit(self, rule_id: str, rule: Rule, direction: Direction | None, at: Moment) -> None:
        """The rule of an id was given new values and a new description."""
        index = self._by_id.get(rule_id, -1)
        if index >= 0:
            self._entries[index] = self._given(replace(self._entries[index], is_adopted=False), rule, at)
        elif at[0] > self._forgotten_until:
            self._new(replace(rule, rule_id=rule_id), at, direction)

    def replace(self, before: Rule, after: Rule, at: Moment) -> None:
        """An approved rule was changed into another one; ``after`` has the id that the rule has now."""
        index = self._held(before)
        if index < 0:
            self.add(after, at)
            return
        known = replace(self._entries[index], is_adopted=False, direction=after.direction)
        self._entries[index] = self._given(known, after, at)
        self._own(after.rule_id, index)

    def describe(self, rule_id: str | None, rule: Rule | None, text: str, at: Moment) -> None:
        """A rule, named by its id or else by its values, was given a new description."""
        index = self._by_id.get(rule_id or "", -1)
        if index < 0 and rule is not None:
            index = self._held(rule)
        if index >= 0:
            known = self._entries[index]
            now = self._live_of(known)
            texts = known.texts.put(at, text, now.description if now is not None else None)
            self._entries[index] = replace(known, texts=texts)

    def remove(self, rule_id: str | None, rule: Rule | None, at: Moment) -> None:
        """A rule was removed, named by its id where the call did so, by its values where they are known."""
        index = self._by_id.get(rule_id or "", -1)
        if index < 0 and rule is not None:
            index = self._held(rule)
        if index < 0:
            self._append(_removed(rule_id, rule, at))  # the call that created it may still be on its way
            return
        known = self._entries[index]
        self._entries[index] = replace(known, removed=max(at, known.removed or at))

    def forget(self, indexes: Iterable[int]) -> None:
        """Drop entries altogether."""
        gone = set(indexes)
        self._entries = [one for index, one in enumerate(self._entries) if index not in gone]
        self._by_id = {rule_id: index for index, one in enumerate(self._entries) for rule_id in one.ids}

    def see(self, live: RuleSet) -> None:
        """Note the ids that the approved rules have in the live group now.

        An id that belongs to another approved rule, which is missing just now, stays with that one: somebody edited it
        into this rule, and when it is edited back the id has to be known.
        """
        placed = placed_rules(self._entries)
        found = {index: live.like(rule) for index, rule in placed.items()}
        for index, now in found.items():
            if now is None or now.rule_id is None or now.rule_id == self._entries[index].rule_id:
                continue
            owner = self._by_id.get(now.rule_id, index)
            is_missing = owner in placed and found[owner] is None
            if owner == index or not is_missing:
                self._own(now.rule_id, index)

    def drop_adopted(self, rule_ids: Iterable[str | None], rules: Iterable[Rule]) -> None:
        """Drop what counts as approved only because it was there when the region was adopted.

        Args:
            rule_ids: drop those with these ids.
            rules: drop those in these places.
        """
        indexes = {self._by_id.get(rule_id or "", -1) for rule_id in rule_ids} | {self._held(rule) for rule in rules}
        self.forget(index for index in indexes if index >= 0 and self._entries[index].is_adopted)

    def result(self) -> Approvals:
        """Return what is approved now; the oldest removed rules are forgotten where there are too many."""
        placed = placed_rules(self._entries)
        gone = sorted(
            (max(one.removed or (LONG_AGO, 0), one.last_change), index)
            for index, one in enumerate(self._entries)
            if index not in placed
        )
        dropped = gone[:-REMOVED_KEPT] if len(gone) > REMOVED_KEPT else []
        for at, _ in dropped:
            self._forgotten_until = max(self._forgotten_until, at[0])
        self.forget(index for _, index in dropped)
        entries = sorted(self._entries, key=lambda one: (one.ids, repr(one.values), one.direction or ""))
        return Approvals(entries=tuple(entries), forgotten_until=self._forgotten_until)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _given(self, known: Approval, rule: Rule, at: Moment) -> Approval:
        now = self._live_of(known)
        direction = known.direction or rule.direction
        live = _values(now, direction) if now is not None else None
        values = known.values.put(at, _values(rule, direction), live)
        texts = known.texts.put(at, rule.description, now.description if now is not None else None)
        return replace(known, values=_in_direction(values, direction), texts=texts)

    def _new(self, rule: Rule, at: Moment, direction: Direction | None, *, is_adopted: bool = False) -> None:
        self._append(
            Approval(
                ids=_only(rule.rule_id),
                rule_id=rule.rule_id,
                direction=direction,
                values=Register((Version(at=at, value=_values(rule, rule.direction)),)),
                texts=Register((Version(at=at, value=rule.description),)),
                is_adopted=is_adopted,
            )
        )

    def _append(self, entry: Approval) -> None:
        self._entries.append(entry)
        self._by_id |= dict.fromkeys(entry.ids, len(self._entries) - 1)

    def _own(self, rule_id: str | None, index: int) -> None:
        """Note the id that a rule has now; it is no other rule's any more."""
        if rule_id is None:
            return
        owner = self._by_id.get(rule_id)
        if owner is not None and owner != index:
            self._disown(rule_id, owner)
        known = self._entries[index]
        ids = known.ids if rule_id in known.ids else (*known.ids, rule_id)
        kept = ids if len(ids) <= IDS_KEPT else (ids[0], *ids[1 - IDS_KEPT :])
        self._entries[index] = replace(known, ids=kept, rule_id=rule_id)
        self._by_id[rule_id] = index

    def _disown(self, rule_id: str, index: int) -> None:
        known = self._entries[index]
        ids = tuple(one for one in known.ids if one != rule_id)
        self._entries[index] = replace(known, ids=ids, rule_id=None if known.rule_id == rule_id else known.rule_id)
        del self._by_id[rule_id]

    def _was_only_seen(self, rule: Rule, index: int) -> bool:
        """True when the id of a new rule was seen in the place of another approved rule: an edit had led it there."""
        known = self._entries[index]
        if not known.ids or known.ids[0] == rule.rule_id:
            return False
        return all(one.value.identity != rule.identity for one in known.values.versions)

    def _live_of(self, entry: Approval) -> Rule | None:
        found = (self._live.with_id(rule_id) for rule_id in (entry.rule_id, *reversed(entry.ids)))
        return next((rule for rule in found if rule is not None), None)

    def _held(self, rule: Rule) -> int:
        """Return the approved rule that was in the place of ``rule`` before this event, -1 where there was none."""
        found = self._places.like(rule)
        return -1 if found is None else self._index_of_place[found.identity]

    def _alike(self, rule: Rule) -> int:
        """Return a rule of the same values whose id nobody named, be it removed or not."""
        wanted = _values(rule, rule.direction)
        for index, one in enumerate(self._entries):
            if not one.ids and one.values.versions and one.values.versions[-1].value == wanted:
                return index
        return -1


def placed_rules(entries: Iterable[Approval]) -> dict[int, Rule]:
    """Return the rules that are approved, by index: neither removed nor pushed out of their place by another one.

    EC2 never lets two rules have the same identity. So when a rule is allowed in a place, the one that was approved
    there had left it before, whether or not anybody has heard how.
    """
    some = list(entries)
    arrivals: dict[str, list[tuple[Moment, int]]] = {}
    for index, one in enumerate(some):
        for version in one.values.versions:
            insort(arrivals.setdefault(version.value.identity, []), (version.at, index))
        if one.removed is not None and one.values.versions:
            # After a removal its place is empty. Within one second a new rule may have come into it since, if ids
            # tell the two apart; but not before an approved removal, which names values.
            is_by_values = not one.ids or one.removed[1] == APPLIED
            at = one.removed if is_by_values else (one.removed[0], _BEFORE_ALL)
            insort(arrivals.setdefault(one.values.versions[-1].value.identity, []), (at, index))
    placed: dict[int, Rule] = {}
    for index, one in enumerate(some):
        newest, text = one.values.newest, one.texts.newest
        if newest is None or one.direction is None or (one.removed is not None and one.removed >= newest.at):
            continue
        others = arrivals[newest.value.identity]
        if any(at > newest.at and other != index for at, other in others):
            continue
        rule = replace(newest.value, rule_id=one.rule_id, description=text.value if text is not None else "")
        placed[index] = rule
    return placed


def _values(rule: Rule, direction: Direction) -> Rule:
    return replace(rule, direction=direction, description="", tags=(), rule_id=None)


def _in_direction(values: Register[Rule], direction: Direction) -> Register[Rule]:
    """Return the values in the direction that has become known: the event of an edit does not say."""
    if all(one.value.direction == direction for one in values.versions):
        return values
    return Register(tuple(replace(one, value=replace(one.value, direction=direction)) for one in values.versions))


def _removed(rule_id: str | None, rule: Rule | None, at: Moment) -> Approval:
    """Return the entry of a removed rule that nobody has heard of yet."""
    values: Register[Rule] = Register()
    if rule is not None:
        values = values.put((LONG_AGO, 0), _values(rule, rule.direction))
    direction = rule.direction if rule is not None else None
    return Approval(ids=_only(rule_id), direction=direction, values=values, texts=Register(), removed=at)


def _only(rule_id: str | None) -> tuple[str, ...]:
    return (rule_id,) if rule_id else ()
