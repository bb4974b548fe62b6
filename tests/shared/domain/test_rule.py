"""Rules in canonical form: every spelling EC2 takes for the same rule ends in the same value."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.rule import (
    Rule,
    RuleError,
    Source,
    canonical_protocol,
    cidr,
    group,
    group_by_name,
    make_rule,
    prefix_list,
)
from tests.support import strategies

ANYWHERE = cidr("0.0.0.0/0")


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("tcp", "tcp"),
        ("TCP", "tcp"),
        (6, "tcp"),
        ("6", "tcp"),
        ("006", "tcp"),
        ("17", "udp"),
        ("1", "icmp"),
        ("ICMPv6", "icmpv6"),
        (58, "icmpv6"),
        ("-1", "-1"),
        (-1, "-1"),
        ("all", "-1"),
        (" ALL ", "-1"),
        ("050", "50"),
        ("0", "0"),
        ("-0", "0"),
        (255, "255"),
    ],
)
def test_a_protocol_is_written_as_ec2_writes_it(spelling: str | int, canonical: str) -> None:
    """Names and numbers of the same protocol become EC2's own spelling."""
    assert canonical_protocol(spelling) == canonical


@pytest.mark.parametrize(
    "nonsense", ["", "any", "sctp", "256", "-2", "--5", "-", "6.0", "٦", "1_0", "9" * 5000, "tcp\n17"]
)
def test_a_protocol_that_ec2_cannot_know_is_refused_by_name(nonsense: str) -> None:
    """What is neither a known name nor a number from -1 to 255 is a RuleError, never another error or a rule."""
    with pytest.raises(RuleError, match="protocol"):
        canonical_protocol(nonsense)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("ports", [(None, None), (-1, -1), (None, -1), (0, 65535)])
def test_no_ports_means_all_ports_of_tcp_and_udp(protocol: str, ports: tuple[int | None, int | None]) -> None:
    """Absent ports and -1 are the whole range, so that such a rule equals the one EC2 stores."""
    rule = make_rule(direction="ingress", protocol=protocol, source=ANYWHERE, from_port=ports[0], to_port=ports[1])
    assert (rule.from_port, rule.to_port) == (0, 65535)


@pytest.mark.parametrize("ports", [(22, None), (None, 22), (22, 22)])
def test_one_port_is_a_range_of_one(ports: tuple[int | None, int | None]) -> None:
    """A missing end of a port range is the other end."""
    rule = make_rule(direction="ingress", protocol="tcp", source=ANYWHERE, from_port=ports[0], to_port=ports[1])
    assert (rule.from_port, rule.to_port) == (22, 22)


@pytest.mark.parametrize("ports", [(23, 22), (-1, 22), (22, -1), (0, 65536), (-2, 5), (70000, None)])
def test_ports_that_are_no_range_are_refused(ports: tuple[int, int | None]) -> None:
    """Backward ranges and ports outside of 0 to 65535 cannot be in EC2."""
    with pytest.raises(RuleError, match="not a range within 0 to 65535"):
        make_rule(direction="ingress", protocol="tcp", source=ANYWHERE, from_port=ports[0], to_port=ports[1])


@pytest.mark.parametrize("protocol", ["-1", "50", "0"])
@pytest.mark.parametrize("ports", [(None, None), (-1, -1), (22, 22), (0, 65535)])
def test_protocols_without_ports_have_none_whatever_was_sent(
    protocol: str, ports: tuple[int | None, int | None]
) -> None:
    """All and odd protocols mean all ports, so ports beside them must not make another rule."""
    rule = make_rule(direction="ingress", protocol=protocol, source=ANYWHERE, from_port=ports[0], to_port=ports[1])
    assert (rule.from_port, rule.to_port) == (None, None)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [((None, None), (-1, -1)), ((8, None), (8, -1)), ((8, 0), (8, 0)), ((-1, 3), (-1, -1)), ((255, 255), (255, 255))],
)
@pytest.mark.parametrize("protocol", ["icmp", "58"])
def test_icmp_types_and_codes_default_to_any(
    protocol: str, sent: tuple[int | None, int | None], stored: tuple[int, int]
) -> None:
    """All types take all codes with them, and what is absent is any."""
    rule = make_rule(direction="ingress", protocol=protocol, source=ANYWHERE, from_port=sent[0], to_port=sent[1])
    assert (rule.from_port, rule.to_port) == stored


@pytest.mark.parametrize("ports", [(256, 0), (8, 256), (-2, -1)])
def test_icmp_types_that_do_not_exist_are_refused(ports: tuple[int, int]) -> None:
    """A type or code outside of -1 to 255 cannot be in EC2."""
    with pytest.raises(RuleError, match="ICMP type or code"):
        make_rule(direction="ingress", protocol="icmp", source=ANYWHERE, from_port=ports[0], to_port=ports[1])


