"""What was allowed and approved in a group, in the order in which it was done, and the rules that result.

Events arrive late and in any order, each perhaps twice. Laying each onto whatever the baseline happens to be would end
in another state for every order. So the baseline keeps what was done lately as entries with their times, and its rules
are worked out anew from them whenever one more is heard: the same entries give the same rules in whatever order they
came. Within one second, which CloudTrail does not tell apart, the order is found by what EC2 would have refused and by
what the group looked like when they were heard.

An edit names a rule by its id alone, and an id may stand for different approved rules in the course of time: somebody
edits one rule into the place of another, a restored rule has a new id. So an id is read as of the time of the call that
names it.

What does not belong here: what a recorded call did (``member.chalicelib.state.allowed``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from shared.domain.rule import Rule

from ..assessment.rule_index import RuleIndex, index_of

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_ENTRIES_KEPT: Final = 200
_DEEDS_KEPT: Final = 400
_IDS_KEPT: Final = 400
_CALLS_KEPT: Final = 400
_COURSES_KEPT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new rule, with its id where that is known."""

    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The rule of an id has new values.

    Attributes:
        rule: the new values, with the id.
        is_of_known: not even the rule's direction is known, so this counts only where the id is an approved rule's.
    """

    rule: Rule
    is_of_known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A rule, named by its id or else by its values, has a new description."""

    description: str
    rule_id: str | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An approved rule was changed into another one."""

    before: Rule
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A rule is gone, named by its id where the call did so, by its values where they are known."""

    rule_id: str | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An approved rule, known by its values, has this id now."""

    rule: Rule
    rule_id: str


Deed = Made | Edited | Described | Moved | Removed | Seen
"""What was done to one rule, or seen of it."""


def id_of(deed: Deed) -> str | None:
    """Return the rule id that a deed names."""
    return deed.rule.rule_id if isinstance(deed, Made | Edited | Moved) else deed.rule_id


def rules_of(deed: Deed) -> tuple[Rule, ...]:
    """Return the rules that a deed names by their values."""
    rules = (deed.before, deed.rule) if isinstance(deed, Moved) else (deed.rule,)
    return tuple(rule for rule in rules if rule is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one allowed call, one approval or one look at the group did.

    Attributes:
        moment: when, UTC; of a call in whole seconds, as CloudTrail writes it.
        deeds: what was done to which rules.
        call: the call's request id, by which a second delivery is known; else empty.
    """

    moment: datetime
    deeds: tuple[Deed, ...]
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is remembered.

    Attributes:
        origin: the approved rules before the first entry.
        former_ids: pairs of an id that a rule of the origin had before, and its identity; the oldest first. Of an id
            that several had, the last one.
        entries: what was done since, by time.
        settled_until: the time of the newest entry that has become part of the origin, and is an entry no more.
        settled_calls: the newest calls among those, by request id, so that they are known when they are heard again.
    """

    origin: tuple[Rule, ...] = ()
    former_ids: tuple[tuple[str, str], ...] = ()
    entries: tuple[Entry, ...] = ()
    settled_until: datetime | None = None
    settled_calls: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class _Line:
    """One approved rule in the course of time."""

    rule: Rule
    left: datetime | None = None
    """When it was removed, or lost its place to another rule."""
    ids: list[str] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        return self.left is None


class Course:
    """A history played from its origin to its end."""

    __slots__ = ("_holders", "_lines", "_owners")

    def __init__(self, history: History) -> None:
        """Play a history.

        What was done in one second may have been done in any order. EC2 refuses what does not fit (a rule like another,
        an edit of a rule that is not there), so the first entry that fits comes first.
        """
        self._lines: list[_Line] = []
        self._holders: dict[str, _Line] = {}
        """The lines that are there, by identity."""
        self._owners: dict[str, list[tuple[datetime, _Line]]] = {}
        """Which line an id stood for, and since when."""
        for rule in history.origin:
            self._make(rule, _LONG_AGO)
        for rule_id, identity in history.former_ids:
            line = self._holders.get(identity)
            if line is not None and rule_id not in self._owners:
                line.ids.insert(len(line.ids) - (line.rule.rule_id is not None), rule_id)
                self._owners[rule_id] = [(_LONG_AGO, line)]
        for _, entries in groupby(history.entries, lambda entry: _second(entry.moment)):
            waiting = list(entries)
            while waiting:
                entry = self._next(waiting)
                waiting.remove(entry)
                lines = [self._named(deed) for deed in entry.deeds]  # before any of them takes another's place
                for deed, line in zip(entry.deeds, lines, strict=True):
                    self._do(deed, line, entry.moment)

    # -- what results --------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The approved rules at the end, sorted by identity."""
        return tuple(line.rule for _, line in sorted(self._holders.items()))

    @property
    def former_ids(self) -> tuple[tuple[str, str], ...]:
        """Pairs of an id that a rule had before, and its identity, as in :class:`History`."""
        last = [(*owners[-1], rule_id) for rule_id, owners in self._owners.items()]
        pairs = [
            (rule_id, line.rule.identity)
            for _, line, rule_id in sorted(last, key=lambda one: one[0])
            if line.is_there and line.rule.rule_id != rule_id
        ]
        return tuple(pairs[-_IDS_KEPT:])

    def by_id(self, rule_id: str, at: datetime | None = None) -> Rule | None:
        """Return the rule that an id stood for at a time (``None``: last), as it is at the end; ``None`` when gone."""
        line = self._owner(rule_id, at)
        return line.rule if line is not None and line.is_there else None

    def first_id(self, rule: Rule) -> str | None:
        """Return the first id that is known of a rule."""
        line = self._holders.get(rule.identity)
        return line.ids[0] if line is not None and line.ids else rule.rule_id

    # -- what fits -----------------------------------------------------------------------------------------------------

    def _next(self, waiting: list[Entry]) -> Entry:
        """Return what came next of what was done in one second."""
        calls = [one for one in waiting if one.call]
        fitting = (one for one in calls if self._fits(one))
        # Approved rules that others removed are in nobody's way, so that a call that does not fit may be right too; but
        # not before this account made or saw the rule that it names.
        known = (one for one in calls if all(isinstance(deed, Made) or self._named(deed) for deed in one.deeds))
        return next(fitting, None) or next(known, None) or next((one for one in waiting if not one.call), waiting[0])

    def _fits(self, entry: Entry) -> bool:
        lines = [self._named(deed) for deed in entry.deeds]
        for deed, line in zip(entry.deeds, lines, strict=True):
            if not isinstance(deed, Made) and (line is None or not line.is_there):
                return False
            taken = self._like(deed.rule) if isinstance(deed, Made | Edited | Moved) else None
            if taken is not None and taken not in lines:
                return False
        return True

    def _named(self, deed: Deed) -> _Line | None:
        """Return the line that a deed is about."""
        match deed:
            case Made():
                return None
            case Edited():
                return self._owner(deed.rule.rule_id)
            case Moved():
                return self._like(deed.before)
            case Seen():
                return self._like(deed.rule)
            case _:
                return self._owner(deed.rule_id) if deed.rule_id else self._like(deed.rule)

    # -- what is done --------------------------------------------------------------------------------------------------

    def _do(self, deed: Deed, line: _Line | None, moment: datetime) -> None:
        match deed:
            case Made():
                self._make(deed.rule, moment)
            case Edited():
                self._edit(deed, line, moment)
            case Moved():
                self._set(line or self._like(deed.rule) or self._new(deed.rule), deed.rule, moment)
            case Removed():
                self._remove(deed, line, moment)
            case Described() if line is not None and line.is_there:
                self._set(line, replace(line.rule, description=deed.description), moment)
            case Seen() if line is not None:
                self._own(deed.rule_id, line, moment)

    def _edit(self, deed: Edited, line: _Line | None, moment: datetime) -> None:
        if line is not None:
            self._set(line, replace(deed.rule, direction=line.rule.direction, tags=line.rule.tags), moment)
        elif not deed.is_of_known:
            self._make(deed.rule, moment)

    def _remove(self, deed: Removed, line: _Line | None, moment: datetime) -> None:
        if line is None or (line.left is not None and _second(line.left) < moment):
            # Another rule had taken its place, unheard of as yet, and was edited into this one.
            line = self._like(deed.rule)
        if line is not None:
            self._leave(line, moment)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def _make(self, rule: Rule, moment: datetime) -> None:
        self._set(self._new(rule), rule, moment)

    def _new(self, rule: Rule) -> _Line:
        line = _Line(rule)
        self._lines.append(line)
        return line

    def _set(self, line: _Line, rule: Rule, moment: datetime) -> None:
        self._leave(line, moment)
        other = self._holders.get(rule.identity)
        if other is not None:  # EC2 never lets two rules be alike, so that one had left its place
            self._leave(other, moment)
        line.rule, line.left = rule, None
        self._holders[rule.identity] = line
        self._own(rule.rule_id, line, moment)

    def _leave(self, line: _Line, moment: datetime) -> None:
        if self._holders.get(line.rule.identity) is line:
            del self._holders[line.rule.identity]
        line.left = moment

    def _own(self, rule_id: str | None, line: _Line, moment: datetime) -> None:
        if rule_id is None:
            return
        owners = self._owners.setdefault(rule_id, [])
        if owners and owners[-1][1] is not line:
            before = owners[-1][1]
            if before.rule.rule_id == rule_id:
                before.rule = replace(before.rule, rule_id=None)
        if not owners or owners[-1][1] is not line:
            owners.append((moment, line))
            line.ids.append(rule_id)
        line.rule = replace(line.rule, rule_id=rule_id)

    def _owner(self, rule_id: str | None, at: datetime | None = None) -> _Line | None:
        owners = self._owners.get(rule_id or "")
        if not owners:
            return None
        if at is None:
            return owners[-1][1]
        return next((line for since, line in reversed(owners) if since <= at), owners[0][1])

    def _like(self, rule: Rule | None) -> _Line | None:
        return self._holders.get(rule.identity) if rule is not None else None


