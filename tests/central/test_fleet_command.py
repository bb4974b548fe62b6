"""``make fleet``: every member with version, policy, mode, age, probe and problems, in a terminal or as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.requests.members import Member, write_heartbeat
from central.chalicelib.requests.table import TABLE, RequestsTable
from central.fleet.__main__ import main
from central.fleet.writing import age_text, table_lines
from shared.wire.heartbeat import Heartbeat, Problem
from tests.support.central_account import REGION

NOW = datetime.now(UTC)


def heartbeat(account: str = "111111111111", *problems: Problem, **values: Any) -> Heartbeat:
    """Return a heartbeat of a minute ago."""
    defaults: dict[str, Any] = {
        "account": account,
        "account_name": "payments",
        "region": "eu-west-1",
        "sent_at": datetime.now(UTC) - timedelta(seconds=90),
        "version": "0.1.0",
        "policy_digest": "0123456789abcdef",
        "mode": "enforce",
        "probe": "arrived",
        "probe_ms": 7400,
        "problems": problems,
    }
    return Heartbeat(**(defaults | values))


@pytest.fixture
def fleet(dynamodb: Any) -> RequestsTable:
    """Three members: well, with a problem, and silent."""
    table = RequestsTable(dynamodb, invocation="i")
    some = (
        heartbeat(),
        heartbeat("222222222222", Problem(kind="trail", text="CloudTrail is off."), account_name="shop"),
        heartbeat(
            "333333333333",
            sent_at=datetime.now(UTC) - timedelta(days=3),
            account_name="",
            probe="missing",
            probe_ms=None,
        ),
    )
    for one in some:
        assert write_heartbeat(table, one, at=datetime.now(UTC))
    return table


def test_members_with_problems_come_first(fleet: RequestsTable, capsys: pytest.CaptureFixture[str]) -> None:
    """Each on a line."""
    del fleet
    assert main(["--region", REGION]) == 0
    header, first, second, third, summary = capsys.readouterr().out.splitlines()
    assert header.split() == ["account", "region", "version", "policy", "mode", "age", "probe", "problems"]
    expected = ["222222222222", "shop", "eu-west-1", "0.1.0", "01234567", "enforce", "1", "min", "7", "s", "trail"]
    assert first.split() == expected
    assert second.split() == ["333333333333", *expected[2:6], "3", "d", "missing", "silent"]
    assert third.endswith("none")
    assert summary == "3 members, 2 of them silent or with problems."


def test_programs_get_everything(fleet: RequestsTable, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, and nothing else."""
    del fleet
    assert main(["--region", REGION, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["isSilent"] for one in found] == [False, True, False]
    assert found[0]["problems"] == [{"kind": "trail", "text": "CloudTrail is off."}]
    assert found[2]["probeMilliseconds"] == 7400
    assert found[1]["ageSeconds"] >= 3 * 86400


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_line_fits_the_terminal(width: int) -> None:
    """With long names too; nothing a member writes hides or moves anything."""
    long = heartbeat("1" * 12, *(Problem(kind="k" * 60, text="t") for _ in range(3)), account_name="n\u202e" * 60)
    lines = list(table_lines([Member(heartbeat=heartbeat()), Member(heartbeat=long)], NOW, width=width))
    assert max(map(len, lines)) <= width
    assert "\u202e" not in "".join(lines)
    assert all("eu-west-1" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_ages_are_short(age: timedelta, text: str) -> None:
    """The unit people would use."""
    assert age_text(age) == text


def test_an_empty_fleet_says_so(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """And when that changes."""
    del dynamodb
    assert main(["--region", REGION]) == 0
    assert "No member has sent a heartbeat yet" in capsys.readouterr().out


def test_another_account_is_named_as_such(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of AWS's own "Requested resource not found"."""
    dynamodb.delete_table(TableName=TABLE)
    assert main(["--region", REGION]) == 1
    assert "is this the central account, and its region? (make fleet PROFILE=… REGION=…)" in capsys.readouterr().err


def test_a_damaged_member_is_named(fleet: RequestsTable, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are listed."""
    fleet.client.update_item(
        TableName=TABLE,
        Key={"requestId": {"S": "member#111111111111#eu-west-1"}},
        UpdateExpression="SET heartbeat.#m = :n",
        ExpressionAttributeNames={"#m": "mode"},
        ExpressionAttributeValues={":n": {"N": "5"}},
    )
    assert main(["--region", REGION]) == 1
    out, err = capsys.readouterr()
    assert "2 members" in out
    assert "member#111111111111#eu-west-1 cannot be read: member#111111111111#eu-west-1.heartbeat.mode" in err


def test_without_a_region_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to name one."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SystemExit):
        main([])
    assert "say --region" in capsys.readouterr().err
