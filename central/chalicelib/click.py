"""From a click to a decision: made once, by people who may decide, on exactly what was shown.

With a bot token, ``Deny`` first opens a modal that asks for the reason (``denial``); what it submits is judged here
like a click, and answered in the modal.

A decision takes one conditional write (``decision``), one bounded post ("Processing…", before the dispatch so that it
cannot come after the result) and one publish. An approval after which others are missing is written and shown in the
question ("1 of 2"); nothing is published yet.

What is not done when Slack's three seconds are over stays a pending task of the request, and the sweep does it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared.policy.loading import written_policies
from shared.settings import optional
from shared.slack.denial_modal import modal_errors
from shared.slack.messages import as_replacement, outcome_replacement, processing, question
from shared.slack.status_view import click_sentence
from shared.telemetry import count, logger

from .batches.deciding import click_batch
from .context import Context
from .decision import NoDecision, Refusal, decide
from .denial import ask_for_reason, asks_for_reason, report_ignored_requirement
from .dispatch import dispatch_decision, is_left_undone
from .requests.record import Record
from .secrets import renewed, secret
from .slack.answering import Answering
from .slack.click_payload import LARGEST_BODY, Click, ClickError, SubmissionError, is_ssl_check, read_click
from .slack.signature import WRONG, find_flaw
from .steps import facts, step
from .views import view_of
from .withdrawal import withdraw

_OUTDATED: Final[frozenset[Refusal]] = frozenset({"late", "hours", "repeated", "gathered", "elsewhere"})
_SHOWN_STATUSES: Final = frozenset({"pending", "approved", "applied", "ended", "denied", "expired", "error"})
"""After a click refused for such a reason the clicked message is brought up to date, in these statuses."""

_MOST_REFRESHES: Final = 3
"""Slack takes five messages for a click: so many, and one that only the clicker sees."""

_REMOVED_WITHIN: Final = timedelta(seconds=1.5)
"""Later than that, a used offer is not removed any more: Slack waits three seconds for the answer to the click."""

_Unread = Literal["unsigned", "token", "team", "malformed", "oversized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The HTTP answer; Slack shows the clicker a warning sign for everything but 200."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"


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
    except SubmissionError as error:
        count("ClicksRefused", reason="malformed")
        logger.warning("submission refused", extra={"reason": "malformed", "problem": str(error)})
        return _in_modal("This dialog does not fit any request, so nothing was changed. Please click Deny again.")
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


def _in_modal(sentence: str) -> Answer:
    return Answer(body=json.dumps(modal_errors(sentence)), content_type="application/json")


def _act(context: Context, click: Click) -> Answer:
    answering = Answering(click)
    try:
        if asks_for_reason(click):
            ask_for_reason(answering)
        elif click.is_of_batch:
            click_batch(context, answering)
        else:
            _click_request(context, answering)
    except (ClientError, BotoCoreError) as error:
        if not answering.told:
            raise
        logger.error("click failed", extra={"problem": f"{type(error).__name__}: {error}"})
    if click.offer_url and context.clock() - context.now < _REMOVED_WITHIN:
        answering.post({"delete_original": True}, url=click.offer_url)
    return _in_modal(answering.told) if answering.told else Answer()


def _click_request(context: Context, answering: Answering) -> None:
    click = answering.click
    try:
        with step("decide", request_id=click.request_id, user=click.user_id):
            decided = withdraw(context, answering) if click.withdrawing else decide(context, click)
    except (ClientError, BotoCoreError):
        count("ClicksFailed")
        answering.tell("Your click could not be stored, so it may not count. Please click again.")
        raise
    if isinstance(decided, NoDecision):
        _explain(context, answering, decided)
    elif decided is not None:
        _carry_out(context, answering, decided)


def _carry_out(context: Context, answering: Answering, record: Record) -> None:
    count("Decisions", outcome=record.status)
    logger.info("decided", extra={**facts(record), "user": answering.click.user_id})
    if record.status == "pending":
        _refresh(context, answering, record)
        return
    if record.is_withdrawn:
        answering.post(as_replacement(outcome_replacement(record.view)))
    elif record.status == "expired":
        answering.tell(click_sentence(record.view))
    else:
        answering.post(as_replacement(processing(record.view, approving=answering.click.approving)[-1]))
    if record.status == "denied":
        report_ignored_requirement(written_policies().for_account(record.request.account), record.request.request_id)
    _dispatch(context, record)


def _dispatch(context: Context, record: Record) -> None:
    try:
        dispatch_decision(context, record, fail_fast=True)
    except (ClientError, BotoCoreError):
        count("DispatchesFailed")  # logged by the step; the task stays pending, and the sweep does it


def _explain(context: Context, answering: Answering, result: NoDecision) -> None:
    click, record = answering.click, result.record
    count("ClicksRefused", reason=result.why)
    logger.warning(
        "click changed nothing",
        extra={"request_id": click.request_id, **facts(record), "user": click.user_id, "reason": result.why},
    )
    was_shown = answering.tell(result.text, people=result.people)
    # Where the first post failed there is no time for another: Slack waits three seconds for the answer to the click.
    if was_shown and result.why in _OUTDATED and record and record.status in _SHOWN_STATUSES:
        _refresh(context, answering, record, asks=result.why != "elsewhere")
    if record is not None and is_left_undone(context.now, click, record.decision, record.tasks):
        _dispatch(context, record)


def _refresh(context: Context, answering: Answering, record: Record, *, asks: bool = True) -> None:
    """Show the present status in the clicked message; while approvals are missing, with buttons.

    While the message is being replaced, somebody else may decide, or an outcome may arrive. So the request is read
    again, and shown again if it has changed: no message keeps the buttons of a request that is decided.
    """
    for _ in range(_MOST_REFRESHES):
        is_replaced = bool(record.asked_in) or not asks  # by the question for all of a batch, or another message
        shown = outcome_replacement(record.view) if is_replaced else question(view_of(record))[-1]
        was_shown = answering.post(as_replacement(shown))
        if not was_shown or record.status not in ("pending", "approved"):
            return
        now = context.table.get(answering.click.request_id)
        if now is None or (now.status, now.approvals) == (record.status, record.approvals):
            return
        record = now
