"""Shows a message as plain text for terminals: what a reader of the channel sees, without markup."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.slack.workspace import Message, SlackUser

#: The product's colours, by name.
BARS = {"#f98c3e": "orange", "#29a52d": "green", "#f71818": "red"}

_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<(?:[a-z]+:[^|>]*)\|([^>]*)>")
_BARE_LINK = re.compile(r"<([a-z]+:[^|>]*)>")
_SPECIAL = re.compile(r"<!([a-z]+)[^>]*>")
_EMPHASIS = re.compile(r"(?<![\w*_~`])([*_~`])(?=\S)(.+?)(?<=\S)\1(?![\w*_~`])")


def lines_of(message: Message, users: Mapping[str, SlackUser]) -> list[str]:
    """Return a message's lines, buttons as ``[ Approve Add ]``; a colour bar as its word."""
    lines = [line for block in message.blocks for line in _block(block, users)]
    for attachment in message.attachments:
        bar = BARS.get(str(attachment.get("color", "")).lower(), "")
        inner = [line for block in attachment.get("blocks", ()) for line in _block(block, users)]
        if attachment.get("text"):
            inner.append(plain(attachment["text"], users))
        lines += [f"{f'({bar}) ' if bar else ''}{line}" for line in inner]
    return lines or [plain(message.text, users)]


def plain(text: str, users: Mapping[str, SlackUser]) -> str:
    """Turn Slack's mrkdwn into what a reader sees."""
    text = _DATE.sub(r"\1", text)
    text = _MENTION.sub(lambda match: "@" + (users[match[1]].name if match[1] in users else match[1]), text)
    text = _LINK.sub(r"\1", text)
    text = _BARE_LINK.sub(r"\1", text)
    text = _SPECIAL.sub(r"@\1", text)
    text = _EMPHASIS.sub(r"\2", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _block(block: Mapping[str, Any], users: Mapping[str, SlackUser]) -> Iterator[str]:
    if block["type"] == "divider":
        yield "―" * 20
    if block.get("text"):
        yield from _text(block["text"], users)
    yield from _fields([_text(field, users) for field in block.get("fields", ())])
    elements = block.get("elements", ())
    if block["type"] == "actions":
        yield "   ".join(f"[ {element['text']['text']} ]" for element in elements)
    elif elements:
        yield " · ".join(" ".join(_text(element, users)) for element in elements)


def _fields(fields: Sequence[Sequence[str]]) -> Iterator[str]:
    """Show fields as Slack's two columns do: a label and its value side by side."""
    for position in range(0, len(fields), 2):
        pair = fields[position : position + 2]
        if all(len(field) == 1 for field in pair):
            yield "   ".join(f"{field[0]:<9}" for field in pair).rstrip()
        else:
            yield from (": ".join(line.rstrip(":") for line in field) for field in pair)


def _text(item: Mapping[str, Any], users: Mapping[str, SlackUser]) -> list[str]:
    text = item["text"] if item["type"] == "plain_text" else plain(item["text"], users)
    return [line for line in text.replace("```", "").splitlines() if line.strip()]
