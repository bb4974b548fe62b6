"""From a click to a decision: made once, by people who may decide, on exactly what was shown.

A decision takes one conditional write (``decision``), one bounded post ("Processing…", before the dispatch so that it
cannot come after the result) and one publish. An approval after which others are missing is written and shown in the
question ("1 of 2"); nothing is published yet.

What is not done when Slack's three seconds are over stays a pending task of the request, and the sweep does it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared.settings import optional
from shared.slack.messages import as_replacement, ephemeral, processing, question
from shared.slack.status_view import click_sentence
from shared.telemetry import count, logger

from .context import Context
from .decision import NoDecision, Refusal, decide
from .dispatch import dispatch_decision
from .requests.record import Record
from .secrets import renewed, secret
from .slack.click_payload import LARGEST_BODY, Click, ClickError, is_ssl_check, read_click
from .slack.signature import WRONG, find_flaw
from .slack.webhook import SlackError, is_response_url, post_once
from .steps import facts, step
from .views import view_of

_POST_SECONDS: Final = 1.2

_OUTDATED: Final[frozenset[Refusal]] = frozenset({"late", "hours", "repeated"})
_SHOWN_STATUSES: Final = frozenset({"pending", "approved", "applied", "ended", "denied", "expired", "error"})
"""After a click refused for such a reason the clicked message is brought up to date, in these statuses."""

_MOST_REFRESHES: Final = 3
"""Slack takes five messages for a click: so many, and one that only the clicker sees."""


_Unread = Literal["unsigned", "token", "team", "malformed", "oversized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The HTTP answer; Slack shows the clicker a warning sign for everything but 200."""

    status: int = 200
    body: str = ""


def answer(context: Context, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer one POST to the route.

    Args:
        context: this invocation.
        headers: the request's, with case-insensitive names.
        body: the raw body.

    Raises:
        SettingError: when the signing secret is missing.
        botocore.exceptions.ClientError: when the decision could not be stored.
    """
    if len(body) > LARGEST_BODY:
        return _refuse(413, "oversized", "The body is too large.")
    if is_ssl_check(body):
        return Answer()
    flaw = _find_flaw(context, headers, body)
    if flaw == WRONG and renewed("slackSigningSecret"):
        flaw = _find_flaw(context, headers, body)
    if flaw:
        return _refuse(401, "unsigned", f"Not from Slack: {flaw}.")
    try:
        click = read_click(body)
    except ClickError as error:
        return _refuse(400, "malformed", f"Not a click on one of our buttons: {error}.")
    return _refuse_stranger(click) or _act(context, click)


def _find_flaw(context: Context, headers: Mapping[str, str], body: bytes) -> str:
    return find_flaw(
        secret=secret("slackSigningSecret"),
        timestamp=headers.get("x-slack-request-timestamp", ""),
        signature=headers.get("x-slack-signature", ""),
        body=body,
        now=context.now,
    )


def _refuse_stranger(click: Click) -> Answer | None:
    """Check the optional settings ``expectedToken`` and ``slackTeamId``."""
    if optional("expectedToken") and not hmac.compare_digest(click.token.encode(), secret("expectedToken").encode()):
        return _refuse(401, "token", "Not from Slack: the verification token is wrong.")
    team = optional("slackTeamId")
    if team and click.team_ids != (team,):
        return _refuse(403, "team", "Not from this workspace.")
    return None


def _refuse(status: int, why: _Unread, sentence: str) -> Answer:
    count("ClicksRefused", reason=why)
    logger.warning("click refused", extra={"reason": why, "answer": status, "problem": sentence})
    return Answer(status=status, body=sentence)


def _act(context: Context, click: Click) -> Answer:
    try:
        with step("decide", request_id=click.request_id, user=click.user_id):
            decided = decide(context, click)
    except (ClientError, BotoCoreError):
        count("ClicksFailed")
        _post(click, ephemeral("Your click could not be stored, so it may not count. Please click again."))
        raise
    if isinstance(decided, NoDecision):
        _explain(context, click, decided)
    else:
        _carry_out(context, click, decided)
    return Answer()


def _carry_out(context: Context, click: Click, record: Record) -> None:
    count("Decisions", outcome=record.status)
    logger.info("decided", extra={**facts(record), "user": click.user_id})
    if record.status == "pending":
        _refresh(context, click, record)
        return
    if record.status == "expired":
        _post(click, ephemeral(click_sentence(record.view)))
    else:
        _post(click, as_replacement(processing(record.view, approving=click.approving)[-1]))
    try:
        dispatch_decision(context, record, fail_fast=True)
    except (ClientError, BotoCoreError):
        count("DispatchesFailed")  # logged by the step; the task stays pending, and the sweep does it


def _explain(context: Context, click: Click, result: NoDecision) -> None:
    count("ClicksRefused", reason=result.why)
    logger.warning(
        "click changed nothing",
        extra={"request_id": click.request_id, **facts(result.record), "user": click.user_id, "reason": result.why},
    )
    was_shown = _post(click, ephemeral(result.text, people=result.people))
    # Where the first post failed there is no time for another: Slack waits three seconds for the answer to the click.
    if was_shown and result.why in _OUTDATED and result.record and result.record.status in _SHOWN_STATUSES:
        _refresh(context, click, result.record)


def _refresh(context: Context, click: Click, record: Record) -> None:
    """Show the present status in the clicked message; while approvals are missing, with buttons.

    While the message is being replaced, somebody else may decide, or an outcome may arrive. So the request is read
    again, and shown again if it has changed: no message keeps the buttons of a request that is decided.
    """
    for _ in range(_MOST_REFRESHES):
        was_shown = _post(click, as_replacement(question(view_of(record))[-1]))
        if not was_shown or record.status not in ("pending", "approved"):
            return
        now = context.table.get(click.request_id)
        if now is None or (now.status, now.approvals) == (record.status, record.approvals):
            return
        record = now


def _post(click: Click, payload: Mapping[str, Any]) -> bool:
    """Post to the click's own address; a click without one, or with an unexpected one, counts nevertheless.

    Returns:
        Whether Slack accepted it.
    """
    if not is_response_url(click.response_url):
        if click.response_url:
            count("ClicksRefused", reason="response_url")
            logger.warning("unexpected response_url not used", extra={"request_id": click.request_id})
        return False
    try:
        with step("answer click", request_id=click.request_id):
            post_once(click.response_url, payload, seconds=_POST_SECONDS)
    except SlackError:
        count("SlackFailures", channel="response_url")
        return False
    return True
