"""Finds what is wrong with a valid policy: keys that can never match, that let nobody approve, or that guard nothing.

What does not belong here: what makes a file invalid (``shared.wire.policy_document``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Final

from shared.domain.policy import Policies, Policy

from .approver_checks import general_approvers
from .finding import Finding, warning
from .forms import ACCOUNT, GROUP_ID, PRINCIPALS, SERVICE_NAME, USER
from .globs import LETTERS, NAME, NAME_CHARACTER, Form, Token, can_match, form
from .rule_checks import find_rule_mistakes


def find_mistakes(policies: Policies, *, has_bot_token: bool = False) -> tuple[Finding, ...]:
    """Return what is wrong in general, then what is wrong in single accounts only, then what with ``[[rules]]``.

    Args:
        policies: what the file says.
        has_bot_token: whether the central app has a bot token, without which some keys are ignored.
    """
    general = tuple(_mistakes(policies.general, has_bot_token=has_bot_token))
    special = [
        replace(finding, key=f"accounts.{account}.{finding.key}", meaning=f"in account {account}, {finding.meaning}")
        for account, policy in policies.accounts
        for finding in _mistakes(policy, has_bot_token=has_bot_token)
        if finding not in general
    ]
    return (*general, *special, *find_rule_mistakes(policies, has_bot_token=has_bot_token))


def _mistakes(policy: Policy, *, has_bot_token: bool) -> Iterator[Finding]:
    yield from _unguarded(policy)
    yield from _times(policy)
    yield from general_approvers(policy, has_bot_token=has_bot_token)
    if policy.require_denial_reason and not has_bot_token:
        yield warning(
            "require_denial_reason",
            "without a bot token this key is ignored, because only a modal can ask for a reason",
            "Set slackBotToken in the central app (and pass --bot-token here), or write require_denial_reason = false.",
        )
    yield from _people(policy)
    for index, pattern in enumerate(policy.exempt_principals):
        key = f"exempt.principals[{index}]"
        yield from _never_a_principal(key, pattern) or _too_wide(key, pattern)
    for index, pattern in enumerate(policy.ask_by_refusal):
        yield from _never_a_principal(f"ask_by_refusal[{index}]", pattern)
    for index, pattern in enumerate(policy.exempt_groups):
        yield from _group(f"exempt.groups[{index}]", pattern)
    for index, pattern in enumerate(policy.exempt_service_linked_roles):
        yield from _service(f"exempt.service_linked_roles[{index}]", pattern)


# -- what is guarded, and when -----------------------------------------------------------------------------------------


def _unguarded(policy: Policy) -> Iterator[Finding]:
    if policy.mode == "observe":
        meaning = "nothing is reverted: changes stay in force, are reported, and count as approved"
        yield warning("mode", meaning, 'Write mode = "enforce" when you have seen enough.')
    if not policy.guard:
        yield warning(
            "guard",
            "nothing is reverted, because no kind of change is guarded: the product is switched off",
            _GUARD_ALL,
        )
    elif "add" not in policy.guard:
        yield warning("guard", "added rules stay in force without approval", _GUARD_ALL)
    if not policy.directions:
        yield warning(
            "directions",
            "nothing is reverted, because no direction is guarded: the product is switched off",
            _GUARD_INBOUND,
        )
    elif "ingress" not in policy.directions:
        yield warning("directions", "inbound rules are not guarded", _GUARD_INBOUND)


_LONGEST_BATCH: Final = timedelta(minutes=2)
_GUARD_ALL: Final = 'Write guard = ["add", "modify", "remove"].'
_GUARD_INBOUND: Final = 'Write directions = ["ingress"], or ["ingress", "egress"].'


def _times(policy: Policy) -> Iterator[Finding]:
    remind, expire = policy.remind_after_hours, policy.expire_after_hours
    if remind >= expire:
        meaning = f"nobody is ever reminded: requests expire after {expire:g} hours, reminders follow after {remind:g}"
        yield warning("remind_after_hours", meaning, f"Write a number below expire_after_hours ({expire:g}).")
    if policy.drift_grace > policy.expires_after:
        meaning = (
            f"a difference that no event explains stays in force for {policy.drift_grace_minutes:g} minutes, longer "
            f"than a request may be approved ({expire:g} hours)"
        )
        yield warning("drift_grace_minutes", meaning, "Write 15, or as many minutes as your events are late.")
    if policy.gather_seconds and policy.expires_after <= _LONGEST_BATCH + policy.gathers_for:
        meaning = (
            f"requests expire after {expire:g} hours, and calls are gathered for up to "
            f"{_LONGEST_BATCH.seconds / 60:g} minutes, so a batch may expire before anybody is asked"
        )
        yield warning("expire_after_hours", meaning, "Write 1 or more.")


# -- who decides -------------------------------------------------------------------------------------------------------

_SESSION: Final = ("arn:aws", LETTERS, ":sts::", *ACCOUNT, ":assumed-role/")
_IDENTITY_CENTER: Final = "AWSReservedSSO_"
_PERSON: Final = form(*_SESSION, _IDENTITY_CENTER, NAME, "/", NAME_CHARACTER, NAME)
_OTHER_SESSIONS: Final = tuple(
    form(*_SESSION, _IDENTITY_CENTER[:index], Token(NAME_CHARACTER.chars - {character}), NAME, "/", NAME)
    for index, character in enumerate(_IDENTITY_CENTER)
)
"""Sessions of roles whose name differs from those of Identity Center at the first, second, … character."""


def _people(policy: Policy) -> Iterator[Finding]:
    for pattern, _ in policy.people:
        if not _matches_any(pattern, (USER, _PERSON)):
            meaning = "never counts, because it is not the ARN of an IAM user or of a session of Identity Center"
        elif _matches_any(pattern, _OTHER_SESSIONS):
            meaning = "also matches sessions of other roles, which never count"
        else:
            continue
        yield Finding(
            severity="warning" if policy.allow_self_approval else "error",
            key=f"people.{pattern}",
            meaning=f"{meaning} (whoever assumes any other role chooses the session's name)",
            remedy='Write "arn:aws:iam::222222222222:user/ada", or '
            '"arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com".',
        )


# -- who is exempt -----------------------------------------------------------------------------------------------------

_SESSION_PATTERN: Final = re.compile(r"arn:([^:]*):sts:[^:]*:([^:]*):assumed-role/([^/]*)")
_PATHLESS_PATTERN: Final = re.compile(r"arn:([^:]*):iam:[^:]*:([^:]*):role/(AWSReservedSSO_[^/]*)\Z")
_PARTITION: Final = re.compile(r"arn:(aws[a-z-]*):")
_ACCOUNT_ID: Final = re.compile(r":(\d{12}):")
_ANY_NAMES: Final = ("q7", "Zk/w_9", "0.x@y")
_ANY_GROUPS: Final = ("sg-0123456789abcdef0", "sg-fedcba98")


def _never_a_principal(key: str, pattern: str) -> list[Finding]:
    session, pathless = _SESSION_PATTERN.match(pattern), _PATHLESS_PATTERN.match(pattern)
    if pathless:
        meaning = f'"{pattern}" can never match, because roles of Identity Center have a path'
        return [warning(key, meaning, f'Write "{_role_pattern(*pathless.groups())}".')]
    if _matches_any(pattern, PRINCIPALS):
        return []
    if session:
        meaning = f'"{pattern}" can never match: it is a session, and the role behind a session is what counts'
        remedy = f'Write "{_role_pattern(*session.groups())}", with the path if the role has one.'
    else:
        meaning = f'"{pattern}" can never match, because it is not the ARN of an IAM user or a role'
        remedy = 'Write the whole ARN, such as "arn:aws:iam::222222222222:role/deploy".'
    return [warning(key, meaning, remedy)]


def _role_pattern(partition: str, account: str, role: str) -> str:
    path = "aws-reserved/sso.amazonaws.com/*" if role.startswith(_IDENTITY_CENTER) else ""
    return f"arn:{partition}:iam::{account}:role/{path}{role}"


def _too_wide(key: str, pattern: str) -> Iterator[Finding]:
    partition, account = _PARTITION.match(pattern), _ACCOUNT_ID.search(pattern)
    whose = f"of account {account[1]}" if account else "of every account"
    start = f"arn:{partition[1] if partition else 'aws'}:iam::{account[1] if account else '000000000000'}"
    kinds = [
        kind for kind in ("role", "user") if all(fnmatchcase(f"{start}:{kind}/{name}", pattern) for name in _ANY_NAMES)
    ]
    remedy = "List single roles by their whole ARN."
    if len(kinds) > 1:
        yield warning(key, f'"{pattern}" exempts everybody {whose}, which switches the product off', remedy)
    elif kinds:
        yield warning(key, f'"{pattern}" exempts every {kinds[0]} {whose}', remedy)


def _group(key: str, pattern: str) -> Iterator[Finding]:
    if not can_match(pattern, GROUP_ID):
        meaning = f'"{pattern}" can never match: ids of security groups are compared, which begin with sg-, not names'
        yield warning(key, meaning, 'Write the id of the group, such as "sg-0a1b2c3d4e5f60718".')
    elif all(fnmatchcase(group_id, pattern) for group_id in _ANY_GROUPS):
        meaning = f'"{pattern}" exempts every group, which switches the product off'
        yield warning(key, meaning, "List single groups by their id.")


def _service(key: str, pattern: str) -> Iterator[Finding]:
    if ".amazonaws." in pattern or not can_match(pattern, SERVICE_NAME):
        meaning = f'"{pattern}" can never match, because it is not the short name of an AWS service'
        remedy = 'Write the part before ".amazonaws.com" in the path of its role, such as "elasticloadbalancing".'
        yield warning(key, meaning, remedy)


def _matches_any(pattern: str, forms: Iterable[Form]) -> bool:
    return any(can_match(pattern, one) for one in forms)
