"""Refuses what Slack refuses: checks block kinds, required parts and limits of a message.

Written from Slack's reference and independent of the product, so that each checks the other. It knows only the parts
of Block Kit that the product's messages need, and refuses everything else by name.
https://docs.slack.dev/reference/block-kit/blocks
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_BLOCKS = 50
MAX_TEXT = 40_000
MAX_MESSAGE_CHARACTERS = 13_000
MAX_ATTACHMENTS = 20
COLOR = re.compile(r"#[0-9a-fA-F]{6}|good|warning|danger")
MESSAGE_KEYS = {
    "text",
    "blocks",
    "attachments",
    "thread_ts",
    "mrkdwn",
    "response_type",
    "replace_original",
    "delete_original",
    "unfurl_links",
    "unfurl_media",
    "link_names",
    "parse",
}
API_KEYS = {"channel", "ts", "reply_broadcast"}
"""What calls of the Web API say beside the message."""
ATTACHMENT_KEYS = {"blocks", "color", "fallback", "text", "mrkdwn_in", "footer", "ts", "id"}


class PayloadError(Exception):
    """Slack would refuse the message; the text is Slack's error code and the reason."""

    def __init__(self, word: str, reason: str) -> None:
        """Take Slack's error code, e.g. ``invalid_blocks``, and which part is wrong."""
        super().__init__(f"{word}: {reason}")
        self.word = word


def read_message(text: str, *, by_api: bool = False) -> dict[str, Any]:
    """Read a message as apps post it, and check it; raises :class:`PayloadError`.

    Args:
        text: the body.
        by_api: it is a call of the Web API, which names the channel and, of an update, the message.
    """
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise PayloadError("invalid_payload", "the body is not JSON") from error
    if not isinstance(payload, dict):
        raise PayloadError("invalid_payload", "the body is not a JSON object")
    check_message({key: value for key, value in payload.items() if not by_api or key not in API_KEYS})
    if by_api and not payload.get("channel"):
        raise PayloadError("channel_not_found", "names no channel")
    return payload


def check_message(payload: Mapping[str, Any]) -> None:
    """Check a whole message; raises :class:`PayloadError`."""
    _only(payload, MESSAGE_KEYS, "message", word="invalid_payload")
    text, blocks, attachments = payload.get("text", ""), payload.get("blocks"), payload.get("attachments")
    if payload.get("delete_original"):
        return
    if not text and not blocks and not attachments:
        raise PayloadError("no_text", "neither text nor blocks nor attachments")
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise PayloadError("invalid_payload", "text is not a string or is too long")
    every_block = _list(blocks, "blocks")
    for number, attachment in enumerate(_list(attachments, "attachments")):
        _check_attachment(attachment, f"attachments[{number}]")
        every_block = [*every_block, *attachment.get("blocks", [])]
    if len(_list(attachments, "attachments")) > MAX_ATTACHMENTS:
        raise PayloadError("too_many_attachments", f"more than {MAX_ATTACHMENTS}")
    _check_blocks(_list(blocks, "blocks"), "blocks")
    _unique([block["block_id"] for block in every_block if "block_id" in block], "block_id")
    if _characters([blocks, attachments]) > MAX_MESSAGE_CHARACTERS:
        raise PayloadError("msg_blocks_too_long", f"more than {MAX_MESSAGE_CHARACTERS} characters in one message")


def _check_attachment(attachment: Any, path: str) -> None:
    _only(_mapping(attachment, path), ATTACHMENT_KEYS, path, word="invalid_attachments")
    color = attachment.get("color")
    if color is not None and not COLOR.fullmatch(str(color)):
        raise PayloadError("invalid_attachments", f"{path}.color {color!r} is not a colour")
    _check_blocks(_list(attachment.get("blocks"), f"{path}.blocks"), f"{path}.blocks")


def _check_blocks(blocks: Sequence[Any], path: str) -> None:
    if len(blocks) > MAX_BLOCKS:
        raise PayloadError("invalid_blocks", f"{path} has more than {MAX_BLOCKS} blocks")
    for number, block in enumerate(blocks):
        place = f"{path}[{number}]"
        kind = _mapping(block, place).get("type")
        check = BLOCKS.get(str(kind))
        if check is None:
            raise PayloadError("invalid_blocks", f"{place} has the unknown type {kind!r}")
        _short(block.get("block_id", ""), 255, f"{place}.block_id")
        check(block, place)


def _header(block: Mapping[str, Any], path: str) -> None:
    _only(block, {"type", "block_id", "text"}, path)
    _text(block.get("text"), 150, f"{path}.text", plain=True)


