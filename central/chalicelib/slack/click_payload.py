"""Reads a click on a button, or a reason submitted in the modal: Slack's form body into a typed value.

Only ``user.id`` and ``team.id`` say who clicked: names can be chosen, and ``message`` is what the clicker's client
shows. The button's value says what was clicked, and it counts only if the stored request agrees; the modal carries it.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from shared.slack.batch_messages import ONE_BY_ONE
from shared.slack.denial_modal import DENIAL, DENY_WITHOUT_REASON, REASON
from shared.slack.messages import APPROVE, APPROVE_FOR, DENY
from shared.wire.fields import Field, FieldError

LARGEST_BODY: Final = 1024 * 1024
"""Bytes. A click repeats the whole message; the largest of ours, in JSON and urlencoded, stays far below."""

_MOST_FORM_FIELDS: Final = 20
_USER: Final = re.compile(r"[UW][A-Z0-9]{1,40}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
_CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]{1,40}")
_LONGEST_ID: Final = 255
_LONGEST_HOURS: Final = 24 * 365
_BATCH: Final = "batch#"
_LONGEST_NAME: Final = 80
_LONGEST_ADDRESS: Final = 2000
_LONGEST_METADATA: Final = 3000

WITHDRAW: Final = "withdraw"
"""``action_id`` of the button with which requesters withdraw their own request, or batch."""

_ACTIONS: Final = (APPROVE, DENY, ONE_BY_ONE, WITHDRAW, DENY_WITHOUT_REASON)


class ClickError(FieldError):
    """A signed request that is not a click on one of our buttons; the message names the field."""


class SubmissionError(ClickError):
    """A submission of our modal that cannot be read; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click on a button, or one submission of the modal for denials.

    Attributes:
        request_id: from the button.
        digest: from the button, SHA-256 in hex.
        approving: whether it was one of the buttons that approve.
        one_by_one: whether a batch is to be asked one by one.
        withdrawing: whether it withdraws the clicker's own request.
        reason: why it is denied, on one line; empty where none was given.
        is_submission: it was submitted in the modal, so it is answered there.
        is_offer: it is the button that is offered where the modal cannot be opened.
        hours: for how many hours it would approve; ``None``: for good. Whether that is offered is judged later.
        user_id: who clicked, e.g. ``U061F7AUR``.
        user_name: how Slack calls them; for people to read; never decides anything.
        team_ids: workspaces that took part: the message's and the clicker's own (they differ in a shared channel).
        token: Slack's old verification token, ``""`` when absent.
        response_url: where an answer may be posted, ``""`` when absent; ``slack.webhook`` checks it before use.
        message_ts: Slack's id of the clicked message, ``""`` when absent; of a submission, or of what was offered in
            its place, the message of the question, as ``response_url`` and ``channel_id``.
        channel_id: the channel of that message, ``""`` when absent.
        offer_url: where the message with the offer may be removed; empty for everything else.
        trigger_id: with which a modal can be opened within three seconds, ``""`` when absent.
    """

    request_id: str
    digest: str
    approving: bool
    one_by_one: bool = False
    withdrawing: bool = False
    reason: str = ""
    is_submission: bool = False
    is_offer: bool = False
    hours: float | None = None
    user_id: str
    user_name: str = ""
    team_ids: tuple[str, ...] = ()
    token: str = ""
    response_url: str = ""
    message_ts: str = ""
    channel_id: str = ""
    offer_url: str = ""
    trigger_id: str = ""

    @property
    def address(self) -> str:
        """Where the clicked message stands, as ``web_api.PostedMessage.address`` writes it."""
        return f"{self.channel_id}/{self.message_ts}"

    @property
    def is_of_batch(self) -> bool:
        """True for a click on one of a batch's buttons."""
        return self.request_id.startswith(_BATCH)


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
        SubmissionError: when it is a submission of our modal, and a field has another form; names the field.
        ClickError: when it is not a click on one of our buttons, or a field has another form; names the field.
    """
    is_ours = False
    try:
        payload = _payload(body)
        if payload["type"].value != "view_submission":
            return _click(payload)
        is_ours = payload["view"]["callback_id"].value == DENIAL
        return _submission(payload)
    except FieldError as error:
        kind = SubmissionError if is_ours else ClickError
        raise kind(error.path, str(error).removeprefix(f"{error.path}: ")) from error


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
        raise payload["type"].error("expected block_actions or view_submission")
    user, action = payload["user"], _action(payload)
    button = _json(_text(action["value"], _LONGEST_ADDRESS), action["value"].path)
    action_id = action["action_id"].text()
    is_offer = action_id == DENY_WITHOUT_REASON
    own = _optional(payload["response_url"], _LONGEST_ADDRESS)
    return Click(
        request_id=_text(button["requestId"], _LONGEST_ID),
        digest=_matching(button["digest"], _DIGEST),
        approving=action_id not in _ACTIONS or action_id == APPROVE,
        one_by_one=_is_one_by_one(action, button),
        withdrawing=action_id == WITHDRAW,
        is_offer=is_offer,
        hours=_hours(button["hours"], action_id),
        user_id=_matching(user["id"], _USER),
        user_name=_user_name(user),
        team_ids=_team_ids(payload),
        token=_optional(payload["token"], _LONGEST_ID),
        response_url=_optional(button["responseUrl"], _LONGEST_ADDRESS) if is_offer else own,
        message_ts=_message_ts(button["ts"] if is_offer else payload["container"]["message_ts"]),
        channel_id=_channel_id(button["channel"] if is_offer else payload["container"]["channel_id"]),
        offer_url=own if is_offer else "",
        trigger_id=_optional(payload["trigger_id"], _LONGEST_ID),
    )


def _submission(payload: Field) -> Click:
    """Read a reason submitted in the modal; the modal carries what was clicked, and where."""
    view, user = payload["view"], payload["user"]
    if view["callback_id"].text() != DENIAL:
        raise view["callback_id"].error(f"expected {DENIAL}")
    carried = _json(_text(view["private_metadata"], _LONGEST_METADATA), view["private_metadata"].path)
    reason = view["state"]["values"][REASON][REASON]["value"]
    return Click(
        request_id=_text(carried["requestId"], _LONGEST_ID),
        digest=_matching(carried["digest"], _DIGEST),
        approving=False,
        reason=" ".join(_optional(reason, LARGEST_BODY).split()),
        is_submission=True,
        user_id=_matching(user["id"], _USER),
        user_name=_user_name(user),
        team_ids=_team_ids(payload),
        token=_optional(payload["token"], _LONGEST_ID),
        response_url=_optional(carried["responseUrl"], _LONGEST_ADDRESS),
        message_ts=_message_ts(carried["ts"]),
        channel_id=_channel_id(carried["channel"]),
    )


def _user_name(user: Field) -> str:
    return _optional(user.either("username", "name"), _LONGEST_ID)[:_LONGEST_NAME]


def _team_ids(payload: Field) -> tuple[str, ...]:
    teams = (_optional(payload["team"]["id"], _LONGEST_ID), _optional(payload["user"]["team_id"], _LONGEST_ID))
    return tuple(sorted({team for team in teams if team}))


def _action(payload: Field) -> Field:
    actions = list(payload["actions"].elements())
    if len(actions) != 1:
        raise payload["actions"].error(f"expected one action, found {len(actions)}")
    action_id = actions[0]["action_id"].text()
    if action_id not in _ACTIONS and not action_id.startswith(APPROVE_FOR):
        raise actions[0]["action_id"].error(f"expected {', '.join(_ACTIONS)} or {APPROVE_FOR}…")
    return actions[0]


def _hours(field: Field, action_id: str) -> float | None:
    """Read for how many hours a button approves: it is part of the value, never of the button's name alone."""
    if not action_id.startswith(APPROVE_FOR) and (field.is_missing or action_id != APPROVE):
        return None
    value = field.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_HOURS:
        raise field.error(f"expected a number of hours above 0, found {str(value)[:40]!r}")
    return float(value)


def _is_one_by_one(action: Field, button: Field) -> bool:
    if action["action_id"].value != ONE_BY_ONE:
        return False
    if not button["requestId"].text().startswith(_BATCH):
        raise action["action_id"].error("only a batch can be asked one by one")
    return True


def _message_ts(field: Field) -> str:
    return "" if field.is_missing else _matching(field, _TIMESTAMP)


def _channel_id(field: Field) -> str:
    return "" if field.is_missing else _matching(field, _CHANNEL)


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
