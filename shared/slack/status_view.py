"""The status texts: headline, colour, status line, what a reader should do, and the sentence for a late click.

Every text here is this product's own, except in the notes, which are shown as ``plain_text``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from shared.domain.request import Request
from shared.slack.blocks import GREEN, ORANGE, RED
from shared.slack.request_view import POLICY, RequestView
from shared.slack.text import date, mention, shorten, visible

NOTES_ROOM: Final = 1500
"""Most characters the notes take up, as ``limits.size`` counts them."""

DUPLICATES_ROOM: Final = 500
"""The same for the note that may be shown above buttons."""

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
_TO_DO_UNREVERTED: Final = "Action needed: correct these rules by hand, or accept them. This cannot be done from Slack."
_TO_DO_DUPLICATES: Final = (
    "This message stands for all of them. A pipeline or controller that puts its rules back has to be stopped, or "
    "exempted in policy.toml (exempt.principals); see the runbook, 'Somebody fights the product'."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """How one message shows a request's status.

    Attributes:
        headline: plain text, short.
        colour: of the bar.
        line: the status line, with markup.
        plain_line: the same without markup, with the names that Slack puts in for mentions; for the top-level text.
        notes: label and text of what is shown below the headline; together at most :data:`NOTES_ROOM` long.
        is_fact: the change was made or is in force (``Added``); else it is asked for (``Add``).
        warns: whether rules open to the internet get their remark.
    """

    headline: str
    colour: str
    line: str
    plain_line: str
    notes: tuple[tuple[str, str], ...] = ()
    is_fact: bool = False
    warns: bool = True


_EXPIRED: Final = StatusView(
    headline="Security group change request expired",
    colour=RED,  # it ends like a denial: the change stays reverted
    line="*Expired.* Nobody decided in time. The change stays reverted; if it is still needed, make it again.",
    plain_line="Expired. Nobody decided in time. The change stays reverted; if it is still needed, make it again.",
    warns=False,
)
_UNREVERTED: Final = StatusView(
    headline="Unapproved security group change could not be reverted",
    colour=RED,
    line="*Not reverted.* Nobody approved this change, and it could not be reverted.",
    plain_line="Not reverted. Nobody approved this change, and it could not be reverted.",
    notes=(("What to do", _TO_DO_UNREVERTED),),
    is_fact=True,
)
_OBSERVED_HEADLINES: Final[Mapping[str, str]] = {
    "Adopted": "Region adopted",
    "AdoptedAgain": "Warning: region adopted again",
    "CallWithoutDetails": "Warning: a change without details",
    "StateDamaged": "Warning: stored state is damaged",
    "ModifyManagedPrefixList": "Prefix list changed",
    "RestoreManagedPrefixListVersion": "Prefix list changed",
    "AssociateSecurityGroupVpc": "Security group associated with another VPC",
}
_WARNINGS: Final = frozenset({"AdoptedAgain", "CallWithoutDetails", "StateDamaged"})


def waiting_view(view: RequestView, *, reminder: bool, asks: bool) -> StatusView:
    """Return how a pending request is shown.

    Args:
        view: a pending one.
        reminder: it was asked before.
        asks: the message has buttons.
    """
    times = f" made {view.times_made} times" if view.times_made > 1 else ""
    headline = f"Security group change{times} {'needs' if asks else 'waits for'} approval"
    reverted = "until somebody approves it."
    return StatusView(
        headline=f"Reminder: security group change{times} still needs approval" if reminder else headline,
        colour=ORANGE,
        line=f"*Pending* since {date(view.requested_at)}. *Reverted* {reverted}",
        plain_line=f"Pending. Reverted {reverted}",
        notes=_duplicates(view),
    )


def processing_view(view: RequestView, *, approving: bool) -> StatusView:
    """Return how a request is shown while a click is processed."""
    verb = "Approved" if approving else "Denied"
    return StatusView(
        headline="Security group change: processing…",
        colour=ORANGE,
        line=f"*Processing…* {verb} {_by(view)}.",
        plain_line=f"Processing… {verb}{_by_name(view)}.",
        notes=_decider(view),
    )


def status_view(view: RequestView) -> StatusView:
    """Return how a request is shown in messages without buttons."""
    match view.status:
        case "pending":
            return waiting_view(view, reminder=False, asks=False)
        case "approved":
            return _approved(view)
        case "applied":
            return _applied(view)
        case "ended":
            return _ended(view)
        case "denied":
            return _denied(view)
        case "expired":
            return replace(_EXPIRED, notes=_duplicates(view))
        case "error":
            return _error(view)
        case "unreverted":
            return _UNREVERTED
        case "observed":
            return _observed(view.request)
        case _:
            assert_never(view.status)


def click_sentence(view: RequestView) -> str:
    """Return the status as a sentence for somebody whose click changed nothing, without markup."""
    return f"Your click changed nothing. {status_view(view).plain_line}"


def _observed(request: Request) -> StatusView:
    is_notice = request.origin == "notice"
    default = "Notice of the security group approval" if is_notice else "Security group change observed"
    line = "Nobody is asked." if is_notice else "The change is in force. Nothing was reverted, and nobody is asked."
    return StatusView(
        headline=_OBSERVED_HEADLINES.get(request.event_name, default),
        colour=RED if request.event_name in _WARNINGS else ORANGE,  # nobody has approved it
        line=f"*{'Notice' if is_notice else 'Observed'}.* {line}",
        plain_line=f"{'Notice' if is_notice else 'Observed'}. {line}",
        is_fact=True,
    )


def _approved(view: RequestView) -> StatusView:
    return StatusView(
        headline="Security group change approved",
        colour=GREEN,
        line=f"*Approved* {_by(view)}. It is being applied.",
        plain_line=f"Approved{_by_name(view)}. It is being applied.",
        notes=_decider(view),
    )


def _applied(view: RequestView) -> StatusView:
    return StatusView(
        headline="Security group change approved and applied",
        colour=GREEN,
        line=f"*Approved* {_by(view)}. It is applied and in force.",
        plain_line=f"Approved{_by_name(view)}. It is applied and in force.",
        notes=_decider(view),
        is_fact=True,
    )


def _ended(view: RequestView) -> StatusView:
    return StatusView(
        headline="Time of an approved security group change is over",
        colour=ORANGE,
        line="*Ended.* The change was approved for a time, and is reverted now.",
        plain_line="Ended. The change was approved for a time, and is reverted now.",
        notes=_decider(view),
        is_fact=True,
        warns=False,
    )


def _denied(view: RequestView) -> StatusView:
    by_policy = view.decided_by == POLICY or view.request.status == "denied"
    by, name = ("by policy", " by policy") if by_policy else (_by(view), _by_name(view))
    return StatusView(
        headline="Security group change denied by policy" if by_policy else "Security group change denied",
        colour=RED,
        line=f"*Denied* {by}. The change stays reverted.",
        plain_line=f"Denied{name}. The change stays reverted.",
        notes=(*(() if by_policy else _decider(view)), *_duplicates(view)),
        warns=False,
    )


def _error(view: RequestView) -> StatusView:
    code = shorten(visible(view.error_code or "Unknown"), _NAME)
    error = f"{view.error_code or 'Unknown'}: {view.error_reason or 'no reason was given'}"
    to_do = _TO_DO.get(view.error_code.removeprefix("Client."), _TO_DO_OTHERWISE)
    return StatusView(
        headline="Approved security group change could not be applied",
        colour=RED,
        line=f"*Error.* Approved {_by(view)}. It could not be applied.",
        plain_line=f"Error. Approved{_by_name(view)}. It could not be applied ({code}).",
        notes=(("Error", shorten(visible(error), _ERROR)), ("What to do", to_do), *_decider(view)),
        warns=False,
    )


def _duplicates(view: RequestView) -> tuple[tuple[str, str], ...]:
    """Return how often the change was made, and what to do about it: something or somebody puts it back."""
    if view.times_made == 1:
        return ()
    known = view.request.requester is not None
    who = "The same requester made this change" if known else "This change was made"
    return (("Made again", f"{who} {view.times_made} times, and each time it was reverted. {_TO_DO_DUPLICATES}"),)


def _by(view: RequestView) -> str:
    """Return who and when, with markup; never a name, which anybody chooses for themselves."""
    when = f", {date(view.decided_at)}" if view.decided_at is not None else ""
    return f"by {mention(view.decided_by) or 'an approver'}{when}"


def _by_name(view: RequestView) -> str:
    """Return the same without markup, e.g. `` by ada on 2026-10-01 at 12:00 UTC``; empty when nobody knows."""
    name = visible(view.decided_by_name or view.decided_by)
    when = f" on {view.decided_at:%Y-%m-%d} at {view.decided_at:%H:%M} UTC" if view.decided_at is not None else ""
    return f" by {shorten(name, _NAME)}{when}" if name else ""


def _decider(view: RequestView) -> tuple[tuple[str, str], ...]:
    """Return who decided as a note if Slack cannot show it in the status line."""
    if mention(view.decided_by) or not view.decided_by:
        return ()
    return (("Decided by", shorten(visible(f"{view.decided_by_name} {view.decided_by}".strip()), _NAME)),)
