"""The adoption of a region: once, its groups are accepted as they are; after that, nothing is because it was seen.

The marker is written last. While an adoption is under way it says so with no direction, so that one that crashed is
done again, and one that was deleted is told from one that never was: baselines without any marker are damage.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain.policy import Policy
from shared.domain.rule import Direction
from shared.telemetry import count, logger
from shared.wire.fields import FieldError
from shared.wire.messages import SECURITY_GROUP_CHANGE, AdoptedMessage

from . import context, publishing
from .context import Context
from .region import Region, read_rules
from .rule_set import RuleSet
from .state.baseline import Baseline, adopt, narrowed, with_tags_seen
from .state.items import Adoption, TooLargeError
from .state.table import RaceLostError

_ROUNDS: Final = 3


def is_damaged(region: Region) -> str:
    """Return why nobody can say whether the region was adopted, ``""`` when that is known."""
    if region.damaged:
        return region.damaged
    if region.adoption is None and any(_is_adopted(one) for one in region.baselines.values()):
        return f"region#{region.name} is missing, although baselines of its groups are stored"
    return ""


def _is_adopted(baseline: Baseline | FieldError) -> bool:
    return isinstance(baseline, FieldError) or bool(baseline.adopted)


def adopt_region(here: Context, region: Region, policy: Policy) -> Adoption:
    """Adopt the guarded directions that are not adopted yet, and drop those that are not guarded any more.

    Returns:
        The adoption as it is now.
    """
    adoption = region.adoption or Adoption(region=region.name)
    dropped = [direction for direction in adoption.directions if direction not in policy.directions]
    if dropped:
        adoption = replace(adoption, adopted=tuple(one for one in adoption.adopted if one[0] not in dropped))
        here.table.save_adoption(adoption)
        _report_dropped(here, dropped)
    missing = tuple(direction for direction in policy.directions if direction not in adoption.directions)
    if missing:
        if region.adoption is None:
            here.table.save_adoption(adoption)
        adoption = _adopt(here, region, policy, adoption, missing)
    if adoption.is_unreported:
        _report(here, adoption, len(region.groups))
        adoption = replace(adoption, is_unreported=False)
        here.table.save_adoption(adoption)
    return adoption


def _adopt(
    here: Context, region: Region, policy: Policy, adoption: Adoption, directions: tuple[Direction, ...]
) -> Adoption:
    stored = {group_id: one for group_id, one in region.baselines.items() if not isinstance(one, FieldError)}
    live, read_at = region.live, region.read_at
    failed: dict[str, Exception] = {**region.unreadable}
    failed |= {group_id: one for group_id, one in region.baselines.items() if isinstance(one, FieldError)}
    waiting = [group_id for group_id in region.groups if group_id not in failed]
    for left in reversed(range(_ROUNDS)):
        wanted = {}
        for group_id in waiting:
            before = stored.get(group_id) or _empty(region, group_id)
            rest = narrowed(before, [one for one in adoption.directions if one not in directions])
            wanted[group_id] = _accepted(rest, live.get(group_id, RuleSet()), directions, read_at)
        new = [one for one in wanted.values() if not one.version]
        failed |= here.table.save_new(new)
        for one in wanted.values():
            if one.version:
                _save(here, one, failed)
        # What was reverted while this went on must not count as approved: the group is accepted as it is at the end.
        again, unreadable = read_rules(here.groups(retries="adaptive"), region.groups, policy)
        failed |= unreadable
        # Whose baseline an event wrote meanwhile has not been accepted yet.
        lost = {one for one in waiting if left and isinstance(failed.get(one), RaceLostError)}
        failed = {one: error for one, error in failed.items() if one not in lost}
        waiting = [
            one
            for one in waiting
            if one in lost or (one not in failed and again.get(one, RuleSet()) != live.get(one, RuleSet()))
        ]
        live, read_at = again, context.now()
        if not waiting:
            break
        stored = {one: found for one, found in here.table.baselines(waiting).items() if isinstance(found, Baseline)}
    for group_id, error in failed.items():
        count("GroupsNotStored")
        logger.error("group not adopted", extra={"group": group_id, "problem": str(error)})
    adopted = {**dict(adoption.adopted), **dict.fromkeys(directions, region.read_at)}
    done = replace(
        adoption,
        adopted=tuple(sorted(adopted.items())),
        not_stored=tuple(sorted({*adoption.not_stored, *failed})),
        is_unreported=True,
    )
    here.table.save_adoption(done)
    return done


def _empty(region: Region, group_id: str) -> Baseline:
    return Baseline(region=region.name, group_id=group_id, group_name=region.groups[group_id].name)


def _accepted(baseline: Baseline, live: RuleSet, directions: tuple[Direction, ...], at: datetime) -> Baseline:
    for direction in directions:
        baseline = adopt(baseline, direction, live, at)
    return with_tags_seen(baseline, live)


def _save(here: Context, baseline: Baseline, failed: dict[str, Exception]) -> None:
    try:
        if here.table.save(baseline) is None:
            failed[baseline.group_id] = RaceLostError(f"The baseline of {baseline.group_id} was written meanwhile.")
    except (TooLargeError, *publishing.STATE_ERRORS) as error:
        failed[baseline.group_id] = error


def _report(here: Context, adoption: Adoption, groups: int) -> None:
    message = AdoptedMessage(
        account=here.account,
        account_name=context.account_name(here.account),
        region=adoption.region,
        adopted_at=adoption.adopted,
        groups=groups - len(adoption.not_stored),
        not_stored=adoption.not_stored,
    )
    context.publish(SECURITY_GROUP_CHANGE, message, "Security groups: adopted")
    logger.info("adopted", extra={"groups": message.groups, "not_stored": len(adoption.not_stored)})


def _report_dropped(here: Context, directions: list[Direction]) -> None:
    publishing.notice(
        here,
        "DirectionNotGuarded",
        f"Rules of the direction {' and '.join(directions)} are not guarded any more (policy key directions). What is "
        "approved of them has been forgotten; if they are guarded again, the rules of that day are adopted.",
        at=context.now(),
    )
