"""Messages about batches: within Slack's limits, every rule shown, nothing of a user active."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from shared.domain.approval import Terms
from shared.domain.caller import Caller
from shared.domain.change import Modification, make_change
from shared.domain.needs import Needs
from shared.domain.policy import Policy
from shared.domain.request import Approver
from shared.domain.rule import Rule, Source, cidr, group, make_rule, prefix_list
from shared.slack.batch_messages import ONE_BY_ONE, batch_message, batch_processing, widest_source
from shared.slack.batch_status import batch_status, person
from shared.slack.batch_view import BatchStatus, BatchView, GroupView
from shared.slack.blocks import GREEN, ORANGE, RED, Payload
from shared.slack.messages import APPROVE, DENY
from shared.slack.request_view import RequestView
from tests.support.central_account import make_request
from tests.support.slack_limits import check

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
EVIL = Caller(type="IAMUser", name="<!channel> *ada* \u202e", arn="arn:aws:iam::123456789012:user/<@U1>")


def rule(port: int = 22, source: Source | None = None, description: str = "", tags: int = 0) -> Rule:
    """Return an inbound rule."""
    made = make_rule(
        direction="ingress", protocol="tcp", from_port=port, to_port=port, source=source or cidr("10.0.0.0/8")
    )
    return replace(made, description=description, tags=tuple((f"key{one}", "v" * 200) for one in range(tags)))


def call(number: int = 1, **values: Any) -> RequestView:
    """Return a call of a batch as it is shown."""
    shown = {key: values.pop(key) for key in ("status", "error_code", "error_reason", "is_superseded") if key in values}
    request = make_request(f"r-{number}", event_time=NOON, **({"change": make_change(added=[rule(number)])} | values))
    return RequestView(request=request, requested_at=NOON, **({"status": "pending"} | shown))


def view(**values: Any) -> BatchView:
    """Return a batch of two calls that opens two ports; each value can be set."""
    groups = (GroupView(group_id="sg-1", group_name="web", change=make_change(added=[rule(1), rule(2)])),)
    defaults: dict[str, Any] = {
        "batch_id": "batch#1",
        "digest": "d" * 64,
        "status": "pending",
        "requester": EVIL,
        "account": "123456789012",
        "account_name": "payments",
        "region": "eu-west-1",
        "asked_at": NOON,
        "groups": groups,
        "calls": (call(1), call(2)),
        "terms": Terms(),
    }
    return BatchView(**(defaults | values))


def buttons(payload: Payload) -> dict[str, Any]:
    """Return the buttons of a message."""
    return {
        one["action_id"]: one for each in payload["blocks"] if each["type"] == "actions" for one in each["elements"]
    }


def shown(payloads: list[Payload]) -> str:
    """Return all that is shown, as text, and check each part against Slack's limits."""
    for payload in payloads:
        check(payload)
        for block in (*payload["blocks"], *payload["attachments"][0]["blocks"]):
            Block.parse(block).validate_json()  # type: ignore[union-attr]
    return json.dumps(payloads, ensure_ascii=False)


def test_the_question_has_three_buttons_that_ask_again() -> None:
    """Each carries the batch and its digest."""
    (payload,) = batch_message(view(), asks=True)
    assert list(buttons(payload)) == [APPROVE, DENY, ONE_BY_ONE]
    for button in buttons(payload).values():
        assert json.loads(button["value"]) == {"requestId": "batch#1", "digest": "d" * 64}
        assert "confirm" in button
    assert "style" not in buttons(payload)[ONE_BY_ONE]
    shown([payload])


def test_hours_and_limits_have_their_buttons() -> None:
    """For good only where no limit holds."""
    offering = Terms(policy=Policy(offer_hours=(8,)), needs=Needs(max_hours=24), takes_hours=True)
    (payload,) = batch_message(view(terms=offering), asks=True)
    assert list(buttons(payload)) == ["approve_for_8", "approve_for_24", DENY, ONE_BY_ONE]
    assert json.loads(buttons(payload)["approve_for_8"]["value"])["hours"] == 8
    assert "It is reverted after 8 h." in buttons(payload)["approve_for_8"]["confirm"]["text"]["text"]
    shown([payload])


@pytest.mark.parametrize("values", [{"status": "denied"}, {"terms": None}])
def test_without_terms_or_once_decided_there_are_no_buttons(values: dict[str, Any]) -> None:
    """Whoever asks for them."""
    assert buttons(batch_message(view(**values), asks=True)[-1]) == {}


def test_processing_takes_the_buttons() -> None:
    """And says who clicked."""
    payload = batch_processing(view(), verb="Approved", by="by <@U1AAA>")
    assert buttons(payload) == {}
    assert "*Processing…* Approved by <@U1AAA>." in shown([payload])


