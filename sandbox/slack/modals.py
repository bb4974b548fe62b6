"""Modals: opened by an app for somebody who has just clicked, shown until they are submitted or closed.

Written from Slack's reference and independent of the product; it knows only a modal of text inputs.
https://docs.slack.dev/reference/methods/views.open
"""

import copy
import itertools
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.validation import PayloadError

#: https://docs.slack.dev/surfaces/modals
TRIGGER_SECONDS = 3.0
MAX_METADATA = 3000
MAX_TITLE = 24
MAX_LABEL = 2000
MAX_INPUT = 3000

_KEYS = {"type", "callback_id", "private_metadata", "title", "submit", "close", "blocks", "clear_on_close"}
_BLOCK = {"type", "block_id", "label", "hint", "element", "optional"}
_ELEMENT = {"type", "action_id", "multiline", "min_length", "max_length", "placeholder", "initial_value"}


@dataclass(slots=True, kw_only=True)
class Modal:
    """A modal that somebody looks at."""

    id: str
    user: str
    view: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)
    """What stands below an input, by its block, after a submission that the app did not take."""

    def state(self, text: str) -> dict[str, Any]:
        """Return what Slack sends as ``state`` when this was typed into its first input."""
        block = self.view["blocks"][0]
        value = {"type": "plain_text_input", "value": text or None}
        return {"values": {block["block_id"]: {block["element"]["action_id"]: value}}}


class Modals:
    """What is open in a workspace; safe to use from any thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._counter = itertools.count(1)
        self._triggers: dict[str, tuple[str, float]] = {}
        self._open: dict[str, Modal] = {}

    def new_trigger(self, user: str) -> str:
        """Make the ``trigger_id`` of a click: it opens one modal, within three seconds."""
        with self._lock:
            trigger = f"{next(self._counter)}.{time.time():.6f}.click"
            self._triggers[trigger] = (user, time.monotonic())
            return trigger

    def open(self, trigger: str, view: Mapping[str, Any]) -> Modal:
        """Open a modal; raises :class:`PayloadError` with Slack's word where Slack would refuse it."""
        check_view(view)
        with self._lock:
            user, made_at = self._triggers.pop(trigger, ("", 0.0))
            if not user:
                raise PayloadError("invalid_trigger_id", "no click had it, or it was used before")
            if time.monotonic() - made_at > TRIGGER_SECONDS:
                raise PayloadError("expired_trigger_id", f"it is older than {TRIGGER_SECONDS:g} seconds")
            modal = Modal(id=f"V{next(self._counter):08d}", user=user, view=copy.deepcopy(dict(view)))
            self._open[user] = modal
            return modal

    def of(self, user: str) -> Modal | None:
        """Return the modal that a user (by id) looks at."""
        with self._lock:
            return self._open.get(user)

    def close(self, user: str) -> None:
        """Close a user's modal, as after Cancel."""
        with self._lock:
            self._open.pop(user, None)


def check_view(view: Mapping[str, Any]) -> None:
    """Check a modal; raises :class:`PayloadError`."""
    _only(view, _KEYS, "view")
    if view.get("type") != "modal":
        raise PayloadError("invalid_arguments", "view.type is not modal")
    for key, longest in (("title", MAX_TITLE), ("submit", MAX_TITLE), ("close", MAX_TITLE)):
        _plain(view.get(key), longest, f"view.{key}")
    if len(view.get("private_metadata", "")) > MAX_METADATA:
        raise PayloadError("invalid_arguments", f"view.private_metadata is longer than {MAX_METADATA}")
    blocks = view.get("blocks")
    if not isinstance(blocks, list) or not blocks:
        raise PayloadError("invalid_arguments", "view.blocks is empty")
    for number, block in enumerate(blocks):
        _input(block, f"view.blocks[{number}]")


def _input(block: Mapping[str, Any], path: str) -> None:
    _only(block, _BLOCK, path)
    _only(block.get("element", {}), _ELEMENT, f"{path}.element")
    if (block.get("type"), block.get("element", {}).get("type")) != ("input", "plain_text_input"):
        raise PayloadError("invalid_arguments", f"{path} is not a text input")
    _plain(block.get("label"), MAX_LABEL, f"{path}.label")
    if "hint" in block:
        _plain(block["hint"], MAX_LABEL, f"{path}.hint")
    if not 1 <= block["element"].get("max_length", MAX_INPUT) <= MAX_INPUT:
        raise PayloadError("invalid_arguments", f"{path}.element.max_length is not 1 to {MAX_INPUT}")


def _plain(text: Any, longest: int, path: str) -> None:
    is_plain = isinstance(text, dict) and text.get("type") == "plain_text"
    if not is_plain or not 1 <= len(text.get("text", "")) <= longest:
        raise PayloadError("invalid_arguments", f"{path} is not a plain text of 1 to {longest} characters")


def _only(value: Any, keys: set[str], path: str) -> None:
    if not isinstance(value, dict) or set(value) - keys:
        raise PayloadError("invalid_arguments", f"{path} is not an object of {', '.join(sorted(keys))}")
