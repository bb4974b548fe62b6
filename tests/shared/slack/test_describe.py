"""A rule is described in the words of those who decide about it."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.change import Modification
from shared.domain.rule import Rule, Source, cidr, group, group_by_name, make_rule, prefix_list
from shared.slack.describe import (
    edit_lines,
    edit_sentence,
    internet_reach,
    number_of_rules,
    peer,
    rule_lines,
    sentence,
    traffic,
)
from tests.shared.slack.examples import tcp


@pytest.mark.parametrize(
    ("protocol", "first", "last", "words"),
    [
        ("tcp", 22, 22, "TCP 22 (SSH)"),
        ("udp", 53, 53, "UDP 53 (DNS)"),
        ("tcp", 12345, 12345, "TCP 12345"),
        ("tcp", 20, 25, "TCP 20-25"),
        ("udp", None, None, "UDP all ports (0-65535)"),
        ("-1", None, None, "All traffic (every protocol, all ports)"),
        ("50", None, None, "Protocol 50 (ESP), all ports"),
        ("99", None, None, "Protocol 99, all ports"),
        ("icmp", -1, -1, "ICMP, all types"),
        ("icmp", 8, -1, "ICMP echo request (type 8)"),
        ("icmp", 3, 1, "ICMP destination unreachable (type 3), code 1 (host unreachable)"),
        ("icmp", 3, 200, "ICMP destination unreachable (type 3), code 200"),
        ("icmp", 200, 0, "ICMP type 200, code 0"),
        ("icmpv6", 128, -1, "ICMPv6 echo request (type 128)"),
        ("icmpv6", 1, 4, "ICMPv6 destination unreachable (type 1), code 4 (port unreachable)"),
    ],
)
def test_protocol_and_ports_have_their_names_beside_the_numbers(
    protocol: str, first: int | None, last: int | None, words: str
) -> None:
    """ICMP types, protocols and well-known ports are named, and the number always stands there."""
    rule = make_rule(direction="ingress", protocol=protocol, from_port=first, to_port=last, source=cidr("10.0.0.0/8"))
    assert traffic(rule) == words


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (cidr("203.0.113.5/32"), "203.0.113.5/32"),
        (cidr("0.0.0.0/0"), "0.0.0.0/0 (the whole internet)"),
        (cidr("::/0"), "::/0 (the whole internet)"),
        (cidr("128.0.0.0/1"), "128.0.0.0/1 (a large part of the internet)"),
        (cidr("2000::/3"), "2000::/3 (a large part of the internet)"),
        (prefix_list("pl-1a2b"), "prefix list pl-1a2b"),
        (group("sg-1a2b"), "group sg-1a2b"),
        (group("sg-1a2b", account="111111111111"), "group sg-1a2b of account 111111111111"),
        (
            group("sg-1a2b", account="111111111111", peering="pcx-9"),
            "group sg-1a2b of account 111111111111 over peering pcx-9",
        ),
        (group_by_name("web\u202e"), "group named web\\u202e"),
    ],
)
def test_every_kind_of_source_is_named_in_full(source: Source, words: str) -> None:
    """Blocks, prefix lists and groups with their account and peering are told apart."""
    assert peer(source) == words


@pytest.mark.parametrize("block", ["10.0.0.0/8", "8.0.0.0/8", "fc00::/7", "2600::/16", "127.0.0.0/8"])
def test_ordinary_and_private_blocks_get_no_remark(block: str) -> None:
    """A remark everywhere would be read nowhere."""
    assert internet_reach(cidr(block)) == ""


def test_an_outbound_rule_says_so() -> None:
    """Direction turns the sentence around."""
    assert sentence(tcp(443)) == "TCP 443 (HTTPS) from 10.0.0.0/8"
    assert sentence(tcp(443, direction="egress")) == "Outbound: TCP 443 (HTTPS) to 10.0.0.0/8"


def test_a_rule_shows_its_whole_description_and_every_tag() -> None:
    """Each stands on a line of its own, and none can pretend to be another line."""
    rule = tcp(22, description="d" * 255, tags=[("b", "2"), ("a", "1\nTag: c = 3")])
    assert rule_lines(rule) == (
        *("TCP 22 (SSH) from 10.0.0.0/8", "Description: " + "d" * 255),
        *("Tag: a = 1\\u000aTag: c = 3", "Tag: b = 2"),
    )
    assert rule_lines(tcp(22))[1] == "No description"


def test_an_edit_shows_before_and_after() -> None:
    """Both sides stand there in full, a new description too."""
    edit = Modification(before=tcp(22, description="old"), after=tcp(80, description="new"))
    assert edit_lines(edit) == (
        *("Before: TCP 22 (SSH) from 10.0.0.0/8", "Description: old"),
        *("After: TCP 80 (HTTP) from 10.0.0.0/8", "Description: new"),
    )
    assert edit_sentence(edit) == "TCP 22 (SSH) from 10.0.0.0/8, to become TCP 80 (HTTP) from 10.0.0.0/8"
    renamed = Modification(before=tcp(22, description="old"), after=tcp(22, description="new"))
    assert edit_sentence(renamed) == "TCP 22 (SSH) from 10.0.0.0/8 (another description)"


def test_a_rule_without_ports_is_described_too() -> None:
    """A rule that was not built canonically, as an old record might hold it, does not break a message."""
    values: dict[str, Any] = {"direction": "ingress", "source": cidr("10.0.0.0/8"), "from_port": None, "to_port": None}
    assert traffic(Rule(protocol="tcp", **values)) == "Protocol tcp, all ports"
    assert traffic(Rule(protocol="icmp", **values)) == "ICMP, all types"
    assert traffic(Rule(protocol="icmp", **(values | {"from_port": 8}))) == "ICMP echo request (type 8)"


def test_rules_are_counted_by_direction() -> None:
    """Rules of both directions are just rules."""
    inbound, outbound = tcp(22), tcp(22, direction="egress")
    assert number_of_rules([inbound]) == "1 inbound rule"
    assert number_of_rules([outbound, outbound]) == "2 outbound rules"
    assert number_of_rules([inbound, outbound]) == "2 rules"
