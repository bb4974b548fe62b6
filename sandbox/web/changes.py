"""Gathers the timeline's entries into changes: each with who made it, how long it was in force, and how it stands.

A change begins with somebody's API call (or with what the snapshot found) and has the id of its request. Exposure is
the time from the moment the call took effect to the moment the product's own call took it back.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    Entry,
    FaultStruck,
    InvocationEnded,
    InvocationStarted,
    ItemWritten,
    SlackClicked,
    SlackPosted,
    SlackRefused,
)
from sandbox.web.words import short_name

#: Every message of the product ends with this.
_REQUEST = re.compile(r"Request (\S+)\.$")
_PART = re.compile(r"-\d+of\d+$")
_CHANGING = ("Authorize", "Revoke", "Modify", "Update")
_VERBS = {
    "Authorize": "adds rules",
    "Revoke": "removes rules",
    "Modify": "edits rules",
    "Update": "edits descriptions",
    "Create": "makes a group",
    "Delete": "deletes a group",
}
REQUESTS_TABLE = "securityGroupRequests"


@dataclass(slots=True, kw_only=True)
class Change:
    """A change as it stands; times in milliseconds since the timeline began."""

    about: str
    ms: float
    who: str
    what: str
    action: str
    group: str
    account: str
    region: str
    state: str = "in force"
    """``in force`` until something happens, ``allowed``, ``refused``, ``unseen``, or the request's status."""
    error: str = ""
    counts: bool = True
    """Whether the call changed rules, so that an exposure is worth drawing."""
    undone_ms: float | None = None

    @property
    def exposed_ms(self) -> float | None:
        """How long it was in force before it was taken back; ``None`` when it was not (yet)."""
        return None if self.undone_ms is None else max(0.0, self.undone_ms - self.ms)

    def shown(self) -> dict[str, Any]:
        """Return it for the page."""
        return {**asdict(self), "exposedMs": self.exposed_ms}


class Changes:
    """Reads entries in order; says which change each belongs to, and keeps the changes."""

    def __init__(self) -> None:
        self.by_id: dict[str, Change] = {}
        self._messages: dict[str, str] = {}
        self._running: dict[str, str] = {}

    def read(self, entry: Entry) -> str:
        """Take one more entry; the result is the request id of its change, empty when it belongs to none."""
        event = entry.event
        about = self._about(event)
        if isinstance(event, InvocationStarted):
            self._running[event.invocation_id] = about
        if isinstance(event, InvocationEnded):
            self._running.pop(event.invocation_id, None)
        if about:
            self._update(entry, about)
        return about

    def _about(self, event: object) -> str:
        if isinstance(event, SlackPosted):
            found = _REQUEST.search(event.text)
            if found is None or event.how == "whispered":
                return self._messages.get(event.answers, "")
            self._messages[event.ts] = _PART.sub("", found[1])
            return self._messages[event.ts]
        if isinstance(event, SlackClicked | ClickAnswered):
            return self._messages.get(event.ts, "")
        about = getattr(event, "about", "")
        if not about and isinstance(event, ApiCalled):
            return self._unseen(event)
        if not about and isinstance(event, SlackRefused | FaultStruck):
            # Slack does not know whose request it refuses; the newest run that is about a change is the best guess.
            about = next((running for running in reversed(self._running.values()) if running), "")
        return _PART.sub("", about)

    def _unseen(self, call: ApiCalled) -> str:
        """Find the change that no event told of, when the snapshot takes it back."""
        if not (call.function and call.action.startswith(_CHANGING)) or call.error:
            return ""
        unseen = (change.about for change in self.by_id.values() if change.state == "unseen")
        return next((about for about in unseen if self.by_id[about].group == call.summary), "")

    def _update(self, entry: Entry, about: str) -> None:
        event = entry.event
        change = self.by_id.get(about)
        if change is None:
            self.by_id[about] = change = _new(entry, about)
        if isinstance(event, ApiCalled):
            undoes = event.function and event.action.startswith(_CHANGING) and not event.error
            if undoes and change.undone_ms is None and change.state in ("in force", "unseen"):
                change.undone_ms = entry.ms
                change.state = "taken back"
        elif isinstance(event, CloudTrailSent) and event.fate == "lost" and event.request_id == about:
            change.state = "unseen"
        elif isinstance(event, ItemWritten) and event.table == REQUESTS_TABLE and event.status:
            change.state = event.status
        elif isinstance(event, InvocationEnded) and not event.error and change.state == "in force":
            change.state = "allowed"


def _new(entry: Entry, about: str) -> Change:
    event = entry.event
    if isinstance(event, ApiCalled) and not event.function:
        verb = next((words for prefix, words in _VERBS.items() if event.action.startswith(prefix)), event.action)
        return Change(
            about=about,
            ms=entry.ms,
            who=short_name(event.caller),
            what=verb,
            action=event.action,
            group=event.summary,
            account=event.account,
            region=event.region,
            state="refused" if event.error else "in force",
            error=event.error,
            counts=not event.error and event.action.startswith(_CHANGING),
        )
    return Change(
        about=about,
        ms=entry.ms,
        who="The snapshot",
        what="finds a difference",
        action="",
        group="",
        account=getattr(event, "account", ""),
        region=getattr(event, "region", ""),
        counts=False,
    )
