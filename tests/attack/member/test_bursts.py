"""Many exempt calls on one group, delivered at once: all count, and nothing of them is reverted later.

In memory, with each call of AWS taking its turn: DynamoDB's conditional writes are atomic.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

from member.chalicelib import context
from tests.attack.stories import product
from tests.support.events import Json, assumed_role
from tests.support.member_account import ACCOUNT, Person, at, rule
from tests.support.memory_account import MemoryAccount

CALLS = 500 if os.environ.get("THOROUGH") else 60
"""All in one process, whose threads share a processor; in AWS each call has its own."""


def one_after_another(account: MemoryAccount) -> None:
    """Let the account answer one call at a time."""
    lock, answer = threading.Lock(), account.answer

    def take_turns(client: Any, operation: str, parameters: Json) -> Any:
        with lock:
            return answer(client, operation, parameters)

    account.answer = take_turns  # type: ignore[method-assign]  # the same with a lock


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
            one_after_another(account)
            failures: list[Exception] = []

            def deliver(event: Json) -> None:
                try:
                    member.deliver(event)
                except Exception as error:  # noqa: BLE001 - any would be a dead letter
                    failures.append(error)

            with mock.patch.object(context, "pause", time.sleep), ThreadPoolExecutor(CALLS) as threads:
                list(threads.map(deliver, happened))
            assert failures == []
            wanted = {one.identity for one in rules}
            assert {one[0] for one in member.approved()} == wanted
            member.told()
            for _ in range(3):
                member.snapshot(after=timedelta(minutes=20))
            assert {one.identity for one in member.live()} == wanted
            assert member.told() == []
