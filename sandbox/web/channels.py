"""Slack as one of its users sees it: both channels, notes for that user alone, and clicks on what is on the screen."""

import threading
from collections import OrderedDict
from typing import Any

from sandbox.errors import SandboxError
from sandbox.settings import APPROVAL_CHANNEL, MONITORING_CHANNEL
from sandbox.slack.workspace import Message, SlackUser
from sandbox.system import Sandbox
from sandbox.web.body import BadRequestError, Body

MESSAGES_SHOWN = 80
VERSIONS_KEPT = 2_000

Json = dict[str, Any]


class Channels:
    """The Slack part of the page."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Show the workspace of a sandbox."""
        self._sandbox = sandbox
        self._lock = threading.Lock()
        # A click travels from the message as it was on the screen: its buttons may be gone since, as in Slack.
        self._seen: OrderedDict[tuple[str, str, int], Message] = OrderedDict()

    def view(self, user: str) -> Json:
        """Return what a user (by id) sees, the newest messages of each channel in order of time."""
        person = self._person(user)
        return {"user": person.id, "channels": [self._channel(name, person) for name in self._names()]}

    def click(self, body: Body) -> Json:
        """Click a button of a message in the version that the page showed; return how the app answered."""
        key = (body.text("channel"), body.text("ts"), int(body.number("version", least=0, most=10_000)))
        with self._lock:
            message = self._seen.get(key)
        if message is None:
            raise SandboxError("This message is not on the page any more.")
        result = self._sandbox.click(self._person(body.text("user")), message, body.text("button"))
        return {"status": result.status, "ms": result.duration_ms, "inTime": result.in_time}

    def forget(self) -> None:
        """Forget what was seen, because the channels were emptied."""
        with self._lock:
            self._seen.clear()

    def _names(self) -> tuple[str, str]:
        return APPROVAL_CHANNEL, MONITORING_CHANNEL

    def _channel(self, name: str, person: SlackUser) -> Json:
        workspace = self._sandbox.slack
        messages = [*workspace.messages(name), *workspace.notes(name, user=person.id)]
        shown = sorted(messages, key=lambda message: message.ts)[-MESSAGES_SHOWN:]
        with self._lock:
            for message in shown:
                self._seen[name, message.ts, message.edits] = message
            while len(self._seen) > VERSIONS_KEPT:
                self._seen.popitem(last=False)
        return {"name": name, "messages": [_shown(message) for message in shown]}

    def _person(self, user: str) -> SlackUser:
        if user not in self._sandbox.slack.users:
            raise BadRequestError(f"{user!r} is not a user of the workspace.")
        return self._sandbox.slack.users[user]


def _shown(message: Message) -> Json:
    return {
        "ts": message.ts,
        "version": message.edits,
        "text": message.text,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "threadTs": message.thread_ts,
        "ephemeral": bool(message.visible_to),
    }
