"""What is in force for a time, or without an approval: stored, announced, and ended by the member's word alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.outcome import MessageRefusedError
from shared.domain.request import Request
from shared.wire.messages import EndedMessage
from shared.wire.rule_json import time_to_text
from tests.central.test_approvals import Policy, applied, buttons, decide
from tests.central.test_outcome import ERROR_TOPIC, failed
from tests.support.central_account import ACCOUNT, Central, make_request
from tests.support.slack_stand_in import APPROVAL, MONITORING, Reply


def ended(request: Request, **values: Any) -> EndedMessage:
    """Return the member's report that the time of a change is over."""
    report = EndedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        ended_at=datetime.now(UTC),
    )
    return replace(report, **values)


@pytest.fixture
def timed(central: Central, policy: Policy) -> Request:
    """A change that was approved for eight hours and is in force."""
    policy("offer_hours = [8]")
    request = central.file()
    decide(central, request, 8)
    central.deliver(applied(request))
    central.slack.forget()
    return request


def test_an_end_is_stored_and_announced_in_both_channels(central: Central, timed: Request) -> None:
    """As messages of their own: nobody reads the thread of a question of yesterday."""
    central.deliver(ended(timed, reason="An approved change had removed it."))
    item = central.item()
    assert (item["status"], item["tasks"], item["decidedBy"]) == ("ended", {}, "U0GRACE")
    assert (item["history"][-1]["by"], item["history"][-1]["note"]) == (ACCOUNT, "An approved change had removed it.")
    for (post,) in (central.approval, central.monitoring):
        assert "*Ended.* The change was approved for a time until <!date^" in post.text
        assert "thread_ts" not in post.payload
        assert buttons(post) == []
    assert central.responses == []


def test_an_end_delivered_again_is_told_once(central: Central, timed: Request) -> None:
    """The redelivery finds it done."""
    for _ in range(3):
        central.deliver(ended(timed))
    assert (len(central.approval), len(central.monitoring)) == (1, 1)
    assert [entry["status"] for entry in central.item()["history"]] == ["pending", "approved", "applied", "ended"]


@pytest.mark.parametrize(
    "values",
    [{"digest": "ab" * 32}, {"account": "999999999999"}, {"region": "us-east-1"}, {"request_id": "another"}],
)
def test_an_end_that_does_not_fit_the_stored_request_changes_nothing(
    central: Central, timed: Request, values: dict[str, Any]
) -> None:
    """Only the account and region of the request say that it has ended, and only of what is stored."""
    before = central.item()
    with pytest.raises(MessageRefusedError):
        central.deliver(ended(timed, **values))
    assert central.item() == before
    assert central.slack.posts == []


@pytest.mark.parametrize("action", ["", "deny"])
def test_nothing_ends_that_nobody_approved(central: Central, action: str) -> None:
    """A pending request stays pending, a denied one denied."""
    request = central.file()
    if action:
        central.click(request, action)
    before = central.item()
    with pytest.raises(MessageRefusedError):
        central.deliver(ended(request))
    assert central.item() == before


def test_an_end_that_overtakes_the_report_of_success_says_both(central: Central, policy: Policy) -> None:
    """The report waits in a dead-letter queue; when it is redriven it changes nothing and is no error."""
    policy("offer_hours = [8]")
    request = central.file()
    decide(central, request, 8)
    central.deliver(ended(request))
    before = central.item()
    assert [entry["status"] for entry in before["history"]] == ["pending", "approved", "applied", "ended"]
    central.deliver(applied(request))
    central.deliver(failed(request), to=ERROR_TOPIC)
    assert central.item() == before


def test_an_end_after_an_error_that_a_redriven_message_repaired(central: Central, policy: Policy) -> None:
    """The member applied it after all; its end says so where the report is late."""
    policy("offer_hours = [8]")
    request = central.file()
    decide(central, request, 8)
    central.deliver(failed(request), to=ERROR_TOPIC)
    central.deliver(ended(request))
    assert central.status() == "ended"


def test_an_end_that_slack_does_not_take_is_told_by_the_sweep(central: Central, timed: Request, policy: Policy) -> None:
    """However long ago it was requested: it was in force for weeks."""
    policy("offer_hours = [480]")
    central.dynamodb.update_item(
        TableName="securityGroupRequests",
        Key={"requestId": {"S": timed.request_id}},
        UpdateExpression="SET requestedAt = :then",
        ExpressionAttributeValues={":then": {"S": time_to_text(datetime.now(UTC) - timedelta(days=20))}},
    )
    for path in (APPROVAL, MONITORING):
        central.slack.always[path] = Reply(status=503)
    central.deliver(ended(timed))
    central.slack.always.clear()
    central.slack.forget()
    central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (1, 1)
    assert central.item()["tasks"] == {}


def test_a_click_after_the_end_is_told_and_takes_the_buttons_away(central: Central, timed: Request) -> None:
    """A reminder that still has its buttons."""
    central.deliver(ended(timed))
    central.slack.forget()
    decide(central, timed, by="U0LATE")
    assert "Ended. The change was approved for a time" in central.responses[0].text
    assert buttons(central.responses[1]) == []


def test_what_the_policy_allows_without_approval_is_only_announced(central: Central) -> None:
    """Stored as decided by policy; approvers are not asked, monitoring hears of it once."""
    request = central.file(make_request(status="applied"))
    central.file(request)
    item = central.item()
    assert (item["status"], item["decidedBy"], item["history"][0]["by"]) == ("applied", "policy", "policy")
    assert (item["tasks"], central.approval) == ({}, [])
    (post,) = central.monitoring
    assert "allowed by policy" in post.text
    assert "*Added 1 inbound rule*" in post.text
    assert buttons(post) == []
    central.click(request, "deny")
    assert central.status() == "applied"


def test_break_glass_ends_and_is_asked_afterwards(central: Central) -> None:
    """The end is announced in both channels; the question that follows is a request like any other."""
    request = central.file(make_request(status="applied"))
    central.slack.forget()
    central.deliver(ended(request))
    assert central.status() == "ended"
    for (post,) in (central.approval, central.monitoring):
        assert "The change was allowed by policy for a time" in post.text
    question = central.file(make_request(f"{request.request_id}-ended", origin="ended", reason="Its time is over."))
    assert "Its time is over, so it is *reverted* until somebody approves it" in central.approval[-1].text
    decide(central, question)
    assert central.status(question.request_id) == "approved"


@pytest.mark.parametrize("suffix", ["", "-ended", "-2-ended", "-sg-0123456789abcdef0-ended"])
def test_no_genuine_id_is_refused(central: Central, suffix: str) -> None:
    """Of a call, of a part of it, of a call on one of several groups."""
    request = central.file(make_request(f"59dbff89-35bd-4eac-99ed-be587ed825a1{suffix}", origin="ended"))
    assert central.status(request.request_id) == "pending"
