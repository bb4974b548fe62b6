"""Turns the timeline's steps into what people read: a line for each step, and the changes that the lines belong to.

The terminal, the demo and the page all show what this module makes of a step. A change begins with somebody's API call
(or with what the snapshot found) and has the id of its request. Its exposure is the time from the moment the call took
effect to the moment the product's own call reverted it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sandbox.aws.resources import REQUESTS_TABLE, is_of_request
from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    DeadLettered,
    Entry,
    FaultStruck,
    InvocationEnded,
    InvocationStarted,
    ItemWritten,
    MessagePublished,
    SlackClicked,
    SlackPosted,
    SlackRefused,
    Step,
)

Part = Literal["api", "cloudtrail", "lambda", "sns", "dynamodb", "slack", "fault"]
Level = Literal["main", "detail", "bad"]

#: Every message about a request ends with this.
_REQUEST = re.compile(r"Request (\S+)\.$")
_PART_OF_REQUEST = re.compile(r"-\d+of\d+$")
#: Calls that only read.
_READING = ("Describe", "Get", "List", "Query", "Scan", "BatchGet")
#: Services whose calls have a step of their own for their effect.
_SHOWN_BY_EFFECT = ("sns", "dynamodb")
_CHANGING = ("Authorize", "Revoke", "Modify", "Update")
_VERBS = {
    "Authorize": "adds rules",
    "Revoke": "removes rules",
    "Modify": "edits rules",
    "Update": "edits descriptions",
    "Create": "makes a group",
    "Delete": "deletes a group",
}
_FATES = {
    "delivered": "delivered by EventBridge",
    "matched nothing": "matches no rule of EventBridge",
    "lost": "lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A step in words."""

    part: Part
    who: str
    what: str
    level: Level = "main"
    """``detail`` for what most readers do not need."""
    subject: str = ""
    """The security group of a call, where the change that the line belongs to already shows it."""
    duration_ms: float | None = None
    about: str = ""
    """Request id of the line's change; empty when it belongs to none."""


@dataclass(slots=True, kw_only=True)
class Change:
    """A change as it is now; times in milliseconds since the timeline began."""

    about: str
    ms: float
    who: str
    what: str
    action: str = ""
    group: str = ""
    account: str
    region: str
    state: str = "in force"
    """``in force`` until something happens, ``reverted``, ``allowed``, ``refused``, ``unseen``, or the request's."""
    error: str = ""
    counts: bool = False
    """Whether the call changed rules, so that it has an exposure."""
    reverted_ms: float | None = None

    @property
    def exposed_ms(self) -> float | None:
        """How long it was in force before it was reverted; ``None`` when it was not (yet)."""
        return None if self.reverted_ms is None else max(0.0, self.reverted_ms - self.ms)

    def shown(self) -> dict[str, Any]:
        """Return it for the page."""
        return {**asdict(self), "exposedMs": self.exposed_ms}


class Narrator:
    """Reads entries in order, and keeps the changes."""

    def __init__(self) -> None:
        self.changes: dict[str, Change] = {}
        """By request id."""
        self._messages: dict[str, str] = {}
        self._running: dict[str, str] = {}
        self._statuses: dict[str, str] = {}

    def read(self, entry: Entry) -> Line:
        """Read one more entry; return its line."""
        step = entry.step
        about = self._about(step)
        if isinstance(step, InvocationStarted):
            self._running[step.invocation_id] = about
        if isinstance(step, InvocationEnded):
            self._running.pop(step.invocation_id, None)
        if about:
            self._update(entry, about)
        line = replace(_LINES[type(step)](step), about=about)
        if isinstance(step, ItemWritten):
            if self._statuses.get(step.key) == step.status:  # a write that changes no status
                line = replace(line, level="detail")
            self._statuses[step.key] = step.status
        return line

    def _about(self, step: Step) -> str:
        if isinstance(step, SlackPosted):
            found = _REQUEST.search(step.text)
            if found is None or step.how == "ephemeral":
                return self._messages.get(step.answers, "")
            self._messages[step.ts] = _PART_OF_REQUEST.sub("", found[1])
            return self._messages[step.ts]
        if isinstance(step, SlackClicked | ClickAnswered):
            return self._messages.get(step.ts, "")
        about = step.about
        if not about and isinstance(step, ApiCalled):
            return self._unseen(step)
        if not about and isinstance(step, SlackRefused | FaultStruck):
            # Slack does not know whose request it refuses; the newest run that is about a change is the best guess.
            about = next((running for running in reversed(self._running.values()) if running), "")
        return _PART_OF_REQUEST.sub("", about)

    def _unseen(self, call: ApiCalled) -> str:
        """Find the change whose event was lost, when the snapshot reverts it."""
        if not (call.function and call.action.startswith(_CHANGING)) or call.error:
            return ""
        unseen = (change for change in self.changes.values() if change.state == "unseen")
        return next((change.about for change in unseen if change.group == call.summary), "")

    def _update(self, entry: Entry, about: str) -> None:
        step = entry.step
        change = self.changes.get(about)
        if change is None:
            self.changes[about] = change = _new_change(entry, about)
        if isinstance(step, ApiCalled):
            reverts = step.function and step.action.startswith(_CHANGING) and not step.error
            if reverts and change.reverted_ms is None and change.state in ("in force", "unseen"):
                change.reverted_ms = entry.ms
                change.state = "reverted"
        elif isinstance(step, CloudTrailSent) and step.fate == "lost" and step.request_id == about:
            change.state = "unseen"
        elif isinstance(step, ItemWritten) and step.table == REQUESTS_TABLE and step.status:
            change.state = step.status
        elif isinstance(step, InvocationEnded) and not step.error and change.state == "in force":
            change.state = "allowed"


