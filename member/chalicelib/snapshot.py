"""Looks at every group of a region: learns those seen for the first time, compares the others with their baselines.

Baselines are read before rules, and every write is conditional on the baseline that was read. So an event that is
handled meanwhile wins: what it changed is looked at again by the next snapshot.

What does not belong here: what becomes of a difference (``drifting``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.rule import Rule
from shared.policy.loading import load_policies
from shared.telemetry import logger
from shared.wire.fields import FieldError

from . import context
from .cloudtrail.call import Call
from .drift import Look, look_for_drift
from .ec2.security_groups import GroupFacts, SecurityGroups
from .state.baseline import Baseline, learn
from .state.table import StateTable

_FAILURES_TOLD: Final = 5


class SnapshotError(RuntimeError):
    """Some groups could not be looked at; the message names them. The others have been."""


def take_snapshot(region: str, now: datetime, *, grace: timedelta | None = None, note: str = "") -> None:
    """Look at every group of a region.

    Args:
        region: e.g. ``eu-west-1``.
        now: the time, UTC.
        grace: how long a difference may stand, where policy's ``drift_grace_minutes`` should not count.
        note: why this snapshot was taken, added to the reason of what it finds.

    Raises:
        SnapshotError: when some of the groups could not be looked at.
    """
    table = StateTable(region)
    reader = SecurityGroups(region, "", retries="adaptive")
    facts = {one.group_id: one for one in reader.all_groups()}
    baselines = table.baselines(facts)
    failed: dict[str, Exception] = {}
    new: list[Baseline] = []
    for look in _looks(facts.values(), reader, now, grace, note, failed):
        known = baselines.get(look.facts.group_id)
        try:
            if known is None:
                new.append(_learned(look, region))
            elif isinstance(known, FieldError):
                raise known
            else:
                look_for_drift(look, known, table)
        except Exception as error:  # noqa: BLE001 - one group's trouble must not hide the others; raised below
            failed[look.facts.group_id] = error
    table.learn(new)
    logger.info("snapshot", extra={"groups": len(facts), "learned": len(new), "failed": len(failed)})
    for group_id, trouble in failed.items():
        logger.error("snapshot of a group failed", extra={"group": group_id}, exc_info=trouble)
    if failed:
        names = ", ".join(f"{group_id} ({error})" for group_id, error in list(failed.items())[:_FAILURES_TOLD])
        raise SnapshotError(f"{len(failed)} of {len(facts)} groups could not be looked at: {names}")


def reconcile_after(call: Call) -> None:
    """Take back every difference at once, for a call whose event does not even say which group it touched.

    CloudTrail leaves out parameters and answers of about 100 KB and more; whoever makes a call that large must not gain
    by it.
    """
    note = f"CloudTrail left out the details of {call.name} ({call.request_id}) by {call.caller.name}."
    take_snapshot(call.region, context.now(), grace=timedelta(0), note=note)


def _looks(
    facts: Iterable[GroupFacts],
    reader: SecurityGroups,
    now: datetime,
    grace: timedelta | None,
    note: str,
    failed: dict[str, Exception],
) -> Iterator[Look]:
    """Yield every group with its rules; a group one of whose rules cannot be read is noted in ``failed``."""
    policies = load_policies()
    live: dict[str, list[Rule]] = defaultdict(list)
    for group_id, rule in reader.all_rules():
        if isinstance(rule, FieldError):
            failed[group_id] = rule
        else:
            live[group_id].append(rule)
    read_at = context.now()
    for one in facts:
        if one.group_id not in failed:
            policy = policies.for_account(one.owner)
            yield Look(
                facts=one,
                live=tuple(_owned(rule, one.owner) for rule in live[one.group_id]),
                read_at=read_at,
                policy=policy,
                now=now,
                grace=policy.drift_grace if grace is None else grace,
                note=note,
            )


def _learned(look: Look, region: str) -> Baseline:
    return learn(
        region=region,
        group_id=look.facts.group_id,
        group_name=look.facts.name,
        rules=look.live,
        directions=look.policy.directions,
        at=look.read_at,
    )


def _owned(rule: Rule, owner: str) -> Rule:
    if rule.source.kind == "group" and not rule.source.account:
        return replace(rule, source=replace(rule.source, account=owner))
    return rule
