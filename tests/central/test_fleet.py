"""Members and their heartbeats: the last one is kept, silence and problems are announced once, and so is their end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.requests.members import members, write_heartbeat
from central.chalicelib.requests.table import RequestsTable
from shared.domain.change import make_change
from shared.wire.heartbeat import Heartbeat, Problem
from shared.wire.messages import AdoptedMessage, HeartbeatMessage, MessageError
from tests.support.central_account import ACCOUNT, Central, make_request
from tests.support.slack_stand_in import MONITORING, Reply

MEMBER = f"member#{ACCOUNT}#eu-west-1"
TRAIL = Problem(kind="trail", text="CloudTrail is off in this region: no change is seen.")
LATE = Problem(kind="probe", text="The event of the last probe has not arrived.")


def heartbeat(*problems: Problem, ago: timedelta = timedelta(0), **values: Any) -> HeartbeatMessage:
    """Return the message of a member, sent so long ago."""
    defaults: dict[str, Any] = {
        "account": ACCOUNT,
        "account_name": "payments",
        "region": "eu-west-1",
        "sent_at": datetime.now(UTC) - ago,
        "version": "0.1.0",
        "mode": "enforce",
        "groups": 12,
        "problems": problems,
    }
    return HeartbeatMessage(heartbeat=Heartbeat(**(defaults | values)))


def notices(central: Central) -> list[str]:
    """Return the headlines in monitoring since the last call; the approval channel has none."""
    assert central.approval == []
    found = [post.text for post in central.monitoring]
    central.slack.forget()
    return found


def test_the_last_heartbeat_is_kept_and_changes_nothing_else(central: Central) -> None:
    """What is known of its adoption stays; nothing is posted."""
    at = datetime(2026, 10, 1, 12, tzinfo=UTC)
    central.deliver(
        AdoptedMessage(
            account=ACCOUNT, account_name="payments", region="eu-west-1", adopted_at=(("ingress", at),), groups=1
        )
    )
    central.slack.forget()
    central.deliver(heartbeat(groups=12))
    central.deliver(heartbeat(groups=13, adopted_at=(("ingress", at + timedelta(days=1)),)))
    central.deliver(heartbeat(groups=11, ago=timedelta(hours=1)))  # redriven later
    item = central.item(MEMBER)
    assert (item["status"], item["heartbeat"]["groups"]) == ("member", 13)
    assert item["adoptedAt"] == {"ingress": "2026-10-01T12:00:00.000Z"}
    assert item["requestedAt"] == item["heartbeat"]["sentAt"]
    assert notices(central) == []


def test_a_heartbeat_of_the_future_counts_as_of_now(central: Central) -> None:
    """A fast clock must not hide that the next heartbeats stop."""
    central.deliver(heartbeat(ago=-timedelta(days=9)))
    assert datetime.fromisoformat(central.item(MEMBER)["requestedAt"]) <= datetime.now(UTC)
    central.deliver(heartbeat(groups=13, ago=-timedelta(days=9)))
    assert central.item(MEMBER)["heartbeat"]["groups"] == 13


@pytest.mark.parametrize(("account", "region"), [("12345", "eu-west-1"), (ACCOUNT, "eu-west-1#x")])
def test_a_heartbeat_of_an_impossible_place_is_refused(central: Central, account: str, region: str) -> None:
    """It would end up in a key."""
    with pytest.raises(MessageError, match=r"message\.(account|region)"):
        central.deliver(heartbeat(account=account, region=region))
    assert central.item(f"member#{account}#{region}") == {}


@pytest.mark.parametrize("prefix", ["member#", "batch#", "fleet#"])
def test_no_request_takes_the_place_of_an_item_of_our_own(central: Central, prefix: str) -> None:
    """Request ids of AWS never begin like this."""
    with pytest.raises(MessageError, match=r"requestId"):
        central.file(make_request(f"{prefix}{ACCOUNT}#eu-west-1", change=make_change()))


def test_a_silent_member_is_announced_once_and_again_when_it_is_back(central: Central) -> None:
    """Three hours without a heartbeat."""
    central.deliver(heartbeat())
    central.sweep(minutes=179)
    assert notices(central) == []
    central.sweep(minutes=181)
    central.sweep(minutes=182)
    (text,) = notices(central)
    assert "Warning: member account is silent" in text
    assert f"Region eu-west-1 of account {ACCOUNT} (payments) has sent no heartbeat for 3 hours" in text
    assert central.item(MEMBER)["reported"] == ["silent"]
    central.deliver(heartbeat())
    central.sweep()
    central.sweep(minutes=2)
    (text,) = notices(central)
    assert "Member account recovered" in text
    assert "sends heartbeats again." in text


def test_a_problem_is_announced_once_each_and_its_end(central: Central) -> None:
    """However often it is reported."""
    for problems in ((TRAIL,), (TRAIL,), (TRAIL, LATE), (LATE,), ()):
        central.deliver(heartbeat(*problems))
        central.sweep()
    first, second, third, fourth = notices(central)
    assert "reports a problem" in first
    assert TRAIL.text in first
    assert LATE.text in second
    assert TRAIL.text not in second
    assert "no longer reports a problem with trail. It still reports: probe." in third
    assert "no longer reports a problem with probe." in fourth
    assert central.item(MEMBER)["reported"] == []


def test_a_silent_member_keeps_its_problems(central: Central) -> None:
    """Nobody knows whether they are over; they are not announced again when it is back with them."""
    central.deliver(heartbeat(TRAIL))
    central.sweep()
    central.sweep(hours=4)
    assert central.item(MEMBER)["reported"] == ["silent", "trail"]
    assert len(notices(central)) == 2
    central.deliver(heartbeat(TRAIL))
    central.sweep()
    (text,) = notices(central)
    assert "sends heartbeats again. It still reports: trail." in text


def test_a_notice_that_slack_does_not_take_is_posted_later_once(central: Central) -> None:
    """It is stored as every notice is."""
    central.deliver(heartbeat(TRAIL))
    central.slack.replies[MONITORING].extend([Reply(status=503)] * 20)
    central.sweep()
    central.slack.replies[MONITORING].clear()
    central.slack.forget()
    central.sweep(minutes=6)
    central.sweep(minutes=12)
    assert len(notices(central)) == 1


def test_a_damaged_member_does_not_hide_the_others(central: Central) -> None:
    """The sweep fails, and names it, after it has looked at all."""
    central.deliver(heartbeat())
    central.edit(MEMBER, heartbeat={"account": 5})
    central.deliver(heartbeat(TRAIL, region="us-east-1"))
    with pytest.raises(Exception, match=MEMBER):
        central.sweep()
    assert len(notices(central)) == 1


def test_a_member_without_heartbeats_is_never_silent(central: Central) -> None:
    """A version that sends none; central is upgraded first."""
    at = datetime.now(UTC)
    central.deliver(
        AdoptedMessage(
            account=ACCOUNT, account_name="payments", region="eu-west-1", adopted_at=(("ingress", at),), groups=1
        )
    )
    central.slack.forget()
    central.sweep(days=2)
    assert notices(central) == []


def test_silence_is_counted_for_the_alarm(central: Central, capsys: pytest.CaptureFixture[str]) -> None:
    """One count in each sweep that meets such a member."""
    central.deliver(heartbeat())
    central.sweep()
    assert "MembersUnwell" not in capsys.readouterr().out
    central.sweep(hours=4)
    central.sweep(hours=4)
    assert capsys.readouterr().out.count('"MembersUnwell":[1.0]') == 2


def test_an_index_without_all_attributes_will_do(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the index does not have is read from the table."""
    table = RequestsTable(dynamodb, invocation="i")
    write_heartbeat(table, heartbeat().heartbeat, at=datetime.now(UTC))
    by_status = RequestsTable.by_status

    def keys_only(self: RequestsTable, status: Any) -> Any:
        return (replace(row, item={"requestId": row.request_id}) for row in by_status(self, status))

    monkeypatch.setattr(RequestsTable, "by_status", keys_only)
    ((key, _),) = members(table)
    assert key == MEMBER
