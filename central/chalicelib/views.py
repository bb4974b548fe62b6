"""A stored request as Slack messages show it: while it is pending, with what it needs by today's policy.

What does not belong here: what messages look like (``shared.slack``).
"""

from __future__ import annotations

from dataclasses import replace

from shared.domain.approval import counting, terms_of
from shared.policy.loading import written_policies
from shared.slack.request_view import RequestView

from .approvers import deciding_policy
from .requests.record import Record


def view_of(record: Record) -> RequestView:
    """Return what messages show of a request; of a pending one, only the approvals that count today."""
    if record.status != "pending":
        return record.view
    policy = written_policies().for_account(record.request.account)
    deciding = deciding_policy(policy, record.approvals)
    terms = terms_of(policy, record.request)
    counted = terms if deciding is policy else terms_of(deciding, record.request)
    return replace(record.view, terms=terms, approvals=counting(counted, record.approvals))
