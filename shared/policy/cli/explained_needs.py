"""Says what a recorded call needs by ``[[rules]]``, and who could approve it, as far as its event alone shows.

Old values of edited rules and the approved ranges of the group are known in the account only; where they count, a
sentence says so.

What does not belong here: whether the call is reverted at all (``explanation``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shared.domain.change import Change, Modification, make_change
from shared.domain.needs import Needs, needs_zero, strictest
from shared.domain.policy import Policy, person_behind
from shared.domain.request import Origin, Request
from shared.domain.request_needs import facts_of, needs_of
from shared.domain.rule import DIRECTIONS, cidr, make_rule
from shared.slack.text import visible

from .approver_checks import everybody_who_can
from .entry_words import EVERYBODY, approvals_in_words, who_may_approve

if TYPE_CHECKING:
    from member.chalicelib.cloudtrail.call import Call
    from shared.domain.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a call needs.

    Attributes:
        needs: approvals, approvers, hours, a denial, and the entries that say so.
        is_zero: it needs no approval, and stays in force.
        deciders: who could approve, as a sentence; empty when nobody is asked.
        sentences: all of it for people, one line each.
    """

    needs: Needs
    is_zero: bool
    deciders: str
    sentences: tuple[str, ...]


def explain_needs(policy: Policy, call: Call, *, origin: Origin = "call") -> Explained:
    """Say what a call needs.

    Args:
        policy: of the call's account.
        call: with its rules.
        origin: ``ask`` for a call that asks first.
    """
    requests = [_request(call, change, origin) for change in _changes(policy, call)]
    required = strictest([needs_of(policy, request) for request in requests])
    is_edit = call.kind in ("modify", "describe")
    is_zero = (
        origin == "call"
        and not call.omitted
        and all(needs_zero(policy.rules, facts_of(request)) for request in requests)
    )
    deciders = "" if required.deny or (is_zero and not is_edit) else _deciders(policy, call.caller, required, origin)
    sentences = [f"{match.why}." for match in required.matches]
    sentences += list(_what_it_needs(required, is_zero=is_zero, is_edit=is_edit))
    sentences += list(_unknown(policy, call, requests, required))
    sentences += [deciders] if deciders else []
    is_sure = is_zero and not is_edit
    return Explained(
        needs=replace(required, approvals=0) if is_sure else required,
        is_zero=is_sure,
        deciders=deciders,
        sentences=tuple(dict.fromkeys(sentences)),
    )


def _request(call: Call, change: Change, origin: Origin) -> Request:
    return Request(
        request_id=call.request_id,
        account=call.account,
        account_name="",
        region=call.region,
        group_id=call.group_id,
        group_name=call.group_name,
        requester=call.caller,
        event_name=call.name,
        event_time=call.event_time,
        change=change,
        origin=origin,
    )


def _changes(policy: Policy, call: Call) -> Sequence[Change]:
    """Return what the call may have changed; of an edit, whose event lacks the direction, one for each direction."""
    known = call.requested if call.resulting is None else call.resulting
    if call.kind == "add":
        return [make_change(added=known)]
    if call.kind == "remove":
        return [make_change(removed=known)]
    after = [*(edit.after for edit in call.edits if edit.after is not None), *call.requested]
    directions = policy.directions if call.direction is None else (call.direction,)
    turned = [[replace(rule, direction=direction) for rule in after] for direction in directions]
    return [make_change(modified=[Modification(before=rule, after=rule) for rule in rules]) for rules in turned] or [
        make_change()
    ]


def _what_it_needs(required: Needs, *, is_zero: bool, is_edit: bool) -> Iterator[str]:
    hours = "" if required.max_hours is None else f", for at most {required.max_hours:g} hours"
    if required.deny:
        yield f"It would be denied at once, and nobody asked: {visible(required.deny)}"
    elif is_zero and is_edit:
        yield f"It needs 0 approvals if the old values, which the event lacks, are inside such an entry, too{hours}."
    elif is_zero:
        yield f"It needs 0 approvals, and is told in monitoring{hours}."
    else:
        number = "1 approval" if required.approvals == 1 else f"approvals by {required.approvals} different people"
        yield f"It needs {number}{hours}."
    if required.mention and not required.deny:
        yield f"The question names {', '.join(required.mention)}."


def _unknown(policy: Policy, call: Call, requests: Sequence[Request], required: Needs) -> Iterator[str]:
    if not policy.rules:
        return
    if call.omitted or all(request.change.is_empty for request in requests):
        yield "The event lacks values that entries of [[rules]] are compared with; the account knows them."
    matched = {match.place for match in required.matches}
    widest = strictest([needs_of(policy, request, _INTERNET) for request in requests])
    more = [match.place for match in widest.matches if match.place not in matched]
    if more:
        yield (
            f"{', '.join(more)} would match, too, if together with what is approved in the group, which only the "
            "account knows, these ranges are the internet."
        )


_INTERNET: Final = tuple(
    make_rule(direction=direction, protocol="-1", source=cidr(block))
    for direction in DIRECTIONS
    for block in ("0.0.0.0/0", "::/0")
)


def _deciders(policy: Policy, caller: Caller, required: Needs, origin: Origin) -> str:
    person = person_behind(policy, caller)
    is_own_barred = origin == "ask" or not policy.allow_self_approval
    barred = {person} if is_own_barred and person is not None else set()
    approvals = max(required.approvals, 1)
    can = everybody_who_can(policy.approvers, *required.approvers)
    if can is not None and len(can - barred) < approvals:
        return f"Nobody could approve it: {_why_nobody(approvals, can, barred)}."
    who = who_may_approve(policy, *required.approvers, without=barred)
    text = f"It could be approved by {approvals_in_words(approvals, who) if approvals > 1 else who}"
    if is_own_barred and person is None:
        why = "nobody approves what they ask first" if origin == "ask" else "self-approval is off"
        return f"{text}: {why}, and the requester is not listed under [people]."
    if can is None and barred:
        return f"{text}, but not {person}, who {_BARRED[origin == 'ask']}."
    return f"{text}{'' if who == EVERYBODY else ' (policy key approvers)'}."


_BARRED: Final = {False: "made it (policy key allow_self_approval)", True: "asks first"}


def _why_nobody(approvals: int, can: frozenset[str], barred: set[str]) -> str:
    if approvals == 1 and can and not can - barred:
        return "the only approver is the requester (policy keys approvers, allow_self_approval)"
    people = "1 person has" if approvals == 1 else f"{approvals} different people have"
    but = f", without the requester {', '.join(barred)}" if barred & can else ""
    return f"{people} to, and these are in every list of approvers: {', '.join(sorted(can)) or 'nobody'}{but}"
