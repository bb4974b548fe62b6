"""Posts the messages of a batch, and shows what became of its requests: once all results are in.

Results come one by one, each in an invocation of its own; the one that comes last shows them all. What did not come
within five minutes is shown as missing, and all of it once more when it is complete.

What does not belong here: when a message begins (the flows of this package), and what it looks like
(``shared.slack.batch_messages``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.topics import publish, topic_arn
from shared.domain.policy import Policy
from shared.policy.loading import written_policies
from shared.settings import SettingError
from shared.slack.batch_messages import batch_message
from shared.telemetry import count, logger
from shared.wire.messages import APPLY, DENY, ApplyBatchMessage, DenyMessage
from shared.wire.rule_json import time_to_text

from ..context import Context
from ..outbox import MESSAGE_TASKS, OVERDUE_AFTER, RESPONSE_URL_FOR, UnpostedError, next_try
from ..requests.record import ClickedMessage, Record, Task
from ..requests.update_expression import Update
from ..slack.webhook import SlackError, SlackRefusedError, SlackUnavailableError
from ..steps import step
from .batch import Batch
from .changes import NOTIFY, begin_tasks, has_left, leave_gathering
from .table import Batches
from .views import composed_as_asked, view_of_batch

_RESULTS_WITHIN: Final = timedelta(minutes=5)
_STUCK_AFTER: Final = timedelta(minutes=15)


def report_outcome(context: Context, record: Record) -> None:
    """Show the results of a batch, if this request's was the last one to come.

    Args:
        context: this invocation.
        record: a request that was decided with its batch.

    Raises:
        UnpostedError: when a setting or a dead webhook kept it from Slack; the sweep tries again.
    """
    batches = Batches(context.table)
    batch = batches.get(record.asked_in)
    if batch is None:
        context.outbox.post(record, NOTIFY)
        return
    records = batches.records(batch)
    if _waiting(batch, records):
        context.table.update(record.request.request_id, leave_gathering())
        return
    report(context, batch, records)


def report(context: Context, batch: Batch, records: Sequence[Record] | None = None) -> None:
    """Do what is still to be done about a decided batch: dispatch it, show its results.

    Raises:
        UnpostedError: when a setting or a dead webhook kept a message from Slack; the sweep tries again.
    """
    batches = Batches(context.table)
    records = batches.records(batch) if records is None else records
    if batch.outcome == "approved":
        waiting = _waiting(batch, records)
        if waiting:
            _dispatch_again(context, batch, records)
            if not _is_partly_due(context, batch):
                return
        elif batch.has("dispatch"):
            batches.complete(batch, "dispatch")
        if not waiting:
            batch = _shown_anew(context, batch, records)
    post_messages(context, batch, records, None)


def post_messages(context: Context, batch: Batch, records: Sequence[Record], policy: Policy | None) -> None:
    """Post the pending messages of a batch that nobody else is posting.

    Args:
        context: this invocation.
        batch: the batch.
        records: all its requests.
        policy: of its account, for a question.

    Raises:
        UnpostedError: when a setting or a dead webhook kept one from Slack; the sweep tries again.
    """
    batches = Batches(context.table)
    wanted = [task for task in MESSAGE_TASKS if batch.has(task) and context.outbox.takes(task)]
    leased = batches.lease(batch, wanted, context.clock()) if wanted else None
    problems, lasts = [], False
    for task in MESSAGE_TASKS if leased is not None else ():
        if leased is None or not leased.has(task):
            continue
        try:
            with step(f"post {task} of a batch", batch=batch.batch_id):
                _post(context, leased, records, task, policy)
        except (SlackError, SettingError) as error:
            count("SlackFailures", channel=MESSAGE_TASKS[task])
            is_about_message = isinstance(error, SlackRefusedError) and error.is_about_message
            since = dict(leased.tasks)[task]
            batches.release(leased, task, until=next_try(context.clock(), since) if is_about_message else None)
            problems.append(f"{task}: {error}")
            lasts = lasts or not isinstance(error, SlackUnavailableError)
        else:
            _complete(context, leased, records, task)
    if not problems:
        _leave(context, batch, records)
        return
    sentence = f"batch {batch.batch_id} has unposted messages: {'; '.join(problems)}"
    if lasts:
        raise UnpostedError(sentence)
    logger.error("left to the sweep", extra={"batch": batch.batch_id, "problem": sentence})


def dispatch(context: Context, batch: Batch, records: Sequence[Record], *, fail_fast: bool = False) -> None:
    """Publish the decision of a batch.

    Raises:
        botocore.exceptions.ClientError: when SNS refuses; the sweep tries again.
        botocore.exceptions.BotoCoreError: when SNS cannot be reached.
    """
    with step("dispatch decision of a batch", batch=batch.batch_id):
        if batch.outcome != "approved" or batch.decision is None:
            arn = topic_arn(DENY, account=context.account, region=context.region)
            ending = DenyMessage(request_id=batch.batch_id, digest=batch.digest)
            retries: Any = "fail_fast" if fail_fast else "standard"
            publish(arn, ending, subject="Security group changes denied", retries=retries)
            return
        calls = composed_as_asked(batch, records).calls
        approval = ApplyBatchMessage(
            batch_id=batch.batch_id,
            digest=batch.digest,
            requests=tuple((one.request.request_id, one.request.digest) for one in calls),
            approvals=batch.approvals,
            approved_at=batch.decision.at,
            valid_until=batch.valid_until,
        )
        arn = topic_arn(APPLY, account=batch.account, region=batch.region)
        retries = "fail_fast" if fail_fast else "standard"
        publish(arn, approval, subject="Security group changes approved", retries=retries)


def try_to_dispatch(context: Context, batch: Batch, records: Sequence[Record]) -> None:
    """Publish the decision of a batch within a click; where that fails, the sweep does it."""
    try:
        dispatch(context, batch, records, fail_fast=True)
    except (ClientError, BotoCoreError):
        count("DispatchesFailed")  # logged by the step; the task stays pending


def _post(context: Context, batch: Batch, records: Sequence[Record], task: Task, policy: Policy | None) -> None:
    if task == "ask":
        policy = policy or written_policies().for_account(batch.account)
        context.outbox.show(task, batch_message(view_of_batch(batch, records, policy), asks=True))
        return
    clicked = None
    if task == "notify" and batch.decision is not None:
        is_fresh = context.clock() - batch.decision.at < RESPONSE_URL_FOR
        clicked = ClickedMessage(response_url=batch.clicked.response_url if is_fresh else "", ts=batch.clicked.ts)
    context.outbox.show(task, batch_message(view_of_batch(batch, records, None)), clicked=clicked)


def _complete(context: Context, batch: Batch, records: Sequence[Record], task: Task) -> None:
    batches = Batches(context.table)
    if task not in NOTIFY or not _waiting(batch, records):
        values = {"shown": results_text(batch, records)} if task in NOTIFY else {}
        if task == "notify":
            values["responseUrl"] = ""  # used up, and a secret
        batches.complete(batch, task, values=values)
        return
    # Shown in part: the message stays a task until all results are in.
    batches.release(batch, task)
    update = Update()
    update.set("partlyShownAt", time_to_text(context.clock()))
    batches.update_alone(batch, update)


def _leave(context: Context, batch: Batch, records: Sequence[Record]) -> None:
    """Let the requests through which a batch was found go, once all its messages are posted."""
    own = [one for one in records if one.status != "ended"]  # what ended since has messages of its own
    left = [one for one in own if not has_left(one) and (one.asked_in or one.has("gather"))]
    if not left:
        return
    now = Batches(context.table).get(batch.batch_id)
    if now is None or any(task in MESSAGE_TASKS for task, _ in now.tasks):
        return
    for one in left:
        context.table.update(one.request.request_id, leave_gathering())


def _shown_anew(context: Context, batch: Batch, records: Sequence[Record]) -> Batch:
    """Begin the result's messages again where a result has changed since: a redriven message succeeded after all."""
    if any(batch.has(task) for task in NOTIFY) or batch.shown == results_text(batch, records):
        return batch
    update = Update()
    begin_tasks(update, NOTIFY, context.clock())
    update.require_equal("shown", batch.shown)
    return Batches(context.table).update_alone(batch, update) or batch


