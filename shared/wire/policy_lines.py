"""Finds the line of ``policy.toml`` that an error about ``[[rules]]`` names by its path; ``tomllib`` does not say.

What does not belong here: what the keys mean (``shared.wire.policy_rules``).
"""

from __future__ import annotations

import re
from typing import Final

_PATH: Final = re.compile(r"rules\[(\d+)\](?:\.(\w+))?")
_ENTRY: Final = re.compile(r"\s*\[\[\s*(?:rules|\"rules\"|'rules')\s*\]\]")
_SECTION: Final = re.compile(r"\s*\[.*\]\s*(#.*)?\Z")


def line_of(text: str, path: str) -> int | None:
    """Return the line of an entry's key, or of the entry's header where the key has no line of its own.

    Args:
        text: the whole file.
        path: e.g. ``rules[1].match.ports[0]``.

    Returns:
        The line, counted from 1; ``None`` for other paths, and for entries that are not written as ``[[rules]]``.
    """
    match = _PATH.match(path)
    if match is None:
        return None
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines, start=1) if _ENTRY.match(line)]
    index = int(match[1])
    if index >= len(headers):
        return None
    for number, line in enumerate(lines[headers[index] :], start=headers[index] + 1):
        if _SECTION.match(line):
            break
        if match[2] and re.match(rf"\s*{match[2]}\s*[=.]", line):
            return number
    return headers[index]


def with_line(text: str, path: str, problem: str) -> str:
    """Return the problem with the line it is on, where that can be found."""
    line = line_of(text, path)
    return problem if line is None else f"{problem} (line {line})"
