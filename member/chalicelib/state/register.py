"""Values that were given at moments: the newest one counts, in whatever order they are heard of. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, Generic, TypeVar

VALUES_KEPT: Final = 6
"""Versions remembered: events are late by minutes."""

Moment = tuple[datetime, int]
"""A whole second, and a rank within it, because some orders are certain: see the constants below."""

BEFORE_ALL, ADOPTED, CREATED, EDITED, REMOVED, APPLIED = range(6)
"""Ranks within a second: a rule exists before it is edited, and it is edited before it is removed; what this account
applies itself comes after the calls it has heard of."""

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = (LONG_AGO, BEFORE_ALL)

_T = TypeVar("_T")


def moment(at: datetime, rank: int) -> Moment:
    """Return the moment of a call or of an applied approval."""
    return at.replace(microsecond=0), rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Generic[_T]):
    """A value and when it was given.

    Attributes:
        at: when.
        value: the value.
        is_chosen: of several given at one moment, this is the one that is in force.
        by_id: the id by which the call named its rule, where that is not the rule's first one.
    """

    at: Moment
    value: _T
    is_chosen: bool = False
    by_id: str = ""


@dataclass(frozen=True, slots=True)
class Register(Generic[_T]):
    """The newest value of those that were given, and a few before it."""

    versions: tuple[Version[_T], ...] = ()

    @property
    def newest(self) -> Version[_T] | None:
        """The newest version that is not in doubt; of a moment with several values none was chosen, the one before."""
        for _, some in groupby(reversed(self.versions), key=lambda one: one.at):
            peers = list(some)
            chosen = peers if len(peers) == 1 else [one for one in peers if one.is_chosen]
            if chosen:
                return chosen[0]
        return None

    def put(self, at: Moment, value: _T, live: _T | None = None, *, by_id: str = "") -> Register[_T]:
        """Return the register with one more value.

        Args:
            at: when it was given.
            value: the value.
            live: the value in force now; it decides between values that were given at the same moment.
            by_id: see :class:`Version`.
        """
        peers = [one for one in self.versions if one.at == at]
        if any(one.value == value for one in peers):
            return self
        peers.append(Version(at=at, value=value, by_id=by_id))
        if len(peers) > 1:
            peers = [replace(one, is_chosen=one.value == live) for one in peers]
        rest = [one for one in self.versions if one.at != at]
        return Register(_sorted([*rest, *peers])[-VALUES_KEPT:])

    def since(self, at: Moment) -> Register[_T]:
        """Return the register of what was given at a moment and after it."""
        return Register(tuple(one for one in self.versions if one.at >= at))

    def split(self, by_id: str, *, with_applied: bool) -> tuple[Register[_T], Register[_T]]:
        """Return the register without what was given by an id, and one of that alone; approvals only if wanted."""
        own = [one for one in self.versions if one.by_id == by_id and (with_applied or one.at[1] != APPLIED)]
        rest = tuple(one for one in self.versions if one not in own)
        return Register(rest), Register(tuple(replace(one, by_id="") for one in own))

    def merged(self, other: Register[_T]) -> Register[_T]:
        """Return the register of what was given to either; what both have, counts once."""
        known = {(one.at, one.value) for one in self.versions}
        return Register(_sorted([*self.versions, *(one for one in other.versions if (one.at, one.value) not in known)]))


def _sorted(versions: list[Version[_T]]) -> tuple[Version[_T], ...]:
    """Return versions by time, and by text within a moment, so that equal contents are equal registers."""
    return tuple(sorted(versions, key=lambda one: (one.at, repr(one.value))))
