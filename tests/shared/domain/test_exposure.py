"""Where ranges together are the internet: by port, protocol, direction and family."""

from __future__ import annotations

import pytest

from shared.domain.exposure import EVERY_PORT, Exposure, Reach, Span, exposure, is_exposed, spans_meet, spans_touch
from shared.domain.networks import range_of
from shared.domain.rule import Direction


def reach(cidr: str, first: int, last: int, protocol: str = "tcp", direction: Direction = "ingress") -> Reach:
    """Addresses at ports."""
    return Reach(direction, protocol, Span(first, last), range_of(cidr))


HALVES = (reach("11.0.0.0/9", 20, 30), reach("11.128.0.0/9", 25, 40))


def test_halves_are_the_internet_where_both_reach() -> None:
    """At ports 25 to 30, whatever one of them reaches besides."""
    assert exposure(HALVES)["ingress", "tcp", 4] == (Span(25, 30),)


@pytest.mark.parametrize(
    "second",
    [
        reach("11.128.0.0/9", 31, 40),
        reach("11.128.0.0/9", 20, 30, protocol="udp"),
        reach("11.128.0.0/9", 20, 30, direction="egress"),
        reach("2001::/17", 20, 30),
        reach("10.0.0.0/8", 20, 30),
    ],
)
def test_what_does_not_meet_does_not_add_up(second: Reach) -> None:
    """Other ports, another protocol, direction or family, or private addresses."""
    assert not any(exposure([HALVES[0], second]).values())


def test_all_protocols_add_to_each_protocol() -> None:
    """A half for every protocol and a half for TCP are the internet at TCP's ports alone."""
    exposed = exposure([HALVES[0], Reach("ingress", "-1", EVERY_PORT, range_of("11.128.0.0/9"))])
    assert exposed == {("ingress", "tcp", 4): (Span(20, 30),), ("ingress", "-1", 4): ()}


@pytest.mark.parametrize(
    ("protocol", "span", "expected"),
    [
        ("tcp", Span(30, 90), True),
        ("tcp", Span(31, 90), False),
        ("-1", Span(30, 90), True),
        ("-1", Span(31, 90), False),
        ("udp", Span(30, 90), False),
    ],
)
def test_a_port_range_is_exposed_at_one_of_its_ports(protocol: str, span: Span, expected: bool) -> None:
    """Every protocol together is exposed where one of them is."""
    assert is_exposed(exposure(HALVES), "ingress", protocol, 4, [span]) is expected


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ("11.128.0.0/16", (Span(25, 30),)),
        ("10.0.0.0/7", (Span(25, 30),)),
        ("12.0.0.0/8", ()),
        ("10.0.0.0/8", ()),
        ("2001::/16", ()),
    ],
)
def test_only_ports_that_named_ranges_reach_as_well(within: str, expected: tuple[Span, ...]) -> None:
    """Whichever of the ranges it is, and by its public addresses."""
    reaches = [*HALVES, reach("10.0.0.0/8", 25, 30)]
    assert exposure(reaches, [range_of(within)])["ingress", "tcp", 4] == expected


def test_an_unlisted_protocol_is_exposed_as_all_protocols_are() -> None:
    """A rule for all protocols opens those that no other rule names."""
    exposed: Exposure = exposure([Reach("ingress", "-1", EVERY_PORT, range_of("11.0.0.0/8"))])
    assert is_exposed(exposed, "ingress", "50", 4, [EVERY_PORT])
    assert not is_exposed(exposed, "egress", "50", 4, [EVERY_PORT])
    assert not is_exposed(exposed, "egress", "-1", 4, [EVERY_PORT])
    assert not is_exposed(exposed, "ingress", "-1", 6, [EVERY_PORT])


def test_port_ranges_meet_at_their_ends() -> None:
    """Both ends are included."""
    assert spans_meet(Span(20, 22), Span(22, 25))
    assert not spans_meet(Span(20, 22), Span(23, 25))
    assert not spans_meet(Span(23, 25), Span(20, 22))


def test_port_ranges_touch_without_a_gap() -> None:
    """In either order."""
    assert spans_touch(Span(20, 22), Span(23, 25))
    assert spans_touch(Span(23, 25), Span(20, 22))
    assert not spans_touch(Span(20, 22), Span(24, 25))
    assert not spans_touch(Span(24, 25), Span(20, 22))
