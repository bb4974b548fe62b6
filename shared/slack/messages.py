"""Every message the product sends to Slack, as Block Kit payloads: pure functions of the stored request.

From top to bottom: headline, remark on rules open to the internet, errors and reasons, the rules, where and by whom,
buttons, and last the attachment with colour bar and status line. A request too large for one message becomes several
parts, each with where and by whom, the last with the buttons. A notice has neither rules nor buttons.

What does not belong here: how payloads get to Slack (``central.chalicelib.slack.webhook``), what a click carries
(``central.chalicelib.slack.click_payload``).

https://docs.slack.dev/messaging/#payloads
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from shared.domain.approval import Terms
from shared.domain.change import ChangeKind
from shared.domain.request import Request
from shared.slack import limits
from shared.slack.blocks import (
    Payload,
    actions,
    button,
    confirm,
    header,
    message,
    note,
    own,
    plain,
    section,
    status,
)
from shared.slack.messages_details import (
    TEXT_ROOM,
    confirmation,
    detail_blocks,
    exposure,
    reach_blocks,
    read_aloud,
    reason_blocks,
)
from shared.slack.messages_pages import LEAST_ROOM, page_blocks, paginate
from shared.slack.request_view import RequestView
from shared.slack.status_view import (
    DUPLICATES_ROOM,
    NEEDS_ROOM,
    NOTES_ROOM,
    StatusView,
    processing_view,
    status_view,
    waiting_view,
)
from shared.slack.terms_view import named_ids
from shared.slack.text import counted, plain_number

__all__ = [
    "APPROVE",
    "APPROVE_FOR",
    "DENY",
    "Payload",
    "as_replacement",
    "ephemeral",
    "outcome",
    "outcome_replacement",
    "processing",
    "question",
]

APPROVE: Final = "approve"
"""``action_id`` of the button that approves."""

APPROVE_FOR: Final = "approve_for_"
"""How the ``action_id`` of a button that approves for some hours begins; its value says for how many."""

DENY: Final = "deny"
"""``action_id`` of the button that denies."""

_APPROVE_LABELS: Final[dict[ChangeKind, str]] = {"add": "Approve Add", "remove": "Approve Remove"}
_APPROVE_OTHERWISE: Final = "Approve Change"

# A policy offers at most three times, or a limit in place of for good. Each is as long as it gets.
_LONGEST_HOURS: Final = (1234.123451, 1234.123452, 1234.123453)

# What a part needs besides rules, details, notes and buttons: headline, remark, status line, the keys around it all.
_FRAME_ROOM: Final = 1100


def question(view: RequestView, *, reminder: bool = False) -> list[Payload]:
    """Ask for a decision, in the approval channel.

    Args:
        view: a pending request with an id of at most 512 characters. Of any other its status is shown, without buttons.
        reminder: it was asked before.

    Returns:
        One payload, or several to be posted in this order; the last has the buttons.
    """
    if view.status != "pending":
        return outcome(view)
    return _parts(view.request, waiting_view(view, reminder=reminder, asks=True), terms=view.terms or Terms())


def processing(view: RequestView, *, approving: bool) -> list[Payload]:
    """Show in place of the buttons that the click arrived: one payload, the question's last part without its buttons.

    Args:
        view: the request as just decided, so that it says who clicked.
        approving: whether it was approved.
    """
    return _parts(view.request, processing_view(view, approving=approving))[-1:]


def outcome(view: RequestView) -> list[Payload]:
    """Show a request and its status without asking: in monitoring, and where no question can be replaced."""
    return _parts(view.request, status_view(view))


def outcome_replacement(view: RequestView) -> Payload:
    """Show a request and its status in place of its question's last part (use :func:`as_replacement`)."""
    return outcome(view)[-1]


def ephemeral(text: str, *, people: Sequence[str] = ()) -> Payload:
    """Show something to the person who clicked, and to nobody else.

    https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses

    Args:
        text: what to say.
        people: Slack ids of those who may decide, named below it. Nobody is notified by a message that they cannot see.
    """
    shown = note(text)
    named = named_ids(people)
    if named:
        shown = {**shown, "blocks": [*shown["blocks"], section(own(f"*Who may:* {named}"))]}
    return {**shown, "response_type": "ephemeral", "replace_original": False}


