"""Pressing buttons by what stands on them, as people do: the label says which, never an id that a test makes up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.slack_stand_in import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One button of a message.

    Attributes:
        label: what stands on it.
        action_id: what Slack sends when it is pressed.
        value: what it carries.
    """

    label: str
    action_id: str
    value: dict[str, Any]


def buttons_of(post: Post) -> Iterator[Button]:
    """Yield the buttons of a message, in their order."""
    blocks = list(post.payload.get("blocks", []))
    for attachment in post.payload.get("attachments", []):
        blocks += attachment.get("blocks", [])
    for block in blocks:
        for element in block.get("elements", []):
            if element.get("type") == "button" and "value" in element:
                yield Button(
                    label=element["text"]["text"], action_id=element["action_id"], value=json.loads(element["value"])
                )
