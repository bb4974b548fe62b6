"""Small scopes, exhaustively: every order of three calls by two callers, and one crash at any call to AWS.

``python -m tests.attack.scopes`` goes through all of them and prints how many there are.

Orders: each of three calls opens, closes or edits one rule; each is made by somebody who has to ask or by somebody
exempt; its event is lost, comes once or twice; the events come in every order; a snapshot runs before any of the
deliveries, or none does; the group is an old one or a new one. Crashes: for each of a few flows, the process is gone at
each call to AWS in turn, before or after the call took effect, and the event is delivered again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, permutations, product
from typing import Final, Literal

from botocore.exceptions import ClientError

from shared.wire.messages import RequestMessage
from tests.attack.stories import all_rules
from tests.attack.stories import product as member_app
from tests.support.events import Json, assumed_role, iam_user
from tests.support.faults import Faults, Kind, deliver_as_lambda
from tests.support.member_account import ACCOUNT, Person, at, rule
from tests.support.memory_account import MemoryAccount, MemoryMember

A: Final = rule(22, "10.0.0.0/8", "approved")
B: Final = rule(23, "10.1.0.0/16", "other")
Caller = Literal["person", "pipeline"]
CALLS: Final = ("open B", "close A", "edit A to B", "edit B to A", "close B", "open A")
CALLERS: Final[tuple[Caller, ...]] = ("person", "pipeline")
TIMES: Final = (0, 1, 2)
Begin = Callable[[], tuple[MemoryMember, MemoryAccount]]


@dataclass(frozen=True, slots=True)
class Scope:
    """One case.

    Attributes:
        calls: what is called, in this order.
        callers: who calls.
        times: how often each event is delivered.
        order: in which order the events come.
        snapshot: before which delivery a snapshot runs; 3: none does.
        is_new: the group comes after adoption, without rules.
    """

    calls: tuple[str, ...]
    callers: tuple[Caller, ...]
    times: tuple[int, ...]
    order: tuple[int, ...]
    snapshot: int
    is_new: bool


def all_scopes() -> Iterator[Scope]:
    """Yield every case whose calls EC2 would accept, in this order."""
    for is_new in (False, True):
        for calls in product(CALLS, repeat=3):
            if not _is_possible(calls, set() if is_new else {"A"}):
                continue
            for callers in product(CALLERS, repeat=3):
                if len(set(callers)) < 2:
                    continue
                for times in product(TIMES, repeat=3):
                    heard = [number for number in range(3) if times[number]]
                    for order in permutations(heard):
                        for snapshot in range(len(heard) + 1):
                            yield Scope(calls, callers, times, order, snapshot, is_new)


def _is_possible(calls: tuple[str, ...], there: set[str]) -> bool:
    for call in calls:
        what, first, *rest = call.replace(" to", "").split()
        if (what == "open") == (first in there) or (rest and rest[0] in there):
            return False
        there = (there | {first}) if what == "open" else (there - {first}) | set(rest)
    return True


def run_scope(scope: Scope, begin: Begin) -> str:
    """Play one case; return what is wrong, or an empty text."""
    member, account = begin()
    with account.installed():
        if not scope.is_new:
            member.holds(A)
        member.snapshot()
        group_id = member.new_group() if scope.is_new else member.group_id
        member.told_all()
        happened = []
        for call, caller in zip(scope.calls, scope.callers, strict=True):
            member.clock.wait(seconds=2)
            happened.append(_make(member, group_id, call, caller))
        member.clock.wait(seconds=5)
        touched: set[str] = set()

        def run(invoke: Callable[[], None]) -> None:
            before = {one.identity for one in member.live(group_id)}
            invoke()
            touched.update(before ^ {one.identity for one in member.live(group_id)})

        for number, index in enumerate(scope.order):
            if number == scope.snapshot:
                run(member.snapshot)
            for _ in range(scope.times[index]):
                run(partial(member.deliver, happened[index]))
        for minutes in (1, 17, 17, 17):
            member.clock.wait(minutes=minutes)
            run(member.snapshot)
        published = [one.request for one in member.told() if isinstance(one, RequestMessage)]
        asked = {one.identity for request in published for one in all_rules(request.change)}
        asked |= {one.identity for one in (A, B) for q in published if one.identity.partition("/")[2] in q.reason}
        return _wrong(scope, member, group_id, asked, touched)


def _make(member: MemoryMember, group_id: str, call: str, caller: Caller) -> Json:
    identity = (
        iam_user("ada", account=ACCOUNT) if caller == "person" else assumed_role("pipeline", "b", account=ACCOUNT)
    )
    one = Person(member, identity=identity, group_id=group_id)
    what, first, *rest = call.replace(" to", "").split()
    rules = {"A": A, "B": B}
    moment = {"eventTime": at(member.clock.now)}
    if what == "open":
        return one.opens(rules[first], **moment)
    if what == "close":
        return one.closes(rules[first], **moment)
    return one.edits((rules[first], rules[rest[0]]), **moment)


def _wrong(scope: Scope, member: MemoryMember, group_id: str, asked: set[str], touched: set[str]) -> str:
    live = {one.identity for one in member.live(group_id)}
    baseline = member.baseline(group_id)
    approved = live if baseline is None else {one[0] for one in member.approved(group_id)}
    # A rule can be approved because it was there at first, or because an exempt call that was heard of made it.
    may = set() if scope.is_new else {A.identity}
    for call, caller, times in zip(scope.calls, scope.callers, scope.times, strict=True):
        made = call.rsplit(" ", 1)[-1]
        if caller == "pipeline" and times and not call.startswith("close"):
            may.add({"A": A, "B": B}[made].identity)
    if live != approved:
        return f"live {live}, approved {approved}"
    if live - may:
        return f"nobody approved {live - may}"
    silent = touched - asked - may
    return f"not reported: {silent}" if silent else ""


# -- crashes -----------------------------------------------------------------------------------------------------------

KINDS: Final[tuple[Kind, ...]] = ("killed_before", "killed_after", "throttled", "reply_lost")
FLOWS: Final = ("open", "open, answer left out", "close", "edit", "drift", "approve", "adopt")


def run_crashes(begin: Begin, flow: str) -> Iterator[tuple[str, str]]:
    """Yield (case, what is wrong) for a crash at every call of a flow."""
    for kind in KINDS:
        at_call = 0
        while True:
            at_call += 1
            faults = Faults(kind=kind, at=at_call)
            wrong = _crash(begin, flow, faults)
            if not faults.struck:
                break
            yield f"{flow}: {kind} at call {at_call} ({faults.operations[at_call - 1]})", wrong


def _crash(begin: Begin, flow: str, faults: Faults) -> str:
    member, account = begin()
    with account.installed():
        member.holds(A)
        if flow != "adopt":
            member.snapshot()
        ada = Person(member)
        member.clock.wait(seconds=5)
        moment = {"eventTime": at(member.clock.now)}
        invoke, wanted = _flow(member, ada, flow, moment)
        member.told_all() if flow != "adopt" else None
        with faults.watching():
            is_done = deliver_as_lambda(invoke)
        if not is_done:
            return "the event is in the dead-letter queue"
        said = member.told_all()
        for minutes in (1, 17, 17):
            member.clock.wait(minutes=minutes)
            member.snapshot()
        said += member.told_all()
        live = {one.identity for one in member.live()}
        approved = {one[0] for one in member.approved()}
        if live != wanted or approved != wanted:
            return f"live {live}, approved {approved}, wanted {wanted}"
        return "" if said else "nothing was said"


def _flow(member: MemoryMember, ada: Person, flow: str, moment: dict[str, str]) -> tuple[Callable[[], None], set[str]]:
    kept = {A.identity}
    if flow.startswith("open"):
        event = ada.opens(B, **moment)
        if flow != "open":
            event["detail"]["responseElements"] = {"omitted": True}
        return lambda: member.deliver(event), kept
    if flow == "close":
        event = ada.closes(A, **moment)
        return lambda: member.deliver(event), kept
    if flow == "edit":
        event = ada.edits((A, B), **moment)
        return lambda: member.deliver(event), kept
    if flow == "approve":
        member.deliver(ada.opens(B, **moment))
        (asked,) = [one.request for one in member.told() if isinstance(one, RequestMessage)]
        return lambda: member.approve(asked), {A.identity, B.identity}
    if flow == "drift":
        ada.opens(B, **moment)
        member.snapshot()
        member.clock.wait(minutes=20)
    return member.snapshot, kept


def play(*, step: int = 1, limit: int | None = None, progress: bool = False) -> tuple[int, int, list[str]]:
    """Play every ``step``-th order and all crashes; return how many of each, and what is wrong."""
    broken: list[str] = []
    orders = crashes = 0
    with member_app() as begin:
        for scope in islice(all_scopes(), 0, limit, step):
            orders += 1
            try:
                wrong = run_scope(scope, begin)
            except (ClientError, Exception) as error:  # noqa: BLE001 - whatever it is, the case is named
                wrong = f"{type(error).__name__}: {error}"
            broken += [f"{scope}: {wrong}"] if wrong else []
            if progress and orders % 2000 == 0:
                print(f"{orders} orders, {len(broken)} broken", file=sys.stderr)
        for flow in FLOWS:
            for case, wrong in run_crashes(begin, flow):
                crashes += 1
                broken += [f"{case}: {wrong}"] if wrong else []
    return orders, crashes, broken


def main() -> int:
    """Go through everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack.scopes", description=__doc__.split("\n")[0])
    parser.add_argument("--step", type=int, default=1, help="only every so manieth order")
    parser.add_argument("--shown", type=int, default=10, help="how many broken cases are printed")
    chosen = parser.parse_args()
    began = time.monotonic()
    orders, crashes, broken = play(step=chosen.step, progress=True)
    print("\n".join(broken[: chosen.shown]))
    seconds = time.monotonic() - began
    print(f"{orders} orders and {crashes} crashes, {len(broken)} broken, {seconds:.0f} seconds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
