"""The member account's table: every write conditional, losers told, and nothing hidden by one bad item."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, adopt, with_ids_seen, with_tags_seen
from member.chalicelib.state.items import Adoption, LedgerEntry, TooLargeError
from member.chalicelib.state.table import TABLE, Known, RaceLostError, StateTable
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.domain.rule import Rule, cidr, make_rule
from shared.wire.fields import FieldError
from tests.support.aws_clients import aws_client
from tests.support.faults import Faults

REGION = "eu-west-1"
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The table, and a client of it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = aws_client("dynamodb", REGION)
        made.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made


@pytest.fixture
def pauses() -> list[float]:
    """The pauses between tries; nobody waits for them."""
    return []


@pytest.fixture
def table(dynamodb: Any, pauses: list[float]) -> StateTable:  # noqa: ARG001 - has to be there first
    """The table as the app sees it."""
    return StateTable(REGION, pause=pauses.append, now=lambda: NOW)


def rule(port: int = 22, **values: Any) -> Rule:
    """A rule of one port."""
    parts = {"direction": "ingress", "protocol": "tcp", "from_port": port, "to_port": port, **values}
    return make_rule(source=cidr("10.0.0.0/8"), **parts)


def baseline(group_id: str = "sg-1", *rules: Rule) -> Baseline:
    """A baseline of inbound rules."""
    return adopt(Baseline(region=REGION, group_id=group_id, group_name="web"), "ingress", rules, NOW)


def entry(request_id: str = "r-1") -> LedgerEntry:
    """A reverted request."""
    request = Request(
        request_id=request_id,
        account="222222222222",
        account_name="shop",
        region=REGION,
        group_id="sg-1",
        group_name="web",
        requester=None,
        event_name="",
        event_time=NOW,
        change=make_change(added=[rule()]),
    )
    return LedgerEntry(request=request, outcome="reverted")


def test_a_ledger_entry_is_written_once(table: StateTable) -> None:
    """A second delivery gets the entry that is there, whatever has become of it."""
    assert table.entry("r-1") is None
    first = table.add_entry(entry())
    assert table.entry("r-1") == first
    moved = table.move_entry(first, "applying")
    assert table.add_entry(entry()) == moved


def test_who_moves_an_entry_second_is_told(table: StateTable) -> None:
    """Two deliveries that read the same entry: one moves it, the other gets nothing."""
    read = table.add_entry(entry())
    moved = table.move_entry(read, "applying")
    assert moved is not None
    assert (moved.outcome, moved.attempts) == ("applying", 1)
    assert table.move_entry(read, "applying") is None
    assert table.move_entry(read, "error") is None
    again = table.move_entry(moved, "applying")
    assert again is not None
    assert again.attempts == 2
    assert table.move_entry(moved, "applied") is None, "an attempt was begun in between"
    assert table.move_entry(again, "applied", note="") is not None


def test_an_entry_that_is_not_there_cannot_be_moved(table: StateTable) -> None:
    """Nothing is made by moving it."""
    assert table.move_entry(entry(), "applied") is None
    assert table.entry("r-1") is None


def test_a_baseline_is_kept_whole(table: StateTable) -> None:
    """Ids, tags, times and everything else come back as they were written."""
    known = baseline("sg-1", rule(tags=[("a", "b")], rule_id="sgr-1", description="x"))
    saved = table.save(with_tags_seen(known, RuleSet(known.rules)))
    assert saved is not None
    assert table.baseline("sg-1") == saved
    assert (saved.version, saved.adopted) == (1, (("ingress", NOW),))


def test_a_write_based_on_an_older_version_is_refused(table: StateTable) -> None:
    """Also the first one, when there is one already."""
    first = table.save(baseline())
    assert first is not None
    assert table.save(baseline()) is None
    second = table.save(replace(first, group_name="other"))
    assert second is not None
    assert table.save(first) is None
    read = table.baseline("sg-1")
    assert read is not None
    assert (read.version, read.group_name) == (2, "other")


def test_an_update_starts_again_when_somebody_was_faster(table: StateTable) -> None:
    """What both wrote is there in the end; knowing the baseline saves reading it, and nothing else."""
    known = table.save(baseline())
    assert known is not None
    faster = replace(known, group_name="faster")

    def change(read: Baseline | None) -> Baseline | None:
        if read is not None and read.group_name == "web":
            table.save(faster)
        return read and adopt(read, "egress", [rule(direction="egress")], NOW)

    saved = table.update("sg-1", change, known=known)
    assert saved is not None
    assert (saved.group_name, list(saved.rules), saved.version) == ("faster", [rule(direction="egress")], 3)


def test_an_update_that_changes_nothing_writes_nothing(table: StateTable) -> None:
    """Ids and tags count as changes, although rules are equal without them."""
    table.save(baseline("sg-1", rule(rule_id="sgr-1")))
    faults = Faults()
    with faults.watching():
        table.update("sg-1", lambda read: read)
        table.update("sg-1", lambda _: None)
        assert faults.operations == ["GetItem", "GetItem"]
        table.update("sg-1", lambda read: read and with_ids_seen(read, RuleSet([rule(rule_id="sgr-2")])))
        table.update("sg-1", lambda read: read and with_tags_seen(read, RuleSet([rule(tags=[("a", "b")])])))
    assert faults.operations.count("PutItem") == 2


def test_an_update_gives_up_when_others_always_win(
    table: StateTable, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After pauses with jitter; the trigger is then delivered again and finds a quieter moment."""
    monkeypatch.setattr("member.chalicelib.state.table.UPDATE_SECONDS", 1.0)
    table.save(baseline())

    def change(read: Baseline | None) -> Baseline | None:
        assert read is not None
        table.save(replace(read, group_name=f"{read.version}"))
        return replace(read, group_name="mine")

    with pytest.raises(RaceLostError, match="by others for 1 seconds"):
        table.update("sg-1", change)
    assert 0 < sum(pauses) <= 1


