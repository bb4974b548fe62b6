"""Calls that change what approved rules mean without touching a rule: announced, never reverted.

A managed prefix list stands for address ranges; a group that is associated with another VPC applies there too. See
docs/decisions/0008 for why they are not reverted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.change import make_change
from shared.domain.policy import Policy
from shared.domain.request import Request
from shared.wire.fields import Field

from . import context, publishing
from .cloudtrail.call import Call
from .cloudtrail.forms import items, soft_mapping, soft_text
from .context import Context
from .region import read_region
from .state.baseline import Baseline

_SHOWN: Final = 10


def announce(here: Context, event: Mapping[str, Any], call: Call, policy: Policy) -> None:
    """Publish an indirect change as ``observed``, with the approved rules whose meaning it changes.

    Args:
        here: this invocation.
        event: the EventBridge event.
        call: who did what.
        policy: of the account.
    """
    parameters = soft_mapping(Field(event)["detail"]["requestParameters"])
    wrapped = soft_mapping(parameters[f"{call.name}Request"])
    request = wrapped if wrapped.value else parameters
    subject = soft_text(request.either("PrefixListId", "prefixListId"))
    text = _what(call, request, subject)
    if subject:
        text = f"{text} {_rules_of(here, policy, subject)}"
    publishing.publish_request(
        here,
        Request(
            request_id=call.request_id,
            account=call.account,
            account_name=context.account_name(call.account),
            region=call.region,
            group_id=call.group_id,
            group_name=publishing.group_name(here.groups(), call.group_id, None) if call.group_id else "",
            requester=call.caller,
            event_name=call.name,
            event_time=call.event_time,
            change=make_change(),
            status="observed",
            reason=text,
        ),
    )


def _what(call: Call, request: Field, prefix_list: str) -> str:
    if call.name == "AssociateSecurityGroupVpc":
        vpc = soft_text(request.either("VpcId", "vpcId")) or "an unknown VPC"
        return f"The rules of this group now apply in {vpc} too."
    if call.name == "RestoreManagedPrefixListVersion":
        version = request.either("PreviousVersion", "previousVersion").value
        return f"The prefix list {prefix_list} has the entries of its version {version} again."
    added = _ranges(request.either("AddEntry", "addEntries", "AddEntries"))
    removed = _ranges(request.either("RemoveEntry", "removeEntries", "RemoveEntries"))
    return f"The prefix list {prefix_list} was changed: added {added}, removed {removed}."


def _ranges(entries: Field) -> str:
    listed = [soft_text(soft_mapping(one).either("Cidr", "cidr")) for one in items(entries)]
    return _shown([one for one in listed if one]) or "nothing"


def _shown(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _rules_of(here: Context, policy: Policy, prefix_list: str) -> str:
    """Name the approved rules that refer to a prefix list."""
    baselines = read_region(here, policy).baselines.values()
    found = [
        f"{one.group_id} {rule.identity}"
        for one in baselines
        if isinstance(one, Baseline)
        for rule in one.rules
        if rule.source.kind == "prefix_list" and rule.source.value == prefix_list
    ]
    if not found:
        return "No approved rule of this account and region refers to it."
    return f"Approved rules that refer to it now mean something else: {_shown(sorted(found))}."
