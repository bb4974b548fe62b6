"""Slack's limits that the messages are laid out by, each with the page it comes from.

Slack refuses a payload that breaks one of them, and the message is lost. The builders stay within the limits by
construction; tests check every payload against all limits.

Slack does not document how it counts, so everything here is counted in the most expensive way: UTF-16 units, ``&``,
``<`` and ``>`` as the entities they become, and for the whole message the JSON around the texts as well.
"""

from __future__ import annotations

import json
from typing import Any, Final

# https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
CONFIRM_TEXT: Final = 300
# Not documented: `msg_blocks_too_long` was seen from about 13,200 characters on.
# https://github.com/slackapi/bolt-js/issues/2509
MESSAGE: Final = 13_000

QUOTES: Final = 2
"""Characters of the quotes that :func:`size` counts around a text."""

_ESCAPED: Final = {"&": 5, "<": 4, ">": 4}  # characters in `&amp;`, `&lt;`, `&gt;`


def length(text: str) -> int:
    """Return how many characters a text has when counted in the most expensive way."""
    units = len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
    return units + sum((cost - 1) * text.count(char) for char, cost in _ESCAPED.items())


def size(value: Any) -> int:
    """Return how many characters a JSON value takes up in a message, quotes, keys and brackets included."""
    return length(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
