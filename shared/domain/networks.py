"""Address arithmetic: ranges as pairs of integers, what is private, and how much of the internet ranges cover.

The private ranges are a list of this module. ``ipaddress.is_private`` changed between Python versions, and both
accounts have to agree.

What does not belong here: ports, and what a policy makes of a range (``shared.domain.risk_rule``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple


class Range(NamedTuple):
    """Addresses of one family, from ``first`` to ``last``, both included.

    Attributes:
        version: 4 or 6.
        first: the lowest address as an integer.
        last: the highest address as an integer.
    """

    version: int
    first: int
    last: int


@lru_cache(maxsize=8192)
def range_of(cidr: str) -> Range:
    """Return the addresses of a CIDR block.

    Raises:
        ValueError: when the text is not an IPv4 or IPv6 CIDR block without host bits.
    """
    if "%" in cidr:
        raise ValueError(f"{cidr!r} has a zone, which has no meaning in a rule")
    network = ipaddress.ip_network(cidr)
    return Range(network.version, int(network.network_address), int(network.broadcast_address))


PRIVATE: Final = tuple(
    range_of(cidr)
    for cidr in (
        # https://www.iana.org/assignments/iana-ipv4-special-registry/
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # private
        *("100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),  # shared, link-local, loopback
        # https://www.iana.org/assignments/iana-ipv6-special-registry/
        *("fc00::/7", "fe80::/10", "::1/128"),  # unique local, link-local, loopback
    )
)
"""Everything that is not public; no two of them touch."""

INTERNET: Final = {4: 1 << (32 - 8), 6: 1 << (128 - 16)}
"""From how many public addresses on ranges are the internet: a /8 of IPv4, a /16 of IPv6."""


def touches(one: Range, other: Range) -> bool:
    """Say whether two ranges overlap or follow each other without a gap."""
    return one.version == other.version and one.first <= other.last + 1 and other.first <= one.last + 1


def intersection(one: Range, other: Range) -> Range | None:
    """Return the addresses that are in both ranges, ``None`` when there are none."""
    first, last = max(one.first, other.first), min(one.last, other.last)
    return Range(one.version, first, last) if one.version == other.version and first <= last else None


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return the same addresses in as few ranges as possible, sorted."""
    result: list[Range] = []
    for one in sorted(ranges):
        if result and touches(result[-1], one):
            result[-1] = result[-1]._replace(last=max(result[-1].last, one.last))
        else:
            result.append(one)
    return tuple(result)


def is_within(one: Range, ranges: Iterable[Range]) -> bool:
    """Say whether every address of ``one`` is in ``ranges``, which are :func:`merged`."""
    return any(each.version == one.version and each.first <= one.first and one.last <= each.last for each in ranges)


@lru_cache(maxsize=8192)
def is_private(one: Range) -> bool:
    """Say whether no address of a range is public."""
    return is_within(one, PRIVATE)


def has_private_part(one: Range) -> bool:
    """Say whether some address of a range is not public."""
    return any(intersection(one, each) is not None for each in PRIVATE)


def public_addresses(ranges: Iterable[Range], version: int) -> int:
    """Return how many public addresses of one family are in the ranges; each is counted once."""
    return sum(_public_size(one) for one in merged(each for each in ranges if each.version == version))


def is_internet(ranges: Iterable[Range], version: int) -> bool:
    """Say whether the ranges of one family together hold as many public addresses as count as the internet."""
    family = [each for each in ranges if each.version == version]
    # Counting what ranges have in common more than once is quicker, and enough to rule out most of them.
    return sum(map(_public_size, family)) >= INTERNET[version] <= public_addresses(family, version)


@lru_cache(maxsize=8192)
def _public_size(one: Range) -> int:
    private = (intersection(one, each) for each in PRIVATE)
    return _size(one) - sum(_size(each) for each in private if each is not None)


def _size(one: Range) -> int:
    return one.last - one.first + 1
