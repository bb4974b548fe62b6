"""What a stored request needs by a policy: its entries of ``[[rules]]``, and what its origin asks for at least.

Central judges it at every click, the member once more before it applies anything.

What does not belong here: whether a certain person may decide (``shared.domain.policy``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shared.domain.needs import DEFAULT_APPROVALS, Needs, needs
from shared.domain.policy import Policy, person_behind
from shared.domain.risk_rule import RequestFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.domain.caller import Caller
    from shared.domain.request import Origin, Request
    from shared.domain.rule import Rule

_APPROVALS_OF_UNKNOWN: Final = 2
"""Where nobody may approve their own change, two people decide one whose maker is not known: one may be the maker."""


def needs_of(policy: Policy, request: Request, approved: Iterable[Rule] | None = None) -> Needs:
    """Say what a request that people decide needs: at least one approval.

    Args:
        policy: of the request's account.
        request: the request.
        approved: the approved rules of its group; those that the request carries where ``None``.
    """
    found = needs(policy.rules, facts_of(request), request.approved if approved is None else approved)
    return replace(found, approvals=max(found.approvals, least_approvals(policy, request.requester, request.origin)))


def facts_of(request: Request) -> RequestFacts:
    """Return what entries of ``[[rules]]`` judge of a request."""
    return RequestFacts(
        account=request.account,
        region=request.region,
        group_id=request.group_id,
        principal_arn="" if request.requester is None else request.requester.principal_arn,
        change=request.change,
        aws_prefix_lists=frozenset(
            one.list_id for one in (request.reach.prefix_lists if request.reach is not None else ()) if one.is_of_aws
        ),
    )


def least_approvals(policy: Policy, requester: Caller | None, origin: Origin) -> int:
    """Return how many people have to approve whatever the entries say; nobody approves what they ask for first."""
    if policy.allow_self_approval and origin != "ask":
        return DEFAULT_APPROVALS
    is_known = requester is not None and person_behind(policy, requester) is not None
    return DEFAULT_APPROVALS if is_known else _APPROVALS_OF_UNKNOWN
