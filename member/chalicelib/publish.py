"""Turns what was found into a request, writes it to the ledger's form, and tells the central account.

Telling may happen more than once; the central account knows a request by its id.
"""

from __future__ import annotations

from typing import Final

from shared.domain.change import Change
from shared.domain.policy import Policy
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.telemetry import logger
from shared.wire.messages import SECURITY_GROUP_CHANGE, RequestMessage

from . import context
from .cloudtrail.call import Call
from .decision import denied_at_once
from .ec2.security_groups import Ec2Error, SecurityGroups
from .splitting import fitting_parts
from .state.baseline import Baseline
from .state.items import OUTCOME_OF_STATUS, LedgerEntry
from .state.table import StateTable

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
    )


def new_entry(request: Request) -> LedgerEntry:
    """Return the ledger entry of a request that has just come into being."""
    return LedgerEntry(request=request, outcome=OUTCOME_OF_STATUS[request.status])


def tell(entry: LedgerEntry, table: StateTable) -> None:
    """Tell the central account about a request, unless its approval is already being carried out.

    A request too large for one message is asked in parts; each part is in the ledger before it is told, since nothing
    else may be applied.

    Raises:
        SettingError: when the central account is not set; the request stays in the ledger.
        botocore.exceptions.ClientError: when SNS refuses; the trigger is delivered again.
    """
    parts = fitting_parts(entry.request)
    told = [entry] if len(parts) == 1 else [table.add_entry(new_entry(part)) for part in parts]
    for one in told:
        if one.outcome in _OPEN_OUTCOMES:
            _tell(one.request)


def _tell(request: Request) -> None:
    context.tell_central(
        SECURITY_GROUP_CHANGE, RequestMessage(request=request), f"Security group change: {request.status}"
    )
    logger.info("filed", extra={"request_id": request.request_id, "status": request.status})


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
