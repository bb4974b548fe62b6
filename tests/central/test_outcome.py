"""What became of a decision: taken in from the right account only, and told in both channels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.outcome import MessageRefusedError
from shared.domain.request import Request
from shared.wire.messages import AppliedMessage, DenyMessage, ErrorMessage
from shared.wire.rule_json import time_to_text
from tests.support.central_account import ACCOUNT, REGION, Central, aged, fail_once, make_request
from tests.support.slack_stand_in import APPROVAL, MONITORING, RESPONSE, Reply

ERROR_TOPIC = "errorHandlerSecurityGroupChange"


def applied(request: Request, **values: Any) -> AppliedMessage:
    """Return the member's report that a change is in force."""
    report = AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        applied_at=datetime.now(UTC),
    )
    return replace(report, **values)


def failed(request: Request, **values: Any) -> ErrorMessage:
    """Return the member's report that a change could not be applied."""
    report = ErrorMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        code="InvalidPermission.Duplicate",
        reason="The rule is in the group already.",
        failed_at=datetime.now(UTC),
    )
    return replace(report, **values)


@pytest.fixture
def approved(central: Central) -> Iterator[Request]:
    """A request that was approved a moment ago."""
    request = central.file()
    central.click(request)
    central.slack.forget()
    return request


def test_an_applied_change_replaces_the_question_and_is_told_in_monitoring(central: Central, approved: Request) -> None:
    """The clicked message shows that the rules are in force; monitoring gets its own message; nothing is pending."""
    central.deliver(applied(approved))
    item = central.item()
    assert (item["status"], item["tasks"], item["leases"]) == ("applied", {}, {})
    assert [entry["status"] for entry in item["history"]] == ["pending", "approved", "applied"]
    assert item["history"][-1]["by"] == ACCOUNT
    (shown,) = central.responses
    assert shown.payload["replace_original"] is True
    assert "in force" in shown.text
    assert [("in force" in post.text) for post in central.monitoring] == [True]
    assert central.approval == []


def test_an_error_is_tagged_with_its_code_and_both_channels_see_it(central: Central, approved: Request) -> None:
    """Code and sentence are stored and shown."""
    central.deliver(failed(approved), to=ERROR_TOPIC)
    item = central.item()
    assert (item["status"], item["errorCode"]) == ("error", "InvalidPermission.Duplicate")
    assert item["history"][-1]["note"] == "InvalidPermission.Duplicate"
    for post in (*central.responses, *central.monitoring):
        assert "InvalidPermission.Duplicate: The rule is in the group already." in post.text
    assert (len(central.responses), len(central.monitoring)) == (1, 1)


def test_a_redriven_message_turns_an_error_into_success(central: Central, approved: Request) -> None:
    """What failed first and was applied later is applied, with its whole story in the history."""
    central.deliver(failed(approved), to=ERROR_TOPIC)
    central.deliver(applied(approved))
    item = central.item()
    assert [entry["status"] for entry in item["history"]] == ["pending", "approved", "error", "applied"]
    assert item["tasks"] == {}
    assert "in force" in central.monitoring[-1].text


def test_an_outcome_costs_one_write_and_one_per_message(central: Central, approved: Request, calls: list[str]) -> None:
    """The move gives back what is to be told; completing the two tasks is the rest."""
    calls.clear()
    central.deliver(applied(approved))
    assert calls == ["dynamodb.UpdateItem"] * 3


def test_a_duplicate_outcome_is_told_once(central: Central, approved: Request) -> None:
    """The same report again, of either kind, changes and posts nothing."""
    for message, topic in ((failed(approved), ERROR_TOPIC), (applied(approved), "securityGroupChange")):
        central.deliver(message, to=topic)
        before, posts = central.item(), len(central.slack.posts)
        central.deliver(message, to=topic)
        assert central.item() == before
        assert len(central.slack.posts) == posts


def test_a_late_error_does_not_undo_a_success(central: Central, approved: Request, logs: io.StringIO) -> None:
    """Messages come in any order: an error of an earlier try after the success is only logged."""
    central.deliver(applied(approved))
    before = central.item()
    central.slack.forget()
    central.deliver(failed(approved), to=ERROR_TOPIC)
    assert central.item() == before
    assert central.slack.posts == []
    assert "late message ignored" in logs.getvalue()


# -- forged ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lie", [{"account": "999999999999"}, {"region": "us-east-2"}, {"digest": "ab" * 32}, {"request_id": "unknown"}]
)
@pytest.mark.parametrize("kind", ["applied", "failed"])
def test_a_report_that_does_not_fit_the_stored_request_changes_nothing(
    central: Central, approved: Request, kind: str, lie: dict[str, str], logs: io.StringIO
) -> None:
    """A member account that pretends to be another, or speaks of other rules, is refused, logged and raised."""
    before = central.item()
    message = applied(approved, **lie) if kind == "applied" else failed(approved, **lie)
    with pytest.raises(MessageRefusedError, match="nothing was changed"):
        central.deliver(message, to="securityGroupChange" if kind == "applied" else ERROR_TOPIC)
    assert central.item() == before
    assert central.slack.posts == []
    assert "message refused" in logs.getvalue()


