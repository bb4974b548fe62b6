"""Many exempt calls on one group within half a second: all count, and nothing of them is reverted later.

In memory and in a time of its own: one thread runs at a time, and gives way at each call of AWS and each pause, so the
result does not depend on how fast this machine is. What each call takes is assumed, not measured.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any
from unittest import mock

from member.chalicelib import context
from member.chalicelib.state.table import UPDATE_SECONDS
from tests.attack.stories import product
from tests.support.events import Json, assumed_role
from tests.support.member_account import ACCOUNT, Person, at, rule
from tests.support.memory_account import MemoryAccount

CALLS = 500 if os.environ.get("THOROUGH") else 60
AWS_SECONDS = 0.01
WORK_SECONDS = 0.1
"""What working out one baseline of five hundred rules takes at most in a function with half a processor."""


class OwnTime:
    """A time that passes only while everybody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()

    def run(self, tasks: list[tuple[float, Callable[[], None]]]) -> None:
        """Begin each task at its second, and return when all have ended."""
        done = threading.Event()
        left = [len(tasks)]

        def run(begin: threading.Event, task: Callable[[], None]) -> None:
            begin.wait()
            task()
            left[0] -= 1
            if left[0]:
                self._go_on()
            else:
                done.set()

        for second, task in tasks:
            threading.Thread(target=run, args=(self._event_at(second), task), daemon=True).start()
        self._go_on()
        done.wait()

    def wait(self, seconds: float) -> None:
        """Let others run for so long."""
        mine = self._event_at(self.seconds + seconds)
        self._go_on()
        mine.wait()

    def _event_at(self, second: float) -> threading.Event:
        event = threading.Event()
        heapq.heappush(self._waiting, (second, next(self._numbers), event))
        return event

    def _go_on(self) -> None:
        self.seconds, _, event = heapq.heappop(self._waiting)
        event.set()


def taking_time(account: MemoryAccount, time: OwnTime) -> Callable[..., Any]:
    """Return what answers as the account does, after a while."""
    answer = account.answer

    def take_time(client: Any, operation: str, parameters: Json) -> Any:
        is_baseline = operation == "PutItem" and parameters["Item"]["id"]["S"].startswith("group#")
        time.wait(AWS_SECONDS + (WORK_SECONDS if is_baseline else 0.0))
        return answer(client, operation, parameters)

    return take_time


def test_exempt_calls_delivered_at_once_all_count() -> None:
    """No call fails, the baseline has every rule, and no snapshot reverts one."""
    with product() as begin:
        member, account = begin()
        account.largest_group = CALLS
        with account.installed():
            member.snapshot()
            pipeline = Person(member, identity=assumed_role("pipeline", "run-10", account=ACCOUNT))
            rules = [rule(1000 + number, "10.0.0.0/8", f"service {number}") for number in range(CALLS)]
            happened = [pipeline.opens(one, eventTime=at(member.clock.now)) for one in rules]
            failures: list[Exception] = []

            def delivery(event: Json) -> Callable[[], None]:
                def deliver() -> None:
                    try:
                        member.deliver(event)
                    except Exception as error:  # noqa: BLE001 - any would be a dead letter
                        failures.append(error)

                return deliver

            time, began, random = OwnTime(), member.clock.now, Random(1)

            def clock() -> datetime:
                return began + timedelta(seconds=time.seconds)

            account.calls.clear()
            with (
                mock.patch.object(account, "answer", taking_time(account, time)),
                mock.patch.object(context, "pause", time.wait),
                mock.patch.object(context, "now", clock),
            ):
                time.run([(random.uniform(0, 0.5), delivery(event)) for event in happened])
            assert failures == []
            assert time.seconds < UPDATE_SECONDS / 2
            # Nearly nobody works out the baseline for nothing; the first tries meet each other.
            assert Counter(account.calls)["GetItem"] < 1.2 * CALLS
            wanted = {one.identity for one in rules}
            assert {one[0] for one in member.approved()} == wanted
            member.told()
            for _ in range(3):
                member.snapshot(after=timedelta(minutes=20))
            assert {one.identity for one in member.live()} == wanted
            assert member.told() == []
