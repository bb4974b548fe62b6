"""Posting with the bot token: the channels' ids, and when the webhooks take over.

With a token a message can be replaced later, so that a request is one message in each channel. Where the token or a
channel's id cannot be used, messages go to the webhooks, and operators are told once per container.

What does not belong here: the order of messages (``channels``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

from shared.settings import SettingError, optional
from shared.telemetry import count, logger

from ..secrets import renewed
from ..slack.web_api import BOT_TOKEN, PostedMessage, has_token, post_message, update_message
from ..slack.webhook import SlackRefusedError

Channel = Literal["approval", "monitoring"]

CHANNEL_IDS: Final[Mapping[Channel, str]] = {"approval": "approvalChannelId", "monitoring": "monitoringChannelId"}

_CHANNEL_ID: Final = re.compile("[CG][A-Z0-9]{2,30}")
_told: Final[set[str]] = set()
"""What this container has reported already."""

Result = TypeVar("Result")


class Bot:
    """The bot, as one invocation uses it."""

    def __init__(self) -> None:
        """Begin without failures."""
        self._refused: set[Channel] = set()

    def posts_to(self, channel: Channel) -> bool:
        """True where messages to a channel are posted with the token; else its webhook takes them."""
        return has_token() and bool(optional(CHANNEL_IDS[channel])) and channel not in self._refused

    def post(
        self, channel: Channel, payload: Mapping[str, Any], *, until: float, thread_ts: str = ""
    ) -> PostedMessage | None:
        """Post a message; ``None`` where the webhook has to take it.

        Raises:
            SlackUnavailableError: when the time is up.
            SlackRefusedError: when Slack takes no such message.
        """
        if not self.posts_to(channel):
            return None

        def send() -> PostedMessage:
            return post_message(_channel_id(channel), payload, until=until, thread_ts=thread_ts)

        try:
            return _with_renewed_token(send)
        except (SlackRefusedError, SettingError) as error:
            if isinstance(error, SlackRefusedError) and error.is_about_message:
                raise
            self._refused.add(channel)
            _tell(error)
            return None

    def replace(self, address: str, payload: Mapping[str, Any], *, until: float) -> bool:
        """Replace a message that the bot has posted; false where that cannot be done.

        Raises:
            SlackUnavailableError: when the time is up.
        """
        message = PostedMessage.at(address)
        if message is None or not has_token():
            return False
        try:
            _with_renewed_token(lambda: update_message(message, payload, until=until))
        except (SlackRefusedError, SettingError) as error:
            if isinstance(error, SlackRefusedError) and error.is_about_message:
                logger.info("message not replaced", extra={"problem": str(error)})  # it may have been deleted
            else:
                _tell(error)
            return False
        return True


def _channel_id(channel: Channel) -> str:
    name = CHANNEL_IDS[channel]
    value = optional(name)
    if not _CHANNEL_ID.fullmatch(value):
        raise SettingError(f"Setting {name} is malformed: expected the id of a Slack channel such as C0123456789.")
    return value


def _with_renewed_token(send: Callable[[], Result]) -> Result:
    """Try once more where the token has been replaced since this container read it."""
    try:
        return send()
    except SlackRefusedError as error:
        if error.is_about_message or not renewed(BOT_TOKEN):
            raise
        return send()


def _tell(error: SlackRefusedError | SettingError) -> None:
    count("SlackFailures", channel="bot")
    if str(error) not in _told:
        _told.add(str(error))
        logger.error("the bot token cannot be used", extra={"problem": str(error)})
