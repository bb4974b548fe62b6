"""Slack's limits are checked in one place, and each broken one is named by its path."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shared.slack import limits
from shared.slack.messages import ephemeral, question
from tests.shared.slack.examples import make_request, make_view, many
from tests.support import slack_limits
from tests.support.slack_limits import LimitError

PLAIN = {"type": "plain_text", "text": "x"}
SECTION = {"type": "section", "text": PLAIN}


def base() -> dict[str, Any]:
    """Return a sound message with every kind of block: header 0, sections 1 to 3, fields 4, context 5, actions 6."""
    (payload,) = question(make_view(make_request(many(1))))
    return copy.deepcopy(payload)


def put(payload: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return the payload with one value replaced."""
    place: Any = payload
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return payload


def test_a_sound_message_passes() -> None:
    """The messages the other tests break are sound to begin with."""
    slack_limits.check(base())
    slack_limits.check(ephemeral("Done."))
    assert [block["type"] for block in base()["blocks"]] == [
        *("header", "section", "section", "section", "section", "context", "actions")
    ]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("text",), "", "text: "),
        (("text",), None, "text: "),
        (("text",), "x" * 4001, "text: 4001 characters, at most 4000"),
        (("blocks", 0, "text", "text"), "x" * 151, "blocks[0].text.text: 151"),
        (("blocks", 1, "text", "text"), "x" * 3001, "blocks[1].text.text: 3001"),
        (("blocks", 2, "text", "text"), "&" * 601, "blocks[2].text.text: 3005"),
        (("blocks", 2, "text", "text"), "🔥" * 1501, "blocks[2].text.text: 3002"),
        (("blocks", 4, "fields"), [PLAIN] * 11, "blocks[4].fields: 11 items"),
        (("blocks", 4, "fields"), [], "blocks[4].fields: 0 items"),
        (("blocks", 4, "fields", 1, "text"), "x" * 2001, "blocks[4].fields[1].text: 2001"),
        (("blocks", 5, "elements"), [PLAIN] * 11, "blocks[5].elements: 11 items"),
        (("blocks", 5, "elements", 0, "text"), "x" * 3001, "blocks[5].elements[0].text: 3001"),
        (("blocks", 6, "elements"), [], "blocks[6].elements: 0 items"),
        (("blocks", 6, "elements", 0, "text", "text"), "x" * 76, "blocks[6].elements[0].text.text: 76"),
        (("blocks", 6, "elements", 1, "value"), "x" * 2001, "blocks[6].elements[1].value: 2001"),
        (("blocks", 6, "elements", 1, "action_id"), "x" * 256, "blocks[6].elements[1].action_id: 256"),
        (("blocks", 6, "elements", 0, "confirm", "title", "text"), "x" * 101, "confirm.title.text: 101"),
        (("blocks", 6, "elements", 0, "confirm", "text", "text"), "x" * 301, "confirm.text.text: 301"),
        (("blocks", 6, "elements", 0, "confirm", "confirm", "text"), "x" * 31, "confirm.confirm.text: 31"),
        (("blocks", 6, "elements", 0, "confirm", "deny", "text"), "x" * 31, "confirm.deny.text: 31"),
        (("blocks", 0, "type"), "carousel", "blocks[0].type: no limits are known for 'carousel'"),
        (("blocks",), [SECTION] * 50, "blocks: 51 blocks, at most 50"),
        (("attachments",), [{}] * 101, "attachments: 101 items"),
        (("attachments", 0, "blocks", 0, "text", "text"), "", "attachments[0].blocks[0].text.text: "),
        (("blocks",), [{"type": "section", "text": {"type": "plain_text", "text": "x" * 2900}}] * 5, "as a whole"),
    ],
)
def test_what_breaks_a_limit_is_named(path: tuple[str | int, ...], value: Any, named: str) -> None:
    """A payload that Slack would refuse is refused here, with the path of what is wrong."""
    with pytest.raises(LimitError) as caught:
        slack_limits.check(put(base(), path, value))
    assert named in str(caught.value)


def test_texts_are_counted_in_the_most_expensive_way() -> None:
    """Entities and UTF-16 units count, so that no way of counting gives more."""
    assert limits.length("plain") == 5
    assert limits.length("a&b<c>d") == len("a&amp;b&lt;c&gt;d")
    assert limits.length("🔥") == 2
    assert limits.size({"a": '"\n'}) == len('{"a":"\\"\\n"}')
