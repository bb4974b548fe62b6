"""The modal in which a denial gets its reason: what Slack sends when somebody submits it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from sandbox.slack.stand_in import API_PATH
from tests.support.central_account import APPROVER, Central, HttpAnswer
from tests.support.slack_stand_in import Reply, SlackStandIn

TOKEN = "xoxb-secret-of-the-bot"
REFUSED = Reply(status=200, body=json.dumps({"ok": False, "error": "expired_trigger_id"}))
"""Slack's answer where a modal cannot be opened."""


def use_token(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a bot token that the stand-in takes."""
    monkeypatch.setenv("slackBotToken", TOKEN)
    monkeypatch.setenv("slackApiUrl", slack.url(API_PATH))


def opened(central: Central) -> dict[str, Any]:
    """Return the modal that was opened last."""
    view: dict[str, Any] = central.slack.calls("views.open")[-1].payload["view"]
    return view


def submission(view: Mapping[str, Any], reason: str | None, by: str = APPROVER, **values: Any) -> dict[str, Any]:
    """Return the payload of a submission; ``values`` replace parts of it.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
    """
    payload = {
        "type": "view_submission",
        "team": {"id": "T0001", "domain": "example"},
        "user": {"id": by, "username": "grace", "name": "grace", "team_id": "T0001"},
        "token": "verification-token-secret",
        "trigger_id": "1.2.4",
        "view": {
            "id": "V0001",
            "type": "modal",
            "callback_id": view["callback_id"],
            "private_metadata": view["private_metadata"],
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}},
        },
        "response_urls": [],
    }
    return payload | values


def form_of(payload: Mapping[str, Any]) -> bytes:
    """Return the form body that carries a payload."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def submit(central: Central, reason: str | None, by: str = APPROVER, **values: Any) -> HttpAnswer:
    """Submit the modal that was opened last."""
    return central.post(form_of(submission(opened(central), reason, by, **values)))


def refusal(answer: HttpAnswer) -> str:
    """Return the sentence below the input; empty where the modal closes."""
    assert answer.status == 200
    if not answer.body:
        return ""
    body = json.loads(answer.body)
    assert body["response_action"] == "errors"
    sentence: str = body["errors"]["reason"]
    return sentence
