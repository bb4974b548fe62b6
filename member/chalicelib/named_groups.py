"""Looks up groups that a call's rules refer to by name: a name says which group only at the time of the call."""

from __future__ import annotations

from dataclasses import replace

from shared.domain.rule import Rule, group

from .cloudtrail.call import Call
from .ec2.security_groups import SecurityGroups


def with_ids_of_named_groups(call: Call, groups: SecurityGroups) -> Call:
    """Look up groups that the event refers to by name alone, which only an event without EC2's answer does."""
    if call.resulting is not None:
        return call
    return replace(call, requested=tuple(_with_group_id_in(rule, call, groups) for rule in call.requested))


def _with_group_id_in(rule: Rule, call: Call, groups: SecurityGroups) -> Rule:
    source = rule.source
    if source.kind != "group" or not source.value.startswith("name:") or source.account not in ("", call.account):
        return rule
    found = groups.group_named(source.value.removeprefix("name:"))
    return rule if found is None else replace(rule, source=group(found.group_id, account=found.owner))
