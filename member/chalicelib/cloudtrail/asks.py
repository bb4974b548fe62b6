"""Reads a call that failed as the call it would have been: its group and its rules, from its parameters alone. Pure.

``read_head`` leaves the group of a failed call out, so that nothing is done to it by mistake. CloudTrail writes the
whole parameters of refused calls and dry runs nevertheless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .call import Call
from .event import read_head, read_rules


def asked_head(event: Mapping[str, Any], head: Call) -> Call:
    """Return the head of a failed call with the group that its parameters name.

    Args:
        event: the EventBridge envelope of the failed call.
        head: what ``read_head`` returned, completed by what the app knows of its place.
    """
    named = read_head(_as_made(event))
    return replace(head, group_id=named.group_id, group_name=named.group_name, omitted=named.omitted)


def asked_call(event: Mapping[str, Any], head: Call) -> Call:
    """Return a failed call with the rules it would have added, removed or edited.

    Args:
        event: the EventBridge envelope of the failed call.
        head: what :func:`asked_head` returned.
    """
    return replace(read_rules(_as_made(event), replace(head, error_code="")), error_code=head.error_code)


def _as_made(event: Mapping[str, Any]) -> Mapping[str, Any]:
    # An answer that a failed call cannot have must not be believed either.
    return {**event, "detail": {**event["detail"], "errorCode": "", "responseElements": None}}
