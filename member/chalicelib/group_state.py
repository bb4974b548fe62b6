"""Which rules of a group are approved, as far as this account can know it now.

Stored, it is the group's baseline. A group without one, in a region that has been adopted, is a new one: it has the
rules that AWS itself gives it, whatever has been heard of its creation. Before a region is adopted nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeGuard

from .context import Context
from .ec2.security_groups import GroupFacts, SecurityGroups
from .rule_set import RuleSet
from .state.baseline import Baseline, start, with_unread
from .state.items import Adoption
from .state.table import Known


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """What is known of a group.

    Attributes:
        baseline: its approved rules; ``None`` when nobody can know them. One without a direction, before the region is
            adopted or of a group that could not be stored then, only remembers what was added without approval.
        is_ours: the group belongs to this account; a shared VPC shows groups of others.
    """

    baseline: Baseline | None
    is_ours: bool = True


def baseline_of(
    here: Context, known: Known, groups: SecurityGroups, group_id: str, live: RuleSet, touched: str = ""
) -> GroupState:
    """Return which rules of a group are approved.

    Args:
        here: this invocation.
        known: what the table says.
        groups: the account's groups.
        group_id: which group.
        live: its rules now.
        touched: the id of the rule that the call at hand edited or removed by id, if it is one alone.

    Raises:
        Ec2Error: when EC2 could not be asked about the group itself.
    """
    memory = known.baseline
    if (memory is not None and memory.adopted) or known.unread is not None or known.damaged:
        return GroupState(baseline=_with_unread(memory, known))
    facts = groups.group(group_id)
    if facts is not None and here.account and facts.owner != here.account:
        return GroupState(baseline=None, is_ours=False)
    adoption = known.adoption
    if facts is None:
        return GroupState(baseline=_with_unread(memory, known))
    if not is_started(adoption, group_id):
        empty = Baseline(region=here.region, group_id=group_id, group_name=facts.name)
        return GroupState(baseline=_with_unread(memory or empty, known))
    return GroupState(baseline=started(here.region, facts, adoption, live, memory, touched))


def is_started(adoption: Adoption | None, group_id: str) -> TypeGuard[Adoption]:
    """True where a group without a baseline is a new one: the region was adopted, and the group could be stored."""
    return adoption is not None and bool(adoption.adopted) and group_id not in adoption.not_stored


def started(
    region: str, facts: GroupFacts, adoption: Adoption, live: RuleSet, memory: Baseline | None, touched: str = ""
) -> Baseline:
    """Return the baseline of a group that came after its region was adopted; ``memory`` is what is stored of it."""
    new = start(
        region=region,
        group_id=facts.group_id,
        group_name=facts.name,
        owner=facts.owner,
        directions=adoption.directions,
        live=live,
        touched=touched,
    )
    return replace(new, version=memory.version if memory is not None else 0)


def _with_unread(memory: Baseline | None, known: Known) -> Baseline | None:
    return None if memory is None else with_unread(memory, known.unread_since)
