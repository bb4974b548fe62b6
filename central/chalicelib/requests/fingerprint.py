"""When a request is a duplicate: the same change, made again by the same requester after it was reverted.

The first :data:`ASKED_SINGLY` requests with the same fingerprint are asked one by one, since somebody whose rule
disappeared tries again. From then on one question stands for all of them, shown again when there are many more.

What does not belong here: how duplicates are found and counted (``requests.duplicates_table``).
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Final

from shared.domain.caller import Caller
from shared.domain.request import Request, Status, rule_text

ASKED_SINGLY: Final = 2
"""So many requests with the same fingerprint have their own question; later ones join the older of these."""

JOINED_FOR: Final = timedelta(hours=24)
"""For how long later requests join one; after that the change is asked again."""

JOINING: Final[frozenset[Status]] = frozenset({"pending", "denied"})
"""The first statuses of requests that may join another: reverted, and asked or denied by policy."""

_SHOWN_AGAIN_AT: Final = 20
_TIMES_AS_OFTEN: Final = 5

# People of IAM Identity Center share the role of their permission set; only the session says who it is.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
_SHARED_BY_PEOPLE: Final = "/AWSReservedSSO_"


def fingerprint(request: Request) -> str:
    """Return a hash (hex) that is equal for the same change by the same requester.

    It covers the group, what approval would apply, and who asks. All sessions of a role count as one requester, as a
    pipeline has a new session each time; but those of Identity Center are people. Ids, times and the API call may
    differ.
    """
    change = request.change
    parts = [request.account, request.region, request.group_id, request.status, request.origin]
    parts += [requester_text(request.requester)]
    parts += [rule_text("add", rule) for rule in change.added]
    parts += [rule_text("remove", rule) for rule in change.removed]
    for edit in change.modified:
        parts += [rule_text("before", edit.before), rule_text("after", edit.after)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def asked_singly(request: Request) -> int:
    """Return how many requests like this one have their own question.

    Nothing disappears after an ask, so there is no reason to wonder and try again: the second one is a duplicate.
    """
    return 1 if request.origin == "ask" else ASKED_SINGLY


def shown_again_at(made: int) -> int:
    """Return the last number of times at which a question is shown again: the 3rd, 20th, 100th, 500th, … time.

    Args:
        made: how often the change was made so far.

    Returns:
        At most ``made``; 0 while it is too early.
    """
    if made < _SHOWN_AGAIN_AT:
        return ASKED_SINGLY + 1 if made > ASKED_SINGLY else 0
    step = _SHOWN_AGAIN_AT
    while step * _TIMES_AS_OFTEN <= made:
        step *= _TIMES_AS_OFTEN
    return step


def requester_text(caller: Caller | None) -> str:
    """Return who counts as one requester: the role or user, of people of Identity Center the session."""
    if caller is None:
        return ""
    is_person = _SHARED_BY_PEOPLE in caller.principal_arn
    return f"{caller.type} {caller.arn if is_person else caller.principal_arn or caller.arn or caller.name}"
