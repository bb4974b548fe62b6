"""Which rules of a group are approved, as far as this account can know it now.

Stored, it is the group's baseline. A group without one, in a region that has been adopted, is a new one: it has the
rules that AWS itself gives it, whatever has been heard of its creation. Before a region is adopted nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .context import Context
from .ec2.security_groups import SecurityGroups
from .rule_set import RuleSet
from .state.baseline import Baseline, start
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
        return GroupState(baseline=memory)
    facts = groups.group(group_id)
    if facts is not None and here.account and facts.owner != here.account:
        return GroupState(baseline=None, is_ours=False)
    adoption = known.adoption
    if facts is None:
        return GroupState(baseline=memory)
    if adoption is None or not adoption.adopted or group_id in adoption.not_stored:
        return GroupState(baseline=memory or Baseline(region=here.region, group_id=group_id, group_name=facts.name))
    new = start(
        region=here.region,
        group_id=group_id,
        group_name=facts.name,
        owner=facts.owner,
        directions=adoption.directions,
        live=live,
        touched=touched,
    )
    return GroupState(baseline=replace(new, version=memory.version if memory is not None else 0))
