"""Approved batches: the net change of each group is applied once, all of it or nothing; each request is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.wire.messages import AppliedMessage, EndedMessage, ErrorMessage, RequestMessage, write_message
from tests.support.events import Json
from tests.support.faults import KINDS, Faults, Kind, deliver_as_lambda
from tests.support.member_account import Member, Person, batch_approval, exact, rule, with_description
from tests.support.memory_account import MemoryMember, memory_member

SSH, WEB = rule(22, "10.0.0.0/8", "office"), rule(443, "10.0.0.0/8", "web")
THE_OFFICE = with_description(SSH, "the office")
ALT, LAST = rule(8443, "10.0.0.0/8", "web"), rule(9443, "10.0.0.0/8", "web")
NEW = rule(80, "10.0.0.0/8", "new")


class _Lambda:
    """Runs the triggers as Chalice does, without its test client."""

    def invoke(self, function: str, event: Json) -> None:
        """Invoke one."""
        import member.app

        getattr(member.app, function)(event, None)


@contextmanager
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryMember]:
    """Another member account in memory."""
    from member.chalicelib import context

    made, memory = memory_member(_Lambda(), lambda name, value: monkeypatch.setattr(context, name, value))
    context._own_session_arn.cache_clear()
    with memory.installed():
        yield made
    context._own_session_arn.cache_clear()


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryMember]:
    """A member account in memory."""
    with fresh(monkeypatch) as made:
        yield made


@pytest.fixture
def ada(member: MemoryMember) -> Person:
    """An IAM user of it."""
    return Person(member)


def asked(member: Member, *events: Json) -> list[Request]:
    """Deliver events and return the requests they led to."""
    member.deliver(*events)
    return [one.request for one in member.told() if isinstance(one, RequestMessage)]


def outcomes(member: Member) -> dict[str, str]:
    """What was reported since the last call: request id → ``applied`` or the error's code."""
    return {
        one.request_id: one.code if isinstance(one, ErrorMessage) else "applied"
        for one in member.told()
        if isinstance(one, AppliedMessage | ErrorMessage)
    }


def begun_with(member: Member, *rules: Rule) -> None:
    """Begin with a group that has approved rules."""
    member.holds(*rules) if rules else None
    member.snapshot()
    member.told()


def table() -> Any:
    """The account's table as the app reads it."""
    from member.chalicelib import context

    return context.begin("eu-west-1").table


def now(member: MemoryMember) -> datetime:
    """The account's time."""
    return member.clock.now


# -- applied -----------------------------------------------------------------------------------------------------------


def test_a_batch_is_applied_as_its_net_change(member: MemoryMember, ada: Person) -> None:
    """Terraform's edit, a chain of edits, and an addition: one state, and each request that is left is applied."""
    begun_with(member, SSH)
    events = [ada.closes(SSH), ada.opens(THE_OFFICE), ada.opens(WEB), ada.edits((WEB, ALT)), ada.edits((ALT, LAST))]
    requests = asked(member, *events)
    assert member.state() == exact([SSH])
    member.approve_batch(*requests, at=now(member))
    pending = {one.request_id: "applied" for one in requests if one.status == "pending"}
    assert outcomes(member) == pending
    assert member.state() == member.approved() == exact([THE_OFFICE, LAST])
    assert {member.outcome(one) for one in pending} == {"applied"}


def test_an_edited_description_keeps_rule_and_tags(member: MemoryMember, ada: Person) -> None:
    """The net change is made in place, although the calls removed and added the rule."""
    member.holds(SSH, tags=[("team", "core")])
    begun_with(member)
    requests = asked(member, ada.closes(SSH), ada.opens(THE_OFFICE))
    held = member.id_of(SSH)
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"applied"}
    assert member.state() == exact([replace(THE_OFFICE, tags=(("team", "core"),))])
    assert member.id_of(SSH) == held


def test_a_superseded_request_is_not_reported_and_never_applied(member: MemoryMember, ada: Person) -> None:
    """Added and removed again: nothing is left of it, and a message for it alone changes nothing."""
    begun_with(member)
    requests = asked(member, ada.opens(WEB), ada.closes(WEB), ada.opens(NEW))
    member.approve_batch(*requests, at=now(member))
    assert outcomes(member) == {requests[2].request_id: "applied"}
    assert member.outcome(requests[0].request_id) == "superseded"
    member.approve(requests[0], at=now(member))
    assert outcomes(member) == {requests[0].request_id: "NotApplicable"}
    assert member.state() == exact([NEW])


