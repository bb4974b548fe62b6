"""Leases pending tasks, and does those that are Slack messages, always from the stored request.

What does not belong here: when a task begins (the flows), and sending decisions to members (``dispatch``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.policy.loading import written_policies
from shared.settings import SettingError, optional
from shared.slack.messages import as_replacement, outcome, outcome_replacement, question
from shared.slack.thread_lines import thread_line, thread_reminder
from shared.telemetry import count, logger
from shared.wire.rule_json import time_to_text

from ..requests.items import LEASED_FOR, entry_to_item, lease_to_item, leased_by, record_from_item
from ..requests.record import ClickedMessage, HistoryEntry, Record, Task
from ..requests.table import RequestsTable
from ..requests.update_expression import Refused, Update
from ..slack.web_api import PostedMessage
from ..slack.webhook import SlackError, SlackRefusedError, SlackUnavailableError, post
from ..steps import step
from ..views import view_of
from .bot import Channel
from .channels import Channels

MESSAGE_TASKS: Final[Mapping[Task, Channel]] = {
    "ask": "approval",
    "announce": "monitoring",
    "notify": "approval",
    "notifyMonitoring": "monitoring",
}
"""The tasks that are Slack messages and their channels, in the order in which they are done."""

NOTIFY: Final[tuple[Task, ...]] = ("notify", "notifyMonitoring")

OVERDUE_AFTER: Final = timedelta(minutes=5)
"""After this time neither the function that began a task nor its retries will do it, and the sweep does."""

_LONGEST_PAUSE: Final = timedelta(hours=6)

RESPONSE_URL_FOR: Final = timedelta(minutes=29)
"""How long a ``response_url`` is used; Slack takes it for 30 minutes and five messages, of which we send two.
https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses"""

_RESPONSE_URL_SECONDS: Final = 5.0


class UnpostedError(RuntimeError):
    """A message could not be posted because of a setting, a dead webhook, or because Slack refuses the message.

    Time alone does not repair that. The task stays pending, and the sweep tries again.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Tasks that this invocation may do now.

    Attributes:
        record: the request as stored.
        tasks: empty when none is pending, or others have leased them.
    """

    record: Record
    tasks: frozenset[Task]


class Outbox:
    """The pending tasks of stored requests, as one invocation does them."""

    def __init__(self, table: RequestsTable, channels: Channels, *, clock: Callable[[], datetime]) -> None:
        """Take the requests, the Slack channels, and what returns the time, UTC."""
        self._table = table
        self._channels = channels
        self._clock = clock

    def takes(self, task: Task) -> bool:
        """True unless the task is a message to a channel that has failed in this invocation."""
        return task not in MESSAGE_TASKS or self._channels.problem(MESSAGE_TASKS[task]) is None

    def post(self, record: Record, tasks: Iterable[Task]) -> None:
        """Post the messages of tasks that this invocation has leased; when Slack is down, the sweep posts them later.

        Raises:
            UnpostedError: when some could not be posted for another reason than an outage of Slack; the others were.
        """
        wanted, problems, lasts = frozenset(tasks), [], False
        for task, channel in MESSAGE_TASKS.items():
            if task not in wanted or not record.has(task):  # a retry may find some of its own work done
                continue
            try:
                with step(f"post {task}", record):
                    posted = self._post(record, task)
            except (SlackError, SettingError) as error:
                count("SlackFailures", channel=channel)
                self.release(record, task, until=self._not_before(record, task, error))
                problems.append(f"{task} (channel {_name(channel)}): {error}")
                lasts = lasts or not isinstance(error, SlackUnavailableError)
            else:
                self.complete(record, task, values={**self._values(record, task), **posted})
        if not problems:
            return
        sentence = f"request {record.request.request_id} has unposted messages: {'; '.join(problems)}"
        if lasts:
            raise UnpostedError(sentence)
        logger.error("left to the sweep", extra={"request_id": record.request.request_id, "problem": sentence})

    def show(self, task: Task, payloads: Sequence[Mapping[str, Any]], *, clicked: ClickedMessage | None = None) -> None:
        """Post a message that is not about one request, to the channel of a task.

        Args:
            task: which.
            payloads: the parts.
            clicked: the message that the last part replaces where Slack still lets it; else it goes in its thread.

        Raises:
            SlackError: when Slack did not accept it.
            SettingError: when the channel's address is missing or malformed.
        """
        if clicked is not None and clicked.response_url and self._replaces(clicked, payloads[-1]):
            return
        self._channels.post(MESSAGE_TASKS[task], payloads, thread_ts=clicked.ts if clicked is not None else "")

    def _replaces(self, clicked: ClickedMessage, payload: Mapping[str, Any]) -> bool:
        try:
            with step("replace question"):
                until = self._channels.until(_RESPONSE_URL_SECONDS)
                post(clicked.response_url, as_replacement(dict(payload)), until=until)
        except SlackError:
            count("SlackFailures", channel="response_url")
            return False
        return True

    def resume(self, request_id: str, tasks: Iterable[Task], *, digest: str = "") -> Lease | None:
        """Lease those tasks that are pending and free, and post their messages.

        Args:
            request_id: which request.
            tasks: which tasks, at least one.
            digest: nothing is done when the request has another digest; any will do when empty.

        Returns:
            What was leased; ``None`` when there is no such request.

        Raises:
            UnpostedError: as :meth:`post`.
        """
        leased = self.lease(request_id, tasks, digest=digest)
        if leased is not None:
            self.post(leased.record, leased.tasks)
        return leased

    def begin(self, record: Record, tasks: Iterable[Task], *, by: str, note: str, update: Update) -> bool:
        """Begin tasks of a stored request, and post their messages.

        Args:
            record: the request; it has to have this status still.
            tasks: which tasks.
            by: who, for the history.
            note: why, for the history.
            update: what else to write and to require.

        Returns:
            Whether they began: everything required held.

        Raises:
            UnpostedError: as :meth:`post`.
        """
        tasks, status, now = tuple(tasks), record.status, self._clock()
        for task in tasks:
            update.set(f"tasks.{task}", time_to_text(now))
            update.set(f"leases.{task}", lease_to_item(self._table.invocation, now + LEASED_FOR))
        entry = HistoryEntry(at=now, status=status, previous=status, by=by, note=note)
        update.append("history", [entry_to_item(entry)])
        update.require_equal("status", status)
        answer = self._table.update(record.request.request_id, update)
        if isinstance(answer, Refused):
            return False
        self.post(record_from_item(answer), tasks)
        return True

    def lease(self, request_id: str, tasks: Iterable[Task], *, digest: str = "") -> Lease | None:
        """Lease those of the tasks that are pending and that nobody else has leased; ``None`` when there is no request.

        Args:
            request_id: which request.
            tasks: which tasks, at least one.
            digest: nothing is leased when the request has another digest; any will do when empty.
        """
        wanted, now, invocation = frozenset(tasks), self._clock(), self._table.invocation
        while True:
            update = Update()
            if digest:
                update.require_equal("digest", digest)
            for task in sorted(wanted):
                update.set(f"leases.{task}", lease_to_item(invocation, now + LEASED_FOR))
                free = (
                    f"attribute_not_exists({update.name(f'leases.{task}')})",
                    f"{update.name(f'leases.{task}.until')} <= {update.value(time_to_text(now))}",
                    f"{update.name(f'leases.{task}.by')} = {update.value(invocation)}",
                )
                update.require(f"attribute_exists({update.name(f'tasks.{task}')})")
                update.require(f"({' OR '.join(free)})")
            answer = self._table.update(request_id, update)
            if not isinstance(answer, Refused):
                return Lease(record=record_from_item(answer), tasks=wanted)
            if not answer.item:
                return None
            record = record_from_item(answer.item)
            own = {task for task in leased_by(answer.item, invocation) if record.has(task)}
            left = wanted & {*record.due(now), *own}
            # Others only complete tasks between two tries, so this ends.
            if not left or left == wanted or digest not in ("", record.request.digest):
                return Lease(record=record, tasks=frozenset())
            wanted = left

    def complete(self, record: Record, task: Task, *, values: Mapping[str, str] | None = None) -> bool:
        """Write that a task is done.

        Args:
            record: the request as it was when the task was done.
            task: which one.
            values: attributes to write with it; an empty text removes the attribute.

        Returns:
            Whether the task still was the one that was done: a later move may have ended it, or begun it anew.
        """
        update = Update()
        update.remove(f"tasks.{task}")
        update.remove(f"leases.{task}")
        for key, value in (values or {}).items():
            update.set(key, value) if value else update.remove(key)
        update.require_equal(f"tasks.{task}", time_to_text(dict(record.tasks)[task]))
        return not isinstance(self._table.update(record.request.request_id, update), Refused)

    def release(
        self, record: Record, task: Task, *, until: datetime | None = None, entry: HistoryEntry | None = None
    ) -> None:
        """End the lease of a task that is not done.

        Args:
            record: the request.
            task: which one.
            until: nobody tries it before; at once by anybody when ``None``.
            entry: a line for the history.
        """
        update = Update()
        if until is None:
            update.remove(f"leases.{task}")
        else:
            update.set(f"leases.{task}", lease_to_item("", until))
        if entry is not None:
            update.append("history", [entry_to_item(entry)])
        update.require_equal(f"leases.{task}.by", self._table.invocation)
        self._table.update(record.request.request_id, update)

    def retire(self, record: Record) -> None:
        """Take the buttons from a request's own question, where the bot has posted it: another one replaces it."""
        try:
            self._channels.replace(record.approval_post, outcome_replacement(record.view))
        except SlackError:
            count("SlackFailures", channel="approval")

    def _post(self, record: Record, task: Task) -> dict[str, str]:
        """Post the message of a task; return where it stands now, as attributes of the request."""
        view, channel = view_of(record), MESSAGE_TASKS[task]
        if task == "ask":
            payloads = question(view, reminder=record.reminded_at is not None)
            if self._channels.replace(record.approval_post, payloads[-1]):
                self._add_to_thread(record, thread_reminder(payloads[-1], view.terms))
                return {}
            return {"approvalPost": self._channels.post(channel, payloads)}
        if task == "notify":
            self._post_outcome(record)
            return {}
        if self._channels.replace(record.monitoring_post, outcome_replacement(view)):
            return {}
        return {"monitoringPost": self._channels.post(channel, outcome(view))}

    def _add_to_thread(self, record: Record, payload: Mapping[str, Any]) -> None:
        """Reply to a request's question; the question itself says all of it, so a failure holds up nothing."""
        message = PostedMessage.at(record.approval_post)
        try:
            self._channels.post("approval", [payload], thread_ts=message.ts if message is not None else "")
        except (SlackError, SettingError):
            count("SlackFailures", channel="thread")

    def _post_outcome(self, record: Record) -> None:
        """Show the outcome over the question, else in its thread, else as a message of its own.

        The end of a change that was approved for a time comes long after; few would see it in a thread.
        """
        payload = outcome_replacement(record.view)
        if self._channels.replace(record.approval_post, payload):
            self._add_to_thread(record, thread_line(payload))
            return
        clicked_at = record.decision.at if record.decision else record.history[-1].at
        if record.clicked.response_url and self._clock() - clicked_at < RESPONSE_URL_FOR:
            try:
                with step("replace question", record):
                    post(
                        record.clicked.response_url,
                        as_replacement(payload),
                        until=self._channels.until(_RESPONSE_URL_SECONDS),
                    )
                    return
            except SlackError:
                count("SlackFailures", channel="response_url")
        thread_ts = "" if record.status == "ended" else record.clicked.ts
        self._channels.post("approval", outcome(record.view), thread_ts=thread_ts)

    def _not_before(self, record: Record, task: Task, error: Exception) -> datetime | None:
        """Return when to try again: a message that Slack refuses as such, at growing intervals; others at any time."""
        if isinstance(error, SlackRefusedError) and error.is_about_message:
            return next_try(self._clock(), dict(record.tasks)[task])
        return None

    def _values(self, record: Record, task: Task) -> dict[str, str]:
        """Return what else is written when a task is completed."""
        if task == "notify":
            return {"responseUrl": ""}  # used up, and a secret
        now = self._clock()
        if task == "ask" and record.status == "pending" and now - dict(record.tasks)[task] >= OVERDUE_AFTER:
            # A question that comes as late as its reminder is the reminder.
            policy = written_policies().for_account(record.request.account)
            if not policy.problem and now - record.requested_at >= policy.reminds_after:
                return {"remindedAt": time_to_text(now)}
        return {}


def next_try(now: datetime, since: datetime) -> datetime:
    """Return when to try again what has been tried since then: after growing pauses, at most six hours."""
    return now + min(max(now - since, OVERDUE_AFTER), _LONGEST_PAUSE)


def _name(channel: Channel) -> str:
    """Return the name that operators know a channel by."""
    return (channel == "approval" and optional("slackChannel")) or channel