def with_entry(history: History, entry: Entry, live: tuple[Rule, ...] = ()) -> History:
    """Return the history with one more entry; one that is a call heard before changes nothing.

    The oldest entries become part of the origin when there are too many.

    Args:
        history: what is remembered so far.
        entry: what was done.
        live: of a call, the rules of the group now: of the calls of one second, those that it still agrees with came
            after those that it does not.
    """
    if entry.call and (entry.call in history.settled_calls or any(one.call == entry.call for one in history.entries)):
        return history
    before = [one for one in history.entries if _order(one) <= _order(entry)]
    after = list(history.entries[len(before) :])
    if entry.call and not _agrees(entry, live):
        peers = (one for one in before if _order(one) == _order(entry) and _agrees(one, live))
        overtaken = next(peers, None)
        if overtaken is not None:
            position = before.index(overtaken)
            before, after = before[:position], [*before[position:], *after]
    entries = (*before, entry, *after)
    while len(entries) > _ENTRIES_KEPT or sum(len(one.deeds) for one in entries) > _DEEDS_KEPT:
        half = (len(entries) + 1) // 2
        while half < len(entries) and _second(entries[half].moment) == _second(entries[half - 1].moment):
            half += 1  # the order within a second is found among all that was done in it
        history, entries = settled(replace(history, entries=entries[:half])), entries[half:]
    return replace(history, entries=entries)


