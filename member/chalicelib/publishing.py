"""Publishes requests to the central account, after they have been written to the ledger.

Publishing may happen more than once; the central account knows a request by its id. What cannot be written to the
ledger is published nevertheless: people have to hear of it, and the error is raised afterwards, so that the trigger is
delivered again and writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.change import Change, make_change
from shared.domain.operations import Operation
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.telemetry import count, logger
from shared.wire.fields import FieldError
from shared.wire.messages import SECURITY_GROUP_CHANGE, RequestMessage

from . import context
from .assessment.approved import approved_with
from .cloudtrail.call import Call
from .context import Context
from .ec2.refusal import Ec2Error
from .ec2.security_groups import SecurityGroups
from .splitting import fitting_parts, part_id
from .state.baseline import Baseline
from .state.items import OUTCOME_OF_STATUS, LedgerEntry, Outcome, bounded

_OPEN_OUTCOMES: Final = frozenset(OUTCOME_OF_STATUS.values())
"""Outcomes of requests nobody has begun to apply: publishing them again can do no harm."""

STATE_ERRORS: Final = (ClientError, BotoCoreError, FieldError, ValueError, RuntimeError)
"""What keeps the state table from being read or written: refused, unreachable, damaged, too large, taken by others."""


def add_entries(
    here: Context, request: Request, outcome: Outcome | None = None, valid_until: datetime | None = None
) -> tuple[list[LedgerEntry], Exception | None]:
    """Write a request to the ledger, in parts where it is too large for one message.

    Args:
        here: this invocation.
        request: the request.
        outcome: how it begins there; ``None``: as its status says.
        valid_until: until when it is applied; ``None``: for good, or not applied.

    Returns:
        The entries as they are in the ledger now, or as they should be; and what kept some from being written. One that
        was not written does not say what the change reaches: a later delivery, which writes it, does not look that up.
    """
    parts = fitting_parts(bounded(request))
    entries: list[LedgerEntry] = []
    problem: Exception | None = None
    for part in parts:
        entry = LedgerEntry(
            request=part,
            outcome=outcome or OUTCOME_OF_STATUS[part.status],
            parts=len(parts) if len(parts) > 1 else 0,
            valid_until=valid_until,
        )
        added, failure = _add(here, entry)
        entries.append(added)
        problem = failure or problem
    return entries, problem


def _add(here: Context, entry: LedgerEntry) -> tuple[LedgerEntry, Exception | None]:
    request = entry.request
    try:
        return here.table.add_entry(entry), None
    except STATE_ERRORS as error:
        count("StateNotWritten")
        logger.exception("ledger entry not written", extra={"request_id": request.request_id})
        problem = error
    try:
        stored = here.table.entry(request.request_id)  # it may have been written, and only the answer be lost
    except STATE_ERRORS:
        stored = None
    if stored is not None:
        return stored, None
    return replace(entry, request=replace(request, reach=None)), problem


def request_of(
    call: Call,
    *,
    group_name: str,
    change: Change,
    status: Status,
    reason: str,
    remaining: tuple[Rule, ...] = (),
    operations: tuple[Operation, ...] = (),
    approved: Iterable[Rule] = (),
) -> Request:
    """Return the request that shows a call; of the group's approved rules it carries those that count with it."""
    return Request(
        request_id=call.request_id,
        account=call.account,
        account_name=context.account_name(call.account),
        region=call.region,
        group_id=call.group_id,
        group_name=group_name,
        requester=call.caller,
        event_name=call.name,
        event_time=call.event_time,
        change=change,
        status=status,
        reason=reason,
        remaining=remaining,
        operations=operations,
        approved=approved_with(change, operations, approved),
    )


def publish_request(here: Context, request: Request) -> None:
    """Write a request to the ledger and publish it.

    Raises:
        Exception: what kept it from being written to the ledger, after it has been published.
        SettingError: when the central account is not set; the request stays in the ledger.
        botocore.exceptions.ClientError: when SNS refuses; the trigger is delivered again.
    """
    entries, problem = add_entries(here, request)
    for entry in entries:
        publish_entry(entry)
    if problem is not None:
        raise problem


def publish_entry(entry: LedgerEntry) -> None:
    """Publish a request, unless its approval is already being carried out.

    Raises:
        SettingError: when the central account is not set; the request stays in the ledger.
        botocore.exceptions.ClientError: when SNS refuses; the trigger is delivered again.
    """
    request = entry.request
    if entry.outcome not in _OPEN_OUTCOMES or (entry.outcome == "applied" and request.status != "applied"):
        return
    message = RequestMessage(request=request)
    context.publish(SECURITY_GROUP_CHANGE, message, f"Security group change: {request.status}")
    logger.info("published", extra={"request_id": request.request_id, "status": request.status})


def publish_again(here: Context, entry: LedgerEntry) -> None:
    """Publish what an earlier run wrote to the ledger, with all its parts."""
    for part in parts_of(here, entry):
        publish_entry(part)


def parts_of(here: Context, entry: LedgerEntry) -> list[LedgerEntry]:
    """Return the first part of a request and all others that are in the ledger."""
    ids = (part_id(entry.request.request_id, number) for number in range(2, entry.parts + 1))
    others = (here.table.entry(one) for one in ids)
    return [entry, *(one for one in others if one is not None)]


def notice(
    here: Context, kind: str, text: str, *, at: datetime, key: str = "", group_id: str = "", group_name: str = ""
) -> None:
    """Tell people about something that nobody has to decide.

    Args:
        here: this invocation.
        kind: what it is, e.g. ``StateDamaged``.
        text: the sentences that are shown.
        at: when it happened; with ``key`` the same for the same occurrence, so that it is shown once.
        key: what else identifies the occurrence.
        group_id: the group it is about, if any.
        group_name: its name.
    """
    seed = f"{here.account}/{here.region}/{group_id}/{kind}/{key}/{at.isoformat()}"
    request = Request(
        request_id=f"notice-{hashlib.sha256(seed.encode()).hexdigest()[:32]}",
        account=here.account,
        account_name=context.account_name(here.account),
        region=here.region,
        group_id=group_id,
        group_name=group_name,
        requester=None,
        event_name=kind,
        event_time=at,
        change=make_change(),
        origin="notice",
        status="observed",
        reason=text,
    )
    context.publish(SECURITY_GROUP_CHANGE, RequestMessage(request=request), f"Security groups: {kind}")
    logger.warning("notice", extra={"kind": kind, "group": group_id, "problem": text})


def group_name(groups: SecurityGroups, group_id: str, known: Baseline | None) -> str:
    """Return the group's name, "" when it cannot be found out: a request without a name beats no request."""
    if known is not None and known.group_name:
        return known.group_name
    try:
        facts = groups.group(group_id)
    except Ec2Error as error:
        logger.warning("group name unknown", extra={"group": group_id, "error": str(error)})
        return ""
    return facts.name if facts is not None else ""
