"""Plays recorded calls through a policy, offline, and counts what would have been asked, of whom, and why.

It keeps what a trail says of each group, so that edits have old values and approved ranges count. What was made is
taken as approved, since the trail shows that it stayed. Times are those of the calls; at central they arrive a few
seconds later.

Memory is bounded by the numbers of callers, accounts and days, and by fixed numbers of groups and repeated changes.

What does not belong here: files (``trail_files``), and the report (``replay_report``).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from member.chalicelib.cloudtrail.asks import asked_call, asked_head
from member.chalicelib.cloudtrail.event import ACTIONS, NO_TIME, EventError, read_head, read_rules
from member.chalicelib.decision import Decision, decide, denied_at_once
from member.chalicelib.decision_of_asks import DRY_RUN, REFUSED, reason_not_to_ask
from shared.domain.caller import is_session_of
from shared.domain.needs import Needs, needs, needs_zero
from shared.domain.request_needs import least_approvals
from shared.domain.risk_rule import WITH_PORTS, RequestFacts, RiskRule
from shared.policy.cli.replayed_groups import ReplayedGroups
from shared.policy.cli.requester import requester_of

if TYPE_CHECKING:
    from member.chalicelib.cloudtrail.call import Call
    from shared.domain.change import Change
    from shared.domain.policy import Policies, Policy

MOST_IN_BATCH: Final = 60
LONGEST_BATCH: Final = timedelta(minutes=2)
_REMEMBERED: Final = 100_000
_MOST_PORTS: Final = 8
_HARMLESS: Final = (RiskRule(sources=("private", "group"), kinds=("add", "modify"), approvals=0),)

Where = tuple[str, str, str]
"""Requester, account and region."""


@dataclass(slots=True)
class Batch:
    """Calls that follow each other, which are asked as one question."""

    first: datetime
    last: datetime
    calls: int = 1


@dataclass(slots=True)
class Tally:
    """What was counted; ``shared.policy.cli.replay_report`` says it in words.

    Attributes:
        records: records read, of whatever service.
        calls: security group calls among them.
        duplicates: calls that were read before, e.g. from a second trail.
        unreadable: calls whose event cannot be read.
        unknown_values: calls that were judged without values.
        first: when the first call was made.
        last: when the last one was made.
        verbs: calls by what the member account would have done; ``ask`` for those that changed nothing and ask.
        asked: calls that people would have been asked about.
        ended: calls allowed at once for a time, about which people would have been asked at its end.
        let_through: calls allowed at once, with 0 approvals.
        denied: calls denied by policy.
        questions: questions by requester, account and region; a batch is one.
        days: questions by day, ``2026-10-01``.
        approvals: calls that were asked, by how many approvals they need.
        batches: questions about more than one call.
        batched: calls in them.
        largest_batch: calls in the largest batch.
        harmless: calls that were asked and open nothing but private addresses and own groups, by requester.
        ports: what those calls opened, by requester; ``None`` for too many to list.
        callers: calls that were asked, by requester.
        principals: the ARN that policy judges of each requester.
        entries: by entry of ``[[rules]]``, calls it ``caught``, ``let through``, ``denied`` or ``observed``.
        repeats: the same change made again by the same requester, by requester.
    """

    records: int = 0
    calls: int = 0
    duplicates: int = 0
    unreadable: int = 0
    unknown_values: int = 0
    first: datetime | None = None
    last: datetime | None = None
    verbs: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    let_through: int = 0
    denied: int = 0
    questions: Counter[Where] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    approvals: Counter[int] = field(default_factory=Counter)
    ended: int = 0
    batches: int = 0
    batched: int = 0
    largest_batch: int = 0
    harmless: Counter[str] = field(default_factory=Counter)
    ports: dict[str, set[str] | None] = field(default_factory=dict)
    callers: Counter[str] = field(default_factory=Counter)
    principals: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Counter[str]] = field(default_factory=dict)
    repeats: Counter[str] = field(default_factory=Counter)


class Replay:
    """A policy and all that it would have said so far."""

    def __init__(self, policies: Policies, *, gather_seconds: float | None = None, own_session: str = "") -> None:
        """Begin without having seen anything.

        Args:
            policies: what holds.
            gather_seconds: how long after a call the next one still joins its batch; 0: every call is asked alone;
                ``None``: as the policy says.
            own_session: ARN of a session of the product's own role; empty: no call is the product's own.
        """
        self.tally = Tally(entries={entry.place: Counter() for entry in policies.general.rules})
        self._policies = policies
        self._gather_seconds = gather_seconds
        self._own_session = own_session
        self._groups = ReplayedGroups()
        self._batches: dict[Where, Batch] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._made: OrderedDict[int, None] = OrderedDict()

    def take(self, record: Mapping[str, Any]) -> None:
        """Judge one record; everything but security group calls is only counted."""
        self.tally.records += 1
        if record.get("eventName") not in ACTIONS:
            return
        self.tally.calls += 1
        event = {"detail": record}
        try:
            head = read_head(event)
        except EventError:
            self.tally.unreadable += 1
            return
        if not head.account or head.event_time == NO_TIME:
            self.tally.unreadable += 1
            return
        if _is_known(self._seen, (head.account, head.region, head.request_id)):
            self.tally.duplicates += 1
            return
        self._count_time(head.event_time)
        policy = self._policies.for_account(head.account)
        is_own = is_session_of(head.caller, self._own_session)
        if head.error_code in (DRY_RUN, REFUSED):
            self._judge_ask(policy, event, head, is_own=is_own)
            return
        decision = decide(policy, head, is_own=is_own)
        self.tally.verbs[decision.verb] += 1
        if decision.verb != "ignore":
            self._judge(policy, decision, *self._values(event, head))

    def _judge_ask(self, policy: Policy, event: Mapping[str, Any], head: Call, *, is_own: bool) -> None:
        """Count a call that changed nothing: it asks, or is ignored. Nothing is known to be made by it."""
        call = asked_call(event, asked_head(event, head))
        asks = not call.omitted and not reason_not_to_ask(policy, call, is_own=is_own, now=call.event_time)
        self.tally.verbs["ask" if asks else "ignore"] += 1
        if not asks:
            return
        change = self._groups.change(call)
        if change is None:
            self.tally.unknown_values += 1
        needed = self._needs(policy, call, change)
        if needed.deny or denied_at_once(policy, () if change is None else change.added):
            self.tally.denied += 1
            self._count_entries(needed, "denied" if needed.deny else "caught")
            return
        self._count_entries(needed, "caught")
        self._ask(policy, call, change, max(needed.approvals, least_approvals(policy, call.caller, "ask")))

    def _values(self, event: Mapping[str, Any], head: Call) -> tuple[Call, Change | None]:
        call = read_rules(event, head)
        return call, None if call.unreadable else self._groups.change(call)

    def _judge(self, policy: Policy, decision: Decision, call: Call, change: Change | None) -> None:
        if change is None:
            self.tally.unknown_values += 1
        needed = Needs() if decision.verb == "allow" else self._needs(policy, call, change)
        is_denied = False
        if decision.verb == "revert":
            is_denied = bool(needed.deny or denied_at_once(policy, () if change is None else change.added))
            self._count_reverted(policy, call, change, needed, is_denied=is_denied)
        elif decision.verb == "report":
            self._count_entries(needed, "observed")
        if change is not None and not is_denied:
            self._groups.apply(call, change)

    def _needs(self, policy: Policy, call: Call, change: Change | None) -> Needs:
        return needs(policy.rules, facts_of_call(call, change), self._groups.rules(call))

    def _count_reverted(
        self, policy: Policy, call: Call, change: Change | None, needed: Needs, *, is_denied: bool
    ) -> None:
        if is_denied:
            self.tally.denied += 1
            self._count_entries(needed, "denied" if needed.deny else "caught")
        elif needed.approvals == 0:
            self.tally.let_through += 1
            self._count_entries(needed, "let through")
            if needed.max_hours is not None and change is not None and (change.added or change.modified):
                self.tally.ended += 1
                self._count_question(call, call.event_time + timedelta(hours=needed.max_hours))
        else:
            self._count_entries(needed, "caught")
            self._ask(policy, call, change, max(needed.approvals, least_approvals(policy, call.caller, "call")))

    def _ask(self, policy: Policy, call: Call, change: Change | None, approvals: int) -> None:
        requester = requester_of(call.caller)
        self.tally.asked += 1
        self.tally.approvals[approvals] += 1
        self.tally.callers[requester] += 1
        self.tally.principals[requester] = call.caller.principal_arn
        if self._begins_batch(policy, (requester, call.account, call.region), call.event_time):
            self._count_question(call, call.event_time)
        if change is not None and not change.is_empty:
            made = (requester, call.account, call.region, call.group_id, change)
            self.tally.repeats[requester] += _is_known(self._made, made)
            self._count_harmless(requester, facts_of_call(call, change))

    def _count_question(self, call: Call, at: datetime) -> None:
        self.tally.questions[requester_of(call.caller), call.account, call.region] += 1
        self.tally.days[at.date().isoformat()] += 1

    def _count_harmless(self, requester: str, facts: RequestFacts) -> None:
        """Count what an entry with 0 approvals for private addresses and own groups would let through."""
        if facts.change is None or not needs_zero(_HARMLESS, facts):
            return
        self.tally.harmless[requester] += 1
        ports = self.tally.ports.setdefault(requester, set())
        if ports is not None:
            opened = (*facts.change.added, *(edit.after for edit in facts.change.modified))
            ports.update(f"{rule.from_port}-{rule.to_port}" for rule in opened if rule.protocol in WITH_PORTS)
            if len(ports) > _MOST_PORTS or any(rule.protocol not in WITH_PORTS for rule in opened):
                self.tally.ports[requester] = None

    def _begins_batch(self, policy: Policy, where: Where, at: datetime) -> bool:
        """Say whether a call begins a new batch, which is one question."""
        gather = timedelta(seconds=policy.gather_seconds if self._gather_seconds is None else self._gather_seconds)
        batch = self._batches.get(where)
        if (
            batch is None
            or not gather
            or at - batch.last > gather
            or at - batch.first > LONGEST_BATCH
            or batch.calls >= MOST_IN_BATCH
        ):
            self._batches[where] = Batch(first=at, last=at)
            self.tally.largest_batch = max(self.tally.largest_batch, 1)
            return True
        self.tally.batches += batch.calls == 1
        self.tally.batched += 2 if batch.calls == 1 else 1
        batch.calls += 1
        batch.last = max(batch.last, at)
        self.tally.largest_batch = max(self.tally.largest_batch, batch.calls)
        return False

    def _count_entries(self, needed: Needs, what: str) -> None:
        for match in needed.matches:
            self.tally.entries[match.place][what] += 1

    def _count_time(self, at: datetime) -> None:
        self.tally.first = at if self.tally.first is None else min(self.tally.first, at)
        self.tally.last = at if self.tally.last is None else max(self.tally.last, at)


def facts_of_call(call: Call, change: Change | None) -> RequestFacts:
    """Return what entries judge of a call."""
    return RequestFacts(
        account=call.account,
        region=call.region,
        group_id=call.group_id,
        principal_arn=call.caller.principal_arn,
        change=change,
    )


def _is_known(remembered: OrderedDict[int, None], key: object) -> bool:
    """Say whether a key was met before, and remember it by its hash; the oldest of too many are forgotten."""
    number = hash(key)
    is_known = number in remembered
    remembered[number] = None
    remembered.move_to_end(number)
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)
    return is_known