def _new_change(entry: Entry, about: str) -> Change:
    step = entry.step
    if isinstance(step, ApiCalled) and not step.function:
        return Change(
            about=about,
            ms=entry.ms,
            who=_short_name(step.caller),
            what=next((words for prefix, words in _VERBS.items() if step.action.startswith(prefix)), step.action),
            action=step.action,
            group=step.summary,
            account=step.account,
            region=step.region,
            state="refused" if step.error else "in force",
            error=step.error,
            counts=not step.error and step.action.startswith(_CHANGING),
        )
    return Change(
        about=about,
        ms=entry.ms,
        who="The snapshot",
        what="finds a difference",
        account=getattr(step, "account", ""),
        region=getattr(step, "region", ""),
    )


def _short_name(arn: str) -> str:
    """Return the last part of an ARN, e.g. ``alice`` or ``ada@example.com``."""
    return arn.rpartition("/")[2] or arn.rpartition(":")[2]


# -- a line for each kind of step ------------------------------------------------------------------------------------


def _api_called(step: ApiCalled) -> Line:
    is_minor = step.action.startswith(_READING) or step.service in _SHOWN_BY_EFFECT
    is_of_change = step.service == "ec2" and bool(step.about)
    summary = "" if is_of_change else step.summary.rpartition(":")[2]
    error = f" → {step.error}" if step.error else ""
    return Line(
        part="api",
        who=step.function or _short_name(step.caller),
        what=f"{step.service}:{step.action} {summary}".rstrip() + error,
        subject=step.summary if is_of_change else "",
        level="bad" if step.error else "detail" if is_minor else "main",
        duration_ms=step.duration_ms,
    )


def _cloudtrail_sent(step: CloudTrailSent) -> Line:
    what = f"event {step.action}, {_FATES[step.fate]}"
    return Line(part="cloudtrail", who="CloudTrail", what=what, level="bad" if step.fate == "lost" else "main")


def _invocation_started(step: InvocationStarted) -> Line:
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    return Line(part="lambda", who=step.function, what=f"starts ({step.trigger}{again})")


def _invocation_ended(step: InvocationEnded) -> Line:
    what = f"fails: {step.error}" if step.error else "is done"
    level: Level = "bad" if step.error else "detail"
    return Line(part="lambda", who=step.function, what=what, level=level, duration_ms=step.duration_ms)


def _dead_lettered(step: DeadLettered) -> Line:
    return Line(part="lambda", who=step.function, what=f"is out of retries: {step.error}", level="bad")


def _message_published(step: MessagePublished) -> Line:
    often = "" if step.deliveries == 1 else f", delivered {step.deliveries} times"
    topic = step.topic.rpartition(":")[2]
    return Line(part="sns", who="SNS", what=f"message on {topic} ({step.size_bytes:,} bytes{often})")


def _item_written(step: ItemWritten) -> Line:
    if step.table == REQUESTS_TABLE and step.status and is_of_request(step.key):
        return Line(part="dynamodb", who="DynamoDB", what=f"request {step.key[:8]}… is {step.status}")
    return Line(part="dynamodb", who="DynamoDB", what=f"{step.table} {step.key}", level="detail")


def _slack_posted(step: SlackPosted) -> Line:
    if step.how == "ephemeral":
        return Line(part="slack", who="Slack", what=f"message in #{step.channel}, visible to {step.user} only")
    return Line(part="slack", who="Slack", what=f"message {step.how} in #{step.channel}")


def _slack_refused(step: SlackRefused) -> Line:
    where = step.channel if step.channel == "response_url" else f"#{step.channel}"
    return Line(part="slack", who="Slack", what=f"{where} answers {step.status}: {step.reason}", level="bad")


def _slack_clicked(step: SlackClicked) -> Line:
    return Line(part="slack", who=step.user, what=f"clicks “{step.button}”")


def _click_answered(step: ClickAnswered) -> Line:
    return Line(
        part="lambda",
        who="buttonClick",
        what=f"answers Slack with {step.status}" if step.status else "does not answer Slack",
        level="main" if step.status == 200 else "bad",
        duration_ms=step.duration_ms,
    )


def _fault_struck(step: FaultStruck) -> Line:
    return Line(part="fault", who="Fault", what=f"{step.fault}: {step.detail}", level="bad")


_LINES: Mapping[type[Step], Callable[[Any], Line]] = {
    ApiCalled: _api_called,
    CloudTrailSent: _cloudtrail_sent,
    InvocationStarted: _invocation_started,
    InvocationEnded: _invocation_ended,
    DeadLettered: _dead_lettered,
    MessagePublished: _message_published,
    ItemWritten: _item_written,
    SlackPosted: _slack_posted,
    SlackRefused: _slack_refused,
    SlackClicked: _slack_clicked,
    ClickAnswered: _click_answered,
    FaultStruck: _fault_struck,
}
