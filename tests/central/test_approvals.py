"""Several approvals, approvers by rule and approvals for a time: from the click to the stored request and back."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib import click, context
from central.chalicelib.requests.moves import NotMoved
from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import RequestsTable
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import AppliedMessage, ApplyMessage
from shared.wire.rule_json import time_to_text
from tests.central.test_click import (
    APPLY_TOPIC,
    DENY_TOPIC,
    PEOPLE,
    Context,
    ephemerals,
    replacements,
    signed,
)
from tests.support.central_account import Central, aged, click_body, fail_once, make_request
from tests.support.slack_stand_in import Post

TWO = '[[rules]]\nmatch = { source = ["internet"] }\napprovals = 2\n'
SSH = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("0.0.0.0/0"))

Policy = Callable[[str], None]


def decide(
    central: Central,
    request: Request,
    hours: object = None,
    *,
    by: str = "U0GRACE",
    altered: Mapping[str, object] | None = None,
) -> int:
    """Click a button that approves, for so many hours where they are given; parts of its value may be altered."""
    value = {"requestId": request.request_id, "digest": request.digest}
    action = "approve"
    if hours is not None:
        value["hours"], action = f"{hours}", f"approve_for_{hours}"
    actions = [{"action_id": action, "value": json.dumps({**value, **(altered or {})})}]
    return central.click(request, by=by, actions=actions).status


def buttons(post: Post) -> list[str]:
    """Return the texts of a message's buttons."""
    rows = [block["elements"] for block in post.payload["blocks"] if block["type"] == "actions"]
    return [button["text"]["text"] for row in rows for button in row]


# -- several approvals -------------------------------------------------------------------------------------------------


def test_two_approvals_are_stored_shown_and_sent_together(central: Central, policy: Policy) -> None:
    """The question shows "1 of 2" and keeps its buttons; the second click decides, and the member hears of both."""
    policy(TWO)
    request = central.file()
    assert "needs 2 approvals" in central.approval[0].text
    assert "2 approvals by different people (rules[0] overlaps add ingress/tcp/22-22" in central.approval[0].text
    decide(central, request, by="U0GRACE")
    item = central.item()
    assert (item["status"], [one["by"] for one in item["approvals"]]) == ("pending", ["U0GRACE"])
    assert "decidedBy" not in item
    assert (item["history"][-1]["by"], item["history"][-1]["note"]) == ("U0GRACE", "approval 1 of 2")
    assert central.sent(APPLY_TOPIC) == []
    (shown,) = central.responses
    assert "*1 of 2* approvals, by <@U0GRACE>" in shown.text
    assert buttons(shown) == ["Approve Add", "Deny"]
    decide(central, request, by="U0HOPPER")
    item = central.item()
    assert (item["status"], item["decidedBy"]) == ("approved", "U0HOPPER")
    assert [one["by"] for one in item["approvals"]] == ["U0GRACE", "U0HOPPER"]
    assert item["history"][-1]["note"] == "approval 2 of 2"
    (message,) = central.sent(APPLY_TOPIC)
    assert isinstance(message, ApplyMessage)
    assert ([one.by for one in message.approvals], message.approver_id) == (["U0GRACE", "U0HOPPER"], "U0HOPPER")
    assert message.valid_until is None
    central.deliver(applied(request))
    for post in (central.responses[-1], central.monitoring[-1]):
        assert "*Approved* by <@U0GRACE> <@U0HOPPER>" in post.text


def applied(request: Request) -> AppliedMessage:
    """Return the member's report on a request."""
    place = {"account": request.account, "region": request.region}
    return AppliedMessage(request_id=request.request_id, digest=request.digest, **place, applied_at=datetime.now(UTC))


def test_the_same_person_twice_counts_once_and_is_told(central: Central, policy: Policy) -> None:
    """Nothing is written; the clicked message shows that one is there."""
    policy(TWO)
    request = central.file()
    decide(central, request)
    before = central.item()
    central.slack.forget()
    decide(central, request)
    assert central.item() == before
    assert ephemerals(central) == [
        "You have approved this already, which counts once. 1 of 2 approvals; somebody else has to approve it, too."
    ]
    assert "*1 of 2* approvals" in replacements(central)[0]