@pytest.mark.parametrize(
    ("sent", "kind", "stored"),
    [
        ("100.68.0.18/18", "ipv4", "100.68.0.0/18"),
        ("10.0.0.5/24", "ipv4", "10.0.0.0/24"),
        (" 0.0.0.0/0 ", "ipv4", "0.0.0.0/0"),
        ("203.0.113.7", "ipv4", "203.0.113.7/32"),
        ("2001:0DB8:0:0:0:0:0:1/32", "ipv6", "2001:db8::/32"),
        ("0:0:0:0:0:0:0:0/0", "ipv6", "::/0"),
    ],
)
def test_a_cidr_block_is_written_as_ec2_writes_it(sent: str, kind: str, stored: str) -> None:
    """Host bits are cleared and IPv6 is written in its short form."""
    assert cidr(sent) == Source(kind=kind, value=stored)  # type: ignore[arg-type]  # a literal from the table above


@pytest.mark.parametrize("nonsense", ["", "10.0.0.0/33", "10.0.0/8", "sg-1", "::/129", "anywhere", "fe80::1%eth0/64"])
def test_text_that_is_no_cidr_block_is_refused(nonsense: str) -> None:
    """A RuleError names the text."""
    with pytest.raises(RuleError, match="CIDR block"):
        cidr(nonsense)


@given(st.ip_addresses(), st.data())
def test_every_spelling_of_a_block_is_the_same_source(address: ipaddress.IPv4Address, data: st.DataObject) -> None:
    """Host bits, upper case and long forms change nothing, and canonical text stays as it is."""
    bits = data.draw(st.integers(0, address.max_prefixlen))
    spellings = {f"{address}/{bits}", f"{address.exploded}/{bits}", f"{str(address).upper()}/{bits}"}
    found = {cidr(spelling) for spelling in spellings}
    assert len(found) == 1
    (source,) = found
    assert cidr(source.value) == source
    assert address in ipaddress.ip_network(source.value)


@pytest.mark.parametrize("version", ["::ffff:10.0.0.0/104", "::ffff:a00:0/104"])
def test_an_ipv4_address_inside_ipv6_has_one_text_on_every_python(version: str) -> None:
    """Python 3.13 began to write these with dots; the two accounts must agree whatever they run."""
    assert cidr(version).value == "::ffff:a00:0/104"


def test_only_the_whole_internet_is_the_whole_internet() -> None:
    """Both families count, and nothing smaller does."""
    assert cidr("0.0.0.0/0").is_whole_internet
    assert cidr("::/0").is_whole_internet
    assert not cidr("0.0.0.0/1").is_whole_internet
    assert not prefix_list("pl-1").is_whole_internet


def test_identity_is_direction_protocol_ports_and_source() -> None:
    """The text that the state table and every comparison rely on has this very form."""
    source = group("sg-1", account="333333333333", peering="pcx-1")
    assert (
        make_rule(direction="ingress", protocol=6, from_port=22, to_port=23, source=source).identity
        == "ingress/tcp/22-23/group/333333333333:sg-1"
    )
    assert make_rule(direction="egress", protocol="-1", source=ANYWHERE).identity == "egress/-1/all/ipv4/0.0.0.0/0"
    by_name = make_rule(direction="ingress", protocol="icmp", source=group_by_name("web", account="1"))
    assert by_name.identity == "ingress/icmp/-1--1/group/1:name:web"


def test_groups_of_two_accounts_are_two_sources() -> None:
    """The owner belongs to a group reference."""
    ours, theirs = group("sg-1", account="222222222222"), group("sg-1", account="333333333333")
    assert ours != theirs
    rules = [make_rule(direction="ingress", protocol="tcp", source=one) for one in (ours, theirs)]
    assert rules[0].identity != rules[1].identity


@given(strategies.rules(), strategies.descriptions, strategies.tags, strategies.rule_ids)
def test_description_tags_and_id_are_not_part_of_the_identity(
    rule: Rule, description: str, tags: tuple[tuple[str, str], ...], rule_id: str
) -> None:
    """EC2 sees the same rule; only a new description makes another value, because people read it."""
    other = replace(rule, description=description, tags=tags, rule_id=rule_id)
    assert other.identity == rule.identity
    assert (other == rule) == (description == rule.description)


@given(strategies.rules(), strategies.rules())
def test_the_identity_tells_different_rules_apart(one: Rule, other: Rule) -> None:
    """Two rules have the same identity exactly when everything EC2 compares is the same."""

    def essence(rule: Rule) -> tuple[object, ...]:
        return rule.direction, rule.protocol, rule.from_port, rule.to_port, rule.source

    assert (one.identity == other.identity) == (essence(one) == essence(other))


@given(strategies.rules())
def test_canonical_form_is_a_fixed_point(rule: Rule) -> None:
    """Building a rule from a canonical one gives the same rule, tags sorted."""
    again = make_rule(
        direction=rule.direction,
        protocol=rule.protocol.upper(),
        from_port=rule.from_port,
        to_port=rule.to_port,
        source=rule.source,
        description=rule.description,
        tags=reversed(rule.tags),
        rule_id=rule.rule_id,
    )
    assert again == rule
    assert (again.tags, again.rule_id) == (rule.tags, rule.rule_id)
