"""The net change of a batch in one group, against what is approved there now. Pure.

What does not belong here: applying it (``apply_batch``), and what can be read in the group (``assessment.conflicts``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.domain.change import Change, ChangeConflictError, apply, by_identity, make_change
from shared.domain.composition import Composition, batch_digest
from shared.domain.rule import Rule

from ..rule_set import RuleSet
from ..state.baseline import shortfall


def is_as_shown(group_id: str, shown: Composition, now: Composition) -> bool:
    """Say whether calls come to the same over the rules approved now as over those that were shown."""
    digests = dict.fromkeys((*shown.request_ids, *now.request_ids), "")
    return batch_digest({group_id: _bare(shown)}, digests) == batch_digest({group_id: _bare(now)}, digests)


def is_accepted(composed: Composition, shown: Iterable[Rule], held: Iterable[Rule]) -> bool:
    """Say whether the rules approved now are those after the net change, at each identity it touches."""
    touched = {identity for identity, _ in composed.approved}
    try:
        after = apply(composed.change, shown)
    except ChangeConflictError:
        return False
    return _at(after, touched) == _at(held, touched)


def with_approved_tags(change: Change, approved: Iterable[Rule]) -> Change:
    """Return a net change with the tags and ids that its approved rules have now: calls do not say them."""
    held = RuleSet(approved)

    def known(rule: Rule) -> Rule:
        now = held.like(rule)
        return rule if now is None else replace(rule, tags=now.tags, rule_id=now.rule_id)

    return make_change(
        added=change.added,
        removed=map(known, change.removed),
        modified=(
            replace(edit, before=known(edit.before), after=replace(edit.after, tags=known(edit.before).tags))
            for edit in change.modified
        ),
    )


def on_touched_rules(composed: Composition, held: Iterable[Rule], live: RuleSet) -> Change:
    """Return what brings the rules that a net change touches to what is approved now."""
    touched = {identity for identity, _ in composed.approved}
    wanted = RuleSet(rule for rule in held if rule.identity in touched)
    rest = shortfall(wanted, live)
    opened = (rule for rule in live if rule.identity in touched and wanted.like(rule) is None)
    return make_change(added=rest.added, removed=opened, modified=rest.modified)


def _bare(composed: Composition) -> Composition:
    """Return a composition without tags of approved rules, which may have changed without anybody's approval."""
    change = composed.change
    return replace(
        composed,
        change=make_change(
            added=change.added,
            removed=(replace(rule, tags=()) for rule in change.removed),
            modified=(
                replace(edit, before=replace(edit.before, tags=()), after=replace(edit.after, tags=()))
                for edit in change.modified
            ),
        ),
    )


def _at(rules: Iterable[Rule], identities: set[str]) -> dict[str, str]:
    return {identity: rule.description for identity, rule in by_identity(rules).items() if identity in identities}
