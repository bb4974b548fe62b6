"""What a change reaches: the value that a request carries beside it, so that an approver sees what a rule is about.

All of it is bounded, and each part may be unknown: looking it up must neither delay nor prevent anything.

What does not belong here: how it is looked up (the member app), and its words (``shared.slack.reach_lines``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from shared.domain.risk_rule import WITH_PORTS, Opening, opening_of
from shared.domain.rule import ALL_PROTOCOLS, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.domain.change import Change

InterfaceKind = Literal["instance", "load_balancer", "lambda", "database", "endpoint", "other"]

MOST_INTERFACES: Final = 1000
"""More are never counted: EC2's largest page. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html"""

MOST_ADDRESSES: Final = 4
"""Public addresses that are named."""

MOST_COVERING: Final = 20
"""Approved rules that are named."""

MOST_LISTS: Final = 10
"""Prefix lists that are named. A rule refers to one list."""

MOST_ENTRIES: Final = 10
"""Entries of a prefix list that are named."""

LONGEST_NAME: Final = 300
"""Characters of a manager's or a prefix list's name; a tag has at most 128 + 256."""

AWS_OWNER: Final = "AWS"
"""How EC2 names the owner of its own prefix lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interfaces:
    """The network interfaces that a group is attached to.

    Attributes:
        count: how many were counted.
        is_more: there are more, which were not counted.
        kinds: (what has them, how many), none of 0.
        public: their public addresses, at most :data:`MOST_ADDRESSES`.
        more_public: how many public addresses of the counted interfaces are not named.
    """

    count: int = 0
    is_more: bool = False
    kinds: tuple[tuple[InterfaceKind, int], ...] = ()
    public: tuple[str, ...] = ()
    more_public: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Who manages a group by its tags.

    Attributes:
        name: e.g. ``CloudFormation stack web``; empty when no tag says so.
        is_tagged: it stands in a tag that users can write, so it proves nothing.
    """

    name: str = ""
    is_tagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixList:
    """A managed prefix list that a rule of the change refers to, as it was when the change was looked at.

    Attributes:
        list_id: ``pl-…``.
        owner: ``AWS``, or a 12-digit account.
        name: its name.
        version: which version; ``None`` for those of AWS, which have none.
        entries: its ranges, at most :data:`MOST_ENTRIES`; none where they could not be read.
        more_entries: how many are not named.
    """

    list_id: str
    owner: str
    name: str = ""
    version: int | None = None
    entries: tuple[str, ...] = ()
    more_entries: int = 0

    @property
    def is_of_aws(self) -> bool:
        """True for a list that AWS owns."""
        return self.owner == AWS_OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a change reaches.

    Attributes:
        interfaces: what the group is attached to; ``None``: not known.
        manager: who manages the group; ``None``: not known.
        covered_by: approved rules each of which allows all that one of the change's rules would, without descriptions
            and tags; at most :data:`MOST_COVERING`.
        in_force_seconds: how long the change was in force; ``None``: it was not, or not known.
        prefix_lists: lists that rules of the change refer to, as far as known; at most :data:`MOST_LISTS`.
    """

    interfaces: Interfaces | None = None
    manager: Manager | None = None
    covered_by: tuple[Rule, ...] = ()
    in_force_seconds: int | None = None
    prefix_lists: tuple[PrefixList, ...] = ()

    @property
    def text(self) -> str:
        """Everything that is shown of it, for a digest."""
        interfaces, manager = self.interfaces, self.manager
        parts = [
            "reach",
            interfaces
            and [interfaces.count, interfaces.is_more, interfaces.kinds, interfaces.public, interfaces.more_public],
            manager and [manager.name, manager.is_tagged],
            [[rule.identity, rule.source.peering] for rule in self.covered_by],
            self.in_force_seconds,
            [
                [one.list_id, one.owner, one.name, one.version, one.entries, one.more_entries]
                for one in self.prefix_lists
            ],
        ]
        return json.dumps(parts)


def opened_by(change: Change) -> tuple[Rule, ...]:
    """Return the rules that a change would open: what it adds, and what it edits but for the description."""
    edited = (edit.after for edit in change.modified if edit.before.identity != edit.after.identity)
    return (*change.added, *edited)


def covering(change: Change, approved: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return approved rules that allow already what a change would open, without descriptions and tags.

    Args:
        change: what approval would apply.
        approved: the approved rules of its group; those that the change itself takes away or edits do not count.
    """
    own = {rule.identity for rule in (*change.removed, *(edit.before for edit in change.modified))}
    held = [opening_of("add", rule) for rule in approved if rule.identity not in own]
    found: dict[str, Rule] = {}
    for rule in opened_by(change):
        wanted = opening_of("add", rule)
        first = next((one.rule for one in held if _covers(one, wanted)), None)
        if first is not None and len(found) < MOST_COVERING:
            found[first.identity] = replace(first, description="", tags=(), rule_id=None)
    return tuple(found[identity] for identity in sorted(found))


def covered(change: Change, covering_rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules that a change would open and that one of the others allows already."""
    held = [opening_of("add", rule) for rule in covering_rules]
    return tuple(rule for rule in opened_by(change) if any(_covers(one, opening_of("add", rule)) for one in held))


def for_part(reach: Reach, change: Change) -> Reach:
    """Return what a part of a split change reaches: with the approved rules and prefix lists that are about it."""
    lists = {rule.source.value for rule in change.rules if rule.source.kind == "prefix_list"}
    return replace(
        reach,
        covered_by=covering(change, reach.covered_by),
        prefix_lists=tuple(one for one in reach.prefix_lists if one.list_id in lists),
    )


def _covers(one: Opening, other: Opening) -> bool:
    """Say whether a rule allows all that another one does."""
    mine, theirs = one.rule, other.rule
    return mine.direction == theirs.direction and _covers_protocol(one, other) and _covers_source(one, other)


def _covers_protocol(one: Opening, other: Opening) -> bool:
    mine, theirs = one.rule, other.rule
    if mine.protocol == ALL_PROTOCOLS:
        return True
    if mine.protocol != theirs.protocol:
        return False
    if mine.protocol in WITH_PORTS:
        return one.span.first <= other.span.first and other.span.last <= one.span.last
    # Of ICMP the ports are type and code; -1 is every one.
    types = ((mine.from_port, theirs.from_port), (mine.to_port, theirs.to_port))
    return all(held in (wanted, -1) for held, wanted in types)


def _covers_source(one: Opening, other: Opening) -> bool:
    if one.range is None or other.range is None:
        return one.rule.source == other.rule.source
    mine, theirs = one.range, other.range
    return mine.version == theirs.version and mine.first <= theirs.first and theirs.last <= mine.last
