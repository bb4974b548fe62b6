"""What a change needs before it may be made: how many approvals, by whom, for how long, or that it is denied.

A request takes the strictest of all entries of ``[[rules]]`` that match any of its rules. Adding a rule to a request,
or splitting a range, never makes it need less.

What does not belong here: how one entry matches one rule (``shared.domain.risk_rule``), and who is who in Slack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.already_open import approved_near, bounds_of, let_through_near
from shared.domain.change import Change
from shared.domain.exposure import Exposure, Reach, exposure, spans_touch
from shared.domain.networks import Range, touches
from shared.domain.risk_rule import (
    Opening,
    RequestFacts,
    RiskRule,
    concerns,
    contains,
    opening_of,
    overlaps,
    reaches_of,
)
from shared.domain.rule import Rule

DEFAULT_APPROVALS: Final = 1
"""What a change needs that no entry matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One entry that matched, and the first rule of the request that it matched.

    Attributes:
        place: which entry, e.g. ``rules[0]``.
        why: a sentence, e.g. ``rules[0] overlaps add ingress/tcp/22-22/ipv4/0.0.0.0/0``.
    """

    place: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a request needs.

    Attributes:
        approvals: how many different people have to approve; 0: it may be made at once.
        approvers: lists of Slack ids; whoever approves has to be in each of them.
        max_hours: the longest it may be approved for; ``None``: for good.
        deny: why it is denied at once; empty: it is not.
        mention: Slack ids that the question names.
        matches: the entries that say so, in the order of the file.
    """

    approvals: int = DEFAULT_APPROVALS
    approvers: tuple[tuple[str, ...], ...] = ()
    max_hours: float | None = None
    deny: str = ""
    mention: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()


def needs(entries: Sequence[RiskRule], facts: RequestFacts, approved: Iterable[Rule] = ()) -> Needs:
    """Say what a request needs.

    Args:
        entries: the policy's ``[[rules]]``.
        facts: what the request would change, where, and who asked.
        approved: the approved rules of its group; they count where ranges together are the internet.
    """
    if facts.change is None or facts.change.is_empty:
        return Needs()
    openings = list(_openings(facts.change))
    bounds = bounds_of(openings) if any("internet" in entry.sources for entry in entries) else {}
    already_open = list(approved_near(approved, bounds))
    let_through = list(let_through_near(entries, facts, bounds))
    entries = [entry for entry in entries if concerns(entry, facts)]
    exposed = _exposures(entries, openings, already_open)
    matched: list[tuple[RiskRule, Opening]] = []
    for entry in entries:
        hit = next((one for one in openings if _matches(entry, one, facts, exposed)), None)
        if hit is not None:
            matched.append((entry, hit))
    is_asked = any(not entry.is_lenient for entry, _ in matched)
    is_zero = not is_asked and _is_let_through(entries, openings, facts, [*already_open, *let_through])
    return _needs_of(matched, is_zero=is_zero)


def needs_zero(entries: Sequence[RiskRule], facts: RequestFacts, approved: Iterable[Rule] = ()) -> bool:
    """Say whether a call may stay, from the values in its event alone.

    This is decided before the revert, without an AWS call, so the approved rules of the group are not known. What the
    entries with 0 approvals may have let through before counts as open. Whoever knows the approved rules later can ask
    again with them: together with the call they may be the internet.

    Args:
        entries: the policy's ``[[rules]]``.
        facts: the values as EC2 answered them; a ``change`` of ``None`` where it did not.
        approved: the approved rules of the group, where known.
    """
    if facts.change is None or facts.change.is_empty or not any(entry.is_lenient for entry in entries):
        return False
    openings = list(_openings(facts.change))
    bounds = bounds_of(openings) if any("internet" in entry.sources for entry in entries) else {}
    already_open = [*let_through_near(entries, facts, bounds), *approved_near(approved, bounds)]
    entries = [entry for entry in entries if concerns(entry, facts)]
    return _is_let_through(entries, openings, facts, already_open)


def strictest(several: Collection[Needs]) -> Needs:
    """Return what a batch needs: whatever any of its requests or its net change needs.

    Raises:
        ValueError: when there are none.
    """
    hours = [one.max_hours for one in several if one.max_hours is not None]
    return Needs(
        approvals=max(one.approvals for one in several),
        approvers=tuple(sorted({each for one in several for each in one.approvers})),
        max_hours=min(hours, default=None),
        deny=" ".join(sorted({one.deny for one in several if one.deny})),
        mention=tuple(sorted({each for one in several for each in one.mention})),
        matches=tuple(dict.fromkeys(match for one in several for match in one.matches)),
    )


def is_approver(required: Needs, ids: Collection[str]) -> bool:
    """Say whether somebody is in every list of approvers.

    Args:
        required: what the request needs.
        ids: the Slack user id, and the ids of the user groups that count this user as a member.
    """
    return all(not set(ids).isdisjoint(one) for one in required.approvers)


