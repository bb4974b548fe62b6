"""A security group rule as EC2 understands it, in one canonical form.

Two rules are the same rule for EC2 when direction, protocol, ports and source agree; the description, the tags and the
rule id are not part of that identity. Everything that compares rules relies on :attr:`Rule.identity`, so every spelling
of the same rule (``6`` and ``tcp``, ``10.0.0.5/24`` and ``10.0.0.0/24``) has to end in the same text here.

What does not belong here: how CloudTrail, EC2 or our own messages spell a rule (``shared.wire``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

Direction = Literal["ingress", "egress"]
SourceKind = Literal["ipv4", "ipv6", "prefix_list", "group"]
Tags = tuple[tuple[str, str], ...]

DIRECTIONS: Final[tuple[Direction, ...]] = ("ingress", "egress")
ALL_PROTOCOLS: Final = "-1"

# EC2 takes these numbers and names for the same protocol and answers with the name.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
_PROTOCOL_NAMES: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": ALL_PROTOCOLS}
_PROTOCOLS_WITH_PORTS: Final = frozenset({"tcp", "udp"})
_PROTOCOLS_WITH_TYPES: Final = frozenset({"icmp", "icmpv6"})
_NAMED_PROTOCOLS: Final = _PROTOCOLS_WITH_PORTS | _PROTOCOLS_WITH_TYPES | {ALL_PROTOCOLS}
_PROTOCOL_NUMBER: Final = re.compile(r"(-?[0-9]{1,9})\Z")
_LOWEST_PORT: Final = 0
_HIGHEST_PORT: Final = 65535
_ANY_TYPE: Final = -1
_HIGHEST_TYPE: Final = 255
_HIGHEST_PROTOCOL: Final = 255
_WHOLE_INTERNET: Final = frozenset({"0.0.0.0/0", "::/0"})


class RuleError(ValueError):
    """A value that cannot be part of a security group rule; the message names the value and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where traffic of an ingress rule comes from, or where traffic of an egress rule goes to.

    Attributes:
        kind: ``ipv4``, ``ipv6``, ``prefix_list`` or ``group``.
        value: canonical CIDR, prefix list id or security group id; of a group known by name only, ``name:<name>``.
        account: for a group, the 12-digit account that owns it; empty when the event does not say.
        peering: for a group of a peered VPC, the id of the peering connection, where known.
    """

    kind: SourceKind
    value: str
    account: str = ""
    peering: str = field(default="", compare=False)

    @property
    def is_whole_internet(self) -> bool:
        """True for ``0.0.0.0/0`` and ``::/0``."""
        return self.value in _WHOLE_INTERNET


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One security group rule: one source, one port range. Build it with :func:`make_rule`.

    ``rule_id`` and ``tags`` do not take part in ``==``: a rule that was taken away and restored has a new id, and tags
    do not decide what traffic may pass.

    Attributes:
        direction: ``ingress`` or ``egress``.
        protocol: ``tcp``, ``udp``, ``icmp``, ``icmpv6``, ``-1`` (all) or a protocol number as text.
        from_port: first port, or ICMP type (-1: any); ``None`` where the protocol has no ports.
        to_port: last port, or ICMP code (-1: any); ``None`` where the protocol has no ports.
        source: the other side of the traffic.
        description: free text, may be empty.
        tags: ``(key, value)`` pairs, sorted.
        rule_id: ``sgr-…`` where known.
    """

    direction: Direction
    protocol: str
    from_port: int | None
    to_port: int | None
    source: Source
    description: str = ""
    tags: Tags = field(default=(), compare=False)
    rule_id: str | None = field(default=None, compare=False)

    @property
    def identity(self) -> str:
        """EC2's identity of the rule as text, e.g. ``ingress/tcp/22-22/ipv4/10.0.0.0/8``."""
        ports = "all" if self.from_port is None else f"{self.from_port}-{self.to_port}"
        owner = f"{self.source.account}:" if self.source.kind == "group" else ""
        return f"{self.direction}/{self.protocol}/{ports}/{self.source.kind}/{owner}{self.source.value}"


