"""From an event to a closed port: the exposure window, and nothing that can wait.

An Authorize call whose answer has the ids of its rules is taken back before anything else is looked at, read, imported
or written down. Everything after that is ``reverting``'s, which is therefore imported only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.policy.loading import load_policies
from shared.telemetry import logger

from . import context
from .cloudtrail.event import created_rule_ids, read_head
from .decision import decide
from .ec2.revoke_by_id import close
from .ec2.security_groups import SecurityGroups

if TYPE_CHECKING:
    from datetime import datetime

    from .cloudtrail.call import Call
    from .ec2.security_groups import Ec2Error


def on_change(event: Mapping[str, Any]) -> None:
    """Handle one security-group call that EventBridge delivered.

    Args:
        event: the EventBridge event with CloudTrail's record in ``detail``.

    Raises:
        EventError: when the event cannot be read; names the field. What it did is taken back nevertheless, as far as
            its rule ids or a comparison with the baseline say what that is.
        Ec2Error: when EC2 could not be asked; the event is delivered again.
    """
    head = read_head(event)
    policy = load_policies().for_account(head.account)
    groups = SecurityGroups(head.region, head.account)
    is_own = context.is_own(head.caller, head.region)
    if _needs_group_id(head) and not is_own:
        head = _with_group_id(head, groups)
    decision = decide(policy, head, is_own=is_own)
    ids = created_rule_ids(event) if decision.verb == "revert" and head.kind == "add" and head.group_id else ()
    refusal: Ec2Error | None = None
    closed_at: datetime | None = None
    try:
        if ids and head.direction is not None:
            refusal = close(groups, head.group_id, head.direction, ids)
            closed_at = None if refusal is not None else context.now()
    finally:
        log = {"request_id": head.request_id, "call": head.name, "group": head.group_id, "caller": head.caller.name}
        logger.info("decided", extra={**log, "verb": decision.verb, "reason": decision.reason})
    if decision.verb == "ignore":
        return
    from . import follow_up  # here, because no port should wait for it

    attempt = follow_up.Attempt(rule_ids=ids, refusal=refusal, closed_at=closed_at)
    follow_up.go_on(event, head, decision, policy, groups, attempt)


def _needs_group_id(head: Call) -> bool:
    # The name of a deleted group may by now be the name of another one.
    return not head.group_id and not head.error_code and head.kind not in ("create_group", "delete_group")


def _with_group_id(head: Call, groups: SecurityGroups) -> Call:
    if not head.group_name:
        return head
    found = groups.group_named(head.group_name)
    return head if found is None else replace(head, group_id=found.group_id)