def can_anybody_satisfy(required: Needs, approvers: Sequence[str] = (), excluded: Collection[str] = ()) -> bool:
    """Say whether there are as many people as have to approve.

    A list with a user group (``S…``) may hold anybody; who its members are is not known here.

    Args:
        required: what the request needs.
        approvers: the policy's ``approvers``; empty: everybody who can click.
        excluded: Slack user ids that may not approve, e.g. the requester's.
    """
    lists = [one for one in (tuple(approvers), *required.approvers) if one]
    of_users = [set(one) for one in lists if not any(map(_is_user_group, one))]
    if not of_users:
        return True
    return len(set.intersection(*of_users).difference(excluded)) >= required.approvals


def _is_user_group(slack_id: str) -> bool:
    return slack_id.startswith("S")


def _openings(change: Change) -> Iterator[Opening]:
    yield from (opening_of("add", rule) for rule in change.added)
    yield from (opening_of("remove", rule) for rule in change.removed)
    yield from (opening_of("modify", edit.after) for edit in change.modified)


def _former(change: Change) -> list[Opening]:
    return [opening_of("modify", edit.before) for edit in change.modified]


Exposures = Mapping[tuple[Range, ...], Exposure]
"""By the ``cidrs`` of entries, at which ports the internet is reached within them."""


def _exposures(entries: Iterable[RiskRule], openings: Iterable[Opening], already_open: Iterable[Reach]) -> Exposures:
    within = {entry.cidrs for entry in entries if "internet" in entry.sources}
    reaches = [*reaches_of(openings), *already_open]
    return {cidrs: exposure(reaches, cidrs) for cidrs in within}


def _matches(entry: RiskRule, opening: Opening, facts: RequestFacts, exposed: Exposures) -> bool:
    if entry.is_lenient:
        return contains(entry, opening, facts)
    return overlaps(entry, opening, facts, exposed.get(entry.cidrs, {}))


def _is_let_through(
    entries: Sequence[RiskRule], openings: Sequence[Opening], facts: RequestFacts, already_open: Iterable[Reach]
) -> bool:
    """Say whether every rule is inside an entry with 0 approvals, and no other entry matches.

    Args:
        entries: those that concern the request.
        openings: its rules.
        facts: what the request would change, where, and who asked.
        already_open: what counts as open in its group, all that such entries may have let through included.
    """
    lenient = [entry for entry in entries if entry.is_lenient]
    former = _former(facts.change) if facts.change is not None else []
    if not all(_are_inside(lenient, rules, facts) for rules in (openings, former)):
        return False
    strict = [entry for entry in entries if not entry.is_lenient]
    exposed = _exposures(strict, openings, already_open)
    return not any(_matches(entry, opening, facts, exposed) for entry in strict for opening in openings)


def _are_inside(lenient: Sequence[RiskRule], openings: Sequence[Opening], facts: RequestFacts) -> bool:
    """Say whether each rule is inside an entry, and rules without a gap between them are inside the same one.

    Otherwise a range that is not inside any entry could be split into parts that are.
    """
    inside = [
        frozenset(index for index, entry in enumerate(lenient) if contains(entry, one, facts)) for one in openings
    ]
    if not all(inside):
        return False
    if not inside or frozenset.intersection(*inside):
        return True
    return all(frozenset.intersection(*(inside[index] for index in cluster)) for cluster in _clusters(openings))


def _clusters(openings: Sequence[Opening]) -> Iterator[list[int]]:
    """Yield the positions of rules that lie together without a gap in ports or addresses."""
    left = set(range(len(openings)))
    while left:
        cluster = [left.pop()]
        for index in cluster:  # grows meanwhile
            near = [other for other in left if _adjoin(openings[index], openings[other])]
            cluster += near
            left.difference_update(near)
        yield cluster


def _adjoin(one: Opening, other: Opening) -> bool:
    first, second = one.rule, other.rule
    if (one.kind, first.direction, first.protocol) != (other.kind, second.direction, second.protocol):
        return False
    if not spans_touch(one.span, other.span):
        return False
    if one.range is None or other.range is None:
        return first.source == second.source
    return touches(one.range, other.range)


def _needs_of(matched: Sequence[tuple[RiskRule, Opening]], *, is_zero: bool) -> Needs:
    asked = [
        Needs(
            approvals=max(entry.approvals, DEFAULT_APPROVALS),
            approvers=(tuple(sorted(set(entry.approvers))),) if entry.approvers else (),
            max_hours=entry.max_hours,
            deny=entry.deny,
            mention=entry.mention,
            matches=(_match(entry, opening),),
        )
        for entry, opening in matched
    ]
    together = strictest([Needs(), *asked])
    return replace(together, approvals=0) if is_zero else together


def _match(entry: RiskRule, opening: Opening) -> Match:
    verb = "contains" if entry.is_lenient else "overlaps"
    return Match(place=entry.place, why=f"{entry.place} {verb} {opening.kind} {opening.rule.identity}")
