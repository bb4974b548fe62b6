"""At which ports ranges together are the internet, however it was split into ranges, port ranges or calls.

A port is judged by all ranges that reach it. So a /8 in two halves counts as a /8, and two halves at different ports
do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from shared.domain.networks import Range, intersection, is_internet, is_private
from shared.domain.rule import ALL_PROTOCOLS, Direction


class Span(NamedTuple):
    """Ports from ``first`` to ``last``, both included."""

    first: int
    last: int


EVERY_PORT: Final = Span(0, 65535)


class Reach(NamedTuple):
    """Addresses that reach ports; the protocol ``-1`` stands for every protocol."""

    direction: Direction
    protocol: str
    span: Span
    range: Range


Exposure = Mapping[tuple[Direction, str, int], tuple[Span, ...]]
"""By direction, protocol and IP version, the ports that the internet reaches.

A protocol that is not there is exposed as ``-1`` is.
"""


def spans_meet(one: Span, other: Span) -> bool:
    """Say whether two port ranges have a port in common."""
    return one.first <= other.last and other.first <= one.last


def spans_touch(one: Span, other: Span) -> bool:
    """Say whether two port ranges meet or follow each other without a gap."""
    return one.first <= other.last + 1 and other.first <= one.last + 1


def exposure(reaches: Collection[Reach], within: Collection[Range] = ()) -> Exposure:
    """Return at which ports the internet is let in (or may be reached) by all of these together.

    Args:
        reaches: the addresses, with the ports they reach.
        within: only ports that public addresses of these ranges reach as well; empty: all.
    """
    exposed: dict[tuple[Direction, str, int], tuple[Span, ...]] = {}
    for direction, version in {(reach.direction, reach.range.version) for reach in reaches}:
        family = [reach for reach in reaches if reach.direction == direction and reach.range.version == version]
        if not is_internet((reach.range for reach in family), version):
            continue
        for protocol in {ALL_PROTOCOLS, *(reach.protocol for reach in family)}:
            at_protocol = [reach for reach in family if reach.protocol in (protocol, ALL_PROTOCOLS)]
            exposed[direction, protocol, version] = tuple(_exposed_spans(at_protocol, version, within))
    return exposed


def _exposed_spans(reaches: Collection[Reach], version: int, within: Collection[Range]) -> Iterator[Span]:
    # Which ranges reach a port changes at the ends of port ranges only.
    starts = sorted({reach.span.first for reach in reaches} | {reach.span.last + 1 for reach in reaches})
    coming = sorted(reaches, key=lambda reach: reach.span.first, reverse=True)
    here: list[Reach] = []
    for start, following in itertools.pairwise(starts):
        here = [reach for reach in here if reach.span.last >= start]
        while coming and coming[-1].span.first <= start:
            here.append(coming.pop())
        ranges = {reach.range for reach in here}
        if is_internet(ranges, version) and (not within or _has_public_part(ranges, within)):
            yield Span(start, following - 1)


def _has_public_part(ranges: Collection[Range], within: Collection[Range]) -> bool:
    common = (intersection(one, other) for one in ranges for other in within)
    return any(part is not None and not is_private(part) for part in common)


def is_exposed(exposed: Exposure, direction: Direction, protocol: str, version: int, spans: Iterable[Span]) -> bool:
    """Say whether the internet reaches one of the ports; of the protocol ``-1``, by any protocol."""
    if protocol == ALL_PROTOCOLS:
        found = [spans for key, spans in exposed.items() if key[0] == direction and key[2] == version]
    else:
        found = [exposed.get((direction, protocol, version), exposed.get((direction, ALL_PROTOCOLS, version), ()))]
    at = [span for spans in found for span in spans]
    return any(spans_meet(one, other) for one in spans for other in at)