def test_one_denial_ends_it(central: Central, policy: Policy) -> None:
    """Whoever has approved before, the same person included."""
    policy(TWO)
    request = central.file()
    decide(central, request, by="U0GRACE")
    central.click(request, "deny", "U0GRACE")
    assert (central.status(), central.item()["decidedBy"]) == ("denied", "U0GRACE")
    assert central.sent(APPLY_TOPIC) == []
    assert "Denied by grace" in central_text(central, request)


def central_text(central: Central, request: Request) -> str:
    """Return what a later click is told."""
    central.slack.forget()
    decide(central, request, by="U0LATE")
    return ephemerals(central)[0]


def test_earlier_approvals_are_judged_again_with_todays_policy(central: Central, policy: Policy) -> None:
    """Grace was an approver when she clicked, and is none when the second click comes."""
    policy(f'approvers = ["U0GRACE", "U0HOPPER", "U0ADA"]\n{TWO}')
    request = central.file()
    decide(central, request, by="U0GRACE")
    policy(f'approvers = ["U0HOPPER", "U0ADA"]\n{TWO}')
    decide(central, request, by="U0HOPPER")
    item = central.item()
    assert (item["status"], [one["by"] for one in item["approvals"]]) == ("pending", ["U0HOPPER"])
    assert item["history"][-1]["note"] == "approval 1 of 2; no longer counted: U0GRACE"
    decide(central, request, by="U0ADA")
    item = central.item()
    assert (item["status"], [one["by"] for one in item["approvals"]]) == ("approved", ["U0HOPPER", "U0ADA"])


def test_what_it_needs_is_judged_again_too(central: Central, policy: Policy) -> None:
    """A policy that asks for more, or for less, holds at the next click."""
    first, second = central.file(make_request("r-1")), central.file(make_request("r-2"))
    policy(TWO)
    decide(central, first, by="U0GRACE")
    decide(central, second, by="U0GRACE")
    policy(TWO.replace("2", "3"))
    decide(central, first, by="U0HOPPER")
    policy("")
    decide(central, second, by="U0HOPPER")
    assert (central.status("r-1"), central.status("r-2")) == ("pending", "approved")
    assert [one["by"] for one in central.item("r-2")["approvals"]] == ["U0GRACE", "U0HOPPER"]


def test_an_approval_does_not_count_once_the_request_is_too_old(central: Central, policy: Policy) -> None:
    """It expires at the click, also where an approval was missing only."""
    policy(TWO)
    request = central.file()
    decide(central, request)
    requested = {"S": time_to_text(datetime.now(UTC) - timedelta(hours=73))}
    central.dynamodb.update_item(
        TableName="securityGroupRequests",
        Key={"requestId": {"S": request.request_id}},
        UpdateExpression="SET requestedAt = :then",
        ExpressionAttributeValues={":then": requested},
    )
    decide(central, request, by="U0HOPPER")
    assert central.status() == "expired"
    assert "Not enough people approved in time" in ephemerals(central)[-1]


def test_monitoring_hears_of_an_approval_that_waits_for_others(central: Central, policy: Policy) -> None:
    """By the next sweeps, once, unless it is decided before."""
    policy(TWO)
    waiting, decided = central.file(make_request("r-1")), central.file(make_request("r-2"))
    decide(central, waiting)
    decide(central, decided, by="U0GRACE")
    decide(central, decided, by="U0HOPPER")
    central.slack.forget()
    for _ in range(2):
        central.sweep(minutes=6)
    assert ["*1 of 2* approvals" in post.text for post in central.monitoring] == [True]
    assert central.item("r-1")["tasks"] == {}


def test_a_reminder_says_how_many_have_approved(central: Central, policy: Policy) -> None:
    """It has the buttons of today."""
    policy(TWO)
    request = central.file(aged(make_request(), hours=5))
    decide(central, request)
    central.slack.forget()
    central.sweep()
    (reminder,) = central.approval
    assert "Reminder" in reminder.text
    assert "*1 of 2* approvals, by <@U0GRACE>" in reminder.text


