"""What is approved for a time: the approvals that end, and the rules they hold for; values alone. Pure.

What does not belong here: how such an approval begins, is ended, or is closed by another one (``state.limits``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.rule import Rule

from .register import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What an approval for a time gave a rule.

    Attributes:
        key: which approval, see :class:`Timed`.
        at: when it was given.
        place: the identity of the values it gave.
        text: the description it gave.
        before: what the rule was before, without id and tags; ``None`` when there was none.
    """

    key: str
    at: Moment
    place: str
    text: str = ""
    before: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """An approval that holds for a time.

    Attributes:
        key: identifies it: the request, or the batch that was approved.
        until: when what it gave has to be reverted, UTC.
        requests: the requests that end then.
        let_through: the rules that policy let through without asking anybody; empty where people approved.
        ended_at: when it was reverted; ``None`` until then.
        note: a sentence about its end where there is something to say.
        is_told: the central account has been told of its end.
    """

    key: str
    until: datetime
    requests: tuple[str, ...]
    let_through: tuple[Rule, ...] = ()
    ended_at: datetime | None = None
    note: str = ""
    is_told: bool = False

    def is_due(self, now: datetime) -> bool:
        """True when its time is over and something is left to do about that."""
        return self.until <= now and not self.is_told
