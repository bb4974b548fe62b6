"""What a message says about where its request stands: headline, colour, status line, and what a reader should do.

Every text here is this product's own, but for the notes, which are shown as ``plain_text``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from shared.domain.record import POLICY, Record
from shared.slack.blocks import GREEN, ORANGE, RED
from shared.slack.text import date, mention, shorten, visible

NOTES_ROOM: Final = 1500
"""Most characters the notes take up, as ``limits.size`` counts them."""

REPEATED_ROOM: Final = 500
"""The same of the note that may stand above buttons."""

_ERROR: Final = 800
_NAME: Final = 100

_RULE_GONE: Final = (
    "A rule to remove or change is no longer there. Nothing to do if that was intended; otherwise look at the group."
)
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_TO_DO: Final[Mapping[str, str]] = {
    "InvalidPermission.Duplicate": (
        "Such a rule is in the group already, so nothing was added. Nothing to do if it serves the purpose; otherwise "
        "remove it first and make the change again."
    ),
    "InvalidPermission.NotFound": _RULE_GONE,
    "InvalidSecurityGroupRuleId.NotFound": _RULE_GONE,
    "InvalidGroup.NotFound": (
        "The group, or a group that a rule refers to, no longer exists. Make the change again where it is needed."
    ),
    "RulesPerSecurityGroupLimitExceeded": (
        "The group is full. Remove rules that nobody needs, or have the quota raised, and make the change again."
    ),
    "UnauthorizedOperation": (
        "The role of the member function lacks a permission, or an SCP forbids the call. Repair that and make the "
        "change again."
    ),
}
_TO_DO_OTHERWISE: Final = (
    "The log of applySecurityGroupChange in the member account says more. "
    "When the cause is gone, make the change again."
)
_TO_DO_UNREVERTED: Final = (
    "Somebody has to look at this group now: put the rules right by hand, or keep them knowingly. No button can do it."
)
_TO_DO_REPEATED: Final = (
    "This message stands for all of them. A pipeline or controller that puts its rules back has to be stopped, or "
    "exempted in policy.toml (exempt.principals); see the runbook, 'Somebody fights the product'."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is said about a request in one of its messages.

    Attributes:
        headline: plain text, short.
        colour: of the bar.
        line: the status line, with markup.
        plain_line: the same without markup, with the names that Slack puts in for mentions; for the top-level text.
        notes: label and text of what stands below the headline; together at most :data:`NOTES_ROOM` long.
        is_fact: the change was made or is in force (``Added``), not asked for (``Add``).
        warns: whether rules open to the internet get their remark.
    """

    headline: str
    colour: str
    line: str
    plain_line: str
    notes: tuple[tuple[str, str], ...] = ()
    is_fact: bool = False
    warns: bool = True


_EXPIRED: Final = Telling(
    headline="Security group change request expired",
    colour=RED,  # it ends like a denial: the change stays taken back
    line="*Expired.* Nobody decided in time. The change stays taken back; whoever still needs it makes it again.",
    plain_line="Expired. Nobody decided in time. The change stays taken back; whoever still needs it makes it again.",
    warns=False,
)
_UNREVERTED: Final = Telling(
    headline="Unapproved security group change could not be taken back",
    colour=RED,
    line="*Not taken back.* Nobody approved this change, and it could not be taken back.",
    plain_line="Not taken back. Nobody approved this change, and it could not be taken back.",
    notes=(("What to do", _TO_DO_UNREVERTED),),
    is_fact=True,
)
_OBSERVED: Final = Telling(
    headline="Security group change observed",
    colour=ORANGE,  # nothing is wrong, and nobody has approved it either
    line="*Observed.* The change is in force. Nothing was taken back, and nobody is asked.",
    plain_line="Observed. The change is in force. Nothing was taken back, and nobody is asked.",
    is_fact=True,
)


def waiting(record: Record, *, reminder: bool, asks: bool) -> Telling:
    """Say that a request waits for a decision.

    Args:
        record: a pending one.
        reminder: it was asked before.
        asks: the message has buttons.
    """
    what = f"ecurity group change made {record.made} times" if record.repeats else "ecurity group change"
    headline = f"S{what} needs approval" if asks else f"S{what} waits for approval"
    told = "The change was taken back until somebody approves it."
    return Telling(
        headline=f"Reminder: s{what} still needs approval" if reminder else headline,
        colour=ORANGE,
        line=f"*Pending* since {date(record.requested_at)}. {told}",
        plain_line=f"Pending. {told}",
        notes=_repeated(record),
    )