def test_a_write_whose_answer_got_lost_is_one_approval(
    central: Central, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repeated write recognises itself."""
    policy(TWO)
    request = central.file()
    fail_once(monkeypatch, "update_item", after=True)
    assert decide(central, request) == 200
    assert len(central.item()["history"]) == 2
    assert ephemerals(central) == []
    assert "*1 of 2* approvals" in replacements(central)[0]


def test_no_message_keeps_buttons_because_its_answer_was_slow(
    central: Central, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else decides while "1 of 2" is on its way to Slack: the last word is the decision."""
    policy(TWO)
    request = central.file()
    shown_before, calls = click.view_of, []

    def overtaken(record: Record) -> Any:
        calls.append(record.status)
        if calls == ["pending"]:
            decide(central, request, by="U0HOPPER")
        return shown_before(record)

    monkeypatch.setattr(click, "view_of", overtaken)
    decide(central, request, by="U0GRACE")
    assert central.status() == "approved"
    assert buttons(central.responses[-1]) == []
    assert "*Approved* by <@U0GRACE> <@U0HOPPER>" in central.responses[-1].text


@pytest.mark.parametrize("needed", [2, 3])
def test_of_twenty_clicks_of_five_people_different_people_decide_once(
    central: Central, policy: Policy, needed: int
) -> None:
    """Each person clicks four times, all at once: exactly one decision, by as many different people as are needed."""
    policy(TWO.replace("2", str(needed)))
    request = central.file()
    central.slack.forget()
    start = threading.Barrier(10)

    def make_click(number: int) -> int:
        body = click_body(central.slack, request, "approve", f"U0{number % 5}X")
        if number < 10:
            start.wait(30)
        return click.answer(context.begin(Context(number), fail_fast=True), signed(body), body).status

    with ThreadPoolExecutor(10) as pool:
        assert Counter(pool.map(make_click, range(20))) == {200: 20}
    item = central.item()
    people = [one["by"] for one in item["approvals"]]
    assert (item["status"], len(people), len(set(people))) == ("approved", needed, needed)
    assert item["decidedBy"] == people[-1]
    moves = [(entry["status"], entry["by"]) for entry in item["history"][1:]]
    assert moves == [*(("pending", one) for one in people[:-1]), ("approved", people[-1])]
    (message,) = central.sent(APPLY_TOPIC)
    assert isinstance(message, ApplyMessage)
    assert [one.by for one in message.approvals] == people
    assert len(ephemerals(central)) == 20 - needed


def test_a_click_that_always_comes_too_late_is_told_to_come_again(
    central: Central, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not try for ever: Slack waits three seconds."""
    policy(TWO)
    request = central.file()
    stored = RequestsTable(central.dynamodb, invocation="test").get(request.request_id)
    monkeypatch.setattr(RequestsTable, "move", lambda *_: NotMoved(record=stored))
    assert decide(central, request) == 200
    (told,) = ephemerals(central)
    assert told == "Others click at this very moment, so your click changed nothing. Please click again."


def test_an_approval_beside_a_denial_decides_once(central: Central, policy: Policy) -> None:
    """Whichever comes first, of many of both at once: approved by two people, or denied by one."""
    policy(TWO)
    request = central.file()
    start = threading.Barrier(8)

    def make_click(number: int) -> int:
        body = click_body(central.slack, request, ("approve", "deny")[number % 4 == 3], f"U0{number}X")
        start.wait(30)
        return click.answer(context.begin(Context(number), fail_fast=True), signed(body), body).status

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make_click, range(8)))
    item, sent = central.item(), central.sent(APPLY_TOPIC) + central.sent(DENY_TOPIC)
    assert len(sent) == 1
    assert isinstance(sent[0], ApplyMessage) == (item["status"] == "approved")
    assert item["status"] in ("approved", "denied")
    assert [entry["status"] for entry in item["history"]].count(item["status"]) == 1


# -- who ---------------------------------------------------------------------------------------------------------------


def test_only_the_approvers_of_an_entry_decide_what_it_matches(central: Central, policy: Policy) -> None:
    """Somebody else is told who may, in a sentence with their names; other requests they may decide."""
    policy('[[rules]]\nmatch = { source = ["internet"] }\napprovers = ["U0SEC", "S0TEAM"]\n')
    request = central.file()
    before = central.item()
    for action in ("approve", "deny"):
        central.click(request, action, "U0GRACE")
    assert central.item() == before
    assert ephemerals(central) == ["You are not one of those who may decide this change."] * 2
    assert "*Who may:* <!subteam^S0TEAM> <@U0SEC>" in central.responses[0].text
    central.click(request, "approve", "S0TEAM".replace("S", "U"))
    assert central.status() == "pending"
    central.click(request, "approve", "U0SEC")
    assert central.status() == "approved"
    inner = replace(SSH, source=cidr("10.0.0.0/16"))
    central.click(central.file(make_request("r-2", change=make_change(added=[inner]))), "approve", "U0GRACE")
    assert central.status("r-2") == "approved"


def test_the_question_names_whom_the_policy_mentions(central: Central, policy: Policy) -> None:
    """In the question alone: monitoring and later messages call nobody."""
    policy('[[rules]]\nmatch = {}\nmention = ["U0SEC", "S0TEAM"]\n')
    central.file()
    assert "*For:* <!subteam^S0TEAM> <@U0SEC>" in central.approval[0].text
    assert "U0SEC" not in central.monitoring[0].text


def test_an_ask_is_never_approved_by_its_requester(central: Central, policy: Policy) -> None:
    """Although anybody may approve what they have changed: the fast write does not hold for it."""
    policy(PEOPLE.replace("allow_self_approval = false", ""))
    request = central.file(make_request(origin="ask"))
    assert "it is made once somebody approves it" in central.approval[0].text
    central.click(request, "approve", "U0ADA")
    assert central.status() == "pending"
    assert "asked for this change yourself" in ephemerals(central)[0]
    central.click(request, "approve", "U0GRACE")
    assert central.status() == "approved"
    denied = central.file(make_request("r-2", origin="ask"))
    central.click(denied, "deny", "U0ADA")
    assert central.status("r-2") == "denied"
    assert "The change is not made." in central_text(central, denied)


def test_an_ask_of_somebody_unknown_takes_two_people(central: Central, policy: Policy) -> None:
    """One of them may be who asks."""
    policy("")
    request = central.file(make_request(origin="ask"))
    decide(central, request, by="U0GRACE")
    assert central.status() == "pending"
    decide(central, request, by="U0HOPPER")
    assert central.status() == "approved"


def test_a_call_of_a_policy_without_entries_is_still_one_write(
    central: Central, policy: Policy, calls: list[str]
) -> None:
    """Nothing is read where nothing can ask for more; hours and entries cost one consistent read."""
    for number, (text, hours, reads) in enumerate((("", None, 0), ("offer_hours = [8]", 8, 1), (TWO, None, 1))):
        policy(text)
        request = central.file(make_request(f"r-{number}"))
        calls.clear()
        decide(central, request, hours)
        assert calls.count("dynamodb.UpdateItem") == 1
        assert calls[: calls.index("dynamodb.UpdateItem")] == ["dynamodb.GetItem"] * reads


# -- for a time --------------------------------------------------------------------------------------------------------


def test_an_approval_for_hours_has_an_end(central: Central, policy: Policy) -> None:
    """Buttons as the policy offers them; the item and the member get the time, counted from the click."""
    policy("offer_hours = [8, 72]")
    request = central.file()
    assert buttons(central.approval[0]) == ["Approve Add", "Approve Add for 8 h", "Approve Add for 72 h", "Deny"]
    decide(central, request, 8)
    (message,) = central.sent(APPLY_TOPIC)
    assert isinstance(message, ApplyMessage)
    assert message.valid_until == message.approved_at + timedelta(hours=8)
    item = central.item()
    assert (item["validUntil"], item["approvals"][0]["hours"]) == (time_to_text(message.valid_until), "8")
    assert item["history"][-1]["note"] == "for 8 h"
    central.deliver(applied(request))
    assert "in force until <!date^" in central.monitoring[-1].text


def test_where_for_good_is_not_allowed_the_limit_is_offered(central: Central, policy: Policy) -> None:
    """A click for good, from an older message, is refused and answered, and the message gets the right buttons."""
    request = central.file()
    policy('offer_hours = [1, 72]\n[[rules]]\nmatch = { ports = ["22"] }\nmax_hours = 8\n')
    decide(central, request)
    assert central.status() == "pending"
    assert ephemerals(central) == ["It cannot be approved for good, only for at most 8 h."]
    assert buttons(central.responses[-1]) == ["Approve Add for 1 h", "Approve Add for 8 h", "Deny"]
    assert "for at most 8 h" in central.responses[-1].text


def test_a_removal_has_no_hours(central: Central, policy: Policy) -> None:
    """Neither offered nor taken, and a limit does not hold for it."""
    policy("offer_hours = [8]\n[[rules]]\nmatch = {}\nmax_hours = 8\n")
    request = central.file(make_request(change=make_change(removed=[SSH])))
    assert buttons(central.approval[0]) == ["Approve Remove", "Deny"]
    decide(central, request, 8)
    assert central.status() == "pending"
    assert "only be approved for good" in ephemerals(central)[0]
    decide(central, request)
    assert central.status() == "approved"
    assert "validUntil" not in central.item()


def test_of_several_approvals_the_shortest_counts(central: Central, policy: Policy) -> None:
    """From the last click on, whoever chose it."""
    policy(f"offer_hours = [8, 72]\n{TWO}")
    for name, choices, hours in (("r-1", (8, 72), 8), ("r-2", (72, None), 72), ("r-3", (None, None), None)):
        request = central.file(make_request(name))
        for person, choice in zip(("U0GRACE", "U0HOPPER"), choices, strict=True):
            decide(central, request, choice, by=person)
        (message,) = central.sent(APPLY_TOPIC)
        assert isinstance(message, ApplyMessage)
        assert message.valid_until == (None if hours is None else message.approved_at + timedelta(hours=hours))


@pytest.mark.parametrize("hours", [7, 9, 72.000001, 1000, "0.000001"])
def test_other_hours_change_nothing_and_are_answered(central: Central, policy: Policy, hours: object) -> None:
    """Only what the policy offers now is taken, whatever a button says."""
    policy("offer_hours = [8, 72]")
    request = central.file()
    before = central.item()
    assert decide(central, request, hours) == 200
    assert central.item() == before
    assert "The policy offers: 8 h, 72 h, for good." in ephemerals(central)[0]
    assert central.sent(APPLY_TOPIC) == []


@pytest.mark.parametrize(
    "value",
    [
        *({"hours": one} for one in ("", "0", "-8", "8 ", "1e3", "nan", "eight", 8, ["8"], "9" * 40)),
        {"digest": "ab" * 32},
        {"requestId": "another"},
    ],
)
def test_altered_values_change_nothing_and_are_answered(
    central: Central, policy: Policy, logs: io.StringIO, value: dict[str, Any]
) -> None:
    """Hours in another form, another digest, another request: refused, and the clicker sees so."""
    policy("offer_hours = [8]")
    request = central.file()
    before = central.item()
    status = decide(central, request, 8, altered=value)
    assert central.item() == before
    assert status == 400 or ephemerals(central)
    assert "click refused" in logs.getvalue() or "click changed nothing" in logs.getvalue()
    assert central.sent(APPLY_TOPIC) == []


def test_a_button_for_hours_without_hours_is_not_one_for_good(central: Central, policy: Policy) -> None:
    """What is left out of a value does not approve for longer."""
    policy("offer_hours = [8]")
    request = central.file()
    value = json.dumps({"requestId": request.request_id, "digest": request.digest})
    answer = central.click(request, actions=[{"action_id": "approve_for_8", "value": value}])
    assert (answer.status, central.status()) == (400, "pending")


def test_nobody_approves_what_the_policy_denies_by_now(central: Central, policy: Policy) -> None:
    """It was asked by an older policy."""
    request = central.file()
    policy('[[rules]]\nmatch = { source = ["internet"] }\ndeny = "Never."\n')
    decide(central, request)
    assert (central.status(), ephemerals(central)) == ("pending", ["The policy now denies such a change: Never."])
    central.click(request, "deny", "U0GRACE")
    assert central.status() == "denied"
