"""Turns what was found into a request, writes it to the ledger's form, and tells the central account.

Telling may happen more than once; the central account knows a request by its id.
"""

from __future__ import annotations

from typing import Final

from shared.aws.security_groups import Ec2Error, GroupFacts, SecurityGroups
from shared.aws.state_table import StateTable
from shared.domain.baseline import with_current_ids
from shared.domain.call import Call
from shared.domain.change import Change
from shared.domain.policy import Policy, denied_at_once
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.telemetry import logger
from shared.wire.messages import SECURITY_GROUP_CHANGE, RequestMessage
from shared.wire.state_items import OUTCOME_OF_STATUS, LedgerEntry

from . import runtime

_OPEN_OUTCOMES: Final = frozenset(OUTCOME_OF_STATUS.values())
"""Outcomes of requests nobody has begun to apply: telling the central account again can do no harm."""


def request_of(
    call: Call,
    policy: Policy,
    *,
    group_name: str,
    change: Change,
    status: Status,
    reason: str,
    remaining: tuple[Rule, ...] = (),
) -> Request:
    """Return the request for a recorded call; policy may deny an addition at once."""
    if status == "pending":
        denied = denied_at_once(policy, change.added)
        status, reason = ("denied", denied) if denied else (status, reason)
    return Request(
        request_id=call.request_id,
        account=call.account,
        account_name=runtime.account_name(call.account),
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
    )


def new_entry(request: Request) -> LedgerEntry:
    """Return the ledger entry of a request that has just come into being."""
    return LedgerEntry(request=request, outcome=OUTCOME_OF_STATUS[request.status])


def tell(entry: LedgerEntry) -> None:
    """Tell the central account about a request, unless its approval is already being carried out.

    Raises:
        SettingError: when the central account is not set; the request stays in the ledger.
        botocore.exceptions.ClientError: when SNS refuses; the trigger is delivered again.
    """
    if entry.outcome not in _OPEN_OUTCOMES:
        return
    runtime.tell_central(
        SECURITY_GROUP_CHANGE, RequestMessage(request=entry.request), f"Security group change: {entry.request.status}"
    )
    logger.info("filed", extra={"request_id": entry.request.request_id, "status": entry.request.status})


def file_again(entry: LedgerEntry, table: StateTable, groups: SecurityGroups) -> None:
    """Finish what an earlier delivery of the event may have left undone: the baseline's rule ids and the telling."""
    group_id = entry.request.group_id
    logger.info("delivered again", extra={"request_id": entry.request.request_id, "outcome": entry.outcome})
    if entry.outcome in _OPEN_OUTCOMES:
        live = groups.rules(group_id)
        table.update(group_id, lambda known: known and with_current_ids(known, live))
    tell(entry)


def group_facts(groups: SecurityGroups, group_id: str) -> GroupFacts | None:
    """Return the group's name and owner, ``None`` when it is gone; a request without a name beats no request."""
    try:
        return groups.group(group_id)
    except Ec2Error as error:
        logger.warning("group name unknown", extra={"group": group_id, "error": str(error)})
        return GroupFacts(group_id=group_id, name="", owner="")
