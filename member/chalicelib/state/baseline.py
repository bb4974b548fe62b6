"""The baseline: the approved rules of one security group, how calls and approvals change it, and what differs from it.

Only what policy allows moves a baseline: approved changes, allowed calls, and the adoption of a region. Nothing is
accepted because a snapshot or an event showed it. Pure.

What does not belong here: how order and repetition of events are met (``state.approvals``), storage (``state.table``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.change import Change, Modification, by_identity, make_change
from shared.domain.rule import DIRECTIONS, Direction, Rule, Tags, cidr, group, make_rule

from ..cloudtrail.call import Call
from ..rule_set import RuleSet
from .approvals import Approvals, Editor, placed_rules
from .doubt import Doubt
from .register import ADOPTED, APPLIED, CREATED, EDITED, LONG_AGO, REMOVED, moment
from .timed import Timed

EVENT_TIME_STEP: Final = timedelta(seconds=1)
"""CloudTrail writes whole seconds, so a call was made at its event's time or up to a second later."""

DEFAULT_GROUP: Final = "default"
"""The name that every VPC's default group has, and that no other group can have.
https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html"""


_NEVER_SEEN: Final = "given-by-aws"
"""Stands for the id of a rule that AWS gave a group, and that had gone before this account saw it."""

REVERTED_BY_COMPARISON: Final = "reverted: "
"""Begins the key of a difference that is no more: a rule, by its id, that was reverted for a call of which CloudTrail
left out even the group. If an allowed call turns out to have made that rule, it is restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference between baseline and live group that no event has explained so far.

    Attributes:
        key: identifies it, see :func:`differences`.
        since: when a snapshot first saw it, UTC.
        request_id: the request that stands for it; empty while none has been published.
    """

    key: str
    since: datetime
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The approved rules of one group. Build it with :func:`adopt` or :func:`start`.

    Attributes:
        region: e.g. ``eu-west-1``.
        group_id: ``sg-…``.
        group_name: the group's name; names cannot be changed in EC2.
        approvals: what was allowed and approved.
        adopted: when each direction was adopted; :data:`LONG_AGO` for a group that came later.
        tags: pairs of a rule's identity and its tags, as the last snapshot saw them; a restored rule gets them again.
        differences: what the last snapshot saw, by key.
        doubt: what may have been opened by calls that nobody can read, while it is not known what is approved.
        timed: the approvals that hold for a time, in the order in which they began.
        version: counts writes; the store refuses a write that is based on an older one.
        rules: the approved rules, sorted by identity; worked out from the rest.
    """

    region: str
    group_id: str
    group_name: str = ""
    approvals: Approvals = field(default_factory=Approvals)
    adopted: tuple[tuple[Direction, datetime], ...] = ()
    tags: tuple[tuple[str, Tags], ...] = ()
    differences: tuple[Difference, ...] = ()
    doubt: Doubt = field(default_factory=Doubt)
    timed: tuple[Timed, ...] = ()
    version: int = 0
    rules: RuleSet = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        tags, known = dict(self.tags), dict(self.adopted)
        rules = {
            rule.identity: replace(rule, tags=tags[rule.identity]) if rule.identity in tags else rule
            for rule in self.approvals.placed.values()
            if rule.direction in known
        }
        object.__setattr__(self, "rules", RuleSet(rules[identity] for identity in sorted(rules)))

    def knows(self, direction: Direction) -> bool:
        """True when it is known which rules of this direction are approved."""
        return direction in dict(self.adopted)

    def by_id(self, rule_id: str | None) -> Rule | None:
        """Return the approved rule that has or had this id, as it is approved now."""
        for one in self.approvals.entries if rule_id else ():
            if rule_id in one.ids:
                found = next(iter(placed_rules([one]).values()), None)
                return None if found is None else self.rules.with_identity(found.identity)
        return None

    def by_ids(self, rule_ids: Iterable[str | None]) -> list[Rule]:
        """Return the approved rules that have or had these ids."""
        wanted = {rule_id for rule_id in rule_ids if rule_id}
        entries = [one for one in self.approvals.entries if wanted.intersection(one.ids)]
        found = (self.rules.with_identity(rule.identity) for rule in placed_rules(entries).values())
        return [rule for rule in found if rule is not None]

    def like(self, rule: Rule) -> Rule | None:
        """Return the approved rule in the place of ``rule``; see :meth:`RuleSet.like`."""
        return self.rules.like(rule)

    def knows_since(self, direction: Direction, event_time: datetime) -> bool:
        """True when it was known which rules of this direction are approved, at the time of a call."""
        return self.knows(direction) and not self.is_adopted_after(direction, event_time)

    def has_heard_of(self, rule_id: str | None) -> bool:
        """True for the id of a rule that is or was approved, or whose addition was not."""
        return bool(rule_id) and any(rule_id in one.ids for one in self.approvals.entries)

    def has_heard_of_removed(self, rule: Rule, event_time: datetime) -> bool:
        """True for a removed rule heard of by its id, or of whose place an unapproved addition before was heard."""
        at = moment(event_time, REMOVED)
        return self.has_heard_of(rule.rule_id) or any(
            not one.ids
            and one.removed is not None
            and one.removed <= at
            and RuleSet(version.value for version in one.values.versions[-1:]).like(rule) is not None
            for one in self.approvals.entries
        )

    def is_adopted_after(self, direction: Direction, event_time: datetime, *, surely: bool = False) -> bool:
        """True when a call may have been made before the direction was adopted.

        Args:
            direction: of the rules.
            event_time: of the call, in whole seconds.
            surely: the call must have been made before, not only in the same second.
        """
        latest = event_time + EVENT_TIME_STEP if surely else event_time + timedelta(microseconds=1)
        return latest <= dict(self.adopted).get(direction, LONG_AGO)


# -- how a baseline begins ---------------------------------------------------------------------------------------------


def adopt(baseline: Baseline, direction: Direction, rules: Iterable[Rule], at: datetime) -> Baseline:
    """Return the baseline with the rules of one direction accepted as they are.

    Args:
        baseline: the group's; an empty one at first.
        direction: one that it does not know yet.
        rules: the live rules.
        at: when they were read.
    """
    editor = Editor(baseline.approvals, RuleSet(rules))
    for rule in rules:
        if rule.direction == direction:
            editor.add(rule, moment(at, ADOPTED), is_adopted=True)
    adopted = {**dict(baseline.adopted), direction: at}
    return replace(baseline, approvals=editor.result(), adopted=tuple(sorted(adopted.items())))


def start(
    *,
    region: str,
    group_id: str,
    group_name: str,
    owner: str,
    directions: Iterable[Direction],
    live: RuleSet,
    touched: str = "",
) -> Baseline:
    """Return the baseline of a group that came after its region was adopted: the rules that AWS itself gives it.

    Args:
        region: e.g. ``eu-west-1``.
        group_id: ``sg-…``.
        group_name: its name; a VPC's default group has a rule for its own members.
        owner: 12-digit account of the group.
        directions: the adopted directions.
        live: its rules now; they say whether its VPC has IPv6, and with it a rule for all outbound IPv6 traffic.
        touched: the id of the rule that the first call heard of edited or removed: the only one of those that AWS
            gives which is missing.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    known = [direction for direction in DIRECTIONS if direction in set(directions)]
    editor = Editor(Approvals(), live)
    created = (LONG_AGO + EVENT_TIME_STEP, CREATED)  # later than what may have been forgotten, which is nothing yet
    given = [rule for rule in _given_by_aws(group_id, group_name, owner, live) if rule.direction in known]
    missing = [rule for rule in given if live.like(rule) is None]
    for rule in given:
        now = live.like(rule)
        is_touched = bool(touched) and missing == [rule]
        named = replace(rule, rule_id=_NEVER_SEEN if is_touched else now.rule_id if now is not None else None)
        editor.add(named, created)
        if is_touched:  # until somebody turns out to have made the rule of that id
            editor.assume(touched, named)
    return Baseline(
        region=region,
        group_id=group_id,
        group_name=group_name,
        approvals=editor.result(),
        adopted=tuple((direction, LONG_AGO) for direction in sorted(known)),
    )


