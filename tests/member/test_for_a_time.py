"""Approvals for a time: kept with the rule, ended by the first snapshot after it, told; and what may be approved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from member.chalicelib.snapshot import SnapshotError
from member.chalicelib.state import limits
from shared.domain.request import Request
from shared.domain.rule import Rule, group
from shared.wire.messages import AppliedMessage, EndedMessage, ErrorMessage, RequestMessage
from tests.support.events import iam_user, permission_of
from tests.support.member_account import ACCOUNT, exact, rule, with_description
from tests.support.memory_account import Colleague, MemoryMember

Use = Callable[[str], None]

WEB = rule(443, "10.0.0.0/8", "web")
MOVED = rule(444, "10.0.0.0/8", "web")
AGAIN = rule(445, "10.0.0.0/8", "web")
OPEN = rule(22, "203.0.113.7/32", "open")
HOUR = timedelta(hours=1)
EXEMPT = f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:user/root-of-all"]\n'


@pytest.fixture
def ada(memory: MemoryMember) -> Colleague:
    """An IAM user."""
    return Colleague(memory)


@pytest.fixture
def exempt(memory: MemoryMember, policy: Use) -> Colleague:
    """Somebody whose changes are allowed."""
    policy(EXEMPT)
    return Colleague(memory, identity=iam_user("root-of-all", account=ACCOUNT))


def begin(memory: MemoryMember, *rules: Rule) -> None:
    """Adopt the region with these rules in the group."""
    if rules:
        Colleague(memory).opens(*rules)
    memory.snapshot()
    memory.told()


def asked(memory: MemoryMember, event: Any) -> Request:
    """Deliver an event and return its request."""
    memory.deliver(event)
    return memory.told_request()


def approve(memory: MemoryMember, request: Request, hours: float | None = None, **more: Any) -> datetime:
    """Approve a request, for a time or for good; return the end of that time."""
    now = memory.clock.now
    until = now + timedelta(hours=hours or 0)
    memory.approve(request, at=now, hours=hours, valid_until=until if hours else None, **more)
    return until


def apply(memory: MemoryMember, event: Any, hours: float | None = None) -> Request:
    """Ask for a call and approve it."""
    request = asked(memory, event)
    approve(memory, request, hours)
    memory.told_applied()
    return request


def ends(memory: MemoryMember) -> list[EndedMessage]:
    """Return the ends that were told since the last call."""
    return [one for one in memory.told() if isinstance(one, EndedMessage)]


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["add", "edit", "describe"])
def test_the_first_snapshot_after_it_reverts_the_change(memory: MemoryMember, ada: Colleague, kind: str) -> None:
    """Not the one before; told once, and remembered by the ledger."""
    begin(memory, WEB)
    make: dict[str, tuple[Callable[[], Any], list[Rule]]] = {
        "add": (lambda: ada.opens(OPEN), [OPEN, WEB]),
        "edit": (lambda: ada.edits((WEB, MOVED)), [MOVED]),
        "describe": (lambda: ada.describes(with_description(WEB, "other")), [with_description(WEB, "other")]),
    }
    change, wanted = make[kind]
    request = apply(memory, change(), 8)
    item = memory.ledger(request.request_id)
    assert item is not None
    assert "validUntil" in item
    memory.snapshot(after=7.9 * HOUR)
    assert memory.state() == memory.approved() == exact(wanted)
    assert memory.told() == []
    memory.snapshot(after=0.2 * HOUR)
    assert memory.state() == memory.approved() == exact([WEB])
    (end,) = memory.told()
    assert isinstance(end, EndedMessage)
    assert (end.request_id, end.digest, end.reason) == (request.request_id, request.digest, "")
    assert memory.outcome(request.request_id) == "ended"
    memory.snapshot(after=HOUR)
    assert memory.told() == []
    baseline = memory.baseline()
    assert baseline is not None
    assert baseline.timed == ()


def test_an_approval_delivered_again_begins_nothing(memory: MemoryMember, ada: Colleague) -> None:
    """Neither while it holds nor after its end, whatever the message says."""
    begin(memory)
    request = asked(memory, ada.opens(OPEN))
    until = approve(memory, request, 8)
    memory.told_applied()
    for hours in (1, 8):
        memory.snapshot(after=hours * HOUR)
        ends(memory)
        for valid_until in (until, until + 100 * HOUR, None):
            memory.approve(request, at=memory.clock.now, valid_until=valid_until)
            assert isinstance(memory.told()[0], AppliedMessage)
        assert memory.state() == memory.approved() == (exact([OPEN]) if hours == 1 else [])
    memory.snapshot(after=HOUR)
    assert memory.told() == []


def test_a_removal_has_no_time(memory: MemoryMember, ada: Colleague) -> None:
    """It opens nothing, so nothing comes back."""
    begin(memory, WEB)
    apply(memory, ada.closes(WEB), 8)
    memory.snapshot(after=9 * HOUR)
    assert (memory.state(), memory.told()) == ([], [])


def test_each_request_has_its_own_end(memory: MemoryMember, ada: Colleague) -> None:
    """Two of one group, and an unlimited one, do not touch each other."""
    begin(memory, WEB)
    first, second = rule(1, "10.0.0.0/8", "a"), rule(2, "10.0.0.0/8", "b")
    apply(memory, ada.opens(first), 2)
    apply(memory, ada.opens(second), 4)
    apply(memory, ada.opens(OPEN))
    memory.snapshot(after=3 * HOUR)
    assert (memory.state(), len(ends(memory))) == (exact([WEB, second, OPEN]), 1)
    memory.snapshot(after=3 * HOUR)
    assert (memory.state(), len(ends(memory))) == (exact([WEB, OPEN]), 1)


def test_a_restored_rule_keeps_its_end(memory: MemoryMember, ada: Colleague) -> None:
    """Removed, edited and described without approval: it is as it was, and ends as it should."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    for change in (
        lambda: ada.closes(OPEN),
        lambda: ada.edits((OPEN, rule(23, "203.0.113.7/32", "x"))),
        lambda: ada.describes(with_description(OPEN, "x")),
    ):
        request = asked(memory, change())
        assert [identity for identity, _ in request.limits] == [OPEN.identity]
        assert memory.state() == exact([OPEN])
    memory.snapshot(after=8 * HOUR)
    assert (memory.state(), memory.approved(), len(ends(memory))) == ([], [], 1)


