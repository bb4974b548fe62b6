"""How many AWS calls each flow makes, and which come before the port is closed. Counts are exact, so they are asserted.

The bench relies on these figures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from member.chalicelib import context
from tests.support import events
from tests.support.faults import Faults
from tests.support.member_account import ACCOUNT, Member, Person, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule(22, "0.0.0.0/0", "open")
WEB = rule(443, "10.0.0.0/8", "web")

STATE = "BatchGetItem"
ENTRY = BASELINE = ADOPTION = PULSE = "GetItem"
RULES = "DescribeSecurityGroupRules"
GROUP = "DescribeSecurityGroups"
REVOKE, AUTHORIZE, MODIFY = (
    "RevokeSecurityGroupIngress",
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
)
DESCRIBE = "UpdateSecurityGroupRuleDescriptionsIngress"
REACHED = ["DescribeNetworkInterfaces", GROUP]
"""What a question's change reaches: interfaces and tags, after the revert."""
FILE, SAVE, MOVE, TELL = "PutItem", "PutItem", "UpdateItem", "Publish"


@pytest.fixture
def calls(member: Member, faults: Faults) -> Callable[..., list[str]]:
    """Return a function that delivers an event and returns the calls that took."""

    def made(*some: events.Json) -> list[str]:
        faults.calls.clear()
        with faults.watching():
            member.deliver(*some)
        return faults.operations

    return made


Calls = Callable[..., list[str]]


@pytest.mark.parametrize("number", [1, 60])
def test_an_addition_closes_first(member: Member, ada: Person, calls: Calls, number: int) -> None:
    """No call before the revoke, one revoke for all rules; then ledger, baseline, read-back, reach, publishing."""
    member.snapshot()
    event = ada.opens(*(rule(port, "0.0.0.0/0", "x") for port in range(number)))
    assert calls(event) == [REVOKE, STATE, RULES, *REACHED, FILE, TELL]


def test_an_addition_asks_sts_once(member: Member, calls: Calls) -> None:
    """The first event of a container asks who we are; after that nothing comes before the revoke."""
    member.snapshot()
    context._own_session_arn.cache_clear()
    role = Person(member, identity=events.assumed_role("deploy", account=ACCOUNT))
    assert calls(role.opens(OPEN))[:2] == ["GetCallerIdentity", REVOKE]
    assert calls(role.opens(WEB))[0] == REVOKE


