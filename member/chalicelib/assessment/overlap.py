"""Whether two rules have traffic in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared.domain.exposure import spans_meet
from shared.domain.networks import intersection
from shared.domain.risk_rule import Opening, opening_of
from shared.domain.rule import ALL_PROTOCOLS, Rule


def overlap(some: Iterable[Rule], others: Iterable[Rule]) -> bool:
    """Say whether a rule of the first overlaps one of the others: by direction, protocol, ports and source.

    A prefix list may hold any address, so it overlaps every range. What addresses a group has is not known; it overlaps
    itself alone.
    """
    listed = [opening_of("add", rule) for rule in others]
    return any(_overlaps(opening_of("add", rule), other) for rule in some for other in listed)


def _overlaps(one: Opening, other: Opening) -> bool:
    first, second = one.rule, other.rule
    return (
        first.direction == second.direction
        and (first.protocol == second.protocol or ALL_PROTOCOLS in (first.protocol, second.protocol))
        and spans_meet(one.span, other.span)
        and _sources_overlap(one, other)
    )


def _sources_overlap(one: Opening, other: Opening) -> bool:
    first, second = one.rule.source, other.rule.source
    if "group" in (first.kind, second.kind):
        return (first.kind, first.value) == (second.kind, second.value)
    if one.range is None or other.range is None:
        return True
    return intersection(one.range, other.range) is not None