@pytest.mark.parametrize("end", ["pending", "denied", "expired", "unreverted", "observed"])
def test_nothing_is_applied_that_nobody_approved(central: Central, end: str) -> None:
    """A report on a request that is not approved is refused, whatever else it is."""
    hours = {"expired": 73.0}.get(end, 0.0)
    status = end if end in ("unreverted", "observed") else "pending"
    request = central.file(aged(make_request(status=status), hours=hours))
    if end in ("denied", "expired"):
        central.click(request, "deny")
    before = central.item()
    for message, topic in ((applied(request), "securityGroupChange"), (failed(request), ERROR_TOPIC)):
        with pytest.raises(MessageRefusedError, match=f"the request is {end}"):
            central.deliver(message, to=topic)
    assert central.item() == before


def test_a_very_long_reason_is_kept_short(central: Central, approved: Request) -> None:
    """What a member account says cannot make the item too large for the table."""
    central.deliver(failed(approved, code="C" * 100_000, reason="R" * 100_000), to=ERROR_TOPIC)
    item = central.item()
    assert (item["errorCode"], item["errorReason"]) == ("C" * 200, "R" * 2000)


# -- where the result is shown -----------------------------------------------------------------------------------------


def test_the_address_of_the_click_is_forgotten_when_it_was_used(central: Central, approved: Request) -> None:
    """A response_url is a secret; after the result it is of no use to anybody."""
    assert "responseUrl" in central.item()
    central.deliver(applied(approved))
    assert "responseUrl" not in central.item()


def test_an_old_click_is_answered_in_its_thread(central: Central, approved: Request) -> None:
    """After half an hour Slack takes no replacement: the result is a reply to the question."""
    central.edit(decidedAt=time_to_text(datetime.now(UTC) - timedelta(minutes=30)))
    central.deliver(applied(approved))
    assert central.responses == []
    assert [post.payload["thread_ts"] for post in central.approval] == ["1727740800.000100"]
    assert central.item()["tasks"] == {}


@pytest.mark.parametrize("reply", [Reply(status=404, body="expired_url"), Reply(status=500)])
def test_a_result_that_cannot_replace_the_question_goes_into_its_thread(
    central: Central, approved: Request, reply: Reply
) -> None:
    """A spent response_url costs nobody the result."""
    central.slack.always[RESPONSE] = reply
    central.deliver(applied(approved))
    assert [post.payload["thread_ts"] for post in central.approval] == ["1727740800.000100"]
    assert central.item()["tasks"] == {}


def test_a_result_without_a_clicked_message_is_a_message_of_its_own(central: Central) -> None:
    """Where the click did not say which message it was made on, the channel still learns the result."""
    request = central.file()
    central.click(request, response_url=None, container=None)
    central.slack.forget()
    central.deliver(applied(request))
    assert ["thread_ts" in post.payload for post in central.approval] == [False]


# -- when something fails ----------------------------------------------------------------------------------------------


def test_a_result_that_slack_refuses_is_told_by_the_retry(central: Central, approved: Request) -> None:
    """The outcome is stored and its messages pending; the same message again posts what is left."""
    central.slack.always |= {path: Reply(status=503) for path in (APPROVAL, MONITORING, RESPONSE)}
    central.deliver(applied(approved))
    assert (central.status(), set(central.item()["tasks"])) == ("applied", {"notify", "notifyMonitoring"})
    central.slack.always.clear()
    central.deliver(applied(approved))
    assert (len(central.responses), len(central.monitoring)) == (1, 1)
    assert central.item()["tasks"] == {}


def test_a_denial_delivered_twice_is_told_once(central: Central) -> None:
    """SNS delivers at least once; both channels hear of a denial once."""
    request = central.file()
    central.click(request, "deny")
    central.slack.forget()
    for _ in range(2):
        message = DenyMessage(request_id=request.request_id, digest=request.digest)
        central.deliver(message, to="denySecurityGroupChange")
    assert (len(central.responses), len(central.monitoring)) == (1, 1)


def test_a_function_that_died_between_two_messages_goes_on_with_the_second(
    central: Central, approved: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda's retry has the same invocation id: it knows the move as its own and posts only what is still pending."""
    monkeypatch.setattr("chalice.local.uuid.uuid4", lambda: "invocation-1")
    central.slack.always[MONITORING] = Reply(status=503)
    monkeypatch.setattr("central.chalicelib.outbox.Outbox.release", lambda *_args, **_kwargs: None)
    central.deliver(applied(approved))
    assert set(central.item()["leases"]) == {"notifyMonitoring"}, "a dead function releases nothing"
    central.slack.always.clear()
    central.deliver(applied(approved))
    assert (len(central.responses), len(central.monitoring)) == (1, 1)
    assert central.item()["tasks"] == {}


def test_a_move_whose_answer_got_lost_is_posted_nevertheless(
    central: Central, approved: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write happened, its reply did not arrive: the repetition recognises it and the result is told once."""
    fail_once(monkeypatch, "update_item", after=True)
    central.deliver(applied(approved))
    assert len(central.item()["history"]) == 3
    assert (len(central.responses), len(central.monitoring)) == (1, 1)


def test_decisions_of_other_regions_are_taken_in_too(central: Central) -> None:
    """The report has to come from the request's own region."""
    request = central.file(make_request(region="us-east-2"))
    central.break_topic("applySecurityGroupChange")
    central.click(request)
    with pytest.raises(MessageRefusedError):
        central.deliver(applied(request, region=REGION))
    central.deliver(applied(request))
    assert central.status() == "applied"
