"""Looks up what a change reaches, after the revert: in about a second, once, and "not known" where that fails.

What is found becomes part of the request's digest, so a request that is published twice must not be looked up twice:
the ledger keeps the first (``add_entry``), and where the ledger cannot be written the request is published without
(``publishing.add_entries``). A delivery that finds the change reverted, but no ledger entry, does not look it up.

What does not belong here: how EC2's answers are read (``assessment.reach``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final, TypeVar

from shared.domain.change import Change
from shared.domain.reach import MOST_LISTS, Interfaces, Manager, PrefixList, Reach, covering, opened_by
from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.telemetry import count, logger

from . import context
from .assessment.reach import interfaces_of, manager_of, prefix_list_of
from .context import Context
from .ec2.refusal import Ec2Error, Refusal
from .ec2.surroundings import Surroundings

_TIME: Final = timedelta(seconds=1)
_LONGEST_CALL: Final = timedelta(seconds=0.7)
"""The timeouts of the retry profile ``once``, together."""

_T = TypeVar("_T")


def reach_of(
    here: Context, group_id: str, change: Change, approved: Iterable[Rule], *, in_force: timedelta | None = None
) -> Reach:
    """Return what a change reaches; what cannot be looked up in time is not known.

    Args:
        here: this invocation.
        group_id: whose rules it changes.
        change: what approval would apply.
        approved: the approved rules of the group.
        in_force: how long it was in force; ``None``: it was not, or not known.
    """
    look = _Look(here)
    interfaces = look.up("interfaces", lambda: _interfaces(look.surroundings, group_id))
    manager = look.up("tags", lambda: _manager(look.surroundings, group_id))
    lists = _lists_in(change)
    return Reach(
        interfaces=interfaces,
        manager=manager,
        covered_by=covering(change, approved),
        in_force_seconds=None if in_force is None else max(0, round(in_force.total_seconds())),
        prefix_lists=(look.up("prefix lists", lambda: _prefix_lists(look, lists)) or ()) if lists else (),
    )


def changed_lists(here: Context, shown: Iterable[PrefixList]) -> Refusal | None:
    """Return why rules that refer to prefix lists are not applied: a list is not the one that was shown.

    Args:
        here: this invocation.
        shown: as they were when the change was looked at; one without a version, of AWS, is not compared.

    Raises:
        Ec2Error: when EC2 could not be asked.
    """
    wanted = [one for one in shown if one.version is not None]
    if not wanted:
        return None
    found = Surroundings(here.region, retries="standard").prefix_lists(sorted({one.list_id for one in wanted}))
    now = {one["PrefixListId"]: one for one in found}
    for one in wanted:
        list_id, described = one.list_id, now.get(one.list_id, {})
        if (described.get("Version"), described.get("OwnerId")) != (one.version, one.owner):
            version = described.get("Version")
            reason = (
                f"The prefix list {list_id} is at version {version} by now, not at version {one.version} as shown."
                if version is not None
                else f"The prefix list {list_id} does not exist any more, or this account cannot see it."
            )
            return Refusal(code="PrefixListChanged", reason=reason)
    return None


def lists_of(request: Request) -> tuple[PrefixList, ...]:
    """Return the prefix lists that a change would open a group to, as they were shown."""
    opened = {rule.source.value for rule in opened_by(request.change)}
    shown = request.reach.prefix_lists if request.reach is not None else ()
    return tuple(one for one in shown if one.list_id in opened)


class _Look:
    """Several lookups within one time: when EC2 is not well, or another call could take too long, no more are made."""

    def __init__(self, here: Context) -> None:
        self.surroundings = Surroundings(here.region, retries="once")
        self._begun = context.now()
        self._is_over = False

    @property
    def has_time(self) -> bool:
        """True while one more call would end in time."""
        return not self._is_over and context.now() - self._begun + _LONGEST_CALL <= _TIME

    def up(self, what: str, look: Callable[[], _T]) -> _T | None:
        """Return what a lookup finds, ``None`` where it fails or there is no time for it."""
        if not self.has_time:
            return None
        try:
            return look()
        except Ec2Error as error:
            self._is_over = error.is_temporary
            count("ReachNotKnown", what=what)
            logger.warning("reach not known", extra={"what": what, "problem": str(error)})
            return None


def _interfaces(surroundings: Surroundings, group_id: str) -> Interfaces:
    found, is_more = surroundings.interfaces(group_id)
    return interfaces_of(found, is_more=is_more)


def _manager(surroundings: Surroundings, group_id: str) -> Manager | None:
    tags = surroundings.tags(group_id)
    return None if tags is None else manager_of(tags)


def _lists_in(change: Change) -> list[str]:
    return sorted({rule.source.value for rule in change.rules if rule.source.kind == "prefix_list"})[:MOST_LISTS]


def _prefix_lists(look: _Look, list_ids: list[str]) -> tuple[PrefixList, ...]:
    described = look.surroundings.prefix_lists(list_ids)
    return tuple(prefix_list_of(one, _entries(look, one)) for one in described)


def _entries(look: _Look, described: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the entries of the version that was described, ``None`` where they are not known."""
    version = described.get("Version")
    return look.up("entries", lambda: look.surroundings.entries(described["PrefixListId"], version))
