"""The workspace: people, channels, messages with their history, and ephemeral messages.

A model without HTTP: apps use ``server.py``, people ``clicks.py``.
"""

import copy
import itertools
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import SandboxError
from sandbox.slack.modals import Modals
from sandbox.timeline import SlackPosted, Timeline

TEAM_ID = "T0SANDBOX1"
TEAM_DOMAIN = "sandbox"
APP_ID = "A0SANDBOX1"
#: https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses
RESPONSE_URL_USES = 5
RESPONSE_URL_SECONDS = 30 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackUser:
    """A member of the workspace."""

    id: str
    username: str
    name: str
    is_approver: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """A message in a channel, or an ephemeral one, as it looks now."""

    ts: str
    channel: str
    text: str
    blocks: list[dict[str, Any]]
    attachments: list[dict[str, Any]]
    thread_ts: str = ""
    visible_to: str = ""
    """User id, for ephemeral messages."""
    edits: int = 0
    """How often it was replaced."""

    def all_blocks(self) -> list[dict[str, Any]]:
        """Return its blocks in reading order: its own, then those inside attachments."""
        inner = [block for attachment in self.attachments for block in attachment.get("blocks", ())]
        return [*self.blocks, *inner]

    def buttons(self) -> list[dict[str, Any]]:
        """Return its buttons in reading order."""
        return [
            element
            for block in self.all_blocks()
            for element in [*block.get("elements", ()), block.get("accessory") or {}]
            if element.get("type") == "button"
        ]

    def button_texts(self) -> list[str]:
        """Return the labels of its buttons, e.g. ``["Approve Add", "Deny"]``."""
        return [button["text"]["text"] for button in self.buttons()]


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel with its messages, oldest first."""

    id: str
    name: str
    messages: list[Message] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """One click's address for answers: a few uses, for half an hour."""

    channel: str
    message_ts: str
    user: str
    made_at: float
    uses: int = 0


class SlackWorkspace:
    """Everything in the workspace; safe to use from any thread."""

    def __init__(self, channels: Sequence[str], users: Iterable[SlackUser], timeline: Timeline) -> None:
        """Make a workspace with channels by name."""
        self.channels = {
            name: Channel(id=f"C0SANDBOX{number}", name=name) for number, name in enumerate(channels, start=1)
        }
        self.users = {user.id: user for user in users}
        self.modals = Modals()
        self._timeline = timeline
        self._lock = threading.RLock()
        self._counter = itertools.count(1)
        self._response_urls: dict[str, ResponseUrl] = {}

    def user(self, wanted: str) -> SlackUser:
        """Find a user by id, username or name."""
        for user in self.users.values():
            if wanted in (user.id, user.username, user.name):
                return user
        raise SandboxError(f"Nobody in the workspace is called {wanted}.")

    def messages(self, channel: str) -> tuple[Message, ...]:
        """Return copies of a channel's messages, oldest first."""
        with self._lock:
            return tuple(copy.deepcopy(message) for message in self.channels[channel].messages)

    def notes(self, channel: str, *, user: str) -> tuple[Message, ...]:
        """Return copies of the ephemeral messages that a user (by id) sees in a channel, oldest first."""
        with self._lock:
            notes = self.channels[channel].notes
            return tuple(copy.deepcopy(note) for note in notes if note.visible_to == user)

    def message(self, channel: str, ts: str) -> Message:
        """Return a copy of a message; raises ``KeyError`` when it is not there."""
        with self._lock:
            return copy.deepcopy(self._find(channel, ts))

    def post(self, channel: str, payload: Mapping[str, Any]) -> Message:
        """Add a message to a channel."""
        with self._lock:
            message = self._new_message(channel, payload)
            message.thread_ts = str(payload.get("thread_ts", ""))
            self.channels[channel].messages.append(message)
        self._timeline.add(SlackPosted(channel=channel, ts=message.ts, text=message.text, how="posted"))
        return copy.deepcopy(message)

    def replace(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        """Put other content into a message."""
        with self._lock:
            message = self._find(channel, ts)
            fresh = self._new_message(channel, payload)
            message.text, message.blocks, message.attachments = fresh.text, fresh.blocks, fresh.attachments
            message.edits += 1
        self._timeline.add(SlackPosted(channel=channel, ts=ts, text=message.text, how="replaced"))

    def delete(self, channel: str, ts: str) -> None:
        """Remove a message, or an ephemeral one."""
        with self._lock:
            notes = self.channels[channel].notes
            left = [note for note in notes if note.ts != ts]
            if len(left) == len(notes):
                self.channels[channel].messages.remove(self._find(channel, ts))
            notes[:] = left

    def clear(self) -> None:
        """Remove every message, and end every ``response_url``."""
        with self._lock:
            for channel in self.channels.values():
                channel.messages.clear()
                channel.notes.clear()
            self._response_urls.clear()

    def post_ephemeral(self, channel: str, user: str, payload: Mapping[str, Any], *, answers: str = "") -> None:
        """Show a message to one user (by id); ``answers`` is the ``ts`` of the message that the user clicked."""
        with self._lock:
            note = self._new_message(channel, payload)
            note.visible_to = user
            self.channels[channel].notes.append(note)
        name = self.users[user].name if user in self.users else user
        self._timeline.add(
            SlackPosted(channel=channel, ts=note.ts, text=note.text, how="ephemeral", user=name, answers=answers)
        )

    def new_response_url(self, channel: str, message_ts: str, user: str) -> str:
        """Make the token of a click's ``response_url``."""
        with self._lock:
            token = f"{next(self._counter):012d}"
            self._response_urls[token] = ResponseUrl(
                channel=channel, message_ts=message_ts, user=user, made_at=time.time()
            )
            return token

    def use_response_url(self, token: str) -> ResponseUrl | None:
        """Count a use; ``None`` when the token is unknown, used up or too old."""
        with self._lock:
            target = self._response_urls.get(token)
            if target is None or target.uses >= RESPONSE_URL_USES:
                return None
            if time.time() - target.made_at > RESPONSE_URL_SECONDS:
                return None
            target.uses += 1
            return target

    def _find(self, channel: str, ts: str) -> Message:
        for message in self.channels[channel].messages:
            if message.ts == ts:
                return message
        raise KeyError(ts)

    def _new_message(self, channel: str, payload: Mapping[str, Any]) -> Message:
        content = copy.deepcopy(dict(payload))
        number = next(self._counter)
        blocks = content.get("blocks") or []
        attachments = content.get("attachments") or []
        for position, attachment in enumerate(attachments, start=1):
            attachment.setdefault("id", position)
        # Slack names blocks that the app left unnamed.
        inner = [block for attachment in attachments for block in attachment.get("blocks", ())]
        for position, block in enumerate([*blocks, *inner]):
            block.setdefault("block_id", f"b{number}-{position}")
        return Message(
            ts=f"{int(time.time())}.{number:06d}",
            channel=channel,
            text=str(content.get("text", "")),
            blocks=blocks,
            attachments=attachments,
        )
