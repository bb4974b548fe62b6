"""The status texts: headline, colour, status line, what a reader should do, and the sentence for a late click.

Every text here is this product's own, except in the notes, which are shown as ``plain_text``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from shared.domain.approval import Terms
from shared.domain.request import Request
from shared.slack import member_messages
from shared.slack.blocks import GREEN, ORANGE, RED
from shared.slack.error_advice import advice
from shared.slack.request_view import POLICY, RequestView
from shared.slack.terms_view import limits_text, named_ids, needs_text
from shared.slack.text import counted, date, mention, shorten, visible

NOTES_ROOM: Final = 1500
"""Most characters the notes take up, as ``limits.size`` counts them."""

DUPLICATES_ROOM: Final = 500
"""The same for the note that may be shown above buttons."""

NEEDS_ROOM: Final = 1000
"""The same for what a pending request needs, whom it names, and until when its rules are approved."""

_ERROR: Final = 800
_REASON: Final = 700
_NAME: Final = 100

_TO_DO_UNREVERTED: Final = "Action needed: correct these rules by hand, or accept them. This cannot be done from Slack."
_ONE_MESSAGE: Final = "This message stands for all of them."
_TO_DO_DUPLICATES: Final = (
    f"{_ONE_MESSAGE} A pipeline or controller that puts its rules back has to be stopped, or "
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
        remarks: lines of our own words with markup, below the headline; together with the note on what is needed at
            most :data:`NEEDS_ROOM` long.
        notes: label and text of what is shown below the headline; together at most :data:`NOTES_ROOM` long.
        is_fact: the change was made or is in force (``Added``); else it is asked for (``Add``).
        warns: whether rules open to the internet get their remark.
    """

    headline: str
    colour: str
    line: str
    plain_line: str
    remarks: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    is_fact: bool = False
    warns: bool = True


_UNREVERTED: Final = StatusView(
    headline="Unapproved security group change could not be reverted",
    colour=RED,
    line="*Not reverted.* Nobody approved this change, and it could not be reverted.",
    plain_line="Not reverted. Nobody approved this change, and it could not be reverted.",
    notes=(("What to do", _TO_DO_UNREVERTED),),
    is_fact=True,
)
_OBSERVED_HEADLINES: Final[Mapping[str, str]] = {
    "TooManyAsks": "Too many open questions of one requester",
    "Adopted": "Region adopted",
    "AdoptedAgain": "Warning: region adopted again",
    "CallWithoutDetails": "Warning: a change without details",
    "StateDamaged": "Warning: stored state is damaged",
    "ModifyManagedPrefixList": "Prefix list changed",
    "RestoreManagedPrefixListVersion": "Prefix list changed",
    "AssociateSecurityGroupVpc": "Security group associated with another VPC",
    **member_messages.TITLES,
}
_WARNINGS: Final = frozenset({"AdoptedAgain", "CallWithoutDetails", "StateDamaged", *member_messages.WARNINGS})


_WAITS: Final[Mapping[str, str]] = {
    "ask": "*Not made* yet; it is made once {}.",
    "ended": "Its time is over, so it is *reverted* until {}.",
}
_WAITS_OTHERWISE: Final = "*Reverted* until {}."


def waiting_view(view: RequestView, *, reminder: bool, asks: bool) -> StatusView:
    """Return how a pending request is shown.

    Args:
        view: a pending one.
        reminder: it was asked before.
        asks: the message has buttons.
    """
    terms = view.terms or Terms()
    needed, there = terms.needs.approvals, len(view.approvals)
    verb = "asked" if is_ask(view) else "made"
    times = f" {verb} {view.times_made} times" if view.times_made > 1 else ""
    headline = f"Security group change{times} {'needs' if asks else 'waits for'} "
    headline += "approval" if needed == 1 else f"{needed} approvals" if not there else "another approval"
    until = "somebody approves it" if needed == 1 else f"{needed} people approve it"
    state, plain_state = f"*Pending* since {date(view.requested_at)}.", "Pending."
    if needed > 1 or there:
        state += f" *{there} of {needed}* approvals{_so_far(view)}."
        plain_state += f" {there} of {needed} approvals."
    waits = _WAITS.get(view.request.origin, _WAITS_OTHERWISE)
    needs = needs_text(terms)
    named = named_ids(terms.needs.mention) if asks else ""
    limits = limits_text(view.request.limits)
    return StatusView(
        headline=f"Reminder: security group change{times} still needs approval" if reminder else headline,
        colour=ORANGE,
        line=f"{state} {waits.format(until)}",
        plain_line=f"{plain_state} {waits.format(until).replace('*', '')}",
        remarks=(*([f"*For:* {named}"] if named else []), *([limits] if limits else [])),
        notes=(*([("Needs", needs)] if needs else []), *_duplicates(view)),
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
            return _expired(view)
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
        line=f"*Approved* {_by(view)}{_until(view)}. It is being applied.",
        plain_line=f"Approved{_by_name(view)}{_until_plain(view)}. It is being applied.",
        notes=_decider(view),
    )


def _applied(view: RequestView) -> StatusView:
    if view.decided_by == POLICY:
        return StatusView(
            headline="Security group change allowed by policy",
            colour=GREEN,
            line=f"*Allowed* by policy, without an approval. It is in force{_until(view)}.",
            plain_line=f"Allowed by policy, without an approval. It is in force{_until_plain(view)}.",
            is_fact=True,
        )
    return StatusView(
        headline="Security group change approved and applied",
        colour=GREEN,
        line=f"*Approved* {_by(view)}. It is applied and in force{_until(view)}.",
        plain_line=f"Approved{_by_name(view)}. It is applied and in force{_until_plain(view)}.",
        notes=_decider(view),
        is_fact=True,
    )


