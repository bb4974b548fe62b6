"""Posts messages to Slack: incoming webhooks and ``response_url``.

Both kinds of address are secrets, as ``slack.http`` says.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from shared.settings import SettingError

from ..secrets import secret
from .http import SlackError, SlackRefusedError, SlackUnavailableError, send, send_once, warm_up

__all__ = [
    "HookSetting",
    "SlackError",
    "SlackRefusedError",
    "SlackUnavailableError",
    "hook_url",
    "is_response_url",
    "post",
    "post_once",
    "warm_up",
]

HookSetting = Literal["approvalHookUrl", "monitoringHookUrl"]

SLACK_HOOKS: Final = "https://hooks.slack.com"

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def hook_url(name: HookSetting) -> str:
    """Return the address of a channel's incoming webhook from the settings.

    Raises:
        SettingError: when it is missing, or neither an ``https`` address nor a loopback address.
    """
    url = secret(name)
    parts = split_address(url)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise SettingError(
            f"Setting {name} is malformed: expected a webhook address such as {SLACK_HOOKS}/services/… "
            "(http is accepted for loopback addresses only)."
        )
    return url


def is_response_url(url: str) -> bool:
    """True for an address where the answer to a click may be posted.

    The address comes with a signed request; even so, nothing is sent to other hosts. It is https on Slack's host or on
    the host of ``approvalHookUrl`` (Slack has others, for example for governments); or http on a loopback address, if
    that setting is a loopback address too (the sandbox, on whatever port).
    """
    parts = split_address(url)
    if parts is None:
        return False
    try:
        own = split_address(hook_url("approvalHookUrl"))
    except SettingError:
        own = None
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK and own is not None and own.hostname in LOOPBACK
    return origin_of(parts) in (SLACK_HOOKS, own and origin_of(own))


def post(url: str, payload: Mapping[str, Any], *, until: float) -> None:
    """Post a message; try again while Slack is busy or broken, as long as there is time.

    Args:
        url: an incoming webhook or a ``response_url``.
        payload: the message.
        until: ``time.monotonic()`` after which nothing is tried any more. One try is always made.

    Raises:
        SlackUnavailableError: after 429, 5xx or connection errors, when the time is up.
        SlackRefusedError: for every other answer but 2xx.
    """
    send(url, payload, until=until)


def post_once(url: str, payload: Mapping[str, Any], *, seconds: float) -> None:
    """Post a message with one try of about ``seconds`` at most: for a click, which is answered within three seconds.

    Raises:
        SlackUnavailableError: when it could not be delivered in that time.
        SlackRefusedError: when Slack refuses it.
    """
    send_once(url, payload, seconds=seconds)


def split_address(url: str) -> SplitResult | None:
    """Return the parts of a plain address; ``None`` for one that two libraries could read in two ways."""
    if not url.isascii() or not url.isprintable() or any(char in url for char in " \\"):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return None
    return None if not parts.hostname or "@" in parts.netloc else parts


def origin_of(parts: SplitResult) -> str:
    """Return e.g. ``https://hooks.slack.com``, without the port where it is the scheme's own."""
    is_usual = parts.port in (None, {"https": 443, "http": 80}.get(parts.scheme))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{parts.port}")