def _dispatch_again(context: Context, batch: Batch, records: Sequence[Record]) -> None:
    """Dispatch an approval for which results are missing; the pauses between tries grow."""
    batches, now = Batches(context.table), context.now
    since = dict(batch.tasks).get("dispatch")
    if since is None or now - since < OVERDUE_AFTER:
        return
    leased = batches.lease(batch, ("dispatch",), now)
    if leased is None:
        return
    if now - since >= _STUCK_AFTER:
        count("ApprovalsStuck")
        logger.warning("approved, but no outcome came", extra={"batch": batch.batch_id, "since": since.isoformat()})
    try:
        dispatch(context, batch, records)
    except (ClientError, BotoCoreError):
        batches.release(leased, "dispatch")
        raise
    batches.release(leased, "dispatch", until=next_try(now, since))


def _waiting(batch: Batch, records: Sequence[Record]) -> list[Record]:
    """Return the requests of an approved batch whose result has not come."""
    asked = set(batch.asked)
    return [one for one in records if one.request.request_id in asked and one.status == "approved"]


def _is_partly_due(context: Context, batch: Batch) -> bool:
    decided_at = batch.decision.at if batch.decision is not None else context.now
    return batch.partly_shown_at is None and decided_at + _RESULTS_WITHIN <= context.now


def results_text(batch: Batch, records: Sequence[Record]) -> str:
    """Return a text that is equal as long as no result has changed."""
    asked = set(batch.asked)
    found = (one.status for one in records if one.request.request_id in asked)
    statuses = sorted("applied" if one == "ended" else one for one in found)
    return ", ".join(f"{statuses.count(one)} {one}" for one in dict.fromkeys(statuses))
