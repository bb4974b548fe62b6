"""Splits a request that is too large for one message into several that are not.

A thousand rules whose descriptions are real sentences fit into one message about three times over. A thousand rules of
random text do not (they compress to some 300 KB), and losing such a request would be worse than asking in parts. Each
part is a request of its own, with its own id, digest and decision; ids are derived, so that a retry makes the same
parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

from shared.domain.change import make_change
from shared.domain.request import Request
from shared.wire.messages import RequestMessage, write_message

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
    if fits or max(map(len, (change.added, change.removed, change.modified, request.remaining))) <= 1:
        return [request]
    halves = zip(
        _half(change.added), _half(change.removed), _half(change.modified), _half(request.remaining), strict=True
    )
    return [
        part
        for added, removed, modified, remaining in halves
        for part in _halved(
            replace(request, change=make_change(added=added, removed=removed, modified=modified), remaining=remaining),
            largest,
        )
    ]


def _half(rules: tuple[_T, ...]) -> tuple[tuple[_T, ...], tuple[_T, ...]]:
    middle = (len(rules) + 1) // 2
    return rules[:middle], rules[middle:]
