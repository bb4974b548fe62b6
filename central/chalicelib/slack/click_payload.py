"""Reads a click on a button: Slack's form body into a typed value.

Only ``user.id`` and ``team.id`` say who clicked: names can be chosen, and ``message`` is what the clicker's client
shows. The button's value says what was clicked, and it counts only if the stored request agrees.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from shared.slack.messages import APPROVE, APPROVE_FOR, DENY
from shared.wire.fields import Field, FieldError
from shared.wire.request_json import hours_from_text

LARGEST_BODY: Final = 1024 * 1024
"""Bytes. A click repeats the whole message; the largest of ours, in JSON and urlencoded, stays far below."""

_MOST_FORM_FIELDS: Final = 20
_USER: Final = re.compile(r"[UW][A-Z0-9]{1,40}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
_LONGEST_ID: Final = 255
_LONGEST_NAME: Final = 80
_LONGEST_ADDRESS: Final = 2000


class ClickError(FieldError):
    """A signed request that is not a click on one of our buttons; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click on Approve or Deny.

    Attributes:
        request_id: from the button.
        digest: from the button, SHA-256 in hex.
        approving: whether it was one of the buttons that approve.
        hours: for how many hours it would approve; ``None``: for good. Whether that is offered is judged later.
        user_id: who clicked, e.g. ``U061F7AUR``.
        user_name: how Slack calls them; for people to read; never decides anything.
        team_ids: workspaces that took part: the message's and the clicker's own (they differ in a shared channel).
        token: Slack's old verification token, ``""`` when absent.
        response_url: where an answer may be posted, ``""`` when absent; ``slack.webhook`` checks it before use.
        message_ts: Slack's id of the clicked message, ``""`` when absent.
    """

    request_id: str
    digest: str
    approving: bool
    hours: float | None = None
    user_id: str
    user_name: str = ""
    team_ids: tuple[str, ...] = ()
    token: str = ""
    response_url: str = ""
    message_ts: str = ""


def is_ssl_check(body: bytes) -> bool:
    """True for Slack's check of the certificate: a form with ``ssl_check=1`` and no payload."""
    try:
        form = _form(body)
    except ClickError:
        return False
    return form.get("ssl_check") == ["1"] and "payload" not in form


def read_click(body: bytes) -> Click:
    """Read the raw form body of a signed request.

    Raises:
        ClickError: when it is not a click on one of our buttons, or a field has another form; names the field.
    """
    try:
        return _click(_payload(body))
    except FieldError as error:
        raise ClickError(error.path, str(error).removeprefix(f"{error.path}: ")) from error


def _form(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FORM_FIELDS)
    except ValueError as error:
        raise ClickError("body", "is not an urlencoded form in UTF-8") from error


def _payload(body: bytes) -> Field:
    values = _form(body).get("payload", [])
    if len(values) != 1:
        raise ClickError("payload", "is missing" if not values else "is there more than once")
    return _json(values[0], "payload")


def _json(text: str, path: str) -> Field:
    try:
        return Field(json.loads(text), path)
    except (ValueError, RecursionError) as error:
        raise ClickError(path, "is not JSON") from error


def _click(payload: Field) -> Click:
    if payload["type"].text() != "block_actions":
        raise payload["type"].error("expected block_actions")
    user, action = payload["user"], _action(payload)
    button = _json(_text(action["value"], _LONGEST_ADDRESS), action["value"].path)
    teams = (_optional(payload["team"]["id"], _LONGEST_ID), _optional(user["team_id"], _LONGEST_ID))
    return Click(
        request_id=_text(button["requestId"], _LONGEST_ID),
        digest=_matching(button["digest"], _DIGEST),
        approving=action["action_id"].value != DENY,
        hours=_hours(button["hours"], action["action_id"].text()),
        user_id=_matching(user["id"], _USER),
        user_name=_optional(user.either("username", "name"), _LONGEST_ID)[:_LONGEST_NAME],
        team_ids=tuple(sorted({team for team in teams if team})),
        token=_optional(payload["token"], _LONGEST_ID),
        response_url=_optional(payload["response_url"], _LONGEST_ADDRESS),
        message_ts=_message_ts(payload["container"]["message_ts"]),
    )


def _action(payload: Field) -> Field:
    actions = list(payload["actions"].elements())
    if len(actions) != 1:
        raise payload["actions"].error(f"expected one action, found {len(actions)}")
    action_id = actions[0]["action_id"].text()
    if action_id not in (APPROVE, DENY) and not action_id.startswith(APPROVE_FOR):
        raise actions[0]["action_id"].error(f"expected {APPROVE}, {APPROVE_FOR}… or {DENY}")
    return actions[0]


def _hours(field: Field, action_id: str) -> float | None:
    """Read for how many hours a button approves: it is part of the value, never of the button's name alone."""
    if action_id == DENY or (field.is_missing and action_id == APPROVE):
        return None
    field.text()  # an empty one does not mean for good
    return hours_from_text(field)


def _message_ts(field: Field) -> str:
    return "" if field.is_missing else _matching(field, _TIMESTAMP)


def _optional(field: Field, longest: int) -> str:
    return "" if field.is_missing or field.value == "" else _text(field, longest)


def _matching(field: Field, pattern: re.Pattern[str]) -> str:
    text = field.text()
    if not pattern.fullmatch(text):
        raise field.error("has not the form that Slack or we give it")
    return text


def _text(field: Field, longest: int) -> str:
    text = field.text()
    if len(text) > longest:
        raise field.error(f"is longer than {longest} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair: DynamoDB and Slack refuse it
        raise field.error("is not valid Unicode text") from error
    return text
