"""Finds what is wrong with a valid policy: keys that can never match, that let nobody approve, or that guard nothing.

What does not belong here: what makes a file invalid (``shared.wire.policy_document``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal

from shared.domain.policy import Policies, Policy

from .globs import DIGIT, HEX, LETTERS, NAME, NAME_CHARACTER, PATH_AND_NAME, SERVICE, Form, Token, can_match, form

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake.

    Attributes:
        severity: ``error`` when requests could not be decided as the policy says; ``warning`` for everything else.
        key: where it stands, e.g. ``exempt.principals[0]``, ``accounts.222222222222.mode``.
        meaning: what the key does as it is written.
        remedy: what to write instead.
    """

    severity: Severity
    key: str
    meaning: str
    remedy: str


def find_mistakes(policies: Policies) -> tuple[Finding, ...]:
    """Return what is wrong in general, and then what is wrong in single accounts only."""
    general = tuple(_mistakes(policies.general))
    special = [
        replace(finding, key=f"accounts.{account}.{finding.key}", meaning=f"in account {account}, {finding.meaning}")
        for account, policy in policies.accounts
        for finding in _mistakes(policy)
        if finding not in general
    ]
    return (*general, *special)


def _mistakes(policy: Policy) -> Iterator[Finding]:
    yield from _unguarded(policy)
    yield from _times(policy)
    yield from _approvers(policy)
    yield from _people(policy)
    for index, pattern in enumerate(policy.exempt_principals):
        yield from _principal(f"exempt.principals[{index}]", pattern)
    for index, pattern in enumerate(policy.exempt_groups):
        yield from _group(f"exempt.groups[{index}]", pattern)
    for index, pattern in enumerate(policy.exempt_service_linked_roles):
        yield from _service(f"exempt.service_linked_roles[{index}]", pattern)


def _warning(key: str, meaning: str, remedy: str) -> Finding:
    return Finding(severity="warning", key=key, meaning=meaning, remedy=remedy)


# -- what is guarded, and when -----------------------------------------------------------------------------------------


def _unguarded(policy: Policy) -> Iterator[Finding]:
    if policy.mode == "observe":
        meaning = "nothing is reverted: changes stay in force, are reported, and count as approved"
        yield _warning("mode", meaning, 'Write mode = "enforce" when you have seen enough.')
    if not policy.guard:
        yield _warning(
            "guard",
            "nothing is reverted, because no kind of change is guarded: the product is switched off",
            _GUARD_ALL,
        )
    elif "add" not in policy.guard:
        yield _warning("guard", "added rules stay in force without approval", _GUARD_ALL)
    if not policy.directions:
        yield _warning(
            "directions",
            "nothing is reverted, because no direction is guarded: the product is switched off",
            _GUARD_INBOUND,
        )
    elif "ingress" not in policy.directions:
        yield _warning("directions", "inbound rules are not guarded", _GUARD_INBOUND)


_GUARD_ALL: Final = 'Write guard = ["add", "modify", "remove"].'
_GUARD_INBOUND: Final = 'Write directions = ["ingress"], or ["ingress", "egress"].'


def _times(policy: Policy) -> Iterator[Finding]:
    remind, expire = policy.remind_after_hours, policy.expire_after_hours
    if remind >= expire:
        meaning = f"nobody is ever reminded: requests expire after {expire:g} hours, reminders follow after {remind:g}"
        yield _warning("remind_after_hours", meaning, f"Write a number below expire_after_hours ({expire:g}).")
    if policy.drift_grace > policy.expires_after:
        meaning = (
            f"a difference that no event explains stays in force for {policy.drift_grace_minutes:g} minutes, longer "
            f"than a request may be approved ({expire:g} hours)"
        )
        yield _warning("drift_grace_minutes", meaning, "Write 15, or as many minutes as your events are late.")


# -- who decides -------------------------------------------------------------------------------------------------------

_SLACKBOT: Final = "USLACKBOT"
_SHORTEST_SLACK_ID: Final = 9


def _approvers(policy: Policy) -> Iterator[Finding]:
    for index, user_id in enumerate(policy.approvers):
        if user_id == _SLACKBOT or len(user_id) < _SHORTEST_SLACK_ID:
            meaning = f"{user_id} is not the id of a person in Slack, so nobody is this approver"
            remedy = "Copy the id from the person's Slack profile (More, Copy member ID), such as U061F7AUR."
            yield _warning(f"approvers[{index}]", meaning, remedy)
    if policy.allow_self_approval:
        return
    if not policy.people:
        is_one = len(policy.approvers) == 1
        meaning = "nobody can approve anything" if is_one else "every change needs two different people"
        yield Finding(
            severity="error" if is_one else "warning",
            key="allow_self_approval",
            meaning=f"{meaning}: requesters may not approve their own changes, and [people] is empty",
            remedy="List under [people] who is who, or write allow_self_approval = true.",
        )
    without = sorted({user_id for _, user_id in policy.people if set(policy.approvers) == {user_id}})
    if without:
        is_everybody = {user_id for _, user_id in policy.people} == set(without)
        yield Finding(
            severity="error" if is_everybody else "warning",
            key="approvers",
            meaning=f"nobody can approve the changes of {without[0]}, who is the only approver",
            remedy="Add a second approver.",
        )


