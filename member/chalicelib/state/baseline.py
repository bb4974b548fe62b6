"""The baseline: the rules of one security group that are approved, and how it keeps up with the live group.

Rules are keyed by EC2's identity; the current rule id stands beside it, because a restored rule has a new one. Events
arrive unordered and late, so the baseline also remembers when it was learned, when a rule was last allowed or approved,
and what was done to its rules lately (``member.chalicelib.state.history``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.domain.change import Change, Modification, by_identity, make_change
from shared.domain.rule import Direction, Rule

from ..assessment.rule_index import index_of
from ..cloudtrail.call import Call
from .history import Entry, History, Seen, course_of, id_of, rules_of, settled, with_entry

_STAMPS_KEPT: Final = 400
"""Stamps remembered per group: events are late by minutes, not hundreds of changes."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

EVENT_TIME_STEP: Final = timedelta(seconds=1)
"""CloudTrail writes whole seconds, so a call was made at its event's time or up to a second later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A difference between baseline and live group that no event has explained so far.

    Attributes:
        digest: identifies the difference and what policy wants done about it.
        since: when a snapshot first saw it, UTC.
        filed: a request has been filed for it.
    """

    digest: str
    since: datetime
    filed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The approved rules of one group.

    Attributes:
        region: e.g. ``eu-west-1``.
        group_id: ``sg-…``.
        group_name: the group's name; names cannot be changed in EC2.
        rules: approved rules, sorted by identity, with their current rule ids.
        directions: directions that have been learned; rules of others are not known.
        learned: when each direction was learned. What was called before that may have been learned though nobody had
            approved it.
        stamps: when an allowed call or an approval last touched a rule, by rule id and by identity.
        history: what led to these rules.
        drift: a difference the last snapshot saw.
        version: counts writes; the store refuses a write that is based on an older one.
    """

    region: str
    group_id: str
    group_name: str = ""
    rules: tuple[Rule, ...] = ()
    directions: tuple[Direction, ...] = ()
    learned: tuple[tuple[Direction, datetime], ...] = ()
    stamps: tuple[tuple[str, datetime], ...] = ()
    history: History = field(default_factory=History)
    drift: Drift | None = None
    version: int = 0

    def knows(self, direction: Direction) -> bool:
        """True when the rules of this direction have been learned."""
        return direction in self.directions

    def by_id(self, rule_id: str | None, at: datetime | None = None) -> Rule | None:
        """Return the approved rule that an id stands for, or ``None``.

        Args:
            rule_id: ``sgr-…``.
            at: the time of the call that names it: by now the id may be another rule's. ``None``: now.
        """
        if not rule_id:
            return None
        found = course_of(self.history).by_id(rule_id, at)
        return index_of(self.rules).with_identity(found.identity) if found is not None else None

    def like(self, rule: Rule) -> Rule | None:
        """Return the approved rule with the identity of ``rule``; see :func:`find_like`."""
        return find_like(self.rules, rule)

    def guarded(self, directions: Iterable[Direction]) -> tuple[Rule, ...]:
        """Return the approved rules of these directions."""
        wanted = frozenset(directions)
        return tuple(rule for rule in self.rules if rule.direction in wanted)

    def first_id(self, rule: Rule) -> str | None:
        """Return the first id that is known of an approved rule."""
        return course_of(self.history).first_id(rule)

    def is_older_than_learned(self, direction: Direction, moment: datetime, *, surely: bool = False) -> bool:
        """True when a call whose event says ``moment`` may have been made before this direction was learned.

        Args:
            direction: of the rules.
            moment: the event's time, in whole seconds.
            surely: the call must have been made before, not only in the same second.
        """
        learned = dict(self.learned).get(direction)
        return learned is not None and (moment + EVENT_TIME_STEP <= learned if surely else moment < learned)

    def last_change(self, rule: Rule) -> datetime | None:
        """Return when an allowed call or an approval last touched a rule, by its id or its identity."""
        stamps = dict(self.stamps)
        found = [stamps[key] for key in (rule.rule_id, rule.identity) if key in stamps]
        return max(found, default=None)

    @property
    def forgotten_until(self) -> datetime:
        """The time up to which stamps have been forgotten: what has none may have been touched until then."""
        oldest = min((moment for _, moment in self.stamps), default=_LONG_AGO)
        return oldest if len(self.stamps) >= _STAMPS_KEPT else _LONG_AGO

    def is_same_as(self, other: Baseline) -> bool:
        """True when nothing differs, rule ids and tags included, which ``==`` of rules leaves out."""
        return self == other and [(one.rule_id, one.tags) for one in self.rules] == [
            (one.rule_id, one.tags) for one in other.rules
        ]


def find_like(rules: Iterable[Rule], wanted: Rule) -> Rule | None:
    """Return the rule with the identity of ``wanted``.

    The owner of a referenced group may be missing in ``wanted``, or be wrong: an event often leaves it out, and the
    group of a peered VPC belongs to somebody else. Ids of groups are unique among all accounts.
    """
    return index_of(rules).like(wanted)


def shortfall(approved: Iterable[Rule], live: Iterable[Rule]) -> Change:
    """Return what is missing of these approved rules in the live group, and what is described otherwise there."""
    present = tuple(live)
    missing, described = [], []
    for rule in by_identity(approved).values():
        now = find_like(present, rule)
        if now is None:
            missing.append(rule)
        elif now.description != rule.description:
            described.append(Modification(before=now, after=rule))
    return make_change(added=missing, modified=described)


def learn(
    *,
    region: str,
    group_id: str,
    group_name: str,
    rules: Iterable[Rule],
    directions: Iterable[Direction],
    at: datetime,
) -> Baseline:
    """Return the baseline of a group seen for the first time: its live rules of the given directions.

    Args:
        region: e.g. ``eu-west-1``.
        group_id: ``sg-…``.
        group_name: the group's name, empty when unknown.
        rules: the live rules.
        directions: the guarded directions.
        at: a time after the rules were read; of a new group, when it was made.
    """
    known = tuple(sorted(set(directions)))
    kept = [rule for rule in rules if rule.direction in known]
    return Baseline(
        region=region,
        group_id=group_id,
        group_name=group_name,
        rules=_sorted(kept),
        history=History(origin=_sorted(kept)),
        directions=known,
        learned=tuple((direction, at) for direction in known),
    )


def learn_direction(baseline: Baseline, direction: Direction, rules: Iterable[Rule], at: datetime) -> Baseline:
    """Return the baseline with one more direction learned; a direction already known is left as it is."""
    if baseline.knows(direction):
        return baseline
    fresh = [rule for rule in rules if rule.direction == direction]
    wider = replace(
        baseline,
        directions=tuple(sorted({*baseline.directions, direction})),
        learned=tuple(sorted({**dict(baseline.learned), direction: at}.items())),
    )
    history = settled(baseline.history)  # an edit of several rules may have touched one of a direction nobody guarded
    kept = [rule for rule in history.origin if rule.direction != direction]
    return _played(wider, replace(history, origin=_sorted([*kept, *fresh])))


def narrowed(baseline: Baseline, directions: Iterable[Direction]) -> Baseline:
    """Return the baseline without directions that are no longer guarded: what happens there now, nobody follows."""
    wanted = frozenset(directions)
    kept = tuple(direction for direction in baseline.directions if direction in wanted)
    if kept == baseline.directions:
        return baseline
    learned = tuple((direction, at) for direction, at in baseline.learned if direction in wanted)
    history = settled(baseline.history)
    rest = replace(history, origin=tuple(rule for rule in history.origin if rule.direction in wanted))
    return _played(replace(baseline, directions=kept, learned=learned), rest)


def without_in_flight(baseline: Baseline, call: Call) -> Baseline:
    """Return the baseline without what an Authorize call had slipped into it before its event arrived.

    A rule that was made before the baseline was learned, and that no allowed call or approval has touched since, stands
    in it only because it happened to be live. Of a call in the same second the rule's id tells: one that the baseline
    knew under another id before was not made by this call.
    """
    if call.kind != "add" or call.direction is None:
        return baseline
    if not baseline.is_older_than_learned(call.direction, call.event_time):
        return baseline
    made = call.resulting if call.resulting is not None else call.requested
    is_sure = baseline.is_older_than_learned(call.direction, call.event_time, surely=True)
    pairs = [(rule, baseline.by_id(rule.rule_id, call.event_time) or baseline.like(rule)) for rule in made]
    slipped_in = {
        held.identity
        for rule, held in pairs
        if held is not None
        and baseline.last_change(held) is None
        and (is_sure or rule.rule_id in (None, baseline.first_id(held)))
    }
    if not slipped_in:
        return baseline
    origin = tuple(rule for rule in baseline.history.origin if rule.identity not in slipped_in)
    return _played(baseline, replace(baseline.history, origin=origin))


def with_done(baseline: Baseline, entry: Entry, live: tuple[Rule, ...] = ()) -> Baseline:
    """Return the baseline after an allowed call or an approval, whenever that was; see ``history.with_entry``."""
    keys = [
        key
        for deed in entry.deeds
        for key in (id_of(deed), *(key for rule in rules_of(deed) for key in (rule.rule_id, rule.identity)))
    ]
    return _played(stamped(baseline, keys, entry.moment), with_entry(baseline.history, entry, live))


def stamped(baseline: Baseline, keys: Iterable[str | None], moment: datetime) -> Baseline:
    """Return the baseline with the time of an allowed change or approval noted.

    Args:
        baseline: the baseline.
        keys: rule ids and identities.
        moment: when the change was made.
    """
    stamps = dict(baseline.stamps)
    stamps.update({key: max(moment, stamps.get(key, moment)) for key in keys if key})
    newest = sorted(stamps.items(), key=lambda item: (item[1], item[0]))[-_STAMPS_KEPT:]
    return replace(baseline, stamps=tuple(newest))


def with_current_ids(baseline: Baseline, live: Iterable[Rule], at: datetime) -> Baseline:
    """Return the baseline with the rule ids that its rules have in the live group now.

    An id that belongs to another approved rule, which is missing just now, stays with that one: somebody edited it into
    this rule, and when it is edited back the id has to be known.

    Args:
        baseline: the baseline.
        live: the rules of the group.
        at: a moment after they were read, UTC.
    """
    now: Mapping[str, Rule] = by_identity(live)
    spoken_for = {rule.rule_id for rule in baseline.rules if rule.rule_id and rule.identity not in now}
    seen = tuple(
        Seen(rule=rule, rule_id=found.rule_id)
        for rule in baseline.rules
        if (found := now.get(rule.identity)) is not None
        and found.rule_id is not None
        and found.rule_id != rule.rule_id
        and found.rule_id not in spoken_for
    )
    return _played(baseline, with_entry(baseline.history, Entry(moment=at, deeds=seen))) if seen else baseline


def with_current_tags(baseline: Baseline, live: Iterable[Rule]) -> Baseline:
    """Return the baseline with the tags that its rules have in the live group: they may change without asking."""
    tags = {rule.rule_id: rule.tags for rule in live}
    return replace(
        baseline, rules=tuple(replace(rule, tags=tags.get(rule.rule_id, rule.tags)) for rule in baseline.rules)
    )


def _played(baseline: Baseline, history: History) -> Baseline:
    """Return the baseline with this history and the rules it leads to."""
    tags = {(rule.identity, rule.rule_id): rule.tags for rule in baseline.rules}
    rules = tuple(
        replace(rule, tags=tags.get((rule.identity, rule.rule_id), rule.tags))
        for rule in course_of(history).rules
        if rule.direction in baseline.directions
    )
    return replace(baseline, rules=rules, history=history)


def _sorted(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: rule.identity))
