"""Address arithmetic: what is private, what together is the internet."""

from __future__ import annotations

import pytest

from shared.domain.networks import (
    PRIVATE,
    Range,
    has_private_part,
    intersection,
    is_internet,
    is_private,
    is_within,
    merged,
    public_addresses,
    range_of,
    touches,
)


def test_a_block_is_its_first_and_last_address() -> None:
    """Both ends are included, in both families."""
    assert range_of("10.0.0.0/8") == Range(4, 10 << 24, (11 << 24) - 1)
    assert range_of("::1/128") == Range(6, 1, 1)
    assert range_of("::ffff:a00:1/128") == Range(6, (0xFFFF << 32) + (10 << 24) + 1, (0xFFFF << 32) + (10 << 24) + 1)


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "fe80::%eth0/64", "sg-1"])
def test_what_is_not_a_block_is_refused(text: str) -> None:
    """Host bits are refused too: whoever wrote them meant another block."""
    with pytest.raises(ValueError, match=r"."):
        range_of(text)


@pytest.mark.parametrize(
    "cidr",
    [
        *("10.0.0.0/8", "10.1.2.3/32", "172.16.0.0/12", "192.168.255.0/24", "100.64.0.0/10", "169.254.169.254/32"),
        *("127.0.0.1/32", "fc00::/7", "fd12::/16", "fe80::/10", "::1/128"),
    ],
)
def test_private_ranges_are_private(cidr: str) -> None:
    """Private, shared, link-local and loopback ranges, unique local ones of IPv6."""
    assert is_private(range_of(cidr))


@pytest.mark.parametrize(
    "cidr",
    [
        *("0.0.0.0/0", "10.0.0.0/7", "172.32.0.0/16", "100.128.0.0/9", "11.0.0.0/8", "192.0.2.0/24", "224.0.0.0/4"),
        *("0.0.0.0/32", "::/0", "::/128", "2001:db8::/32", "::ffff:a00:0/104", "64:ff9b::/96", "fec0::/10"),
    ],
)
def test_everything_else_is_public(cidr: str) -> None:
    """Also what Python calls private in some versions: documentation, reserved and mapped ranges."""
    assert not is_private(range_of(cidr))


def test_a_range_may_be_private_in_part() -> None:
    """In whatever range of the list."""
    assert has_private_part(range_of("10.0.0.0/7"))
    assert has_private_part(range_of("::/0"))
    assert has_private_part(range_of("192.168.1.0/24"))
    assert not has_private_part(range_of("11.0.0.0/8"))


def test_private_ranges_do_not_touch() -> None:
    """Otherwise a range over two of them would be called public."""
    assert len(merged(PRIVATE)) == len(PRIVATE)


def test_ranges_that_follow_each_other_touch() -> None:
    """Without a gap, in one family."""
    low, high = range_of("10.0.0.0/9"), range_of("10.128.0.0/9")
    assert touches(low, high)
    assert touches(high, low)
    assert not touches(low, range_of("11.0.0.0/8"))
    assert not touches(range_of("0.0.0.0/0"), range_of("::/0"))


def test_merged_ranges_hold_the_same_addresses() -> None:
    """Halves become one, what is inside disappears, gaps and families stay."""
    parts = ["10.128.0.0/9", "10.0.0.0/9", "10.1.0.0/16", "12.0.0.0/8", "::/1"]
    assert merged(map(range_of, parts)) == (range_of("10.0.0.0/8"), range_of("12.0.0.0/8"), range_of("::/1"))
    assert merged(()) == ()


def test_what_two_ranges_have_in_common() -> None:
    """The smaller of two blocks, or nothing."""
    assert intersection(range_of("10.0.0.0/8"), range_of("10.1.0.0/16")) == range_of("10.1.0.0/16")
    assert intersection(range_of("10.0.0.0/8"), range_of("11.0.0.0/8")) is None
    assert intersection(range_of("0.0.0.0/0"), range_of("::/0")) is None


def test_a_range_is_within_one_of_several() -> None:
    """Both ends have to be, in the same family."""
    ranges = (range_of("10.0.0.0/8"), range_of("fc00::/7"))
    assert is_within(range_of("fd00::/8"), ranges)
    assert not is_within(range_of("10.0.0.0/7"), ranges)
    assert not is_within(Range(6, 10 << 24, 10 << 24), ranges)


def test_public_addresses_are_counted_once() -> None:
    """Overlaps once, private ones never."""
    assert public_addresses(map(range_of, ["11.0.0.0/24", "11.0.0.0/25", "10.0.0.0/8"]), 4) == 256
    assert public_addresses([range_of("10.0.0.0/7")], 4) == 1 << 24
    assert public_addresses([range_of("11.0.0.0/24")], 6) == 0
    private = 2**24 + 2**20 + 2**16 + 2**22 + 2**16 + 2**24
    assert public_addresses([range_of("0.0.0.0/0")], 4) == 2**32 - private


@pytest.mark.parametrize(
    ("cidrs", "version", "expected"),
    [
        (["0.0.0.0/0"], 4, True),
        (["11.0.0.0/8"], 4, True),
        (["11.0.0.0/9", "11.128.0.0/9"], 4, True),
        (["11.0.0.0/9", "13.0.0.0/9"], 4, True),
        (["11.0.0.0/9", "11.128.0.0/10"], 4, False),
        (["10.0.0.0/8", "172.16.0.0/12"], 4, False),
        (["10.0.0.0/7"], 4, True),
        (["2001::/16"], 6, True),
        (["2001::/17"], 6, False),
        (["2001::/17", "2003::/17"], 6, True),
        (["fc00::/7"], 6, False),
        (["0.0.0.0/0"], 6, False),
    ],
)
def test_a_slash_8_or_a_slash_16_is_the_internet(cidrs: list[str], version: int, expected: bool) -> None:
    """As many public addresses, in one range or in several."""
    assert is_internet(map(range_of, cidrs), version) is expected
