"""Clicks: a button's click, or a submitted modal, is sent to the app as Slack's signed request, or as a forged one.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests

from sandbox.errors import SandboxError
from sandbox.slack.workspace import APP_ID, TEAM_DOMAIN, TEAM_ID, Message, SlackUser, SlackWorkspace
from sandbox.timeline import ClickAnswered, SlackClicked, Timeline

#: After this time Slack shows the user that the click failed.
PATIENCE_SECONDS = 3.0
#: How long the sandbox waits nevertheless, to show what the answer would have been.
LONGEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickResult:
    """How the app answered a click."""

    status: int
    body: str
    duration_ms: float

    @property
    def in_time(self) -> bool:
        """Whether Slack shows the click as done: 200 within three seconds."""
        return self.status == 200 and self.duration_ms <= PATIENCE_SECONDS * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickSettings:
    """What a click needs to know of the app and of Slack's address."""

    request_url: Callable[[], str]
    """The app's interactivity request URL, at the moment of the click."""
    slack_url: Callable[[], str]
    """Base address of the Slack stand-in."""
    signing_secret: str
    verification_token: str


class Clicker:
    """Clicks buttons of a workspace's messages."""

    def __init__(self, workspace: SlackWorkspace, settings: ClickSettings, timeline: Timeline) -> None:
        """Click in a workspace."""
        self._workspace = workspace
        self._settings = settings
        self._timeline = timeline
        self._session = requests.Session()
        self._session.trust_env = False  # the app is on this machine, so no proxy is used

    def click(self, user: SlackUser, message: Message, button_text: str) -> ClickResult:
        """Click the button with this label, as Slack delivers it; raises when the message has no such button."""
        payload = self.payload(user, message, button_text)
        clicked = {"channel": message.channel, "ts": message.ts}
        self._timeline.add(SlackClicked(user=user.name, button=button_text, **clicked))
        result = self.send(payload, signing_secret=self._settings.signing_secret)
        self._timeline.add(ClickAnswered(status=result.status, duration_ms=result.duration_ms, **clicked))
        return result

    def submit(self, user: SlackUser, text: str) -> ClickResult:
        """Submit the modal that a user looks at, with this text in its first input.

        It closes where the app answers with nothing; errors stand below its input. Raises when no modal is open.
        """
        modal = self._workspace.modals.of(user.id)
        if modal is None:
            raise SandboxError(f"{user.name} has no modal open.")
        payload = {
            "type": "view_submission",
            "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
            "user": _as_clicker(user),
            "api_app_id": APP_ID,
            "token": self._settings.verification_token,
            "trigger_id": self._workspace.modals.new_trigger(user.id),
            "view": {"id": modal.id, **modal.view, "state": modal.state(text)},
            "response_urls": [],
        }
        result = self.send(payload, signing_secret=self._settings.signing_secret)
        modal.errors = _errors(result.body)
        if result.in_time and not modal.errors:
            self._workspace.modals.close(user.id)
        return result

    def send(self, payload: dict[str, Any], *, signing_secret: str) -> ClickResult:
        """Send a payload to the app, signed with a secret: Slack's own, or a forger's guess."""
        body = urlencode({"payload": json.dumps(payload)})
        timestamp = str(int(time.time()))
        signature = hmac.new(signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }
        started = time.perf_counter()
        url = self._settings.request_url()
        try:
            answer = self._session.post(url, data=body.encode(), headers=headers, timeout=LONGEST_SECONDS)
            status, text = answer.status_code, answer.text
        except requests.RequestException as error:
            status, text = 0, f"{type(error).__name__}"
        return ClickResult(status=status, body=text, duration_ms=(time.perf_counter() - started) * 1000)

    def payload(self, user: SlackUser, message: Message, button_text: str) -> dict[str, Any]:
        """Make the ``block_actions`` payload of a click."""
        button, block, attachment_id = _locate(message, button_text)
        channel = self._workspace.channels[message.channel]
        token = self._workspace.new_response_url(message.channel, message.ts, user.id)
        container: dict[str, Any] = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(message.visible_to),
        }
        if attachment_id is not None:
            container |= {"type": "message_attachment", "attachment_id": attachment_id, "is_app_unfurl": False}
        now = f"{time.time():.6f}"
        return {
            "type": "block_actions",
            "user": _as_clicker(user),
            "api_app_id": APP_ID,
            "token": self._settings.verification_token,
            "container": container,
            "trigger_id": self._workspace.modals.new_trigger(user.id),
            "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": channel.id, "name": channel.name},
            "message": {
                "type": "message",
                "subtype": "bot_message",
                "bot_id": "B0SANDBOX1",
                "ts": message.ts,
                "text": message.text,
                "blocks": message.blocks,
                "attachments": message.attachments,
            },
            "state": {"values": {}},
            "response_url": f"{self._settings.slack_url()}/actions/{TEAM_ID}/{token}",
            "actions": [
                {
                    **{key: value for key, value in button.items() if key not in ("confirm", "accessibility_label")},
                    "block_id": block["block_id"],
                    "action_ts": now,
                }
            ],
        }


def _as_clicker(user: SlackUser) -> dict[str, Any]:
    return {"id": user.id, "username": user.username, "name": user.username, "team_id": TEAM_ID}


def _errors(body: str) -> dict[str, str]:
    """Return what an answer to a submission shows below the inputs, by block."""
    answer = json.loads(body) if body.startswith("{") else {}
    return dict(answer["errors"]) if answer.get("response_action") == "errors" else {}


def _locate(message: Message, button_text: str) -> tuple[dict[str, Any], dict[str, Any], int | None]:
    places = [(block, None) for block in message.blocks]
    for attachment in message.attachments:
        places += [(block, attachment["id"]) for block in attachment.get("blocks", ())]
    for block, attachment_id in places:
        for element in [*block.get("elements", ()), block.get("accessory") or {}]:
            if element.get("type") == "button" and element["text"]["text"] == button_text:
                return element, block, attachment_id
    raise SandboxError(
        f"The message {message.ts} has no button {button_text!r}, only {', '.join(message.button_texts()) or 'none'}."
    )
