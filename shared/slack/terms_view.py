"""What a pending request needs, in short: for its question, and for somebody who may not decide it.

What does not belong here: what it needs (``shared.domain.approval``), and where a request stands
(``shared.slack.status_view``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from shared.domain.approval import Terms
from shared.domain.needs import DEFAULT_APPROVALS
from shared.slack.text import counted, date, group_mention, mention, shorten, visible

_MOST_NAMED: Final = 5
_NEEDS: Final = 300
"""Most characters of what a request needs and why, as ``limits.size`` counts them."""


def needs_text(terms: Terms) -> str:
    """Return what a request needs and why, e.g. ``2 approvals (rules[0] overlaps add ingress/tcp/22-22/…)``.

    Returns:
        ``""`` for a request that needs what every request needs: one approval, by anybody, for good.
    """
    needs = terms.needs
    parts = [_approvals(terms)]
    if needs.approvers:
        parts.append("only by certain approvers")
    if not terms.is_for_good:
        parts.append(f"for at most {needs.max_hours:g} h")
    if parts == [_approvals(Terms())]:
        return ""
    text = f"{', '.join(parts)}{_why(terms)}"
    if not terms.is_possible:
        text = f"Too few people may approve this; the policy has to be corrected. {text}"
    return shorten(visible(text), _NEEDS)


def named_ids(ids: Sequence[str]) -> str:
    """Return Slack ids of people and user groups as markup that shows their names, e.g. ``<@U061F7AUR>``."""
    marks = [mark for one in ids if (mark := mention(one) or group_mention(one))]
    more = len(marks) - _MOST_NAMED
    return " ".join(marks[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def limits_text(limits: Iterable[tuple[str, datetime]]) -> str:
    """Return until when rules that a change touches are approved, as markup; ``""`` where none has a limit."""
    times = [until for _, until in limits]
    if not times:
        return ""
    rules = counted(len(times), "rule")
    if min(times) == max(times):
        return f"⏳ *Open until {date(min(times))}:* {rules} of this change"
    return f"⏳ *Open until {date(min(times))} to {date(max(times))}:* {rules} of this change"


def _approvals(terms: Terms) -> str:
    number = terms.needs.approvals
    return f"{number} approvals by different people" if number > DEFAULT_APPROVALS else "1 approval"


def _why(terms: Terms) -> str:
    matches = terms.needs.matches
    if matches:
        others = f", and {counted(len(matches) - 1, 'other')}" if len(matches) > 1 else ""
        return f" ({matches[0].why}{others})"
    return " (it is not known whose change this is)" if terms.needs.approvals > DEFAULT_APPROVALS else ""
