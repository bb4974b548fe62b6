"""A click on a button: decided once, by somebody who may, on exactly what was shown; everybody else is told."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib import click, context
from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import TABLE
from central.chalicelib.slack import answering
from central.chalicelib.slack.signature import sign
from shared.aws.clients import client
from shared.wire.messages import AppliedMessage, ApplyMessage, DenyMessage
from tests.support.central_account import (
    ACCOUNT,
    APPROVER,
    REGION,
    SECRET,
    Central,
    aged,
    click_body,
    fail_once,
    make_request,
    meet_transactions,
)
from tests.support.slack_stand_in import APPROVAL, RESPONSE, Post, Reply

APPLY_TOPIC = "applySecurityGroupChange"
DENY_TOPIC = "denySecurityGroupChange"


def is_ephemeral(post: Post) -> bool:
    """True for a message that only the clicker sees."""
    return post.payload.get("response_type") == "ephemeral" and post.payload["replace_original"] is False


def ephemerals(central: Central) -> list[str]:
    """Return what clickers were told, oldest first."""
    return [post.payload["text"] for post in central.responses if is_ephemeral(post)]


def replacements(central: Central) -> list[str]:
    """Return what replaced the clicked message, oldest first."""
    return [post.text for post in central.responses if post.payload.get("replace_original") is True]


# -- deciding ----------------------------------------------------------------------------------------------------------


def test_an_approval_is_stored_shown_and_sent_to_the_requests_account(central: Central) -> None:
    """The item says who and when, the buttons are gone, and the member is told exactly which digest."""
    request = central.file()
    answer = central.click(request)
    assert (answer.status, answer.body) == (200, "")
    item = central.item()
    assert (item["status"], item["decidedBy"], item["decidedByName"]) == ("approved", APPROVER, "grace")
    assert set(item["tasks"]) == {"dispatch"}
    (message,) = central.sent(APPLY_TOPIC)
    assert isinstance(message, ApplyMessage)
    assert (message.request_id, message.digest) == (request.request_id, request.digest)
    assert (message.approver_id, message.approver_name) == (APPROVER, "grace")
    (shown,) = replacements(central)
    assert "Processing" in shown
    assert '"actions"' not in shown


def test_a_denial_is_stored_and_told_in_both_channels(central: Central) -> None:
    """The question loses its buttons, both channels say who denied, the member hears nothing."""
    request = central.file()
    central.slack.forget()
    central.click(request, "deny")
    assert central.item()["decidedBy"] == APPROVER
    assert central.sent(APPLY_TOPIC) == []
    (message,) = central.sent(DENY_TOPIC)
    assert message == DenyMessage(request_id=request.request_id, digest=request.digest)
    central.deliver(message, to=DENY_TOPIC)
    assert central.status() == "denied"
    assert "denied" in replacements(central)[-1]
    assert '"actions"' not in replacements(central)[-1]
    assert ["denied" in post.text for post in central.monitoring] == [True]
    assert central.item()["tasks"] == {}


def test_an_approval_costs_one_write_and_one_publish(central: Central, calls: list[str]) -> None:
    """Between the click and its answer there is one conditional write, one post and one publish."""
    request = central.file()
    calls.clear()
    central.click(request)
    assert calls == ["dynamodb.UpdateItem", "sns.Publish"]
    assert len(central.responses) == 1


def test_a_decision_goes_to_the_region_of_the_change(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic is that of the request's own account and region, whatever region the central account is in."""
    published: list[str] = []
    monkeypatch.setattr("central.chalicelib.dispatch.publish", lambda arn, *_args, **_kwargs: published.append(arn))
    for region, account, partition in (("us-east-2", "222222222222", "aws"), ("cn-north-1", "333333333333", "aws-cn")):
        central.click(central.file(make_request(region, region=region, account=account)))
        assert published.pop() == f"arn:{partition}:sns:{region}:{account}:{APPLY_TOPIC}"


