"""Finds Slack ids among approvers that are nobody, and what cannot be approved because there are too few approvers.

What does not belong here: which entries of ``[[rules]]`` can match (``rule_checks``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from shared.domain.needs import DEFAULT_APPROVALS
from shared.domain.policy import Policy
from shared.domain.risk_rule import RiskRule

from .finding import Finding, error, warning

_SLACKBOT: Final = "USLACKBOT"
_SHORTEST_SLACK_ID: Final = 9
_OF_UNKNOWN: Final = 2
"""How many people decide what somebody unknown asks, where nobody may approve their own change."""


def slack_ids(key: str, ids: Sequence[str], *, has_bot_token: bool) -> Iterator[Finding]:
    """Yield what is wrong with ids of approvers.

    Args:
        key: the key of the list, e.g. ``approvers``.
        ids: of users (``U…``) and user groups (``S…``).
        has_bot_token: whether the central app has a bot token, which tells who is in a user group.
    """
    for index, slack_id in enumerate(ids):
        if slack_id == _SLACKBOT or len(slack_id) < _SHORTEST_SLACK_ID:
            meaning = f"{slack_id} is not the id of a person in Slack, so nobody is this approver"
            remedy = "Copy the id from the person's Slack profile (More, Copy member ID), such as U061F7AUR."
            yield warning(f"{key}[{index}]", meaning, remedy)
        elif _is_user_group(slack_id) and not has_bot_token:
            meaning = f"without a bot token, nobody counts as a member of the user group {slack_id}"
            remedy = (
                "Set slackBotToken in the central app (and pass --bot-token here), or list the people by their ids."
            )
            yield warning(f"{key}[{index}]", meaning, remedy)


def everybody_who_can(*lists: Sequence[str]) -> frozenset[str] | None:
    """Return the Slack users that are in every list that is not empty.

    Returns:
        ``None`` where that is not known: all lists are empty, or have user groups.
    """
    of_users = [frozenset(one) for one in lists if one and not any(map(_is_user_group, one))]
    return frozenset.intersection(*of_users) if of_users else None


def general_approvers(policy: Policy, *, has_bot_token: bool) -> Iterator[Finding]:
    """Yield what is wrong with the keys ``approvers``, ``allow_self_approval`` and those of asking first."""
    yield from slack_ids("approvers", policy.approvers, has_bot_token=has_bot_token)
    yield from _self_approval(policy)
    if policy.ask_by_refusal and not policy.approvers:
        yield error(
            "ask_by_refusal",
            "refused calls ask nothing, because approvers is empty: whoever may ask so must not be everybody who may "
            "approve",
            "List approvers, or write ask_by_refusal = [].",
        )
    can = everybody_who_can(policy.approvers)
    if (policy.ask_by_dry_run or policy.ask_by_refusal) and can is not None and len(can) < _OF_UNKNOWN:
        known = {user_id for _, user_id in policy.people}
        report = warning if known - can else error
        yield report(
            "approvers",
            f"nobody can approve what is asked first by {_names(can)} (never by the own approval), or by somebody who "
            "is not listed under [people] (two different people)",
            "Add a second approver.",
        )


def _self_approval(policy: Policy) -> Iterator[Finding]:
    if policy.allow_self_approval:
        return
    can = everybody_who_can(policy.approvers)
    if not policy.people:
        is_nobody = can is not None and len(can) < _OF_UNKNOWN
        yield (error if is_nobody else warning)(
            "allow_self_approval",
            f"nobody can approve anything{'' if is_nobody else ' alone'}: requesters may not approve their own "
            "changes, and [people] is empty, so every change is that of somebody unknown and needs two different "
            "people",
            "List under [people] who is who, or write allow_self_approval = true.",
        )
        return
    yield from _of_people(policy, "approvers", can, DEFAULT_APPROVALS, "Add a second approver.")


def entry_approvers(entry: RiskRule, policy: Policy, *, has_bot_token: bool) -> Iterator[Finding]:
    """Yield what is wrong with who may approve what an entry matches, where a policy holds."""
    yield from slack_ids(f"{entry.place}.approvers", entry.approvers, has_bot_token=has_bot_token)
    can = everybody_who_can(entry.approvers, policy.approvers)
    if entry.approvals == 0 or entry.deny or can is None:
        return
    key = f"{entry.place}.approvals"
    if len(can) < entry.approvals:
        where = "both the approvers of this entry and the policy's" if entry.approvers else "the policy's approvers"
        yield error(
            key,
            f"nobody can satisfy this entry: {entry.approvals} different people have to approve, and {len(can)} "
            f"({_names(can)}) {'is' if len(can) == 1 else 'are'} in {where}",
            f"Write approvals = {len(can)} or less, or add approvers." if can else "Add approvers.",
        )
    elif not policy.allow_self_approval and policy.people:
        yield from _of_people(policy, key, can, entry.approvals, "Lower it, or add approvers.")


def _of_people(policy: Policy, key: str, can: frozenset[str] | None, approvals: int, remedy: str) -> Iterator[Finding]:
    """Yield whose changes nobody can approve, where nobody may approve their own."""
    if can is None:
        return
    people = {user_id for _, user_id in policy.people}
    blocked = sorted(user_id for user_id in people if len(can - {user_id}) < approvals)
    if not blocked:
        return
    number = "" if approvals == DEFAULT_APPROVALS else f"{approvals} "
    yield (error if len(blocked) == len(people) else warning)(
        key,
        f"nobody can approve the changes of {_names(blocked)}: nobody may approve their own (allow_self_approval), and "
        f"the {number}people who approve have to be among {_names(can)}",
        remedy,
    )


def _names(ids: Collection[str]) -> str:
    return ", ".join(sorted(ids)) or "nobody"


def _is_user_group(slack_id: str) -> bool:
    return slack_id.startswith("S")
