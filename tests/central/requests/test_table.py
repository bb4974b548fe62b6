"""The table of requests: one conditional write per move, claims that keep two from paying the same debt, no scans."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from central.chalicelib.requests.moves import CLAIMED_FOR, Move, Moved, NotMoved
from central.chalicelib.requests.table import TABLE, DifferentRequestError, RequestsTable
from shared.aws import update_expression
from shared.aws.attributes import to_attributes
from shared.aws.update_expression import one_at_a_time
from shared.domain.change import make_change
from shared.domain.record import Debt, Entry, Record
from shared.domain.request import FIRST_STATUSES, MOVES, Status
from tests.support.central_account import REGION, make_request, make_table

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


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
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """DynamoDB with the table."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        make_table(client)
        yield client


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


def record(request_id: str = "r-1", *, owed: tuple[Debt, ...] = ("question",), **values: Any) -> Record:
    """Return a new record."""
    request = make_request(request_id, event_time=values.get("requested_at", NOON))
    status: Status = values.get("status", "pending")
    defaults: dict[str, Any] = {
        "status": status,
        "requested_at": NOON,
        "owed": tuple((debt, NOON) for debt in owed),
        "history": (Entry(at=NOON, status=status, previous="", by=request.account),),
    }
    return Record(request=replace(request, status=status), **(defaults | values))


def approval(stored: Record, **values: Any) -> Move:
    """Return the move that approves a record."""
    defaults: dict[str, Any] = {
        "request_id": stored.request.request_id,
        "previous": "pending",
        "to": "approved",
        "digest": stored.request.digest,
        "at": LATER,
        "by": "U1",
        "owes": ("dispatch",),
        "values": {"decidedBy": "U1"},
    }
    return Move(**(defaults | values))


def test_conditional_writes_of_one_process_take_turns(dynamodb: Any, table: RequestsTable) -> None:
    """Where moto stands in for DynamoDB, another write could come between condition and effect, and both would win."""
    free: list[bool] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda **_: free.append(others_may_write()))
    stored = table.store(record()).record
    table.store(record())
    table.move(approval(stored))
    table.get("r-1")
    assert free == [False, False, False, True]  # two puts, an update, and a read that waits for nobody
    assert others_may_write()


def others_may_write() -> bool:
    """True when it is nobody's turn; asked by another thread, since one's own turn is no obstacle to oneself."""
    with ThreadPoolExecutor(1) as pool:
        is_free = pool.submit(update_expression._TURN.acquire, blocking=False).result()
        if is_free:
            pool.submit(update_expression._TURN.release).result()
    return is_free


# -- storing -----------------------------------------------------------------------------------------------------------


def test_a_new_request_is_one_write_and_claimed_by_whoever_stored_it(
    table: RequestsTable, other: RequestsTable, calls: Calls
) -> None:
    """Storing makes one call; its debts belong to this invocation for a while and to nobody else."""
    claim = table.store(record(owed=("question", "question_monitoring")))
    assert calls.take() == ["PutItem"]
    assert (claim.is_new, claim.debts) == (True, {"question", "question_monitoring"})
    again = other.claim("r-1", ("question",), now=NOON)
    assert again is not None
    assert again.debts == frozenset()


def test_the_same_request_again_changes_nothing(table: RequestsTable, other: RequestsTable) -> None:
    """A duplicate delivery finds the request, and its debts in somebody else's hands."""
    table.store(record())
    claim = other.store(record())
    assert (claim.is_new, claim.debts) == (False, frozenset())
    assert claim.record.request == record().request
    assert len(claim.record.history) == 1


def test_the_same_request_again_takes_over_what_nobody_pays_any_more(
    table: RequestsTable, other: RequestsTable
) -> None:
    """A redelivery after the claim has ended goes on with what is still owed, and with that only."""
    first = table.store(record(owed=("question", "question_monitoring")))
    table.settle(first.record, "question")
    after = NOON + CLAIMED_FOR
    late = replace(record(), history=(replace(record().history[0], at=after),))
    assert other.store(late).debts == frozenset()
    late = replace(late, owed=(("question", after), ("question_monitoring", after)))
    assert other.store(late).debts == {"question_monitoring"}


