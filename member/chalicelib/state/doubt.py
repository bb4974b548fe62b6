"""What may have been added or edited without approval where nobody knows which rules are approved.

Before a region is adopted, and in a group that could not be stored, the revert of a removal opens what the event says
was removed. CloudTrail leaves out calls that are too large, so what was removed may be what such a call had added. Two
things are remembered, because either event may be heard first: since when there has been such a call, and which rules
were restored although nobody knew. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.rule import Rule

RESTORED_KEPT: Final = 200
"""So many restored rules are remembered of a group; where there are more, no other is restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A rule that was restored although nobody knew whether it was approved.

    Attributes:
        rule: without id, description and tags.
        at: when the call that removed it was made.
    """

    rule: Rule
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is remembered of a group.

    Attributes:
        unread_since: when the first call was made of which nobody knows what it added or edited.
        restored: what was restored before such a call was heard of.
    """

    unread_since: datetime | None = None
    restored: tuple[Restored, ...] = ()

    def covers(self, removed_at: datetime) -> bool:
        """True when a rule that was removed then must not be restored unless it is known to be approved."""
        is_later = self.unread_since is not None and self.unread_since <= removed_at
        return is_later or len(self.restored) >= RESTORED_KEPT

    def restored_since(self, at: datetime) -> tuple[Rule, ...]:
        """Return the restored rules that a call made then may have added."""
        return tuple(one.rule for one in self.restored if one.at >= at)

    def with_unread(self, at: datetime | None) -> Doubt:
        """Return it with a call of which nobody knows what it added or edited; ``None``: no call."""
        if at is None:
            return self
        return replace(self, unread_since=at if self.unread_since is None else min(at, self.unread_since))

    def without_restored(self, at: datetime) -> Doubt:
        """Return it without the restored rules that a call made then may have added: they have been closed."""
        return replace(self, restored=tuple(one for one in self.restored if one.at < at))

    def with_restored(self, rules: Iterable[Rule], at: datetime) -> Doubt:
        """Return it with rules that are about to be restored; ``at``: when they were removed."""
        bare = (replace(rule, rule_id=None, description="", tags=()) for rule in rules)
        new = dict.fromkeys((*self.restored, *(Restored(rule=rule, at=at) for rule in bare)))
        return replace(self, restored=tuple(sorted(new, key=lambda one: (one.at, one.rule.identity))))
