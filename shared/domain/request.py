"""A request: one change that was reverted (or seen) and what becomes of it.

The status machine of design lives here as a table. Both stores (the central table, the member's ledger) keep requests;
neither may move one along a way that is not in :data:`MOVES`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from shared.domain.caller import Caller
from shared.domain.change import Change
from shared.domain.operations import Described, Edited, Operation, rule_id_of
from shared.domain.reach import Reach
from shared.domain.rule import Rule

Status = Literal["pending", "approved", "applied", "denied", "expired", "error", "ended", "unreverted", "observed"]
Origin = Literal["call", "snapshot", "notice", "ask", "ended"]
"""Where a request comes from: a recorded call; a difference that a snapshot found; the product itself, which reports
something about a group or a region that nobody has to decide (``observed``, without a change); a call that changed
nothing and asks first; a change that was in force for a time, and is asked for now that this time is over."""

MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    "pending": frozenset({"approved", "denied", "expired"}),
    "approved": frozenset({"applied", "error"}),
    "error": frozenset({"applied"}),
    "applied": frozenset({"ended"}),
    "ended": frozenset(),
    "denied": frozenset(),
    "expired": frozenset(),
    "unreverted": frozenset(),
    "observed": frozenset(),
}
"""From which status a request may move to which."""

FIRST_STATUSES: Final[frozenset[Status]] = frozenset({"pending", "applied", "denied", "unreverted", "observed"})
"""In which status a request may come into being (``applied``, ``denied``: by policy)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """One person who approved a request.

    Attributes:
        by: Slack user id.
        by_name: how Slack names them, for people to read.
        at: when, UTC.
        hours: for how many hours; ``None``: for good.
    """

    by: str
    by_name: str = ""
    at: datetime
    hours: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, exactly as it will be applied.

    Attributes:
        request_id: CloudTrail's ``requestID``; of drift, an id derived from group and difference.
        account: 12-digit member account.
        account_name: how people call the account.
        region: e.g. ``eu-west-1``.
        group_id: ``sg-…``.
        group_name: empty when it could not be found out.
        requester: who made the change; ``None`` when nobody knows (found by the snapshot).
        event_name: the API action; empty for drift.
        event_time: when the change was made (of drift: found), UTC.
        change: what approval would apply.
        origin: see :data:`Origin`.
        status: the status it comes into being with.
        reason: why it is ``unreverted``, ``observed`` or denied by policy; may say more about a pending one.
        remaining: rules of an ``unreverted`` request that are still in force although nobody approved them (or still
            missing).
        operations: what the call itself did; none of what no call made.
        approved: the approved rules of the group that the operations touch, or that count together with the change when
            it is judged what it needs. Not part of the digest: they may change while the request waits.
        limits: until when rules that the change touches are approved: pairs of identity and time; none of rules that
            are approved for good.
        reach: what the change reaches; ``None``: not known.
    """

    request_id: str
    account: str
    account_name: str
    region: str
    group_id: str
    group_name: str
    requester: Caller | None
    event_name: str
    event_time: datetime
    change: Change
    origin: Origin = "call"
    status: Status = "pending"
    reason: str = ""
    remaining: tuple[Rule, ...] = ()
    operations: tuple[Operation, ...] = ()
    approved: tuple[Rule, ...] = ()
    limits: tuple[tuple[str, datetime], ...] = ()
    reach: Reach | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over what approval would apply, where, and what an approver is shown beside it.

        Shown, clicked and applied carry the same. Who makes a change knows the id of its call before CloudTrail tells
        anybody; so the same rules under another person's name must not have the same digest.
        """
        parts = [self.request_id, self.account, self.account_name, self.region, self.group_id, self.group_name]
        parts += [_caller_text(self.requester), self.event_name, _time_text(self.event_time), self.origin]
        if self.origin == "call":
            # Of a difference found by a snapshot these may still change: reverting it may fail at first. Nobody can
            # foresee its id.
            parts += [self.status, self.reason, *(rule_text("remaining", rule) for rule in self.remaining)]
        parts += [rule_text("add", rule) for rule in self.change.added]
        parts += [rule_text("remove", rule) for rule in self.change.removed]
        for edit in self.change.modified:
            parts += [rule_text("before", edit.before), rule_text("after", edit.after)]
        parts += [operation_text(operation) for operation in self.operations]
        parts += [json.dumps(["limit", identity, _time_text(until)]) for identity, until in self.limits]
        parts += [] if self.reach is None else [self.reach.text]
        # Length prefixes keep two different lists of parts from running together into the same text.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.sha256(text.encode()).hexdigest()


def _caller_text(caller: Caller | None) -> str:
    if caller is None:
        return ""
    shown = [caller.type, caller.account, caller.arn, caller.principal_arn, caller.name, caller.invoked_by]
    return json.dumps(shown)


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")  # what our formats keep of a time


def operation_text(operation: Operation) -> str:
    """Return everything of an operation: what a later composition depends on."""
    rules = [("rule", operation.rule), ("after", operation.after if isinstance(operation, Edited) else None)]
    return json.dumps(
        [
            type(operation).__name__,
            rule_id_of(operation),
            operation.description if isinstance(operation, Described) else "",
            *(rule_text(role, rule) for role, rule in rules if rule is not None),
            *(["was gone"] if isinstance(operation, Edited) and operation.was_gone else []),
        ]
    )


def rule_text(role: str, rule: Rule) -> str:
    """Return everything of a rule that is shown and applied, with what becomes of it (``add``, ``before``, …)."""
    # JSON in ASCII, because repr() writes the same text differently from one Python version to the next, and the two
    # accounts need not run the same one.
    return json.dumps([role, rule.identity, rule.source.peering, rule.description, rule.tags])