def test_a_time_before_adoption_is_remembered(memory: MemoryMember, ada: Colleague) -> None:
    """The rule is adopted with its end."""
    request = asked(memory, ada.opens(OPEN))
    approve(memory, request, 8)
    memory.snapshot()
    assert memory.approved() == exact([OPEN])
    memory.told()
    memory.snapshot(after=8 * HOUR)
    assert (memory.state(), memory.approved(), len(ends(memory))) == ([], [], 1)


# -- what follows the rule, and what closes it -------------------------------------------------------------------------


def test_it_follows_the_rule_through_exempt_edits(memory: MemoryMember, ada: Colleague, exempt: Colleague) -> None:
    """An added rule goes in whatever form; an edited one is not edited back, but goes too."""
    begin(memory, WEB)
    apply(memory, ada.opens(OPEN), 8)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    elsewhere = rule(2222, "203.0.113.7/32", "open")
    memory.deliver(exempt.edits((OPEN, elsewhere)), exempt.edits((MOVED, AGAIN)))
    memory.snapshot(after=7 * HOUR)
    assert memory.state() == memory.approved() == exact([elsewhere, AGAIN])
    memory.snapshot(after=HOUR)
    assert (memory.state(), memory.approved(), len(ends(memory))) == ([], [], 2)


def test_an_exempt_description_changes_nothing_about_it(
    memory: MemoryMember, ada: Colleague, exempt: Colleague
) -> None:
    """The edited rule is edited back, with its description of before."""
    begin(memory, WEB)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    memory.deliver(exempt.describes(with_description(MOVED, "other")))
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == exact([WEB])


