"""Markdown tables of figures; which figures is said elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are figures."""
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(['---'] + ['---:'] * (len(head) - 1))}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def ms(figures: Mapping[str, float]) -> str:
    """Return a median in ms, with as many digits as mean something."""
    return number(figures["median"]) + " ms"


def number(value: float) -> str:
    """Return a number with three digits that count, and commas."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def times(value: float) -> str:
    """Return a ratio."""
    return f"{value:.2f} ×"


def calls(made: Sequence[str] | Mapping[str, int]) -> str:
    """Return calls by name, with their number where there are several."""
    counted: Mapping[str, Any] = made if isinstance(made, Mapping) else Counter(made)
    names = (f"{count} `{name}`" if count > 1 else f"`{name}`" for name, count in counted.items())
    return ", ".join(names) or "none"


def megabytes(count: float) -> str:
    """Return a number of bytes in MB."""
    return f"{count / 1_000_000:.2f} MB"
