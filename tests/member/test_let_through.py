"""Calls that need 0 approvals: they stay, count as approved, and are told; whatever is in doubt is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.risk import MOST_RULES
from shared.domain.reach import Interfaces
from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.wire.messages import EndedMessage, RequestMessage
from tests.support.events import iam_user
from tests.support.member_account import ACCOUNT, exact, rule, with_description
from tests.support.memory_account import Colleague, MemoryMember

Use = Callable[[str], None]

OFFICE = rule(8080, "10.1.0.0/16", "office")
EDITED = rule(8081, "10.1.0.0/16", "office")
WORLD = rule(22, "0.0.0.0/0", "world")
LENIENT = """
[[rules]]
match = { source = ["private"], ports = ["8000-9000"] }
approvals = 0
"""
EMERGENCY = LENIENT + "max_hours = 8\n"
HOUR = timedelta(hours=1)


@pytest.fixture
def ada(memory: MemoryMember) -> Colleague:
    """An IAM user."""
    return Colleague(memory)


def begin(memory: MemoryMember, policy: Use, text: str, *rules: Rule) -> None:
    """Adopt the region with these rules in the group, under a policy."""
    policy(text)
    if rules:
        Colleague(memory).opens(*rules)
    memory.snapshot()
    memory.told()


def requests(memory: MemoryMember) -> list[Request]:
    """Return the requests published since the last call."""
    return [one.request for one in memory.told() if isinstance(one, RequestMessage)]


# -- what stays --------------------------------------------------------------------------------------------------------


def test_an_addition_inside_an_entry_stays_and_is_told(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Nothing is revoked; the baseline has it, the ledger remembers it, and central gets it as applied."""
    begin(memory, policy, LENIENT)
    event = ada.opens(OFFICE)
    memory.account.calls.clear()
    memory.deliver(event)
    assert memory.account.calls == [
        "BatchGetItem", "DescribeSecurityGroupRules", "PutItem", "PutItem", "UpdateItem", "Publish",
    ]  # fmt: skip
    assert memory.state() == memory.approved() == exact([OFFICE])
    (request,) = requests(memory)
    assert (request.status, request.change.added, request.limits) == ("applied", (OFFICE,), ())
    assert "rules[0] contains add" in request.reason
    assert memory.outcome(request.request_id) == "applied"
    memory.snapshot(after=HOUR)
    assert (memory.state(), memory.told()) == (exact([OFFICE]), [])


@pytest.mark.parametrize("kind", ["edit", "describe", "describe by id", "remove"])
def test_other_kinds_stay_where_both_values_are_inside(
    memory: MemoryMember, ada: Colleague, policy: Use, kind: str
) -> None:
    """An edit counts by its old values too; a removal by what was removed."""
    begin(memory, policy, LENIENT, OFFICE)
    other = with_description(OFFICE, "other")
    make: dict[str, Callable[[], Any]] = {
        "edit": lambda: ada.edits((OFFICE, EDITED)),
        "describe": lambda: ada.describes(other),
        "describe by id": lambda: ada.describes_by_id(other),
        "remove": lambda: ada.closes(OFFICE),
    }
    memory.deliver(make[kind]())
    wanted = {"edit": [EDITED], "remove": []}.get(kind, [other])
    assert memory.state() == memory.approved() == exact(wanted)
    (request,) = requests(memory)
    assert (request.status, request.change.is_empty) == ("applied", False)
    memory.snapshot(after=HOUR)
    assert memory.state() == exact(wanted)


@pytest.mark.parametrize("entry", ["", 'kinds = ["add"]', 'kinds = ["remove"]'])
def test_an_edit_from_outside_is_asked(memory: MemoryMember, ada: Colleague, policy: Use, entry: str) -> None:
    """The world's rule edited to a harmless one was not harmless before."""
    text = LENIENT.replace("ports", f"{entry}, ports") if entry else LENIENT
    begin(memory, policy, text, WORLD)
    memory.deliver(ada.edits((WORLD, OFFICE)))
    assert memory.state() == memory.approved() == exact([WORLD])
    assert requests(memory)[0].status == "pending"