_ACCOUNT: Final = (DIGIT,) * 12
_USER: Final = form("arn:aws", LETTERS, ":iam::", *_ACCOUNT, ":user/", PATH_AND_NAME)
_SESSION: Final = ("arn:aws", LETTERS, ":sts::", *_ACCOUNT, ":assumed-role/")
_IDENTITY_CENTER: Final = "AWSReservedSSO_"
_PERSON: Final = form(*_SESSION, _IDENTITY_CENTER, NAME, "/", NAME_CHARACTER, NAME)
_OTHER_SESSIONS: Final = tuple(
    form(*_SESSION, _IDENTITY_CENTER[:index], Token(NAME_CHARACTER.chars - {character}), NAME, "/", NAME)
    for index, character in enumerate(_IDENTITY_CENTER)
)
"""Sessions of roles whose name differs from those of Identity Center at the first, second, … character."""


def _people(policy: Policy) -> Iterator[Finding]:
    for pattern, _ in policy.people:
        if not _matches_any(pattern, (_USER, _PERSON)):
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

_ROLE: Final = form("arn:aws", LETTERS, ":iam::", *_ACCOUNT, ":role/", PATH_AND_NAME)
_ROOT: Final = form("arn:aws", LETTERS, ":iam::", *_ACCOUNT, ":root")
_GROUP: Final = form("sg-", HEX)
_SERVICE: Final = form(SERVICE)

_SESSION_PATTERN: Final = re.compile(r"arn:([^:]*):sts:[^:]*:([^:]*):assumed-role/([^/]*)")
_PATHLESS_PATTERN: Final = re.compile(r"arn:([^:]*):iam:[^:]*:([^:]*):role/(AWSReservedSSO_[^/]*)\Z")
_PARTITION: Final = re.compile(r"arn:(aws[a-z-]*):")
_ACCOUNT_ID: Final = re.compile(r":(\d{12}):")
_ANY_NAMES: Final = ("q7", "Zk/w_9", "0.x@y")
_ANY_GROUPS: Final = ("sg-0123456789abcdef0", "sg-fedcba98")


def _principal(key: str, pattern: str) -> Iterator[Finding]:
    session, pathless = _SESSION_PATTERN.match(pattern), _PATHLESS_PATTERN.match(pattern)
    if pathless:
        meaning = f'"{pattern}" can never match, because roles of Identity Center have a path'
        yield _warning(key, meaning, f'Write "{_role_pattern(*pathless.groups())}".')
    elif _matches_any(pattern, (_USER, _ROLE, _ROOT)):
        yield from _too_wide(key, pattern)
    elif session:
        meaning = f'"{pattern}" can never match: it is a session, and the role behind a session is what counts'
        yield _warning(key, meaning, f'Write "{_role_pattern(*session.groups())}", with the path if the role has one.')
    else:
        meaning = f'"{pattern}" can never match, because it is not the ARN of an IAM user or a role'
        yield _warning(key, meaning, 'Write the whole ARN, such as "arn:aws:iam::222222222222:role/deploy".')


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
        yield _warning(key, f'"{pattern}" exempts everybody {whose}, which switches the product off', remedy)
    elif kinds:
        yield _warning(key, f'"{pattern}" exempts every {kinds[0]} {whose}', remedy)


def _group(key: str, pattern: str) -> Iterator[Finding]:
    if not can_match(pattern, _GROUP):
        meaning = f'"{pattern}" can never match: ids of security groups are compared, which begin with sg-, not names'
        yield _warning(key, meaning, 'Write the id of the group, such as "sg-0a1b2c3d4e5f60718".')
    elif all(fnmatchcase(group_id, pattern) for group_id in _ANY_GROUPS):
        meaning = f'"{pattern}" exempts every group, which switches the product off'
        yield _warning(key, meaning, "List single groups by their id.")


def _service(key: str, pattern: str) -> Iterator[Finding]:
    if ".amazonaws." in pattern or not can_match(pattern, _SERVICE):
        meaning = f'"{pattern}" can never match, because it is not the short name of an AWS service'
        remedy = 'Write the part before ".amazonaws.com" in the path of its role, such as "elasticloadbalancing".'
        yield _warning(key, meaning, remedy)


def _matches_any(pattern: str, forms: Iterable[Form]) -> bool:
    return any(can_match(pattern, one) for one in forms)
