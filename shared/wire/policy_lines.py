"""Finds the line of a TOML document that has a key, because ``tomllib`` does not tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import Final

_INDEX: Final = re.compile(r"\[(\d+)\]")


def line_of(text: str, path: str) -> int | None:
    """Return the number of the line where a value stands, counted from 1.

    The document up to some line has the value, up to the line before it has not.

    Args:
        text: a valid TOML document.
        path: as errors name it, e.g. ``exempt.principals[1]`` or ``accounts.222222222222.mode``.

    Returns:
        ``None`` when the document has no such value.
    """
    lines = text.replace("\r\n", "\n").split("\n")  # line ends as TOML knows them; splitlines() knows more
    number = bisect_left(range(len(lines)), True, key=lambda last: _has(_document(lines, last + 1), path))
    return number + 1 if number < len(lines) else None


def _document(lines: list[str], count: int) -> object:
    """Return the document of the first lines, closing a list that goes on; where that is not TOML, of some more."""
    for end in range(count, len(lines) + 1):
        for closing in ("", "\n]"):
            try:
                return tomllib.loads("\n".join(lines[:end]) + closing)
            except ValueError:
                continue
    return None


def _has(value: object, path: str) -> bool:
    if not path:
        return True
    if isinstance(value, list):
        index = _INDEX.match(path)
        return (
            index is not None
            and int(index[1]) < len(value)
            and _has(value[int(index[1])], path[index.end() :].removeprefix("."))
        )
    if not isinstance(value, dict):
        return False
    # Keys have dots themselves, as ARNs do.
    ends = (len(key) for key in value if path.startswith(key) and path[len(key) : len(key) + 1] in ("", ".", "["))
    return any(_has(value[path[:end]], path[end:].removeprefix(".")) for end in ends)


def with_line(text: str, path: str, problem: str) -> str:
    """Return the problem with the line it is on, where that can be found."""
    line = line_of(text, path)
    return problem if line is None else f"{problem} (line {line})"