def _given_by_aws(group_id: str, group_name: str, owner: str, live: RuleSet) -> Iterator[Rule]:
    if group_name == DEFAULT_GROUP:
        yield make_rule(direction="ingress", protocol="-1", source=group(group_id, account=owner))
    yield make_rule(direction="egress", protocol="-1", source=cidr("0.0.0.0/0"))
    ipv6 = make_rule(direction="egress", protocol="-1", source=cidr("::/0"))
    if live.like(ipv6) is not None:
        yield ipv6


def narrowed(baseline: Baseline, directions: Iterable[Direction]) -> Baseline:
    """Return the baseline without directions that are no longer guarded: what happens there now, nobody follows."""
    wanted = frozenset(directions)
    if all(direction in wanted for direction, _ in baseline.adopted):
        return baseline
    entries = tuple(one for one in baseline.approvals.entries if one.direction is None or one.direction in wanted)
    adopted = tuple((direction, at) for direction, at in baseline.adopted if direction in wanted)
    return replace(baseline, approvals=replace(baseline.approvals, entries=entries), adopted=adopted)


# -- what changes it ---------------------------------------------------------------------------------------------------


def accept_call(baseline: Baseline, call: Call, live: RuleSet) -> Baseline:
    """Return the baseline after an allowed call, whenever that was made and however often it is heard.

    Only what the event says the call did becomes part of the baseline, never what the live group shows: somebody
    else's unapproved change may be there too. What CloudTrail left out of the event is asked about as a difference.

    Args:
        baseline: the group's baseline.
        call: the allowed call with its rules.
        live: the rules of the group now; ids and owners of referenced groups are taken from it.
    """
    editor = Editor(baseline.approvals, live)
    created, edited, removed = (moment(call.event_time, rank) for rank in (CREATED, EDITED, REMOVED))
    if call.kind == "add":
        made = call.resulting if call.resulting is not None else call.requested
        for rule in made:
            known = with_owner(rule, call.account, live, baseline.rules)
            now = live.like(known)
            rule_id = known.rule_id or (now.rule_id if now is not None else None)
            # Without an id nobody can tell whether a rule that is not there has been edited or removed since: it is
            # not accepted, so that no exempt event opens what its own caller has closed.
            if rule_id and not is_by_name(known) and not _had_gone(baseline, known, call):
                editor.add(replace(known, rule_id=rule_id), created, is_id_seen=not known.rule_id)
    elif call.kind == "remove":
        for rule in call.resulting if call.resulting is not None else call.requested:
            known = with_owner(rule, call.account, live, baseline.rules)
            editor.remove(known.rule_id, known, removed)
        for rule_id in call.rule_ids if call.resulting is None else ():
            editor.remove(rule_id, None, removed)
    else:
        _accept_edits(editor, baseline, call, live, edited)
    made = call.resulting or () if call.kind == "add" else ()
    tags = {**dict(baseline.tags), **{rule.identity: own_tags(rule.tags) for rule in made}}
    kept = tuple(sorted((identity, some) for identity, some in tags.items() if some))
    return replace(baseline, approvals=editor.result(), tags=kept)