def test_lambdas_own_retry_goes_on_where_it_died(table: RequestsTable) -> None:
    """A retry has the same invocation id and keeps the claims of the try before it."""
    first = table.store(record(owed=("question", "question_monitoring")))
    table.settle(first.record, "question")
    assert table.store(record(owed=("question", "question_monitoring"))).debts == {"question_monitoring"}


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
    """Status, who, history and debts change together, and the answer has all of it."""
    table.store(record(owed=("question", "question_monitoring")))
    calls.take()
    moved = table.move(approval(record()))
    assert calls.take() == ["UpdateItem"]
    assert isinstance(moved, Moved)
    assert moved.record.status == "approved"
    assert moved.record.decided_by == "U1"
    assert moved.record.owed == (("dispatch", LATER),)
    assert moved.record.claimed == ()
    assert [(one.previous, one.status, one.by) for one in moved.record.history] == [
        ("", "pending", "123456789012"),
        ("pending", "approved", "U1"),
    ]


def test_the_loser_is_told_who_won_by_the_same_write(table: RequestsTable, other: RequestsTable, calls: Calls) -> None:
    """The refused write brings the record along; nobody reads again."""
    table.store(record())
    table.move(approval(record()))
    calls.take()
    lost = other.move(approval(record(), to="denied", by="U2", owes=("result",), values={"decidedBy": "U2"}))
    assert calls.take() == ["UpdateItem"]
    assert isinstance(lost, NotMoved)
    assert lost.record is not None
    assert (lost.record.status, lost.record.decided_by) == ("approved", "U1")
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
def test_no_order_of_wishes_leads_off_the_ways_of_the_status_machine(
    dynamodb: Any, first: Status, wishes: list[Status]
) -> None:
    """Whatever is tried in whatever order, the history is a path of MOVES and ends in the status."""
    request_id = f"{first}-{'-'.join(wishes)}"
    table = RequestsTable(dynamodb, invocation="x")
    table.store(record(request_id, status=first))
    for number, wish in enumerate(wishes):
        invocation = RequestsTable(dynamodb, invocation=f"{request_id}-{number}")
        for previous in (status for status, targets in MOVES.items() if wish in targets):
            invocation.move(approval(record(request_id, status=first), previous=previous, to=wish, owes=()))
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


# -- debts -------------------------------------------------------------------------------------------------------------


def test_a_debt_is_claimed_by_one_of_two(table: RequestsTable, other: RequestsTable, calls: Calls) -> None:
    """The first claim gets the debt in one write; the second learns that somebody is at work."""
    stored = table.store(record(owed=("question", "question_monitoring"))).record
    table.release(stored, "question")
    table.release(stored, "question_monitoring")
    calls.take()
    first = table.claim("r-1", ("question", "question_monitoring"), now=NOON)
    assert calls.take() == ["UpdateItem"]
    second = other.claim("r-1", ("question", "question_monitoring"), now=NOON)
    assert first is not None
    assert second is not None
    assert first.debts == {"question", "question_monitoring"}
    assert second.debts == frozenset()


def test_a_claim_takes_what_is_left(table: RequestsTable, other: RequestsTable) -> None:
    """Of several debts, those that are owed and free are claimed."""
    stored = table.store(record(owed=("question", "question_monitoring"))).record
    table.release(stored, "question_monitoring")
    claim = other.claim("r-1", ("question", "question_monitoring", "result"), now=NOON)
    assert claim is not None
    assert claim.debts == {"question_monitoring"}


def test_a_claim_ends_by_itself(table: RequestsTable, other: RequestsTable) -> None:
    """What a dead invocation had claimed can be claimed again afterwards."""
    table.store(record())
    before = other.claim("r-1", ("question",), now=NOON + CLAIMED_FOR - timedelta(seconds=1))
    after = other.claim("r-1", ("question",), now=NOON + CLAIMED_FOR)
    assert before is not None
    assert after is not None
    assert (before.debts, after.debts) == (frozenset(), {"question"})


