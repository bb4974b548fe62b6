"""What changed between two sets of rules, as a value that can be applied, undone and shown.

``diff(a, b)`` gives the change, ``apply(change, a)`` gives ``b``, ``undo(change)`` the change
from ``b`` to ``a``. Rules are paired by EC2's identity first (a new description is an edit), then by rule id
(an edit of ports or source).

What does not belong here: how a change is carried out in EC2 (``member.chalicelib.ec2.plan``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.domain.rule import Rule

ChangeKind = Literal["add", "remove", "modify", "mixed", "none"]
GuardedKind = Literal["add", "modify", "remove"]


class ChangeConflictError(ValueError):
    """A change does not fit the rules it is applied to; the message names the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modification:
    """One rule edited: ``before`` became ``after``."""

    before: Rule
    after: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rules added, removed and modified, each in a fixed order. Build it with :func:`make_change` or :func:`diff`."""

    added: tuple[Rule, ...] = ()
    removed: tuple[Rule, ...] = ()
    modified: tuple[Modification, ...] = ()

    @property
    def kind(self) -> ChangeKind:
        """``add``, ``remove`` or ``modify``; ``mixed`` for several of them, ``none`` for an empty change."""
        kinds: list[ChangeKind] = []
        if self.added:
            kinds.append("add")
        if self.removed:
            kinds.append("remove")
        if self.modified:
            kinds.append("modify")
        if not kinds:
            return "none"
        return kinds[0] if len(kinds) == 1 else "mixed"

    @property
    def is_empty(self) -> bool:
        """True when nothing changed."""
        return self.kind == "none"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule the change speaks of: added, removed, and both sides of each modification."""
        edited = tuple(rule for edit in self.modified for rule in (edit.before, edit.after))
        return self.added + self.removed + edited


def make_change(
    *, added: Iterable[Rule] = (), removed: Iterable[Rule] = (), modified: Iterable[Modification] = ()
) -> Change:
    """Build a change whose parts are sorted by identity, so that equal changes are equal values."""
    return Change(
        added=_sorted(added),
        removed=_sorted(removed),
        modified=tuple(sorted(modified, key=lambda edit: (edit.before.identity, edit.after.identity))),
    )


def diff(before: Iterable[Rule], after: Iterable[Rule]) -> Change:
    """Return the change that leads from ``before`` to ``after``.

    Args:
        before: the rules of one group; at most one per identity.
        after: the rules of the same group later.
    """
    old, new = by_identity(before), by_identity(after)
    modified = [
        Modification(before=rule, after=new[identity])
        for identity, rule in old.items()
        if identity in new and new[identity].description != rule.description
    ]
    gone = {identity: rule for identity, rule in old.items() if identity not in new}
    come = {identity: rule for identity, rule in new.items() if identity not in old}
    come_by_id = {rule.rule_id: rule for rule in come.values() if rule.rule_id is not None}
    for identity, rule in list(gone.items()):
        edited = come_by_id.pop(rule.rule_id, None) if rule.rule_id is not None else None
        if edited is not None:
            modified.append(Modification(before=rule, after=edited))
            del gone[identity], come[edited.identity]
    return make_change(added=come.values(), removed=gone.values(), modified=modified)


def apply(change: Change, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules after the change, sorted by identity.

    Raises:
        ChangeConflictError: when a rule to remove or modify is not there, or a rule to add already is.
    """
    result = by_identity(rules)
    for rule in (*change.removed, *(edit.before for edit in change.modified)):
        if result.pop(rule.identity, None) is None:
            raise ChangeConflictError(f"rule {rule.identity} is not there")
    for rule in (*change.added, *(edit.after for edit in change.modified)):
        if rule.identity in result:
            raise ChangeConflictError(f"rule {rule.identity} is already there")
        result[rule.identity] = rule
    return _sorted(result.values())


def undo(change: Change) -> Change:
    """Return the change that takes this one back."""
    return make_change(
        added=change.removed,
        removed=change.added,
        modified=(Modification(before=edit.after, after=edit.before) for edit in change.modified),
    )


def by_identity(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Return the rules as a mapping from EC2's identity to the rule."""
    return {rule.identity: rule for rule in rules}


def _sorted(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: rule.identity))
