"""A denial and its reason: asked for in a modal, offered without one where the modal cannot be opened.

The modal is opened before anything is read, since Slack takes the click's ``trigger_id`` for three seconds. It decides
nothing: its submission is judged like a click.

What does not belong here: deciding (``decision``, ``batches.deciding``), and what the modal looks like
(``shared.slack.denial_modal``).
"""

from __future__ import annotations

from typing import Final

from shared.domain.policy import Policies, Policy
from shared.policy.loading import written_policies
from shared.settings import SettingError
from shared.slack.denial_modal import LONGEST_REASON, denial_modal, denial_not_offered, denial_offer, metadata_of
from shared.telemetry import count, logger

from .secrets import renewed
from .slack.answering import Answering
from .slack.click_payload import Click
from .slack.web_api import BOT_TOKEN, has_token, open_modal
from .slack.webhook import SlackError, SlackRefusedError, is_response_url
from .steps import step

_OPEN_SECONDS: Final = 1.2


def asks_for_reason(click: Click) -> bool:
    """Say whether a click is answered with the modal: a first click on Deny, where there is a bot token."""
    is_first = not (click.approving or click.one_by_one or click.withdrawing or click.is_submission or click.is_offer)
    return is_first and has_token()


def ask_for_reason(answering: Answering) -> None:
    """Open the modal for somebody who has clicked Deny; where that fails, offer a denial without a reason."""
    click, policies = answering.click, written_policies()
    metadata = metadata_of(
        {"requestId": click.request_id, "digest": click.digest},
        channel=click.channel_id,
        ts=click.message_ts,
        response_url=click.response_url if is_response_url(click.response_url) else "",
    )
    view = denial_modal(metadata, is_of_batch=click.is_of_batch, is_required=_is_always_required(policies))
    try:
        with step("open modal", request_id=click.request_id, user=click.user_id):
            open_modal(click.trigger_id, view, seconds=_OPEN_SECONDS)
    except (SlackError, SettingError) as error:
        count("SlackFailures", channel="modal")
        is_required = _is_always_required(policies)
        answering.post(denial_not_offered() if is_required else denial_offer(metadata, is_of_batch=click.is_of_batch))
        if isinstance(error, SlackRefusedError) and not error.is_about_message:
            renewed(BOT_TOKEN)  # the next click may find one that works


def missing_reason(policy: Policy, click: Click) -> str:
    """Return why a denial does not count as it stands; empty when it does, or when the click is none.

    Args:
        policy: of the request's account.
        click: the click, or the submission of the modal.
    """
    if len(click.reason) > LONGEST_REASON:
        return f"The reason is too long: it may have at most {LONGEST_REASON} characters."
    if click.approving or click.one_by_one or click.reason or not policy.require_denial_reason or not has_token():
        return ""
    if click.is_submission:
        return "Please give a reason: the policy requires one for every denial."
    return (
        "Your click changed nothing: a denial needs a reason, and the dialog for it could not be opened. "
        "Please click Deny on the question again."
    )


def report_ignored_requirement(policy: Policy, request_id: str) -> None:
    """Report a denial that the policy wants a reason for, where nobody can be asked for one."""
    if policy.require_denial_reason and not has_token():
        count("DenialReasonsIgnored")
        problem = f"require_denial_reason is ignored, because only a modal can ask for a reason: set {BOT_TOKEN}"
        logger.warning("denied without a reason", extra={"request_id": request_id, "problem": problem})


def _is_always_required(policies: Policies) -> bool:
    """Say whether every account needs a reason: which one it is stands in the table, which has not been read."""
    return all(one.require_denial_reason for one in (policies.general, *(policy for _, policy in policies.accounts)))
