"""Says in plain words what a policy does: what is reverted, who may decide, who is exempt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.domain.policy import Policies, Policy

from .entry_words import entry_in_words, who_may_approve
from .rule_checks import holds_in

_KINDS: Final = {"add": "added", "modify": "modified", "remove": "removed"}
_DIRECTIONS: Final = {"ingress": "inbound", "egress": "outbound"}


def summary(policies: Policies) -> tuple[str, ...]:
    """Return the general policy line by line, and for each account the lines that differ there."""
    general = (*_sentences(policies.general), *_entries(policies, ""))
    lines = ["In general:", *(f"- {line}" for line in general)]
    for account, policy in policies.accounts:
        special = [line for line in (*_sentences(policy), *_entries(policies, account)) if line not in general]
        lines.append(f"In account {account}, instead:" if special else f"In account {account}: the same.")
        lines += (f"- {line}" for line in special)
    return tuple(lines)


def _sentences(policy: Policy) -> Iterator[str]:
    yield _reverted(policy)
    if policy.require_description:
        yield "Added rules without a description are denied at once."
    yield _deciders(policy)
    if policy.require_denial_reason:
        yield "A denial needs a reason (with a bot token)."
    yield _offers(policy)
    yield from _asks(policy)
    yield _exempt(policy)
    yield _services(policy)
    yield _gathered(policy)
    yield (
        f"A request that nobody decides is asked again after {policy.remind_after_hours:g} hours and expires after "
        f"{policy.expire_after_hours:g} hours."
    )
    yield f"Ended requests are kept for {f'{policy.keep_days:g} days' if policy.keep_days else 'ever'}."
    if policy.mode == "enforce":
        action = "reverted and asked" if policy.drift == "revert" else "reported"
        yield f"Differences that no event explains are {action} after {policy.drift_grace_minutes:g} minutes."


def _reverted(policy: Policy) -> str:
    kinds = _listed([_KINDS[kind] for kind in policy.guard])
    directions = _listed([_DIRECTIONS[direction] for direction in policy.directions])
    if not kinds or not directions:
        return "Reverted: nothing."
    if policy.mode == "observe":
        return f"Reverted: nothing (mode observe). In mode enforce it would be {kinds} {directions} rules."
    return f"Reverted until somebody approves: {kinds} {directions} rules."


def _deciders(policy: Policy) -> str:
    deciders = who_may_approve(policy)
    if policy.allow_self_approval:
        return f"May approve and deny: {deciders}, the requester included."
    return (
        f"May approve and deny: {deciders}; but nobody approves a change of their own. A change by somebody who is not "
        f"listed under [people] ({len(policy.people)} listed), or whose maker is not known, needs two different people."
    )


def _offers(policy: Policy) -> str:
    offered = "".join(f", or for {hours:g} hours" for hours in policy.offer_hours)
    return f"An approval holds for good{offered}, unless an entry of [[rules]] limits it."


def _asks(policy: Policy) -> Iterator[str]:
    first = [
        *(["calls with --dry-run"] if policy.ask_by_dry_run else []),
        *([f"refused calls by {', '.join(policy.ask_by_refusal)}"] if policy.ask_by_refusal else []),
    ]
    if first:
        yield f"Ask first, without changing anything: {_listed(first)}; nobody approves what they ask so themselves."


def _gathered(policy: Policy) -> str:
    if not policy.gather_seconds:
        return "Every call is asked alone."
    seconds = f"{policy.gather_seconds:g} seconds"
    return f"Calls of one requester that follow each other within {seconds} are asked as one question."


def _entries(policies: Policies, account: str) -> Iterator[str]:
    policy = policies.for_account(account)
    for entry in policy.rules:
        if holds_in(entry, account, policies):
            yield entry_in_words(entry, policy)


def _exempt(policy: Policy) -> str:
    exempt = [*policy.exempt_principals, *(f"changes in group {pattern}" for pattern in policy.exempt_groups)]
    return f"Exempt (neither reverted, asked nor reported): {', '.join(exempt) or 'nobody'}."


def _services(policy: Policy) -> str:
    services = policy.exempt_service_linked_roles
    listed = "all" if "*" in services else ", ".join(services) or "none"
    return (
        f"AWS services whose service-linked roles may change rules without asking (reported in monitoring): {listed}."
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
