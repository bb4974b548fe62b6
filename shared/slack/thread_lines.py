"""What is said in the thread of a request's question: its history, a line each, and reminders.

What does not belong here: the question itself (``messages``), which is always up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.approval import Terms
from shared.slack.blocks import Payload, own, section
from shared.slack.text import group_mention, mention

_MOST_MENTIONED: Final = 10


def thread_line(payload: Mapping[str, Any]) -> Payload:
    """Return the status line of a message as a message of its own.

    Args:
        payload: the message, whose last attachment is its status line.
    """
    return {"text": payload["text"], "blocks": payload["attachments"][-1]["blocks"]}


def thread_reminder(payload: Mapping[str, Any], terms: Terms | None) -> Payload:
    """Return the reply that reminds those who may approve; only a reply or a new message reaches them.

    Args:
        payload: the question as it is shown now.
        terms: who may approve; nobody is named where anybody may.
    """
    people = () if terms is None else terms.policy.approvers[:_MOST_MENTIONED]
    named = " ".join(mention(one) or group_mention(one) for one in people)
    return {"text": payload["text"], "blocks": [section(own(f"{named} This request still waits.".strip()))]}
