"""Slack's Web API, for the optional setting ``slackBotToken``: messages that can be updated later, and modals.

The token is a secret, as ``slack.http`` says; it goes to the host of ``slackApiUrl`` alone.

What does not belong here: which message goes where (``central.chalicelib.outbox``).

https://docs.slack.dev/apis/web-api/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.settings import SettingError, optional

from ..secrets import secret
from .http import Answer, SlackRefusedError, send, send_once
from .webhook import LOOPBACK, split_address

BOT_TOKEN: Final = "slackBotToken"  # noqa: S105 - the name of a setting
DEFAULT_API: Final = "https://slack.com/api/"

_ADDRESS: Final = re.compile(r"(?P<channel>[A-Z0-9]{1,30})/(?P<ts>[0-9]{1,20}\.[0-9]{1,10})")
_SLACK_HOST: Final = ("slack.com", "slack-gov.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedMessage:
    """Where a message stands.

    Attributes:
        channel: id of the channel, ``C…``, ``G…`` or ``D…``.
        ts: Slack's id of the message.
    """

    channel: str
    ts: str

    @property
    def address(self) -> str:
        """The same as one text, as it is stored: ``C0123456789/1790856000.000100``."""
        return f"{self.channel}/{self.ts}"

    @staticmethod
    def at(address: str) -> PostedMessage | None:
        """Read such a text; ``None`` where it is none."""
        found = _ADDRESS.fullmatch(address)
        return PostedMessage(channel=found["channel"], ts=found["ts"]) if found else None


def has_token() -> bool:
    """True where a bot token is set; whether Slack accepts it shows at the first call."""
    return bool(optional(BOT_TOKEN))


def api_url() -> str:
    """Return the base address of the Web API, with a slash at its end.

    Raises:
        SettingError: when ``slackApiUrl`` is neither https on a host of Slack nor a loopback address: the token goes
            there.
    """
    url = optional("slackApiUrl") or DEFAULT_API
    parts = split_address(url)
    host = (parts.hostname or "") if parts is not None else ""
    is_slack = any(host == known or host.endswith(f".{known}") for known in _SLACK_HOST)
    if parts is None or not ((parts.scheme == "https" and is_slack) or (parts.scheme == "http" and host in LOOPBACK)):
        raise SettingError(
            f"Setting slackApiUrl is malformed: expected an https address of Slack such as {DEFAULT_API} (http is "
            "accepted for loopback addresses only)."
        )
    return url if url.endswith("/") else f"{url}/"


def post_message(
    channel: str, payload: Mapping[str, Any], *, until: float, thread_ts: str = "", broadcast: bool = False
) -> PostedMessage:
    """Post a message; return where it stands (``chat.postMessage``).

    Args:
        channel: id of the channel, or of a user for a direct message.
        payload: the message.
        until: ``time.monotonic()`` after which nothing is tried any more.
        thread_ts: the message it replies to; a message of its own when empty.
        broadcast: show a reply in the channel, too.

    Raises:
        SlackUnavailableError: when the time is up.
        SlackRefusedError: when Slack refuses it.
        SettingError: when token or ``slackApiUrl`` cannot be used.
    """
    thread = {"thread_ts": thread_ts, "reply_broadcast": broadcast} if thread_ts else {}
    answer = _call("chat.postMessage", {"channel": channel, "unfurl_links": False, **payload, **thread}, until=until)
    posted = PostedMessage(channel=str(answer.get("channel", "")), ts=str(answer.get("ts", "")))
    if not posted.channel or not posted.ts:
        raise SlackRefusedError("Slack did not say where the message stands", code="no_ts", is_about_message=True)
    return posted


def update_message(message: PostedMessage, payload: Mapping[str, Any], *, until: float) -> None:
    """Replace a message (``chat.update``).

    Raises:
        SlackUnavailableError: when the time is up.
        SlackRefusedError: when Slack refuses it, e.g. ``message_not_found``.
        SettingError: when token or ``slackApiUrl`` cannot be used.
    """
    blank: dict[str, Any] = {"blocks": [], "attachments": []}  # what is left out stays as it was
    _call("chat.update", {"channel": message.channel, "ts": message.ts, **blank, **payload}, until=until)


def open_modal(trigger_id: str, view: Mapping[str, Any], *, seconds: float) -> None:
    """Open a modal for somebody who has just clicked (``views.open``); one try, since Slack waits three seconds.

    Raises:
        SlackUnavailableError: when it could not be opened in that time.
        SlackRefusedError: when Slack refuses it, e.g. ``expired_trigger_id``.
        SettingError: when token or ``slackApiUrl`` cannot be used.
    """
    token = secret(BOT_TOKEN)
    send_once(f"{api_url()}views.open", {"trigger_id": trigger_id, "view": view}, seconds=seconds, token=token)


def members_of(user_group: str, *, until: float) -> frozenset[str]:
    """Return the ids of a user group's members (``usergroups.users.list``).

    Raises:
        SlackUnavailableError: when the time is up.
        SlackRefusedError: when Slack refuses it, e.g. ``no_such_subteam`` or ``missing_scope``.
        SettingError: when token or ``slackApiUrl`` cannot be used.
    """
    answer = _read("usergroups.users.list", {"usergroup": user_group}, until=until)
    return frozenset(str(one) for one in answer.get("users", []) if isinstance(one, str))


def is_full_member(user_id: str, team_id: str, *, until: float) -> bool:
    """Say whether somebody is an active full member of a workspace: no guest, no bot, not deactivated (``users.info``).

    Args:
        user_id: ``U…`` or ``W…``.
        team_id: the workspace; any when empty.
        until: ``time.monotonic()`` after which nothing is tried any more.

    Raises:
        SlackUnavailableError, SlackRefusedError, SettingError: as :func:`members_of`.
    """
    user = _read("users.info", {"user": user_id}, until=until).get("user")
    if not isinstance(user, Mapping):
        return False
    is_other = any(
        user.get(flag) is not False for flag in ("deleted", "is_bot", "is_restricted", "is_ultra_restricted")
    )
    return not is_other and team_id in ("", user.get("team_id"))


def _read(method: str, arguments: Mapping[str, Any], *, until: float) -> Answer:
    return send(f"{api_url()}{method}", arguments, until=until, token=secret(BOT_TOKEN), as_form=True)


def _call(method: str, arguments: Mapping[str, Any], *, until: float) -> Answer:
    return send(f"{api_url()}{method}", arguments, until=until, token=secret(BOT_TOKEN))
