"""Keeps the last heartbeat of each member account and region, and announces once who is silent or has a problem.

A heartbeat is a hint for operators and grants nothing. Like a request, it says itself which account it is of: another
account that may publish can send one in that account's name, and hide for a while that the account is silent.

Announcements are notices, stored before the member's item says that they were made: a crash in between leads to the
same notice again, never to none.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from shared.domain.change import Change
from shared.domain.request import Request
from shared.slack.member_messages import SILENT, SILENT_HOURS, problem_text, recovered_text, silent_text
from shared.telemetry import count, logger
from shared.wire.messages import HeartbeatMessage
from shared.wire.rule_json import time_to_text

from .context import Context
from .intake import check_place, post_first, store_first
from .requests.members import Member, members, write_heartbeat, write_reported

_SILENT_AFTER: Final = timedelta(hours=SILENT_HOURS)
_DIGITS: Final = 16


def record_heartbeat(context: Context, message: HeartbeatMessage) -> None:
    """Keep a heartbeat, unless a later one is kept already.

    Raises:
        MessageError: when account or region cannot be genuine.
    """
    heartbeat = message.heartbeat
    check_place(heartbeat.account, heartbeat.region, "message")
    is_newest = write_heartbeat(context.table, heartbeat, at=context.now)
    logger.info(
        "heartbeat" if is_newest else "heartbeat older than the last one",
        extra={"account": heartbeat.account, "region": heartbeat.region, "version": heartbeat.version},
    )


def announce_members(context: Context) -> list[str]:
    """Announce each member that has become silent, reports another problem, or has recovered.

    Returns:
        What could not be done, by member; the next sweep tries again.
    """
    failures, unwell = [], 0
    for key, member in members(context.table):
        try:
            if not isinstance(member, Member):
                raise member
            kinds = kinds_of(member, context.now)
            unwell += bool(kinds)
            if kinds != member.reported:
                _announce(context, member, kinds)
        except Exception as error:  # noqa: BLE001 - one member must not hide the others; the sweep raises it
            failures.append(f"{key}: {error}")
    if unwell:
        count("MembersUnwell")
        logger.warning("members are silent or report problems", extra={"members": unwell})
    return failures


def kinds_of(member: Member, now: datetime) -> frozenset[str]:
    """Return the kinds of problems that a member has at present.

    While it is silent, nobody knows whether its other problems are over.
    """
    if now - member.heartbeat.sent_at >= _SILENT_AFTER:
        return member.reported | {SILENT}
    return frozenset(one.kind for one in member.heartbeat.problems)


def _announce(context: Context, member: Member, kinds: frozenset[str]) -> None:
    last, new, over = member.heartbeat, kinds - member.reported, member.reported - kinds
    texts: list[tuple[str, frozenset[str], str]] = []
    if SILENT in new:
        texts.append(("MemberSilent", new, silent_text(last)))
    elif new:
        texts.append(("MemberProblem", new, problem_text(last, new)))
    if over:
        texts.append(("MemberRecovered", over, recovered_text(last, over)))
    stored = [store_first(context, _notice(member, event, some, text)) for event, some, text in texts]
    write_reported(context.table, member, kinds)
    for notice in stored:
        post_first(context, notice)


def _notice(member: Member, event_name: str, kinds: frozenset[str], text: str) -> Request:
    last = member.heartbeat
    about = hashlib.sha256(" ".join((event_name, *sorted(kinds))).encode()).hexdigest()[:_DIGITS]
    return Request(
        request_id=f"fleet#{last.account}#{last.region}#{time_to_text(last.sent_at)}#{about}",
        account=last.account,
        account_name=last.account_name,
        region=last.region,
        group_id="",
        group_name="",
        requester=None,
        event_name=event_name,
        event_time=last.sent_at,
        change=Change(),
        origin="notice",
        status="observed",
        reason=text,
    )
