"""From a click to a decision: made once, by somebody who may decide, on exactly what was shown.

A decision takes one conditional write, one bounded post ("Processing…", before the dispatch so that it cannot come
after the result) and one publish. The write itself checks status, digest and age, and returns what the rest needs. Only
where the answer depends on the stored request (a list of approvers that holds for some accounts, or approving one's own
change is not allowed) the request is read first, consistently.

What is not done when Slack's three seconds are over stays a pending task of the request, and the sweep does it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.policy import Policies, Policy, may_decide
from shared.policy.loading import written_policies
from shared.settings import optional
from shared.slack.messages import as_replacement, ephemeral, outcome_replacement, processing
from shared.slack.status_view import click_sentence
from shared.telemetry import count, logger

from .context import Context
from .dispatch import dispatch_decision
from .outbox import NOTIFY
from .requests.moves import Move, Moved
from .requests.record import ClickedMessage, Decision, Record
from .secrets import renewed, secret
from .slack.click_payload import LARGEST_BODY, Click, ClickError, is_ssl_check, read_click
from .slack.signature import WRONG, find_flaw
from .slack.webhook import SlackError, is_response_url, post_once
from .steps import facts, step

_POST_SECONDS: Final = 1.2

_LATE_STATUSES: Final = frozenset({"approved", "applied", "denied", "expired", "error"})
"""Statuses in which a clicked message is brought up to date."""

Refusal = Literal["unsigned", "token", "team", "malformed", "oversized", "unknown", "digest", "not allowed", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The HTTP answer; Slack shows the clicker a warning sign for everything but 200."""

    status: int = 200
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDecision:
    """A click that decided nothing.

    Attributes:
        why: for logs and metrics.
        text: for the clicker.
        record: the request as stored, where there is one.
    """

    why: Refusal
    text: str
    record: Record | None


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


def _refuse(status: int, why: Refusal, sentence: str) -> Answer:
    count("ClicksRefused", reason=why)
    logger.warning("click refused", extra={"reason": why, "answer": status, "problem": sentence})
    return Answer(status=status, body=sentence)


def _act(context: Context, click: Click) -> Answer:
    try:
        with step("decide", request_id=click.request_id, user=click.user_id):
            decided = _decide(context, click)
    except (ClientError, BotoCoreError):
        count("ClicksFailed")
        _post(click, ephemeral("Your click could not be stored, so it may not count. Please click again."))
        raise
    if isinstance(decided, NoDecision):
        _explain(context, click, decided)
    else:
        _carry_out(context, click, decided)
    return Answer()


def _decide(context: Context, click: Click) -> Record | NoDecision:
    policies = written_policies()
    if _may_decide_anywhere(policies, click):
        soonest = min(policy.expires_after for policy in _every(policies))
        moved = context.table.move(_decision(context, click, requested_after=context.now - soonest))
        if isinstance(moved, Moved):
            return moved.record
        record = moved.record
    else:
        record = context.table.get(click.request_id)
    return _decide_knowing(context, click, policies, record)


def _decide_knowing(context: Context, click: Click, policies: Policies, record: Record | None) -> Record | NoDecision:
    """Decide knowing the stored request; the write checks that it has not changed since it was read."""
    if record is None:
        return NoDecision(why="unknown", text="This request is not known here. Nothing was changed.", record=None)
    if record.request.digest != click.digest:
        text = "This button does not belong to the request as it is stored, so your click changed nothing."
        return NoDecision(why="digest", text=text, record=record)
    if record.status != "pending":
        return NoDecision(why="late", text=click_sentence(record.view), record=record)
    policy = policies.for_account(record.request.account)
    verdict = may_decide(policy, user_id=click.user_id, approving=click.approving, requester=record.request.requester)
    if not verdict.allowed:
        return NoDecision(why="not allowed", text=verdict.reason, record=record)
    if record.requested_at + policy.expires_after <= context.now:
        moved = context.table.move(_expiry(context, click))
    else:
        moved = context.table.move(_decision(context, click, requested_after=context.now - policy.expires_after))
    if isinstance(moved, Moved):
        return moved.record
    if moved.record is None:
        return NoDecision(why="unknown", text="This request is not known here. Nothing was changed.", record=None)
    return NoDecision(why="late", text=click_sentence(moved.record.view), record=moved.record)


def _every(policies: Policies) -> list[Policy]:
    return [policies.general, *(policy for _, policy in policies.accounts)]


def _may_decide_anywhere(policies: Policies, click: Click) -> bool:
    """True when the clicker may decide whatever the account and whoever the requester."""
    verdicts = (
        may_decide(policy, user_id=click.user_id, approving=click.approving, requester=None)
        for policy in _every(policies)
    )
    return all(verdict.allowed for verdict in verdicts)


def _decision(context: Context, click: Click, *, requested_after: datetime) -> Move:
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="approved" if click.approving else "denied",
        digest=click.digest,
        at=context.now,
        by=click.user_id,
        requested_after=requested_after,
        tasks=("dispatch",) if click.approving else NOTIFY,
        decision=Decision(by=click.user_id, by_name=click.user_name, at=context.now),
        clicked=_clicked(click),
    )


def _expiry(context: Context, click: Click) -> Move:
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="expired",
        digest=click.digest,
        at=context.now,
        by=click.user_id,
        note="clicked too late",
        tasks=NOTIFY,
        clicked=_clicked(click),
    )


def _clicked(click: Click) -> ClickedMessage:
    response_url = click.response_url if is_response_url(click.response_url) else ""
    return ClickedMessage(response_url=response_url, ts=click.message_ts)


def _carry_out(context: Context, click: Click, record: Record) -> None:
    count("Decisions", outcome=record.status)
    logger.info("decided", extra={**facts(record), "user": click.user_id})
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
    was_shown = _post(click, ephemeral(result.text))
    # Where the first post failed there is no time for another: Slack waits three seconds for the answer to the click.
    if was_shown and result.why == "late" and result.record is not None and result.record.status in _LATE_STATUSES:
        _refresh(context, click, result.record)


def _refresh(context: Context, click: Click, record: Record) -> None:
    """Show the present status in the clicked message.

    The outcome of an approved request may arrive while the message is being replaced. So the request is read again, and
    shown again if its status has changed.
    """
    was_shown = _post(click, as_replacement(outcome_replacement(record.view)))
    if record.status != "approved" or not was_shown:
        return
    now = context.table.get(click.request_id)
    if now is not None and now.status != record.status:
        _post(click, as_replacement(outcome_replacement(now.view)))


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
