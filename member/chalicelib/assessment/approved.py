"""Which approved rules a request carries: those that its operations touch, and those that count with what it opens.

The central account has no baseline. It composes requests over the first kind, and of both it judges whether ranges
together are the internet. There are never more than EC2 lets a group have (1,000 of a direction), and what only counts
is carried by its range and ports alone, so that even so many take some 20 KB. Pure.

What does not belong here: what a request needs (``shared.domain.needs``).

https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from shared.domain.change import Change, by_identity
from shared.domain.exposure import Span, spans_meet
from shared.domain.networks import is_private
from shared.domain.operations import Edited, Operation, operations_of, touched
from shared.domain.risk_rule import opening_of
from shared.domain.rule import ALL_PROTOCOLS, Direction, Rule


class _Ports(NamedTuple):
    """Ports that a public range of one IP version reaches."""

    direction: Direction
    protocol: str
    version: int
    span: Span


def approved_with(change: Change, operations: Iterable[Operation], approved: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the approved rules that a request carries, sorted by identity.

    Args:
        change: what the request asks for; what it says to have been there before counts as approved.
        operations: what its call did, if it did not do exactly this.
        approved: the group's approved rules.
    """
    before = (*change.removed, *(edit.before for edit in change.modified))
    held = by_identity((*before, *approved))
    steps = (*operations, *operations_of(change))
    kept = by_identity(replace(rule, tags=()) for rule in touched(held.values(), steps))
    opened = {ports for step in steps for rule in _rules_of(step) for ports in _public_ports(rule)}
    for identity, rule in held.items() if opened else ():
        if identity not in kept and any(_meet(mine, other) for mine in _public_ports(rule) for other in opened):
            kept[identity] = replace(rule, description="", tags=(), rule_id=None)
    return tuple(kept[identity] for identity in sorted(kept))


def _rules_of(operation: Operation) -> Iterator[Rule]:
    if operation.rule is not None:
        yield operation.rule
    if isinstance(operation, Edited):
        yield operation.after


def _public_ports(rule: Rule) -> Iterator[_Ports]:
    opening = opening_of("add", rule)
    if opening.range is not None and not is_private(opening.range):
        yield _Ports(rule.direction, rule.protocol, opening.range.version, opening.span)


def _meet(one: _Ports, other: _Ports) -> bool:
    """Say whether public ranges that reach these ports count together at one of them."""
    return (
        (one.direction, one.version) == (other.direction, other.version)
        and (one.protocol == other.protocol or ALL_PROTOCOLS in (one.protocol, other.protocol))
        and spans_meet(one.span, other.span)
    )