def test_a_batch_delivered_again_is_reported_again_and_applied_once(member: MemoryMember, ada: Person) -> None:
    """Also after somebody removed a rule of it with an approval."""
    begun_with(member)
    requests = asked(member, ada.opens(WEB), ada.opens(NEW))
    for _ in range(2):
        member.approve_batch(*requests, at=now(member))
        assert outcomes(member) == {one.request_id: "applied" for one in requests}
    (removal,) = asked(member, ada.closes(WEB))
    member.approve(removal, at=now(member))
    assert outcomes(member) == {removal.request_id: "applied"}
    member.approve_batch(*requests, at=now(member))
    assert outcomes(member) == {one.request_id: "applied" for one in requests}
    assert member.state() == exact([NEW])


# -- refused as a whole ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alter", "code"),
    [
        (lambda one: replace(one, digest="0" * 64), "DigestMismatch"),
        (lambda one: replace(one, requests=one.requests[:1]), "DigestMismatch"),
        (lambda one: replace(one, requests=(one.requests[0], (one.requests[1][0], "0" * 64))), "DigestMismatch"),
        (lambda one: replace(one, requests=(*one.requests, ("forged", "0" * 64))), "UnknownRequest"),
        (lambda one: replace(one, approved_at=one.approved_at - timedelta(hours=73)), "ApprovalExpired"),
    ],
)
def test_an_altered_batch_opens_nothing(
    member: MemoryMember, ada: Person, alter: Callable[[Any], Any], code: str
) -> None:
    """Another digest, a request left out, altered or forged, an approval of long ago: all of it is an error."""
    begun_with(member)
    requests = asked(member, ada.opens(WEB), ada.opens(NEW))
    message = alter(batch_approval(*requests, at=now(member)))
    member.deliver_message(write_message(message))
    found = outcomes(member)
    assert set(found.values()) == {code}
    assert found.keys() == {one for one, _ in message.requests}
    assert member.state() == []
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"applied"}


def test_what_has_no_part_in_a_net_change_is_not_in_a_batch(member: MemoryMember, ada: Person) -> None:
    """Here a call that touched nothing: nobody can have shown it."""
    begun_with(member, SSH)
    (request,) = asked(member, ada.opens(WEB))
    (nothing,) = asked(member, ada.describes(SSH))
    assert (nothing.status, nothing.operations == ()) == ("observed", False)
    nothing = replace(nothing, operations=())
    from member.chalicelib.state.items import LedgerEntry

    table().add_entry(LedgerEntry(request=replace(nothing, request_id="r"), outcome="observed"))
    message = batch_approval(request, at=now(member))
    silent = ("r", replace(nothing, request_id="r").digest)
    member.deliver_message(write_message(replace(message, requests=(*message.requests, silent))))
    assert outcomes(member) == {request.request_id: "DigestMismatch"}
    assert member.state() == exact([SSH])


def test_a_request_that_was_applied_alone_is_not_applied_again(member: MemoryMember, ada: Person) -> None:
    """Nor anything that was shown together with it."""
    begun_with(member)
    requests = asked(member, ada.opens(WEB), ada.opens(NEW))
    member.approve(requests[0], at=now(member))
    member.told()
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"NotApplicable"}
    assert member.state() == exact([WEB])


# -- group by group ----------------------------------------------------------------------------------------------------


def test_one_group_does_not_stop_the_others(member: MemoryMember, ada: Person) -> None:
    """In one a rule is in the way: nothing of that group is applied, and everything of the other one."""
    other = member.new_group()
    begun_with(member)
    here = asked(member, ada.opens(WEB), ada.opens(NEW))
    there = asked(member, Person(member, group_id=other).opens(WEB), Person(member, group_id=other).opens(NEW))
    member.holds(with_description(NEW, "somebody else's"))
    member.approve_batch(*here, *there, at=now(member))
    found = outcomes(member)
    assert {found[one.request_id] for one in here} == {"InvalidPermission.Duplicate"}
    assert {found[one.request_id] for one in there} == {"applied"}
    assert member.state() == exact([with_description(NEW, "somebody else's")])
    assert member.state(other) == exact([WEB, NEW])


def test_a_group_that_is_gone_does_not_stop_the_others(member: MemoryMember, ada: Person) -> None:
    """Its requests are reported with EC2's own code."""
    other = member.new_group()
    begun_with(member)
    requests = asked(member, ada.opens(WEB), Person(member, group_id=other).opens(WEB))
    member.ec2.delete_security_group(GroupId=other)
    member.approve_batch(*requests, at=now(member))
    assert list(outcomes(member).values()) == ["applied", "InvalidGroup.NotFound"]


