"""What a verb prints while it works."""

from __future__ import annotations

from collections.abc import Iterable


def step(text: str) -> None:
    """Print what begins."""
    print(f"→ {text}", flush=True)


def done(text: str) -> None:
    """Print what is done."""
    print(f"  ✓ {text}", flush=True)


def note(text: str) -> None:
    """Print what the operator should know."""
    print(f"  · {text}", flush=True)


def problems(texts: Iterable[str]) -> int:
    """Print problems, one sentence each; return how many."""
    count = 0
    for text in texts:
        count += 1
        print(f"  ✗ {text}", flush=True)
    return count
