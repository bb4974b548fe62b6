"""Says what each entry of the timeline means: which part of the system, who, what, and how much a reader needs it.

``narration.py`` tells the same for the terminal in fewer lines; here everything is told, and the page hides details.
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import Literal

from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    DeadLettered,
    FaultStruck,
    InvocationEnded,
    InvocationStarted,
    ItemWritten,
    MessagePublished,
    SlackClicked,
    SlackPosted,
    SlackRefused,
    StoryTold,
)

Part = Literal["api", "cloudtrail", "lambda", "sns", "dynamodb", "slack", "fault", "note"]
Level = Literal["main", "detail", "bad"]

#: Calls that only look.
_READING = ("Describe", "Get", "List", "Query", "Scan", "BatchGet")
#: Calls whose effect has an entry of its own.
_TOLD_ELSEWHERE = ("sns", "dynamodb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry in words."""

    part: Part
    who: str
    what: str
    level: Level = "main"
    duration_ms: float | None = None


@singledispatch
def line_of(event: object) -> Line:
    """Return an entry's event in words."""
    return Line(part="note", who="", what=type(event).__name__)


@line_of.register
def _(event: ApiCalled) -> Line:
    minor = event.action.startswith(_READING) or event.service in _TOLD_ELSEWHERE
    error = f" → {event.error}" if event.error else ""
    # The group of a change stands above all its lines.
    summary = "" if event.service == "ec2" and event.about else event.summary.rpartition(":")[2]
    return Line(
        part="api",
        who=event.function or short_name(event.caller),
        what=f"{event.service}:{event.action} {summary}".rstrip() + error,
        level="bad" if event.error else "detail" if minor else "main",
        duration_ms=event.duration_ms,
    )


@line_of.register
def _(event: CloudTrailSent) -> Line:
    fate = {
        "delivered": "delivered by EventBridge",
        "matched nothing": "matched no rule of EventBridge",
        "lost": "lost on the way",
    }[event.fate]
    return Line(
        part="cloudtrail",
        who="CloudTrail",
        what=f"event {event.action}, {fate}",
        level="bad" if event.fate == "lost" else "main",
    )


@line_of.register
def _(event: InvocationStarted) -> Line:
    again = f", attempt {event.attempt}" if event.attempt > 1 else ""
    return Line(part="lambda", who=event.function, what=f"starts ({event.trigger}{again})", level="main")


@line_of.register
def _(event: InvocationEnded) -> Line:
    if event.error:
        return Line(
            part="lambda",
            who=event.function,
            what=f"fails: {event.error}",
            level="bad",
            duration_ms=event.duration_ms,
        )
    return Line(part="lambda", who=event.function, what="is done", level="detail", duration_ms=event.duration_ms)


@line_of.register
def _(event: DeadLettered) -> Line:
    return Line(part="lambda", who=event.function, what=f"is out of retries: {event.error}", level="bad")


@line_of.register
def _(event: MessagePublished) -> Line:
    often = "" if event.deliveries == 1 else f", delivered {event.deliveries} times"
    topic = event.topic.rpartition(":")[2]
    return Line(part="sns", who="SNS", what=f"message on {topic} ({event.size_bytes:,} bytes{often})")


@line_of.register
def _(event: ItemWritten) -> Line:
    if event.status:
        return Line(part="dynamodb", who="DynamoDB", what=f"request {event.key[:8]}… is {event.status}")
    return Line(part="dynamodb", who="DynamoDB", what=f"{event.table} {event.key}", level="detail")


@line_of.register
def _(event: SlackPosted) -> Line:
    if event.how == "whispered":
        return Line(part="slack", who="Slack", what=f"note in #{event.channel} for {event.user} alone")
    return Line(part="slack", who="Slack", what=f"message {event.how} in #{event.channel}")


@line_of.register
def _(event: SlackRefused) -> Line:
    where = event.channel if event.channel == "response_url" else f"#{event.channel}"
    return Line(part="slack", who="Slack", what=f"{where} answers {event.status}: {event.reason}", level="bad")


@line_of.register
def _(event: SlackClicked) -> Line:
    return Line(part="slack", who=event.user, what=f"clicks “{event.button}”")


@line_of.register
def _(event: ClickAnswered) -> Line:
    return Line(
        part="lambda",
        who="buttonClick",
        what=f"answers Slack with {event.status}" if event.status else "does not answer Slack",
        level="main" if event.status == 200 else "bad",
        duration_ms=event.duration_ms,
    )


@line_of.register
def _(event: FaultStruck) -> Line:
    return Line(part="fault", who="Fault", what=f"{event.fault}: {event.detail}", level="bad")


@line_of.register
def _(event: StoryTold) -> Line:
    return Line(part="note", who="", what=event.text)


def short_name(arn: str) -> str:
    """Return the last part of an ARN, e.g. ``alice`` or ``ada@example.com``."""
    return arn.rpartition("/")[2] or arn.rpartition(":")[2]