@pytest.mark.parametrize("what", ["removed", "described", "added"])
def test_a_group_whose_approved_rules_changed_since_is_not_touched(
    member: MemoryMember, ada: Person, what: str
) -> None:
    """At an identity that the batch touches; the approvers saw something else."""
    begun_with(member, SSH)
    later = with_description(NEW, "bob's")
    bob = Person(member, identity={**ada.identity, "userName": "bob", "arn": ada.identity["arn"][:-3] + "bob"})
    change = {
        "removed": lambda: bob.closes(SSH),
        "described": lambda: bob.describes(with_description(SSH, "x")),
        "added": lambda: bob.opens(later),
    }[what]
    requests = asked(member, ada.closes(SSH), ada.opens(THE_OFFICE), ada.opens(NEW))
    (other,) = asked(member, change())
    member.approve(other, at=now(member))
    assert outcomes(member) == {other.request_id: "applied"}
    before = member.state()
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"BaselineChanged"}
    assert member.state() == before == member.approved()


def test_other_approved_rules_may_change(member: MemoryMember, ada: Person) -> None:
    """The batch does not touch them."""
    begun_with(member, SSH)
    requests = asked(member, ada.opens(NEW), ada.opens(WEB))
    (other,) = asked(member, ada.closes(SSH))
    member.approve(other, at=now(member))
    member.told()
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"applied"}
    assert member.state() == exact([NEW, WEB])


def test_nothing_stays_of_a_group_that_failed(member: MemoryMember, ada: Person) -> None:
    """A full group takes the edit, and not the additions: the edit is undone, with its tags."""
    member.holds(SSH, tags=[("team", "core")])
    begun_with(member)
    requests = asked(member, ada.closes(SSH), ada.opens(NEW), ada.opens(WEB), ada.opens(ALT))
    member.account.largest_group = 2
    before = member.state()
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"RulesPerSecurityGroupLimitExceeded"}
    assert member.state() == before == member.approved()
    member.account.largest_group = 60
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"applied"}
    assert member.state() == exact([NEW, WEB, ALT])


# -- this account's own policy, and for a time -------------------------------------------------------------------------


def test_the_net_change_needs_what_this_accounts_policy_says(
    member: MemoryMember, ada: Person, policy: Callable[[str], None]
) -> None:
    """Two halves are the internet together, so that one approver is not enough; in the other group one is."""
    policy('[[rules]]\nmatch = { source = ["internet"] }\napprovals = 2\n')
    other = member.new_group()
    begun_with(member)
    halves = [rule(22, "1.0.0.0/9"), rule(22, "1.128.0.0/9")]
    here = asked(member, *(ada.opens(half) for half in halves))
    there = asked(member, Person(member, group_id=other).opens(WEB))
    message = batch_approval(*here, *there, at=now(member))
    member.deliver_message(write_message(message))
    found = outcomes(member)
    assert [found[one.request_id] for one in (*here, *there)] == ["ApprovalNotEnough"] * 2 + ["applied"]
    assert (member.state(), member.state(other)) == ([], exact([WEB]))
    second = replace(message.approvals[0], by="U0BOB0BOB")
    member.deliver_message(write_message(replace(message, approvals=(*message.approvals, second))))
    assert set(outcomes(member).values()) == {"applied"}
    assert member.state() == exact(halves)


def test_a_batch_for_a_time_ends_in_each_group(member: MemoryMember, ada: Person) -> None:
    """What was added goes, what was edited is edited back, and each request is told to have ended, once."""
    requests, other = story(member, ada)
    member.approve_batch(*requests, at=now(member), hours=8)
    assert set(outcomes(member).values()) == {"applied"}
    member.snapshot(after=timedelta(hours=7))
    assert member.state() == exact([THE_OFFICE, ALT])
    member.snapshot(after=timedelta(hours=2))
    ended = {one.request_id for one in member.told() if isinstance(one, EndedMessage)}
    assert len(ended) == 4
    assert (member.state(), member.state(other)) == (exact([SSH]), [])
    assert {member.outcome(one) for one in ended} == {"ended"}
    member.approve_batch(*requests, at=now(member) - timedelta(hours=9), hours=8)
    assert (member.state(), member.state(other)) == (exact([SSH]), [])


