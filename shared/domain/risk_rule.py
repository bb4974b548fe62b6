"""One entry of the policy's ``[[rules]]``, and which security group rules it matches.

An entry that asks for less than the default matches only rules that lie wholly inside it; every other entry matches
whatever overlaps it.

What does not belong here: what several entries ask for together (``shared.domain.needs``).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from shared.domain.exposure import EVERY_PORT, Exposure, Reach, Span, is_exposed, spans_meet
from shared.domain.networks import Range, intersection, is_private, is_within, range_of
from shared.domain.rule import ALL_PROTOCOLS, Direction, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.domain.change import Change, GuardedKind

SourceClass = Literal["internet", "public", "private", "group", "prefix_list"]

WITH_PORTS: Final = frozenset({"tcp", "udp"})
_WITH_TYPES: Final = frozenset({"icmp", "icmpv6"})
_PUBLIC_CLASSES: Final = frozenset({"internet", "public"})
_OPENING_KINDS: Final = frozenset({"add", "modify"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """One entry; what is left out (empty) matches everything. ``ports`` and ``cidrs`` are merged, as the parser does.

    Attributes:
        place: where it stands in the file, e.g. ``rules[0]``; this names it in explanations.
        sources: classes of sources.
        ports: port ranges.
        protocols: canonical protocols; ``-1`` stands for every protocol.
        kinds: kinds of change.
        directions: directions of a rule.
        groups: globs over the id of the changed security group.
        accounts: 12-digit ids of member accounts.
        regions: globs over the names of regions.
        principals: globs over the ARN of the IAM user, or of the role behind a session.
        cidrs: address ranges.
        approvals: how many different people have to approve; 0: none.
        approvers: Slack ids of users or user groups, of whom each approver has to be one; empty: anybody.
        max_hours: the longest a change may be approved for; ``None``: for good.
        deny: why such a change is denied at once; empty: it is not.
        mention: Slack ids of users or user groups that the question names.
    """

    place: str = "rules"
    sources: tuple[SourceClass, ...] = ()
    ports: tuple[Span, ...] = ()
    protocols: tuple[str, ...] = ()
    kinds: tuple[GuardedKind, ...] = ()
    directions: tuple[Direction, ...] = ()
    groups: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    cidrs: tuple[Range, ...] = ()
    approvals: int = 1
    approvers: tuple[str, ...] = ()
    max_hours: float | None = None
    deny: str = ""
    mention: tuple[str, ...] = ()

    @property
    def is_lenient(self) -> bool:
        """True for an entry that asks for less than the default."""
        return self.approvals == 0 and not self.deny


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What entries judge of a request.

    Attributes:
        account: 12-digit member account.
        region: e.g. ``eu-west-1``.
        group_id: the changed group; empty when unknown.
        principal_arn: the IAM user, or the role behind a session; empty when unknown.
        change: what approval would apply, with the directions of edited rules; ``None`` when values cannot be read.
        aws_prefix_lists: ids of the prefix lists that AWS owns, as far as known.
    """

    account: str
    region: str
    group_id: str = ""
    principal_arn: str = ""
    change: Change | None
    aws_prefix_lists: frozenset[str] = frozenset()


class Opening(NamedTuple):
    """One security group rule of a request, with ports and addresses as numbers.

    Attributes:
        kind: what is done to the rule.
        rule: what it would open; of a removal, what it would close.
        span: its ports; every port where the protocol has none.
        range: its addresses; ``None`` for a group or a prefix list.
    """

    kind: GuardedKind
    rule: Rule
    span: Span
    range: Range | None


def opening_of(kind: GuardedKind, rule: Rule) -> Opening:
    """Return a rule with its ports and addresses as numbers."""
    span = EVERY_PORT
    if rule.protocol in WITH_PORTS and rule.from_port is not None and rule.to_port is not None:
        span = Span(rule.from_port, rule.to_port)
    return Opening(kind, rule, span, range_of(rule.source.value) if rule.source.kind in ("ipv4", "ipv6") else None)


def reaches_of(openings: Iterable[Opening]) -> Iterator[Reach]:
    """Yield the addresses of the openings with the ports they reach."""
    for opening in openings:
        if opening.range is not None:
            yield Reach(opening.rule.direction, opening.rule.protocol, opening.span, opening.range)


def reaches_let_through(entry: RiskRule) -> Iterator[Reach]:
    """Yield the addresses that a lenient entry names, all of which may have been opened without asking."""
    if entry.kinds and _OPENING_KINDS.isdisjoint(entry.kinds):
        return
    for direction in entry.directions or ("ingress", "egress"):
        for protocol in entry.protocols or (ALL_PROTOCOLS,):
            for span in entry.ports or (EVERY_PORT,):
                yield from (Reach(direction, protocol, span, cidr) for cidr in entry.cidrs)


def concerns(entry: RiskRule, facts: RequestFacts) -> bool:
    """Say whether an entry is about this account, region, group and principal.

    What is unknown concerns every entry but the lenient ones.
    """
    return (
        _names(entry, entry.accounts, facts.account)
        and _names(entry, entry.regions, facts.region)
        and _names(entry, entry.groups, facts.group_id)
        and _names(entry, entry.principals, facts.principal_arn)
    )


