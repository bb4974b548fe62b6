"""The few Block Kit pieces our messages are made of, each with the one right way to write it.

``plain`` is for everything a user may have written, ``own`` for this product's own words with markup.

https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from shared.slack.text import escape, shorten, visible

Payload = dict[str, Any]

ORANGE: Final = "#f98c3e"
GREEN: Final = "#29a52d"
RED: Final = "#f71818"

_NOTE: Final = 1500  # characters

# Nothing in `text` is markup, a link, a mention or worth a preview.
# https://docs.slack.dev/messaging/formatting-message-text/#disabling-formatting and #automatic-parsing
_INERT: Final = {
    "mrkdwn": False,
    "parse": "none",
    "link_names": False,
    "unfurl_links": False,
    "unfurl_media": False,
}


def plain(text: str) -> Payload:
    """Return a text object that Slack shows unchanged: no markup, no mention, no ``:emoji:``."""
    return {"type": "plain_text", "text": text, "emoji": False}


def own(text: str) -> Payload:
    """Return a text object of our own words, with markup; ``verbatim``: Slack looks for no links or names in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Payload:
    """Return a header block."""
    return {"type": "header", "text": plain(text)}


def section(text: Payload) -> Payload:
    """Return a section that is always shown in full: nobody approves what is hidden behind *see more*.

    https://docs.slack.dev/reference/block-kit/blocks/section-block (``expand``)
    """
    return {"type": "section", "text": text, "expand": True}


def fields(rows: Iterable[tuple[str, Payload]]) -> Payload:
    """Return a section of two columns: our labels in bold, and values."""
    return {"type": "section", "fields": [cell for label, value in rows for cell in (own(f"*{label}*"), value)]}


def context(elements: Iterable[Payload]) -> Payload:
    """Return a block of small print."""
    return {"type": "context", "elements": list(elements)}


def actions(*buttons: Payload) -> Payload:
    """Return a row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def button(action_id: str, label: str, value: str, *, style: str, confirm: Payload | None = None) -> Payload:
    """Return a button.

    Args:
        action_id: how the click names it.
        label: its text.
        value: what the click carries back.
        style: ``primary`` or ``danger``.
        confirm: from :func:`confirm`; asked before the click is sent.
    """
    element = {"type": "button", "action_id": action_id, "text": plain(label), "value": value, "style": style}
    return element if confirm is None else {**element, "confirm": confirm}


def confirm(title: str, text: str, label: str) -> Payload:
    """Return a dialog that asks again; ``label`` is the text of the button that confirms."""
    return {"title": plain(title), "text": plain(text), "confirm": plain(label), "deny": plain("Cancel")}


def status(colour: str, line: str) -> Payload:
    """Return the attachment that gives the message its colour bar and shows the status line."""
    return {"color": colour, "blocks": [section(own(line))]}


def message(text: str, blocks: Sequence[Payload], attachment: Payload) -> Payload:
    """Return a complete message.

    Args:
        text: what notifications and screen readers say, unescaped.
        blocks: what is shown.
        attachment: from :func:`status`.
    """
    return {"text": escape(text), **_INERT, "blocks": list(blocks), "attachments": [attachment]}


def note(text: str) -> Payload:
    """Return a short message of one block: each line visible, nothing in it active."""
    lines = shorten("\n".join(visible(line) for line in text.split("\n")), _NOTE)
    return {"text": escape(lines), **_INERT, "blocks": [section(plain(lines))]}
