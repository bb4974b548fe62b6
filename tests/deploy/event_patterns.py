"""Matches events against patterns as EventBridge does: enough of it for the patterns of the templates.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

_MISSING: Final = object()


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Say whether an event matches a pattern; ``$or`` is an alternative of patterns of the same object."""
    fields = event if isinstance(event, Mapping) else {}
    for name, wanted in pattern.items():
        if name == "$or":
            fits = any(matches(one, fields) for one in wanted)
        elif isinstance(wanted, Mapping):
            fits = matches(wanted, fields.get(name))
        else:
            fits = any(_fits(one, fields.get(name, _MISSING)) for one in wanted)
        if not fits:
            return False
    return True


def _fits(filter_: Any, value: Any) -> bool:
    match filter_:
        case {"exists": wanted}:
            return (value is not _MISSING) == wanted
        case _ if value is _MISSING:
            return False
        case {"prefix": start}:
            return str(value).startswith(start)
        case {"wildcard": pattern}:
            return fnmatchcase(str(value), pattern)
        case {"anything-but": {"prefix": starts}}:
            return not str(value).startswith(tuple(starts))
        case Mapping():
            raise AssertionError(f"unknown filter {filter_}")
    return bool(filter_ == value)
