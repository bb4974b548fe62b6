"""Reads ``[[rules]]`` of ``policy.toml``; every mistake is named by its key.

An entry that no security group rule could match is an error: its author meant it to guard something. Of a
contradiction that has a stricter reading, that reading holds at run time, and ``python -m shared.policy check`` refuses
it: deny wins over 0 approvals, and what nobody can satisfy is approved by nobody.

What does not belong here: which security group rules an entry matches (``shared.domain.risk_rule``), and those
contradictions (``shared.policy.cli.rule_checks``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar, get_args

from shared.domain.change import GuardedKind
from shared.domain.exposure import Span
from shared.domain.networks import Range, has_private_part, is_private, merged, range_of
from shared.domain.policy import Policies
from shared.domain.risk_rule import RiskRule, SourceClass
from shared.domain.rule import DIRECTIONS, RuleError, canonical_protocol
from shared.wire.fields import Field, FieldError

T = TypeVar("T")

LONGEST_HOURS: Final = 24 * 365
MOST_APPROVALS: Final = 10
_LONGEST_DENIAL: Final = 500

_MATCH_KEYS: Final = (
    *("source", "ports", "protocols", "kinds", "directions"),
    *("groups", "accounts", "regions", "principals", "cidrs"),
)
_KEYS: Final = ("match", "approvals", "approvers", "max_hours", "deny", "mention")

_PORTS: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?\Z", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}\Z", re.ASCII)
_GROUP: Final = re.compile(r"[a-z0-9*?\[\]!-]+\Z")
_REGION: Final = re.compile(r"[a-z0-9*?\[\]!-]+\Z")
_PRINCIPAL: Final = re.compile(r"(?!arn:[^:]*:sts:)(arn:|\*)\S*\Z")  # sessions are named by their role
_PRINCIPAL_WORDS: Final = "the ARN of an IAM user or role (no session), or a glob such as arn:aws:iam::*:role/ci-*"
_SLACK_ID: Final = re.compile(r"[UWS][A-Z0-9]+\Z")
_HIGHEST_PORT: Final = 65535


def with_risk_rules(policies: Policies, rules: Field) -> Policies:
    """Return the policies with the entries, which hold for every account.

    Args:
        policies: what the other keys say.
        rules: the list below the key ``rules``.

    Raises:
        FieldError: as :func:`read_risk_rules`.
    """
    entries = read_risk_rules(rules)
    return Policies(
        general=replace(policies.general, rules=entries),
        accounts=tuple((account, replace(policy, rules=entries)) for account, policy in policies.accounts),
    )


def read_risk_rules(rules: Field) -> tuple[RiskRule, ...]:
    """Read all entries.

    Args:
        rules: the list below the key ``rules``.

    Raises:
        FieldError: for an unknown key, a value that is not allowed, or an entry that no rule could match.
    """
    return tuple(_entry(one) for one in rules.elements())


def _entry(field: Field) -> RiskRule:
    _refuse_unknown(field, _KEYS)
    match = field["match"]
    _refuse_unknown(match, _MATCH_KEYS)
    entry = RiskRule(
        place=field.path,
        sources=_each(match["source"], _one_of(get_args(SourceClass))),
        ports=_merged_ports(_each(match["ports"], _ports)),
        protocols=_each(match["protocols"], _protocol),
        kinds=_each(match["kinds"], _one_of(get_args(GuardedKind))),
        directions=_each(match["directions"], _one_of(DIRECTIONS)),
        groups=_each(match["groups"], _like(_GROUP, "a security group id, or a glob such as sg-0a*")),
        accounts=_each(match["accounts"], _like(_ACCOUNT, "a 12-digit account id in quotes")),
        regions=_each(match["regions"], _like(_REGION, "a region, or a glob such as eu-*")),
        principals=_each(match["principals"], _like(_PRINCIPAL, _PRINCIPAL_WORDS)),
        cidrs=merged(_each(match["cidrs"], _cidr)),
        approvals=1 if field["approvals"].is_missing else _approvals(field["approvals"]),
        approvers=_each(field["approvers"], _slack_id),
        max_hours=None if field["max_hours"].is_missing else _hours(field["max_hours"]),
        deny=_sentence(field["deny"]),
        mention=_each(field["mention"], _slack_id),
    )
    _refuse_unmatchable(field, entry)
    return entry


def _refuse_unmatchable(field: Field, entry: RiskRule) -> None:
    if entry.ports and entry.protocols and set(entry.protocols) <= {"icmp", "icmpv6"}:
        raise field["match"]["ports"].error("icmp and icmpv6 have no ports, so this entry matches nothing")
    if not entry.cidrs or not entry.sources:
        return
    if set(entry.sources) <= {"group", "prefix_list"}:
        raise field["match"]["cidrs"].error("groups and prefix lists have no addresses, so this entry matches nothing")
    sources = set(entry.sources) - {"group", "prefix_list"}
    if sources == {"private"} and not any(map(has_private_part, entry.cidrs)):
        raise field["match"]["cidrs"].error("none of these addresses is private, so this entry matches nothing")
    if "private" not in sources and all(map(is_private, entry.cidrs)):
        raise field["match"]["cidrs"].error("all of these addresses are private, so this entry matches nothing")


def _refuse_unknown(section: Field, known: Sequence[str]) -> None:
    for key, member in section.members():
        if key not in known:
            raise member.error(f"is not a key of [[rules]]; known here: {', '.join(sorted(known))}")


def _each(field: Field, read: Callable[[Field], T]) -> tuple[T, ...]:
    return tuple(read(element) for element in field.elements())


def _one_of(allowed: Sequence[T]) -> Callable[[Field], T]:
    def read(field: Field) -> T:
        for one in allowed:
            if field.value == one:
                return one
        raise field.error(f"expected one of {', '.join(repr(one) for one in allowed)}, found {field.value!r}")

    return read


def _like(pattern: re.Pattern[str], expected: str) -> Callable[[Field], str]:
    def read(field: Field) -> str:
        text = field.text()
        if not pattern.match(text):
            raise field.error(f"expected {expected}, found {text!r}")
        return text

    return read


_slack_id: Final = _like(_SLACK_ID, "a Slack user id such as U061F7AUR or a user group id such as S061F7AUR")


def _ports(field: Field) -> Span:
    match = _PORTS.match(field.text())
    if match is not None:
        first, last = int(match[1]), int(match[2] or match[1])
        if first <= last <= _HIGHEST_PORT:
            return Span(first, last)
    raise field.error(f'expected a port or a range such as "22" or "8000-8100", found {field.value!r}')


def _merged_ports(spans: Sequence[Span]) -> tuple[Span, ...]:
    # Numbers are numbers: ports are merged as addresses are.
    return tuple(Span(one.first, one.last) for one in merged(Range(0, *span) for span in spans))


def _protocol(field: Field) -> str:
    try:
        return canonical_protocol(field.text())
    except RuleError as error:
        raise field.error(str(error)) from error


def _cidr(field: Field) -> Range:
    try:
        return range_of(field.text())
    except ValueError as error:
        if isinstance(error, FieldError):
            raise
        raise field.error(f"expected a CIDR block such as 203.0.113.0/24: {error}") from error


def _approvals(field: Field) -> int:
    value = field.value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_APPROVALS:
        raise field.error(f"expected a whole number from 0 to {MOST_APPROVALS}, found {value!r}")
    return value


def _hours(field: Field) -> float:
    value = field.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_HOURS:
        raise field.error(f"expected a number above 0, at most {LONGEST_HOURS}, found {value!r}")
    return value


def _sentence(field: Field) -> str:
    text = field.optional_text().strip()
    if len(text) > _LONGEST_DENIAL:
        raise field.error(f"expected at most {_LONGEST_DENIAL} characters, found {len(text)}")
    return text
