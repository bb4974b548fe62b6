"""What Slack messages show of a batch: the value that whoever keeps batches hands to ``shared.slack``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.approval import Terms
from shared.domain.caller import Caller
from shared.domain.change import Change
from shared.domain.request import Approver
from shared.domain.rule import Rule
from shared.slack.request_view import RequestView

BatchStatus = Literal[
    "pending", "approved", "done", "denied", "expired", "withdrawn", "superseded", "one_by_one", "announced"
]
"""How a batch is shown; ``done``: all results are in, whatever they are; ``announced``: nobody has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The net change of one group."""

    group_id: str
    group_name: str
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch, its net change, its requests, and how it came to its status.

    Attributes:
        batch_id: ``batch#…``.
        digest: of the question.
        status: see :data:`BatchStatus`.
        requester: who made the calls; of a role, in the first of its sessions.
        account: 12-digit member account.
        account_name: how people call it.
        region: e.g. ``eu-west-1``.
        asked_at: since when the question waits.
        groups: the net change, group by group.
        calls: the requests that the net change stands for, in the order of their calls.
        superseded: requests that asked for something and were cancelled by later ones.
        announced: calls that nobody has to decide.
        terms: on which terms it may be decided; ``None`` where nobody decides it any more.
        approvals: who has approved so far.
        decided_by: Slack user id; empty while nobody has decided.
        decided_by_name: how Slack names them.
        decided_at: when, UTC.
        denial_reason: why it was denied, where that was said.
        valid_until: until when the approved change is in force; ``None``: for good.
        denies_by_modal: ``Deny All`` opens a modal, which asks once more.
        is_reminder: it was asked before.
    """

    batch_id: str
    digest: str = ""
    status: BatchStatus
    requester: Caller | None
    account: str
    account_name: str = ""
    region: str
    asked_at: datetime
    groups: tuple[GroupView, ...] = ()
    calls: tuple[RequestView, ...] = ()
    superseded: tuple[RequestView, ...] = ()
    announced: tuple[RequestView, ...] = ()
    terms: Terms | None = None
    approvals: tuple[Approver, ...] = ()
    decided_by: str = ""
    decided_by_name: str = ""
    decided_at: datetime | None = None
    denial_reason: str = ""
    denies_by_modal: bool = False
    valid_until: datetime | None = None
    is_reminder: bool = False

    @property
    def opened(self) -> tuple[Rule, ...]:
        """The rules that would be added, or become of others."""
        changes = [one.change for one in self.groups]
        return tuple(rule for one in changes for rule in (*one.added, *(edit.after for edit in one.modified)))

    @property
    def number_of_rules(self) -> int:
        """How many rules the net change adds, changes or removes."""
        return sum(len(one.change.added) + len(one.change.removed) + len(one.change.modified) for one in self.groups)

    @property
    def statuses(self) -> Counter[str]:
        """How many requests have which status."""
        return Counter(one.status for one in self.calls)
