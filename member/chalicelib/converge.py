"""Brings the rules that one call touched back to the approved state, and reads back until they are.

The approved state may change meanwhile: an approval may be carried out at this very moment. So whoever writes to EC2
looks at the baseline afterwards, and whoever writes the baseline (``applying``) looks at EC2 afterwards; whichever is
later sees the other and puts things right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.change import Change, by_identity, make_change
from shared.domain.policy import Policy
from shared.domain.rule import Rule

from . import context
from .assessment.assess import Finding, find
from .cloudtrail.call import Call
from .ec2.execution import Failure, replacing, take_back
from .ec2.plan import Plan, make_plan
from .ec2.security_groups import Ec2Error, SecurityGroups
from .state.baseline import Baseline, find_like
from .state.table import StateTable

_LOOKS: Final = 5
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """How taking a call back ended.

    Attributes:
        finding: what the call did, as first seen against this baseline.
        left: what is still to be undone; empty when everything was taken back.
        failures: what EC2 refused in the last try.
        live: the rules of the group at the end.
        read_at: a moment after they were read.
        baseline: the baseline all this was measured against.
        is_readable: EC2 showed the group.
    """

    finding: Finding
    left: Change
    failures: tuple[Failure, ...]
    live: tuple[Rule, ...]
    read_at: datetime
    baseline: Baseline | None
    is_readable: bool = True


def take_back_call(call: Call, policy: Policy, groups: SecurityGroups, table: StateTable) -> Reverted:
    """Take a call back.

    Raises:
        Ec2Error: when EC2 could not be asked (throttled, unreachable).
    """
    baseline = table.baseline(call.group_id)
    try:
        return _take_back(call, baseline, policy, groups, table)
    except Ec2Error as error:
        if error.is_transient:
            raise
        return _not_readable(call, baseline, error)


def _take_back(
    call: Call, baseline: Baseline | None, policy: Policy, groups: SecurityGroups, table: StateTable
) -> Reverted:
    first: Finding | None = None
    failures: tuple[Failure, ...] = ()
    restored: dict[str, Rule] = {}
    looks, writes = 0, 0
    while True:
        live = groups.rules(call.group_id)
        finding = find(call, baseline, live, policy.directions)
        first, looks = finding if first is None else first, looks + 1
        undo = _with_withdrawn(finding.undo, restored, baseline, live)
        is_settled = undo.is_empty and (looks > 1 or not _is_doubtful(call, finding))
        if is_settled or looks == _LOOKS or (writes > 1 and failures):
            break
        if writes or undo.is_empty:
            context.pause(_PAUSE_SECONDS)
        if undo.is_empty:
            continue
        failures = take_back(groups, call.group_id, _plan(undo, in_place=writes == 0))
        writes += 1
        transient = next((one.error for one in failures if one.error.is_transient), None)
        if transient is not None:
            raise transient
        opened = by_identity((*undo.added, *(edit.after for edit in undo.modified)))
        if opened:
            restored |= opened
            seen, baseline = baseline, table.baseline(call.group_id)
            first = first if _version(seen) == _version(baseline) else None
    return Reverted(
        finding=first,
        left=undo,
        # A refusal no longer matters when the rules are right; a rule that was replaced may be gone.
        failures=() if undo.is_empty else failures,
        live=live,
        read_at=context.now(),
        baseline=baseline,
    )


def _is_doubtful(call: Call, finding: Finding) -> bool:
    """True when the group does not show what the event tells of, and nobody has seen to it: it is looked at twice."""
    has_closed_by_id = call.kind == "add" and call.resulting is not None
    return not has_closed_by_id and not finding.is_unknown and not finding.change.is_empty


def _with_withdrawn(undo: Change, restored: dict[str, Rule], baseline: Baseline | None, live: Iterable[Rule]) -> Change:
    """Add the rules this call's revert restored whose removal has been approved meanwhile."""
    if baseline is None or not restored:
        return undo
    withdrawn = [now for rule in restored.values() if not baseline.like(rule) and (now := find_like(live, rule))]
    known = [rule for rule in withdrawn if baseline.knows(rule.direction)]
    return make_change(added=undo.added, removed=by_identity((*undo.removed, *known)).values(), modified=undo.modified)


def _plan(undo: Change, *, in_place: bool) -> Plan:
    """Return the steps of a revert; edits that had no effect in place are replaced by removing and adding the rule."""
    if in_place:
        return make_plan(undo)
    rest = make_change(added=undo.added, removed=undo.removed)
    return (*make_plan(rest), *replacing(undo.modified))


def _version(baseline: Baseline | None) -> int:
    return baseline.version if baseline is not None else 0


def _not_readable(call: Call, baseline: Baseline | None, error: Ec2Error) -> Reverted:
    """What can be said when EC2 refuses to show the group: what the event says, and that nobody checked."""
    rules = call.resulting if call.resulting is not None else call.requested
    change = make_change(added=rules) if call.kind == "add" else make_change(removed=rules)
    if call.kind not in ("add", "remove"):
        change = make_change()
    return Reverted(
        finding=Finding(change=change, undo=make_change(), reason=str(error), is_unknown=True),
        left=change,
        failures=tuple(Failure(rule=rule, error=error) for rule in rules),
        live=(),
        read_at=context.now(),
        baseline=baseline,
        is_readable=False,
    )
