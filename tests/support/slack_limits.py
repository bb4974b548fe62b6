"""Checks a finished payload against all of Slack's limits, each with the page it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.slack.limits import CONFIRM_TEXT, MESSAGE, length, size

# https://docs.slack.dev/reference/block-kit/blocks: "up to 50 blocks in each message".
BLOCKS: Final = 50
# https://docs.slack.dev/reference/block-kit/blocks/header-block
HEADER: Final = 150
# https://docs.slack.dev/reference/block-kit/blocks/section-block
SECTION: Final = 3000
FIELDS: Final = 10
FIELD: Final = 2000
# https://docs.slack.dev/reference/block-kit/blocks/context-block; the length is that of a text object.
CONTEXT_ELEMENTS: Final = 10
# https://docs.slack.dev/reference/block-kit/composition-objects/text-object
TEXT_OBJECT: Final = 3000
# https://docs.slack.dev/reference/block-kit/blocks/actions-block
ACTIONS: Final = 25
# https://docs.slack.dev/reference/block-kit/block-elements/button-element
BUTTON: Final = 75
BUTTON_VALUE: Final = 2000
IDENTIFIER: Final = 255
# https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
CONFIRM_TITLE: Final = 100
CONFIRM_BUTTON: Final = 30
# https://docs.slack.dev/reference/methods/chat.postMessage (truncating content; too_many_attachments)
TEXT: Final = 4000
ATTACHMENTS: Final = 100


class LimitError(ValueError):
    """A payload Slack would refuse; the message names the path of what is wrong."""


def check(payload: Mapping[str, Any]) -> None:
    """Check a finished message.

    Args:
        payload: what is posted to a webhook or a ``response_url``.

    Raises:
        LimitError: names the path of the first thing that breaks a limit, e.g. ``blocks[2].fields[0].text``.
    """
    _text(payload.get("text"), "text", TEXT)
    blocks, attachments = payload.get("blocks", []), payload.get("attachments", [])
    _count(attachments, "attachments", ATTACHMENTS)
    total = len(blocks) + sum(len(attachment.get("blocks", [])) for attachment in attachments)
    if total > BLOCKS:
        raise LimitError(f"blocks: {total} blocks, at most {BLOCKS} are allowed")
    _blocks(blocks, "blocks")
    for index, attachment in enumerate(attachments):
        _blocks(attachment.get("blocks", []), f"attachments[{index}].blocks")
    if size(payload) > MESSAGE:
        raise LimitError(f"the message as a whole has {size(payload)} characters, at most {MESSAGE} are allowed")


def _blocks(blocks: Sequence[Mapping[str, Any]], path: str) -> None:
    for index, block in enumerate(blocks):
        where = f"{path}[{index}]"
        checker = _CHECKERS.get(block["type"])
        if checker is None:
            raise LimitError(f"{where}.type: no limits are known for {block['type']!r}")
        checker(block, where)


def _header(block: Mapping[str, Any], path: str) -> None:
    _text_object(block["text"], f"{path}.text", HEADER)


def _section(block: Mapping[str, Any], path: str) -> None:
    if "text" in block:
        _text_object(block["text"], f"{path}.text", SECTION)
    else:
        _count(block["fields"], f"{path}.fields", FIELDS, least=1)
        for index, field in enumerate(block["fields"]):
            _text_object(field, f"{path}.fields[{index}]", FIELD)


def _context(block: Mapping[str, Any], path: str) -> None:
    _count(block["elements"], f"{path}.elements", CONTEXT_ELEMENTS, least=1)
    for index, element in enumerate(block["elements"]):
        _text_object(element, f"{path}.elements[{index}]", TEXT_OBJECT)


def _actions(block: Mapping[str, Any], path: str) -> None:
    _count(block["elements"], f"{path}.elements", ACTIONS, least=1)
    for index, button in enumerate(block["elements"]):
        where = f"{path}.elements[{index}]"
        _text_object(button["text"], f"{where}.text", BUTTON)
        _text(button["value"], f"{where}.value", BUTTON_VALUE)
        _text(button["action_id"], f"{where}.action_id", IDENTIFIER)
        if "confirm" in button:
            _confirm(button["confirm"], f"{where}.confirm")


def _confirm(dialog: Mapping[str, Any], path: str) -> None:
    for key, most in (
        ("title", CONFIRM_TITLE),
        ("text", CONFIRM_TEXT),
        ("confirm", CONFIRM_BUTTON),
        ("deny", CONFIRM_BUTTON),
    ):
        _text_object(dialog[key], f"{path}.{key}", most)


_CHECKERS: Final[Mapping[str, Callable[[Mapping[str, Any], str], None]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
}


def _text_object(text: Mapping[str, Any], path: str, most: int) -> None:
    _text(text["text"], f"{path}.text", most)


def _text(text: Any, path: str, most: int) -> None:
    if not isinstance(text, str) or not text:
        raise LimitError(f"{path}: must be a text of at least one character")
    if length(text) > most:
        raise LimitError(f"{path}: {length(text)} characters, at most {most} are allowed")


def _count(items: Sequence[Any], path: str, most: int, *, least: int = 0) -> None:
    if not least <= len(items) <= most:
        raise LimitError(f"{path}: {len(items)} items, {least} to {most} are allowed")