def settled(history: History) -> History:
    """Return the history with everything that was done made part of its origin."""
    course = course_of(history)
    moments = [moment for moment in (history.settled_until, *(one.moment for one in history.entries)) if moment]
    calls = (*history.settled_calls, *(one.call for one in history.entries if one.call))
    return History(
        origin=course.rules,
        former_ids=course.former_ids,
        settled_until=max(moments, default=None),
        settled_calls=calls[-_CALLS_KEPT:],
    )


def _order(entry: Entry) -> tuple[datetime, bool, datetime]:
    """Return what to sort by: the second, and in one second calls, then what this account saw or did itself.

    What it saw or did, it did after it had heard of something, seconds after calls.
    """
    second = _second(entry.moment)
    return second, not entry.call, second if entry.call else entry.moment


def _agrees(entry: Entry, live: tuple[Rule, ...]) -> bool:
    """True when the group is as a call left it."""
    index = index_of(live)
    return all(_is_so(deed, index) for deed in entry.deeds)


def _is_so(deed: Deed, live: RuleIndex) -> bool:
    rule_id = id_of(deed)
    now = live.with_id(rule_id) if rule_id or deed.rule is None else live.like(deed.rule)
    if isinstance(deed, Removed) or now is None:
        return isinstance(deed, Removed) and now is None
    return now.description == deed.description if isinstance(deed, Described) else now == deed.rule


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


_recent: list[tuple[History, Course]] = []


def course_of(history: History) -> Course:
    """Return the course of a history; that of the very same value is played once."""
    for known, course in _recent:
        if known is history:
            return course
    course = Course(history)
    _recent[:] = [(history, course), *_recent[: _COURSES_KEPT - 1]]
    return course