def _ended(view: RequestView) -> StatusView:
    allowed = "allowed by policy" if view.decided_by == POLICY else "approved"
    return StatusView(
        headline=f"Time of a security group change {allowed} is over",
        colour=ORANGE,
        line=f"*Ended.* The change was {allowed} for a time{_until(view)}, and is reverted now.",
        plain_line=f"Ended. The change was {allowed} for a time{_until_plain(view)}, and is reverted now.",
        notes=_decider(view) if view.decided_by != POLICY else (),
        is_fact=True,
        warns=False,
    )


def is_ask(view: RequestView) -> bool:
    """True when the request asks first: nothing was changed, so nothing was reverted."""
    return view.request.origin == "ask"


def _denied(view: RequestView) -> StatusView:
    by_policy = view.decided_by == POLICY or view.request.status == "denied"
    by, name = ("by policy", " by policy") if by_policy else (_by(view), _by_name(view))
    return StatusView(
        headline="Security group change denied by policy" if by_policy else "Security group change denied",
        colour=RED,
        line=f"*Denied* {by}. {_rests(view)}.",
        plain_line=f"Denied{name}. {_rests(view)}.",
        notes=(*_why_denied(view), *(() if by_policy else _decider(view)), *_duplicates(view)),
        warns=False,
    )


def _why_denied(view: RequestView) -> tuple[tuple[str, str], ...]:
    """Return the reason that was given, as a note: it is somebody's own words."""
    if not view.denial_reason:
        return ()
    return (("Reason for the denial", shorten(visible(view.denial_reason), _REASON)),)


def _expired(view: RequestView) -> StatusView:
    if view.is_superseded:
        return _superseded(view)
    if view.is_withdrawn:
        return _withdrawn(view)
    why = "Not enough people approved" if view.approvals else "Nobody decided"
    again = "ask again" if is_ask(view) else "make it again"
    line = f"{why} in time. {_rests(view)}; if it is still needed, {again}."
    return StatusView(
        headline="Security group change request expired",
        colour=RED,  # it ends like a denial
        line=f"*Expired.* {line}",
        plain_line=f"Expired. {line}",
        notes=_duplicates(view),
        warns=False,
    )


def _superseded(view: RequestView) -> StatusView:
    line = f"Later calls of the requester cancelled it. {_rests(view)}, and nobody is asked."
    return StatusView(
        headline="Security group change cancelled by its requester",
        colour=ORANGE,
        line=f"*Superseded.* {line}",
        plain_line=f"Superseded. {line}",
        notes=_duplicates(view),
        warns=False,
    )


def _withdrawn(view: RequestView) -> StatusView:
    return StatusView(
        headline="Security group change withdrawn by its requester",
        colour=ORANGE,
        line=f"*Withdrawn* by its requester. {_rests(view)}.",
        plain_line=f"Withdrawn by its requester. {_rests(view)}.",
        notes=_duplicates(view),
        warns=False,
    )


def _rests(view: RequestView) -> str:
    """Return what a request that nobody approves leaves behind."""
    return "Nothing was changed" if is_ask(view) else "The change stays reverted"


def _error(view: RequestView) -> StatusView:
    code = shorten(visible(view.error_code or "Unknown"), _NAME)
    error = f"{view.error_code or 'Unknown'}: {view.error_reason or 'no reason was given'}"
    to_do = advice(view.error_code)
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
    if is_ask(view):
        return (("Asked again", f"The same requester asked for this {view.times_made} times. {_ONE_MESSAGE}"),)
    known = view.request.requester is not None
    who = "The same requester made this change" if known else "This change was made"
    return (("Made again", f"{who} {view.times_made} times, and each time it was reverted. {_TO_DO_DUPLICATES}"),)


def _by(view: RequestView) -> str:
    """Return who and when, with markup; never a name, which anybody chooses for themselves."""
    when = f", {date(view.decided_at)}" if view.decided_at is not None else ""
    others = [one.by for one in view.approvals if one.by != view.decided_by]
    if view.status != "denied" and others:
        return f"by {named_ids([*others, view.decided_by])}{when}"
    return f"by {mention(view.decided_by) or 'an approver'}{when}"


def _by_name(view: RequestView) -> str:
    """Return the same without markup, e.g. `` by ada on 2026-10-01 at 12:00 UTC``; empty when nobody knows."""
    name = visible(view.decided_by_name or view.decided_by)
    others = len({one.by for one in view.approvals} - {view.decided_by}) if view.status != "denied" else 0
    more = f" and {counted(others, 'other')}" if others else ""
    when = f" on {_plain_date(view.decided_at)}" if view.decided_at is not None else ""
    return f" by {shorten(name, _NAME)}{more}{when}" if name else ""


def _so_far(view: RequestView) -> str:
    named = named_ids([one.by for one in view.approvals])
    return f", by {named}" if named else ""


def _until(view: RequestView) -> str:
    return "" if view.valid_until is None else f" until {date(view.valid_until)}"


def _until_plain(view: RequestView) -> str:
    return "" if view.valid_until is None else f" until {_plain_date(view.valid_until)}"


def _plain_date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d} at {moment:%H:%M} UTC"


def _decider(view: RequestView) -> tuple[tuple[str, str], ...]:
    """Return who decided as a note if Slack cannot show it in the status line."""
    if mention(view.decided_by) or not view.decided_by:
        return ()
    return (("Decided by", shorten(visible(f"{view.decided_by_name} {view.decided_by}".strip()), _NAME)),)
