"""What the entries of ``[[rules]]`` say of a change in this account: let through, denied at once, or for how long.

What does not belong here: how one entry matches (``shared.domain.risk_rule``); whether approvals are enough when a
change is applied (``assessment.approvals``). Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared.domain.change import Change, make_change
from shared.domain.needs import needs, needs_zero
from shared.domain.risk_rule import RequestFacts

from .cloudtrail.event import created_rule_ids, read_rules
from .decision import Decision, denied_at_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.policy import Policy
    from shared.domain.rule import Rule

    from .cloudtrail.call import Call

MOST_RULES: Final = 500
"""A call of more rules is asked: judging it would take longer than its ports may be open meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetThrough:
    """A change that needs 0 approvals.

    Attributes:
        why: which entries say so, as a sentence.
        lasts: for how long it holds; ``None``: for good.
    """

    why: str
    lasts: timedelta | None = None


def decide_by_entries(policy: Policy, event: Mapping[str, object], head: Call, decision: Decision) -> Decision:
    """Return the decision about a call that would be reverted, now that its values have been looked at.

    Of an addition everything is in EC2's answer. What a removal or an edit did is known when it is measured against
    the approved rules; until then nothing of it is reverted either.

    Args:
        policy: of the account.
        event: the EventBridge event.
        head: the call without its rules.
        decision: to revert it.
    """
    if head.kind == "add":
        made = created_rule_ids(event)
        if not made or len(made) > MOST_RULES or not needs_nothing(policy, read_rules(event, head)):
            return decision
    return Decision(verb="let_through", reason="it needs 0 approvals (policy key rules), as far as its event says")


def needs_nothing(policy: Policy, call: Call, change: Change | None = None, approved: Iterable[Rule] = ()) -> bool:
    """Say whether a call may stay without an approval: by its values, and by what it is against the approved rules.

    Args:
        policy: of the account.
        call: with its rules.
        change: what it changed in the approved rules; ``None`` while that is not known.
        approved: the approved rules of its group, where known: together with these it may be the internet.
    """
    own = _own_change(call)
    if own is None or denied_at_once(policy, own.added):
        return False
    judged = [one for one in (own, change) if one is not None and not one.is_empty]
    known = tuple(approved)
    return bool(judged) and all(_is_zero(policy, call, one, known) for one in judged)


def let_through(policy: Policy, call: Call, change: Change, approved: Iterable[Rule] = ()) -> LetThrough:
    """Say why a change that needs 0 approvals does, and for how long it holds: a removal opens nothing."""
    found = needs(policy.rules, facts_of_call(call, change), approved)
    is_opening = bool(change.added or change.modified)
    why = "; ".join(match.why for match in found.matches)
    return LetThrough(
        why=f"0 approvals are needed (policy key rules): {why}",
        lasts=timedelta(hours=found.max_hours) if is_opening and found.max_hours is not None else None,
    )


def denial(policy: Policy, facts: RequestFacts, approved: Iterable[Rule] = ()) -> str:
    """Return why policy itself denies a change, ``""`` when people are asked.

    Args:
        policy: of the account.
        facts: the change, where, and by whom.
        approved: the approved rules of the group.
    """
    denied = denied_at_once(policy, facts.change.added if facts.change is not None else ())
    if denied or not policy.rules:
        return denied
    sentence = needs(policy.rules, facts, approved).deny
    return f"denied by policy: {sentence}" if sentence else ""


def facts_of_call(call: Call, change: Change | None) -> RequestFacts:
    """Return what entries judge of a call."""
    return RequestFacts(
        account=call.account,
        region=call.region,
        group_id=call.group_id,
        principal_arn=call.caller.principal_arn,
        change=change,
    )


def _own_change(call: Call) -> Change | None:
    """Return what a call did by its event alone; empty for an edit, whose event lacks the old values.

    ``None`` where the event does not say all of it.
    """
    if call.omitted or call.unreadable:
        return None
    if call.kind not in ("add", "remove"):
        return make_change()
    answered = call.resulting
    if not answered or len(answered) > MOST_RULES or len(answered) < len(_distinct(call.requested)):
        return None
    return make_change(added=answered) if call.kind == "add" else make_change(removed=answered)


def _distinct(rules: Iterable[Rule]) -> Collection[str]:
    return {rule.identity for rule in rules}


def _is_zero(policy: Policy, call: Call, change: Change, approved: Iterable[Rule]) -> bool:
    return len(change.rules) <= 2 * MOST_RULES and needs_zero(policy.rules, facts_of_call(call, change), approved)
