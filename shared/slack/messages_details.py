"""The parts of a message that say whose change it is and where: the same in every part and every status of a request.

Also what is read aloud and what is asked before approving. All of it is bounded: texts that a user can make long are
shortened here, with a remark; rules never are (``shared.slack.messages_pages``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.slack import limits
from shared.slack.blocks import Payload, context, fields, own, plain, section
from shared.slack.describe import edit_sentence, internet_reach, number_of_rules, sentence
from shared.slack.reach_lines import reach_lines
from shared.slack.status_view import StatusView
from shared.slack.text import counted, date, escape, shorten, utc, visible

TEXT_ROOM: Final = 1300
"""Most characters of the top-level text, as ``limits.size`` counts them."""

# Most characters for each value, as limits.size counts them. 1300 holds any group name EC2 takes (255 characters, at
# worst all `&`), 2100 any ARN (2048 characters).
_GROUP: Final = 1300
_ARN: Final = 2100
_ARN_IN_LITTLE_ROOM: Final = 1200
_REQUEST_ID: Final = 560
_REASON: Final = 600
_NOTICE: Final = 1500
_NAME: Final = 250
_SMALL: Final = 100

_UNKNOWN: Final = "unknown (found by comparing the group with its approved rules)"


def reason_blocks(request: Request) -> list[Payload]:
    """Return the reason of the request's status, if there is one; the text of a notice."""
    if not request.reason:
        return []
    if request.origin == "notice":
        return [section(plain(_short(request.reason, _NOTICE)))]
    return [section(plain(f"Reason: {_short(request.reason, _REASON)}"))]


def reach_blocks(request: Request) -> list[Payload]:
    """Return what the change reaches, a line each."""
    lines = "\n".join(reach_lines(request))
    return [section(plain(lines))] if lines else []


def detail_blocks(request: Request, *, in_little_room: bool = False) -> list[Payload]:
    """Return where and by whom, and the small print.

    Args:
        request: the request.
        in_little_room: everything else is so long that an ARN longer than any that IAM gives out is shortened.
    """
    is_notice = request.origin == "notice"
    rows = [
        *([("Group", plain(_group(request, _GROUP)))] if request.group_id or not is_notice else []),
        ("Account", plain(_account(request, _NAME))),
        ("Region", plain(_short(request.region, _SMALL))),
        *([] if is_notice else [("Requester", plain(_requester(request, _NAME)))]),
        ("Time", own(date(request.event_time))),
    ]
    arn = _ARN_IN_LITTLE_ROOM if in_little_room else _ARN
    return [fields(rows), context(plain(text) for text in _small_print(request, arn))]


def exposure(request: Request) -> list[tuple[str, int]]:
    """Return how much of the internet the change opens to (or keeps open to), and with how many rules."""
    change, removed = request.change, {rule.identity for rule in request.change.removed}
    in_force = (rule for rule in request.remaining if rule.identity not in removed)
    later = {rule.identity: rule for rule in (*change.added, *(edit.after for edit in change.modified), *in_force)}
    reaches = [reach for rule in later.values() if (reach := internet_reach(rule.source))]
    return [(reach, reaches.count(reach)) for reach in dict.fromkeys(reaches)]


def read_aloud(request: Request, shown: StatusView) -> str:
    """Return the whole request in a sentence, for notifications and screen readers; counts the rules it cannot hold."""
    head = f"{shown.headline}: "
    if request.origin == "notice":
        text, place = _spoken(request.reason, 900), f"Account {_spoken(_account(request, _NAME), 150)}"
        return f"{head}{text} {place}, region {_spoken(request.region, 50)}, {utc(request.event_time)}."
    tail = (
        f" in group {_spoken(_group(request, _GROUP), 350)}, account {_spoken(_account(request, _NAME), 150)},"
        f" region {_spoken(request.region, 50)}, by {_spoken(_requester(request, _NAME), 150)},"
        f" {utc(request.event_time)}. {shown.plain_line} Request {_spoken(request.request_id, 80)}."
    )
    room = TEXT_ROOM - limits.size(escape(head + tail)) - len("(part 1000 of 1000) ; and 1000 more rules")
    return head + _as_many_as_fit(request, room, is_fact=shown.is_fact) + tail


