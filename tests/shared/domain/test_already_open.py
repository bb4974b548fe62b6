"""What counts as open already: approved rules and what was let through, where the request's ports are."""

from __future__ import annotations

from shared.domain.already_open import approved_near, bounds_of, let_through_near
from shared.domain.exposure import Span
from shared.domain.risk_rule import opening_of
from shared.domain.rule import group, make_rule
from tests.support.risk import entry, facts, opened

BOUNDS = {"ingress": Span(20, 30)}


def test_bounds_are_the_lowest_and_the_highest_port_of_each_direction() -> None:
    """Of ranges alone; a protocol without ports reaches all of them."""
    rules = [opened("10.0.0.0/8", 22), opened("11.0.0.0/8", 30, 40), opened("::/0", 5, direction="egress")]
    assert bounds_of(opening_of("add", rule) for rule in rules) == {"ingress": (22, 40), "egress": (5, 5)}
    assert bounds_of([opening_of("add", opened("10.0.0.0/8", None, protocol="50"))]) == {"ingress": (0, 65535)}
    other = make_rule(direction="ingress", protocol="tcp", from_port=22, source=group("sg-1"))
    assert bounds_of([opening_of("add", other)]) == {}


def test_approved_rules_count_where_the_ports_meet() -> None:
    """In the same direction; groups have no addresses."""
    near = [opened("10.0.0.0/8", 30, 40), opened("11.0.0.0/8", None, protocol="-1")]
    far = [
        *(opened("12.0.0.0/8", 31), opened("12.0.0.0/8", 25, direction="egress")),
        make_rule(direction="ingress", protocol="tcp", from_port=22, source=group("sg-1")),
    ]
    assert [reach.span for reach in approved_near([*near, *far], BOUNDS)] == [(30, 40), (0, 65535)]


def test_what_was_let_through_counts_where_the_ports_meet() -> None:
    """Of entries that may have let something of this group through."""
    entries = [
        entry(approvals=0, cidrs=["11.0.0.0/8"], ports=[(22, 22), (443, 443)]),
        entry(approvals=0, cidrs=["12.0.0.0/8"], groups=("sg-other",)),
        entry(approvals=2, cidrs=["13.0.0.0/8"]),
    ]
    assert [reach.span for reach in let_through_near(entries, facts(), BOUNDS)] == [(22, 22)]
