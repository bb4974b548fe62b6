"""Says what the policy would do with a recorded call, and why, before anybody deploys it.

The judgements are those of ``shared.domain.policy``; here they are only put into sentences. What only the
account knows (baselines, live groups, the direction of an edited rule) is named as such, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.cloudtrail.event import EventError, read_head, read_rules
from member.chalicelib.decision import Decision, decide, denied_at_once
from shared.domain.caller import is_session_of
from shared.domain.policy import Policies, Policy, may_decide, person_behind
from shared.domain.rule import Rule
from shared.slack.describe import peer, sentence, traffic
from shared.slack.text import visible
from shared.wire.rule_json import time_to_text

_ROLE_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):"
    r"(?:iam::(?P<account>\d{12}):role/(?:.+/)?(?P<role>[^/]+)|sts::\d{12}:assumed-role/[^/]+/.+)\Z"
)
_WOULD: Final = {
    "ignore": "It would be ignored",
    "allow": "It would stay in force and become part of what is approved",
    "report": "It would stay in force and be reported in both channels",
    "revert": "It would be reverted at once",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would happen to one call.

    Attributes:
        call: the call with its rules.
        decision: what the member account would do, and why.
        rules: the rules in the event, each a line of text.
        denied: why policy itself would deny the request; empty when people are asked, or nobody is.
        deciders: who could approve, as a sentence; empty when there is nothing to approve.
        sentences: all of it for people, one line each.
    """

    call: Call
    decision: Decision
    rules: tuple[str, ...]
    denied: str
    deciders: str
    sentences: tuple[str, ...]


def session_of_role(arn: str) -> str:
    """Return the ARN of some session of a role.

    Args:
        arn: ``arn:aws:iam::222222222222:role/member``, or the ARN of a session, which is returned as it is.

    Raises:
        ValueError: when it is neither.
    """
    match = _ROLE_ARN.match(arn)
    if match is None:
        raise ValueError(f"{arn!r} is not the ARN of a role, such as arn:aws:iam::222222222222:role/member")
    if match["role"] is None:
        return arn
    return f"arn:{match['partition']}:sts::{match['account']}:assumed-role/{match['role']}/session"


def explain(policies: Policies, event: Mapping[str, object], *, own_session: str = "") -> Explanation:
    """Judge one event as the member account would, and say so in words.

    Args:
        policies: what holds.
        event: the EventBridge envelope with ``detail``.
        own_session: ARN of a session of the product's own role; empty: no call is the product's own.

    Raises:
        EventError: when the event cannot be read; names the field.
    """
    call = read_rules(event, read_head(event))
    if call.unreadable:
        path, _, problem = call.unreadable.partition(": ")
        raise EventError(path, problem)
    policy = policies.for_account(call.account)
    decision = decide(policy, call, is_own=is_session_of(call.caller, own_session))
    rules = _rules(call)
    would_add = call.kind == "add" and decision.verb == "revert"
    denied = denied_at_once(policy, _known(call)) if would_add else ""
    deciders = _deciders(policy, call) if decision.verb == "revert" and not denied else ""
    sentences = [_what(call), *(f"- {rule}" for rule in rules), f"{_WOULD[decision.verb]}: {decision.reason}."]
    sentences += [f"Nobody would be asked: {denied}."] if denied else []
    sentences += [deciders] if deciders else []
    return Explanation(
        call=call, decision=decision, rules=rules, denied=denied, deciders=deciders, sentences=tuple(sentences)
    )


def to_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation for other programs; later versions may add names."""
    call = explanation.call
    return {
        "requestId": call.request_id,
        "call": call.name,
        "account": call.account,
        "region": call.region,
        "group": call.group_id or call.group_name,
        "caller": {"name": call.caller.name, "type": call.caller.type, "principal": call.caller.principal_arn},
        "rules": list(explanation.rules),
        "decision": explanation.decision.verb,
        "reason": explanation.decision.reason,
        "deniedAtOnce": explanation.denied,
        "deciders": explanation.deciders,
        "sentences": list(explanation.sentences),
    }


def _what(call: Call) -> str:
    name = call.group_id or visible(call.group_name)
    group = f"group {name}" if name else "a group not named here"
    where = f"account {call.account}, {call.region}"
    return f"{call.name} by {visible(call.caller.name)} on {group} ({where}) at {time_to_text(call.event_time)}."


def _known(call: Call) -> tuple[Rule, ...]:
    return call.requested if call.resulting is None else call.resulting


def _rules(call: Call) -> tuple[str, ...]:
    lines = [_rule(rule) for rule in _known(call)]
    lines += [_edit(edit) for edit in call.edits]
    if not lines:
        lines = [f"rule {rule_id}, whose values are known in the account only" for rule_id in call.rule_ids]
    if call.omitted:
        lines.append(
            "and perhaps more: CloudTrail left out a part of this event, the account compares the group itself"
        )
    return tuple(lines)


def _rule(rule: Rule) -> str:
    return f"{sentence(rule)}, {_described(rule.description)}"


def _edit(edit: RuleEdit) -> str:
    if edit.after is None:
        return f"rule {edit.rule_id}, from now on {_described(edit.description)}"
    # The direction of an edited rule is not in the event, so nothing is said of from or to.
    rule = edit.after
    return f"rule {edit.rule_id}, from now on {traffic(rule)}, {peer(rule.source)}, {_described(rule.description)}"


def _described(description: str) -> str:
    return f'described as "{visible(description)}"' if description else "without description"


def _deciders(policy: Policy, call: Call) -> str:
    person = person_behind(policy, call.caller)
    nobody_knows = not policy.allow_self_approval and person is None
    allowed = [
        user_id
        for user_id in policy.approvers
        if may_decide(policy, user_id=user_id, approving=True, requester=call.caller).allowed
    ]
    if nobody_knows:
        return (
            "Two different people would have to approve it: self-approval is off (policy key allow_self_approval), and "
            "the requester is not listed under [people]."
        )
    if policy.approvers and not allowed:
        return (
            "Nobody could approve it: the only approver is the requester (policy keys approvers, allow_self_approval)."
        )
    if allowed:
        return f"It could be approved by {', '.join(allowed)} (policy key approvers)."
    but = "" if policy.allow_self_approval else f", but not {person}, who made it (policy key allow_self_approval)"
    return f"It could be approved by everybody who can click in the approval channel{but}."
