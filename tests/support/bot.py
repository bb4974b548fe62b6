"""The bot token in use: messages that are posted by Slack's Web API and replaced."""

from __future__ import annotations

import json

import pytest

from central.chalicelib.outbox import bot
from sandbox.slack.stand_in import API_PATH
from tests.support.central_account import Central
from tests.support.denials import use_token
from tests.support.slack_stand_in import Post, Reply, SlackStandIn

APPROVAL_ID, MONITORING_ID = "C0APPROVE", "C0MONITOR"
POST, UPDATE = f"{API_PATH}chat.postMessage", f"{API_PATH}chat.update"


def use_bot(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a bot token that the stand-in takes, and the channels' ids."""
    use_token(slack, monkeypatch)
    monkeypatch.setenv("approvalChannelId", APPROVAL_ID)
    monkeypatch.setenv("monitoringChannelId", MONITORING_ID)
    bot._told.clear()


def refused(code: str) -> Reply:
    """Slack's answer to a call that it refuses."""
    return Reply(status=200, body=json.dumps({"ok": False, "error": code}))


def messages_in(central: Central, channel: str) -> list[Post]:
    """The messages that the bot posted to a channel, without replies in threads."""
    found = central.slack.calls("chat.postMessage")
    return [one for one in found if one.payload["channel"] == channel and not one.payload.get("thread_ts")]


def updates(central: Central, channel: str) -> list[Post]:
    """The messages of a channel that were replaced."""
    return [one for one in central.slack.calls("chat.update") if one.payload["channel"] == channel]


def replies(central: Central) -> list[Post]:
    """What was said in threads."""
    return [one for one in central.slack.calls("chat.postMessage") if one.payload.get("thread_ts")]


def has_buttons(post: Post) -> bool:
    """Whether a message can be clicked."""
    return any(block["type"] == "actions" for block in post.payload["blocks"])
