"""Finds what is wrong with entries of ``[[rules]]``: contradictions, and entries that can never match or never hold.

What does not belong here: what makes a file invalid (``shared.wire.policy_rules``), and who approves
(``approver_checks``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from shared.domain.exposure import spans_meet
from shared.domain.networks import intersection
from shared.domain.policy import Policies, Policy
from shared.domain.risk_rule import RiskRule

from .approver_checks import entry_approvers, everybody_who_can
from .finding import Finding, error, warning
from .forms import GROUP_ID, PRINCIPALS, known_regions
from .globs import Form, can_match
from .probes import may_be_let_through, needed_anywhere

_PUBLIC: Final = frozenset({"internet", "public"})


def find_rule_mistakes(policies: Policies, *, has_bot_token: bool) -> Iterator[Finding]:
    """Yield what is wrong with each entry, in general and in each account that has keys of its own.

    Args:
        policies: what holds.
        has_bot_token: whether the central app has a bot token.
    """
    seen: set[Finding] = set()
    for account, policy in (("", policies.general), *policies.accounts):
        here = [entry for entry in policy.rules if holds_in(entry, account, policies)]
        found = [
            *itertools.chain.from_iterable(_entry(entry, policy, has_bot_token=has_bot_token) for entry in here),
            *_too_few_for_both(here, policy),
            *_offers(policy, account),
        ]
        for finding in found:
            if finding not in seen:
                seen.add(finding)
                yield replace(finding, meaning=f"in account {account}, {finding.meaning}") if account else finding


def holds_in(entry: RiskRule, account: str, policies: Policies) -> bool:
    """Say whether an entry is judged by the policy of an account with keys of its own; ``""``: by the general one."""
    if account:
        return not entry.accounts or account in entry.accounts
    special = {one for one, _ in policies.accounts}
    return not entry.accounts or not set(entry.accounts) <= special


def _entry(entry: RiskRule, policy: Policy, *, has_bot_token: bool) -> Iterator[Finding]:
    yield from _contradictions(entry)
    yield from entry_approvers(entry, policy, has_bot_token=has_bot_token)
    never = list(_never_matches(entry, policy))
    yield from never
    yield from _wider_than_it_looks(entry, policy)
    is_sound = not never and not any(_contradictions(entry))
    if entry.is_lenient and is_sound and policy.directions and policy.guard and not may_be_let_through(entry, policy):
        yield warning(
            f"{entry.place}.approvals",
            "nothing is ever allowed at once by this entry, because other entries match whatever lies inside it, and "
            "the strictest entry holds",
            "Leave this entry out, or make the others narrower.",
        )


def _contradictions(entry: RiskRule) -> Iterator[Finding]:
    key = f"{entry.place}.approvals"
    if entry.approvals == 0 and entry.deny:
        yield error(
            key,
            "0 approvals and deny contradict each other; while both are there, the change is denied",
            "Leave one of them out.",
        )
    named = {"private", "group"} & set(entry.sources)
    if entry.is_lenient and entry.sources and not entry.cidrs and not named:
        yield error(
            f"{entry.place}.match.source",
            "0 approvals never hold for public sources unless cidrs names them, nor for prefix lists, so this entry "
            "does nothing",
            "Add cidrs with the ranges that are allowed at once.",
        )
    elif entry.is_lenient and "prefix_list" in entry.sources:
        yield warning(
            f"{entry.place}.match.source",
            "0 approvals never hold for prefix lists",
            'Leave out "prefix_list".',
        )


# -- what never matches ------------------------------------------------------------------------------------------------


def _never_matches(entry: RiskRule, policy: Policy) -> Iterator[Finding]:
    match = f"{entry.place}.match"
    if entry.directions and policy.directions and set(entry.directions).isdisjoint(policy.directions):
        meaning = f"this entry never matches, because {_listed(entry.directions)} rules are not guarded (directions)"
        yield warning(f"{match}.directions", meaning, "Guard that direction, or leave this entry out.")
    if entry.kinds and policy.guard and set(entry.kinds).isdisjoint(policy.guard):
        meaning = f"this entry never matches, because changes of kind {_listed(entry.kinds)} are not reverted (guard)"
        yield warning(f"{match}.kinds", meaning, "Add that kind to guard, or leave this entry out.")
    for index, pattern in enumerate(entry.regions):
        if not any(fnmatchcase(region, pattern) for region in known_regions()):
            meaning = f'"{pattern}" matches no region of AWS that is known here'
            yield warning(f"{match}.regions[{index}]", meaning, 'Write a region, such as "eu-west-1", or "eu-*".')
    for key, patterns, forms, exempt in (
        ("groups", entry.groups, (GROUP_ID,), policy.exempt_groups),
        ("principals", entry.principals, PRINCIPALS, policy.exempt_principals),
    ):
        for index, pattern in enumerate(patterns):
            yield from _never_matches_pattern(key, f"{match}.{key}[{index}]", pattern, forms, exempt)


def _never_matches_pattern(
    what: str, key: str, pattern: str, forms: Sequence[Form], exempt: Sequence[str]
) -> Iterator[Finding]:
    if not any(can_match(pattern, one) for one in forms):
        meaning, remedy = _WANTED[what]
        yield warning(key, f'"{pattern}" can never match: {meaning}', f"Write {remedy}.")
    elif any(fnmatchcase(pattern, one) for one in exempt):
        meaning = f'"{pattern}" is exempt (exempt.{what}), so no entry is looked at for its changes'
        yield warning(key, meaning, "Leave it out here, or there.")


_WANTED: Final = {
    "groups": ("ids of security groups are compared, which begin with sg-", 'an id, such as "sg-0a1b2c3d4e5f60718"'),
    "principals": (
        "it is not the ARN of an IAM user or a role",
        'the whole ARN, such as "arn:aws:iam::222222222222:role/deploy"',
    ),
}


def _wider_than_it_looks(entry: RiskRule, policy: Policy) -> Iterator[Finding]:
    is_strict = not entry.is_lenient
    if is_strict and "add" in entry.kinds and "modify" not in entry.kinds and "modify" in policy.guard:
        yield warning(
            f"{entry.place}.match.kinds",
            "an edit can open the same as an addition, and this entry does not match edits",
            'Write kinds = ["add", "modify"].',
        )
    if entry.max_hours is not None and set(entry.kinds) == {"remove"}:
        yield warning(
            f"{entry.place}.max_hours",
            "hours hold for what a change adds or edits, and this entry matches removals only",
            "Leave out max_hours.",
        )


# -- several entries together ------------------------------------------------------------------------------------------


def _too_few_for_both(entries: Sequence[RiskRule], policy: Policy) -> Iterator[Finding]:
    asked = [entry for entry in entries if not entry.is_lenient and not entry.deny]
    for one, other in itertools.combinations(asked, 2):
        both = everybody_who_can(one.approvers, other.approvers, policy.approvers)
        needed = max(one.approvals, other.approvals)
        if both is None or len(both) >= needed or not _meet(one, other):
            continue
        is_known = any(
            can is not None and len(can) < entry.approvals
            for entry in (one, other)
            for can in [everybody_who_can(entry.approvers, policy.approvers)]
        )
        if not is_known:
            yield warning(
                f"{other.place}.approvers",
                f"nobody can approve a change that {one.place} matches, too: {needed} "
                f"{'person has' if needed == 1 else 'different people have'} to be in the approvers of both, and "
                f"{len(both)} {'is' if len(both) == 1 else 'are'}",
                "Name an approver in both, or make one of them narrower.",
            )


def _meet(one: RiskRule, other: RiskRule) -> bool:
    """Say whether one security group rule can match both entries, as far as their keys show."""
    return (
        _share(one.kinds, other.kinds)
        and _share(one.directions, other.directions)
        and _share(one.accounts, other.accounts)
        and (_share(one.protocols, other.protocols) or "-1" in (*one.protocols, *other.protocols))
        and all(_globs_meet(*pair) for pair in _globs(one, other))
        and (not one.ports or not other.ports or any(spans_meet(a, b) for a in one.ports for b in other.ports))
        and (not one.cidrs or not other.cidrs or any(intersection(a, b) for a in one.cidrs for b in other.cidrs))
        and _share(_classes(one), _classes(other))
    )


def _share(one: Sequence[str], other: Sequence[str]) -> bool:
    return not one or not other or not set(one).isdisjoint(other)


def _classes(entry: RiskRule) -> list[str]:
    return ["public" if source in _PUBLIC else source for source in entry.sources]


def _globs(one: RiskRule, other: RiskRule) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    yield one.regions, other.regions
    yield one.groups, other.groups
    yield one.principals, other.principals


def _globs_meet(one: Sequence[str], other: Sequence[str]) -> bool:
    pairs = itertools.product(one, other)
    return not one or not other or any(fnmatchcase(a, b) or fnmatchcase(b, a) for a, b in pairs)


def _offers(policy: Policy, account: str) -> Iterator[Finding]:
    """Yield the hours that are never offered, because entries limit every change to fewer."""
    if not policy.offer_hours:
        return
    asked = [one for one in needed_anywhere(policy, account) if one.approvals and not one.deny]
    limits = [one.max_hours for one in asked if one.max_hours is not None]
    if not limits or len(limits) < len(asked):
        return
    above = [hours for hours in policy.offer_hours if hours > max(limits)]
    if above:
        yield error(
            "offer_hours",
            f"{', '.join(f'{hours:g}' for hours in above)} hours are never offered, because an entry of [[rules]] "
            f"limits every change to {max(limits):g} hours",
            f"Leave out what is above {max(limits):g}, or raise max_hours.",
        )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(words)