def has_accepted(baseline: Baseline, rule: Rule, call: Call) -> bool:
    """True for a rule that an allowed call created and that was accepted, whatever has become of it since."""
    at = moment(call.event_time, CREATED)
    versions = (one for entry in baseline.approvals.entries for one in entry.values.versions)
    return any(one.at == at and one.value.identity == rule.identity for one in versions)


def _had_gone(baseline: Baseline, rule: Rule, call: Call) -> bool:
    """True for a rule made before its region was adopted and not there then: it had been removed before."""
    if not baseline.is_adopted_after(rule.direction, call.event_time, surely=True):
        return False
    return not baseline.has_heard_of(rule.rule_id)


def _accept_edits(editor: Editor, baseline: Baseline, call: Call, live: RuleSet, at: tuple[datetime, int]) -> None:
    for edit in call.edits:
        if edit.after is None:
            editor.describe(edit.rule_id, None, edit.description, at)
            continue
        now = live.with_id(edit.rule_id)
        reference = now or baseline.by_id(edit.rule_id)
        after = edit.after if reference is None else completed(edit.after, reference, now)
        editor.edit(edit.rule_id, after, None if reference is None else reference.direction, at)
    for wanted in call.requested:
        editor.describe(None, with_owner(wanted, call.account, live, baseline.rules), wanted.description, at)


