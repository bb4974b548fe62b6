"""Splits a request that is too large for one message into several that are not.

A thousand rules whose descriptions are real sentences fit into one message about three times over. A thousand rules of
random text do not (they compress to some 300 KB), and losing such a request would be worse than asking in parts. Each
part is a request of its own, with its own id, digest and decision; ids are derived, so that a retry makes the same
parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

from shared.domain.change import Change, make_change
from shared.domain.operations import Operation, keys_of
from shared.domain.reach import for_part
from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.wire.messages import RequestMessage, write_message

from .assessment.approved import approved_with

LARGEST_MESSAGE: Final = 256 * 1024
"""Bytes an SNS message may have. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

_ROOM_FOR_ID: Final = 64
"""Bytes by which the id of a part may make a message longer than the one that is measured."""

_T = TypeVar("_T")


def fitting_parts(request: Request, *, largest: int = LARGEST_MESSAGE) -> tuple[Request, ...]:
    """Return the request itself where its message fits, else requests that together ask for the same change.

    Args:
        request: as it would be filed.
        largest: bytes a message may have.

    Returns:
        Of a split request, the first part has its id, the others the ids ``<id>-2`` and so on. A request of one rule
        is never split.
    """
    return tuple(
        replace(part, request_id=part_id(request.request_id, number))
        for number, part in enumerate(_halved(request, largest), start=1)
    )


def part_id(request_id: str, number: int) -> str:
    """Return the id of a part of a split request; the first has the id of the whole."""
    return request_id if number == 1 else f"{request_id}-{number}"


def _halved(request: Request, largest: int) -> list[Request]:
    fits = len(write_message(RequestMessage(request=request)).encode()) <= largest - _ROOM_FOR_ID
    change = request.change
    if fits:
        return [request]
    halves = zip(
        _half(change.added), _half(change.removed), _half(change.modified), _half(request.remaining), strict=True
    )
    changes = [
        (make_change(added=added, removed=removed, modified=modified), remaining)
        for added, removed, modified, remaining in halves
    ]
    shares = _shares(request.operations, [one for one, _ in changes])
    if changes[1] == (make_change(), ()) and not shares[1]:
        return [request]  # it is about one rule
    return [
        part
        for (half, remaining), operations in zip(changes, shares, strict=True)
        for part in _halved(_part(request, half, remaining, operations), largest)
    ]


def _part(request: Request, change: Change, remaining: tuple[Rule, ...], operations: tuple[Operation, ...]) -> Request:
    """Return a part of a request, with the approved rules and time limits that are about it."""
    identities = {rule.identity for rule in change.rules}
    is_asked = request.status != "pending" or not change.is_empty
    return replace(
        request,
        change=change,
        remaining=remaining,
        operations=operations,
        approved=approved_with(change, operations, request.approved),
        limits=tuple(one for one in request.limits if one[0] in identities),
        reach=None if request.reach is None else for_part(request.reach, change),
        status=request.status if is_asked else "observed",
    )


def _shares(operations: tuple[Operation, ...], changes: list[Change]) -> list[tuple[Operation, ...]]:
    """Return the operations of each part: those on its rules; any others in equal shares.

    Without any, what the whole call did follows from the change of each part.
    """
    of_part = {key: number for number, change in enumerate(changes) for key in _names(change)}
    shares: list[list[Operation]] = [[] for _ in changes]
    others: list[Operation] = []
    for operation in operations:
        known = [of_part[key] for key in keys_of(operation) if key in of_part]
        (shares[known[0]] if known else others).append(operation)
    for number, share in enumerate(_half(tuple(others))):
        shares[number] += share
    return [tuple(share) for share in shares]


def _names(change: Change) -> list[str]:
    return [key for rule in change.rules for key in (rule.identity, rule.rule_id) if key is not None]


def _half(rules: tuple[_T, ...]) -> tuple[tuple[_T, ...], tuple[_T, ...]]:
    middle = (len(rules) + 1) // 2
    return rules[:middle], rules[middle:]
