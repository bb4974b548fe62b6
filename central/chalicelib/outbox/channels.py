"""The two Slack channels, as one invocation uses them: one message a second; stops posting to one after a failure.

Slack takes one message per second and webhook; more are answered with 429.
https://docs.slack.dev/apis/web-api/rate-limits#posting-messages
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.settings import SettingError

from ..secrets import renewed
from ..slack.webhook import HookSetting, SlackError, SlackRefusedError, SlackUnavailableError, hook_url, post
from .bot import Bot, Channel

SECONDS_BETWEEN_MESSAGES = 1.0

_SETTINGS: Final[Mapping[Channel, HookSetting]] = {"approval": "approvalHookUrl", "monitoring": "monitoringHookUrl"}


class TooLittleTimeError(SlackUnavailableError):
    """This invocation is too short for the message; the next one may have the time."""


class Channels:
    """The channels, and which of them failed in this invocation."""

    def __init__(self, *, until: float, message_seconds: float) -> None:
        """Take how much time there is.

        Args:
            until: ``time.monotonic()`` after which nothing is posted any more.
            message_seconds: how long one message may take, tries and all.
        """
        self._until = until
        self._message_seconds = message_seconds
        self._posted: dict[Channel, float] = {}
        self._down: dict[Channel, SlackError | SettingError] = {}
        self._bot = Bot()

    def problem(self, channel: Channel) -> SlackError | SettingError | None:
        """Return why a channel takes no message at present, if this invocation has found a reason."""
        return self._down.get(channel)

    def until(self, seconds: float) -> float:
        """Return the ``time.monotonic()`` at which something begun now has to end."""
        return min(self._until, time.monotonic() + seconds)

    def replace(self, address: str, payload: Mapping[str, Any]) -> bool:
        """Replace a message by its address, as :meth:`post` returned it; false where that cannot be done.

        Raises:
            SlackUnavailableError: when Slack did not answer within the time.
        """
        return bool(address) and self._bot.replace(address, payload, until=self.until(self._message_seconds))

    def post(self, channel: Channel, payloads: Sequence[Mapping[str, Any]], *, thread_ts: str = "") -> str:
        """Post all parts of a message, in their order.

        Args:
            channel: where.
            payloads: the parts.
            thread_ts: Slack's id of the message to reply to; a message of its own when empty.

        Returns:
            The address of the last part, by which it can be replaced; empty where a webhook took it.

        Raises:
            TooLittleTimeError: when there is no time for all parts; none was posted.
            SlackUnavailableError: when Slack did not take it within the time; parts may have been posted.
            SlackRefusedError: when Slack does not take such a message, or the webhook is dead.
            SettingError: when the webhook's address is missing or malformed.
        """
        known = self.problem(channel)
        if known is not None:
            raise known
        address = ""
        try:
            if not self._bot.posts_to(channel):
                hook_url(_SETTINGS[channel])
            self._refuse_too_many(len(payloads))
            for payload in payloads:
                self._wait(channel)
                posted = self._bot.post(channel, payload, until=self.until(self._message_seconds), thread_ts=thread_ts)
                if posted is None:
                    self._post(_SETTINGS[channel], {**payload, "thread_ts": thread_ts} if thread_ts else payload)
                address = "" if posted is None else posted.address
                self._posted[channel] = time.monotonic()
        except TooLittleTimeError:
            raise
        except (SlackUnavailableError, SettingError) as error:
            self._down[channel] = error
            raise
        except SlackRefusedError as error:
            if not error.is_about_message:
                self._down[channel] = error
            raise
        return address

    def _post(self, hook: HookSetting, message: Mapping[str, Any]) -> None:
        try:
            post(hook_url(hook), message, until=self.until(self._message_seconds))
        except SlackRefusedError as error:
            # A dead webhook may have been replaced since this container read its address.
            if error.is_about_message or not renewed(hook):
                raise
            post(hook_url(hook), message, until=self.until(self._message_seconds))

    def _refuse_too_many(self, parts: int) -> None:
        """Do not begin a message that cannot be finished: the next try would show its first parts again."""
        if parts > 1 and time.monotonic() + (parts - 1) * SECONDS_BETWEEN_MESSAGES > self._until:
            raise TooLittleTimeError(f"a message of {parts} parts takes more time than is left")

    def _wait(self, channel: Channel) -> None:
        if channel in self._posted:
            left = self._posted[channel] + SECONDS_BETWEEN_MESSAGES - time.monotonic()
            time.sleep(max(left, 0))