def confirmation(request: Request) -> str:
    """Return what approving does, for a confirm dialog; counts the rules where it cannot repeat them all."""
    where = f"Group {_group(request, 90)}, account {_account(request, 70)}, {_short(request.region, 50)}."
    change = request.change
    if len(change.rules) <= limits.CONFIRM_TEXT:  # a rule takes more than a character
        whole = f"This will {'; '.join(phrase for phrase, _ in _phrases(request, is_fact=False))}. {where}"
        if not change.is_empty and limits.length(whole) <= limits.CONFIRM_TEXT:
            return whole
    counts = [
        f"{verb} {number_of_rules(rules)}"
        for verb, rules in (
            ("add", change.added),
            ("change", tuple(edit.after for edit in change.modified)),
            ("remove", change.removed),
        )
        if rules
    ]
    remarks = "".join(f" Open to {reach}: {counted(number, 'rule')}." for reach, number in exposure(request))
    whole = f"This will {', '.join(counts) or 'change no rule'}, as listed above in full.{remarks} "
    return whole + shorten(where, limits.CONFIRM_TEXT - limits.length(whole))


def _phrases(request: Request, *, is_fact: bool) -> Iterator[tuple[str, Rule]]:
    """Yield each rule's part of the change in a phrase, e.g. ``add TCP 22 (SSH) from 10.0.0.0/8``, and the rule."""
    change, removed = request.change, {rule.identity for rule in request.change.removed}
    add, modify, remove = ("added", "changed", "removed") if is_fact else ("add", "change", "remove")
    for rule in request.remaining:
        yield f"{'still missing' if rule.identity in removed else 'still in force'}: {sentence(rule)}", rule
    for rule in change.added:
        yield f"{add} {sentence(rule)}", rule
    for edit in change.modified:
        yield f"{modify} {edit_sentence(edit)}", edit.after
    for rule in change.removed:
        yield f"{remove} {sentence(rule)}", rule


def _as_many_as_fit(request: Request, room: int, *, is_fact: bool) -> str:
    kept: list[str] = []
    for phrase, rule in _phrases(request, is_fact=is_fact):
        described = f"{phrase}, description {visible(rule.description)}" if rule.description else phrase
        room -= limits.size(escape(described))
        if room < 0:
            break
        kept.append(described)
    change = request.change
    left = len(request.remaining) + len(change.added) + len(change.modified) + len(change.removed) - len(kept)
    if left:
        kept.append(f"and {counted(left, 'more rule')}" if kept else counted(left, "rule"))
    return "; ".join(kept) or "no rule"


def _spoken(text: str, most: int) -> str:
    """Return a text within ``most`` characters after escaping too, which turns 5 characters into up to 9."""
    short = _short(text, most)
    return short if limits.size(escape(short)) <= most else _short(text, most * 5 // 9)


def _group(request: Request, most: int) -> str:
    group_id = _short(request.group_id or "unknown id", _SMALL)
    return f"{_short(request.group_name, most)} ({group_id})" if request.group_name else group_id


def _account(request: Request, most: int) -> str:
    account = _short(request.account, _SMALL)
    return f"{_short(request.account_name, most)} ({account})" if request.account_name else account


def _requester(request: Request, most: int) -> str:
    name = request.requester.name if request.requester is not None else ""
    return _short(name, most) if name else _UNKNOWN


def _small_print(request: Request, arn: int) -> Iterator[str]:
    is_of_nobody = request.origin == "notice" and request.requester is None  # the event is the product's, not a call
    yield f"{'Notice' if is_of_nobody else 'Request'} {_short(request.request_id, _REQUEST_ID)}"
    if request.event_name and not is_of_nobody:
        yield f"Call {_short(request.event_name, _SMALL)}"
    if request.origin == "ask":
        yield "Asks first: the call changed nothing"
    if request.origin == "snapshot":
        yield "Found by the snapshot"
    if request.requester is not None and request.requester.arn:
        yield f"Identity {_short(request.requester.arn, arn)}"
    if request.requester is not None and request.requester.invoked_by:
        yield f"Through {_short(request.requester.invoked_by, _SMALL)}"


def _short(text: str, most: int) -> str:
    return shorten(visible(text), most)
