"""One mistake in a valid policy, as ``check`` reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake.

    Attributes:
        severity: ``error`` when requests could not be decided as the policy says; ``warning`` for everything else.
        key: where it stands, e.g. ``exempt.principals[0]``, ``accounts.222222222222.mode``.
        meaning: what the key does as it is written.
        remedy: what to write instead.
    """

    severity: Severity
    key: str
    meaning: str
    remedy: str


def warning(key: str, meaning: str, remedy: str) -> Finding:
    """Return a finding with which the policy is still deployed."""
    return Finding(severity="warning", key=key, meaning=meaning, remedy=remedy)


def error(key: str, meaning: str, remedy: str) -> Finding:
    """Return a finding for which the policy is refused."""
    return Finding(severity="error", key=key, meaning=meaning, remedy=remedy)
