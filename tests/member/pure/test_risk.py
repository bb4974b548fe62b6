"""What entries of ``[[rules]]`` say of a call before and after it is measured against the approved rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.cloudtrail.call import Call
from member.chalicelib.cloudtrail.event import read_head
from member.chalicelib.decision import Decision, may_be_let_through
from member.chalicelib.risk import (
    MOST_RULES,
    decide_by_entries,
    denial,
    facts_of_call,
    let_through,
    needs_nothing,
)
from shared.domain.change import Modification, make_change
from shared.domain.policy import Policy
from shared.domain.rule import Rule
from tests.support import events
from tests.support.examples import ACCOUNT, ADA, call, tcp
from tests.support.risk import entry

WEB, SSH = tcp(443, "sgr-1", description="web"), tcp(22, "sgr-2", description="ssh")
REVERT = Decision(verb="revert", reason="not approved yet")


def lenient(**values: Any) -> Policy:
    """A policy that lets private sources through at port 443, if no value says otherwise."""
    return Policy(rules=(entry(place="rules[0]", **({"approvals": 0, "ports": [(443, 443)]} | values)),))


def added(*rules: Rule) -> Mapping[str, object]:
    """The event of an addition."""
    items = [events.answered_rule(one, owner=ACCOUNT, group_id="sg-1") for one in rules]
    parameters = {"groupId": "sg-1", "ipPermissions": {"items": [events.permission_of(one) for one in rules]}}
    response = {"_return": True, "securityGroupRuleSet": {"items": items}}
    return events.event("AuthorizeSecurityGroupIngress", parameters, response)


@pytest.mark.parametrize(
    ("values", "may"),
    [
        ({}, True),
        ({"kinds": ("add",)}, True),
        ({"kinds": ("modify",)}, False),
        ({"accounts": (ACCOUNT,)}, True),
        ({"accounts": ("999999999999",)}, False),
        ({"regions": ("eu-*",)}, True),
        ({"regions": ("us-*",)}, False),
        ({"principals": (f"arn:aws:iam::{ACCOUNT}:*",)}, True),
        ({"principals": ("arn:aws:iam::*:role/*",)}, False),
        ({"approvals": 1}, False),
    ],
)
def test_only_an_entry_about_such_a_call_may_let_it_through(values: dict[str, Any], may: bool) -> None:
    """Known without looking at rules."""
    caller = replace(ADA, principal_arn=ADA.arn)
    assert may_be_let_through(lenient(**values), call("add", caller=caller)) == may


def test_an_addition_is_decided_by_its_answer() -> None:
    """Inside the entry, outside of it, without an answer, and of more rules than are judged."""

    def verb(event: Mapping[str, object]) -> str:
        return decide_by_entries(lenient(), event, read_head(event), REVERT).verb

    assert verb(added(WEB)) == "let_through"
    assert verb(added(WEB, SSH)) == "revert"
    silent = dict(added(WEB))
    silent["detail"] = {**silent["detail"], "responseElements": None}  # type: ignore[dict-item]
    assert verb(silent) == "revert"
    assert verb(added(*(tcp(443, f"sgr-{number}") for number in range(MOST_RULES + 1)))) == "revert"


def test_other_calls_are_decided_when_they_are_measured() -> None:
    """Nothing of a removal or an edit is reverted before."""
    assert decide_by_entries(lenient(), {}, call("remove"), REVERT).verb == "let_through"
    assert decide_by_entries(lenient(), {}, call("modify"), REVERT).verb == "let_through"


@pytest.mark.parametrize(
    "made",
    [
        call("add", resulting=(WEB,), omitted=True),
        call("add", resulting=(WEB,), unreadable="x"),
        call("add", requested=(WEB,)),
        call("add", resulting=()),
        call("add", resulting=(WEB,), requested=(WEB, SSH)),
        call("remove", rule_ids=("sgr-1",)),
        call("remove", resulting=(SSH,)),
        call("modify"),
    ],
)
def test_what_the_event_does_not_say_needs_approval(made: Call) -> None:
    """Or what it says is outside of the entry; an edit says nothing of the old values."""
    assert not needs_nothing(lenient(), made)


def test_the_change_in_the_approved_rules_counts_too() -> None:
    """Of an edit both sides, of a removal what was approved under its id."""
    inside, outside = tcp(443, "sgr-3", description="other"), tcp(80, "sgr-1")
    edit = make_change(modified=[Modification(before=WEB, after=inside)])
    assert needs_nothing(lenient(), call("modify"), edit)
    assert not needs_nothing(lenient(), call("modify"), make_change(modified=[Modification(before=SSH, after=WEB)]))
    removal = call("remove", resulting=(WEB,), requested=(WEB,))
    assert needs_nothing(lenient(), removal)
    assert needs_nothing(lenient(), removal, make_change())
    assert not needs_nothing(lenient(), removal, make_change(removed=[outside]))
    many = make_change(removed=[tcp(443, f"sgr-{number}") for number in range(2 * MOST_RULES + 1)])
    assert not needs_nothing(lenient(), removal, many)


def test_a_missing_description_is_asked_for() -> None:
    """Whatever an entry says."""
    bare = call("add", resulting=(tcp(443, "sgr-1"),))
    assert needs_nothing(lenient(), bare)
    assert not needs_nothing(replace(lenient(), require_description=True), bare)


def test_hours_hold_for_what_is_opened() -> None:
    """The sentence names the entry; a removal has none."""
    policy = lenient(max_hours=8)
    found = let_through(policy, call("add"), make_change(added=[WEB]))
    assert (found.lasts, "rules[0] contains add" in found.why) == (timedelta(hours=8), True)
    edit = make_change(modified=[Modification(before=WEB, after=WEB)])
    assert let_through(policy, call("modify"), edit).lasts == timedelta(hours=8)
    assert let_through(policy, call("remove"), make_change(removed=[WEB])).lasts is None
    assert let_through(lenient(), call("add"), make_change(added=[WEB])).lasts is None


def test_policy_denies_with_a_sentence() -> None:
    """A missing description, or an entry; what nobody can judge is not denied."""
    deny = Policy(rules=(entry(place="rules[0]", ports=[(22, 22)], deny="Use the bastion."),))
    facts = facts_of_call(call("add"), make_change(added=[SSH]))
    assert denial(deny, facts) == "denied by policy: Use the bastion."
    assert denial(deny, facts_of_call(call("add"), make_change(added=[WEB]))) == ""
    assert denial(Policy(), facts) == ""
    bare = facts_of_call(call("add"), make_change(added=[tcp(22)]))
    assert "require_description" in denial(replace(deny, require_description=True), bare)
    assert denial(deny, facts_of_call(call("add"), None)) == ""
