"""With the bot token a request is one message in each channel, which is replaced; without, the webhooks take them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from central.chalicelib.outbox import bot
from shared.domain.request import Request
from shared.wire.messages import AppliedMessage
from tests.support.bot import (
    APPROVAL_ID,
    MONITORING_ID,
    POST,
    UPDATE,
    has_buttons,
    messages_in,
    refused,
    replies,
    updates,
    use_bot,
)
from tests.support.central_account import Central, aged, make_request
from tests.support.denials import TOKEN
from tests.support.slack_stand_in import OK, SlackStandIn


@pytest.fixture(autouse=True)
def _bot(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    use_bot(slack, monkeypatch)


def click(central: Central, request: Request, action: str = "approve", **values: Any) -> None:
    """Click on the message that the bot has posted last to the approval channel."""
    channel, ts = central.item(request.request_id)["approvalPost"].split("/")
    container = {"type": "message", "message_ts": ts, "channel_id": channel}
    answer = central.click(request, action, **{"container": container, **values})
    assert answer.status == 200


def apply(central: Central, request: Request) -> None:
    """Let the member account report success."""
    central.deliver(
        AppliedMessage(
            request_id=request.request_id,
            digest=request.digest,
            account=request.account,
            region=request.region,
            applied_at=datetime.now(UTC),
        )
    )


def test_a_request_is_one_message_in_each_channel(central: Central) -> None:
    """Posted once, replaced by what came of it, which its thread says too; the webhooks hear nothing."""
    request = central.file()
    (question,), (announced,) = messages_in(central, APPROVAL_ID), messages_in(central, MONITORING_ID)
    assert (has_buttons(question), has_buttons(announced)) == (True, False)
    assert question.authorization == f"Bearer {TOKEN}"
    click(central, request)
    assert central.status() == "approved"
    apply(central, request)
    assert central.status() == "applied"
    (shown,), (told,) = updates(central, APPROVAL_ID), updates(central, MONITORING_ID)
    assert f"{APPROVAL_ID}/{shown.payload['ts']}" == central.item()["approvalPost"]
    assert f"{MONITORING_ID}/{told.payload['ts']}" == central.item()["monitoringPost"]
    assert not has_buttons(shown)
    (reply,) = replies(central)
    assert (reply.payload["channel"], reply.payload["thread_ts"]) == (APPROVAL_ID, shown.payload["ts"])
    assert (central.approval, central.monitoring) == ([], [])


@pytest.mark.parametrize(
    "code", ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"]
)
def test_what_cannot_be_replaced_is_posted_anew(central: Central, code: str) -> None:
    """In the channel and, as ever, over the clicked message."""
    request = central.file()
    click(central, request, "approve", response_url="")
    central.slack.always[UPDATE] = refused(code)
    apply(central, request)
    assert not central.item().get("tasks")
    assert len(messages_in(central, MONITORING_ID)) == 2
    assert has_buttons(messages_in(central, APPROVAL_ID)[0])
    assert not has_buttons(central.slack.calls("chat.postMessage")[-1])


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "missing_scope", "not_in_channel", "is_archived"])
def test_while_slack_refuses_the_token_the_webhooks_take_the_messages(
    central: Central, logs: io.StringIO, code: str
) -> None:
    """Operators are told once, without the token."""
    central.slack.always[POST] = refused(code)
    central.file()
    central.file(make_request("r-2"))
    assert (len(central.approval), len(central.monitoring)) == (2, 2)
    assert "approvalPost" not in central.item()
    assert logs.getvalue().count("the bot token cannot be used") == 1
    assert code in logs.getvalue()
    assert TOKEN not in logs.getvalue()


@pytest.mark.parametrize("name", ["approvalChannelId", "slackApiUrl"])
def test_a_malformed_setting_is_named_and_stops_only_the_bot(
    central: Central, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The question is asked nevertheless."""
    monkeypatch.setenv(name, "https://evil.example/")
    central.file()
    assert len(central.approval) == 1
    assert f"Setting {name} is malformed" in logs.getvalue()


def test_switching_the_token_off_and_on_loses_nothing(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked by the one, decided by the other."""
    by_bot = central.file()
    monkeypatch.delenv("slackBotToken")
    by_hook = central.file(make_request("r-2"))
    click(central, by_bot)
    central.click(by_hook)
    monkeypatch.setenv("slackBotToken", TOKEN)
    assert [central.status(one.request_id) for one in (by_bot, by_hook)] == ["approved", "approved"]
    for one in (by_bot, by_hook):
        apply(central, one)
    assert [central.status(one.request_id) for one in (by_bot, by_hook)] == ["applied", "applied"]
    assert len(updates(central, APPROVAL_ID)) == 1
    assert "approved" in central.responses[-1].text.lower()


@pytest.mark.parametrize("has_token", [True, False])
@pytest.mark.parametrize("place", [("C0APPROVE", "1.2"), ("C0OTHER", "")])
def test_a_click_on_another_message_changes_nothing(
    central: Central, monkeypatch: pytest.MonkeyPatch, place: tuple[str, str], has_token: bool
) -> None:
    """It may stand in a channel of other people; it is told, and loses its buttons; without the token now, too."""
    request = central.file()
    if not has_token:
        monkeypatch.delenv("slackBotToken")
    channel, ts = place
    asked_at = central.item()["approvalPost"].split("/")[1]
    container = {"type": "message", "message_ts": ts or asked_at, "channel_id": channel}
    central.click(request, container=container)
    assert central.status() == "pending"
    told, refreshed = central.responses
    assert "Another message in the approval channel asks this now" in told.text
    assert not has_buttons(refreshed)
    click(central, request)
    assert central.status() == "approved"


def test_a_reminder_replaces_the_question_and_names_who_may_approve(
    central: Central, policy: Callable[[str], None]
) -> None:
    """Only the reply in its thread reaches people."""
    policy('approvers = ["U061F7AUR"]')
    central.file(aged(make_request(), hours=5))
    central.sweep()
    (question,) = messages_in(central, APPROVAL_ID)
    (reminded,) = updates(central, APPROVAL_ID)
    assert has_buttons(question)
    assert has_buttons(reminded)
    (reply,) = replies(central)
    assert "<@U061F7AUR> This request still waits." in reply.text
    assert not has_buttons(reply)


def test_an_expired_request_loses_its_buttons(central: Central) -> None:
    """Nobody has clicked, so only its stored address leads to it."""
    central.file(aged(make_request(), hours=73))
    central.sweep()
    assert central.status() == "expired"
    assert not has_buttons(updates(central, APPROVAL_ID)[-1])


def test_a_reply_that_fails_holds_up_nothing(central: Central) -> None:
    """The question itself says all of it."""
    request = central.file()
    click(central, request, "approve")
    central.slack.replies[POST].extend([refused("thread_not_found"), OK])
    apply(central, request)
    assert not central.item().get("tasks")


def test_a_rotated_token_is_read_again(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack refuses the old one once."""
    asked: list[str] = []
    monkeypatch.setattr(bot, "renewed", lambda name: asked.append(name) is None)
    central.slack.replies[POST].append(refused("token_revoked"))
    central.file()
    assert asked == ["slackBotToken"]
    assert len(messages_in(central, APPROVAL_ID)) == 1
    assert central.approval == []