def test_the_ledger_is_read_in_one_call(member: MemoryMember, ada: Person) -> None:
    """However many requests a batch has, before EC2 is asked."""
    member.snapshot()
    requests = asked(member, *(ada.opens(rule(port, "10.0.0.0/8", "x")) for port in range(1000, 1020)))
    member.account.calls.clear()
    member.approve_batch(*requests)
    calls = member.account.calls
    assert calls[0] == "BatchGetItem"
    assert calls[: calls.index("DescribeSecurityGroupRules")].count("GetItem") == 0
    assert outcomes(member) == {one.request_id: "applied" for one in requests}


# -- killed, throttled, at once ----------------------------------------------------------------------------------------


def story(member: MemoryMember, ada: Person) -> tuple[list[Request], str]:
    """A batch over two groups, with a superseded and an observed request."""
    other = member.new_group()
    begun_with(member, SSH)
    there = Person(member, group_id=other)
    events = [ada.closes(SSH), ada.opens(THE_OFFICE), ada.opens(WEB), ada.edits((WEB, ALT)), there.opens(NEW)]
    return asked(member, *events, there.opens(LAST), there.closes(LAST)), other


def ends_well(member: MemoryMember, other: str) -> None:
    """All of the story's batch is in force once, and every request that is left of it reported as applied."""
    reported = outcomes(member)
    assert (len(reported), set(reported.values())) == (4, {"applied"})
    assert member.state() == member.approved() == exact([THE_OFFICE, ALT])
    assert member.state(other) == member.approved(other) == exact([NEW])


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_survives_a_failure_at_every_call(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call fails, the message is delivered again and continues."""
    for at in range(1, 100):
        with fresh(monkeypatch) as member:
            requests, other = story(member, Person(member))
            faults = Faults(kind=kind, at=at)
            with faults.watching():
                assert deliver_as_lambda(lambda: member.approve_batch(*requests, at=now(member)))  # noqa: B023
            ends_well(member, other)
            if not faults.struck:
                break
    assert 20 < at < 99


def test_two_deliveries_at_once_apply_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one begins and ends while the first is before any of its calls."""
    original = BaseClient._make_api_call
    for number in range(1, 100):
        with fresh(monkeypatch) as member, pytest.MonkeyPatch.context() as patch:
            requests, other = story(member, Person(member))
            inner, calls = BaseClient._make_api_call, []

            def interrupted(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
                calls.append(operation)  # noqa: B023 - called within the loop
                if len(calls) == number:  # noqa: B023
                    deliver_as_lambda(lambda: member.approve_batch(*requests, at=now(member)))  # noqa: B023
                return inner(client, operation, parameters)  # noqa: B023

            patch.setattr(BaseClient, "_make_api_call", interrupted)
            assert deliver_as_lambda(lambda: member.approve_batch(*requests, at=now(member)))  # noqa: B023
            ends_well(member, other)
            if len(calls) < number:
                break
    assert 20 < number < 99
    assert BaseClient._make_api_call is original


def test_a_removal_approved_between_two_deliveries_is_not_undone(member: MemoryMember, ada: Person) -> None:
    """The first delivery was killed after the baseline had taken the batch: the second must not open it again."""
    begun_with(member)
    requests = asked(member, ada.opens(WEB), ada.opens(NEW))
    writes = 0
    original = BaseClient._make_api_call

    def killed_after_the_baseline(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        nonlocal writes
        answer = original(client, operation, parameters)
        if operation == "PutItem":
            writes += 1
            raise ConnectionError("killed")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", killed_after_the_baseline)
        with pytest.raises(ConnectionError):
            member.approve_batch(*requests, at=now(member))
    assert (writes, member.state()) == (1, exact([NEW, WEB]))
    (removal,) = asked(member, ada.closes(WEB))
    member.approve(removal, at=now(member))
    assert outcomes(member) == {removal.request_id: "applied"}
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"BaselineChanged"}
    assert member.state() == member.approved() == exact([NEW])


def test_an_approved_batch_before_adoption_is_applied(member: MemoryMember, ada: Person) -> None:
    """Nobody knows the approved rules: what the calls' events showed counts."""
    member.holds(SSH)
    requests = asked(member, ada.closes(SSH), ada.opens(NEW))
    assert member.state() == exact([SSH])
    member.approve_batch(*requests, at=now(member))
    assert set(outcomes(member).values()) == {"applied"}
    assert member.state() == exact([NEW])