def test_every_kind_of_change_and_call_is_shown() -> None:
    """Net change first, then the calls, those cancelled, and those nobody decides."""
    edit = Modification(before=rule(3), after=replace(rule(3), description="new"))
    change = make_change(added=[rule(1, description="one")], removed=[rule(2)], modified=[edit])
    groups = (
        GroupView(group_id="sg-1", group_name="", change=change),
        GroupView(group_id="sg-2", group_name="db", change=make_change(removed=[rule(9)])),
    )
    calls = (call(1, change=change, reason="because"), call(2, event_name=""))
    text = shown(
        batch_message(view(groups=groups, calls=calls, superseded=(call(3),), announced=(call(4),)), asks=True)
    )
    for part in (
        *("Security group 1 of 2", "sg-2 (db)", "Add 1 inbound rule", "Change 1 inbound rule", "Remove 1 inbound rule"),
        *("2 calls in the order of their time", "1 call cancelled by later ones", "1 call that nobody has to decide"),
        *("add TCP 1 from 10.0.0.0/8, description one", "remove TCP 2", "change TCP 3", "Reason: because"),
        *("Request r-1", "Request r-2", "Request r-3", "Request r-4"),
    ):
        assert part in text


def test_nothing_of_a_user_is_active() -> None:
    """No mention, no markup, no invisible character."""
    evil = make_change(added=[rule(1, description="<!channel> *bold*")])
    text = shown(
        batch_message(
            view(
                groups=(GroupView(group_id="<!here>", group_name="*x*", change=evil),),
                calls=(call(1, group_id="<!here>", change=evil),),
                account_name="<@U1>",
            ),
            asks=True,
        )
    )
    payloads = batch_message(view(), asks=True)
    assert "\u202e" not in text
    markup = [
        block["text"]["text"]
        for payload in payloads
        for block in payload["blocks"]
        if block["type"] == "section" and block.get("text", {}).get("type") == "mrkdwn"
    ]
    assert not any("channel" in one or "ada" in one for one in markup)


def test_no_rule_is_dropped_however_many_there_are() -> None:
    """As many parts as are needed; the last has the buttons."""
    rules = [rule(port, description="d" * 255, tags=3) for port in range(1, 121)]
    groups = tuple(
        GroupView(group_id=f"sg-{one}", group_name="g" * 255, change=make_change(added=rules[one * 20 : one * 20 + 20]))
        for one in range(6)
    )
    calls = tuple(call(one, change=make_change(added=[rules[one]]), group_name="&" * 255) for one in range(60))
    parts = batch_message(view(groups=groups, calls=calls, account_name="&" * 255), asks=True)
    text = shown(parts)
    assert len(parts) > 1
    assert all(f"TCP {port} " in text for port in range(1, 121))
    assert [bool(buttons(part)) for part in parts] == [*[False] * (len(parts) - 1), True]
    assert f"(part 1 of {len(parts)})" in parts[0]["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(
    ("sources", "widest"),
    [
        ([], None),
        ([cidr("10.0.0.0/8"), cidr("0.0.0.0/0")], "0.0.0.0/0"),
        ([cidr("2001:db8::/32"), cidr("10.0.0.0/24")], "2001:db8::/32"),
        ([prefix_list("pl-1"), cidr("10.0.0.0/8")], "pl-1"),
        ([prefix_list("pl-1"), cidr("::/0")], "::/0"),
        ([group("sg-1"), cidr("10.0.0.1/32")], "10.0.0.1/32"),
    ],
)
def test_the_widest_source(sources: list[Source], widest: str | None) -> None:
    """What stands for the most addresses."""
    found = widest_source(rule(source=one) for one in sources)
    assert (None if found is None else found.value) == widest


def test_the_dialog_says_what_is_opened() -> None:
    """Or that nothing is."""
    wide = GroupView(group_id="sg-1", group_name="", change=make_change(added=[rule(22, cidr("0.0.0.0/0"))]))
    (payload,) = batch_message(view(groups=(wide,)), asks=True)
    assert "Widest source: 0.0.0.0/0 (the whole internet)." in buttons(payload)[APPROVE]["confirm"]["text"]["text"]
    assert "⚠️ *Open to the whole internet:* 1 rule" in shown([payload])
    closing = GroupView(group_id="sg-1", group_name="", change=make_change(removed=[rule(22)]))
    (payload,) = batch_message(view(groups=(closing,)), asks=True)
    assert "It opens nothing." in buttons(payload)[APPROVE]["confirm"]["text"]["text"]


def result(**statuses: int) -> tuple[RequestView, ...]:
    """Return as many calls with these statuses."""
    named = [status for status, number in statuses.items() for _ in range(number)]
    values = {"error": {"error_code": "InvalidPermission.Duplicate", "error_reason": "It is there."}}
    return tuple(call(number, status=one, **values.get(one, {})) for number, one in enumerate(named))


