"""What an app's decorators declare: topics, event patterns, schedules and routes.

Read inside the app's process, from where it travels as plain JSON. So nothing is imported here that takes long: each
process of each function would wait for it, as ``wiring.py`` waits for moto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalice.app import Chalice


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
