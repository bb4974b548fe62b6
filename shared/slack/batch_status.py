"""How the status of a batch is shown: headline, colour, status line, and what a reader should know.

What does not belong here: the status of one request (``shared.slack.status_view``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from shared.slack.batch_view import BatchView
from shared.slack.blocks import GREEN, ORANGE, RED
from shared.slack.text import counted, date, mention, shorten, visible

_NAME: Final = 100
_REASON: Final = 700

_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatusView:
    """How one message shows a batch's status.

    Attributes:
        headline: plain text, short.
        colour: of the bar.
        line: the status line, with markup.
        plain_line: the same without markup.
        remarks: lines of our own words, with markup.
        notes: lines of plain text.
        is_fact: what is shown was done; else it is asked for.
        warns: whether rules open to the internet get their remark.
    """

    headline: str
    colour: str
    line: str
    plain_line: str
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_fact: bool = False
    warns: bool = True


def batch_status(view: BatchView) -> BatchStatusView:
    """Return how a batch is shown."""
    calls = counted(len(view.calls), "call")
    match view.status:
        case "pending":
            return _pending(view)
        case "approved" | "done":
            return _results(view)
        case "denied":
            return _ended(
                f"{calls} denied", f"Denied{_by(view)}", "They stay reverted.", view, RED, notes=_why_denied(view)
            )
        case "expired":
            return _ended(f"{calls} expired", "Expired", "Nobody decided in time. They stay reverted.", view, RED)
        case "withdrawn":
            text = "They stay reverted."
            return _ended(f"{calls} withdrawn by their requester", "Withdrawn", text, view, ORANGE)
        case "one_by_one":
            text = "They are asked one by one."
            return _ended(f"{calls} asked one by one", f"Asked one by one{_by(view)}", text, view, ORANGE)
        case "superseded":
            calls = counted(len(view.superseded), "call")
            text = "They cancel each other out, so nobody is asked."
            return _ended(f"{calls} cancelled by their requester", "Superseded", text, view, ORANGE)
        case "announced":
            calls = counted(len(view.announced), "call")
            text = "Nobody is asked."
            return BatchStatusView(
                headline=f"{calls} observed",
                colour=ORANGE,
                line=f"*Observed.* {text}",
                plain_line=f"Observed. {text}",
                is_fact=True,
            )
        case _:
            assert_never(view.status)


def person(user_id: str) -> str:
    """Return markup that names a Slack user; ``an approver`` where this is no user id."""
    return mention(user_id) or "an approver"


def _pending(view: BatchView) -> BatchStatusView:
    calls = counted(len(view.calls), "security group call")
    asks = view.terms is not None
    headline = f"{calls} of one requester {'need' if asks else 'wait for'} approval"
    return BatchStatusView(
        headline=f"Reminder: {headline}" if view.is_reminder else headline,
        colour=ORANGE,
        line=f"*Pending* since {date(view.asked_at)}. *Reverted* until somebody approves them.",
        plain_line="Pending. Reverted until somebody approves them.",
        remarks=tuple(_progress(view)),
        notes=("One question for all: it replaces any earlier one about a single call of them.",),
    )


def _progress(view: BatchView) -> list[str]:
    needed = view.terms.needs.approvals if view.terms is not None else 1
    lines = []
    if needed > 1:
        names = ", ".join(person(one.by) for one in view.approvals[:_MOST_NAMED])
        lines.append(f"*{len(view.approvals)} of {needed} approvals*{f': {names}' if names else ''}")
    mentioned = view.terms.needs.mention if view.terms is not None else ()
    named = [found for one in mentioned[:_MOST_NAMED] if (found := mention(one))]
    return [*lines, " ".join(named)] if named else lines


def _results(view: BatchView) -> BatchStatusView:
    statuses, total = view.statuses, len(view.calls)
    failed, waiting = statuses["error"], statuses["approved"]
    until = f" Until {date(view.valid_until)}." if view.valid_until is not None else ""
    decided = f"Approved {_by_markup(view)}."
    spoken = f"Approved{_by(view)}."
    if failed:
        headline = f"{failed} of {counted(total, 'approved call')} could not be applied"
        text = f"Applied: {statuses['applied']}, failed: {failed}"
        text = f"{text}, without an answer so far: {waiting}." if waiting else f"{text}."
    elif waiting:
        headline = f"{counted(total, 'call')} approved"
        text = f"Applied: {statuses['applied']}, without an answer so far: {waiting}."
    else:
        headline = f"{counted(total, 'call')} approved and applied"
        text = "All of it is applied and in force."
    return BatchStatusView(
        headline=headline,
        colour=RED if failed else GREEN,
        line=f"*{'Error' if failed else 'Approved'}.* {decided} {text}{until}",
        plain_line=f"{spoken} {text}",
        is_fact=not waiting,
        warns=not failed,
        notes=("What failed was made in none of its group's rules. See the reason below.",) if failed else (),
    )


def _why_denied(view: BatchView) -> tuple[str, ...]:
    if not view.denial_reason:
        return ()
    return (f"Reason for the denial: {shorten(visible(view.denial_reason), _REASON)}",)


def _ended(
    headline: str, word: str, text: str, view: BatchView, colour: str, *, notes: tuple[str, ...] = ()
) -> BatchStatusView:
    markup = f" {_by_markup(view)}" if view.decided_by else ""
    return BatchStatusView(
        headline=headline,
        colour=colour,
        line=f"*{word.split(' by ')[0]}*{markup}. {text}",
        plain_line=f"{word}. {text}",
        notes=notes,
        warns=False,
    )


def _by_markup(view: BatchView) -> str:
    when = f", {date(view.decided_at)}" if view.decided_at is not None else ""
    return f"by {person(view.decided_by)}{when}"


def _by(view: BatchView) -> str:
    name = visible(view.decided_by_name or view.decided_by)
    return f" by {shorten(name, _NAME)}" if name else ""
