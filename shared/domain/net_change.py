"""The net change of stored requests, group by group, and their batch's digest: what central shows and a member applies.

Both sides have the same requests and nothing else of a batch, so both use these functions, on all of its requests:

    groups = compositions(requests)              # by group id
    groups["sg-…"].change                        # what the group's question shows
    digest_of(requests)                          # what the buttons carry

What does not belong here: how calls are composed (``shared.domain.composition``), and which requests form a batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from shared.domain.change import by_identity
from shared.domain.composition import Composition, OneByOne, batch_digest, compose, one_by_one
from shared.domain.operations import operations_of, touched
from shared.domain.replay import Call
from shared.domain.request import Request
from shared.domain.rule import Rule

_COMPOSED: Final = frozenset({"pending", "observed"})


def call_of(request: Request) -> Call | None:
    """Return what a request's call did; ``None`` of one that has no part in a net change.

    What policy allowed is in force already, and what was denied, could not be reverted, or was found by a snapshot is
    decided for itself. Observed are also calls on rules that had been reverted before, and these count: their
    operations say what their requester wanted.

    Args:
        request: in its first status.
    """
    is_asked = request.status == "pending" and request.origin != "snapshot"
    is_heard = request.status == "observed" and request.change.is_empty and request.operations
    if not is_asked and not is_heard:
        return None
    return Call(
        request_id=request.request_id,
        event_time=request.event_time,
        operations=request.operations,
        change=request.change,
    )


def approved_of(requests: Iterable[Request]) -> tuple[Rule, ...]:
    """Return the approved rules that a group's requests touch, as they tell of them; the latest call's word counts.

    What only counts with a request when it is judged what that needs is left out: it is told of without its
    description.
    """
    found: dict[str, Rule] = {}
    for request in _in_order(requests):
        steps = (*request.operations, *operations_of(request.change))
        found |= by_identity(_bare(touched(request.approved, steps)))
    return tuple(found[identity] for identity in sorted(found))


def compositions(requests: Iterable[Request]) -> dict[str, Composition]:
    """Return the composition of each group, by group id; of groups with no composed request, none.

    Args:
        requests: of one requester, account and region, those that ask nothing or are superseded too; in any order.
    """
    groups = _by_group(requests)
    return {group_id: composition_of(some, approved_of(some)) for group_id, some in groups.items()}


def composition_of(requests: Iterable[Request], approved: Iterable[Rule]) -> Composition:
    """Return the composition of one group's requests over these approved rules.

    Ids of approved rules are left out, since a revert may have given them after any of the calls, and operations name
    approved rules by their values too; so are tags, which may change without anybody's approval.
    """
    return compose([call for one in requests if (call := call_of(one)) is not None], _bare(approved))


def questions_of(requests: Iterable[Request]) -> dict[str, OneByOne]:
    """Return how the requests of each group are asked one by one, by group id.

    Args:
        requests: as for :func:`compositions`, those alone that are undecided or ask nothing.
    """
    return {
        group_id: one_by_one([call for one in some if (call := call_of(one)) is not None], _bare(approved_of(some)))
        for group_id, some in _by_group(requests).items()
    }


def digest_of(requests: Iterable[Request]) -> str:
    """Return the digest of a batch of requests (:func:`shared.domain.composition.batch_digest`)."""
    some = list(requests)
    return batch_digest(compositions(some), {one.request_id: one.digest for one in some})


def _bare(approved: Iterable[Rule]) -> list[Rule]:
    return [replace(rule, rule_id=None, tags=()) for rule in approved]


def _by_group(requests: Iterable[Request]) -> dict[str, list[Request]]:
    groups: dict[str, list[Request]] = {}
    for request in _in_order(requests):
        if call_of(request) is not None:
            groups.setdefault(request.group_id, []).append(request)
    return dict(sorted(groups.items()))


def _in_order(requests: Iterable[Request]) -> list[Request]:
    return sorted(requests, key=lambda one: (one.event_time, one.request_id))
