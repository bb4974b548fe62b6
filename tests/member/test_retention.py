"""Ledger entries from which nothing can be applied any more may go; those in force, or waiting, never do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.request import Request
from tests.support.member_account import Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule(22, "0.0.0.0/0", "open")
NEVER_APPLIED = 30 + 3 + 15
"""Days that policy says, 72 hours to be decided, and 15 days for dead letters."""


@pytest.fixture(autouse=True)
def kept(policy: Callable[[str], None], member: Member) -> None:
    """Thirty days, and the region is adopted."""
    policy("keep_days = 30\noffer_hours = [8]")
    member.adopt()


def days_left(member: Member, request: Request) -> int | None:
    """Return in how many days DynamoDB may delete a ledger entry; ``None``: never."""
    key = {"id": {"S": f"request#{request.request_id}"}}
    item: dict[str, Any] = member.dynamodb.get_item(TableName="securityGroupState", Key=key)["Item"]
    found = item.get("expiresAt", {}).get("N")
    return None if found is None else round((int(found) - datetime.now(UTC).timestamp()) / 86400)


def test_a_reverted_change_that_nobody_decides_goes(member: Member, ada: Person) -> None:
    """After the time in which it may be decided and redriven."""
    member.deliver(ada.opens(OPEN))
    assert days_left(member, member.told_request()) == NEVER_APPLIED


def test_an_applied_change_goes(member: Member, ada: Person) -> None:
    """It is in the baseline."""
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    member.approve(request)
    assert days_left(member, request) == NEVER_APPLIED


def test_a_change_for_a_time_never_goes_before_its_end(member: Member, ada: Person) -> None:
    """Its entry is needed to end it."""
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    member.approve(request, hours=8, valid_until=datetime.now(UTC) + timedelta(hours=8))
    assert days_left(member, request) is None
    member.snapshot(after=timedelta(hours=9))
    assert days_left(member, request) == NEVER_APPLIED


def test_0_days_keep_everything(member: Member, ada: Person, policy: Callable[[str], None]) -> None:
    """For ever."""
    policy("keep_days = 0")
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    assert days_left(member, request) is None
    member.approve(request)
    assert days_left(member, request) is None


def test_baselines_and_adoptions_never_go(member: Member, ada: Person) -> None:
    """What is approved has no end."""
    member.deliver(ada.opens(OPEN))
    member.approve(member.told_request())
    items = member.dynamodb.scan(TableName="securityGroupState")["Items"]
    with_end = {item["id"]["S"].partition("#")[0] for item in items if "expiresAt" in item}
    assert with_end == {"request"}
    assert {item["id"]["S"].partition("#")[0] for item in items} >= {"group", "region", "request"}
