"""A batch as Slack messages show it, from its stored requests.

What does not belong here: what messages look like (``shared.slack.batch_messages``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.domain.approval import counting
from shared.domain.policy import Policy
from shared.slack.batch_view import BatchStatus, BatchView, GroupView
from shared.slack.request_view import RequestView

from ..approvers import deciding_policy
from ..requests.record import Record
from ..slack.web_api import has_token
from .batch import Batch
from .net_change import NetChange, compose_batch, is_cancelled, terms_of_batch


def view_of_batch(batch: Batch, records: Iterable[Record], policy: Policy | None) -> BatchView:
    """Return what messages show of a batch.

    Args:
        batch: the batch.
        records: its requests.
        policy: of its account; ``None`` where the question is not shown.
    """
    some = tuple(records)
    if not batch.digest and not batch.outcome:
        return _view(batch, some, "announced")
    if not batch.outcome:
        net = compose_batch(batch, some)
        view = replace(_view(batch, some, "pending"), groups=_groups(net), calls=_calls(net))
        if policy is None:
            return view
        terms = terms_of_batch(policy, batch, net)
        deciding = deciding_policy(policy, batch.approvals)
        counted = terms if deciding is policy else terms_of_batch(deciding, batch, net)
        return replace(view, terms=terms, approvals=counting(counted, batch.approvals))
    return decided_view(batch, some)


def decided_view(batch: Batch, records: Iterable[Record]) -> BatchView:
    """Return what messages show of a batch that is decided; its net change is the one of the question."""
    some = tuple(records)
    asked = {one.request.request_id for one in some} & set(batch.asked)
    net = composed_as_asked(batch, some)
    by_id = {_id(one): one for one in some}
    calls = tuple(by_id[_id(one)].view for one in net.calls if _id(one) in asked)
    if batch.outcome != "approved":
        status: BatchStatus = batch.outcome or "pending"
    else:
        status = "approved" if any(by_id[one].status == "approved" for one in asked) else "done"
    return replace(_view(batch, some, status), groups=_groups(net), calls=calls)


def composed_as_asked(batch: Batch, records: Iterable[Record]) -> NetChange:
    """Return the net change of a batch as it was asked, whatever became of its requests since."""
    asked = set(batch.asked)
    return compose_batch(
        batch,
        (replace(one, status="pending", asked_in=batch.batch_id) if _id(one) in asked else one for one in records),
    )


def _view(batch: Batch, records: tuple[Record, ...], status: BatchStatus) -> BatchView:
    first = next((one for one in records if one.request.requester is not None), records[0]).request
    decision = batch.decision
    return BatchView(
        batch_id=batch.batch_id,
        digest=batch.digest,
        status=status,
        requester=first.requester,
        account=batch.account,
        account_name=first.account_name,
        region=batch.region,
        asked_at=batch.first_at,
        superseded=tuple(one.view for one in records if is_cancelled(batch, one)),
        announced=tuple(one.view for one in records if is_announced(batch, one)),
        approvals=batch.approvals,
        decided_by="" if decision is None else decision.by,
        decided_by_name="" if decision is None else decision.by_name,
        decided_at=None if decision is None else decision.at,
        denial_reason="" if decision is None else decision.reason,
        denies_by_modal=has_token(),
        valid_until=batch.valid_until,
        is_reminder=batch.reminded_at is not None,
    )


def is_announced(batch: Batch, record: Record) -> bool:
    """Say whether a request is announced with its batch: nobody decides it, and it was not announced at once."""
    return record.request.status in ("observed", "applied") and _id(record) != batch.announced


def _groups(net: NetChange) -> tuple[GroupView, ...]:
    names = {one.request.group_id: one.request.group_name for one in net.calls if one.request.group_name}
    return tuple(
        GroupView(group_id=group_id, group_name=names.get(group_id, ""), change=composed.change)
        for group_id, composed in net.groups.items()
        if not composed.change.is_empty
    )


def _calls(net: NetChange) -> tuple[RequestView, ...]:
    asked = {_id(one) for one in net.asked}
    return tuple(one.view for one in net.calls if _id(one) in asked)


def _id(record: Record) -> str:
    return record.request.request_id
