"""What was allowed and approved of one group's rules: the same result in whatever order it is heard, and however often.

Events come late, in any order, perhaps twice; an edit names a rule by its id alone. So each approved rule is remembered
on its own, with the ids it has had and the newest values it was given, each with the time of the call that gave them.
Putting one more event in is commutative and idempotent; nothing is replayed. Where two allowed edits cannot be ordered
(CloudTrail writes whole seconds) and the group shows neither of them, no value is guessed: the rule keeps the value
from before, and what is in the group is a difference that people are asked about.

Pure. What does not belong here: what a recorded call did (``accept_call`` in ``state.baseline``), tags, storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from shared.domain.rule import Direction, Rule

from ..rule_set import RuleSet
from .register import ADOPTED, APPLIED, BEFORE_ALL, LONG_AGO, NEVER, REMOVED, Moment, Register, Version, moment
from .timed import Limit

IDS_KEPT: Final = 20
REMOVED_KEPT: Final = 400
"""Bounds of what is remembered of a rule, and of how many removed rules: events are late by minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One rule that is or was approved.

    An entry without ids stands for its place: for a rule there whose id nobody has named, and for what was done to
    whatever rule was there by calls that name rules by their values alone.

    Attributes:
        ids: the rule ids it has had, oldest first: restoring a rule gives it a new one.
        rule_id: the id it has now, as far as known.
        direction: ``None`` while only an edit has been heard of, whose event does not say.
        values: everything that is EC2's identity of the rule; without id, description and tags.
        texts: the description.
        removed: when it was last removed.
        removed_by_id: the id by which that call named it, where that is not its first one.
        removed_place: where that call found it, as far as it says.
        is_adopted: it counts as approved only because it was there when the region was adopted.
        limits: what it is for a time only; they follow the rule through every edit but those that end them.
    """

    ids: tuple[str, ...] = ()
    rule_id: str | None = None
    direction: Direction | None
    values: Register[Rule]
    texts: Register[str]
    removed: Moment | None = None
    removed_by_id: str = ""
    removed_place: str = ""
    is_adopted: bool = False
    limits: tuple[Limit, ...] = ()

    @property
    def last_change(self) -> Moment:
        """When anything was last done to it."""
        given = [one.versions[-1].at for one in (self.values, self.texts) if one.versions]
        return max([NEVER, *given, *([self.removed] if self.removed is not None else [])])

    @property
    def is_known(self) -> bool:
        """True when values of its own have been heard of, not only what was done to it."""
        return bool(self.values.versions) and self.values.versions[-1].at != NEVER

    @property
    def place(self) -> str:
        """The identity of its newest values; empty while none are known."""
        return self.values.versions[-1].value.identity if self.values.versions else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """All rules of a group that are or were approved.

    Attributes:
        entries: in a fixed order, so that equal contents are equal values.
        forgotten_until: what was removed until then may have been forgotten; older additions of unknown rules do not
            count, because their removal may be among it.
        placed: what is approved now, see :func:`placed_rules`; worked out from the entries.
    """

    entries: tuple[Approval, ...] = ()
    forgotten_until: datetime = LONG_AGO
    placed: dict[int, Rule] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "placed", placed_rules(self.entries))


class Editor:
    """Puts events into :class:`Approvals`; :meth:`result` gives the new value."""

    def __init__(self, approvals: Approvals, live: RuleSet) -> None:
        """Take what is approved so far, and the rules of the group now."""
        self._entries: list[Approval] = list(approvals.entries)
        self._find_ids_and_places()
        self._forgotten_until = approvals.forgotten_until
        self._live = live
        # What stood where before this event: of a call that moves several rules, each part is about that.
        self._placed = approvals.placed
        self._places = RuleSet(self._placed.values())
        self._index_of_place = {rule.identity: index for index, rule in reversed(self._placed.items())}

    def add(self, rule: Rule, at: Moment, *, is_adopted: bool = False, is_id_seen: bool = False) -> None:
        """A rule was created, with its id where that is known.

        Args:
            rule: with its values.
            at: when.
            is_adopted: it was there when the region was adopted.
            is_id_seen: nobody has said the id; it is that of the rule which is in this place now.
        """
        index = self._by_id.get(rule.rule_id, -1) if rule.rule_id else self._without_id(rule)
        if is_id_seen and index >= 0 and self._is_older(rule, index, at):
            return  # an older rule was edited into the place; what has become of the new one, nobody can tell
        if index >= 0 and rule.rule_id and self._was_only_seen(rule, index, is_id_seen=is_id_seen):
            index = self._separate(rule, rule.rule_id, index)
        if self._is_forgotten(index, at):
            return
        if index < 0:
            self._new(rule, at, rule.direction, is_adopted=is_adopted)
            return
        known = self._entries[index]
        is_still_adopted = is_adopted and (known.is_adopted or not known.is_known)
        known = replace(known, direction=rule.direction, is_adopted=is_still_adopted)
        self._entries[index] = self._given(known, rule, at)

    def assume(self, rule_id: str, rule: Rule) -> None:
        """The approved rule in this place may be the one that a call names by this id."""
        self._own(rule_id, self._by_id[rule.rule_id or ""])

    def edit(self, rule_id: str, rule: Rule, direction: Direction | None, at: Moment) -> None:
        """The rule of an id was given new values and a new description."""
        index = self._by_id.get(rule_id, -1)
        if self._is_forgotten(index, at):
            return
        if index < 0:
            self._new(replace(rule, rule_id=rule_id), at, direction)
            return
        known = self._entries[index]
        by_id = _unless_first(known, rule_id)
        known = replace(known, direction=known.direction or direction, is_adopted=False)
        self._entries[index] = self._given(known, rule, at, by_id)

    def replace(self, before: Rule, after: Rule, at: Moment) -> None:
        """An approved rule was changed into another one; ``after`` has the id that the rule has now."""
        index = self._held(before)
        if index < 0:
            self.add(after, at)
            return
        known = replace(self._entries[index], is_adopted=False, direction=after.direction)
        self._entries[index] = self._given(known, after, at, _unless_first(known, after.rule_id))
        self._own(after.rule_id, index)

    def describe(self, rule_id: str | None, rule: Rule | None, text: str, at: Moment) -> None:
        """A rule, named by its id or else by its values, was given a new description."""
        index = self._of_id_or_place(rule_id, rule)
        known = self._entries[index]
        now = self._live_of(known)
        live = now.description if now is not None else None
        texts = known.texts.put(at, text, live, by_id=_unless_first(known, rule_id))
        self._entries[index] = replace(known, texts=texts)

    def remove(self, rule_id: str | None, rule: Rule | None, at: Moment) -> None:
        """A rule was removed, named by its id where the call did so, by its values where they are known."""
        place = rule.identity if rule_id and rule is not None else ""
        self._mark_removed(self._of_id_or_place(rule_id, rule), at, rule_id, place)

    def remove_approved(self, rule: Rule, at: Moment) -> None:
        """The approved rule of these values was removed, by somebody who has just looked at it."""
        index = self._held(rule)
        self._mark_removed(index if index >= 0 else self._of_id_or_place(None, rule), at)

    def forget(self, indexes: Iterable[int]) -> None:
        """Drop entries altogether."""
        gone = set(indexes)
        kept = [index for index in range(len(self._entries)) if index not in gone]
        self._entries = [self._entries[index] for index in kept]
        moved = {before: index for index, before in enumerate(kept)}
        self._index_of_place = {place: moved.get(index, -1) for place, index in self._index_of_place.items()}
        self._find_ids_and_places()

    def see(self, live: RuleSet) -> None:
        """Note the ids that the approved rules have in the live group now.

        The first id of another approved rule stays with that one, and so does any of its ids while it is missing:
        somebody edited it into this rule. When it is edited back the id has to be known, and an allowed edit of it may
        still be on its way.
        """
        placed = placed_rules(self._entries)
        found = {index: live.like(rule) for index, rule in placed.items()}
        for index, now in found.items():
            if now is None or now.rule_id is None or now.rule_id == self._entries[index].rule_id:
                continue
            owner = self._by_id.get(now.rule_id, index)
            is_missing = owner in placed and found[owner] is None
            is_its_first = self._entries[owner].ids[:1] == (now.rule_id,)
            if owner == index or not (is_missing or is_its_first):
                self._own(now.rule_id, index)

    def reject(self, rule: Rule, at: datetime) -> None:
        """Remember a rule that was added without approval, so that its removal does not restore it.

        By its id; where the event does not have that, by its place and the first time it was added there.
        """
        if not rule.rule_id:
            index = self._of_id_or_place(None, rule)
            known, since = self._entries[index], moment(at, BEFORE_ALL)
            if known.removed is None or (known.removed[1] == BEFORE_ALL and since < known.removed):
                self._entries[index] = replace(known, removed=since)
        elif rule.rule_id not in self._by_id:
            self._mark_removed(self._of_id_or_place(rule.rule_id, None), moment(at, REMOVED))

    def drop_adopted(self, rule_ids: Iterable[str | None], rules: Iterable[Rule]) -> None:
        """Drop what counts as approved only because it was there when the region was adopted.

        Args:
            rule_ids: drop those that were adopted with these ids. An id that such a rule was given later proves
                nothing: whoever makes an approved rule anew does not take the approval away.
            rules: drop those in these places, if they are named without an id or their own one has been lost.
        """
        adopted = {one.ids[0]: index for index, one in enumerate(self._entries) if one.ids}
        indexes = {adopted.get(rule_id or "", -1) for rule_id in rule_ids}
        held = [(rule, index) for rule in rules if (index := self._held(rule)) >= 0]
        indexes |= {index for rule, index in held if rule.rule_id is None or not self._entries[index].ids}
        self.forget(index for index in indexes if index >= 0 and self._entries[index].is_adopted)

    def result(self) -> Approvals:
        """Return what is approved now; the oldest removed rules are forgotten where there are too many."""
        placed = placed_rules(self._entries)
        places = {rule.identity for rule in placed.values()}
        gone = sorted(
            (one.last_change, index)
            for index, one in enumerate(self._entries)
            if index not in placed and not (one.texts.versions and not one.ids and one.place in places)
        )
        dropped = gone[:-REMOVED_KEPT] if len(gone) > REMOVED_KEPT else []
        for at, _ in dropped:
            self._forgotten_until = max(self._forgotten_until, at[0])
        self.forget(index for _, index in dropped)
        entries = sorted(self._entries, key=lambda one: (one.ids, one.place, one.last_change))
        return Approvals(entries=tuple(entries), forgotten_until=self._forgotten_until)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _given(self, known: Approval, rule: Rule, at: Moment, by_id: str = "") -> Approval:
        now = self._live_of(known)
        direction = known.direction or rule.direction
        live = _values(now, direction) if now is not None else None
        values = known.values.put(at, _values(rule, direction), live, by_id=by_id)
        texts = known.texts.put(at, rule.description, now.description if now is not None else None, by_id=by_id)
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

    def _append(self, entry: Approval) -> int:
        self._entries.append(entry)
        index = len(self._entries) - 1
        self._by_id |= dict.fromkeys(entry.ids, index)
        if not entry.ids:
            self._by_place[entry.place] = index
        return index

    def _find_ids_and_places(self) -> None:
        self._by_id = {rule_id: index for index, one in enumerate(self._entries) for rule_id in one.ids}
        self._by_place = {one.place: index for index, one in enumerate(self._entries) if not one.ids}

    def _of_id_or_place(self, rule_id: str | None, rule: Rule | None) -> int:
        """Return the entry of an id, or of a place; a new one where the call that created it is still on its way."""
        index = self._by_id.get(rule_id, -1) if rule_id else -1
        if rule is not None and not rule_id:
            rule = self._places.like(rule) or rule
            index = self._without_id(rule)
        if index >= 0:
            return index
        values: Register[Rule] = Register()
        if rule is not None:
            values = Register((Version(at=NEVER, value=_values(rule, rule.direction)),))
        direction = rule.direction if rule is not None else None
        blank = Approval(ids=_only(rule_id), rule_id=rule_id, direction=direction, values=values, texts=Register())
        return self._append(blank)

    def _is_forgotten(self, index: int, at: Moment) -> bool:
        """True for the creation of a rule that nobody has heard of, when its removal may have been forgotten."""
        is_known = index >= 0 and self._entries[index].is_known
        return not is_known and self._forgotten_until > LONG_AGO and at[0] <= self._forgotten_until

    def _mark_removed(self, index: int, at: Moment, rule_id: str | None = None, place: str = "") -> None:
        known = self._entries[index]
        if known.removed is None or at > known.removed:
            by_id = _unless_first(known, rule_id)
            self._entries[index] = replace(known, removed=at, removed_by_id=by_id, removed_place=place)

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

    def _separate(self, rule: Rule, rule_id: str, index: int) -> int:
        """Take an id, and what was done by it, from the rule in whose place it was seen: it is another rule's.

        An approval speaks of a place. It is the other rule's if that was made there, not if somebody edited it there.

        Returns:
            The entry of that other rule, -1 where nothing has been done to it.
        """
        self._disown(rule_id, index)
        known = self._entries[index]
        is_made_there = any(one.value.identity == rule.identity and not one.by_id for one in known.values.versions)
        values, own_values = known.values.split(rule_id, with_applied=is_made_there)
        texts, own_texts = known.texts.split(rule_id, with_applied=is_made_there)
        is_removed_by_it = known.removed_by_id == rule_id
        moved = {one.at for register in (own_values, own_texts) for one in register.versions}
        own = Approval(
            ids=(rule_id,),
            rule_id=rule_id,
            direction=known.direction,
            values=own_values,
            texts=own_texts,
            removed=known.removed if is_removed_by_it else None,
            removed_place=known.removed_place if is_removed_by_it else "",
            limits=tuple(one for one in known.limits if one.at in moved),
        )
        if own.last_change == NEVER:
            return -1
        was_adopted = bool(values.versions) and all(one.at[1] == ADOPTED for one in values.versions)
        limits = tuple(one for one in known.limits if one.at not in moved)
        is_adopted = known.is_adopted or was_adopted
        rest = replace(known, values=values, texts=texts, limits=limits, is_adopted=is_adopted)
        kept = replace(rest, removed=None, removed_by_id="", removed_place="")
        self._entries[index] = kept if is_removed_by_it else rest
        return self._append(own)

    def _was_only_seen(self, rule: Rule, index: int, *, is_id_seen: bool) -> bool:
        """True when the id of a new rule was seen in the place of another approved rule.

        EC2 gives no id twice: whoever made the rule of that id made another rule. Where nobody has said the id, it may
        be that of a rule which was restored here.
        """
        known = self._entries[index]
        if not known.ids or known.ids[0] == rule.rule_id:
            return False
        return not is_id_seen or all(one.value.identity != rule.identity for one in known.values.versions)

    def _is_older(self, rule: Rule, index: int, at: Moment) -> bool:
        """True for the id of a rule that was there before another one was created."""
        known = self._entries[index]
        given = (one.at for register in (known.values, known.texts) for one in register.versions)
        return known.ids[:1] == (rule.rule_id,) and any(NEVER < one < at for one in given)

    def _live_of(self, entry: Approval) -> Rule | None:
        if not entry.ids:
            return self._live.with_identity(entry.place)
        found = (self._live.with_id(rule_id) for rule_id in (entry.rule_id, *reversed(entry.ids)))
        return next((rule for rule in found if rule is not None), None)

    def _held(self, rule: Rule) -> int:
        """Return the approved rule that was in the place of ``rule`` before this event, -1 where there was none."""
        found = self._places.like(rule)
        return -1 if found is None else self._index_of_place[found.identity]

    def _without_id(self, rule: Rule) -> int:
        """Return the entry that stands for the place of ``rule``, -1 where there is none."""
        index = self._by_place.get(rule.identity, -1)
        is_current = index >= 0 and not self._entries[index].ids and self._entries[index].place == rule.identity
        return index if is_current else -1


def placed_rules(entries: Iterable[Approval]) -> dict[int, Rule]:
    """Return the rules that are approved, by index: neither removed nor pushed out of their place by another one.

    EC2 never lets two rules have the same identity. So when a rule is allowed in a place, the one that was approved
    there had left it before, whether or not anybody has heard how.
    """
    some = list(entries)
    changed: dict[str, list[tuple[Moment, int]]] = {}
    texts: dict[str, Register[str]] = {}
    for index, one in enumerate(some):
        for place, at in _changes_of_places(one):
            changed.setdefault(place, []).append((at, index))
        if not one.ids and one.texts.versions:
            texts[one.place] = one.texts
    placed: dict[int, Rule] = {}
    for index, one in enumerate(some):
        newest = one.values.newest
        if newest is None or not one.is_known or one.direction is None:
            continue
        if one.removed is not None and one.removed >= newest.at:
            continue
        identity = newest.value.identity
        if any(at > newest.at and other != index for at, other in changed[identity]):
            continue
        named = texts.get(identity)
        text = (one.texts if named is None else one.texts.merged(named.since(newest.at))).newest
        placed[index] = replace(newest.value, rule_id=one.rule_id, description=text.value if text is not None else "")
    return placed


def _changes_of_places(one: Approval) -> Iterator[tuple[str, Moment]]:
    """Yield the places that a rule came to or left empty, and when: another one that was there had left by then."""
    for version in one.values.versions:
        # Of the same second it is not certain which came first, and every departure is heard of in the end.
        yield version.value.identity, (version.at[0], BEFORE_ALL)
    for before, after in pairwise(one.values.versions):
        # An approved edit speaks of the place it leaves: whatever was allowed there before has gone with it.
        if after.at[1] == APPLIED and before.value.identity != after.value.identity:
            yield before.value.identity, after.at
    if one.removed is not None:
        # After a removal its place is empty. Within one second a new rule may have come into it since, if ids tell
        # the two apart; but not before an approved removal, which names values.
        is_by_values = not one.ids or one.removed[1] == APPLIED
        yield one.removed_place or one.place, one.removed if is_by_values else (one.removed[0], BEFORE_ALL)


def compacted(approvals: Approvals) -> Approvals:
    """Return what is approved now with as little as possible of what was before, for a group whose item is too large.

    What is left out counts as forgotten: older additions of unknown rules do not count any more.
    """
    placed = approvals.placed
    entries, forgotten_until = [], approvals.forgotten_until
    for index, one in enumerate(approvals.entries):
        newest = one.values.newest
        if index not in placed or newest is None:
            forgotten_until = max(forgotten_until, one.last_change[0])
            continue
        text = Version(at=one.last_change, value=placed[index].description)
        ids = tuple(dict.fromkeys([*one.ids[:1], *one.ids[-1:]]))
        entries.append(replace(one, ids=ids, values=one.values.since(newest.at), texts=Register((text,))))
    return Approvals(entries=tuple(entries), forgotten_until=forgotten_until)


def _values(rule: Rule, direction: Direction) -> Rule:
    return replace(rule, direction=direction, description="", tags=(), rule_id=None)


def _in_direction(values: Register[Rule], direction: Direction) -> Register[Rule]:
    """Return the values in the direction that has become known: the event of an edit does not say."""
    if all(one.value.direction == direction for one in values.versions):
        return values
    return Register(tuple(replace(one, value=replace(one.value, direction=direction)) for one in values.versions))


def _unless_first(known: Approval, rule_id: str | None) -> str:
    return rule_id if rule_id and known.ids[:1] != (rule_id,) else ""


def _only(rule_id: str | None) -> tuple[str, ...]:
    return (rule_id,) if rule_id else ()
