"""What counts as open already when a request is judged: with it, the request's ranges may be the internet.

Those are the approved rules of the group, and all that entries with 0 approvals may have let through. A group may have
a thousand rules, so those that reach none of the request's ports are left out before they are looked at.

What does not belong here: what is exposed by all of them together (``shared.domain.exposure``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.exposure import Reach, Span, spans_meet
from shared.domain.risk_rule import WITH_PORTS, may_have_let_through, opening_of, reaches_let_through, reaches_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.domain.risk_rule import Opening, RequestFacts, RiskRule
    from shared.domain.rule import Direction, Rule

Bounds = dict["Direction", Span]
"""From which to which port the ranges of a request reach, in each direction."""


def bounds_of(openings: Iterable[Opening]) -> Bounds:
    """Return the ports at which the ranges of a request count."""
    bounds: Bounds = {}
    for reach in reaches_of(openings):
        known = bounds.get(reach.direction, reach.span)
        bounds[reach.direction] = Span(min(known.first, reach.span.first), max(known.last, reach.span.last))
    return bounds


def approved_near(approved: Iterable[Rule], bounds: Mapping[Direction, Span]) -> Iterator[Reach]:
    """Yield the ranges of the approved rules that reach a port within the bounds."""
    near = (rule for rule in approved if rule.direction in bounds and _meets(rule, bounds[rule.direction]))
    yield from reaches_of(opening_of("add", rule) for rule in near)


def _meets(rule: Rule, ports: Span) -> bool:
    """Say whether a rule may reach one of the ports; without making a span, since a group has many rules."""
    if rule.from_port is None or rule.to_port is None or rule.protocol not in WITH_PORTS:
        return True
    return rule.from_port <= ports.last and ports.first <= rule.to_port


def let_through_near(
    entries: Iterable[RiskRule], facts: RequestFacts, bounds: Mapping[Direction, Span]
) -> Iterator[Reach]:
    """Yield all that entries with 0 approvals may have opened in this group call by call, whoever made the calls."""
    for entry in entries:
        if may_have_let_through(entry, facts):
            for reach in reaches_let_through(entry):
                if reach.direction in bounds and spans_meet(reach.span, bounds[reach.direction]):
                    yield reach