def may_have_let_through(entry: RiskRule, facts: RequestFacts) -> bool:
    """Say whether an entry may have let a change of this group through before, whoever made it."""
    known = ((entry.accounts, facts.account), (entry.regions, facts.region), (entry.groups, facts.group_id))
    return entry.is_lenient and all(
        not patterns or not value or _matches_any(value, patterns) for patterns, value in known
    )


def _names(entry: RiskRule, patterns: tuple[str, ...], value: str) -> bool:
    if not patterns:
        return True
    if not value:
        return not entry.is_lenient
    return _matches_any(value, patterns)


def _matches_any(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def overlaps(entry: RiskRule, opening: Opening, facts: RequestFacts, exposed: Exposure) -> bool:
    """Say whether an entry that concerns the request overlaps one of its rules.

    Args:
        entry: one that is not lenient.
        opening: the rule.
        facts: what the request would change, where, and who asked.
        exposed: at which ports the internet is reached, within the entry's ``cidrs``.
    """
    rule = opening.rule
    return (
        _has_kind(entry, opening)
        and (not entry.protocols or rule.protocol == ALL_PROTOCOLS or _names_protocol(entry, rule))
        and (not entry.ports or (rule.protocol not in _WITH_TYPES and any(_common_spans(entry, opening))))
        and _source_overlaps(entry, opening, facts, exposed)
    )


def contains(entry: RiskRule, opening: Opening, facts: RequestFacts) -> bool:
    """Say whether one rule of a request lies wholly inside a lenient entry that concerns the request."""
    rule = opening.rule
    return (
        _has_kind(entry, opening)
        and (not entry.protocols or _names_protocol(entry, rule))
        and (not entry.ports or (rule.protocol in WITH_PORTS and _is_within_ports(entry, opening.span)))
        and _source_is_within(entry, opening, facts)
    )


def _has_kind(entry: RiskRule, opening: Opening) -> bool:
    is_kind = not entry.kinds or opening.kind in entry.kinds
    return is_kind and (not entry.directions or opening.rule.direction in entry.directions)


def _names_protocol(entry: RiskRule, rule: Rule) -> bool:
    return rule.protocol in entry.protocols or ALL_PROTOCOLS in entry.protocols


def _common_spans(entry: RiskRule, opening: Opening) -> Iterator[Span]:
    for span in entry.ports or (EVERY_PORT,):
        if spans_meet(span, opening.span):
            yield Span(max(span.first, opening.span.first), min(span.last, opening.span.last))


def _is_within_ports(entry: RiskRule, span: Span) -> bool:
    return any(each.first <= span.first and span.last <= each.last for each in entry.ports)


def _source_overlaps(entry: RiskRule, opening: Opening, facts: RequestFacts, exposed: Exposure) -> bool:
    kind, value = opening.rule.source.kind, opening.rule.source.value
    if kind == "prefix_list" and value not in facts.aws_prefix_lists:
        return True  # its owner may put any range into it
    if opening.range is None:
        return not entry.cidrs and (not entry.sources or kind in entry.sources)
    pieces = [opening.range]
    if entry.cidrs:
        pieces = [piece for cidr in entry.cidrs if (piece := intersection(cidr, opening.range)) is not None]
    if not entry.sources:
        return bool(pieces)
    if any(("private" if is_private(piece) else "public") in entry.sources for piece in pieces):
        return True
    return "internet" in entry.sources and _is_internet(entry, opening, opening.range, exposed)


def _is_internet(entry: RiskRule, opening: Opening, addresses: Range, exposed: Exposure) -> bool:
    """Say whether public addresses are part of what the internet reaches, wherever within it the entry's ranges are.

    Otherwise the part that the entry names could be opened by a call of its own, before there is an internet.
    """
    if is_private(addresses):
        return False
    spans = list(_common_spans(entry, opening))
    is_narrower = opening.rule.protocol == ALL_PROTOCOLS and entry.protocols
    protocols = entry.protocols if is_narrower else (opening.rule.protocol,)
    return any(is_exposed(exposed, opening.rule.direction, one, addresses.version, spans) for one in protocols)


def _source_is_within(entry: RiskRule, opening: Opening, facts: RequestFacts) -> bool:
    """Say whether a lenient entry names the source; prefix lists and groups of other accounts it never does.

    The internet holds every public range, whatever else the request opens: otherwise a rule more could make a request
    need less.
    """
    source = opening.rule.source
    if source.kind == "group":
        is_own = bool(facts.account) and source.account == facts.account
        return is_own and not entry.cidrs and (not entry.sources or "group" in entry.sources)
    if opening.range is None:
        return False
    if entry.cidrs and not is_within(opening.range, entry.cidrs):
        return False
    if is_private(opening.range):
        return not entry.sources or "private" in entry.sources
    return bool(entry.cidrs) and (not entry.sources or not _PUBLIC_CLASSES.isdisjoint(entry.sources))
