"""Security group rules to try entries of ``[[rules]]`` with, where a policy is checked without any change at hand.

What does not belong here: what their result means (``rule_checks``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from shared.domain.change import Change, GuardedKind, Modification, make_change
from shared.domain.exposure import Span
from shared.domain.needs import Needs, needs
from shared.domain.networks import PRIVATE, Range
from shared.domain.policy import Policy
from shared.domain.risk_rule import RequestFacts, RiskRule
from shared.domain.rule import DIRECTIONS, Direction, Rule, Source, cidr, group, make_rule, prefix_list

ACCOUNT: Final = "000000000000"
_PARTITION: Final = "aws"  # any will do: nobody is meant
_ANYWHERE: Final = RequestFacts(
    account=ACCOUNT,
    region="xx-nowhere-9",
    group_id="sg-00000000000000000",
    principal_arn=f"arn:{_PARTITION}:iam::{ACCOUNT}:role/nobody-in-particular",
    change=None,
)
_SOURCES: Final = (
    *map(cidr, ("0.0.0.0/0", "198.51.100.7/32", "10.9.8.7/32", "::/0", "2001:db8::7/128", "fd00::7/128")),
    *(group("sg-00000000000000001", account=ACCOUNT), group("sg-00000000000000001", account="111111111111")),
    prefix_list("pl-00000000000000000"),
)
_WITH_PORTS: Final = ("tcp", "udp")
_UNUSUAL: Final = 49151
_TRAFFIC: Final = (("tcp", _UNUSUAL), ("udp", _UNUSUAL), ("icmp", None), ("-1", None), ("50", None))


def needed_anywhere(policy: Policy, account: str) -> Iterator[Needs]:
    """Yield what additions and edits of many kinds need, at a place and by a principal that no entry names.

    Args:
        policy: what holds.
        account: for a 12-digit account; empty: for one that no entry names.
    """
    facts = replace(_ANYWHERE, account=account or ACCOUNT)
    kinds: list[GuardedKind] = [kind for kind in policy.guard if kind != "remove"]
    for direction in policy.directions:
        for source in _SOURCES:
            for protocol, port in _TRAFFIC:
                rule = make_rule(direction=direction, protocol=protocol, from_port=port, to_port=port, source=source)
                for kind in kinds:
                    yield needs(policy.rules, replace(facts, change=change_of(kind, rule)))


def may_be_let_through(entry: RiskRule, policy: Policy) -> bool:
    """Say whether some change inside an entry with 0 approvals needs none, whatever other entries say.

    Other entries for certain places and principals only do not count, unless they name the same as this one.
    """
    here = [_anywhere(one) for one in policy.rules if _holds_wherever(one, entry)]
    return any(
        needs([_anywhere(entry), *here], replace(_ANYWHERE, change=change_of(kind, rule))).approvals == 0
        for kind in entry.kinds or policy.guard
        for rule in _rules_inside(entry, policy.directions)
    )


def change_of(kind: GuardedKind, rule: Rule) -> Change:
    """Return the change that does this to one rule; an edit leaves its values as they are."""
    if kind == "add":
        return make_change(added=[rule])
    if kind == "remove":
        return make_change(removed=[rule])
    return make_change(modified=[Modification(before=rule, after=rule)])


def _anywhere(entry: RiskRule) -> RiskRule:
    return replace(entry, accounts=(), regions=(), groups=(), principals=())


def _holds_wherever(one: RiskRule, entry: RiskRule) -> bool:
    places = ((one.accounts, entry.accounts), (one.regions, entry.regions), (one.groups, entry.groups))
    principals = (one.principals, entry.principals)
    return one != entry and all(not mine or set(mine) >= set(its) > set() for mine, its in (*places, principals))


def _rules_inside(entry: RiskRule, guarded: Sequence[Direction]) -> Iterator[Rule]:
    for direction in entry.directions or guarded or DIRECTIONS:
        for source in _sources_inside(entry):
            for protocol in _protocols_inside(entry):
                for port in _ports_inside(entry, protocol):
                    yield make_rule(direction=direction, protocol=protocol, from_port=port, to_port=port, source=source)


def _sources_inside(entry: RiskRule) -> Iterator[Source]:
    for addresses in entry.cidrs or PRIVATE:
        yield from (cidr(str(address)) for address in _some_addresses(addresses))
    yield group("sg-00000000000000001", account=ACCOUNT)


def _some_addresses(addresses: Range) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    kind = ipaddress.IPv4Address if addresses.version == 4 else ipaddress.IPv6Address
    for address in (addresses.first, (addresses.first + addresses.last) // 2, addresses.last):
        yield kind(address)


def _protocols_inside(entry: RiskRule) -> Sequence[str]:
    with_ports = [one for one in entry.protocols or _WITH_PORTS if one in _WITH_PORTS]
    return with_ports or (["tcp"] if "-1" in entry.protocols else entry.protocols)


def _ports_inside(entry: RiskRule, protocol: str) -> Iterator[int | None]:
    if protocol not in _WITH_PORTS:
        yield None
        return
    for span in entry.ports or (Span(_UNUSUAL, _UNUSUAL),):
        yield span.first
