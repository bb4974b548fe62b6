"""What the apps' decorators declare, and from it: which function hears of which topic, event and schedule.

Nothing here knows the name of a trigger; a function that is decorated is wired, as ``chalice deploy`` would wire it.
The declarations are read inside the app's process and travel as plain JSON.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.events.models import EventPattern

if TYPE_CHECKING:
    from chalice.app import Chalice


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A deployed function: one of an app's handlers, in one account and region."""

    app: str
    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN that Chalice's stage ``dev`` gives it."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.app}-dev-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An HTTP route."""

    path: str
    method: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """Everything that an app's decorators declare."""

    topics: Mapping[str, str]
    """Function name to topic name or ARN."""
    patterns: Mapping[str, Mapping[str, Any]]
    """Function name to event pattern."""
    schedules: Mapping[str, str]
    """Function name to schedule expression, e.g. ``rate(1 hour)``."""
    routes: tuple[Route, ...]


def declared_by(app: "Chalice") -> dict[str, Any]:
    """Read an app's declarations; the result is JSON for :func:`read_declarations`."""
    declared: dict[str, Any] = {"topics": {}, "patterns": {}, "schedules": {}}
    for source in app.event_sources:
        if hasattr(source, "topic"):
            declared["topics"][source.name] = source.topic
        elif hasattr(source, "event_pattern"):
            declared["patterns"][source.name] = source.event_pattern
        elif hasattr(source, "schedule_expression"):
            expression = source.schedule_expression
            text = expression if isinstance(expression, str) else expression.to_string()
            declared["schedules"][source.name] = text
    declared["routes"] = [
        {"path": path, "method": method, "function": entry.view_name}
        for path, methods in app.routes.items()
        for method, entry in methods.items()
    ]
    return declared


def read_declarations(document: Mapping[str, Any]) -> Declarations:
    """Read what :func:`declared_by` wrote."""
    return Declarations(
        topics=document["topics"],
        patterns=document["patterns"],
        schedules=document["schedules"],
        routes=tuple(Route(**route) for route in document["routes"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An app in one account and region, and what it declares."""

    app: str
    account: str
    region: str
    declarations: Declarations

    def function(self, name: str) -> Function:
        """Name one of its functions."""
        return Function(app=self.app, account=self.account, region=self.region, name=name)


class Wiring:
    """Finds the functions behind topics, events and schedules of all deployments."""

    def __init__(self, deployments: Iterable[Deployment]) -> None:
        self._deployments = tuple(deployments)

    def topics(self) -> frozenset[str]:
        """ARNs of all topics that some function listens to."""
        return frozenset(
            _topic_arn(deployment, topic)
            for deployment in self._deployments
            for topic in deployment.declarations.topics.values()
        )

    def subscribers(self, topic_arn: str) -> list[Function]:
        """Return the functions that a topic delivers to, those of the topic's own account and region."""
        return [
            deployment.function(name)
            for deployment in self._deployments
            for name, topic in deployment.declarations.topics.items()
            if _topic_arn(deployment, topic) == topic_arn
        ]

    def listeners(self, event: Mapping[str, Any]) -> list[Function]:
        """Return the functions whose event pattern matches, of the event's account and region."""
        return [
            deployment.function(name)
            for deployment in self._deployments
            if (deployment.account, deployment.region) == (event["account"], event["region"])
            for name, pattern in deployment.declarations.patterns.items()
            if _matches(pattern, event)
        ]

    def scheduled(self, name: str | None = None) -> list[tuple[Function, str]]:
        """Return scheduled functions with their expressions: all of them, or those of one name."""
        return [
            (deployment.function(function), expression)
            for deployment in self._deployments
            for function, expression in deployment.declarations.schedules.items()
            if name in (None, function)
        ]


def _topic_arn(deployment: Deployment, topic: str) -> str:
    """Resolve a bare topic name as Chalice does: in the app's own account and region."""
    if topic.startswith("arn:"):
        return topic
    return f"arn:aws:sns:{deployment.region}:{deployment.account}:{topic}"


def _matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    message: Any = dict(event)  # moto types it by its own event class
    return EventPattern(json.dumps(pattern), dict(pattern)).matches_event(message)