def test_a_claim_on_nothing_or_on_another_digest_takes_nothing(table: RequestsTable, other: RequestsTable) -> None:
    """An unknown request and a wrong digest lead to no claim."""
    stored = table.store(record()).record
    table.release(stored, "question")
    assert other.claim("r-2", ("question",), now=NOON) is None
    claim = other.claim("r-1", ("question",), now=NOON, digest="ab" * 32)
    assert claim is not None
    assert claim.debts == frozenset()
    stored_after = table.get("r-1")
    assert stored_after is not None
    assert stored_after.claimed == ()


def test_a_settled_debt_is_gone_with_its_claim(table: RequestsTable) -> None:
    """Settling removes debt and claim, and writes what comes with it."""
    stored = table.store(record(response_url="https://hooks.slack.com/x")).record
    assert table.settle(stored, "question", values={"responseUrl": "", "remindedAt": "2026-10-01T12:00:00.000Z"})
    after = table.get("r-1")
    assert after is not None
    assert (after.owed, after.claimed, after.response_url, after.reminded_at) == ((), (), "", NOON)


def test_a_debt_that_began_anew_is_not_settled_by_the_old_payment(table: RequestsTable, other: RequestsTable) -> None:
    """Whoever still posts the result of an error must not settle the result of the success after it."""
    table.store(record())
    table.move(approval(record()))
    failed = table.move(approval(record(), previous="approved", to="error", owes=("result",), pays_itself=True))
    assert isinstance(failed, Moved)
    at = LATER + timedelta(seconds=1)
    other.move(approval(record(), previous="error", to="applied", owes=("result",), pays_itself=True, at=at))
    assert not table.settle(failed.record, "result")
    after = table.get("r-1")
    assert after is not None
    assert after.owed == (("result", at),)
    assert after.claimed


def test_a_debt_given_back_may_have_to_wait(table: RequestsTable, other: RequestsTable) -> None:
    """A debt can be released for later, with a line in the history; only by whoever has claimed it."""
    stored = table.store(record()).record
    other.release(stored, "question")
    line = Entry(at=LATER, status="pending", previous="pending", by="sweep", note="tried")
    table.release(stored, "question", until=NOON + timedelta(hours=1), entry=line)
    after = table.get("r-1")
    assert after is not None
    assert after.history[-1] == line
    assert after.due(NOON + timedelta(minutes=59)) == ()
    assert after.due(NOON + timedelta(hours=1)) == ("question",)


def test_a_reminder_is_owed_once(table: RequestsTable, other: RequestsTable) -> None:
    """A pending request whose question is paid is asked once more; a second reminder is refused."""
    stored = table.store(record()).record
    line = Entry(at=LATER, status="pending", previous="pending", by="sweep", note="asked again")
    assert table.remind(stored, line).debts == frozenset(), "the question itself is still owed"
    table.settle(stored, "question")
    assert table.remind(stored, line).debts == {"question"}
    assert other.remind(stored, line).debts == frozenset()


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


def test_requests_that_owe_nothing_can_be_left_out(table: RequestsTable) -> None:
    """Where the index has the debts, requests without any are not even sent."""
    table.store(record("owing"))
    table.settle(table.store(record("paid")).record, "question")
    assert [row.request_id for row in table.by_status("pending", owing=True)] == ["owing"]


def test_an_index_that_does_not_know_the_debts_lists_everything(dynamodb: Any) -> None:
    """With keys alone in the index nothing that may owe something is left out."""
    dynamodb.delete_table(TableName=TABLE)
    make_table(dynamodb, "KEYS_ONLY")
    table = RequestsTable(dynamodb, invocation="x")
    table.store(record("owing"))
    assert [row.request_id for row in table.by_status("pending", owing=True)] == ["owing"]


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


def test_a_write_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes take turns, also within one another; but nobody waits for ever for somebody else's."""
    monkeypatch.setattr("shared.aws.update_expression._PATIENCE_SECONDS", 0.01)
    written, done = [], threading.Event()

    def hang() -> None:
        with one_at_a_time():
            done.wait(10)

    hanging = threading.Thread(target=hang)
    with one_at_a_time(), one_at_a_time():
        written.append("within")
    hanging.start()
    with one_at_a_time():
        written.append("beside")
    done.set()
    hanging.join()
    assert written == ["within", "beside"]
