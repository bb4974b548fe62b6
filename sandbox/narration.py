"""Says in a few words what an entry of the timeline means; what a reader can do without is left out."""

from functools import singledispatch

from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    DeadLettered,
    Entry,
    FaultStruck,
    InvocationEnded,
    ItemWritten,
    MessagePublished,
    SlackClicked,
    SlackPosted,
    SlackRefused,
)

#: Calls that only look.
_READING = ("Describe", "Get", "List", "Query", "Scan", "BatchGet")
#: Calls whose effect has an entry of its own.
_TOLD_ELSEWHERE = ("sns", "dynamodb")


class Narrator:
    """Remembers what was told, so that a request's status is told when it changes and not at every write."""

    def __init__(self) -> None:
        self._statuses: dict[str, str] = {}

    def narrate(self, entry: Entry) -> tuple[str, str] | None:
        """Return who did what, ``None`` for an entry that a reader can do without."""
        event = entry.event
        if isinstance(event, ItemWritten):
            if self._statuses.get(event.key) == event.status:
                return None
            self._statuses[event.key] = event.status
        return _narrate(event)


@singledispatch
def _narrate(_event: object) -> tuple[str, str] | None:
    return None


@_narrate.register
def _(event: ApiCalled) -> tuple[str, str] | None:
    if event.action.startswith(_READING) or event.service in _TOLD_ELSEWHERE:
        return None
    who = event.function or event.caller.rpartition("/")[2]
    return who, f"{event.action} {event.summary}{_with_error(event.error)}"


@_narrate.register
def _(event: CloudTrailSent) -> tuple[str, str] | None:
    fate = "" if event.fate == "delivered" else f" ({event.fate})"
    return "CloudTrail", f"event {event.action}{fate}"


@_narrate.register
def _(event: InvocationEnded) -> tuple[str, str] | None:
    if not event.error:
        return None
    return event.function, f"failed in attempt {event.attempt}: {event.error}"


@_narrate.register
def _(event: DeadLettered) -> tuple[str, str] | None:
    return event.function, f"is out of retries: {event.error}"


@_narrate.register
def _(event: MessagePublished) -> tuple[str, str] | None:
    return "SNS", f"message on {event.topic.rpartition(':')[2]}"


@_narrate.register
def _(event: ItemWritten) -> tuple[str, str] | None:
    if event.table != "securityGroupRequests":
        return None
    return "DynamoDB", f"request {event.key[:8]}… is {event.status}"


@_narrate.register
def _(event: SlackPosted) -> tuple[str, str] | None:
    if event.how == "whispered":
        return "Slack", f"note in #{event.channel}, seen by {event.user} alone"
    return "Slack", f"message {event.how} in #{event.channel}"


@_narrate.register
def _(event: SlackRefused) -> tuple[str, str] | None:
    return "Slack", f"refused with {event.status}: {event.reason}"


@_narrate.register
def _(event: SlackClicked) -> tuple[str, str] | None:
    return event.user, f"clicks “{event.button}” in #{event.channel}"


@_narrate.register
def _(event: ClickAnswered) -> tuple[str, str] | None:
    answer = f"answers Slack with {event.status}" if event.status else "does not answer Slack"
    return "buttonClick", f"{answer} after {event.duration_ms:.0f} ms"


@_narrate.register
def _(event: FaultStruck) -> tuple[str, str] | None:
    return "Fault", f"{event.fault}: {event.detail}"


def _with_error(error: str) -> str:
    return f" → {error}" if error else ""
