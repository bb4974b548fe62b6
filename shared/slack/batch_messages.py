"""The messages about a batch, as Block Kit payloads: one question, one announcement, one result for many calls.

From top to bottom: headline, what is open to the internet, who has approved, the net change group by group, the calls,
where and by whom, buttons, and the attachment with the status line. What is too large for one message becomes several
parts; the last has the buttons. No rule is left out.

What does not belong here: messages about one request (``shared.slack.messages``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from shared.domain.rule import Rule, Source
from shared.slack import limits
from shared.slack.batch_status import BatchStatusView, batch_status
from shared.slack.batch_view import BatchView, GroupView
from shared.slack.blocks import (
    Payload,
    actions,
    button,
    confirm,
    context,
    fields,
    header,
    message,
    own,
    plain,
    section,
    status,
)
from shared.slack.describe import edit_lines, edit_sentence, internet_reach, number_of_rules, peer, rule_lines, sentence
from shared.slack.messages import APPROVE, APPROVE_FOR, DENY
from shared.slack.messages_pages import LEAST_ROOM, Group, lay_out, page_blocks, pieces_of
from shared.slack.reach_lines import group_lines
from shared.slack.request_view import RequestView
from shared.slack.text import counted, date, plain_number, shorten, utc, visible

ONE_BY_ONE: Final = "one_by_one"
"""``action_id`` of the button that has the requests of a batch asked one by one."""

_APPROVE_ALL: Final = "Approve All"
_NAME: Final = 250
_SMALL: Final = 100
_TEXT_ROOM: Final = 1300
# Headline, remarks, status line, where and by whom, buttons for hours, and the keys around it all.
_ROOM: Final = limits.MESSAGE - _TEXT_ROOM - 7000


def batch_message(view: BatchView, *, asks: bool = False) -> list[Payload]:
    """Show a batch.

    Args:
        view: the batch.
        asks: with buttons; only of a pending one with terms.

    Returns:
        One payload, or several to be posted in this order; the last has the buttons.
    """
    shown = batch_status(view)
    text = shorten(f"{shown.headline}: {_spoken(view)} {shown.plain_line}", _TEXT_ROOM * 5 // 9)
    pages = lay_out(_groups(view, is_fact=shown.is_fact), max(_ROOM, LEAST_ROOM))
    buttons = [_buttons(view)] if asks and view.status == "pending" and view.terms is not None else []
    parts = []
    for index, page in enumerate(pages, start=1):
        part = f" (part {index} of {len(pages)})" if len(pages) > 1 else ""
        blocks = [
            header(f"{shown.headline}{part}"),
            *_remarks(view, shown),
            *page_blocks(page, is_fact=shown.is_fact),
            *_details(view),
            *(buttons if index == len(pages) else []),
        ]
        parts.append(message(f"{text}{part}", blocks, status(shown.colour, shown.line)))
    return parts


def batch_processing(view: BatchView, *, verb: str, by: str) -> Payload:
    """Show in place of the buttons that a click arrived: the last part of the question without them.

    Args:
        view: the batch as just decided.
        verb: what was clicked, e.g. ``Approved``.
        by: markup that names who clicked.
    """
    last = batch_message(view)[-1]
    return {**last, "attachments": [status(batch_status(view).colour, f"*Processing…* {verb} {by}.")]}


def _groups(view: BatchView, *, is_fact: bool) -> Iterator[Group]:
    for index, group in enumerate(view.groups, start=1):
        made = (one.request for one in view.calls if one.request.group_id == group.group_id)
        lines = [_group_name(group), *group_lines(group.change, made)]
        yield _heading(f"Security group {index} of {len(view.groups)}", lines)
        yield from _rules(group)
    for wish, calls in (
        ("in the order of their time", view.calls),
        ("cancelled by later ones of the same requester; nobody is asked about them", view.superseded),
        ("that nobody has to decide", view.announced),
    ):
        if calls:
            lines = [line for one in calls for line in pieces_of(tuple(_call_lines(one, shows_status=is_fact)))]
            yield _heading(f"{counted(len(calls), 'call')} {wish}", lines)


def _heading(text: str, pieces: Iterable[str]) -> Group:
    return Group(wish=text, fact=text, pieces=tuple(pieces))


def _rules(group: GroupView) -> Iterator[Group]:
    change, after = group.change, [edit.after for edit in group.change.modified]
    for wish, fact, rules, lines in (
        ("Add", "Added", change.added, map(rule_lines, change.added)),
        ("Change", "Changed", after, map(edit_lines, change.modified)),
        ("Remove", "Removed", change.removed, map(rule_lines, change.removed)),
    ):
        if rules:
            number = number_of_rules(rules)
            pieces = tuple(piece for one in lines for piece in pieces_of(one))
            yield Group(wish=f"{wish} {number}", fact=f"{fact} {number}", pieces=pieces)


def _group_name(group: GroupView) -> str:
    group_id = shorten(visible(group.group_id), _SMALL)
    return f"{group_id} ({shorten(visible(group.group_name), _NAME)})" if group.group_name else group_id


def _call_lines(view: RequestView, *, shows_status: bool) -> Iterator[str]:
    request = view.request
    name = shorten(visible(request.event_name or "call"), _SMALL)
    group = shorten(visible(request.group_id), _SMALL)
    result = f": {_result(view)}" if shows_status else ""
    yield f"{utc(request.event_time)} {name} {group}{result}"
    for verb, rules in (("add", request.change.added), ("remove", request.change.removed)):
        for rule in rules:
            yield f"{verb} {_described(sentence(rule), rule)}"
    for edit in request.change.modified:
        yield f"change {_described(edit_sentence(edit), edit.after)}"
    if request.reason:
        yield f"Reason: {shorten(visible(request.reason), _NAME)}"
    yield f"Request {shorten(visible(request.request_id), _NAME)}"


def _described(text: str, rule: Rule) -> str:
    return f"{text}, description {visible(rule.description)}" if rule.description else text


def _result(view: RequestView) -> str:
    if view.status != "error":
        return "cancelled by later calls" if view.is_superseded else view.status
    return shorten(visible(f"error {view.error_code}: {view.error_reason}"), 2 * _NAME)


def _remarks(view: BatchView, shown: BatchStatusView) -> list[Payload]:
    blocks = []
    reaches = [reach for rule in view.opened if (reach := internet_reach(rule.source))]
    if shown.warns and reaches:
        lines = (f"⚠️ *Open to {one}:* {counted(reaches.count(one), 'rule')}" for one in dict.fromkeys(reaches))
        blocks.append(section(own("\n".join(lines))))
    if shown.remarks:
        blocks.append(section(own("\n".join(shown.remarks))))
    if shown.notes:
        blocks.append(section(plain("\n".join(shown.notes))))
    return blocks


def _details(view: BatchView) -> list[Payload]:
    account = shorten(visible(view.account), _SMALL)
    if view.account_name:
        account = f"{shorten(visible(view.account_name), _NAME)} ({account})"
    name = view.requester.name if view.requester is not None else "unknown"
    rows = [
        ("Account", plain(account)),
        ("Region", plain(shorten(visible(view.region), _SMALL))),
        ("Requester", plain(shorten(visible(name), _NAME))),
        ("Asked", own(date(view.asked_at))),
    ]
    small = [plain(f"Batch {view.batch_id}")]
    if view.requester is not None and view.requester.arn:
        small.append(plain(f"Identity {shorten(visible(view.requester.arn), 2100)}"))
    return [fields(rows), context(small)]


def _spoken(view: BatchView) -> str:
    name = shorten(visible(view.requester.name if view.requester is not None else "unknown"), 150)
    calls = counted(len(view.calls) or len(view.superseded) or len(view.announced), "call")
    rules = f", {counted(view.number_of_rules, 'rule')} in {counted(len(view.groups), 'group')}" if view.groups else ""
    where = shorten(visible(f"{view.account_name} {view.account}".strip()), 150)
    return f"{calls} by {name}{rules}, account {where}, region {shorten(visible(view.region), 50)}."


def _buttons(view: BatchView) -> Payload:
    assert view.terms is not None  # noqa: S101 - the caller asks only with terms
    approving = [_approve(view, hours) for hours in view.terms.hours]
    if view.terms.is_for_good:
        approving.insert(0, _approve(view, None))
    calls = counted(len(view.calls), "call")
    deny = confirm("Deny all?", f"This will deny all {calls}. Everything stays reverted.", "Deny All")
    singly = confirm("Ask one by one?", f"This decides nothing. {calls} will be asked one by one.", "Ask One by One")
    return actions(
        *approving,
        button(DENY, "Deny All", _value(view), style="danger", confirm=deny),
        {
            key: value
            for key, value in button(ONE_BY_ONE, "Ask One by One", _value(view), style="", confirm=singly).items()
            if key != "style"
        },
    )


def _approve(view: BatchView, hours: float | None) -> Payload:
    label = _APPROVE_ALL if hours is None else f"{_APPROVE_ALL} for {hours:g} h"
    dialog = confirm(f"{label}?", _confirmation(view, hours), label)
    if hours is None:
        return button(APPROVE, label, _value(view), style="primary", confirm=dialog)
    value = _value(view, hours=plain_number(hours))
    return button(f"{APPROVE_FOR}{hours:g}", label, value, style="primary", confirm=dialog)


def _confirmation(view: BatchView, hours: float | None) -> str:
    rules = counted(view.number_of_rules, "rule")
    after = "" if hours is None else f" It is reverted after {hours:g} h."
    text = f"This will change {rules} in {counted(len(view.groups), 'group')}, as listed above in full.{after} "
    widest = widest_source(view.opened)
    reach = f"Widest source: {peer(widest)}." if widest is not None else "It opens nothing."
    return text + shorten(reach, limits.CONFIRM_TEXT - limits.length(text))


def widest_source(rules: Iterable[Rule]) -> Source | None:
    """Return the source that stands for the most addresses; groups count least, ``None`` when there are no rules.

    A prefix list may hold anything, so only ranges that are a large part of the internet come before it.
    """
    return min((rule.source for rule in rules), key=_narrowness, default=None)


def _narrowness(source: Source) -> tuple[int, int]:
    if source.kind == "prefix_list":
        return (1, 0)
    if source.kind == "group":
        return (3, 0)
    length = int(source.value.rpartition("/")[2])
    return (0 if internet_reach(source) else 2, length if source.kind == "ipv4" else length // 4)


def _value(view: BatchView, **more: float) -> str:
    return json.dumps({"requestId": view.batch_id, "digest": view.digest, **more}, separators=(",", ":"))
