"""Says in plain words what a policy does: what is reverted, who may decide, who is exempt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.domain.policy import Policies, Policy

_KINDS: Final = {"add": "added", "modify": "modified", "remove": "removed"}
_DIRECTIONS: Final = {"ingress": "inbound", "egress": "outbound"}


def summary(policies: Policies) -> tuple[str, ...]:
    """Return the general policy line by line, and for each account the lines that differ there."""
    general = tuple(_sentences(policies.general))
    lines = ["In general:", *(f"- {line}" for line in general)]
    for account, policy in policies.accounts:
        special = [line for line in _sentences(policy) if line not in general]
        lines.append(f"In account {account}, instead:" if special else f"In account {account}: the same.")
        lines += (f"- {line}" for line in special)
    return tuple(lines)


def _sentences(policy: Policy) -> Iterator[str]:
    yield _reverted(policy)
    if policy.require_description:
        yield "Added rules without a description are denied at once."
    yield _deciders(policy)
    yield _exempt(policy)
    yield _services(policy)
    yield (
        f"A request that nobody decides is asked again after {policy.remind_after_hours:g} hours and expires after "
        f"{policy.expire_after_hours:g} hours."
    )
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
    everybody = "everybody who can click in the approval channel"
    deciders = ", ".join(policy.approvers) if policy.approvers else everybody
    if policy.allow_self_approval:
        return f"May approve and deny: {deciders}, the requester included."
    return (
        f"May approve and deny: {deciders}; but nobody approves a change of their own. A change by somebody who is not "
        f"listed under [people] ({len(policy.people)} listed), or whose maker is not known, can be approved by nobody."
    )


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
