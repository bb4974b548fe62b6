"""What Slack messages show of a request: the value that whoever stores requests hands to ``shared.slack``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.approval import Terms
from shared.domain.request import Approver, Request, Status

POLICY: Final = "policy"
"""``decided_by`` of a request that policy itself denied, or allowed with 0 approvals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A request, its status, and how it came to that.

    Attributes:
        request: what was asked.
        status: its present status.
        requested_at: when it was stored, UTC.
        decided_by: Slack user id, or ``policy``; empty while nobody has decided.
        decided_by_name: how Slack names them.
        decided_at: when, UTC.
        denial_reason: why it was denied, where that was said.
        error_code: why applying failed, e.g. ``InvalidPermission.Duplicate``.
        error_reason: the same as a sentence.
        times_made: how often the change was made, as far as this request stands for all of it.
        approvals: who has approved so far, oldest first.
        valid_until: until when the approved change is in force; ``None``: for good.
        is_superseded: it expired because later calls of the requester cancelled it.
        is_withdrawn: it expired because its requester withdrew it.
        terms: on which terms a pending request may be decided; ``None``: one approval, for good.
    """

    request: Request
    status: Status
    requested_at: datetime
    decided_by: str = ""
    decided_by_name: str = ""
    decided_at: datetime | None = None
    denial_reason: str = ""
    error_code: str = ""
    error_reason: str = ""
    times_made: int = 1
    approvals: tuple[Approver, ...] = ()
    valid_until: datetime | None = None
    is_superseded: bool = False
    is_withdrawn: bool = False
    terms: Terms | None = None