def _section(block: Mapping[str, Any], path: str) -> None:
    _only(block, {"type", "block_id", "text", "fields", "accessory", "expand"}, path)
    if "text" not in block and "fields" not in block:
        raise PayloadError("invalid_blocks", f"{path} has neither text nor fields")
    if "text" in block:
        _text(block["text"], 3000, f"{path}.text")
    if "fields" in block:
        fields = _list(block["fields"], f"{path}.fields")
        if not 1 <= len(fields) <= 10:
            raise PayloadError("invalid_blocks", f"{path}.fields must be 1 to 10")
        for number, item in enumerate(fields):
            _text(item, 2000, f"{path}.fields[{number}]")
    if "accessory" in block:
        _button(block["accessory"], f"{path}.accessory")


def _context(block: Mapping[str, Any], path: str) -> None:
    _only(block, {"type", "block_id", "elements"}, path)
    elements = _list(block.get("elements"), f"{path}.elements")
    if not 1 <= len(elements) <= 10:
        raise PayloadError("invalid_blocks", f"{path}.elements must be 1 to 10")
    for number, item in enumerate(elements):
        _text(item, 3000, f"{path}.elements[{number}]")


def _actions(block: Mapping[str, Any], path: str) -> None:
    _only(block, {"type", "block_id", "elements"}, path)
    elements = _list(block.get("elements"), f"{path}.elements")
    if not 1 <= len(elements) <= 25:
        raise PayloadError("invalid_blocks", f"{path}.elements must be 1 to 25")
    for number, item in enumerate(elements):
        _button(item, f"{path}.elements[{number}]")
    _unique([item["action_id"] for item in elements if "action_id" in item], f"action_id in {path}")


def _divider(block: Mapping[str, Any], path: str) -> None:
    _only(block, {"type", "block_id"}, path)


def _button(button: Any, path: str) -> None:
    keys = {"type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"}
    _only(_mapping(button, path), keys, path)
    if button.get("type") != "button":
        raise PayloadError("invalid_blocks", f"{path} has the unknown type {button.get('type')!r}")
    _text(button.get("text"), 75, f"{path}.text", plain=True)
    _short(button.get("action_id", ""), 255, f"{path}.action_id")
    _short(button.get("value", ""), 2000, f"{path}.value")
    _short(button.get("accessibility_label", ""), 75, f"{path}.accessibility_label")
    if button.get("style", "primary") not in ("primary", "danger"):
        raise PayloadError("invalid_blocks", f"{path}.style {button['style']!r} is unknown")
    if "confirm" in button:
        _confirm(button["confirm"], f"{path}.confirm")


def _confirm(dialog: Any, path: str) -> None:
    _only(_mapping(dialog, path), {"title", "text", "confirm", "deny", "style"}, path)
    _text(dialog.get("title"), 100, f"{path}.title", plain=True)
    _text(dialog.get("text"), 300, f"{path}.text")
    _text(dialog.get("confirm"), 30, f"{path}.confirm", plain=True)
    _text(dialog.get("deny"), 30, f"{path}.deny", plain=True)


BLOCKS: Mapping[str, Callable[[Mapping[str, Any], str], None]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
}


def _text(item: Any, longest: int, path: str, *, plain: bool = False) -> None:
    kind = _mapping(item, path).get("type")
    if kind not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
        raise PayloadError("invalid_blocks", f"{path} has the text type {kind!r}")
    _only(item, {"type", "text", "emoji"} if kind == "plain_text" else {"type", "text", "verbatim"}, path)
    text = item.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= longest:
        length = len(text) if isinstance(text, str) else "no"
        raise PayloadError("invalid_blocks", f"{path} has {length} characters, must have 1 to {longest}")


def _short(value: Any, longest: int, path: str) -> None:
    if not isinstance(value, str) or len(value) > longest:
        raise PayloadError("invalid_blocks", f"{path} is not a string or is longer than {longest}")


def _only(item: Mapping[str, Any], allowed: set[str], path: str, *, word: str = "invalid_blocks") -> None:
    unknown = sorted(set(item) - allowed)
    if unknown:
        raise PayloadError(word, f"{path} has the unknown {', '.join(unknown)}")


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PayloadError("invalid_blocks", f"{path} is missing or not an object")
    return value


def _list(value: Any, path: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PayloadError("invalid_blocks", f"{path} is not a list")
    return value


def _unique(values: Sequence[Any], what: str) -> None:
    if len(set(values)) != len(values):
        raise PayloadError("invalid_blocks", f"{what} is not unique")


def _characters(value: Any) -> int:
    """Count the characters of everything shown: all strings under ``text``."""
    if isinstance(value, Mapping):
        return sum(
            len(inner) if key == "text" and isinstance(inner, str) else _characters(inner)
            for key, inner in value.items()
        )
    if isinstance(value, list):
        return sum(_characters(inner) for inner in value)
    return 0
