"""Says what the policy would do with a recorded call, and why, before anybody deploys it.

The judgements are those of ``shared.domain.policy``; here they are only put into sentences. What only the
account knows (baselines, live groups, the direction of an edited rule) is named as such, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from member.chalicelib.cloudtrail.asks import asked_call, asked_head
from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.cloudtrail.event import EventError, read_head, read_rules
from member.chalicelib.decision import Decision, decide, denied_at_once
from member.chalicelib.decision_of_asks import DRY_RUN, REFUSED, reason_not_to_ask
from shared.domain.caller import is_session_of
from shared.domain.needs import Needs
from shared.domain.policy import Policies, Policy
from shared.domain.rule import Rule
from shared.policy.cli.explained_needs import Explained, explain_needs
from shared.policy.cli.requester import requester_of
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
        asks: the call changed nothing, and would ask first.
        rules: the rules in the event, each a line of text.
        denied: why policy itself would deny the request; empty when people are asked, or nobody is.
        needs: what the request would need; ``None`` when nothing is to be decided.
        deciders: who could approve, as a sentence; empty when there is nothing to approve.
        gathered: with which calls it would be asked as one question, as a sentence; empty when it is asked alone.
        sentences: all of it for people, one line each.
    """

    call: Call
    decision: Decision
    asks: bool = False
    rules: tuple[str, ...]
    denied: str = ""
    needs: Needs | None = None
    deciders: str = ""
    gathered: str = ""
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
    head = read_head(event)
    is_ask = head.error_code in (DRY_RUN, REFUSED)
    call = asked_call(event, asked_head(event, head)) if is_ask else read_rules(event, head)
    if call.unreadable and not is_ask:
        path, _, problem = call.unreadable.partition(": ")
        raise EventError(path, problem)
    policy = policies.for_account(call.account)
    is_own = is_session_of(call.caller, own_session)
    decision = decide(policy, call, is_own=is_own)
    if is_ask:
        return _explanation_of_ask(policy, call, decision, is_own=is_own)
    enforced = decide(replace(policy, mode="enforce"), call, is_own=is_own)
    explained = explain_needs(policy, call) if enforced.verb == "revert" else None
    return _explanation(policy, call, decision, explained)


def _explanation(policy: Policy, call: Call, decision: Decision, explained: Explained | None) -> Explanation:
    rules = _rules(call)
    denied = gathered = deciders = ""
    sentences = [_what(call), *(f"- {rule}" for rule in rules)]
    if explained is not None and decision.verb == "revert":
        denied = denied_at_once(policy, _known(call)) if call.kind == "add" else ""
        denied = denied or explained.needs.deny
    if explained is None or denied or not explained.is_zero or decision.verb != "revert":
        sentences.append(f"{_WOULD[decision.verb]}: {decision.reason}.")
    else:
        sentences.append("It would stay in force, without a question, and become part of what is approved.")
    if explained is not None and decision.verb != "revert":
        sentences += ["In enforce mode:", *explained.sentences]
    elif denied and explained is not None and not explained.needs.deny:
        sentences.append(f"Nobody would be asked: {denied}.")
    elif explained is not None:
        deciders = explained.deciders
        gathered = "" if denied or explained.is_zero else _gathered(policy, call)
        sentences += [*explained.sentences[: len(explained.sentences) - bool(deciders)], gathered, deciders]
    return Explanation(
        call=call,
        decision=decision,
        rules=rules,
        denied=denied,
        needs=None if explained is None else explained.needs,
        deciders=deciders,
        gathered=gathered,
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _explanation_of_ask(policy: Policy, call: Call, decision: Decision, *, is_own: bool) -> Explanation:
    """Explain a dry run or a refused call, as if it were made just now."""
    rules = _rules(call)
    sentences = [_what(call), *(f"- {rule}" for rule in rules)]
    reason = reason_not_to_ask(policy, call, is_own=is_own, now=call.event_time)
    if call.omitted and not reason:
        reason = (
            f"its parameters are not all there, or cannot be read{f' ({call.unreadable})' if call.unreadable else ''}"
        )
    if reason:
        sentences += [f"{_WOULD[decision.verb]}: {decision.reason}.", f"It would ask nothing: {reason}."]
        return Explanation(call=call, decision=decision, rules=rules, sentences=tuple(sentences))
    explained = explain_needs(policy, call, origin="ask")
    denied = denied_at_once(policy, call.requested) if call.kind == "add" else ""
    denied = denied or explained.needs.deny
    sentences.append(f"It changed nothing ({call.error_code}), and asks: the product makes the change once approved.")
    sentences += explained.sentences if explained.needs.deny or not denied else [f"Nobody would be asked: {denied}."]
    sentences += [] if denied else [_gathered(policy, call)]
    return Explanation(
        call=call,
        decision=decision,
        asks=True,
        rules=rules,
        denied=denied,
        needs=explained.needs,
        deciders="" if denied else explained.deciders,
        gathered="" if denied else _gathered(policy, call),
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _gathered(policy: Policy, call: Call) -> str:
    if not policy.gather_seconds:
        return ""
    where = f"in account {call.account}, {call.region}"
    return (
        f"Calls by {visible(requester_of(call.caller))} {where} within {policy.gather_seconds:g} seconds of each other "
        "would be asked as one question."
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
        "asks": explanation.asks,
        "deniedAtOnce": explanation.denied,
        "needs": None if explanation.needs is None else _needs_json(explanation.needs),
        "deciders": explanation.deciders,
        "batch": {"requester": requester_of(call.caller), "account": call.account, "region": call.region}
        if explanation.gathered
        else None,
        "sentences": list(explanation.sentences),
    }


def _needs_json(needs: Needs) -> dict[str, Any]:
    return {
        "approvals": needs.approvals,
        "approvers": [list(one) for one in needs.approvers],
        "maxHours": needs.max_hours,
        "deny": needs.deny,
        "mention": list(needs.mention),
        "entries": [{"entry": match.place, "why": match.why} for match in needs.matches],
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
