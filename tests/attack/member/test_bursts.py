"""Five hundred exempt calls on one group, delivered at once: all count, and nothing of them is reverted later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.ec2.models import ec2_backends

from sandbox.aws.repairs import AwsRule
from tests.attack.member.attacks import PIPELINE_POLICY, identities, look_twice, requests
from tests.support.events import Json, answered_rule, assumed_role, permission_of
from tests.support.member_account import ACCOUNT, REGION, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

CALLS = 500
AT_ONCE = 50


@pytest.fixture
def atomic_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make moto's conditional writes atomic, as DynamoDB's are: it checks and writes in two steps."""
    lock, put = threading.Lock(), DynamoDBBackend.put_item

    def put_one_by_one(*some: object, **named: object) -> object:
        with lock:
            return put(*some, **named)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(DynamoDBBackend, "put_item", put_one_by_one)


@pytest.fixture
def _real_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Backoff without waiting would make five hundred threads spin."""
    from member.chalicelib import context

    monkeypatch.setattr(context, "pause", lambda seconds: time.sleep(min(seconds, 0.5)))
    yield


@pytest.mark.usefixtures("atomic_writes", "_real_pauses")
def test_five_hundred_exempt_calls_at_once_all_count(member: Member, policy: Callable[[str], None]) -> None:
    """No call fails, the baseline has every rule, and no snapshot takes one back."""
    policy(PIPELINE_POLICY)
    pipeline = Person(member, identity=assumed_role("pipeline", "run-10", account=ACCOUNT))
    member.snapshot()
    happened = [_call(member, pipeline, number) for number in range(CALLS)]
    failures: list[Exception] = []

    def deliver(event: Json) -> None:
        try:
            member.deliver(event)
        except Exception as error:  # noqa: BLE001 - any would be a dead letter
            failures.append(error)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(deliver, happened))
    assert failures == []
    assert len(member.approved()) == CALLS
    live = identities(member)
    assert len(live) == CALLS
    look_twice(member)
    assert identities(member) == live
    assert requests(member) == []


def _call(member: Member, pipeline: Person, number: int) -> Json:
    """Put a rule into the group, past moto's slow answers, and return the event of the call that made it."""
    made = rule(1000 + number, "10.0.0.0/8", f"service {number}")
    group = ec2_backends[ACCOUNT][REGION].get_security_group_from_id(member.group_id)
    assert group is not None
    held = AwsRule(
        ec2_backends[ACCOUNT][REGION],
        "tcp",
        member.group_id,
        1000 + number,
        1000 + number,
        {"CidrIp": "10.0.0.0/8", "Description": f"service {number}"},
        is_egress=False,
    )
    group.ingress_rules.append(held)
    answer = {"securityGroupRuleSet": {"items": [answered_rule(replace(made, rule_id=held.id), owner=ACCOUNT)]}}
    answer["securityGroupRuleSet"]["items"][0]["groupId"] = member.group_id
    parameters = {"groupId": member.group_id, "ipPermissions": {"items": [permission_of(made)]}}
    return pipeline.event("AuthorizeSecurityGroupIngress", parameters, {"_return": True, **answer})