def test_the_result_of_a_denial_goes_to_the_functions_own_account(
    central: Central, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    """In Lambda the account comes from the function's own ARN, without a call."""
    monkeypatch.setattr(
        "chalice.local.LambdaContext.invoked_function_arn",
        property(lambda _: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:central-dev", lambda _self, _value: None),
        raising=False,
    )
    monkeypatch.setattr("chalice.local.LambdaContext.get_remaining_time_in_millis", lambda _: 30_000)
    request = central.file()
    calls.clear()
    central.click(request, "deny")
    assert calls == ["dynamodb.UpdateItem", "sns.Publish"]
    assert len(central.sent(DENY_TOPIC)) == 1


def test_processing_is_shown_before_the_decision_leaves(central: Central) -> None:
    """ "Processing…" cannot come after the result: when Slack gets it, nothing has been published."""
    request = central.file()
    seen: list[Any] = []
    central.slack.replies[RESPONSE].append(
        Reply(status=200, body="ok", before=lambda: seen.extend([*central.sent(APPLY_TOPIC), central.status()]))
    )
    central.click(request)
    assert seen == ["approved"]
    assert len(central.sent(APPLY_TOPIC)) == 1


def test_only_the_buttons_value_counts_not_what_the_message_shows(central: Central) -> None:
    """Other words over the buttons change nothing: the stored request is applied, under its own digest."""
    request = central.file()
    central.click(request, message={"text": "please approve: harmless"}, channel={"id": "C0666", "name": "elsewhere"})
    (message,) = central.sent(APPLY_TOPIC)
    assert isinstance(message, ApplyMessage)
    assert message.digest == request.digest


# -- too late, or not the same -----------------------------------------------------------------------------------------


def test_a_second_click_acts_on_nothing_and_is_told_who_decided(central: Central) -> None:
    """Of two clicks one decides; the other hears who was first."""
    request = central.file()
    central.click(request, "approve", "U0FIRST")
    central.sent(APPLY_TOPIC)
    before = central.item()
    answer = central.click(request, "deny", "U0SECOND")
    assert answer.status == 200
    assert central.item() == before
    assert central.sent(APPLY_TOPIC) == central.sent(DENY_TOPIC) == []
    assert "Approved by grace on" in ephemerals(central)[0]


def test_a_click_during_the_applying_takes_the_buttons_away(central: Central) -> None:
    """Should the function have died before "Processing…", the second click still replaces the buttons."""
    request = central.file()
    central.click(request)
    central.slack.forget()
    central.click(request)
    assert is_ephemeral(central.responses[0])
    (shown,) = replacements(central)
    assert '"actions"' not in shown


def test_a_result_that_arrives_during_a_late_click_stands_in_the_end(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "On its way" must not be the last word when the result came while it was being shown."""
    request = central.file()
    central.click(request)
    central.slack.forget()
    shown_before = click.view_of

    def overtaken(record: Record) -> Any:
        if record.status == "approved":
            central.deliver(applied(request))
        return shown_before(record)

    monkeypatch.setattr(click, "view_of", overtaken)
    central.click(request)
    assert "applied" in replacements(central)[-1]


def test_a_click_on_a_finished_request_brings_the_message_up_to_date(central: Central) -> None:
    """A message that still has its buttons (a reminder, another tab) shows afterwards what happened."""
    request = central.file()
    central.click(request)
    central.deliver(applied(request))
    central.slack.forget()
    central.click(request, "deny", "U0LATE")
    assert "in force" in ephemerals(central)[0]
    (shown,) = replacements(central)
    assert "applied" in shown
    assert '"actions"' not in shown


def applied(request: Any) -> AppliedMessage:
    """Return the member's report on a request."""
    return AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        applied_at=datetime.now(UTC),
    )


def test_the_same_signed_body_again_acts_on_nothing(central: Central) -> None:
    """A replay within the window finds the request decided."""
    request = central.file()
    body = click_body(central.slack, request, "approve", APPROVER)
    timestamp = str(int(datetime.now(UTC).timestamp()))
    answers = [central.post(body, **{"X-Slack-Request-Timestamp": timestamp}) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len(central.sent(APPLY_TOPIC)) == 1
    assert len(ephemerals(central)) == 2


def test_an_expired_request_is_expired_at_the_click_too(central: Central) -> None:
    """Nothing is approved after the time is over, whether the sweep has come by or not; both channels are told."""
    request = central.file(aged(make_request(), hours=72, seconds=1))
    central.slack.forget()
    answer = central.click(request)
    assert answer.status == 200
    item = central.item()
    assert (item["status"], item["history"][-1]["by"]) == ("expired", APPROVER)
    assert "decidedBy" not in item
    assert central.sent(APPLY_TOPIC) == []
    assert "Expired." in ephemerals(central)[0]
    (message,) = central.sent(DENY_TOPIC)
    central.deliver(message, to=DENY_TOPIC)
    assert "expired" in replacements(central)[-1]
    assert len(central.monitoring) == 1
    assert central.item()["tasks"] == {}


def test_a_request_just_within_its_time_is_approved(central: Central) -> None:
    """The last minute counts."""
    central.click(central.file(aged(make_request(), hours=71, minutes=59)))
    assert central.status() == "approved"


def test_the_time_to_decide_is_that_of_the_requests_account(central: Central, policy: Callable[[str], None]) -> None:
    """An account may have a longer or a shorter time than the others."""
    policy(
        'expire_after_hours = 10\n[accounts."222222222222"]\nexpire_after_hours = 1\n'
        '[accounts."333333333333"]\nexpire_after_hours = 100\n'
    )
    ends = []
    for account in (ACCOUNT, "222222222222", "333333333333"):
        request = central.file(aged(make_request(account, account=account), hours=5))
        central.click(request)
        ends.append(central.status(account))
    assert ends == ["approved", "expired", "approved"]


def test_a_button_with_another_digest_acts_on_nothing(central: Central, logs: io.StringIO) -> None:
    """A button made for other rules under the same id is refused, told and counted."""
    request = central.file()
    forged = json.dumps({"requestId": request.request_id, "digest": "ab" * 32})
    answer = central.click(request, actions=[{"action_id": "approve", "value": forged}])
    assert answer.status == 200
    assert central.status() == "pending"
    assert "does not belong" in ephemerals(central)[0]
    assert '"reason":"digest"' in logs.getvalue()


def test_a_click_on_an_unknown_request_is_told_so(central: Central) -> None:
    """A click that comes before its request, or for none, changes nothing and does not crash."""
    answer = central.click(make_request("never-filed"))
    assert answer.status == 200
    assert "not known" in ephemerals(central)[0]
    assert central.item("never-filed") == {}


@pytest.mark.parametrize("status", ["unreverted", "observed", "denied"])
def test_what_nobody_is_asked_cannot_be_approved(central: Central, status: str) -> None:
    """A forged button for a request without buttons acts on nothing."""
    request = central.file(make_request(status=status, reason="because"))
    central.click(request)
    assert central.status() == status
    assert len(ephemerals(central)) == 1
    assert central.sent(APPLY_TOPIC) == []


# -- who may -----------------------------------------------------------------------------------------------------------


def test_only_approvers_decide_where_policy_lists_them(central: Central, policy: Callable[[str], None]) -> None:
    """Somebody else's click, approving or denying, is answered with the reason and changes nothing."""
    policy('approvers = ["U0BOSS"]')
    request = central.file()
    before = central.item()
    for action in ("approve", "deny"):
        assert central.click(request, action, "U0OTHER").status == 200
    assert central.item() == before
    assert ephemerals(central) == ["You are not one of the approvers of this account."] * 2
    assert "*Who may:* <@U0BOSS>" in central.responses[0].text
    assert replacements(central) == []
    central.click(request, "approve", "U0BOSS")
    assert central.status() == "approved"


def test_an_account_may_have_its_own_approvers(central: Central, policy: Callable[[str], None]) -> None:
    """The list of the request's account counts, not the general one."""
    policy('approvers = ["U0BOSS"]\n[accounts."222222222222"]\napprovers = ["U0HEAD"]')
    general, special = central.file(make_request("r-1")), central.file(make_request("r-2", account="222222222222"))
    for request in (general, special):
        central.click(request, "deny", "U0HEAD")
    assert (central.status("r-1"), central.status("r-2")) == ("pending", "denied")


def test_a_listed_approver_costs_no_reading(central: Central, policy: Callable[[str], None], calls: list[str]) -> None:
    """Where the clicker may decide in every account the budget stays one write and one publish."""
    policy('approvers = ["U061F7AUR"]')
    request = central.file()
    calls.clear()
    central.click(request)
    assert calls == ["dynamodb.UpdateItem", "sns.Publish"]


PEOPLE = """
allow_self_approval = false
[people]
"arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com" = "U0ADA"
"""


def test_the_requester_does_not_approve_where_policy_forbids_it(
    central: Central, policy: Callable[[str], None], calls: list[str]
) -> None:
    """The own click is refused with the reason; somebody else's decides, after one consistent read."""
    policy(PEOPLE)
    request = central.file()
    central.click(request, "approve", "U0ADA")
    assert central.status() == "pending"
    assert "yourself" in ephemerals(central)[0]
    calls.clear()
    central.click(request, "approve", "U0BOB")
    assert central.status() == "approved"
    assert calls[:3] == ["dynamodb.GetItem", "dynamodb.UpdateItem", "sns.Publish"]


def test_the_requester_may_always_deny_the_own_request(central: Central, policy: Callable[[str], None]) -> None:
    """Reverting one's own wish needs nobody else."""
    policy(PEOPLE)
    central.click(central.file(), "deny", "U0ADA")
    assert central.status() == "denied"


def test_what_an_unknown_person_changed_takes_two_people_where_policy_forbids_self_approval(
    central: Central, policy: Callable[[str], None]
) -> None:
    """Who is not listed cannot be told apart from the clicker; that includes changes without a known author."""
    policy("allow_self_approval = false")
    for name, requester in (("known", make_request().requester), ("snapshot", None)):
        request = central.file(make_request(name, requester=requester))
        central.click(request, "approve", "U0BOB")
        assert central.status(name) == "pending"
        central.click(request, "approve", "U0EVE")
        assert central.status(name) == "approved"


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_nobody_decides_while_the_policy_cannot_be_read(
    central: Central, policy: Callable[[str], None], action: str
) -> None:
    """The clicker is told why, in Slack; nothing is changed, and the click works once the file is corrected."""
    request = central.file()
    before = central.item()
    policy("aprovers = []")
    assert central.click(request, action).status == 200
    assert central.item() == before
    (text,) = ephemerals(central)
    assert "aprovers: is not a policy key" in text
    policy("")
    central.click(request, action)
    assert central.status() in ("approved", "denied")


def test_self_approval_is_allowed_by_default(central: Central) -> None:
    """Without a rule against it, any click in the channel decides."""
    central.click(central.file(), "approve", "U0ADA")
    assert central.status() == "approved"


# -- when something fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=404, body="expired_url"), Reply(status=429)])
def test_a_decision_stands_although_slack_does_not_show_it(central: Central, reply: Reply) -> None:
    """A "Processing…" that Slack refuses is tried once and keeps nobody from deciding."""
    request = central.file()
    central.slack.replies[RESPONSE].append(reply)
    assert central.click(request).status == 200
    assert central.status() == "approved"
    assert len(central.sent(APPLY_TOPIC)) == 1


def test_a_slack_that_does_not_answer_does_not_hold_the_click_up(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The post is bounded: the decision is dispatched while Slack still thinks."""
    monkeypatch.setattr("central.chalicelib.slack.http._SHORTEST_SECONDS", 0.2)
    monkeypatch.setattr(answering, "_POST_SECONDS", 0.2)
    request = central.file()
    answered = threading.Event()
    central.slack.replies[RESPONSE].append(Reply(status=200, before=lambda: answered.wait(30) and None))
    try:
        assert central.click(request).status == 200
        assert len(central.sent(APPLY_TOPIC)) == 1
    finally:
        answered.set()


def test_a_late_click_waits_for_a_hanging_slack_once(central: Central) -> None:
    """Ephemeral and fresh message are two posts; where the first fails, the answer to the click does not wait again."""
    request = central.file()
    central.click(request)
    central.slack.forget()
    central.slack.replies[RESPONSE].append(Reply(status=503))
    assert central.click(request).status == 200
    assert central.slack.posts == []


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_a_failed_publish_leaves_the_decision_pending(central: Central, action: str) -> None:
    """The click is answered, the decision stands, and what was not published is done by the sweep."""
    request = central.file()
    for topic in (APPLY_TOPIC, DENY_TOPIC):
        central.break_topic(topic)
    assert central.click(request, action).status == 200
    item = central.item()
    assert item["decidedBy"] == APPROVER
    assert set(item["tasks"]) == ({"dispatch"} if action == "approve" else {"notify", "notifyMonitoring"})


def test_a_click_that_cannot_be_stored_is_not_taken_for_a_decision(
    central: Central, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a table the clicker is asked to try again, sees a warning, and nothing is published."""
    request = central.file()
    central.dynamodb.delete_table(TableName=TABLE)
    answer = central.click(request)
    assert answer.status == 503
    assert "Traceback" not in answer.body
    assert "click again" in ephemerals(central)[0]
    assert central.sent(APPLY_TOPIC) == []
    assert '"ClicksFailed"' in capsys.readouterr().out


def test_a_click_that_meets_a_transaction_is_decided_nevertheless(central: Central) -> None:
    """A duplicate is being counted at the same request: the write is made again within the click's time."""
    request = central.file()
    dynamodb = client("dynamodb", REGION, retries="fail_fast")
    meet_transactions(dynamodb, "UpdateItem", times=3)
    assert central.click(request).status == 200
    assert central.status() == "approved"
    assert len(central.sent(APPLY_TOPIC)) == 1


def test_a_write_whose_answer_got_lost_is_one_decision(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repeated write finds its own work done and goes on, instead of answering the winner as the loser."""
    request = central.file()
    fail_once(monkeypatch, "update_item", after=True)
    assert central.click(request).status == 200
    assert len(central.item()["history"]) == 2
    assert len(central.sent(APPLY_TOPIC)) == 1
    assert ephemerals(central) == []


def test_a_strange_response_url_is_not_called_and_the_click_still_counts(central: Central, logs: io.StringIO) -> None:
    """A click may decide; where its answer goes is not for it to choose."""
    request = central.file()
    central.slack.forget()
    elsewhere = "http://169.254.169.254/latest/meta-data/x"
    assert central.click(request, response_url=elsewhere).status == 200
    assert central.status() == "approved"
    assert "responseUrl" not in central.item()
    assert central.slack.posts == []
    assert "unexpected response_url" in logs.getvalue()
    assert elsewhere not in logs.getvalue()


def test_a_click_without_a_response_url_still_counts(central: Central) -> None:
    """Nothing can be shown, but the decision is made and the result comes by the webhook."""
    request = central.file()
    central.click(request, response_url=None)
    central.deliver(applied(request))
    assert central.status() == "applied"
    assert central.approval[-1].payload["thread_ts"] == "1727740800.000100"


# -- many at once ------------------------------------------------------------------------------------------------------


class Context:
    """Lambda's context of one of many functions at once."""

    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:central-dev"

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"invocation-{number}"

    def get_remaining_time_in_millis(self) -> float:
        """Return fifteen seconds."""
        return 15_000


def test_of_many_clicks_at_once_one_decides_and_everybody_else_is_told(central: Central) -> None:
    """Thirty concurrent clicks of both kinds: one decision, one effect, twenty-nine ephemerals."""
    request = central.file()
    central.slack.forget()
    start = threading.Barrier(10)

    def make_click(number: int) -> int:
        body = click_body(central.slack, request, ("approve", "deny")[number % 2], f"U{number}")
        if number < 10:
            start.wait(10)
        return click.answer(context.begin(Context(number), fail_fast=True), signed(body), body).status

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(make_click, range(30))) == [200] * 30
    item = central.item()
    assert len(item["history"]) == 2
    sent = central.sent(APPLY_TOPIC) + central.sent(DENY_TOPIC)
    assert len(sent) == 1
    assert isinstance(sent[0], ApplyMessage) == (item["status"] == "approved")
    assert len(ephemerals(central)) == 29


def test_who_loses_between_two_looks_is_told_too(central: Central, policy: Callable[[str], None]) -> None:
    """Somebody else decides after this click has read the request and before it writes: the write notices."""
    policy('[accounts."222222222222"]\napprovers = ["U0HEAD"]')
    request = central.file()
    run = context.begin(Context(1), fail_fast=True)
    original = run.table.get

    def slowly(request_id: str) -> Any:
        record = original(request_id)
        assert _click_elsewhere(central, request, "U0HEAD", "deny") == 200
        return record

    run.table.get = slowly  # type: ignore[method-assign]  # the moment in between
    central.slack.forget()
    body = click_body(central.slack, request, "approve", APPROVER)
    assert click.answer(run, signed(body), body).status == 200
    assert central.status() == "denied"
    assert "Denied by grace on" in ephemerals(central)[0]
    assert central.sent(APPLY_TOPIC) == []


def test_a_question_still_being_posted_is_not_pending_after_a_quick_click(central: Central) -> None:
    """Somebody clicks before the function that asked has completed its task: the move ends the task."""
    quick: list[int] = []
    request = make_request(event_time=datetime.now(UTC) - timedelta(seconds=5))
    central.slack.replies[APPROVAL].append(
        Reply(status=200, body="ok", before=lambda: quick.append(_click_elsewhere(central, request)))
    )
    central.file(request)
    assert quick == [200]
    assert central.status() == "approved"
    assert set(central.item()["tasks"]) == {"dispatch"}


def _click_elsewhere(central: Central, request: Any, by: str = APPROVER, action: str = "approve") -> int:
    body = click_body(central.slack, request, action, by)
    return click.answer(context.begin(Context(2), fail_fast=True), signed(body), body).status


def signed(body: bytes) -> dict[str, str]:
    """Return Slack's headers for a body."""
    timestamp = str(int(datetime.now(UTC).timestamp()))
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": sign(SECRET, timestamp, body)}
