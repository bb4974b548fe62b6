"""Which function gets which topic, event and schedule, from what the apps' decorators declare.

Nothing here knows the name of a trigger; a function that is decorated is wired, as ``chalice deploy`` would wire it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.events.models import EventPattern

from sandbox.declarations import Declarations


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