def accept_change(baseline: Baseline, change: Change, live: RuleSet, at: datetime) -> Baseline:
    """Return the baseline after a change was approved and applied, or accepted as a whole.

    Args:
        baseline: the group's baseline.
        change: what was applied.
        live: the rules now; ids are taken from it.
        at: now, UTC.
    """
    editor = Editor(baseline.approvals, live)
    applied = moment(at, APPLIED)
    for rule in change.removed:
        editor.remove_approved(rule, applied)
    for edit in change.modified:
        editor.replace(edit.before, _as_kept(edit.after, live), applied)
    for rule in change.added:
        editor.add(_as_kept(rule, live), applied)
    return replace(baseline, approvals=editor.result())


def _as_kept(rule: Rule, live: RuleSet) -> Rule:
    """Return the rule with its id; a description that the group did not keep is empty."""
    now = live.like(rule)
    kept = rule.description if now is None or now.description else ""
    return replace(rule, rule_id=now.rule_id if now is not None else None, description=kept)


def without_unapproved(baseline: Baseline, call: Call, live: RuleSet) -> Baseline:
    """Return the baseline without what a call that is not allowed had brought into it when its region was adopted.

    What it added or edited leaves the baseline, whenever it was made; what it removed counts as approved, so that its
    removal is reverted and asked about, unless its own addition has been heard of, or may be one that nobody can read.
    """
    editor = Editor(baseline.approvals, live)
    doubt = _doubt_after(baseline, call)
    editor.drop_adopted((), baseline.doubt.restored_since(call.event_time) if may_hide_rules(call) else ())
    if call.kind == "add":
        made = call.resulting if call.resulting is not None else call.requested
        # What was made later was not adopted: its id may be in the place of an approved rule that it replaced.
        made_by = call.event_time - EVENT_TIME_STEP
        old = [one for one in made if baseline.is_adopted_after(one.direction, made_by)]
        editor.drop_adopted([one.rule_id for one in old], old)
        for rule in made:
            if not baseline.knows_since(rule.direction, call.event_time):
                editor.reject(with_owner(rule, call.account, live, baseline.rules), call.event_time)
    elif call.kind == "modify":
        adopted = [edit for edit in call.edits if _was_adopted_as(baseline, edit.rule_id, edit.after, call)]
        editor.drop_adopted([edit.rule_id for edit in adopted], ())
        for edit in call.edits:
            if edit.after is not None and _is_surely_older(baseline, edit.after.direction, call):
                editor.reject(replace(edit.after, rule_id=edit.rule_id), call.event_time)
    elif call.kind == "remove":
        for rule in call.resulting or ():
            gone = with_owner(rule, call.account, live, baseline.rules)
            if was_missed(baseline, gone, call) and not doubt.covers(call.event_time):
                editor.add(gone, moment(dict(baseline.adopted)[gone.direction], ADOPTED), is_adopted=True)
    changed = replace(baseline, approvals=editor.result(), doubt=doubt)
    return baseline if changed == baseline else changed


def _doubt_after(baseline: Baseline, call: Call) -> Doubt:
    if not may_hide_rules(call):
        return baseline.doubt
    doubt = baseline.doubt.without_restored(call.event_time)
    touched = DIRECTIONS if call.direction is None else (call.direction,)
    is_known = all(baseline.knows_since(direction, call.event_time) for direction in touched)
    return doubt if is_known else doubt.with_unread(call.event_time)


def may_hide_rules(call: Call) -> bool:
    """True for a call that may have added or edited rules which its event does not name."""
    return call.omitted and call.kind in ("add", "modify")


def with_unread(baseline: Baseline, since: datetime | None) -> Baseline:
    """Return the baseline with a call of which not even the group is known, where that may matter to it."""
    is_older = since is not None and not all(baseline.knows_since(one, since) for one in dict(baseline.adopted))
    return replace(baseline, doubt=baseline.doubt.with_unread(since)) if is_older or not baseline.adopted else baseline


def _is_surely_older(baseline: Baseline, direction: Direction, call: Call) -> bool:
    return not baseline.knows(direction) or baseline.is_adopted_after(direction, call.event_time, surely=True)


