"""Stores that a member adopted a region, and posts a notice of each adoption.

The first adoption of a direction is announced in monitoring. Another one, at another time, is reported in both
channels: every rule in force counts as approved then, so whoever can delete the member's state could have rules
approved without a click.

A notice is a stored request of ``origin="notice"``, so it is posted as reliably as a question. It is stored before the
member's item says that the adoption is known: a crash in between leads to the same notice again, never to none.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.change import Change
from shared.domain.request import Request
from shared.domain.rule import Direction
from shared.slack.text import counted
from shared.wire.messages import AdoptedMessage
from shared.wire.rule_json import time_to_text

from .context import Context
from .intake import check_place, post_first, store_first
from .requests.members import Adopted, read_adopted, write_adopted
from .requests.table import Stored

_MOST_NAMED = 20
_RULES = {"ingress": "inbound rules", "egress": "outbound rules"}


def record_adoption(context: Context, message: AdoptedMessage) -> None:
    """Store when a region was adopted, and post it.

    Raises:
        MessageError: when account or region cannot be genuine.
        FieldError: when what is stored of this member is damaged.
        UnpostedError: when a setting or a dead webhook kept a notice from Slack; the sweep tries again.
    """
    check_place(message.account, message.region, "message")
    notices: dict[str, Stored] = {}
    is_written = False
    while not is_written:  # others write at most as many adoptions as there are
        known = read_adopted(context.table, message.account, message.region)
        for direction, moment in message.adopted_at:
            request_id = f"adoption#{message.account}#{message.region}#{direction}#{time_to_text(moment)}"
            notice = notices.get(request_id) or _stored_notice(context, message, request_id, direction, moment, known)
            if notice is not None:
                notices[request_id] = notice
        is_written = write_adopted(context.table, message, known=known, at=context.now)
    for notice in notices.values():
        post_first(context, notice)


def _stored_notice(
    context: Context, message: AdoptedMessage, request_id: str, direction: Direction, moment: datetime, known: Adopted
) -> Stored | None:
    stored = context.table.get(request_id)
    if stored is not None:  # delivered again
        return Stored(record=stored, is_new=False)
    if known.get(direction) == moment:  # known, and its notice is deleted by now
        return None
    request = Request(
        request_id=request_id,
        account=message.account,
        account_name=message.account_name,
        region=message.region,
        group_id="",
        group_name="",
        requester=None,
        event_name="AdoptedAgain" if direction in known else "Adopted",
        event_time=moment,
        change=Change(),
        origin="notice",
        status="observed",
        reason=_reason(message, direction, is_again=direction in known),
    )
    return store_first(context, request)


def _reason(message: AdoptedMessage, direction: Direction, *, is_again: bool) -> str:
    if is_again:
        return (
            f"Region {message.region} of account {message.account} was adopted again ({_RULES[direction]}): every rule "
            "in force there now counts as approved. If nobody meant this, somebody deleted the product's state."
        )
    named = ", ".join(message.not_stored[:_MOST_NAMED])
    rest = len(message.not_stored) - _MOST_NAMED
    missing = f" Not stored, so still unknown: {named}{f' and {rest} more' if rest > 0 else ''}." if named else ""
    return (
        f"Region {message.region} of account {message.account} was adopted ({_RULES[direction]}): the rules in its "
        f"{counted(message.groups, 'security group')} count as approved.{missing}"
    )
