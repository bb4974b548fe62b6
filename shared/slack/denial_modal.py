"""The dialog in which somebody who denies gives the reason, and what is offered where it cannot be opened.

It is opened before anything is read from the table, so it shows nothing of the request: that stands in the message
behind it. What it carries back is the button's value and where the clicked message stands.

What does not belong here: opening it (``central.chalicelib.denial``), and reading what it sends
(``central.chalicelib.slack.click_payload``).

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from shared.slack import limits
from shared.slack.blocks import Payload, actions, button, confirm, note, plain
from shared.slack.text import visible

DENIAL: Final = "denial"
"""``callback_id`` of the modal."""

REASON: Final = "reason"
"""``block_id`` and ``action_id`` of its one input."""

DENY_WITHOUT_REASON: Final = "deny_without_reason"
"""``action_id`` of the button that is offered where the modal cannot be opened."""

LONGEST_REASON: Final = 500
"""Most characters of a reason."""

_LONGEST_VALUE: Final = 2000
"""Most characters of a button's ``value``; ``private_metadata`` may have 3,000.
https://docs.slack.dev/reference/views/modal-views"""


def denial_modal(metadata: str, *, is_of_batch: bool, is_required: bool) -> Payload:
    """Return the modal.

    Args:
        metadata: from :func:`metadata_of`; Slack sends it back with the reason.
        is_of_batch: it denies all calls of a batch.
        is_required: no denial counts without a reason, whatever the account.
    """
    label = "Reason" if is_required else "Reason (you may leave this empty)"
    text = {"type": "plain_text_input", "action_id": REASON, "multiline": True, "max_length": LONGEST_REASON}
    return {
        "type": "modal",
        "callback_id": DENIAL,
        "private_metadata": metadata,
        "title": plain("Deny all calls" if is_of_batch else "Deny this change"),
        "submit": plain("Deny All" if is_of_batch else "Deny"),
        "close": plain("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON,
                "optional": not is_required,
                "label": plain(label),
                "hint": plain("Shown to everybody in both channels, and kept."),
                "element": text,
            }
        ],
    }


def metadata_of(value: Mapping[str, Any], *, channel: str, ts: str, response_url: str) -> str:
    """Return what the modal, or the button that is offered in its place, carries back.

    Args:
        value: what the clicked button carries: request id and digest.
        channel: id of the channel of the clicked message, empty where unknown.
        ts: Slack's id of that message, empty where unknown.
        response_url: where that message can be replaced; left out where there is no room for it.
    """
    address = {"channel": channel, "ts": ts, "responseUrl": response_url}
    every = {**value, **{key: text for key, text in address.items() if text}}
    text = _to_json(every)
    if limits.length(text) <= _LONGEST_VALUE:
        return text
    return _to_json({key: one for key, one in every.items() if key != "responseUrl"})


def modal_errors(sentence: str) -> Payload:
    """Return the answer to a submission that changes nothing: a sentence below the input.

    https://docs.slack.dev/surfaces/modals#displaying_errors
    """
    return {"response_action": "errors", "errors": {REASON: visible(sentence)}}


def denial_offer(metadata: str, *, is_of_batch: bool) -> Payload:
    """Offer a denial without a reason, only to the person who clicked, because the modal could not be opened.

    Args:
        metadata: from :func:`metadata_of`.
        is_of_batch: it denies all calls of a batch.
    """
    label = "Deny All" if is_of_batch else "Deny"
    what = "all calls of this batch" if is_of_batch else "this change"
    dialog = confirm(f"{label}?", f"This will deny {what}. No reason is given.", label)
    shown = note("The dialog for the reason could not be opened. You can deny without a reason.")
    offer = button(DENY_WITHOUT_REASON, label, metadata, style="danger", confirm=dialog)
    return {**_ephemeral(shown), "blocks": [*shown["blocks"], actions(offer)]}


def denial_not_offered() -> Payload:
    """Say, only to the person who clicked, that a denial needs a reason, which cannot be asked for now."""
    return _ephemeral(
        note(
            "Your click changed nothing: a denial needs a reason, and the dialog for it could not be opened. "
            "Please click again."
        )
    )


def _ephemeral(shown: Payload) -> Payload:
    return {**shown, "response_type": "ephemeral", "replace_original": False}


def _to_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
