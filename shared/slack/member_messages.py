"""What the monitoring channel reads about a member account and region: silent, with a problem, recovered. Pure.

Each is a notice: a stored request without rules, whose reason is one of these texts. The same heartbeat gives the same
text whenever it is asked for, so that a notice is stored and posted once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from shared.slack.text import utc
from shared.wire.heartbeat import Heartbeat

SILENT_HOURS: Final = 3
"""So long without a heartbeat, and a member counts as silent: three have not come."""

SILENT: Final = "silent"
"""The kind of problem that central finds itself; all others are what the member reports."""

TITLES: Final[Mapping[str, str]] = {
    "MemberSilent": "Warning: member account is silent",
    "MemberProblem": "Warning: member account reports a problem",
    "MemberRecovered": "Member account recovered",
}
"""Headlines, by the name of the notice."""

WARNINGS: Final = frozenset({"MemberSilent", "MemberProblem"})


def silent_text(last: Heartbeat) -> str:
    """Return the text about a member whose heartbeats stopped."""
    return (
        f"{_place(last)} has sent no heartbeat for {SILENT_HOURS} hours; the last one came at {utc(last.sent_at)}. "
        "Changes may not be seen there. See the runbook, 'A member is silent'."
    )


def problem_text(last: Heartbeat, kinds: Collection[str]) -> str:
    """Return the text about the problems of these kinds that a heartbeat reports."""
    problems = " ".join(one.text for one in last.problems if one.kind in kinds)
    return f"{_place(last)}: {problems} See the runbook, 'A member reports a problem'."


def recovered_text(last: Heartbeat, kinds: Collection[str]) -> str:
    """Return the text about problems that are over."""
    parts = ["sends heartbeats again"] if SILENT in kinds else []
    others = sorted(set(kinds) - {SILENT})
    parts += [f"no longer reports a problem with {', '.join(others)}"] if others else []
    left = [one.kind for one in last.problems]
    rest = f" It still reports: {', '.join(left)}." if left else ""
    return f"{_place(last)} {' and '.join(parts)}.{rest}"


def _place(last: Heartbeat) -> str:
    name = f" ({last.account_name})" if last.account_name not in ("", last.account) else ""
    return f"Region {last.region} of account {last.account}{name}"
