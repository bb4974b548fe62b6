"""One EC2 API call that touched a security group, as CloudTrail reported it.

A call says what was *sent* (``requested``), what EC2 *answered* (``resulting``) and often not all of either. What is
missing is found out by comparing the baseline with the live group, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # names of types alone: a port is closed before rules are looked at
    from datetime import datetime

    from shared.domain.caller import Caller
    from shared.domain.rule import Direction, Rule

CallKind = Literal["add", "remove", "modify", "describe", "create_group", "delete_group", "indirect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEdit:
    """New values for one rule, from ``ModifySecurityGroupRules`` or a description update by rule id.

    Attributes:
        rule_id: the edited rule, ``sgr-…``.
        after: the rule as the caller wants it; its direction is not in the event and is filled in from the group.
            ``None`` for a description update, which leaves the rest of the rule alone.
        description: the new description.
    """

    rule_id: str
    after: Rule | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A recorded call.

    Attributes:
        name: the API action, e.g. ``AuthorizeSecurityGroupIngress``.
        kind: what it does; ``describe`` is a change of descriptions alone, ``indirect`` one of what rules mean.
        direction: from the action's name; ``None`` for ``ModifySecurityGroupRules``, which takes both.
        request_id: CloudTrail's ``requestID``: one API call, one request of ours.
        event_time: when the call was made, UTC.
        account: 12-digit account of the group.
        region: region of the group.
        caller: who made it.
        error_code: ``errorCode`` of a failed call or a dry run, else empty.
        group_id: ``sg-…``; empty when the event only has the name or left its parameters out.
        group_name: only when the caller used it instead of the id.
        requested: rules as sent; empty when only rule ids were sent.
        resulting: rules as EC2 answered, with rule ids; ``None`` when the event has no such answer.
        rule_ids: rule ids as sent (a removal or a description update by id).
        edits: new values by rule id.
        omitted: CloudTrail left out parameters or answer because of their size, or they cannot be read.
        unreadable: what cannot be read, by its path; else empty.
    """

    name: str
    kind: CallKind
    direction: Direction | None
    request_id: str
    event_time: datetime
    account: str
    region: str
    caller: Caller
    error_code: str = ""
    group_id: str = ""
    group_name: str = ""
    requested: tuple[Rule, ...] = ()
    resulting: tuple[Rule, ...] | None = None
    rule_ids: tuple[str, ...] = ()
    edits: tuple[RuleEdit, ...] = ()
    omitted: bool = False
    unreadable: str = ""

    @property
    def only_rule_id(self) -> str:
        """The id of the one rule that it edits or removes by id alone; empty where it names none or several."""
        if self.resulting is not None:
            return ""
        named = {edit.rule_id for edit in self.edits} | set(self.rule_ids)
        return named.pop() if len(named) == 1 else ""
