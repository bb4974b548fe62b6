"""The rules of security groups as recorded calls leave them: what a trail says of old values and approved ranges.

A trail begins somewhere, so rules that were made before it are not known; a change of such a rule has no values here.

What does not belong here: what policy says about a change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shared.domain.change import Change, Modification, make_change

if TYPE_CHECKING:
    from member.chalicelib.cloudtrail.call import Call, RuleEdit
    from shared.domain.rule import Rule

_MOST_GROUPS: Final = 10_000
"""How many groups are remembered; those that nobody changed for longest are forgotten first."""

_MOST_RULES_OF_ALL: Final = 200_000
"""How many rules are remembered of all groups together."""

_MOST_RULES: Final = 1_000  # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html


class ReplayedGroups:
    """What is known of each group so far."""

    def __init__(self) -> None:
        self._groups: OrderedDict[tuple[str, str, str], dict[str, Rule]] = OrderedDict()
        self._number_of_rules = 0

    def rules(self, call: Call) -> Sequence[Rule]:
        """Return the rules of the call's group, as far as known."""
        return list(self._known(call).values())

    def change(self, call: Call) -> Change | None:
        """Return what a call changed; ``None`` where neither the event nor an earlier one has all values."""
        if call.omitted:
            return None
        known = self._known(call)
        if call.kind == "add":
            return make_change(added=call.requested if call.resulting is None else call.resulting)
        if call.kind == "remove":
            return _removal(call, known)
        if call.kind in ("modify", "describe"):
            return _edits(call, known)
        return make_change()

    def apply(self, call: Call, change: Change) -> None:
        """Remember what a call changed; rules that are not known are left out."""
        if call.kind == "delete_group":
            self._number_of_rules -= len(self._groups.pop(_key(call), ()))
            return
        known = self._known(call)
        self._number_of_rules -= len(known)
        for rule in (*change.removed, *(edit.before for edit in change.modified)):
            known.pop(rule.identity, None)
        for rule in (*change.added, *(edit.after for edit in change.modified)):
            if len(known) < _MOST_RULES:
                known[rule.identity] = rule
        self._groups[_key(call)] = known
        self._groups.move_to_end(_key(call))
        self._number_of_rules += len(known)
        while len(self._groups) > _MOST_GROUPS or self._number_of_rules > _MOST_RULES_OF_ALL:
            self._number_of_rules -= len(self._groups.popitem(last=False)[1])

    def _known(self, call: Call) -> dict[str, Rule]:
        return self._groups.get(_key(call), {})


def _key(call: Call) -> tuple[str, str, str]:
    return call.account, call.region, call.group_id or f"name:{call.group_name}"


def _removal(call: Call, known: dict[str, Rule]) -> Change | None:
    if call.resulting is not None:
        return make_change(removed=call.resulting)
    by_id = _by_id(known.values())
    if any(rule_id not in by_id for rule_id in call.rule_ids):
        return None
    return make_change(removed=(*call.requested, *(by_id[rule_id] for rule_id in call.rule_ids)))


def _edits(call: Call, known: dict[str, Rule]) -> Change | None:
    by_id = _by_id(known.values())
    pairs = [(by_id.get(edit.rule_id), edit) for edit in call.edits]
    described = [(known.get(rule.identity), rule) for rule in call.requested]
    edits = [_edited(before, edit) for before, edit in pairs if before is not None]
    edits += [_described(before, rule.description) for before, rule in described if before is not None]
    return make_change(modified=edits) if len(edits) == len(pairs) + len(described) else None


def _edited(before: Rule, edit: RuleEdit) -> Modification:
    if edit.after is None:
        return _described(before, edit.description)
    # The direction of an edited rule is not in the event.
    return Modification(before=before, after=replace(edit.after, direction=before.direction))


def _described(before: Rule, description: str) -> Modification:
    return Modification(before=before, after=replace(before, description=description))


def _by_id(rules: Iterable[Rule]) -> dict[str, Rule]:
    return {rule.rule_id: rule for rule in rules if rule.rule_id is not None}