def clicked(record: Record, *, approving: bool) -> Telling:
    """Say that a click has arrived and is being acted on."""
    verb = "Approved" if approving else "Denied"
    return Telling(
        headline="Security group change: processing…",
        colour=ORANGE,
        line=f"*Processing…* {verb} {_by(record)}.",
        plain_line=f"Processing… {verb}{_by_name(record)}.",
        notes=_decider(record),
    )


def standing(record: Record) -> Telling:
    """Say where a request stands, for messages without buttons."""
    match record.status:
        case "pending":
            return waiting(record, reminder=False, asks=False)
        case "approved":
            return _approved(record)
        case "applied":
            return _applied(record)
        case "denied":
            return _denied(record)
        case "expired":
            return replace(_EXPIRED, notes=_repeated(record))
        case "error":
            return _error(record)
        case "unreverted":
            return _UNREVERTED
        case "observed":
            return _OBSERVED
        case _:
            assert_never(record.status)


def _approved(record: Record) -> Telling:
    return Telling(
        headline="Security group change approved",
        colour=GREEN,
        line=f"*Approved* {_by(record)}. It is being applied.",
        plain_line=f"Approved{_by_name(record)}. It is being applied.",
        notes=_decider(record),
    )


def _applied(record: Record) -> Telling:
    return Telling(
        headline="Security group change approved and applied",
        colour=GREEN,
        line=f"*Approved* {_by(record)}. It is applied and in force.",
        plain_line=f"Approved{_by_name(record)}. It is applied and in force.",
        notes=_decider(record),
        is_fact=True,
    )


def _denied(record: Record) -> Telling:
    by_policy = record.decided_by == POLICY or record.request.status == "denied"
    by, name = ("by policy", " by policy") if by_policy else (_by(record), _by_name(record))
    return Telling(
        headline="Security group change denied by policy" if by_policy else "Security group change denied",
        colour=RED,
        line=f"*Denied* {by}. The change stays taken back.",
        plain_line=f"Denied{name}. The change stays taken back.",
        notes=(*(() if by_policy else _decider(record)), *_repeated(record)),
        warns=False,
    )


def _error(record: Record) -> Telling:
    error = f"{record.error_code or 'Unknown'}: {record.error_reason or 'no reason was given'}"
    to_do = _TO_DO.get(record.error_code.removeprefix("Client."), _TO_DO_OTHERWISE)
    return Telling(
        headline="Approved security group change could not be applied",
        colour=RED,
        line=f"*Error.* Approved {_by(record)}. It could not be applied.",
        plain_line=f"Error. Approved{_by_name(record)}. It could not be applied.",
        notes=(("Error", shorten(visible(error), _ERROR)), ("What to do", to_do), *_decider(record)),
        warns=False,
    )


def _repeated(record: Record) -> tuple[tuple[str, str], ...]:
    """Return how often the change was made, and what to do about it: something or somebody puts it back."""
    if not record.repeats:
        return ()
    known = record.request.requester is not None
    who = "The same requester made this change" if known else "This change was made"
    told = f"{who} {record.made} times, and each time it was taken back."
    return (("Repeated", f"{told} {_TO_DO_REPEATED}"),)


def _by(record: Record) -> str:
    """Return who and when, with markup; never a name, which anybody chooses for themselves."""
    when = f", {date(record.decided_at)}" if record.decided_at is not None else ""
    return f"by {mention(record.decided_by) or 'an approver'}{when}"


def _by_name(record: Record) -> str:
    name = visible(record.decided_by_name or record.decided_by)
    return f" by {shorten(name, _NAME)}" if name else ""


def _decider(record: Record) -> tuple[tuple[str, str], ...]:
    """Return who decided as a note where Slack cannot show it in the status line."""
    if mention(record.decided_by) or not record.decided_by:
        return ()
    return (("Decided by", shorten(visible(f"{record.decided_by_name} {record.decided_by}".strip()), _NAME)),)