def make_rule(
    *,
    direction: Direction,
    protocol: str | int,
    source: Source,
    from_port: int | None = None,
    to_port: int | None = None,
    description: str = "",
    tags: Iterable[tuple[str, str]] = (),
    rule_id: str | None = None,
) -> Rule:
    """Build a rule in canonical form.

    Args:
        direction: ``ingress`` or ``egress``.
        protocol: name or number in any spelling EC2 takes: ``"tcp"``, ``"TCP"``, ``6``, ``"6"``, ``"-1"``.
        source: from :func:`cidr`, :func:`prefix_list` or :func:`group`.
        from_port: first port or ICMP type; ``None`` or -1 for all.
        to_port: last port or ICMP code; ``None`` or -1 for all.
        description: free text.
        tags: pairs of key and value, in any order.
        rule_id: ``sgr-…`` where known.

    Raises:
        RuleError: for a protocol or port that EC2 could not have accepted.
    """
    name = canonical_protocol(protocol)
    first, last = _canonical_ports(name, from_port, to_port)
    return Rule(
        direction=direction,
        protocol=name,
        from_port=first,
        to_port=last,
        source=source,
        description=description,
        tags=tuple(sorted(tags)),
        rule_id=rule_id,
    )


def canonical_protocol(protocol: str | int) -> str:
    """Return EC2's own spelling of a protocol: ``"6"`` → ``"tcp"``, ``"ALL"`` → ``"-1"``, ``"050"`` → ``"50"``.

    Raises:
        RuleError: for text that is neither a protocol name EC2 knows nor a number from -1 to 255.
    """
    text = str(protocol).strip().lower()
    number = _PROTOCOL_NUMBER.match(text)
    if number is not None:
        text = str(int(number[1]))
        if not -1 <= int(text) <= _HIGHEST_PROTOCOL:
            raise RuleError(f"protocol {protocol!r} is not a number from -1 to {_HIGHEST_PROTOCOL}")
    text = _PROTOCOL_NAMES.get(text, text)
    if number is not None or text in _NAMED_PROTOCOLS:
        return text
    raise RuleError(f"protocol {protocol!r} is not one of tcp, udp, icmp, icmpv6, -1 or a protocol number")


def _canonical_ports(protocol: str, first: int | None, last: int | None) -> tuple[int | None, int | None]:
    if protocol in _PROTOCOLS_WITH_PORTS:
        if first in (None, -1) and last in (None, -1):
            return _LOWEST_PORT, _HIGHEST_PORT
        return _range(first, last, low=_LOWEST_PORT, high=_HIGHEST_PORT, what="port")
    if protocol in _PROTOCOLS_WITH_TYPES:
        kind, code = _ANY_TYPE if first is None else first, _ANY_TYPE if last is None else last
        for value in (kind, code):
            if not _ANY_TYPE <= value <= _HIGHEST_TYPE:
                raise RuleError(f"ICMP type or code {value} is not from {_ANY_TYPE} to {_HIGHEST_TYPE}")
        # "If you specify all ICMP types, you must specify all ICMP codes" (API_IpPermission).
        return kind, (_ANY_TYPE if kind == _ANY_TYPE else code)
    return None, None  # -1 and all other protocols mean all ports, whatever stands beside them


def _range(first: int | None, last: int | None, *, low: int, high: int, what: str) -> tuple[int, int]:
    start = last if first is None else first
    end = first if last is None else last
    if start is None or end is None or not low <= start <= end <= high:
        raise RuleError(f"{what}s {first} to {last} are not a range within {low} to {high}")
    return start, end


@lru_cache(maxsize=4096)
def cidr(text: str) -> Source:
    """Return the source for an IPv4 or IPv6 block in EC2's canonical text.

    Host bits are cleared as EC2 clears them (``100.68.0.18/18`` → ``100.68.0.0/18``), IPv6 is written in its short
    form.

    Raises:
        RuleError: when the text is no CIDR block.
    """
    try:
        if "%" in text:
            raise ValueError("a zone has no meaning in a rule")
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise RuleError(f"{text!r} is not an IPv4 or IPv6 CIDR block") from error
    if network.version == 4:
        return Source(kind="ipv4", value=str(network))
    mapped = network.network_address.ipv4_mapped
    if mapped is not None:  # Python 3.13 writes these with dots, earlier ones do not; both accounts have to agree
        return Source(kind="ipv6", value=f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}/{network.prefixlen}")
    return Source(kind="ipv6", value=str(network))


def prefix_list(prefix_list_id: str) -> Source:
    """Return the source for a managed prefix list (``pl-…``)."""
    return Source(kind="prefix_list", value=prefix_list_id)


def group(group_id: str, *, account: str = "", peering: str = "") -> Source:
    """Return the source for another security group.

    Args:
        group_id: ``sg-…``.
        account: 12-digit id of the account that owns the group; empty when unknown.
        peering: id of the VPC peering connection over which the group is reached, if any.
    """
    return Source(kind="group", value=group_id, account=account, peering=peering)


def group_by_name(name: str, *, account: str = "") -> Source:
    """Return the source for a security group of which only the name is known (default VPC)."""
    return Source(kind="group", value=f"name:{name}", account=account)
