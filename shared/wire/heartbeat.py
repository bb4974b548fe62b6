"""The heartbeat of a member account and region, and its JSON: how it is there, by its own account.

It is a hint for operators and grants nothing: whatever it says, no request, baseline or adoption changes by it. What a
member may not look at is ``unknown``. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.wire.fields import Field
from shared.wire.rule_json import time_to_text

UNKNOWN: Final = "unknown"

_MOST_PROBLEMS: Final = 10
_LONGEST_TEXT: Final = 400
_LONGEST_WORD: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a person has to look at.

    Attributes:
        kind: which, e.g. ``trail``: the same kind is announced once, however its sentence changes.
        text: a sentence for people.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How a member is.

    Attributes:
        account: 12-digit account.
        account_name: how people call it.
        region: e.g. ``eu-west-1``.
        sent_at: when, UTC.
        version: of the product.
        policy_digest: first 16 hex digits of the policy file's SHA-256; empty when it cannot be read.
        mode: ``enforce`` or ``observe``.
        adopted_at: when each direction was adopted, e.g. ``(("ingress", …),)``.
        groups: how many groups are guarded; ``None``: unknown.
        dead_letters: how many events wait in both queues; ``None``: unknown.
        rule: of the event rule ``on``, ``off``, ``missing`` or ``unknown``.
        trail: of CloudTrail the same.
        probe: what became of the last probe: ``arrived``, ``waiting``, ``missing``, ``no group`` or EC2's error code.
        probe_ms: milliseconds from the probe's call to its event; ``None``: it has not arrived.
        problems: what a person has to look at.
    """

    account: str
    account_name: str = ""
    region: str
    sent_at: datetime
    version: str
    policy_digest: str = ""
    mode: str
    adopted_at: tuple[tuple[str, datetime], ...] = ()
    groups: int | None = None
    dead_letters: int | None = None
    rule: str = UNKNOWN
    trail: str = UNKNOWN
    probe: str = "waiting"
    probe_ms: int | None = None
    problems: tuple[Problem, ...] = ()


def heartbeat_to_json(one: Heartbeat) -> dict[str, Any]:
    """Return the heartbeat as a JSON object; what is unknown or empty is left out."""
    document: dict[str, Any] = {
        "account": one.account,
        "accountName": one.account_name,
        "region": one.region,
        "sentAt": time_to_text(one.sent_at),
        "productVersion": one.version,
        "policyDigest": one.policy_digest,
        "mode": one.mode,
        "adoptedAt": {direction: time_to_text(moment) for direction, moment in one.adopted_at},
        "groups": one.groups,
        "deadLetters": one.dead_letters,
        "rule": one.rule,
        "trail": one.trail,
        "probe": one.probe,
        "probeMilliseconds": one.probe_ms,
        "problems": [
            {"kind": _cut(some.kind, _LONGEST_WORD), "text": _cut(some.text, _LONGEST_TEXT)}
            for some in one.problems[:_MOST_PROBLEMS]
        ],
    }
    return {key: value for key, value in document.items() if value not in (None, "", {}, [])}


def heartbeat_from_json(field: Field) -> Heartbeat:
    """Read a heartbeat; texts that are too long are cut, so that no member's item grows.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    return Heartbeat(
        account=field["account"].text(),
        account_name=_cut(field["accountName"].optional_text(), _LONGEST_TEXT),
        region=field["region"].text(),
        sent_at=field["sentAt"].time(),
        version=_cut(field["productVersion"].text(), _LONGEST_WORD),
        policy_digest=_cut(field["policyDigest"].optional_text(), _LONGEST_WORD),
        mode=_cut(field["mode"].text(), _LONGEST_WORD),
        adopted_at=_adopted(field["adoptedAt"]),
        groups=field["groups"].optional_integer(),
        dead_letters=field["deadLetters"].optional_integer(),
        rule=_word(field["rule"]),
        trail=_word(field["trail"]),
        probe=_word(field["probe"]),
        probe_ms=field["probeMilliseconds"].optional_integer(),
        problems=tuple(
            Problem(kind=_cut(one["kind"].text(), _LONGEST_WORD), text=_cut(one["text"].text(), _LONGEST_TEXT))
            for one in list(field["problems"].elements())[:_MOST_PROBLEMS]
        ),
    )


def _adopted(field: Field) -> tuple[tuple[str, datetime], ...]:
    found = {direction: field[direction] for direction in ("egress", "ingress")}
    return tuple((direction, one.time()) for direction, one in found.items() if not one.is_missing)


def _word(field: Field) -> str:
    return _cut(field.optional_text(), _LONGEST_WORD) or UNKNOWN


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
