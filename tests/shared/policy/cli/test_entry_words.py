"""An entry of ``[[rules]]`` in plain words: what it matches, who decides, for how long."""

from __future__ import annotations

import pytest

from shared.policy.cli.entry_words import entry_in_words
from shared.wire.policy_document import parse_policies

EVERYBODY = "everybody who can click in the approval channel"


def said(match: str, rest: str = "", general: str = "") -> str:
    """The sentence about the only entry."""
    policy = parse_policies(f"{general}\n[[rules]]\nmatch = {{ {match} }}\n{rest}\n").general
    return entry_in_words(policy.rules[0], policy)


SSH = 'source = ["internet"], ports = ["22", "3389"], protocols = ["tcp"]'


@pytest.mark.parametrize(
    ("match", "rest", "general", "sentence"),
    [
        (
            SSH,
            "approvals = 2\nmax_hours = 8",
            'approvers = ["U1", "U2", "U3"]',
            "SSH (22/tcp) or RDP (3389/tcp) to the internet needs 2 of U1, U2, U3, for at most 8 hours.",
        ),
        (
            'source = ["internet"], ports = ["23"]',
            'deny = "Telnet is never opened."',
            "",
            'Telnet (23) to the internet is denied at once: "Telnet is never opened".',
        ),
        ("", "", "", f"anything to anybody needs 1 person ({EVERYBODY})."),
        ("", "approvals = 2", "", f"anything to anybody needs 2 different people ({EVERYBODY})."),
        (
            "",
            "approvals = 0\nmax_hours = 0.5",
            "",
            "anything to private addresses or security groups of the same account is allowed at once, and told in "
            "monitoring, for at most 0.5 hours.",
        ),
        (
            'source = ["private", "public"], cidrs = ["203.0.113.0/25", "203.0.113.128/25", "2001:db8::/48"]',
            "approvals = 0",
            "",
            "anything to private addresses or public addresses wholly inside 203.0.113.0/24 or 2001:db8::/48 is "
            "allowed at once, and told in monitoring.",
        ),
        (
            'protocols = ["udp", "icmp"], cidrs = ["10.0.0.0/8"], directions = ["egress"], kinds = ["add", "modify"]',
            'approvers = ["U1"]\nmention = ["S1", "U2"]',
            "",
            "outbound UDP or ICMP to addresses overlapping 10.0.0.0/8, when added or edited, needs 1 of U1; "
            "the question names S1, U2.",
        ),
        (
            'ports = ["8000-8100", "7"], protocols = ["tcp", "udp"], source = ["group", "prefix_list"]',
            'approvers = ["U1", "S1"]',
            'approvers = ["U2", "U3"]',
            "port 7/tcp+udp or ports 8000-8100/tcp+udp to security groups or prefix lists needs 1 of U2, U3 who are "
            "also in U1, S1.",
        ),
        (
            'protocols = ["-1"], accounts = ["222222222222"], regions = ["eu-*"], groups = ["sg-0a*", "sg-1"], '
            'principals = ["*:role/ci"], kinds = ["remove"]',
            'approvers = ["U1"]',
            'approvers = ["U2"]',
            "anything to anybody, when removed, in account 222222222222 in region eu-* in group sg-0a* or sg-1 by "
            "*:role/ci needs 1 of nobody.",
        ),
        (
            'ports = ["1", "3", "5", "7", "9", "11"]',
            "",
            "",
            f"port 1, port 3, port 5, port 7 and 2 more to anybody needs 1 person ({EVERYBODY}).",
        ),
    ],
)
def test_an_entry_is_a_sentence(match: str, rest: str, general: str, sentence: str) -> None:
    """Whoever reviews a policy reads what a change needs."""
    assert said(match, rest, general) == f"rules[0]: {sentence}"
