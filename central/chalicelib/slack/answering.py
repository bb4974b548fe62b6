"""Answers one click: over the clicked message, and to the person who clicked alone.

A submission of the modal is answered in the modal, so the sentence for its sender is kept for the HTTP answer.

What does not belong here: what is said (the flows), and the messages themselves (``shared.slack``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.slack.messages import ephemeral
from shared.telemetry import count, logger

from ..steps import step
from .click_payload import Click
from .webhook import SlackError, is_response_url, post_once

_POST_SECONDS: Final = 1.2


class Answering:
    """The answers to one click.

    Attributes:
        click: which.
        told: what a submission of the modal is answered with; empty while it is nothing.
    """

    def __init__(self, click: Click) -> None:
        """Take the click."""
        self.click = click
        self.told = ""

    def tell(self, text: str, *, people: Sequence[str] = ()) -> bool:
        """Tell the person who clicked something, and nobody else; say whether they get it.

        Args:
            text: what to say.
            people: Slack ids of those who may decide.
        """
        if self.click.is_submission:
            self.told = text
            return True
        return self.post(ephemeral(text, people=people))

    def post(self, payload: Mapping[str, Any], *, url: str = "") -> bool:
        """Post to the click's own address; a click without one, or with an unexpected one, counts nevertheless.

        Args:
            payload: a message that replaces the clicked one, or that only the clicker sees.
            url: another address that came with the click.

        Returns:
            Whether Slack accepted it.
        """
        url = url or self.click.response_url
        if not is_response_url(url):
            if url:
                count("ClicksRefused", reason="response_url")
                logger.warning("unexpected response_url not used", extra={"request_id": self.click.request_id})
            return False
        try:
            with step("answer click", request_id=self.click.request_id):
                post_once(url, payload, seconds=_POST_SECONDS)
        except SlackError:
            count("SlackFailures", channel="response_url")
            return False
        return True