def as_replacement(payload: Payload) -> Payload:
    """Return the payload such that, posted to a ``response_url``, it takes the place of the message that was clicked.

    https://docs.slack.dev/interactivity/handling-user-interaction/#updating-via-a-response-url
    """
    return {**payload, "replace_original": True}


def _parts(request: Request, shown: StatusView, *, terms: Terms | None = None) -> list[Payload]:
    """Lay a request out; with buttons where there are ``terms``."""
    reason, details, buttons = reason_blocks(request), detail_blocks(request), _buttons(request, terms or Terms())
    reason = [*reach_blocks(request), *reason]
    # The same room in every status, with or without buttons, and by any policy: a replacement has to hold exactly what
    # its question held.
    asking = _room_for_buttons(request) + DUPLICATES_ROOM + NEEDS_ROOM
    room = limits.MESSAGE - TEXT_ROOM - _FRAME_ROOM - limits.size(reason) - max(asking, NOTES_ROOM)
    if room - limits.size(details) < LEAST_ROOM:
        details = detail_blocks(request, in_little_room=True)
    room -= limits.size(details)
    remarks, text = _remarks(request, shown), read_aloud(request, shown)
    pages = paginate(request, max(room, LEAST_ROOM))
    has_rules = request.status != "observed" or not request.change.is_empty
    parts = []
    for index, page in enumerate(pages, start=1):
        part = f"part {index} of {len(pages)}" if len(pages) > 1 else ""
        blocks = [
            header(f"{shown.headline} ({part})" if part else shown.headline),
            *remarks,
            *reason,
            *(page_blocks(page, is_fact=shown.is_fact) if has_rules else []),
            *details,
            *([buttons] if terms is not None and index == len(pages) else []),
        ]
        parts.append(message(f"({part}) {text}" if part else text, blocks, status(shown.colour, shown.line)))
    return parts


def _remarks(request: Request, shown: StatusView) -> list[Payload]:
    blocks = []
    exposed = exposure(request) if shown.warns else []
    if exposed:
        lines = (f"⚠️ *Open to {reach}:* {counted(number, 'rule')}" for reach, number in exposed)
        blocks.append(section(own("\n".join(lines))))
    if shown.remarks:
        blocks.append(section(own("\n".join(shown.remarks))))
    if shown.notes:
        blocks.append(section(plain("\n".join(f"{label}: {text}" for label, text in shown.notes))))
    return blocks


def _buttons(request: Request, terms: Terms) -> Payload:
    label = _APPROVE_LABELS.get(request.change.kind, _APPROVE_OTHERWISE)
    approving = [_approve_for(request, label, hours) for hours in terms.hours]
    if terms.is_for_good:
        dialog = confirm(f"{label}?", confirmation(request), label)
        approving.insert(0, button(APPROVE, label, _value(request), style="primary", confirm=dialog))
    return actions(*approving, button(DENY, "Deny", _value(request), style="danger"))


def _approve_for(request: Request, label: str, hours: float) -> Payload:
    label = f"{label} for {hours:g} h"
    dialog = confirm(f"{label}?", f"Made as listed above, and reverted after {hours:g} h.", label)
    value = _value(request, hours=plain_number(hours))
    return button(f"{APPROVE_FOR}{hours:g}", label, value, style="primary", confirm=dialog)


def _value(request: Request, **more: float) -> str:
    value = {"requestId": request.request_id, "digest": request.digest, **more}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _room_for_buttons(request: Request) -> int:
    """Return what the buttons take up at most, whatever hours a policy offers."""
    label = _APPROVE_LABELS.get(request.change.kind, _APPROVE_OTHERWISE)
    room = limits.size(_buttons(request, Terms()))
    if request.change.added or request.change.modified:
        room += sum(limits.size(_approve_for(request, label, hours)) + 1 for hours in _LONGEST_HOURS)
    return room
