"""Reads a stack's events: why its present operation failed, and whether its creation ever succeeded.

CloudFormation lists the events of all operations of a stack together, newest first. An operation begins with an event
of the stack itself: ``CREATE_IN_PROGRESS``, ``UPDATE_IN_PROGRESS`` or ``DELETE_IN_PROGRESS``. A rollback belongs to the
operation that it rolls back.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events-by-operation.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_BEGINNINGS: Final = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
_SHOWN_REASONS: Final = 3

Event = Mapping[str, Any]


def reasons(events: Iterable[Event]) -> list[str]:
    """Return why the newest operation failed, the first failures first.

    Args:
        events: of a stack, newest first.
    """
    failed = [one for one in _newest_operation(events) if one["ResourceStatus"].endswith("_FAILED")]
    causes = [one for one in failed if "cancelled" not in one.get("ResourceStatusReason", "")]
    found: dict[str, None] = {}  # in order, each once
    for one in reversed(causes or failed):
        found[f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason given')}"] = None
    return list(found)[:_SHOWN_REASONS]


def was_never_created(events: Iterable[Event]) -> bool:
    """True when the events prove that the stack's creation failed, so nothing has ever used what it holds.

    Args:
        events: of a stack, newest first. CloudFormation may have forgotten old ones: then there is no proof.
    """
    of_stack = [one["ResourceStatus"] for one in events if _is_of_stack(one)]
    return "CREATE_COMPLETE" not in of_stack and bool({"ROLLBACK_IN_PROGRESS", "CREATE_FAILED"} & set(of_stack))


def _newest_operation(events: Iterable[Event]) -> Iterator[Event]:
    for one in events:
        yield one
        if _is_of_stack(one) and one["ResourceStatus"] in _BEGINNINGS:
            return


def _is_of_stack(event: Event) -> bool:
    return bool(event.get("PhysicalResourceId") == event["StackId"])
