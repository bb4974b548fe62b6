"""From a click to a decision: once, by somebody who may, on exactly what was shown.

What a decision costs: one conditional write, one bounded post ("Processing…", before the dispatch so that it cannot
come after the result) and one publish. The write itself checks status, digest and age, and gives back what the rest
needs. Only where the answer depends on the stored request (a list of approvers that holds for some accounts, or a ban
on approving one's own change) the request is read first, consistently.

What is not done when Slack's three seconds are over stays owed on the request, and the sweep does it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.policy import Policies, Policy, may_decide
from shared.domain.record import Record
from shared.policy.loading import written_policies
from shared.settings import optional
from shared.slack.messages import as_replacement, outcome_replacement, processing, whisper
from shared.telemetry import count, logger
from shared.wire.rule_json import time_to_text

from . import dispatch, status_text
from .context import Run, facts, step
from .requests.moves import Move, Moved
from .secrets import renewed, secret
from .slack.click_payload import LARGEST_BODY, Click, ClickError, is_ssl_check, read_click
from .slack.signature import WRONG, find_flaw
from .slack.webhook import SlackError, is_response_url, post_once

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
class Told:
    """A click that decided nothing, and what the clicker is told.

    Attributes:
        why: for logs and metrics.
        text: for the clicker.
        record: the request as it stands, where there is one.
    """

    why: Refusal
    text: str
    record: Record | None


def answer(run: Run, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer one POST to the route.

    Args:
        run: this invocation.
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
    flaw = _find_flaw(run, headers, body)
    if flaw == WRONG and renewed("slackSigningSecret"):
        flaw = _find_flaw(run, headers, body)
    if flaw:
        return _refuse(401, "unsigned", f"Not from Slack: {flaw}.")
    try:
        click = read_click(body)
    except ClickError as error:
        return _refuse(400, "malformed", f"Not a click on one of our buttons: {error}.")
    return _refuse_stranger(click) or _act(run, click)


def _find_flaw(run: Run, headers: Mapping[str, str], body: bytes) -> str:
    return find_flaw(
        secret=secret("slackSigningSecret"),
        timestamp=headers.get("x-slack-request-timestamp", ""),
        signature=headers.get("x-slack-signature", ""),
        body=body,
        now=run.now,
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


def _act(run: Run, click: Click) -> Answer:
    try:
        with step("decide", request_id=click.request_id, user=click.user_id):
            decided = _decide(run, click)
    except (ClientError, BotoCoreError):
        count("ClicksFailed")
        _post(click, whisper("Your click could not be stored; nothing is certain yet. Please click again."))
        raise
    if isinstance(decided, Told):
        _tell(run, click, decided)
    else:
        _carry_out(run, click, decided)
    return Answer()


def _decide(run: Run, click: Click) -> Record | Told:
    policies = written_policies()
    if _may_decide_anywhere(policies, click):
        soonest = min(policy.expires_after for policy in _every(policies))
        moved = run.table.move(_decision(run, click, requested_after=run.now - soonest))
        if isinstance(moved, Moved):
            return moved.record
        record = moved.record
    else:
        record = run.table.get(click.request_id)
    return _decide_knowing(run, click, policies, record)


def _decide_knowing(run: Run, click: Click, policies: Policies, record: Record | None) -> Record | Told:
    """Decide with the stored request at hand; the write checks that it still is as it was read."""
    if record is None:
        return Told(why="unknown", text="This request is not known here. Nothing was changed.", record=None)
    if record.request.digest != click.digest:
        text = "This button does not belong to the request as it is stored, so your click changed nothing."
        return Told(why="digest", text=text, record=record)
    if record.status != "pending":
        return Told(why="late", text=status_text.sentence(record), record=record)
    policy = policies.for_account(record.request.account)
    verdict = may_decide(policy, user_id=click.user_id, approving=click.approving, requester=record.request.requester)
    if not verdict.allowed:
        return Told(why="not allowed", text=verdict.reason, record=record)
    if record.requested_at + policy.expires_after <= run.now:
        moved = run.table.move(_expiry(run, click))
    else:
        moved = run.table.move(_decision(run, click, requested_after=run.now - policy.expires_after))
    if isinstance(moved, Moved):
        return moved.record
    if moved.record is None:
        return Told(why="unknown", text="This request is not known here. Nothing was changed.", record=None)
    return Told(why="late", text=status_text.sentence(moved.record), record=moved.record)


def _every(policies: Policies) -> list[Policy]:
    return [policies.general, *(policy for _, policy in policies.accounts)]


def _may_decide_anywhere(policies: Policies, click: Click) -> bool:
    """True when the clicker may decide whatever the account and whoever the requester."""
    verdicts = (
        may_decide(policy, user_id=click.user_id, approving=click.approving, requester=None)
        for policy in _every(policies)
    )
    return all(verdict.allowed for verdict in verdicts)


def _decision(run: Run, click: Click, *, requested_after: datetime) -> Move:
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="approved" if click.approving else "denied",
        digest=click.digest,
        at=run.now,
        by=click.user_id,
        requested_after=requested_after,
        owes=("dispatch",) if click.approving else ("result", "result_monitoring"),
        values={
            "decidedBy": click.user_id,
            "decidedByName": click.user_name,
            "decidedAt": time_to_text(run.now),
            **_address(click),
        },
    )


def _expiry(run: Run, click: Click) -> Move:
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="expired",
        digest=click.digest,
        at=run.now,
        by=click.user_id,
        note="clicked too late",
        owes=("result", "result_monitoring"),
        values=_address(click),
    )


def _address(click: Click) -> dict[str, str]:
    return {
        "responseUrl": click.response_url if is_response_url(click.response_url) else "",
        "messageTs": click.message_ts,
    }


def _carry_out(run: Run, click: Click, record: Record) -> None:
    count("Decisions", outcome=record.status)
    logger.info("decided", extra={**facts(record), "user": click.user_id})
    if record.status == "expired":
        _post(click, whisper(status_text.sentence(record)))
    else:
        _post(click, as_replacement(processing(record, approving=click.approving)[-1]))
    try:
        dispatch.dispatch(run, record, retries="fail_fast")
    except (ClientError, BotoCoreError):
        count("DispatchesFailed")  # logged by the step; owed on the request, and paid by the sweep


def _tell(run: Run, click: Click, told: Told) -> None:
    count("ClicksRefused", reason=told.why)
    logger.warning(
        "click changed nothing",
        extra={"request_id": click.request_id, **facts(told.record), "user": click.user_id, "reason": told.why},
    )
    was_told = _post(click, whisper(told.text))
    # Where the first post failed there is no time for another: Slack waits three seconds for the answer to the click.
    if was_told and told.why == "late" and told.record is not None and told.record.status in _LATE_STATUSES:
        _refresh(run, click, told.record)


def _refresh(run: Run, click: Click, record: Record) -> None:
    """Bring the clicked message up to date.

    The result of an approved request may arrive while it is being shown as on its way. So that the message does not
    stay behind, the request is read once more, and shown again if it has moved on.
    """
    was_shown = _post(click, as_replacement(outcome_replacement(record)))
    if record.status != "approved" or not was_shown:
        return
    now = run.table.get(click.request_id)
    if now is not None and now.status != record.status:
        _post(click, as_replacement(outcome_replacement(now)))


def _post(click: Click, payload: Mapping[str, Any]) -> bool:
    """Post to the click's own address; a click without one, or with a strange one, is acted on all the same.

    Returns:
        Whether Slack took it.
    """
    if not is_response_url(click.response_url):
        if click.response_url:
            count("ClicksRefused", reason="response_url")
            logger.warning("strange response_url not used", extra={"request_id": click.request_id})
        return False
    try:
        with step("answer click", request_id=click.request_id):
            post_once(click.response_url, payload, seconds=_POST_SECONDS)
    except SlackError:
        count("SlackFailures", channel="response_url")
        return False
    return True