@pytest.mark.parametrize(
    ("status", "values", "headline", "colour"),
    [
        ("pending", {}, "2 security group calls of one requester need approval", ORANGE),
        ("pending", {"terms": None}, "2 security group calls of one requester wait for approval", ORANGE),
        ("pending", {"is_reminder": True}, "Reminder: 2 security group calls of one requester need approval", ORANGE),
        ("approved", {"calls": result(approved=2, applied=1)}, "3 calls approved", GREEN),
        ("done", {"calls": result(applied=2)}, "2 calls approved and applied", GREEN),
        ("done", {"calls": result(applied=1, error=1)}, "1 of 2 approved calls could not be applied", RED),
        (
            "approved",
            {"calls": result(applied=1, error=1, approved=1)},
            "1 of 3 approved calls could not be applied",
            RED,
        ),
        ("denied", {}, "2 calls denied", RED),
        ("expired", {}, "2 calls expired", RED),
        ("withdrawn", {}, "2 calls withdrawn by their requester", ORANGE),
        ("one_by_one", {}, "2 calls asked one by one", ORANGE),
        ("superseded", {"superseded": (call(1),), "calls": ()}, "1 call cancelled by their requester", ORANGE),
        ("announced", {"announced": (call(1),), "calls": ()}, "1 call observed", ORANGE),
    ],
)
def test_each_status_has_its_headline_and_colour(
    status: BatchStatus, values: dict[str, Any], headline: str, colour: str
) -> None:
    """Of everything that can become of a batch."""
    made = view(status=status, **values)
    assert (batch_status(made).headline, batch_status(made).colour) == (headline, colour)
    shown(batch_message(made))


def test_who_decided_and_until_when_is_said() -> None:
    """By mention in the line, by name in what is read aloud."""
    decided = {"decided_by": "U1AAA", "decided_by_name": "grace", "decided_at": NOON}
    until = batch_status(view(status="done", calls=result(applied=1), valid_until=NOON + timedelta(hours=8), **decided))
    assert "Approved by <@U1AAA>" in until.line
    assert "Until <!date^" in until.line
    assert "Approved by grace." in until.plain_line
    denied = batch_status(view(status="denied", **decided))
    assert "*Denied* by <@U1AAA>" in denied.line
    assert denied.plain_line == "Denied by grace. They stay reverted."
    assert person("") == "an approver"


def test_what_failed_is_named_at_its_call() -> None:
    """With EC2's code and a sentence; what was cancelled, too."""
    cancelled = call(9, status="expired", is_superseded=True)
    text = shown(
        batch_message(
            view(status="done", calls=result(applied=1, error=1), superseded=(cancelled,), decided_by="U1AAA")
        )
    )
    assert "error InvalidPermission.Duplicate: It is there." in text
    assert ": applied" in text
    assert "cancelled by later calls" in text


def test_progress_and_mentions_are_shown() -> None:
    """Who has approved, how many are needed, who is named."""
    terms = Terms(needs=Needs(approvals=2, mention=("U2AAA", "nobody")))
    status = batch_status(view(terms=terms, approvals=(Approver(by="U1AAA", at=NOON),)))
    assert status.remarks == ("*1 of 2 approvals*: <@U1AAA>", "<@U2AAA>")
    assert "*1 of 2 approvals*" in shown(batch_message(view(terms=terms, approvals=(Approver(by="U1AAA", at=NOON),))))
    assert batch_status(view(terms=Terms(needs=Needs(approvals=2)))).remarks == ("*0 of 2 approvals*",)
    assert batch_status(view()).remarks == ()


def test_what_is_not_known_is_left_out() -> None:
    """No requester, no name of the account, no net change."""
    text = shown(batch_message(view(requester=None, account_name="", groups=(), calls=(), announced=(call(1),))))
    assert "unknown" in text
    nameless = replace(EVIL, arn="")
    assert "Identity" not in shown(batch_message(view(requester=nameless)))


def test_a_reason_for_all_is_a_note() -> None:
    """Shown as plain text, once."""
    made = view(status="denied", denial_reason="ask <!here>")
    assert batch_status(made).notes == ("Reason for the denial: ask <!here>",)
    assert batch_status(view(status="denied")).notes == ()
    assert shown(batch_message(made)).count("Reason for the denial") == 1


def test_a_modal_asks_once_more_in_place_of_the_dialog() -> None:
    """Two dialogs in a row would ask the same."""
    for by_modal in (False, True):
        (message,) = batch_message(view(denies_by_modal=by_modal), asks=True)
        found = [one for block in message["blocks"] if block["type"] == "actions" for one in block["elements"]]
        (deny,) = [one for one in found if one["action_id"] == "deny"]
        assert ("confirm" in deny) is not by_modal
