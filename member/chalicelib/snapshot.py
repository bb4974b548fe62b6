"""Looks at every group of a region: adopts it once, ends what was approved for a time, compares groups with baselines.

What does not belong here: what becomes of a difference (``drift``), how a region is adopted (``adoption``), how a time
ends (``ending``).
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Final

from shared.domain.policy import Policy
from shared.policy.loading import load_policies
from shared.telemetry import count, logger
from shared.wire.fields import FieldError

from . import publishing
from .adoption import adopt_region, is_damaged
from .context import Context
from .drift import look_for_drift
from .ending import end_due
from .region import Region, read_region

_FAILURES_SHOWN: Final = 5


class SnapshotError(RuntimeError):
    """Some groups could not be looked at; the message names them. The others have been."""


def take_snapshot(here: Context, now: datetime) -> None:
    """Look at every group of a region.

    Args:
        here: this invocation.
        now: the time, UTC.

    Raises:
        SnapshotError: when some of the groups could not be looked at; when the policy file cannot be used, before any
            group is looked at: nothing is adopted, reverted or ended by a policy that nobody wrote.
    """
    policies = load_policies()
    if policies.problem:
        raise SnapshotError(f"no group was looked at, because the policy cannot be used: {policies.problem}")
    policy = policies.for_account(here.account)
    region = read_region(here, policy)
    for group_id in region.foreign:
        here.table.forget(group_id)
    damage = is_damaged(region)
    adopted: tuple[str, ...] = ()
    if damage:
        _report_damage(here, damage, now)
    else:
        before = region.adoption.directions if region.adoption is not None else ()
        adopted = tuple(one for one in adopt_region(here, region, policy).directions if one not in before)
    failed = dict(region.unreadable)
    failed |= {group_id: one for group_id, one in region.baselines.items() if isinstance(one, FieldError)}
    touched = {} if policy.mode == "observe" else end_due(here, region.baselines, now)
    failed |= {group_id: error for group_id, error in touched.items() if error is not None}
    if not adopted:  # what was accepted just now differs in nothing
        _compare(here, region, policy, now, failed, skipped=touched)
    logger.info("snapshot", extra={"groups": len(region.groups), "adopted": list(adopted), "failed": len(failed)})
    _raise_failures(region, failed)


def _compare(
    here: Context, region: Region, policy: Policy, now: datetime, failed: dict[str, Exception], skipped: Container[str]
) -> None:
    """Compare each group with its baseline, but those that have been changed just now."""
    for look, known in region.looks(policy, now):
        if look.facts.group_id in skipped:
            continue
        try:
            look_for_drift(here, look, known)
        except Exception as error:  # noqa: BLE001 - one group's trouble must not hide the others; raised below
            failed[look.facts.group_id] = error


def _report_damage(here: Context, damage: str, now: datetime) -> None:
    count("StateDamaged")
    publishing.notice(
        here,
        "StateDamaged",
        f"What this account stores about its approved rules is damaged: {damage}. Nothing was adopted. See the "
        "runbook, 'The state is damaged'.",
        # Once a day, so that it is not forgotten.
        at=now.replace(hour=0, minute=0, second=0, microsecond=0),
        key=damage,
    )


def _raise_failures(region: Region, failed: dict[str, Exception]) -> None:
    for group_id, trouble in failed.items():
        logger.error("snapshot of a group failed", extra={"group": group_id}, exc_info=trouble)
    if failed:
        names = ", ".join(f"{group_id} ({error})" for group_id, error in list(failed.items())[:_FAILURES_SHOWN])
        raise SnapshotError(f"{len(failed)} of {len(region.groups)} groups could not be looked at: {names}")