def test_an_approval_for_good_closes_it(memory: MemoryMember, ada: Colleague) -> None:
    """Other values, approved for good: the rule stays, and the end says so. A description alone closes nothing."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    described = with_description(OPEN, "other")
    apply(memory, ada.describes(described))
    kept = rule(2222, "203.0.113.7/32", "other")
    apply(memory, ada.edits((described, kept)))
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == exact([kept])
    (end,) = ends(memory)
    assert "Nothing was left" in end.reason


def test_a_changed_description_closes_nothing(memory: MemoryMember, ada: Colleague) -> None:
    """Approved for good, it is the description alone that is."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    apply(memory, ada.describes(with_description(OPEN, "other")))
    memory.snapshot(after=8 * HOUR)
    assert (memory.state(), ends(memory)[0].reason) == ([], "")


@pytest.mark.parametrize("is_exempt", [False, True])
def test_a_removal_ends_it(memory: MemoryMember, ada: Colleague, exempt: Colleague, is_exempt: bool) -> None:
    """Added again by somebody exempt, or for good, it stays."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    if is_exempt:
        memory.deliver(exempt.closes(OPEN), exempt.opens(OPEN))
    else:
        apply(memory, ada.closes(OPEN))
        apply(memory, ada.opens(OPEN))
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == exact([OPEN])
    assert "Nothing was left" in ends(memory)[0].reason


def test_an_edit_for_a_time_of_a_rule_for_a_time(memory: MemoryMember, ada: Colleague) -> None:
    """The shorter one is edited back; then the other ends as if nothing had been."""
    begin(memory, WEB)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    shorter = asked(memory, ada.edits((MOVED, AGAIN)))
    assert shorter.limits == ((MOVED.identity, memory.baseline().timed[0].until),)  # type: ignore[union-attr]
    approve(memory, shorter, 2)
    memory.snapshot(after=3 * HOUR)
    assert memory.state() == memory.approved() == exact([MOVED])
    memory.snapshot(after=6 * HOUR)
    assert memory.state() == memory.approved() == exact([WEB])
    assert len(ends(memory)) == 2


def test_a_rule_goes_at_its_end_though_an_edit_of_it_holds_longer(memory: MemoryMember, ada: Colleague) -> None:
    """The question about it said until when the rule is open."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 2)
    apply(memory, ada.edits((OPEN, rule(23, "203.0.113.7/32", "open"))), 100)
    memory.snapshot(after=2 * HOUR)
    assert (memory.state(), memory.approved(), len(ends(memory))) == ([], [], 1)
    memory.snapshot(after=100 * HOUR)
    assert "Nothing was left" in ends(memory)[0].reason


@pytest.mark.parametrize("then", ["stays", "is closed"])
def test_an_edited_rule_goes_where_its_former_place_is_taken_or_closed(
    memory: MemoryMember, ada: Colleague, exempt: Colleague, then: str
) -> None:
    """Somebody allowed came there since, and perhaps left: nothing is opened there."""
    begin(memory, WEB)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    memory.deliver(exempt.opens(WEB))
    if then == "is closed":
        memory.deliver(exempt.closes(WEB))
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == (exact([WEB]) if then == "stays" else [])


def test_an_unapproved_rule_in_the_former_place_opens_nothing(memory: MemoryMember, ada: Colleague) -> None:
    """The edited rule goes; the other one differs from the baseline and is reverted as ever."""
    begin(memory, WEB)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    ada.opens(WEB)
    memory.snapshot(after=8 * HOUR)
    assert (memory.state(), memory.approved()) == (exact([WEB]), [])
    memory.snapshot()
    memory.snapshot(after=HOUR)
    assert memory.state() == []


def test_a_rule_missing_at_the_end_is_as_before(memory: MemoryMember, ada: Colleague) -> None:
    """An edited one that nobody has restored yet comes back as it was for good."""
    begin(memory, WEB)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    ada.closes(MOVED)
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == exact([WEB])


def test_rules_edited_into_each_others_places_are_edited_back(memory: MemoryMember, ada: Colleague) -> None:
    """One approval, each leaves the other's place."""
    begin(memory, WEB, MOVED)
    apply(memory, ada.edits((MOVED, AGAIN), (WEB, with_description(MOVED, "moved"))), 8)
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == exact([WEB, MOVED])