def test_a_removal_of_one_outside_is_asked(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """One rule outside, and the whole call is asked."""
    begin(memory, policy, LENIENT, OFFICE, WORLD)
    memory.deliver(ada.closes(OFFICE, WORLD))
    assert memory.state() == memory.approved() == exact([OFFICE, WORLD])
    assert requests(memory)[0].status == "pending"


def test_a_removal_after_an_unapproved_edit_counts_by_what_was_approved(
    memory: MemoryMember, ada: Colleague, policy: Use
) -> None:
    """Edited into an entry first, and removed before the edit was reverted: the approved rule comes back."""
    begin(memory, policy, LENIENT, WORLD)
    edit, removal = ada.edits((WORLD, OFFICE)), ada.closes(OFFICE)
    memory.deliver(removal, edit)
    assert memory.state() == memory.approved() == exact([WORLD])
    assert [one.status for one in requests(memory)] == ["pending", "pending"]


def test_an_unapproved_rule_is_not_edited_into_an_entry(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Its old values are not approved, whatever the new ones are."""
    begin(memory, policy, LENIENT)
    made, edit = ada.opens(WORLD), ada.edits((WORLD, OFFICE))
    memory.deliver(edit, made)
    assert memory.state() == memory.approved() == []
    assert [one.status for one in requests(memory)] == ["pending", "pending"]


@pytest.mark.parametrize(("approved", "is_asked"), [("11.128.0.0/9", True), ("11.192.0.0/10", False)])
def test_what_is_the_internet_together_with_approved_ranges_is_asked(
    memory: MemoryMember, ada: Colleague, policy: Use, approved: str, is_asked: bool
) -> None:
    """Each half of a /8 alone is not; an entry that asks more for the internet asks about the second one."""
    entries = """
[[rules]]
match = { cidrs = ["11.0.0.0/9"], ports = ["443"] }
approvals = 0

[[rules]]
match = { source = ["internet"] }
approvals = 2
"""
    half, other = rule(443, "11.0.0.0/9", "half"), rule(443, approved, "approved")
    begin(memory, policy, entries, other)
    memory.deliver(ada.opens(half))
    assert memory.state() == memory.approved() == exact([other] if is_asked else [half, other])
    assert [one.status for one in requests(memory)] == ["pending" if is_asked else "applied"]


# -- what is in doubt --------------------------------------------------------------------------------------------------


def _without_answer(event: Any) -> None:
    event["detail"]["responseElements"] = {"requestId": "r", "_return": True}


def _omitted(event: Any) -> None:
    event["detail"]["responseElements"] = {"omitted": True}


def _unreadable(event: Any) -> None:
    event["detail"]["responseElements"]["securityGroupRuleSet"]["items"][0]["cidrIpv4"] = "10.1.0.0/99"


def _one_missing(event: Any) -> None:
    event["detail"]["requestParameters"]["ipPermissions"]["items"].append(
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
    )


@pytest.mark.parametrize("damage", [_without_answer, _omitted, _unreadable, _one_missing])
def test_an_answer_that_does_not_say_everything_is_asked(
    memory: MemoryMember, ada: Colleague, policy: Use, damage: Callable[[Any], None]
) -> None:
    """Where values cannot be read, nothing is let through."""
    begin(memory, policy, LENIENT)
    event = ada.opens(OFFICE)
    damage(event)
    memory.deliver(event)
    assert memory.state() == memory.approved() == []
    assert all(one.status != "applied" for one in requests(memory))


def test_a_call_of_very_many_rules_is_asked(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Judging thousands would keep them open meanwhile; up to the bound they stay."""
    begin(memory, policy, LENIENT.replace('ports = ["8000-9000"]', "ports = []"))
    memory.account.largest_group = 10_000
    many = [rule(port, "10.1.0.0/16", "x") for port in range(MOST_RULES)]
    memory.deliver(ada.opens(*many))
    assert len(memory.state()) == MOST_RULES
    memory.deliver(ada.opens(*(rule(port, "10.2.0.0/16", "x") for port in range(MOST_RULES + 1))))
    assert len(memory.state()) == MOST_RULES


@pytest.mark.parametrize(
    "more",
    [
        '[[rules]]\nmatch = { ports = ["8080"] }\napprovals = 1',
        '[[rules]]\nmatch = { kinds = ["add"] }\nmention = ["U1"]',
        '[[rules]]\nmatch = { groups = ["sg-*"] }\nmax_hours = 2',
    ],
)
def test_another_entry_that_matches_asks(memory: MemoryMember, ada: Colleague, policy: Use, more: str) -> None:
    """0 holds only where no other entry matches."""
    begin(memory, policy, f"{LENIENT}{more}")
    memory.deliver(ada.opens(OFFICE))
    assert memory.state() == []
    assert requests(memory)[0].status == "pending"


@pytest.mark.parametrize(
    "match", [f'accounts = ["{"9" * 12}"]', 'principals = ["arn:aws:iam::*:role/*"]', 'regions = ["us-*"]']
)
def test_an_entry_about_others_changes_nothing(memory: MemoryMember, ada: Colleague, policy: Use, match: str) -> None:
    """The revoke comes first, as without entries."""
    begin(memory, policy, LENIENT.replace("match = { ", f"match = {{ {match}, "))
    event = ada.opens(OFFICE)
    memory.account.calls.clear()
    memory.deliver(event)
    assert memory.account.calls[0] == "RevokeSecurityGroupIngress"
    assert memory.state() == []


def test_what_cannot_need_nothing_is_revoked_first(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """An entry with 0 approvals costs other calls no AWS call."""
    begin(memory, policy, LENIENT)
    event = ada.opens(WORLD)
    memory.account.calls.clear()
    memory.deliver(event)
    assert memory.account.calls[0] == "RevokeSecurityGroupIngress"


def test_a_missing_description_is_denied_nevertheless(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """`require_description` asks for more than an entry with 0 approvals."""
    begin(memory, policy, "require_description = true\n" + LENIENT)
    memory.deliver(ada.opens(rule(8080, "10.1.0.0/16")))
    assert (memory.state(), requests(memory)[0].status) == ([], "denied")


def test_observe_mode_reports_it_as_ever(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Nothing is decided there."""
    begin(memory, policy, 'mode = "observe"\n' + LENIENT)
    memory.deliver(ada.opens(OFFICE))
    assert requests(memory)[0].status == "observed"


def test_a_damaged_baseline_lets_nothing_through(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """What is asked for a day after an emergency may be in it."""
    begin(memory, policy, LENIENT, WORLD)
    memory.account.items[f"group#eu-west-1#{memory.group_id}"]["body"] = {"B": b"not json"}
    memory.deliver(ada.opens(OFFICE))
    assert memory.state() == exact([WORLD])
    assert "pending" in [one.status for one in requests(memory)]


# -- again, late, crashed ----------------------------------------------------------------------------------------------


def test_it_is_remembered_by_its_id(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Delivered again, also under another policy, it changes nothing; removed by approval, it does not come back."""
    begin(memory, policy, LENIENT)
    event = ada.opens(OFFICE)
    memory.deliver(event, event)
    first, again = requests(memory)
    assert first == again
    policy("")
    memory.deliver(event)
    assert memory.state() == memory.approved() == exact([OFFICE])
    memory.told()
    removal = ada.closes(OFFICE)
    memory.deliver(removal)
    (asked,) = requests(memory)
    memory.approve(asked, at=memory.clock.now)
    assert memory.state() == []
    policy(LENIENT)
    memory.deliver(event)
    assert memory.state() == memory.approved() == []


def test_what_was_asked_once_is_not_let_through_later(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """The policy became lenient between two deliveries."""
    begin(memory, policy, "")
    event = ada.opens(OFFICE)
    memory.deliver(event)
    policy(LENIENT)
    memory.deliver(event)
    assert memory.state() == memory.approved() == []
    assert {one.status for one in requests(memory)} == {"pending"}


@pytest.mark.parametrize("text", [LENIENT, EMERGENCY])
@pytest.mark.parametrize("then", ["same", "strict"])
def test_a_crash_at_any_call_is_finished_by_the_next_delivery(
    memory: MemoryMember, ada: Colleague, policy: Use, monkeypatch: pytest.MonkeyPatch, text: str, then: str
) -> None:
    """Whatever call is the last one of a run: delivered again, it is in force, approved, filed and told."""
    begin(memory, policy, text)
    for number in range(7):
        wanted = rule(8100 + number, "10.1.0.0/16", "x")
        event = ada.opens(wanted)
        answer, left = memory.account.answer, [number]

        def crash(*call: Any, answer: Any = answer, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("crashed")
            return answer(*call)

        policy(text)
        monkeypatch.setattr(memory.account, "answer", crash)
        crashed = False
        try:
            memory.deliver(event)
        except RuntimeError:
            crashed = True
        monkeypatch.setattr(memory.account, "answer", answer)
        assert crashed == (number < 6)
        decided = memory.ledger(event["detail"]["requestID"]) is not None
        policy("" if then == "strict" else text)
        memory.deliver(event)
        is_asked = then == "strict" and not decided
        assert (wanted.identity in [one[0] for one in memory.state()]) != is_asked
        assert (wanted.identity in [one[0] for one in memory.approved()]) != is_asked
        request = requests(memory)[-1]
        assert (request.status, request.change.added) == ("pending" if is_asked else "applied", (wanted,))
        assert memory.outcome(request.request_id) == ("reverted" if is_asked else "applied")


def test_state_that_cannot_be_read_is_tried_again(
    memory: MemoryMember, ada: Colleague, policy: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is delivered again; until then the rule differs from the baseline, and drift would revert it."""
    begin(memory, policy, LENIENT)
    event = ada.opens(OFFICE)
    with monkeypatch.context() as broken:
        broken.setattr(memory.account, "_batch_get_item", _throttled)
        with pytest.raises(Exception, match="Throttling"):
            memory.deliver(event)
    memory.deliver(event)
    assert requests(memory)[0].status == "applied"


def _throttled(*_: Any) -> Any:
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Throttling"}}, "BatchGetItem")


@pytest.mark.parametrize("is_late", [True, False])
def test_before_adoption_it_stays_and_is_adopted(
    memory: MemoryMember, ada: Colleague, policy: Use, is_late: bool
) -> None:
    """Heard before or after the first snapshot, the addition is told and approved."""
    policy(LENIENT)
    event = ada.opens(OFFICE)
    if is_late:
        memory.snapshot()
    memory.deliver(event)
    memory.snapshot()
    assert memory.state() == memory.approved() == exact([OFFICE])
    assert requests(memory)[0].status == "applied"


def test_add_edit_and_removal_in_any_order_leave_nothing_open(
    memory: MemoryMember, ada: Colleague, policy: Use
) -> None:
    """A removal heard before its addition counts; nothing is restored that its own maker closed."""
    begin(memory, policy, LENIENT)
    made, removed = ada.opens(OFFICE), ada.closes(OFFICE)
    memory.deliver(removed, made)
    assert memory.state() == memory.approved() == []
    memory.snapshot()
    memory.snapshot(after=HOUR)
    assert memory.state() == []


# -- break-glass -------------------------------------------------------------------------------------------------------


def emergency(memory: MemoryMember, policy: Use, ada: Colleague, *rules: Rule) -> Request:
    """Let a call through for eight hours."""
    begin(memory, policy, EMERGENCY, *rules)
    memory.deliver(ada.opens(OFFICE))
    (request,) = requests(memory)
    return request


def test_an_emergency_ends_and_is_asked(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """In force at once, reverted after eight hours, and then asked: approved, it holds for its hours and no loop."""
    request = emergency(memory, policy, ada)
    until = memory.clock.now + 8 * HOUR
    assert (request.status, request.limits) == ("applied", ((OFFICE.identity, until),))
    memory.snapshot(after=7 * HOUR)
    assert (memory.state(), memory.told()) == (exact([OFFICE]), [])
    memory.snapshot(after=HOUR)
    assert memory.state() == memory.approved() == []
    end, question = memory.told()
    assert isinstance(end, EndedMessage)
    assert (end.request_id, end.digest, end.reason) == (request.request_id, request.digest, "")
    assert isinstance(question, RequestMessage)
    asked = question.request
    assert (asked.request_id, asked.origin, asked.status) == (f"{request.request_id}-ended", "ended", "pending")
    assert asked.reach is not None
    assert (asked.reach.interfaces, asked.reach.covered_by) == (Interfaces(), ())
    assert (asked.change, asked.requester) == (request.change, request.requester)
    assert memory.outcome(request.request_id) == "ended"
    memory.snapshot(after=HOUR)
    assert memory.told() == []
    memory.approve(asked, at=memory.clock.now, valid_until=memory.clock.now + 8 * HOUR)
    memory.told_applied()
    assert memory.state() == memory.approved() == exact([OFFICE])
    memory.snapshot(after=8 * HOUR)
    (over,) = memory.told()
    assert isinstance(over, EndedMessage)
    assert memory.state() == memory.approved() == []


def test_an_emergency_is_not_started_again_by_its_event(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """While it lasts, and ever after."""
    begin(memory, policy, EMERGENCY)
    event = ada.opens(OFFICE)
    memory.deliver(event)
    for hours in (4, 4, 1, 30, 200):
        memory.told()
        memory.snapshot(after=hours * HOUR)
        memory.deliver(event)
        assert bool(memory.state()) == (hours == 4 and memory.outcome(event["detail"]["requestID"]) == "applied")
        assert memory.state() == memory.approved()


@pytest.mark.parametrize("edited", [False, True])
def test_for_a_day_after_it_whatever_overlaps_is_asked(
    memory: MemoryMember, ada: Colleague, policy: Use, edited: bool
) -> None:
    """By anybody, while it lasts and a day after its end; beside it, 0 approvals hold as before."""
    emergency(memory, policy, ada, rule(8500, "10.9.0.0/16", "old"))
    bob = Colleague(memory, identity=iam_user("bob", account=ACCOUNT))
    asked = []

    def change(port: int) -> None:
        inside = rule((port, port), "10.1.2.0/24", "x")
        event = bob.edits((rule(8500, "10.9.0.0/16"), inside)) if edited else bob.opens(inside)
        memory.deliver(event)
        (request,) = [one for one in requests(memory) if one.origin == "call"]
        asked.append(request.status)

    change(8080)
    memory.snapshot(after=8 * HOUR)
    change(8080)
    memory.snapshot(after=23 * HOUR)
    change(8080)
    assert asked == ["pending"] * 3
    if not edited:
        change(8082)
        assert asked.pop() == "applied"
    memory.snapshot(after=2 * HOUR)
    change(8080)
    assert asked[-1] == "applied"


def test_an_emergency_edit_is_edited_back(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """The old values come back, and the edit is asked."""
    begin(memory, policy, EMERGENCY, OFFICE)
    memory.deliver(ada.edits((OFFICE, EDITED)))
    rule_id = memory.id_of(EDITED)
    (request,) = requests(memory)
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == exact([OFFICE])
    assert memory.id_of(OFFICE) == rule_id
    end, question = memory.told()
    assert isinstance(end, EndedMessage)
    assert isinstance(question, RequestMessage)
    assert question.request.change == request.change


def test_a_removal_has_no_time(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """It opens nothing, so nothing comes back."""
    begin(memory, policy, EMERGENCY, OFFICE)
    memory.deliver(ada.closes(OFFICE))
    (request,) = requests(memory)
    assert (request.status, request.limits) == ("applied", ())
    memory.snapshot(after=9 * HOUR)
    assert (memory.state(), memory.told()) == ([], [])


def test_an_emergency_closed_by_its_maker_asks_nothing(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Its end is told, with the reason; the lock stays."""
    emergency(memory, policy, ada)
    memory.deliver(ada.closes(OFFICE))
    memory.told()
    memory.snapshot(after=8 * HOUR)
    (end,) = memory.told()
    assert isinstance(end, EndedMessage)
    assert "Nothing was left" in end.reason
    memory.deliver(ada.opens(OFFICE))
    assert requests(memory)[0].status == "pending"


def test_a_lost_revert_of_an_emergency_rule_keeps_its_end(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Removed without approval it is restored, with a new id; the end is the same."""
    begin(memory, policy, EMERGENCY.replace("match = { ", 'match = { kinds = ["add"], '))
    memory.deliver(ada.opens(OFFICE))
    memory.deliver(ada.closes(OFFICE))
    removal = requests(memory)[-1]
    assert (removal.status, removal.limits[0][0]) == ("pending", OFFICE.identity)
    assert memory.state() == exact([OFFICE])
    memory.snapshot(after=8 * HOUR)
    assert memory.state() == memory.approved() == []


# -- deny --------------------------------------------------------------------------------------------------------------


def test_a_denied_change_is_reverted_and_cannot_be_applied(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """`deny`: with its sentence; other rules are asked as ever."""
    begin(memory, policy, '[[rules]]\nmatch = { ports = ["22"] }\ndeny = "Use the bastion."')
    memory.deliver(ada.opens(WORLD))
    (request,) = requests(memory)
    assert (request.status, memory.state()) == ("denied", [])
    assert request.reason == "denied by policy: Use the bastion."
    memory.approve(request, at=memory.clock.now)
    assert memory.told_error().code == "NotApplicable"
    memory.deliver(ada.opens(OFFICE))
    assert requests(memory)[0].status == "pending"


def test_ranges_that_are_the_internet_together_are_denied(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """The group's approved rules count."""
    begin(memory, policy, "", rule(22, "0.0.0.0/1", "half"))
    policy('[[rules]]\nmatch = { source = ["internet"], ports = ["22"] }\ndeny = "No."')
    memory.deliver(ada.opens(rule(22, "200.0.0.0/24", "x")))
    assert requests(memory)[0].status == "denied"


def test_a_difference_is_denied_too(memory: MemoryMember, ada: Colleague, policy: Use) -> None:
    """Found by a snapshot, it is reverted and denied."""
    begin(memory, policy, '[[rules]]\nmatch = { ports = ["22"] }\ndeny = "Use the bastion."')
    ada.opens(WORLD)
    memory.snapshot()
    memory.snapshot(after=HOUR)
    (request,) = requests(memory)
    assert (request.status, request.origin, memory.state()) == ("denied", "snapshot", [])


def test_an_emergency_nobody_was_told_of_is_told_at_its_end(
    memory: MemoryMember, ada: Colleague, policy: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run crashed before it could, and its event never came again."""
    begin(memory, policy, EMERGENCY)
    with monkeypatch.context() as broken:
        broken.setattr(memory.account, "_update_item", _throttled)
        with pytest.raises(Exception, match="Throttling"):
            memory.deliver(ada.opens(OFFICE))
    assert memory.told() == []
    memory.snapshot(after=8 * HOUR)
    begun, end, question = memory.told()
    assert isinstance(begun, RequestMessage)
    assert isinstance(end, EndedMessage)
    assert isinstance(question, RequestMessage)
    assert (begun.request.status, question.request.status) == ("applied", "pending")
    assert memory.state() == []


@pytest.mark.parametrize("is_described", [False, True])
def test_a_removal_whose_rule_was_put_back_at_once_is_not_applied(
    memory: MemoryMember, ada: Colleague, policy: Use, is_described: bool
) -> None:
    """Asked, and overtaken by a call that needs 0 approvals: the requester wants the rule, whoever approves then."""
    begin(memory, policy, LENIENT.replace("match = { ", 'match = { kinds = ["add", "modify"], '), OFFICE)
    again = with_description(OFFICE, "again") if is_described else OFFICE
    removal, addition = ada.closes(OFFICE), ada.opens(again)
    memory.deliver(removal, addition)
    asked, put_back = requests(memory)
    assert (asked.status, put_back.status) == ("pending", "applied" if is_described else "observed")
    memory.approve(asked, at=memory.clock.now)
    assert memory.told_error().code == "Superseded"
    assert memory.state() == memory.approved() == exact([again])
    memory.snapshot(after=HOUR)
    assert (memory.state(), memory.told()) == (exact([again]), [])
