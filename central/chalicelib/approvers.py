"""The policy with the members of its user groups: by it, clicks are judged and approvals counted.

What does not belong here: who is in a group (``slack.user_groups``), and judging (``shared.domain.approval``).
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.domain.policy import Policy
from shared.domain.request import Approver
from shared.domain.user_groups import user_groups_of, with_members

from .slack.user_groups import members_among


def deciding_policy(policy: Policy, approvals: Iterable[Approver], *clicking: str) -> Policy:
    """Return a policy whose lists of approvers name those of these people who are in one of its user groups.

    Args:
        policy: of an account.
        approvals: who has approved so far.
        clicking: who clicks now; nobody while a question is only shown.
    """
    groups = user_groups_of(policy)
    people = {*(one.by for one in approvals), *clicking}
    if not groups or not people:
        return policy
    return with_members(policy, members_among(groups, people))