def test_what_it_was_before_cannot_be_any_more(memory: MemoryMember, ada: Colleague) -> None:
    """It referred to a group that is gone: the rule goes."""
    other = memory.new_group()
    before = rule(22, group(other, account=ACCOUNT), "peer")
    begin(memory, before)
    apply(memory, ada.edits((before, rule(23, group(other, account=ACCOUNT), "peer"))), 8)
    del memory.account.groups[other]
    memory.snapshot(after=8 * HOUR)
    assert (memory.state(), memory.approved(), len(ends(memory))) == ([], [], 1)


# -- trouble -----------------------------------------------------------------------------------------------------------


def test_what_fails_is_tried_again_by_each_snapshot(
    memory: MemoryMember, ada: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot fails loudly, drift restores nothing meanwhile, and the end is told when it is done."""
    begin(memory)
    some = [rule(port, "10.0.0.0/8", "x") for port in (1, 2)]
    request = apply(memory, ada.opens(*some), 8)
    stuck = memory.id_of(some[1])
    real = memory.account._revoke

    def refuse(parameters: Any, operation: str, *, is_egress: bool) -> Any:
        if stuck in parameters["SecurityGroupRuleIds"]:
            raise ClientError({"Error": {"Code": "OperationNotPermitted", "Message": "no"}}, operation)
        return real(parameters, operation, is_egress=is_egress)

    with monkeypatch.context() as broken:
        broken.setattr(memory.account, "_revoke", refuse)
        for _ in range(3):
            with pytest.raises(SnapshotError, match="still in force"):
                memory.snapshot(after=8 * HOUR)
            assert memory.state() == memory.approved() == exact(some[1:])
            assert memory.told() == []
            assert memory.outcome(request.request_id) == "applied"
    memory.snapshot()
    assert (memory.state(), memory.approved(), len(ends(memory))) == ([], [], 1)


@pytest.mark.parametrize("emergency", [False, True])
def test_a_snapshot_that_crashes_at_any_call_is_finished_by_the_next(
    memory: MemoryMember, ada: Colleague, policy: Use, monkeypatch: pytest.MonkeyPatch, emergency: bool
) -> None:
    """Whatever call is its last one: reverted, told, and asked where nobody had approved."""
    rules = '[[rules]]\nmatch = { source = ["private"] }\napprovals = 0\nmax_hours = 8'
    policy(rules if emergency else "drift_grace_minutes = 0")
    begin(memory, WEB)
    for number in range(40):
        wanted = rule(1000 + number, "10.0.0.0/8", "x")
        event = ada.opens(wanted)
        memory.deliver(event)
        request = memory.told_request()
        if not emergency:
            approve(memory, request, 8)
            memory.told_applied()
        answer, left = memory.account.answer, [number]

        def crash(*call: Any, answer: Any = answer, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("crashed")
            return answer(*call)

        memory.clock.wait(hours=8)
        crashed = False
        with monkeypatch.context() as broken:
            broken.setattr(memory.account, "answer", crash)
            try:
                memory.snapshot()
            except RuntimeError:
                crashed = True
        memory.snapshot()
        assert memory.state() == memory.approved() == exact([WEB])
        assert memory.outcome(request.request_id) == "ended"
        told = memory.told()
        assert {one.request_id for one in told if isinstance(one, EndedMessage)} == {request.request_id}
        questions = {one.request.request_id for one in told if isinstance(one, RequestMessage)}
        assert questions == ({f"{request.request_id}-ended"} if emergency else set())
        memory.snapshot(after=HOUR)
        assert memory.told() == []
        if not crashed:
            return
    pytest.fail("a snapshot makes fewer calls")


def test_an_unusable_policy_and_observe_mode_end_nothing(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Later it ends; the time has long been over."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    policy("nonsense = 1")
    with pytest.raises(SnapshotError, match="policy"):
        memory.snapshot(after=9 * HOUR)
    policy('mode = "observe"')
    memory.snapshot()
    assert (memory.state(), ends(memory)) == (exact([OPEN]), [])
    policy("")
    memory.snapshot()
    assert (memory.state(), len(ends(memory))) == ([], 1)


def test_a_deleted_group_ends_what_it_had(memory: MemoryMember, ada: Colleague) -> None:
    """Told before its baseline is forgotten."""
    begin(memory)
    request = apply(memory, ada.opens(OPEN), 8)
    del memory.account.groups[memory.group_id]
    event = ada.event("DeleteSecurityGroup", {"groupId": memory.group_id}, {"_return": True})
    memory.deliver(event, event)
    (end,) = ends(memory)
    assert (end.request_id, "deleted" in end.reason) == (request.request_id, True)
    assert memory.baseline() is None
    assert memory.outcome(request.request_id) == "ended"


def test_an_edit_is_not_restored_by_an_event_that_comes_after_the_end(memory: MemoryMember, ada: Colleague) -> None:
    """Removed without approval before the end, heard of after it: nothing to restore."""
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    removal = ada.closes(OPEN)
    memory.snapshot(after=8 * HOUR)
    memory.told()
    memory.deliver(removal)
    assert (memory.state(), memory.approved(), memory.told_request().status) == ([], [], "observed")


def test_an_exempt_edit_heard_after_the_end_approves_nothing(
    memory: MemoryMember, ada: Colleague, exempt: Colleague
) -> None:
    """The rule had gone by then."""
    begin(memory, WEB)
    apply(memory, ada.opens(OPEN), 8)
    apply(memory, ada.edits((WEB, MOVED)), 8)
    late = [exempt.edits((OPEN, rule(23, "203.0.113.7/32", "x"))), exempt.edits((MOVED, AGAIN))]
    memory.snapshot(after=8 * HOUR)
    memory.deliver(*late)
    assert OPEN.identity not in [one[0] for one in memory.approved()]
    assert "ingress/tcp/23-23/ipv4/203.0.113.7/32" not in [one[0] for one in memory.approved()]
    assert AGAIN.identity not in [one[0] for one in memory.approved()]


def test_too_many_changes_for_a_time_are_refused(
    memory: MemoryMember, ada: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered of a group has a bound."""
    monkeypatch.setattr(limits, "MOST_TIMED", 1)
    begin(memory)
    apply(memory, ada.opens(OPEN), 8)
    second = asked(memory, ada.opens(WEB))
    approve(memory, second, 8)
    assert memory.told_error().code == "NotApplicable"
    assert memory.state() == exact([OPEN])
    approve(memory, second)
    memory.told_applied()


# -- batches and asks --------------------------------------------------------------------------------------------------


def test_a_batch_for_a_time_ends_as_one(memory: MemoryMember, ada: Colleague) -> None:
    """Each of its requests is told; delivered again, it begins nothing; what cancelled out has no end."""
    begin(memory, WEB)
    other, brief = rule(80, "10.0.0.0/8", "b"), rule(81, "10.0.0.0/8", "c")
    events = [ada.opens(OPEN), ada.opens(other), ada.opens(brief), ada.closes(brief)]
    requests = [asked(memory, event) for event in events]
    now = memory.clock.now

    def approve_all() -> list[Any]:
        memory.approve_batch(*requests, at=now, hours=8)
        return memory.told()

    assert [one.request_id for one in approve_all() if isinstance(one, AppliedMessage)] == [
        one.request_id for one in requests[:2]
    ]
    assert memory.state() == memory.approved() == exact([WEB, OPEN, other])
    item = memory.ledger(requests[0].request_id)
    assert item is not None
    assert "validUntil" in item
    memory.snapshot(after=7 * HOUR)
    approve_all()
    memory.snapshot(after=HOUR)
    assert memory.state() == memory.approved() == exact([WEB])
    assert {one.request_id for one in ends(memory)} == {one.request_id for one in requests[:2]}
    assert [type(one) for one in approve_all()] == [AppliedMessage, AppliedMessage]
    assert (memory.state(), [memory.outcome(one.request_id) for one in requests[:2]]) == (exact([WEB]), ["ended"] * 2)
    memory.snapshot(after=HOUR)
    assert memory.told() == []


def test_too_many_batches_for_a_time_are_refused(
    memory: MemoryMember, ada: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As single requests are."""
    begin(memory)
    monkeypatch.setattr(limits, "MOST_TIMED", 0)
    requests = [asked(memory, ada.opens(one)) for one in (OPEN, WEB)]
    memory.approve_batch(*requests, at=memory.clock.now, hours=1)
    assert [type(one) for one in memory.told()] == [ErrorMessage, ErrorMessage]
    assert memory.state() == []


def test_a_batch_of_too_few_people_opens_nothing(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """It needs what any of its requests needs."""
    begin(memory)
    policy(TWO)
    requests = [asked(memory, ada.opens(one)) for one in (OPEN, WEB)]
    memory.approve_batch(*requests, at=memory.clock.now)
    told = memory.told()
    assert [one.code for one in told if isinstance(one, ErrorMessage)] == ["ApprovalNotEnough"] * 2
    assert memory.state() == []


def test_an_ask_says_until_when_its_rule_is_open(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """As a reverted change does."""
    policy("ask_by_dry_run = true")
    begin(memory)
    reverted = asked(memory, ada.opens(OPEN))
    until = approve(memory, reverted, 8)
    memory.told_applied()
    parameters = {"groupId": memory.group_id, "ipPermissions": {"items": [permission_of(OPEN)]}}
    ask = asked(memory, ada.event("RevokeSecurityGroupIngress", parameters, None, errorCode="Client.DryRunOperation"))
    assert (ask.origin, ask.limits) == ("ask", ((OPEN.identity, until),))


# -- whether the approvals are enough ----------------------------------------------------------------------------------

TWO = '[[rules]]\nmatch = { ports = ["22"] }\napprovals = 2\n'
HOURS = '[[rules]]\nmatch = { ports = ["22"] }\nmax_hours = 8\n'


def test_fewer_people_than_this_accounts_policy_asks_open_nothing(
    memory: MemoryMember, ada: Colleague, policy: Use
) -> None:
    """The same person twice is one; a second one is enough, also in a message that comes later."""
    begin(memory)
    policy(TWO)
    request = asked(memory, ada.opens(OPEN))
    for people in (["U1"], ["U1", "U1"]):
        memory.approve(request, at=memory.clock.now, by=people)
        error = memory.told_error()
        assert (error.code, memory.state()) == ("ApprovalNotEnough", [])
        assert "asks for 2 (rules[0])" in error.reason
    memory.approve(request, at=memory.clock.now, by=["U1", "U2"])
    memory.told_applied()
    assert memory.state() == exact([OPEN])


def test_ranges_approved_meanwhile_count(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Together with them it is the internet, which needs two."""
    policy('[[rules]]\nmatch = { source = ["internet"] }\napprovals = 2\n')
    begin(memory)
    request = asked(memory, ada.opens(OPEN))
    policy("")
    apply(memory, ada.opens(rule(22, "0.0.0.0/1", "half")))
    policy('[[rules]]\nmatch = { source = ["internet"] }\napprovals = 2\n')
    memory.approve(request, at=memory.clock.now)
    assert memory.told_error().code == "ApprovalNotEnough"
    assert OPEN.identity not in [one[0] for one in memory.state()]


def test_a_time_that_is_over_opens_nothing(memory: MemoryMember, ada: Colleague) -> None:
    """The message came too late."""
    begin(memory)
    request = asked(memory, ada.opens(OPEN))
    memory.approve(request, at=memory.clock.now - HOUR, valid_until=memory.clock.now)
    assert (memory.told_error().code, memory.state()) == ("ApprovalExpired", [])


@pytest.mark.parametrize("is_batch", [False, True])
def test_a_message_that_crashed_at_any_call_and_comes_again_too_late_leaves_no_part(
    memory: MemoryMember, ada: Colleague, monkeypatch: pytest.MonkeyPatch, is_batch: bool
) -> None:
    """It is undone and an error, or was whole and ends."""
    begin(memory, WEB)
    outcomes = set()
    for number in range(40):
        events = [ada.edits((WEB, MOVED)), ada.opens(rule(1000 + number, "10.0.0.0/8", "x"), OPEN)]
        requests = [asked(memory, event) for event in (events if is_batch else events[1:])]
        if not is_batch:
            memory.deliver(events[0])
            memory.told()
        now, answer, left = memory.clock.now, memory.account.answer, [number]
        approvals: dict[str, Any] = {"at": now, "hours": 8, "valid_until": now + 8 * HOUR}

        def deliver(requests: list[Request] = requests, approvals: dict[str, Any] = approvals) -> None:
            if is_batch:
                memory.approve_batch(*requests, at=approvals["at"], hours=8)
            else:
                memory.approve(requests[0], **approvals)

        def crash(*call: Any, answer: Any = answer, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise RuntimeError("crashed")
            return answer(*call)

        crashed = False
        with monkeypatch.context() as broken:
            broken.setattr(memory.account, "answer", crash)
            try:
                deliver()
            except RuntimeError:
                crashed = True
        memory.clock.wait(hours=8)
        deliver()
        assert memory.state() == memory.approved()
        found = {memory.outcome(one.request_id) for one in requests}
        assert found <= {"applied"} or found <= {"reverted", "error"}
        outcomes |= found
        memory.snapshot()
        assert memory.state() == memory.approved() == exact([WEB])
        assert {memory.outcome(one.request_id) for one in requests} == ({"ended"} if "applied" in found else found)
        memory.told()
        if not crashed:
            assert outcomes >= {"applied", "error"}
            return
    pytest.fail("an approval makes fewer calls")


@pytest.mark.parametrize("hours", [None, 9, 8.1])
def test_longer_than_this_accounts_policy_allows_opens_nothing(
    memory: MemoryMember, ada: Colleague, policy: Use, hours: float | None
) -> None:
    """For good, or for more hours than `max_hours`; within them it is applied."""
    begin(memory)
    policy(HOURS)
    request = asked(memory, ada.opens(OPEN))
    until = None if hours is None else memory.clock.now + timedelta(hours=hours)
    memory.approve(request, at=memory.clock.now, valid_until=until)
    assert (memory.told_error().code, memory.state()) == ("ApprovalNotEnough", [])
    approve(memory, request, 8)
    memory.told_applied()


def test_a_removal_needs_no_hours(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """`max_hours` is about what a change opens."""
    begin(memory, OPEN)
    policy(HOURS)
    apply(memory, ada.closes(OPEN))
    assert memory.state() == []


# -- in general --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_after_the_last_end_nothing_is_open_that_was_approved_for_a_time(
    memory: MemoryMember, exempt: Colleague, data: st.DataObject
) -> None:
    """Whatever was approved for how long, edited by whom, and in whatever order events come."""
    ada = Colleague(memory)
    ada.group_id = exempt.group_id = memory.group_id = memory.new_group()
    ada.opens(WEB)
    memory.account.items.clear()
    memory.snapshot()
    memory.told()
    ports = st.integers(1, 4)
    for_good = {WEB.identity}
    for _ in range(data.draw(st.integers(1, 6), label="steps")):
        live = memory.live(memory.group_id)
        step = data.draw(st.sampled_from(["add", "edit", "exempt edit", "snapshot", "removal"]), label="step")
        wanted = rule(data.draw(ports, label="port"), "10.0.0.0/8", "x")
        is_free = wanted.identity not in [one.identity for one in live]
        some = data.draw(st.sampled_from([one for one in live if one.identity != WEB.identity] or [None]))
        if step == "snapshot":
            memory.snapshot(after=data.draw(st.integers(0, 5)) * HOUR)
        elif step == "add" and is_free:
            apply(memory, ada.opens(wanted), data.draw(st.integers(1, 6), label="hours"))
        elif some is not None and step == "edit" and is_free:
            apply(memory, ada.edits((some, wanted)), data.draw(st.integers(1, 6), label="hours"))
        elif some is not None and step == "exempt edit" and is_free:
            memory.deliver(exempt.edits((some, wanted)))
        elif some is not None and step == "removal":
            asked(memory, ada.closes(some))
        memory.told()
        assert memory.state(memory.group_id) == memory.approved(memory.group_id)
    memory.snapshot(after=10 * HOUR)
    assert memory.state(memory.group_id) == memory.approved(memory.group_id) == exact([WEB])
    baseline = memory.baseline(memory.group_id)
    assert baseline is not None
    assert (baseline.timed, [one for one in baseline.approvals.entries if one.limits and not one.removed]) == ((), [])
    assert {one.identity for one in memory.live(memory.group_id)} == for_good
