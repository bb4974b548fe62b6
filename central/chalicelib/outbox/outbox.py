"""Pays what is owed to the channels: questions, announcements and outcomes, always from the stored request.

A debt is settled after Slack has accepted every part of the message. What happens in between (the function dies, the
answer is lost) can only lead to the same message once more, never to none.

What does not belong here: who claims a debt and when (the triggers' flows, the sweep).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.domain.record import Debt, Record
from shared.policy.loading import PolicyFileError, written_policies
from shared.settings import SettingError, optional
from shared.slack.messages import announcement, as_replacement, outcome, outcome_replacement, question
from shared.telemetry import count, logger
from shared.wire.rule_json import time_to_text

from ..context import Run, step
from ..requests.table import Claim
from ..slack.webhook import SlackError, SlackRefusedError, SlackUnavailableError, post
from .channels import Channel

CHANNELS: Final[Mapping[Debt, Channel]] = {
    "question": "approval",
    "question_monitoring": "monitoring",
    "result": "approval",
    "result_monitoring": "monitoring",
}
"""Where each of the debts that Slack messages pay is paid, in the order in which they are."""

RESULTS: Final[tuple[Debt, ...]] = ("result", "result_monitoring")

OVERDUE_AFTER: Final = timedelta(minutes=5)
"""When a debt is not any more in the hands of whoever made it and its retries, and the sweep pays it."""

_LONGEST_SPACING: Final = timedelta(hours=6)

_RESPONSE_URL_FOR: Final = timedelta(minutes=29)
"""How long a ``response_url`` is used; Slack takes it for 30 minutes and five messages, of which we send two.
https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses"""

_RESPONSE_URL_SECONDS: Final = 5.0


class UnpaidError(RuntimeError):
    """Something is wrong that time alone does not heal: a setting, a dead webhook, a message Slack refuses.

    The debt stays on the request, and the sweep tries again.
    """


def pay(run: Run, claim: Claim) -> None:
    """Pay the claimed debts; what Slack cannot take for now stays owed, and the sweep pays it.

    Raises:
        UnpaidError: when some could not be paid for another reason than an outage of Slack; the others were.
    """
    problems = []
    lasting = False
    for debt in CHANNELS:
        if debt not in claim.debts or not claim.record.owes(debt):  # a retry may find some of its own work done
            continue
        try:
            with step(f"post {debt}", claim.record):
                _post(run, claim.record, debt)
        except (SlackError, SettingError) as error:
            count("SlackFailures", channel=CHANNELS[debt])
            run.table.release(claim.record, debt, until=_not_before(run.now, claim.record, debt, error))
            problems.append(f"{debt} (channel {_name(CHANNELS[debt])}): {error}")
            lasting = lasting or not isinstance(error, SlackUnavailableError)
        else:
            run.table.settle(claim.record, debt, values=_values(run.now, claim.record, debt))
    if not problems:
        return
    sentence = f"request {claim.record.request.request_id} still owes {'; '.join(problems)}"
    if lasting:
        raise UnpaidError(sentence)
    logger.error("left to the sweep", extra={"request_id": claim.record.request.request_id, "problem": sentence})


def spaced(now: datetime, since: datetime) -> datetime:
    """Return when to try again what has been tried since then: ever more rarely, at last every six hours."""
    return now + min(max(now - since, OVERDUE_AFTER), _LONGEST_SPACING)


def _post(run: Run, record: Record, debt: Debt) -> None:
    match debt:
        case "question" if record.status == "pending":
            run.channels.post("approval", question(record, reminder=record.reminded_at is not None))
        case "question" | "question_monitoring":
            run.channels.post(CHANNELS[debt], announcement(record))
        case "result":
            _post_result(run, record)
        case _:
            run.channels.post(CHANNELS[debt], outcome(record))


def _post_result(run: Run, record: Record) -> None:
    """Show the outcome over the question, else in its thread, else as a message of its own."""
    clicked_at = record.decided_at or record.history[-1].at
    if record.response_url and run.now - clicked_at < _RESPONSE_URL_FOR:
        try:
            with step("replace question", record):
                post(
                    record.response_url,
                    as_replacement(outcome_replacement(record)),
                    until=run.channels.until(_RESPONSE_URL_SECONDS),
                )
                return
        except SlackError:
            count("SlackFailures", channel="response_url")
    run.channels.post("approval", outcome(record), thread_ts=record.message_ts)


def _name(channel: Channel) -> str:
    """Return how operators call a channel."""
    return (channel == "approval" and optional("slackChannel")) or channel


def _not_before(now: datetime, record: Record, debt: Debt, error: Exception) -> datetime | None:
    """Return until when a debt is left alone: a message that Slack refuses as such, ever longer; others not at all."""
    if isinstance(error, SlackRefusedError) and error.is_about_message:
        return spaced(now, dict(record.owed)[debt])
    return None


def _values(now: datetime, record: Record, debt: Debt) -> dict[str, str]:
    """Return what else is written when a debt is settled."""
    if debt == "result":
        return {"responseUrl": ""}  # spent, and a secret
    if debt == "question" and record.status == "pending" and now - dict(record.owed)[debt] >= OVERDUE_AFTER:
        # A question that comes as late as its reminder would be the reminder itself.
        try:
            policy = written_policies().for_account(record.request.account)
        except PolicyFileError:  # the sweep says so; what Slack has shown is paid all the same
            return {}
        if now - record.requested_at >= policy.reminds_after:
            return {"remindedAt": time_to_text(now)}
    return {}
