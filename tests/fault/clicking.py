"""A click as Slack sends it and API Gateway hands it on: signed, and made of what the clicked message shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from central.chalicelib.slack.signature import sign
from tests.fault.accounts import SECRET
from tests.support.slack_stand_in import Post


def button_value(post: Post) -> dict[str, Any]:
    """Return what a message's buttons carry; nothing when it has none."""
    rows = [block["elements"] for block in post.payload.get("blocks", []) if block["type"] == "actions"]
    value: dict[str, Any] = json.loads(rows[0][0]["value"]) if rows else {}
    return value


def click_event(
    value: Mapping[str, Any], action: str, *, by: str, at: datetime, response_url: str, number: int
) -> dict[str, Any]:
    """Return the event of a click.

    Args:
        value: the button's.
        action: ``approve`` or ``deny``.
        by: Slack user id.
        at: when.
        response_url: where the clicked message can be replaced.
        number: tells this click's message from others.
    """
    payload = {
        "type": "block_actions",
        "user": {"id": by, "username": by.lower(), "name": by.lower(), "team_id": "T0001"},
        "team": {"id": "T0001", "domain": "example"},
        "container": {"type": "message", "message_ts": f"1727740800.{number:06}", "channel_id": "C0001"},
        "channel": {"id": "C0001", "name": "privategroup"},
        "message": {"text": "what the client shows"},
        "response_url": response_url,
        "trigger_id": "1.2.3",
        "actions": [{"action_id": action, "type": "button", "value": json.dumps(value), "action_ts": "1.1"}],
    }
    return signed_event(payload, secret=SECRET, at=at)


def signed_event(payload: Mapping[str, Any], *, secret: str, at: datetime) -> dict[str, Any]:
    """Return API Gateway's event of a payload, signed as Slack signs it."""
    body = urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(at.timestamp()))
    return {
        "requestContext": {"resourcePath": "/slack/actions", "httpMethod": "POST"},
        "headers": {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(secret, timestamp, body.encode()),
        },
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": False,
    }
