"""From an event to a revoked rule: the exposure window, and nothing that can wait.

An Authorize call whose answer has the ids of its rules is reverted before anything else is looked at, read, imported
or written. Everything after that is in ``follow_up``, which is therefore imported only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.policy.loading import load_policies
from shared.telemetry import logger

from . import context
from .cloudtrail.event import created_rule_ids, read_head, reason_to_ignore
from .decision import decide, may_be_let_through
from .ec2.refusal import Ec2Error
from .ec2.revoke_by_id import Attempt, revoke_by_id

if TYPE_CHECKING:
    from .cloudtrail.call import Call
    from .context import Context
    from .ec2.security_groups import SecurityGroups


def on_change(here: Context, event: Mapping[str, Any]) -> None:
    """Handle one security-group call that EventBridge delivered.

    Args:
        here: this invocation.
        event: the EventBridge event with CloudTrail's record in ``detail``.

    Raises:
        EventError: when the event is of no call this product knows.
        Ec2Error: when EC2 could not be asked; the event is delivered again.
    """
    head = read_head(event, context.now())
    ignored = reason_to_ignore(event, account=here.account, region=here.region)
    if ignored:
        logger.info("event ignored", extra={"request_id": head.request_id, "call": head.name, "reason": ignored})
        return
    head = replace(head, account=here.account or head.account, region=here.region or head.region)
    policy = load_policies().for_account(head.account)
    groups = here.groups()
    is_own = context.is_own(head.caller, head.region)
    if _needs_group_id(head) and not is_own:
        head = _with_group_id(head, groups)
    decision = decide(policy, head, is_own=is_own)
    if decision.verb == "revert" and may_be_let_through(policy, head):
        from .risk import decide_by_entries  # here: it loads the modules about rules

        decision = decide_by_entries(policy, event, head, decision)
    ids = created_rule_ids(event) if decision.verb == "revert" and head.kind == "add" and head.group_id else ()
    attempt = Attempt(rule_ids=ids)
    try:
        if ids and head.direction is not None:
            refusal = revoke_by_id(groups, head.group_id, head.direction, ids)
            attempt = replace(attempt, refusal=refusal, revoked_at=context.now() if refusal is None else None)
    finally:
        log = {"request_id": head.request_id, "call": head.name, "group": head.group_id, "caller": head.caller.name}
        logger.info("decided", extra={**log, "verb": decision.verb, "reason": decision.reason})
    if decision.verb == "ignore":
        if head.error_code:
            from . import asking, probe

            if is_own and probe.is_probe(event, head):
                probe.note_probe(here, head, context.now())
                return
            asking.on_failed_call(here, event, head, policy, groups, is_own=is_own)
        return
    from . import follow_up  # here, because no revoke should wait for it

    follow_up.follow_up(here, event, head, decision, policy, groups, attempt)


def _needs_group_id(head: Call) -> bool:
    # The name of a deleted group may by now be the name of another one.
    return not head.group_id and not head.error_code and head.kind not in ("create_group", "delete_group", "indirect")


def _with_group_id(head: Call, groups: SecurityGroups) -> Call:
    if not head.group_name:
        return head
    try:
        found = groups.group_named(head.group_name)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        return head
    return head if found is None else replace(head, group_id=found.group_id)