def test_a_deployed_app_asks_nobody_who_it_is(member: Member, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes before the revoke, whoever made the call, even if it is the container's first event."""
    monkeypatch.setenv("ownRoleArn", f"arn:aws:iam::{ACCOUNT}:role/security-group-approval-member-prod-eu-west-1")
    member.snapshot()
    role = Person(member, identity=events.assumed_role("deploy", account=ACCOUNT))
    assert calls(role.opens(OPEN)) == [REVOKE, STATE, RULES, *REACHED, FILE, TELL]


def test_an_addition_without_ids_looks_first(member: Member, ada: Person, calls: Calls) -> None:
    """The ledger may know it; the group says which rules it is about."""
    member.snapshot()
    event = ada.opens(OPEN, with_answer=False)
    assert calls(event) == [STATE, RULES, REVOKE, RULES, *REACHED, FILE, TELL]


def test_a_removal(member: Member, ada: Person, calls: Calls) -> None:
    """Restored, then the baseline looked at again (an approval may have come), filed, told, and its new id noted."""
    member.holds(WEB, OPEN)
    member.snapshot()
    event = ada.closes(WEB, OPEN)
    assert calls(event) == [STATE, RULES, AUTHORIZE, STATE, RULES, *REACHED, FILE, TELL, SAVE]


@pytest.mark.parametrize("number", [1, 3])
def test_an_edit(member: Member, ada: Person, calls: Calls, number: int) -> None:
    """One call for each edited rule; nothing to note in the baseline, since the ids stay."""
    rules = [rule(port, "10.0.0.0/8", "x") for port in range(number)]
    member.holds(*rules)
    member.snapshot()
    event = ada.edits(*((one, rule(1000 + (one.from_port or 0), "10.0.0.0/8", "y")) for one in rules))
    assert calls(event) == [STATE, RULES, *[MODIFY] * number, STATE, RULES, *REACHED, FILE, TELL]


def test_a_description(member: Member, ada: Person, calls: Calls) -> None:
    """One call for all descriptions."""
    member.holds(WEB, OPEN)
    member.snapshot()
    event = ada.describes(with_description(WEB, "a"), with_description(OPEN, "b"))
    assert calls(event) == [STATE, RULES, DESCRIBE, STATE, RULES, *REACHED, FILE, TELL]


def test_a_new_group_costs_its_name_and_its_baseline(member: Member, calls: Calls) -> None:
    """Both are kept, so the next event of the group is as cheap as any."""
    member.snapshot()
    ada = Person(member, group_id=member.new_group())
    assert calls(ada.opens(OPEN)) == [REVOKE, STATE, RULES, GROUP, *REACHED, SAVE, FILE, TELL]
    assert calls(ada.opens(OPEN)) == [REVOKE, STATE, RULES, *REACHED, FILE, TELL]


@pytest.mark.parametrize("number", [1, 60])
def test_an_event_delivered_again(member: Member, ada: Person, calls: Calls, number: int) -> None:
    """The refused revoke and the ledger say that all is done; it is told again."""
    member.snapshot()
    event = ada.opens(*(rule(port, "0.0.0.0/0", "x") for port in range(number)))
    calls(event)
    assert calls(event) == [REVOKE, STATE, TELL]
    removal_of = rule(100, "10.0.0.0/8", "x")
    member.holds(removal_of)
    removal = ada.closes(removal_of)
    calls(removal)
    assert calls(removal) == [STATE, TELL]


def test_what_is_ignored_costs_nothing(member: Member, ada: Person, calls: Calls) -> None:
    """Failed calls and unguarded directions make no call at all."""
    member.snapshot()
    out = ada.opens(rule(25, "0.0.0.0/0", "x", direction="egress"))
    failed = ada.event("AuthorizeSecurityGroupIngress", {"groupId": member.group_id}, None, errorCode="Client.X")
    assert calls(out, failed) == []


def test_what_is_allowed(member: Member, calls: Calls, ada: Person, policy: Callable[[str], None]) -> None:
    """An exempt change is read and noted; an observed one is filed and told too."""
    member.snapshot()
    policy(f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:user/*"]')
    assert calls(ada.opens(OPEN)) == [STATE, SAVE]
    policy('mode = "observe"')
    assert calls(ada.opens(WEB)) == [STATE, RULES, SAVE, FILE, TELL]


def test_new_and_deleted_groups(member: Member, ada: Person, calls: Calls) -> None:
    """A new group costs nothing, a deleted one its deletion."""
    member.snapshot()
    made = member.new_group()
    created = ada.event("CreateSecurityGroup", {"groupName": "x"}, {"groupId": made})
    assert calls(created) == []
    assert calls(ada.event("DeleteSecurityGroup", {"groupId": made}, {"_return": True})) == ["DeleteItem"]


def test_an_approval(member: Member, ada: Person, faults: Faults) -> None:
    """Ledger, group, intent, the change, read-back, baseline, one more look, outcome, publishing; again: two calls."""
    member.holds(WEB)
    member.snapshot()
    changes = {
        AUTHORIZE: lambda: ada.opens(OPEN),
        MODIFY: lambda: ada.edits((WEB, rule(444, "10.0.0.0/8", "web"))),
        REVOKE: lambda: ada.closes(OPEN),
    }
    for change, make in changes.items():
        member.deliver(make())
        request = member.told_request()
        faults.calls.clear()
        with faults.watching():
            member.approve(request)
        # Of a removal, whether its requester has put the rule back since.
        looked = [BASELINE] if change == REVOKE else []
        assert faults.operations == [
            ENTRY, *looked, RULES, MOVE, change, RULES, BASELINE, SAVE, RULES, MOVE, TELL,
        ]  # fmt: skip
        faults.calls.clear()
        with faults.watching():
            member.approve(request)
        assert faults.operations == [ENTRY, TELL]
        member.told()


def test_a_refused_approval(member: Member, ada: Person, faults: Faults) -> None:
    """A conflict is found before anything is written but the outcome."""
    member.snapshot()
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    member.holds(OPEN)
    with faults.watching():
        member.approve(request)
    assert faults.operations == [ENTRY, RULES, MOVE, TELL]


def test_drift(member: Member, faults: Faults) -> None:
    """A difference costs one write to note it, and ten calls to see to it; at last: is a heartbeat due?"""
    member.snapshot()
    with faults.watching():
        member.snapshot()
    quiet = [GROUP, ADOPTION, STATE, RULES]
    assert faults.operations == [*quiet, PULSE]
    member.holds(OPEN)
    faults.calls.clear()
    with faults.watching():
        member.snapshot()
    assert faults.operations == [*quiet, SAVE, PULSE]
    faults.calls.clear()
    with faults.watching():
        member.snapshot(after=timedelta(minutes=16))
    assert faults.operations == [*quiet, RULES, BASELINE, *REACHED, FILE, SAVE, REVOKE, RULES, TELL, SAVE, PULSE]
