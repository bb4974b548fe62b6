"""What a call that asks first would change, measured against the approved rules. Pure.

Nothing has happened, so there is nothing to undo. Where a rule id or a value names no rule, EC2 would have refused the
whole call, and nothing is asked.

What does not belong here: what a call did that was made (``assessment.assess``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from shared.domain.change import Change, Modification, by_identity, make_change
from shared.domain.rule import Rule

from ..cloudtrail.call import Call, RuleEdit
from ..rule_set import RuleSet
from ..state.baseline import Baseline, completed, is_by_name, with_owner

_UNREADABLE: Final = "CloudTrail left out parameters of the call, or they cannot be read"
_NO_EFFECT: Final = "it would change nothing"
_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call asks for.

    Attributes:
        change: what approval would apply; empty when nothing is asked.
        reason: why nothing is asked; else empty.
    """

    change: Change = field(default_factory=make_change)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """The rules of a group that a call is measured against.

    Those that are approved, where that is known. Of a direction that is not guarded, and before the region is adopted,
    the live ones: nobody else knows of them.
    """

    baseline: Baseline | None
    live: RuleSet

    def with_id(self, rule_id: str | None) -> Rule | None:
        """Return the rule that has this id; of an approved rule a former id will do."""
        approved = None if self.baseline is None else self.baseline.by_id(rule_id)
        return approved or self._of_live(self.live.with_id(rule_id))

    def like(self, rule: Rule) -> Rule | None:
        """Return the rule in the place of ``rule``; see :meth:`RuleSet.like`."""
        if self._knows(rule):
            return None if self.baseline is None else self.baseline.like(rule)
        return self.live.like(rule)

    def _of_live(self, rule: Rule | None) -> Rule | None:
        return None if rule is None or self._knows(rule) else rule

    def _knows(self, rule: Rule) -> bool:
        return self.baseline is not None and self.baseline.knows(rule.direction)


def assess_ask(call: Call, reference: Reference) -> Asked:
    """Measure a call that asks against the rules that hold now.

    Args:
        call: with its rules; names of groups replaced by ids where they could be found.
        reference: the rules of its group.
    """
    if call.omitted or call.unreadable:
        return Asked(reason=f"{_UNREADABLE}: {call.unreadable}" if call.unreadable else _UNREADABLE)
    wanted = (*call.requested, *(edit.after for edit in call.edits if edit.after is not None))
    nameless = [rule.source.value.removeprefix("name:") for rule in wanted if is_by_name(rule)]
    if nameless:
        return Asked(reason=f"no security group is named {_few(nameless)}")
    if call.kind == "add":
        return _found(_additions(call, reference))
    if call.kind == "remove":
        return _removals(call, reference)
    return _edits(call, reference)


def _additions(call: Call, reference: Reference) -> Change:
    wanted = [with_owner(rule, call.account, reference.live) for rule in call.requested]
    pairs = [(rule, reference.like(rule)) for rule in by_identity(wanted).values()]
    return make_change(
        added=(rule for rule, known in pairs if known is None),
        modified=(
            Modification(before=known, after=_described(known, rule.description))
            for rule, known in pairs
            if known is not None and known.description != rule.description
        ),
    )


def _removals(call: Call, reference: Reference) -> Asked:
    by_ids = {rule_id: reference.with_id(rule_id) for rule_id in call.rule_ids}
    unknown = [rule_id for rule_id, rule in by_ids.items() if rule is None or not _is_of(call, rule)]
    if unknown:
        return _unknown(unknown)
    named = [*by_ids.values(), *(reference.like(rule) for rule in call.requested)]
    return _found(make_change(removed=by_identity(rule for rule in named if rule is not None).values()))


def _edits(call: Call, reference: Reference) -> Asked:
    ids = [edit.rule_id for edit in call.edits]
    if len(set(ids)) < len(ids):
        return Asked(reason="it names a rule twice")
    pairs = [(edit, reference.with_id(edit.rule_id)) for edit in call.edits]
    unknown = [edit.rule_id for edit, before in pairs if before is None or not _is_of(call, before)]
    unknown += [rule.identity for rule in call.requested if reference.like(rule) is None]
    if unknown:
        return _unknown(unknown)
    edited = [(before, _after(edit, before, reference)) for edit, before in pairs if before is not None]
    edited += [(now, _described(now, rule.description)) for rule in call.requested if (now := reference.like(rule))]
    return _found(
        make_change(modified=(Modification(before=one, after=two) for one, two in edited if _differ(one, two)))
    )


def _after(edit: RuleEdit, before: Rule, reference: Reference) -> Rule:
    if edit.after is None:
        return _described(before, edit.description)
    return completed(edit.after, before, reference.live.with_id(edit.rule_id))


def _described(rule: Rule, description: str) -> Rule:
    return replace(rule, description=description)


def _is_of(call: Call, rule: Rule) -> bool:
    return call.direction in (None, rule.direction)


def _differ(one: Rule, other: Rule) -> bool:
    return one.identity != other.identity or one.description != other.description


def _found(change: Change) -> Asked:
    return Asked(reason=_NO_EFFECT) if change.is_empty else Asked(change=change)


def _unknown(names: Iterable[str]) -> Asked:
    return Asked(reason=f"the group has no rule {_few(names)}")


def _few(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    return ", ".join(listed[:_NAMED]) + (" …" if len(listed) > _NAMED else "")
