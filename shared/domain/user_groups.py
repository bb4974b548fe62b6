"""User groups of Slack (``S…``) among the approvers, and who counts as a member.

What does not belong here: asking Slack who is in a group (``central.chalicelib.slack.user_groups``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from shared.domain.policy import Policy

Members = Mapping[str, Collection[str]]
"""By the id of a user group, the ids of users who count as members."""


def user_groups_of(policy: Policy) -> frozenset[str]:
    """Return the ids of the user groups that a policy lists as approvers, its ``[[rules]]`` included."""
    lists = (policy.approvers, *(entry.approvers for entry in policy.rules))
    return frozenset(one for some in lists for one in some if one.startswith("S"))


def with_members(policy: Policy, members: Members) -> Policy:
    """Return a policy whose lists of approvers name those members of their user groups, too.

    A group stays in its list: who else is in it is not known, and a list never becomes empty, which would mean
    everybody.

    Args:
        policy: as written.
        members: of its user groups; a group that is missing has none.
    """
    rules = tuple(replace(entry, approvers=_named(entry.approvers, members)) for entry in policy.rules)
    return replace(policy, approvers=_named(policy.approvers, members), rules=rules)


def _named(approvers: tuple[str, ...], members: Members) -> tuple[str, ...]:
    found = [user for one in approvers for user in sorted(members.get(one, ()))]
    return tuple(dict.fromkeys((*approvers, *found)))
