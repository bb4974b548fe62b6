"""Makes texts safe to show: nothing that a user wrote can hide, mention, link or format.

User text goes into ``plain_text`` objects after :func:`visible`. The message's top-level ``text``
is not such an object; for it there is :func:`escape`. Texts of type ``mrkdwn`` hold this product's own words only.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from shared.slack.limits import QUOTES, size

# Printable by their Unicode category, and yet nothing is seen of them: fillers, joiners, blanks, variation selectors.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point); braille blank.
_BLANK: Final = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
_HIGHEST_SHORT_ESCAPE: Final = 0xFFFF

# https://docs.slack.dev/reference/objects/user-object: ids start with U or W.
_USER_ID: Final = re.compile(r"[UW][A-Z0-9]{2,40}\Z")
_USER_GROUP_ID: Final = re.compile(r"S[A-Z0-9]{2,40}\Z")


def visible(text: str) -> str:
    r"""Return the text with everything invisible written as an escape, e.g. ``\u202e``.

    That is control and format characters (line ends and bidirectional overrides among them), unassigned and private
    code points, every space but the ordinary one, and letters and marks without a shape.
    """
    if text.isprintable() and text.isascii():
        return text
    return "".join(char if char.isprintable() and char not in _BLANK else _escaped(char) for char in text)


def shorten(text: str, most: int) -> str:
    """Return a visible text that takes up at most ``most`` characters in a message, saying how much was left out.

    Args:
        text: what :func:`visible` returned.
        most: as :func:`shared.slack.limits.size` counts; at least 50.
    """
    if size(text) <= most:
        return text
    note = "… ({} more characters)"
    left = most - size(note.format(len(text)))
    kept = 0
    while (left := left - size(text[kept]) + QUOTES) >= 0:  # ends, because the whole text does not fit
        kept += 1
    return text[:kept] + note.format(len(text) - kept)


def escape(text: str) -> str:
    """Return the text escaped for where Slack reads markup.

    https://docs.slack.dev/messaging/formatting-message-text/#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def utc(moment: datetime) -> str:
    """Return e.g. ``2026-10-01 12:00:00 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def date(moment: datetime) -> str:
    """Return markup that Slack shows in each reader's own time zone, with UTC as fallback.

    https://docs.slack.dev/messaging/formatting-message-text/#date-formatting
    """
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time_secs}}|{utc(moment)}>"


def mention(user_id: str) -> str:
    """Return markup that Slack shows as the user's name, or ``""`` when this is no Slack user id."""
    return f"<@{user_id}>" if _USER_ID.match(user_id) else ""


def group_mention(group_id: str) -> str:
    """Return markup that Slack shows as the user group's handle, or ``""`` when this is no Slack user group id.

    https://docs.slack.dev/messaging/formatting-message-text/#mentioning-groups
    """
    return f"<!subteam^{group_id}>" if _USER_GROUP_ID.match(group_id) else ""


def counted(number: int, noun: str) -> str:
    """Return e.g. ``1 rule`` or ``2 rules``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= _HIGHEST_SHORT_ESCAPE else f"\\U{code:08x}"
