"""The table of requests: one conditional write per move, conflicts tried again, no scans."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central.chalicelib.requests.moves import Moved, NotMoved
from central.chalicelib.requests.record import Decision
from central.chalicelib.requests.table import TABLE, DifferentRequestError, RequestsTable
from shared.aws.attributes import to_attributes
from shared.domain.change import make_change
from shared.domain.request import FIRST_STATUSES, MOVES, Status
from tests.support.central_account import LATER, NOON, REGION, approval, make_table, meet_transactions
from tests.support.central_account import new_record as record


class Calls:
    """Every call made to DynamoDB."""

    def __init__(self, client: Any) -> None:
        self.made: list[str] = []
        client.meta.events.register("before-call.dynamodb", self._note)

    def _note(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)

    def take(self) -> list[str]:
        """Return the calls since the last time."""
        made, self.made = self.made, []
        return made


@pytest.fixture
def calls(dynamodb: Any) -> Calls:
    """Every call made to DynamoDB from now on."""
    return Calls(dynamodb)


@pytest.fixture
def table(dynamodb: Any) -> RequestsTable:
    """The table as one invocation uses it."""
    return RequestsTable(dynamodb, invocation="invocation-1")


@pytest.fixture
def other(dynamodb: Any) -> RequestsTable:
    """The table as another invocation uses it at the same time."""
    return RequestsTable(dynamodb, invocation="invocation-2")


# -- storing -----------------------------------------------------------------------------------------------------------


def test_a_new_request_is_one_write_with_its_leases(table: RequestsTable, other: RequestsTable, calls: Calls) -> None:
    """Storing makes one call; its tasks are leased to this invocation for a while."""
    stored = table.store(record(tasks=("ask", "announce")))
    assert calls.take() == ["PutItem"]
    assert stored.is_new
    again = other.get("r-1")
    assert again is not None
    assert [task for task, _ in again.leases] == ["ask", "announce"]
    assert again.due(NOON) == ()


def test_the_same_request_again_changes_nothing(table: RequestsTable, other: RequestsTable) -> None:
    """A duplicate delivery finds the request, its tasks leased by somebody else."""
    table.store(record())
    stored = other.store(record())
    assert not stored.is_new
    assert stored.record.request == record().request
    assert len(stored.record.history) == 1


def test_lambdas_own_retry_finds_its_own_leases(table: RequestsTable) -> None:
    """A retry has the same invocation id: what it stored, and left undone, it does as if it were new."""
    table.store(record())
    assert table.store(record()).is_new


def test_a_request_that_lacks_only_the_groups_name_is_the_same(table: RequestsTable, other: RequestsTable) -> None:
    """Its group was deleted between two deliveries of the event."""
    known = record()
    table.store(known)
    again = other.store(replace(known, request=replace(known.request, group_name="")))
    assert (again.is_new, again.record.request) == (False, known.request)
    with pytest.raises(DifferentRequestError):
        other.store(replace(known, request=replace(known.request, group_name="", change=make_change())))


def test_another_request_under_the_same_id_is_refused(table: RequestsTable, other: RequestsTable) -> None:
    """Whoever files other rules under a stored id gets an error that names both accounts; the stored one stays."""
    table.store(record())
    forged = record()
    forged = replace(forged, request=replace(forged.request, change=make_change(), account="999999999999"))
    with pytest.raises(DifferentRequestError, match=r"999999999999.*123456789012"):
        other.store(forged)
    stored = table.get("r-1")
    assert stored is not None
    assert stored.request == record().request


# -- moves -------------------------------------------------------------------------------------------------------------


def test_a_move_is_one_write_that_gives_back_the_record(table: RequestsTable, calls: Calls) -> None:
    """Status, who, history and tasks change together, and the answer has all of it."""
    table.store(record(tasks=("ask", "announce")))
    calls.take()
    moved = table.move(approval(record()))
    assert calls.take() == ["UpdateItem"]
    assert isinstance(moved, Moved)
    assert moved.record.status == "approved"
    assert moved.record.decision == Decision(by="U1", at=LATER)
    assert moved.record.tasks == (("dispatch", LATER),)
    assert moved.record.leases == ()
    assert [(one.previous, one.status, one.by) for one in moved.record.history] == [
        ("", "pending", "123456789012"),
        ("pending", "approved", "U1"),
    ]


def test_the_loser_is_told_who_won_by_the_same_write(table: RequestsTable, other: RequestsTable, calls: Calls) -> None:
    """The refused write brings the record along; nobody reads again."""
    table.store(record())
    table.move(approval(record()))
    calls.take()
    lost = other.move(approval(record(), to="denied", by="U2", tasks=("notify",), decision=Decision(by="U2", at=LATER)))
    assert calls.take() == ["UpdateItem"]
    assert isinstance(lost, NotMoved)
    assert lost.record is not None
    assert (lost.record.status, lost.record.view.decided_by) == ("approved", "U1")
    assert len(lost.record.history) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": "ab" * 32},
        {"account": "999999999999"},
        {"region": "us-east-1"},
        {"requested_after": NOON},
        {"request_id": "r-2"},
    ],
)
def test_a_move_that_does_not_fit_the_stored_request_is_refused(table: RequestsTable, wrong: dict[str, Any]) -> None:
    """Digest, account, region and age are checked by the write itself."""
    table.store(record())
    moved = table.move(approval(record(), **wrong))
    assert isinstance(moved, NotMoved)
    assert (moved.record is None) == ("request_id" in wrong)
    stored = table.get("r-1")
    assert stored is not None
    assert stored.status == "pending"


def test_a_move_that_fits_in_every_respect_happens(table: RequestsTable) -> None:
    """The same checks let the right request through."""
    table.store(record())
    fitting = approval(
        record(), account="123456789012", region=REGION, requested_after=NOON - timedelta(milliseconds=1)
    )
    assert isinstance(table.move(fitting), Moved)


def test_a_move_whose_answer_was_lost_is_recognised_as_ones_own(table: RequestsTable, other: RequestsTable) -> None:
    """The same write again by the same invocation has happened; by another one it has not."""
    table.store(record())
    table.move(approval(record()))
    assert isinstance(table.move(approval(record())), Moved)
    assert isinstance(other.move(approval(record())), NotMoved)
    stored = table.get("r-1")
    assert stored is not None
    assert len(stored.history) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    first=st.sampled_from(sorted(FIRST_STATUSES)),
    wishes=st.lists(st.sampled_from(sorted(MOVES)), min_size=1, max_size=6),
)
def test_no_order_of_moves_leaves_the_status_machine(dynamodb: Any, first: Status, wishes: list[Status]) -> None:
    """Whatever is tried in whatever order, the history is a path of MOVES and ends in the status."""
    request_id = f"{first}-{'-'.join(wishes)}"
    table = RequestsTable(dynamodb, invocation="x")
    table.store(record(request_id, status=first))
    for number, wish in enumerate(wishes):
        invocation = RequestsTable(dynamodb, invocation=f"{request_id}-{number}")
        for previous in (status for status, targets in MOVES.items() if wish in targets):
            invocation.move(approval(record(request_id, status=first), previous=previous, to=wish, tasks=()))
    stored = table.get(request_id)
    assert stored is not None
    assert stored.history[-1].status == stored.status
    assert stored.history[0].previous == ""
    for before, after in zip(stored.history, stored.history[1:], strict=False):
        assert after.previous == before.status
        assert after.status in MOVES[before.status]


def test_a_move_that_no_request_may_make_is_a_mistake_of_ours(table: RequestsTable) -> None:
    """Moves outside the status machine are refused before anything is written."""
    with pytest.raises(ValueError, match="denied to approved"):
        table.move(approval(record(), previous="denied"))


# -- conflicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_a_write_that_meets_a_transaction_is_made_again(dynamodb: Any, table: RequestsTable, operation: str) -> None:
    """DynamoDB refuses a write to an item of a running transaction; the same write succeeds a moment later."""
    meet_transactions(dynamodb, operation, times=3)
    assert table.store(record()).is_new
    assert isinstance(table.move(approval(record())), Moved)


def test_a_conflict_that_lasts_is_an_error(dynamodb: Any) -> None:
    """Nobody waits longer than there is time."""
    meet_transactions(dynamodb, "PutItem", times=1_000_000)
    with pytest.raises(ClientError, match="TransactionConflictException"):
        RequestsTable(dynamodb, invocation="x", conflict_seconds=0.1).store(record())


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["ALL", "KEYS_ONLY"])
def projected(request: pytest.FixtureRequest, dynamodb: Any) -> RequestsTable:
    """The table with an index of each kind."""
    dynamodb.delete_table(TableName=TABLE)
    make_table(dynamodb, request.param)
    return RequestsTable(dynamodb, invocation="invocation-1")


def test_requests_are_listed_by_status_and_time_whatever_the_index_projects(projected: RequestsTable) -> None:
    """The index gives the ids in order of time; each row can be read in full."""
    for hours in (3, 1, 2):
        projected.store(record(f"r-{hours}", requested_at=NOON + timedelta(hours=hours)))
    projected.store(record("denied", status="denied"))
    rows = list(projected.by_status("pending", since=NOON + timedelta(hours=2)))
    assert [row.request_id for row in rows] == ["r-2", "r-3"]
    assert [projected.read(row) for row in rows] == [projected.get("r-2"), projected.get("r-3")]


def test_lists_go_on_from_page_to_page_and_never_scan(table: RequestsTable, dynamodb: Any, calls: Calls) -> None:
    """More requests than fit on one page are all listed, by queries alone."""
    for number in range(25):
        table.store(record(f"r-{number:02}"))
    dynamodb.meta.events.register("provide-client-params.dynamodb.Query", lambda params, **_: {**params, "Limit": 10})
    calls.take()
    assert len(list(table.by_status("pending"))) == 25
    assert calls.take() == ["Query"] * 3


def test_requests_without_tasks_can_be_left_out(table: RequestsTable) -> None:
    """Where the index has the tasks, requests without any are not even sent."""
    table.store(record("unfinished"))
    table.store(record("finished", tasks=()))
    assert [row.request_id for row in table.by_status("pending", with_tasks=True)] == ["unfinished"]


def test_an_index_that_does_not_know_the_tasks_lists_everything(dynamodb: Any) -> None:
    """With keys alone in the index nothing that may have tasks is left out."""
    dynamodb.delete_table(TableName=TABLE)
    make_table(dynamodb, "KEYS_ONLY")
    table = RequestsTable(dynamodb, invocation="x")
    table.store(record("unfinished"))
    assert [row.request_id for row in table.by_status("pending", with_tasks=True)] == ["unfinished"]


def test_other_errors_of_dynamodb_are_not_taken_for_lost_races(dynamodb: Any, table: RequestsTable) -> None:
    """A missing table is an error, not a request that somebody else has moved."""
    dynamodb.delete_table(TableName=TABLE)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        table.move(approval(record()))
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        table.store(record())


def test_a_request_that_is_gone_is_none(table: RequestsTable, dynamodb: Any) -> None:
    """Nothing stored under an id reads as None, also when the index still lists it."""
    assert table.get("r-1") is None
    dynamodb.put_item(TableName=TABLE, Item=to_attributes({"requestId": "r-1", "status": "pending"}))
    dynamodb.delete_item(TableName=TABLE, Key=to_attributes({"requestId": "r-1"}))
    assert table.get("r-1") is None
