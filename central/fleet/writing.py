"""Writes members down: a table for people, JSON Lines for programs.

Texts come from members, so the table shows invisible characters as escapes. In a terminal every line fits: what is
least needed is cut first, the problems last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from central.chalicelib.fleet import kinds_of
from central.chalicelib.requests.members import Member
from shared.slack.member_messages import SILENT
from shared.slack.text import visible
from shared.wire.heartbeat import heartbeat_to_json

COLUMNS: Final = ("account", "region", "version", "policy", "mode", "age", "probe", "problems")
_LEAST: Final = {"account": 12, "policy": 4, "version": 5, "probe": 5}
"""How narrow these columns may become, in the order in which they do."""
_GAP: Final = 2


def json_lines(members: Iterable[Member], now: datetime) -> Iterator[str]:
    """Yield one JSON object for each member: its heartbeat, seconds since then, and the kinds of its problems."""
    for member in members:
        document: dict[str, Any] = {
            **heartbeat_to_json(member.heartbeat),
            "ageSeconds": int((now - member.heartbeat.sent_at).total_seconds()),
            "isSilent": SILENT in kinds_of(member, now),
        }
        yield json.dumps(document, ensure_ascii=False)


def table_lines(members: Sequence[Member], now: datetime, *, width: int) -> Iterator[str]:
    """Yield a table, the lines at most ``width`` columns wide; 0: as wide as it takes."""
    rows = [COLUMNS, *(_row(one, now) for one in members)]
    widths = {name: max(len(row[index]) for row in rows) for index, name in enumerate(COLUMNS)}
    if width:
        # Something is left for the last column, however narrow the terminal.
        room = width - len(COLUMNS[-1]) - _GAP * (len(COLUMNS) - 1)
        for name, least in _LEAST.items():
            over = sum(widths[one] for one in COLUMNS[:-1]) - room
            widths[name] = max(min(least, widths[name]), widths[name] - max(0, over))
    for row in rows:
        cells = [_cut(cell, widths[name]).ljust(widths[name]) for cell, name in zip(row, COLUMNS, strict=True)]
        line = (" " * _GAP).join(cells).rstrip()
        yield _cut(line, width) if width else line


def age_text(age: timedelta) -> str:
    """Return e.g. ``5 min``, ``3 h`` or ``12 d``."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 2 * 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 60 // 24} d"


def _row(member: Member, now: datetime) -> tuple[str, ...]:
    last = member.heartbeat
    name = f"{last.account} {last.account_name}" if last.account_name not in ("", last.account) else last.account
    probe = last.probe if last.probe_ms is None else f"{last.probe_ms / 1000:.0f} s"
    problems = [one.kind for one in last.problems]
    problems = [SILENT, *problems] if SILENT in kinds_of(member, now) else problems
    cells = (
        *(name, last.region, last.version, last.policy_digest[:8] or "unknown", last.mode),
        *(age_text(now - last.sent_at), probe, ", ".join(problems) or "none"),
    )
    return tuple(map(visible, cells))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"
