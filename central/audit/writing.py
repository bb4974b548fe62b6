"""Writes requests down: a table for people, CSV for spreadsheets, JSON Lines for programs.

Texts come from whoever changed a security group, so the table and the CSV show invisible characters as escapes, and no
cell of the CSV begins a formula. JSON Lines has every value exactly as it is stored. The address that Slack gives a
click (a secret while it is valid) is in none of them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from central.chalicelib.requests.items import entry_to_item
from central.chalicelib.requests.record import HistoryEntry, Record
from shared.domain.request import Approver
from shared.slack.describe import edit_sentence, sentence
from shared.slack.text import visible
from shared.wire.request_json import approver_to_json, hours_to_text, request_to_json
from shared.wire.rule_json import time_to_text

COLUMNS: Final = (
    "requestedAt",
    "requestId",
    "status",
    "account",
    "accountName",
    "region",
    "groupId",
    "groupName",
    "requester",
    "requesterArn",
    "eventName",
    "origin",
    "kind",
    "change",
    "reason",
    "decidedBy",
    "decidedByName",
    "decidedAt",
    "errorCode",
    "errorReason",
    "history",
    "duplicateOf",
    "duplicates",
    "approvals",
    "validUntil",
    "denialReason",
)
"""Of the CSV, in this order; later versions may add some at the end."""

_WIDTHS: Final[Mapping[str, int]] = {
    "requestedAt": 20,
    "status": 10,
    "account": 28,
    "region": 14,
    "group": 32,
    "requester": 36,
    "change": 44,
    "again": 9,
    "decided by": 24,
    "request": 48,
}

_LEAST: Final[Mapping[str, int]] = {
    "change": 20,
    "status": 10,
    "requester": 12,
    "group": 12,
    "requestedAt": 16,
    "decided by": 10,
    "request": 12,
    "account": 12,
    "region": 14,
    "again": 9,
}
"""Narrowest width of each column, the most important first: in this order they have a place in a narrow terminal."""
_GAP: Final = 2

# Spreadsheets run a cell that begins with one of these. Some split a line at other signs than the comma, so what
# follows such a sign counts as a beginning too. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = re.compile("(^|[\"',;|])(\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def to_json(record: Record) -> dict[str, Any]:
    """Return all of a stored request, with its first status (``filedAs``), its present one, and its history."""
    request, view = request_to_json(record.request), record.view
    return {
        **request,
        "filedAs": record.request.status,
        "status": record.status,
        "requestedAt": time_to_text(record.requested_at),
        "kind": record.request.change.kind,
        "decidedBy": view.decided_by,
        "decidedByName": view.decided_by_name,
        "decidedAt": time_to_text(view.decided_at) if view.decided_at is not None else "",
        "denialReason": view.denial_reason,
        "errorCode": view.error_code,
        "errorReason": view.error_reason,
        "remindedAt": time_to_text(record.reminded_at) if record.reminded_at is not None else "",
        "duplicateOf": record.duplicate_of,
        "duplicates": record.duplicates,
        "approvals": [approver_to_json(one) for one in record.approvals],
        "validUntil": time_to_text(record.valid_until) if record.valid_until is not None else "",
        "tasks": {task: time_to_text(since) for task, since in record.tasks},
        "history": [entry_to_item(entry) for entry in record.history],
    }


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """Yield one line of JSON per request, in ASCII: no character of a text can act on a terminal."""
    for record in records:
        yield json.dumps(to_json(record), separators=(",", ":"))


def csv_lines(records: Iterable[Record]) -> Iterator[str]:
    """Yield a heading and one line per request, all values quoted."""
    yield _csv_line(COLUMNS)
    for record in records:
        known = _columns(record)
        yield _csv_line(_harmless(known[name]) for name in COLUMNS)


def table_lines(records: Iterable[Record], *, width: int = 0) -> Iterator[str]:
    """Yield a heading and one line per request; what does not fit is cut, and marked with ``…``.

    Args:
        records: the requests.
        width: longest line, in characters: the least important columns are left out for it; 0: no limit.
    """
    widths = _widths(width)
    yield _table_line({name: name for name in _WIDTHS}, widths)
    for record in records:
        request, known = record.request, _columns(record)
        yield _table_line(
            {
                "requestedAt": known["requestedAt"][:19].replace("T", " "),
                "status": known["status"],
                "account": f"{known['accountName']} {known['account']}".strip(),
                "region": known["region"],
                "group": f"{known['groupName']} {known['groupId']}".strip(),
                "requester": known["requester"] or "nobody known",
                "change": known["change"] or request.reason or request.change.kind,
                "again": "duplicate" if record.duplicate_of else str(record.duplicates or ""),
                "decided by": known["decidedByName"] or known["decidedBy"],
                "request": request.request_id,
            },
            widths,
        )


def _columns(record: Record) -> dict[str, str]:
    document = to_json(record)
    requester = record.request.requester
    return {
        **{name: str(document.get(name, "")) for name in COLUMNS},
        "requester": "" if requester is None else requester.name,
        "requesterArn": "" if requester is None else requester.arn,
        "change": "; ".join(_phrases(record)),
        "history": "; ".join(_line(entry) for entry in record.history),
        "approvals": "; ".join(map(_approval, record.approvals)),
    }


def _phrases(record: Record) -> Iterator[str]:
    change = record.request.change
    for verb, rules in (("add", change.added), ("remove", change.removed)):
        for rule in rules:
            yield f"{verb} {sentence(rule)}{_described(rule.description)}"
    for edit in change.modified:
        yield f"change {edit_sentence(edit)}{_described(edit.after.description)}"


def _described(description: str) -> str:
    return f' "{description}"' if description else ""


def _line(entry: HistoryEntry) -> str:
    moved = f"{entry.previous} to {entry.status}" if entry.previous else entry.status
    return f"{time_to_text(entry.at)} {moved} by {entry.by}{f' ({entry.note})' if entry.note else ''}"


def _approval(approver: Approver) -> str:
    hours = f" for {hours_to_text(approver.hours)} h" if approver.hours is not None else ""
    return f"{time_to_text(approver.at)} {approver.by} {approver.by_name}".rstrip() + hours


def _harmless(text: str) -> str:
    return _FORMULA.sub(r"\1\2'", visible(text))


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return line.getvalue()


def _widths(limit: int) -> dict[str, int]:
    """Return the columns of a table and their widths, from left to right."""
    if not limit:
        return dict(_WIDTHS)
    found: dict[str, int] = {}
    for name, least in _LEAST.items():
        if sum(found.values()) + len(found) * _GAP + least <= limit:
            found[name] = least
    left = limit - sum(found.values()) - (len(found) - 1) * _GAP
    for name in found:
        more = max(0, min(left, _WIDTHS[name] - found[name]))
        found[name] += more
        left -= more
    return {name: found[name] for name in _WIDTHS if name in found}


def _table_line(cells: Mapping[str, str], widths: Mapping[str, int]) -> str:
    return (" " * _GAP).join(_fitted(visible(cells[name]), width) for name, width in widths.items()).rstrip()


def _fitted(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else f"{text[: width - 1]}…"