def _was_adopted_as(baseline: Baseline, rule_id: str, after: Rule | None, call: Call) -> bool:
    approved = baseline.by_id(rule_id)
    if approved is None or after is None or not baseline.is_adopted_after(approved.direction, call.event_time):
        return False
    return completed(after, approved, None).identity == approved.identity


def was_missed(baseline: Baseline, rule: Rule, call: Call) -> bool:
    """True for a rule that was removed before its direction was adopted, and of which nothing else has been heard."""
    is_older = baseline.knows(rule.direction) and baseline.is_adopted_after(rule.direction, call.event_time)
    return is_older and not baseline.has_heard_of_removed(rule, call.event_time) and baseline.like(rule) is None


def with_ids_seen(baseline: Baseline, live: RuleSet) -> Baseline:
    """Return the baseline with the rule ids that its rules have in the live group now."""
    editor = Editor(baseline.approvals, live)
    editor.see(live)
    seen = editor.result()
    return baseline if seen == baseline.approvals else replace(baseline, approvals=seen)


def with_tags_seen(baseline: Baseline, live: RuleSet) -> Baseline:
    """Return the baseline with the tags that its rules have in the live group: they may change without asking.

    AWS's own tags are left out: nobody but AWS can set them.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
    """
    before = dict(baseline.tags)
    tags = {}
    for rule in baseline.rules:
        now = live.like(rule)
        tags[rule.identity] = before.get(rule.identity, ()) if now is None else own_tags(now.tags)
    return replace(baseline, tags=tuple((identity, some) for identity, some in sorted(tags.items()) if some))


def own_tags(tags: Tags) -> Tags:
    """Return the tags that people can set."""
    return tuple((key, value) for key, value in tags if not key.lower().startswith("aws:"))


# -- rules that events name --------------------------------------------------------------------------------------------


def is_by_name(rule: Rule) -> bool:
    """True for a rule whose referenced group is known by its name alone."""
    return rule.source.kind == "group" and not rule.source.value.startswith("sg-")


def with_owner(rule: Rule, account: str, live: RuleSet, approved: RuleSet | None = None) -> Rule:
    """Return the rule with the owner of its referenced group: as EC2 says it, or the baseline, else ``account``."""
    if rule.source.kind != "group":
        return rule
    found = live.like(rule) or (approved.like(rule) if approved is not None else None)
    if found is not None:
        return replace(rule, source=found.source)
    return rule if rule.source.account else replace(rule, source=replace(rule.source, account=account))


def completed(after: Rule, reference: Rule, now: Rule | None) -> Rule:
    """Return the new values with what an edit does not carry: direction, tags, owner of a referenced group, id."""
    same_group = (
        one.source
        for one in (now, reference)
        if one is not None and one.source.kind == "group" and one.source.value == after.source.value
    )
    source = next(same_group, after.source)
    return replace(after, direction=reference.direction, tags=reference.tags, rule_id=reference.rule_id, source=source)


# -- what differs from it ----------------------------------------------------------------------------------------------


def shortfall(approved: Iterable[Rule], live: RuleSet) -> Change:
    """Return what is missing of these approved rules in the live group, and what is described otherwise there."""
    missing, described = [], []
    for rule in by_identity(approved).values():
        now = live.like(rule)
        if now is None:
            missing.append(rule)
        elif now.description != rule.description:
            described.append(Modification(before=now, after=rule))
    return make_change(added=missing, modified=described)


def differences(change: Change) -> dict[str, Change]:
    """Return each part of a difference by a key that identifies it, whatever else differs."""
    parts = {f"+ {_text(rule)}": make_change(added=[rule]) for rule in change.added}
    parts |= {f"- {rule.identity}": make_change(removed=[rule]) for rule in change.removed}
    for edit in change.modified:
        parts[f"{edit.before.identity} > {_text(edit.after)}"] = make_change(modified=[edit])
    return parts


def _text(rule: Rule) -> str:
    return f"{rule.identity} {hashlib.sha256(rule.description.encode()).hexdigest()[:16]}"


def joined(parts: Iterable[Change]) -> Change:
    """Return one change of several parts."""
    some = tuple(parts)
    return make_change(
        added=(rule for one in some for rule in one.added),
        removed=(rule for one in some for rule in one.removed),
        modified=(edit for one in some for edit in one.modified),
    )
