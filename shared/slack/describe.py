"""Says in words what a rule lets through: for people who decide about it, often on a phone.

Everything returned here is visible text (``shared.slack.text.visible``), ready for a ``plain_text`` object.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from shared.domain.change import Modification
from shared.domain.rule import ALL_PROTOCOLS, Rule, Source
from shared.slack.describe_names import ICMP_CODES, ICMP_TYPES, PORTS, PROTOCOLS
from shared.slack.text import counted, visible

_ANY: Final = -1
_EVERY_PORT: Final = (0, 65535)
_NAME: Final = "name:"

# Two halves of the address space are as open as the whole; the largest block anybody gets assigned is smaller.
_WIDE_BELOW: Final = {4: 8, 6: 16}


def traffic(rule: Rule) -> str:
    """Return protocol and ports, e.g. ``TCP 22 (SSH)``, ``ICMP echo request (type 8)``, ``All traffic``."""
    if rule.protocol == ALL_PROTOCOLS:
        return "All traffic (every protocol, all ports)"
    if rule.protocol in ICMP_TYPES:
        return _icmp(rule.protocol, rule.from_port, rule.to_port)
    if rule.from_port is None or rule.to_port is None:
        name = PROTOCOLS.get(rule.protocol)
        return f"Protocol {rule.protocol} ({name}), all ports" if name else f"Protocol {rule.protocol}, all ports"
    return f"{rule.protocol.upper()} {_ports(rule.from_port, rule.to_port)}"


def peer(source: Source) -> str:
    """Return the other side, e.g. ``0.0.0.0/0 (the whole internet)`` or ``group sg-0b1c of account 111111111111``."""
    if source.kind == "prefix_list":
        return f"prefix list {visible(source.value)}"
    if source.kind == "group":
        return _group(source)
    reach = internet_reach(source)
    return f"{source.value} ({reach})" if reach else source.value


def internet_reach(source: Source) -> str:
    """Return ``the whole internet``, ``a large part of the internet``, or ``""``."""
    if source.is_whole_internet:
        return "the whole internet"
    if source.kind not in ("ipv4", "ipv6"):
        return ""
    network = ipaddress.ip_network(source.value)
    is_wide = network.prefixlen < _WIDE_BELOW[network.version] and not network.is_private
    return "a large part of the internet" if is_wide else ""


def sentence(rule: Rule) -> str:
    """Return what passes and from or to where, e.g. ``TCP 22 (SSH) from 10.0.0.0/8``; outbound rules say so."""
    if rule.direction == "egress":
        return f"Outbound: {traffic(rule)} to {peer(rule.source)}"
    return f"{traffic(rule)} from {peer(rule.source)}"


def rule_lines(rule: Rule) -> tuple[str, ...]:
    """Return the rule in lines: what passes, the whole description, each tag."""
    description = f"Description: {visible(rule.description)}" if rule.description else "No description"
    tags = (f"Tag: {visible(key)} = {visible(value)}" for key, value in rule.tags)
    return (sentence(rule), description, *tags)


def edit_lines(edit: Modification) -> tuple[str, ...]:
    """Return a modification in lines, before and after."""
    before, after = rule_lines(edit.before), rule_lines(edit.after)
    return (f"Before: {before[0]}", *before[1:], f"After: {after[0]}", *after[1:])


def edit_sentence(edit: Modification) -> str:
    """Return a modification in one line, e.g. ``TCP 22 (SSH) from 10.0.0.0/8, to become TCP 80 (HTTP) from …``."""
    before, after = sentence(edit.before), sentence(edit.after)
    return f"{before} (another description)" if before == after else f"{before}, to become {after}"


def number_of_rules(rules: Iterable[Rule]) -> str:
    """Return e.g. ``2 inbound rules``; rules of both directions are just ``3 rules``."""
    directions = [rule.direction for rule in rules]
    word = {frozenset({"ingress"}): "inbound rule", frozenset({"egress"}): "outbound rule"}
    return counted(len(directions), word.get(frozenset(directions), "rule"))


def _group(source: Source) -> str:
    text = visible(source.value)
    text = f"group named {text.removeprefix(_NAME)}" if text.startswith(_NAME) else f"group {text}"
    if source.account:
        text += f" of account {visible(source.account)}"
    if source.peering:
        text += f" over peering {visible(source.peering)}"
    return text


def _ports(first: int, last: int) -> str:
    if (first, last) == _EVERY_PORT:
        return "all ports (0-65535)"
    if first != last:
        return f"{first}-{last}"
    return f"{first} ({PORTS[first]})" if first in PORTS else str(first)


def _icmp(protocol: str, kind: int | None, code: int | None) -> str:
    label = "ICMPv6" if protocol == "icmpv6" else "ICMP"
    if kind is None or kind == _ANY:
        return f"{label}, all types"
    name = ICMP_TYPES[protocol].get(kind)
    text = f"{label} {name} (type {kind})" if name else f"{label} type {kind}"
    if code is None or code == _ANY:
        return text
    code_name = ICMP_CODES.get((protocol, kind), {}).get(code)
    return f"{text}, code {code} ({code_name})" if code_name else f"{text}, code {code}"
