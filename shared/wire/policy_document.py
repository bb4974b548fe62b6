"""Reads ``policy.toml`` into policy values; every mistake in it is named by its key.

An unknown key or a value of the wrong type is an error rather than a surprise later: a policy that does not say what
its author meant is worse than none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from shared.domain.policy import Policies, Policy
from shared.wire.fields import Field, FieldError
from shared.wire.policy_lines import with_line


class PolicyError(FieldError):
    """A policy that cannot be used; the message names the key and what is allowed there."""


_ACCOUNT: Final = re.compile(r"\d{12}\Z")
_SLACK_USER: Final = re.compile(r"[UW][A-Z0-9]+\Z")
_SLACK_APPROVER: Final = re.compile(r"[UWS][A-Z0-9]+\Z")
_MOST_OFFERS: Final = 3  # a message has room for so many buttons more
_LONGEST_GATHER: Final = 120  # a batch closes two minutes after its first request
_FEWEST_DAYS: Final = 30
_MOST_DAYS: Final = 36_500
_LONGEST_HOURS: Final = 24 * 365  # a year: more is a typing error
_SHOWN: Final = 80
"""How many characters of a wrong value an error shows; errors are shown to people in Slack, too."""

_EXEMPT: Final = {
    "principals": "exempt_principals",
    "groups": "exempt_groups",
    "service_linked_roles": "exempt_service_linked_roles",
}
"""The keys of ``[exempt]`` and their attributes in :class:`Policy`."""


def parse_policies(text: str) -> Policies:
    """Read a policy document.

    Args:
        text: the contents of ``policy.toml``.

    Raises:
        PolicyError: when it is not TOML, has an unknown key, or a value of the wrong type or range.
    """
    try:
        root = Field(tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        # Numbers of more than 4300 digits and deeply nested brackets do not end in a TOMLDecodeError.
        raise PolicyError("", f"is not valid TOML: {error}") from error
    try:
        return _policies(root)
    except FieldError as error:
        raise PolicyError(error.path, with_line(text, error.path, error.problem)) from error


def _policies(root: Field) -> Policies:
    general = _policy(root, Policy(), known={*_READERS, "people", "exempt", "accounts", "rules"})
    accounts = []
    for account, section in root["accounts"].members():
        if not _ACCOUNT.match(account):
            raise section.error('is not a 12-digit account id; write it in quotes: [accounts."222222222222"]')
        accounts.append((account, _policy(section, general, known={*_READERS, "people", "exempt"})))
    policies = Policies(general=general, accounts=tuple(accounts))
    if root["rules"].is_missing:
        return policies
    from shared.wire.policy_rules import with_risk_rules  # here: most policies have none

    return with_risk_rules(policies, root["rules"])


def _policy(section: Field, base: Policy, *, known: set[str]) -> Policy:
    _refuse_unknown(section, known)
    values: dict[str, object] = {
        key: read(section[key]) for key, read in _READERS.items() if not section[key].is_missing
    }
    if not section["people"].is_missing:
        values["people"] = tuple(_people(section["people"]))
    exempt = section["exempt"]
    _refuse_unknown(exempt, set(_EXEMPT))
    for key, attribute in _EXEMPT.items():
        if not exempt[key].is_missing:
            values[attribute] = _texts(exempt[key])
    return replace(base, **values)  # type: ignore[arg-type]  # each reader returns the type of its attribute


def _refuse_unknown(section: Field, known: set[str]) -> None:
    for key, member in section.members():
        if key not in known:
            raise member.error(f"is not a policy key; known here: {', '.join(sorted(known))}")


def _people(section: Field) -> Iterator[tuple[str, str]]:
    for pattern, user in section.members():
        yield pattern, _slack_user(user)


def _slack_user(field: Field) -> str:
    user_id = field.text()
    if not _SLACK_USER.match(user_id):
        raise field.error(f"{_shown(user_id)} is not a Slack user id such as U061F7AUR")
    return user_id


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _texts(field: Field) -> tuple[str, ...]:
    return tuple(element.text() for element in field.elements())


def _slack_approvers(field: Field) -> tuple[str, ...]:
    return tuple(_slack_approver(element) for element in field.elements())


def _slack_approver(field: Field) -> str:
    slack_id = field.text()
    if not _SLACK_APPROVER.match(slack_id):
        raise field.error(f"{_shown(slack_id)} is not a Slack user id such as U061F7AUR or a user group id (S…)")
    return slack_id


def _offers(field: Field) -> tuple[float, ...]:
    read = _up_to(_LONGEST_HOURS)
    offers = sorted({read(element) for element in field.elements()})
    if len(offers) > _MOST_OFFERS:
        raise field.error(f"expected at most {_MOST_OFFERS} different numbers of hours, found {len(offers)}")
    return tuple(offers)


def _days(field: Field) -> float:
    days = _up_to(_MOST_DAYS, or_none=True)(field)
    if 0 < days < _FEWEST_DAYS:
        raise field.error(f"expected 0 (for ever) or at least {_FEWEST_DAYS}, found {_shown(field.value)}")
    return days


def _boolean(field: Field) -> bool:
    if not isinstance(field.value, bool):
        raise field.error(f"expected true or false, found {_shown(field.value)}")
    return field.value


def _up_to(largest: int, *, or_none: bool = False) -> Callable[[Field], float]:
    lowest = "from 0" if or_none else "above 0"

    def fits(value: float) -> bool:
        return 0 < value <= largest or (or_none and value == 0)

    def read(field: Field) -> float:
        value = field.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
            raise field.error(f"expected a number {lowest}, at most {largest}, found {_shown(value)}")
        return value

    return read


def _one_of(*allowed: str) -> Callable[[Field], str]:
    def read(field: Field) -> str:
        if field.value not in allowed:
            raise field.error(f"expected one of {', '.join(repr(one) for one in allowed)}, found {_shown(field.value)}")
        return str(field.value)

    return read


def _some_of(*allowed: str) -> Callable[[Field], tuple[str, ...]]:
    one = _one_of(*allowed)

    def read(field: Field) -> tuple[str, ...]:
        return tuple(one(element) for element in field.elements())

    return read


_READERS: Final[Mapping[str, Callable[[Field], object]]] = {
    "mode": _one_of("enforce", "observe"),
    "directions": _some_of("ingress", "egress"),
    "guard": _some_of("add", "modify", "remove"),
    "require_description": _boolean,
    "expire_after_hours": _up_to(_LONGEST_HOURS),
    "remind_after_hours": _up_to(_LONGEST_HOURS),
    "drift": _one_of("revert", "report"),
    "drift_grace_minutes": _up_to(_LONGEST_HOURS * 60, or_none=True),
    "gather_seconds": _up_to(_LONGEST_GATHER, or_none=True),
    "offer_hours": _offers,
    "ask_by_dry_run": _boolean,
    "ask_by_refusal": _texts,
    "require_denial_reason": _boolean,
    "keep_days": _days,
    "approvers": _slack_approvers,
    "allow_self_approval": _boolean,
}