def test_many_baselines_are_read_by_the_hundred(table: StateTable) -> None:
    """Groups without one are left out, and what DynamoDB leaves for later is asked for again."""
    table.save_new(baseline(f"sg-{number}") for number in range(150))
    faults = Faults()
    with faults.watching():
        found = table.baselines([f"sg-{number}" for number in range(205)])
    assert len(found) == 150
    assert faults.operations == ["BatchGetItem"] * 3


def busy(table: StateTable, monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Let the table leave everything for later so many times."""
    read, asked = table._client.batch_get_item, itertools.count()

    def answer(**wanted: Any) -> Any:
        if next(asked) < times:
            return {"Responses": {}, "UnprocessedKeys": wanted["RequestItems"]}
        return read(**wanted)

    monkeypatch.setattr(table._client, "batch_get_item", answer)


def test_a_throttled_table_is_asked_again_after_a_pause(
    table: StateTable, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it only had no room for in one answer is asked for at once."""
    table.save_new([baseline("sg-1")])
    busy(table, monkeypatch, 6)
    assert table.baselines(["sg-1"]).keys() == {"sg-1"}
    assert len(pauses) == 6


def test_a_table_that_stays_throttled_is_an_error(table: StateTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trigger is delivered again."""
    busy(table, monkeypatch, float("inf"))
    with pytest.raises(RaceLostError, match="answered nothing 8 times in a row"):
        table.baselines(["sg-1"])


def test_what_an_event_needs_is_read_in_one_call(table: StateTable) -> None:
    """The ledger entry, the region's adoption, the baseline; without a group only the first two."""
    adoption = Adoption(region=REGION, adopted=(("ingress", NOW),))
    table.save_adoption(adoption)
    read = Known(entry=table.add_entry(entry()), adoption=adoption, baseline=table.save(baseline()))
    faults = Faults()
    with faults.watching():
        assert table.read("r-1", "sg-1") == read
        assert table.read("r-1", "") == replace(read, baseline=None)
    assert faults.operations == ["BatchGetItem"] * 2
    assert table.read("r-2", "sg-2") == Known(adoption=adoption)
    assert table.adoption() == adoption


def test_what_cannot_be_read_is_named_and_hides_nothing(table: StateTable, dynamodb: Any) -> None:
    """No damage and no throttling may prevent a revert."""
    table.save_adoption(Adoption(region=REGION))
    table.add_entry(entry())
    dynamodb.put_item(TableName=TABLE, Item={"id": {"S": f"group#{REGION}#sg-1"}})
    read = table.read("r-1", "sg-1")
    assert (read.entry, read.adoption, read.baseline) == (entry(), Adoption(region=REGION), None)
    (damaged,) = read.damaged
    assert damaged.startswith(f"group#{REGION}#sg-1")
    with Faults(kind="throttled", at=1).watching():
        unread = table.read("r-1", "sg-1")
    assert (unread.entry, isinstance(unread.unread, ClientError)) == (None, True)


def test_an_unreadable_baseline_stands_in_its_place_as_an_error(table: StateTable, dynamodb: Any) -> None:
    """It hides none of the others, and names its item and attribute."""
    table.save_new([baseline("sg-1"), baseline("sg-2")])
    item = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": f"group#{REGION}#sg-1"}})["Item"]
    dynamodb.put_item(TableName=TABLE, Item={**item, "body": {"S": "text"}})
    found = table.baselines(["sg-1", "sg-2"])
    assert isinstance(found["sg-1"], FieldError)
    assert f"group#{REGION}#sg-1.body" in str(found["sg-1"])
    assert isinstance(found["sg-2"], Baseline)
    with pytest.raises(FieldError):
        table.baseline("sg-1")


def test_first_baselines_leave_what_is_there(table: StateTable) -> None:
    """One group that has a baseline by now, or whose rules do not fit, does not keep the others from being stored."""
    kept = table.save(baseline("sg-3", rule(80)))
    chance = random.Random(6)  # noqa: S311 - the same test data each time
    large = baseline("sg-30", *(rule(port, description=chance.randbytes(120).hex()) for port in range(4000)))
    failed = table.save_new([*(baseline(f"sg-{number}", rule()) for number in range(30)), large])
    assert {group_id: type(error) for group_id, error in failed.items()} == {
        "sg-3": RaceLostError,
        "sg-30": TooLargeError,
    }
    found = table.baselines([f"sg-{number}" for number in range(31)])
    assert len(found) == 30
    assert found["sg-3"] == kept
    assert {one.version for one in found.values() if isinstance(one, Baseline)} == {1}


def test_forgetting_is_final_and_may_be_repeated(table: StateTable) -> None:
    """A deleted group's event may come twice."""
    table.save(baseline())
    table.forget("sg-1")
    table.forget("sg-1")
    assert table.baseline("sg-1") is None


CALLS: dict[str, Callable[[StateTable, LedgerEntry], object]] = {
    "add": lambda table, _: table.add_entry(entry("r-2")),
    "move": lambda table, read: table.move_entry(read, "applying"),
    "save": lambda table, _: table.save(baseline()),
}


@pytest.mark.parametrize("name", CALLS)
def test_refusals_other_than_lost_races_are_raised(table: StateTable, name: str) -> None:
    """A throttled table is not somebody who was faster."""
    read = table.add_entry(entry())
    with Faults(kind="throttled", at=1).watching(), pytest.raises(ClientError, match="ProvisionedThroughput"):
        CALLS[name](table, read)


def test_an_entry_that_vanished_while_it_was_in_the_way_is_an_error(table: StateTable, dynamodb: Any) -> None:
    """It was there a moment ago; whoever deleted it, the trigger comes again."""
    table.add_entry(entry())
    faults = Faults()
    original = faults._break

    def vanish(client: Any, operation: str, run: Any) -> Any:
        if operation == "GetItem":
            dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": "request#r-1"}})
        return original(client, operation, run)

    faults._break = vanish  # type: ignore[method-assign]  # one thing happens in between
    with faults.watching(), pytest.raises(ClientError, match="ConditionalCheckFailed"):
        table.add_entry(entry())
