"""No failure to store may prevent a revert: it is reverted, published whole, and reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.attack.member.attacks import added, identities, look_twice, names, requests, without
from tests.support.events import Json
from tests.support.member_account import REGION, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

KEPT = rule(9443, "10.1.2.0/24", "kept")
WIDE = rule((100, 200), "::/0", "wide")
TABLE = "securityGroupState"

WRITES = ("PutItem", "UpdateItem", "TransactWriteItems")
READS = ("GetItem", "BatchGetItem")


class Broken:
    """DynamoDB refuses these operations while the context is open."""

    def __init__(self, operations: tuple[str, ...], code: str) -> None:
        original = BaseClient._make_api_call

        def call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            if operation in operations:
                raise ClientError({"Error": {"Code": code, "Message": code}}, operation)
            return original(client, operation, parameters)

        self._patch = mock.patch.object(BaseClient, "_make_api_call", call)

    def __enter__(self) -> None:
        self._patch.start()

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


CALLS: dict[str, Callable[[Person], Json]] = {
    "opens": lambda ada: ada.opens(WIDE),
    "opens, answer left out": lambda ada: without(ada.opens(WIDE), "responseElements"),
    "closes": lambda ada: ada.closes(KEPT),
}


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ResourceNotFoundException"])
@pytest.mark.parametrize("operations", [WRITES, READS, (*READS, *WRITES)], ids=["writes", "reads", "all"])
@pytest.mark.parametrize("name", CALLS)
def test_a_table_that_fails_prevents_no_revert(
    member: Member, ada: Person, name: str, operations: tuple[str, ...], code: str
) -> None:
    """Reverted and published in the first delivery; the failure is raised, and the next delivery stores it.

    A removed rule is opened only where it is known whether it was approved, so where nothing can be read it waits.
    """
    member.holds(KEPT)
    member.snapshot()
    event = CALLS[name](ada)
    with Broken(operations, code), pytest.raises(Exception):  # noqa: B017, PT011 - Lambda only sees that it failed
        member.deliver(event)
    is_known = operations == WRITES or name != "opens, answer left out"
    has_to_wait = operations != WRITES and name == "closes"
    assert identities(member) == (set() if has_to_wait else names(KEPT))
    if is_known:
        (told,) = requests(member)
        request_id = event["detail"]["requestID"]
        wanted = (f"{request_id}-unread", "unreverted") if has_to_wait else (request_id, "pending")
        assert (told.request_id, told.status) == wanted
    member.deliver(event)
    look_twice(member)
    assert identities(member) == names(KEPT)
    assert member.outcome(event["detail"]["requestID"]) != ""


def damage(member: Member, key: str, **attributes: Any) -> None:
    """Overwrite attributes of a stored item."""
    item = member.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": key}})["Item"]
    member.dynamodb.put_item(TableName=TABLE, Item={**item, **attributes})


DAMAGES: dict[str, dict[str, Any]] = {
    "garbage": {"body": {"B": b"\x00\xff garbage"}},
    "text": {"body": {"S": "no bytes"}},
    "empty": {"body": {"B": b""}},
    "not a document": {"body": {"B": b"[1, 2]"}},
    "version": {"version": {"S": "seven"}},
    "adoption": {"adoptedAt": {"S": "yesterday"}},
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("how", ["opens", "closes"])
def test_a_damaged_baseline_prevents_no_revert(member: Member, ada: Person, name: str, how: str) -> None:
    """What was opened is closed, and what was closed is not opened; the damage is told, and nothing is adopted."""
    member.holds(KEPT)
    member.snapshot()
    member.told()
    damage(member, f"group#{REGION}#{member.group_id}", **DAMAGES[name])
    event = CALLS[how](ada)
    member.deliver(event)
    assert identities(member) == (names(KEPT) if how == "opens" else set())
    told = requests(member)
    statuses = {one.request_id: one.status for one in told}
    assert statuses[event["detail"]["requestID"]] == ("pending" if how == "opens" else "unreverted")
    assert "StateDamaged" in {one.event_name for one in told}


@pytest.mark.parametrize("name", ["missing", "unreadable"])
def test_a_damaged_marker_adopts_nothing(member: Member, ada: Person, name: str) -> None:
    """Baselines without their region's marker are damage, not a new region: told, and nothing accepted."""
    member.holds(KEPT)
    member.snapshot()
    member.told()
    if name == "missing":
        member.dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": f"region#{REGION}"}})
    else:
        damage(member, f"region#{REGION}", adoptedAt={"S": "?"})
    member.holds(WIDE)
    member.snapshot()
    told = requests(member)
    assert "StateDamaged" in {one.event_name for one in told}
    assert {one[0] for one in member.approved()} == names(KEPT)
    another = rule(201, "0.0.0.0/0")
    member.deliver(ada.opens(another))
    assert another.identity not in identities(member)
    assert another.identity in added(requests(member))


def test_a_damaged_ledger_entry_is_not_applied_and_keeps_nothing_open(member: Member, ada: Person) -> None:
    """Delivered again, the call is still reverted."""
    member.snapshot()
    event = ada.opens(WIDE)
    member.deliver(event)
    (asked,) = requests(member)
    damage(member, f"request#{asked.request_id}", body={"B": b"{}"})
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the reader says
        member.approve(asked)
    assert identities(member) == set()
    member.holds(WIDE)
    look_twice(member)
    assert identities(member) == set()


def test_a_snapshot_whose_writes_fail_reverts_nevertheless(member: Member) -> None:
    """The grace period is over and noted; only then do writes fail."""
    member.holds(KEPT)
    member.snapshot()
    member.holds(WIDE)
    member.snapshot(after=timedelta(minutes=1))
    with Broken(WRITES, "ProvisionedThroughputExceededException"), pytest.raises(Exception):  # noqa: B017, PT011
        member.snapshot(after=timedelta(minutes=20))
    assert identities(member) == names(KEPT)
    assert WIDE.identity in added(requests(member))


def test_a_deleted_baseline_is_accepted_again_in_observe_mode_alone(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repair in the runbook: enforced, a group without its baseline counts as new, and its rules go."""
    member.holds(KEPT)
    member.snapshot()
    key = {"id": {"S": f"group#{REGION}#{member.group_id}"}}
    monkeypatch.setenv("modeOverride", "observe")
    member.dynamodb.delete_item(TableName=TABLE, Key=key)
    look_twice(member)
    monkeypatch.delenv("modeOverride")
    look_twice(member)
    assert identities(member) == names(KEPT)
    member.dynamodb.delete_item(TableName=TABLE, Key=key)
    look_twice(member)
    assert identities(member) == set()


def test_a_group_that_was_not_stored_is_accepted_in_observe_mode(
    member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repair in the runbook: its id is taken out of the marker while everything is only observed."""
    member.holds(KEPT)
    member.snapshot()
    marker = f"region#{REGION}"
    damage(member, marker, notStored={"L": [{"S": member.group_id}]})
    member.dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": f"group#{REGION}#{member.group_id}"}})
    member.deliver(ada.opens(WIDE))
    look_twice(member)
    assert identities(member) == names(KEPT)
    monkeypatch.setenv("modeOverride", "observe")
    damage(member, marker, notStored={"L": []})
    look_twice(member)
    monkeypatch.delenv("modeOverride")
    look_twice(member)
    assert identities(member) == names(KEPT)
    assert {one[0] for one in member.approved()} == names(KEPT)
