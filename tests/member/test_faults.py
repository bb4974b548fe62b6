"""Each AWS call of each flow fails in each way, the trigger comes again as Lambda delivers it: the end is always right.

Right means: the group's rules are exactly those that are approved, baseline and ledger agree, the central account was
told at least once, and never anything else.

With ``FAULTS=all`` in the environment every flow meets every fault; otherwise a share of them that takes seconds. Left
out then is what is alike: a process killed after a call has done what one killed before the next has done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from shared.aws.state_table import StateTable
from shared.domain.baseline import learn
from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.wire.messages import AppliedMessage, RequestMessage
from tests.support.events import Json
from tests.support.faults import KINDS, Faults, Kind, deliver_as_lambda
from tests.support.member_account import REGION, Member, Person, exact, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

R = rule(22, "10.0.0.0/8", "approved ssh", tags=[("team", "shop")])
S = rule(443, "10.0.0.0/8", "approved web")
NEW = rule(23, "0.0.0.0/0", "new")
TAGGED = rule(24, "0.0.0.0/0", "tagged", tags=[("a", "b")])
SIXTEEN_MINUTES = timedelta(minutes=16)


@dataclass(frozen=True)
class Flow:
    """A change somebody makes, and what is in force once it is approved."""

    change: Callable[[Person], Json]
    approved: tuple[Rule, ...]


EDITED = rule(25, "0.0.0.0/0", "edited", tags=[("team", "shop")])
FLOWS = {
    "add": Flow(lambda x: x.opens(NEW), (R, S, NEW)),
    "add several": Flow(lambda x: x.opens(NEW, EDITED), (R, S, NEW, with_description(rule(25, "0.0.0.0/0"), "edited"))),
    "add without ids": Flow(lambda x: x.opens(NEW, with_answer=False), (R, S, NEW)),
    "remove": Flow(lambda x: x.closes(R, S), ()),
    "remove without answer": Flow(lambda x: x.closes(R, S, with_answer=False), ()),
    "edit": Flow(lambda x: x.edits((R, EDITED)), (S, EDITED)),
    "edit two, one into the other's place": Flow(
        lambda x: x.edits((R, EDITED), (S, with_description(R, "moved"))),
        (EDITED, rule(22, "10.0.0.0/8", "moved")),
    ),
    "describe": Flow(
        lambda x: x.describes(with_description(R, "other")), (S, rule(22, "10.0.0.0/8", "other", tags=R.tags))
    ),
}
ALL = os.environ.get("FAULTS") == "all"
PLAIN: tuple[Kind, ...] = KINDS if ALL else ("reply_lost", "killed_before")
WAYS = [(kind, 1) for kind in PLAIN] + [("throttled", 3)]


def share(some: tuple[str, ...]) -> list[str]:
    """All flows, or the ones named."""
    return list(FLOWS) if ALL else list(some)


@dataclass
class Stage:
    """One group, prepared for one run of a flow."""

    member: Member
    group_id: str

    @property
    def person(self) -> Person:
        """Somebody who changes it."""
        return Person(self.member, group_id=self.group_id)

    def told(self) -> list[RequestMessage | AppliedMessage]:
        """Return what the central account heard; an error is never part of it."""
        messages = self.member.told()
        assert all(isinstance(one, RequestMessage | AppliedMessage) for one in messages), messages
        return messages  # type: ignore[return-value]  # just asserted

    def request(self) -> Request:
        """Return the one request that was told, however often."""
        requests = [one.request for one in self.told() if isinstance(one, RequestMessage)]
        assert requests
        assert all(one == requests[0] for one in requests)
        return requests[0]


def stage(member: Member) -> Stage:
    """Make a group with two approved rules, known to the app."""
    group_id = member.new_group()
    member.holds(R, group_id=group_id, tags=R.tags)
    member.holds(S, group_id=group_id)
    learned(member, group_id)
    return Stage(member, group_id)


def learned(member: Member, group_id: str) -> None:
    """Let the app know the group as a snapshot would, without looking at all the others again."""
    fresh = learn(
        region=REGION,
        group_id=group_id,
        group_name="",
        rules=member.live(group_id),
        directions=["ingress"],
        at=datetime.now(UTC),
    )
    StateTable(REGION).save(fresh)


def each_fault(run: Callable[[Faults], None], kind: Kind, times: int) -> int:
    """Run with the fault at the first call, the second, and so on until it strikes no more; return how many struck."""
    number = 0
    while True:
        number += 1
        faults = Faults(kind=kind, at=number, times=times)
        run(faults)
        if not faults.struck:
            return number - 1


def delivered(trigger: Callable[[], object], faults: Faults) -> None:
    """Deliver as Lambda does; what ends in the dead-letter queue is redriven when the trouble is over."""
    with faults.watching():
        succeeded = deliver_as_lambda(trigger)
    if not succeeded:
        assert deliver_as_lambda(trigger, deliveries=1)


@pytest.mark.parametrize(("kind", "times"), WAYS)
@pytest.mark.parametrize(
    "name", share(("add several", "add without ids", "remove", "edit two, one into the other's place"))
)
def test_a_revert_survives_every_fault(member: Member, name: str, kind: Kind, times: int) -> None:
    """Whatever call fails however: taken back, in the ledger, told, and nothing approved is lost."""

    def run(faults: Faults) -> None:
        here = stage(member)
        event = FLOWS[name].change(here.person)
        delivered(lambda: member.deliver(event), faults)
        assert member.state(here.group_id) == member.approved(here.group_id) == exact([R, S])
        request = here.request()
        assert (request.status, member.outcome(request.request_id)) == ("pending", "reverted")
        assert request.request_id == event["detail"]["requestID"]
        assert not request.change.is_empty

    assert each_fault(run, kind, times) >= 6


@pytest.mark.parametrize(("kind", "times"), WAYS)
@pytest.mark.parametrize("name", share(("add", "remove", "edit two, one into the other's place")))
def test_an_approval_survives_every_fault(member: Member, name: str, kind: Kind, times: int) -> None:
    """Whatever call fails however: applied once, exactly, in the baseline and in the ledger, and told as a success."""

    def run(faults: Faults) -> None:
        here = stage(member)
        event = FLOWS[name].change(here.person)
        member.deliver(event)
        request = here.request()
        delivered(lambda: member.approve(request), faults)
        wanted = exact(FLOWS[name].approved)
        assert [one[:2] for one in member.state(here.group_id)] == [one[:2] for one in wanted]
        assert member.approved(here.group_id) == member.state(here.group_id)
        assert member.outcome(request.request_id) == "applied"
        told = here.told()
        assert told
        assert all(isinstance(one, AppliedMessage) for one in told)
        member.deliver(event)
        assert member.approved(here.group_id) == member.state(here.group_id)

    assert each_fault(run, kind, times) >= 9


@pytest.mark.parametrize(("kind", "times"), WAYS)
def test_a_change_in_two_calls_survives_every_fault(member: Member, kind: Kind, times: int) -> None:
    """Rules with different tags take two calls to restore: none of them is lost in between."""

    def run(faults: Faults) -> None:
        here = stage(member)
        member.holds(TAGGED, group_id=here.group_id, tags=TAGGED.tags)
        StateTable(REGION).forget(here.group_id)
        learned(member, here.group_id)
        event = here.person.closes(R, S, TAGGED)
        delivered(lambda: member.deliver(event), faults)
        assert member.state(here.group_id) == member.approved(here.group_id) == exact([R, S, TAGGED])
        assert exact(here.request().change.removed) == exact([R, S, TAGGED])

    assert each_fault(run, kind, times) >= 8


@pytest.mark.parametrize(("kind", "times"), WAYS)
@pytest.mark.parametrize("name", share(("remove", "edit")))
def test_drift_survives_every_fault(member: Member, name: str, kind: Kind, times: int) -> None:
    """A snapshot that fails anywhere leaves the next one everything it needs; the request is told under one id."""

    def run(faults: Faults) -> None:
        here = stage(member)
        FLOWS[name].change(here.person)
        member.snapshot()
        delivered(lambda: member.snapshot(after=SIXTEEN_MINUTES), faults)
        member.snapshot(after=2 * SIXTEEN_MINUTES)
        member.snapshot(after=4 * SIXTEEN_MINUTES)
        assert member.state(here.group_id) == member.approved(here.group_id) == exact([R, S])
        request = here.request()
        assert (request.status, request.requester) == ("pending", None)
        assert member.outcome(request.request_id) == "reverted"
        member.ec2.delete_security_group(GroupId=here.group_id)

    assert each_fault(run, kind, times) >= 10


@pytest.mark.parametrize(("kind", "times"), WAYS)
def test_learning_survives_every_fault(member: Member, kind: Kind, times: int) -> None:
    """New groups are learned by the run that works, whatever happened to those before."""

    def run(faults: Faults) -> None:
        group_id = member.new_group()
        member.holds(S, group_id=group_id)
        delivered(member.snapshot, faults)
        assert member.approved(group_id) == exact([S])
        assert member.told() == []

    assert each_fault(run, kind, times) >= 4


@pytest.mark.parametrize(("kind", "times"), WAYS)
def test_an_allowed_change_survives_every_fault(
    member: Member, policy: Callable[[str], None], kind: Kind, times: int
) -> None:
    """In observe mode: in the baseline, in the ledger, told, and untouched."""
    policy('mode = "observe"')

    def run(faults: Faults) -> None:
        here = stage(member)
        event = here.person.opens(NEW)
        delivered(lambda: member.deliver(event), faults)
        assert member.state(here.group_id) == member.approved(here.group_id) == exact([NEW, R, S])
        assert here.request().status == "observed"

    assert each_fault(run, kind, times) >= 6
