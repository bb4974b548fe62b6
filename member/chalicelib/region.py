"""All groups of a region beside what is stored about them, read in a fixed number of calls.

What is stored is read before rules, and every write is conditional on what was read. So an event that is handled
meanwhile wins: what it changed is looked at again by the next snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.change import diff
from shared.domain.policy import Policy
from shared.domain.rule import Rule
from shared.wire.fields import FieldError

from . import context
from .context import Context
from .drift import Look
from .ec2.security_groups import GroupFacts, SecurityGroups
from .group_state import is_started, started
from .rule_set import RuleSet
from .state.baseline import Baseline, differences
from .state.items import Adoption


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What there is, and what is stored.

    Attributes:
        name: e.g. ``eu-west-1``.
        adoption: when the region was adopted; ``None`` when it was not, or when that cannot be read.
        damaged: why the adoption cannot be read; else empty.
        groups: the groups of this account, by id.
        foreign: ids of groups that belong to other accounts and are only shown here.
        baselines: what is stored, by group id; in the place of one that cannot be read, its error.
        live: the rules in the guarded directions, by group id.
        unreadable: groups one of whose rules cannot be read, and why.
        read_at: a moment after the rules were read.
    """

    name: str
    adoption: Adoption | None
    damaged: str
    groups: dict[str, GroupFacts]
    foreign: tuple[str, ...]
    baselines: dict[str, Baseline | FieldError]
    live: dict[str, RuleSet]
    unreadable: dict[str, Exception] = field(default_factory=dict)
    read_at: datetime

    def looks(self, policy: Policy, now: datetime) -> Iterator[tuple[Look, Baseline]]:
        """Yield each group of which the approved rules are known, with its baseline."""
        adoption = self.adoption
        for group_id, facts in self.groups.items():
            known = self.baselines.get(group_id)
            if isinstance(known, FieldError):
                continue
            live = self.live.get(group_id, RuleSet())
            if (known is None or not known.adopted) and is_started(adoption, group_id):
                known = started(self.name, facts, adoption, live, known)
            if known is not None and known.adopted:
                is_partial = group_id in self.unreadable
                look = Look(facts=facts, live=live, read_at=self.read_at, policy=policy, now=now, is_partial=is_partial)
                yield look, known


def read_region(here: Context, policy: Policy) -> Region:
    """Read all groups of the region, and what is stored about them.

    Raises:
        Ec2Error: when EC2 could not be asked.
        botocore.exceptions.ClientError: when the table could not be asked.
    """
    reader = here.groups(retries="adaptive")
    groups = {one.group_id: one for one in reader.all_groups()}
    foreign = tuple(one.group_id for one in groups.values() if here.account and one.owner != here.account)
    for group_id in foreign:
        del groups[group_id]
    adoption, damaged = None, ""
    try:
        adoption = here.table.adoption()
    except FieldError as error:
        damaged = str(error)
    baselines = here.table.baselines([*groups, *foreign])
    live, unreadable = read_rules(reader, groups, policy)
    return Region(
        name=here.region,
        adoption=adoption,
        damaged=damaged,
        groups=groups,
        foreign=tuple(group_id for group_id in foreign if group_id in baselines),
        baselines={group_id: one for group_id, one in baselines.items() if group_id in groups},
        live=live,
        unreadable=unreadable,
        read_at=context.now(),
    )


def read_rules(
    reader: SecurityGroups, groups: dict[str, GroupFacts], policy: Policy
) -> tuple[dict[str, RuleSet], dict[str, Exception]]:
    """Return the rules of each group in the guarded directions, and which groups have one that cannot be read."""
    rules: dict[str, list[Rule]] = defaultdict(list)
    unreadable: dict[str, Exception] = {}
    for group_id, rule in reader.all_rules():
        facts = groups.get(group_id)
        if facts is None:
            continue
        if isinstance(rule, FieldError):
            unreadable[group_id] = rule
        elif rule.direction in policy.directions:
            rules[group_id].append(_owned(rule, facts.owner))
    return {group_id: RuleSet(some) for group_id, some in rules.items()}, unreadable


def _owned(rule: Rule, owner: str) -> Rule:
    if rule.source.kind == "group" and not rule.source.account:
        return replace(rule, source=replace(rule.source, account=owner))
    return rule


def groups_that_differ(here: Context, policy: Policy, *, since: datetime, may_open: bool = True) -> list[str]:
    """Return the groups whose difference to their baselines no snapshot saw before a call.

    Args:
        here: this invocation.
        policy: of the account.
        since: when the call was made; what differed before is not its doing.
        may_open: it may have opened something: groups in which rules that were removed since have been restored count,
            too.
    """
    region = read_region(here, policy)
    stored = [one for one in region.baselines.values() if may_open and isinstance(one, Baseline)]
    found = {one.group_id for one in stored if one.doubt.restored_since(since)}
    for look, known in region.looks(policy, since):
        wanted = [direction for direction, _ in known.adopted]
        parts = differences(diff(known.rules.of(wanted), look.live.of(wanted)))
        older = {one.key for one in known.differences if one.since < since}
        if parts.keys() - older:
            found.add(look.facts.group_id)
    return sorted(found)
