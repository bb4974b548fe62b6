"""A stored request as Slack messages show it: while it is pending, with what it needs by today's policy.

What does not belong here: what messages look like (``shared.slack``).
"""

from __future__ import annotations

from dataclasses import replace

from shared.domain.approval import counting, terms_of
from shared.policy.loading import written_policies
from shared.slack.request_view import RequestView

from .requests.record import Record


def view_of(record: Record) -> RequestView:
    """Return what messages show of a request; of a pending one, only the approvals that count today."""
    if record.status != "pending":
        return record.view
    terms = terms_of(written_policies().for_account(record.request.account), record.request)
    return replace(record.view, terms=terms, approvals=counting(terms, record.approvals))
