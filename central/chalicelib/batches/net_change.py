"""What a batch comes to: its net change, which requests it is asked for, and on which terms it may be decided.

What does not belong here: composing requests (``shared.domain.net_change``, which members use too), and doing anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.domain.approval import Terms
from shared.domain.composition import Composition, OneByOne, batch_digest, one_by_one
from shared.domain.needs import needs, strictest
from shared.domain.net_change import approved_of, call_of, compositions
from shared.domain.policy import Policy
from shared.domain.request import Request
from shared.domain.request_needs import needs_of
from shared.domain.risk_rule import RequestFacts
from shared.domain.rule import Rule

from ..requests.record import Record
from .batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class NetChange:
    """What the requests of a batch come to.

    Attributes:
        groups: the composition of each group, by group id; of groups in which something is asked.
        approved: the approved rules of each group, as far as its requests carry them: what counts when it is judged
            what they need.
        calls: all composed requests, group by group in the order of their calls; also those that ask nothing.
        asked: pending requests that the net change stands for.
        superseded: pending requests that later ones of the batch have cancelled.
        alone: pending requests of which nobody can say in which order they were made.
        digest: over all of it.
    """

    groups: Mapping[str, Composition]
    approved: Mapping[str, tuple[Rule, ...]]
    calls: tuple[Record, ...]
    asked: tuple[Record, ...]
    superseded: tuple[Record, ...]
    alone: tuple[Record, ...]
    digest: str

    @property
    def only_adds(self) -> bool:
        """True when no approved rule is changed or removed."""
        return all(one.change.kind in ("add", "none") for one in self.groups.values())

    @property
    def opens(self) -> bool:
        """True when a rule is added or edited."""
        return any(one.change.added or one.change.modified for one in self.groups.values())


def compose_batch(batch: Batch, records: Iterable[Record]) -> NetChange:
    """Compose the requests of a batch, as its member will.

    Args:
        batch: the batch.
        records: all its requests as they are now.
    """
    some = list(records)
    pending = [one for one in some if _is_asked(batch, one)]
    composed = _composed(batch, some)
    requests = [one.request for one in composed]
    groups = compositions(requests)
    by_id = {one.request.request_id: one for one in composed}
    superseded = {one for group in groups.values() for one in group.superseded}
    alone = {one for group in groups.values() for one in group.alone}
    undecided = [(one.request.request_id, one) for one in pending]
    return NetChange(
        groups=groups,
        approved={group_id: _carried(requests, group_id) for group_id in groups},
        calls=tuple(by_id[one] for group in groups.values() for one in group.request_ids),
        asked=tuple(one for name, one in undecided if name not in superseded | alone),
        superseded=tuple(one for name, one in undecided if name in superseded),
        alone=tuple(one for name, one in undecided if name in alone),
        digest=batch_digest(groups, {one.request_id: one.digest for one in requests}),
    )


def terms_of_batch(policy: Policy, batch: Batch, net: NetChange) -> Terms:
    """Return the terms on which a batch may be decided: the strictest of its requests and of its net change."""
    requester = net.asked[0].request.requester if net.asked else None
    principal = "" if requester is None else requester.principal_arn
    of_requests = [needs_of(policy, one.request, net.approved[one.request.group_id]) for one in net.asked]
    of_groups = [
        needs(
            policy.rules,
            RequestFacts(
                account=batch.account,
                region=batch.region,
                group_id=group_id,
                principal_arn=principal,
                change=composed.change,
            ),
            net.approved[group_id],
        )
        for group_id, composed in net.groups.items()
    ]
    return Terms(
        policy=policy,
        needs=strictest([*of_requests, *of_groups]),
        requester=requester,
        is_ask=any(one.request.origin == "ask" for one in net.asked),
        takes_hours=net.opens and (net.only_adds or batch.is_together),
    )


def can_be_asked(terms: Terms, net: NetChange) -> bool:
    """Say whether a question for all can be answered: by enough people, and for the hours that are required."""
    needs_hours = terms.needs.max_hours is not None and net.opens and not terms.takes_hours
    return terms.is_possible and not terms.needs.deny and not needs_hours


def split(batch: Batch, records: Iterable[Record]) -> OneByOne:
    """Say how the requests of a batch are asked one by one."""
    some = list(records)
    found: list[OneByOne] = []
    composed = [one.request for one in _composed(batch, some)]
    for group_id in sorted({one.group_id for one in composed}):
        requests = [one for one in composed if one.group_id == group_id]
        calls = [call for one in requests if (call := call_of(one)) is not None]
        found.append(one_by_one(calls, approved_of(requests)))
    undecided = {one.request.request_id for one in some if _is_asked(batch, one)}
    return OneByOne(
        singly=tuple(one for each in found for one in each.singly if one in undecided),
        superseded=tuple(one for each in found for one in each.superseded if one in undecided),
        together=tuple(one for each in found for one in each.together),
    )


def _carried(requests: Iterable[Request], group_id: str) -> tuple[Rule, ...]:
    return tuple(dict.fromkeys(rule for one in requests if one.group_id == group_id for rule in one.approved))


def _composed(batch: Batch, records: Iterable[Record]) -> list[Record]:
    """Return the requests that have a part in what is asked, though some ask nothing: of the groups that are asked."""
    some = list(records)
    asked = {one.request.group_id for one in some if _is_asked(batch, one)}
    return [
        one
        for one in some
        if one.request.group_id in asked
        and call_of(one.request) is not None
        and (_is_asked(batch, one) or one.status == "observed" or is_cancelled(batch, one))
    ]


def is_cancelled(batch: Batch, record: Record) -> bool:
    """Say whether later requests of the batch have cancelled a request."""
    return record.is_superseded and record.asked_in == batch.batch_id


def _is_asked(batch: Batch, record: Record) -> bool:
    """Say whether a request waits for the decision of a batch; before the question, also one with a question alone."""
    is_first = batch.asked_at is None and not record.asked_in and not record.duplicate_of
    return record.status == "pending" and (record.asked_in == batch.batch_id or is_first)
