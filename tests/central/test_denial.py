"""A denial and its reason: asked for in a modal, judged like a click when it is submitted, shown and kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend

from central.audit.writing import to_json
from central.chalicelib.requests.items import record_from_item
from sandbox.slack.stand_in import API_PATH
from tests.shared.slack.examples import texts
from tests.support.batches import buttons
from tests.support.central_account import APPROVER, Central, aged, fail_once, make_request
from tests.support.denials import REFUSED, TOKEN, opened, refusal, submit, use_token
from tests.support.slack_stand_in import RESPONSE, Reply, SlackStandIn

DENY_TOPIC = "denySecurityGroupChange"
OPEN = f"{API_PATH}views.open"
REQUIRED = "require_denial_reason = true"


@pytest.fixture(autouse=True)
def _bot_token(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    use_token(slack, monkeypatch)


def ephemerals(central: Central) -> list[str]:
    """Return what clickers alone were told, oldest first."""
    return [post.payload["text"] for post in central.responses if post.payload.get("response_type") == "ephemeral"]


def replaced(central: Central) -> str:
    """Return what replaced the clicked message last."""
    return [post.text for post in central.responses if post.payload.get("replace_original") is True][-1]


def finish(central: Central) -> None:
    """Let the decision arrive where it is shown."""
    for message in central.sent(DENY_TOPIC):
        central.deliver(message, to=DENY_TOPIC)


# -- opening -----------------------------------------------------------------------------------------------------------


def test_deny_opens_the_modal_before_anything_is_read(central: Central, calls: list[str]) -> None:
    """One call of Slack's with the click's own trigger, none of AWS's; nothing is decided."""
    request = central.file()
    before = central.item()
    calls.clear()
    answer = central.click(request, "deny")
    assert (answer.status, answer.body, calls) == (200, "", [])
    (call,) = central.slack.calls("views.open")
    assert (call.authorization, call.payload["trigger_id"]) == (f"Bearer {TOKEN}", "1.2.3")
    (block,) = call.payload["view"]["blocks"]
    assert (block["type"], block["element"]["type"], block["optional"]) == ("input", "plain_text_input", True)
    assert json.loads(call.payload["view"]["private_metadata"]) == {
        "requestId": request.request_id,
        "digest": request.digest,
        "channel": "C0001",
        "ts": "1727740800.000100",
        "responseUrl": central.slack.url(RESPONSE),
    }
    assert (central.item(), central.responses) == (before, [])


def test_the_reason_is_obligatory_where_every_account_wants_one(
    central: Central, policy: Callable[[str], None]
) -> None:
    """Which account it is stands in the table, which has not been read; where one differs, the submission is judged."""
    policy(REQUIRED)
    central.click(central.file(), "deny")
    assert opened(central)["blocks"][0]["optional"] is False
    policy(f'{REQUIRED}\n[accounts."222222222222"]\nrequire_denial_reason = false')
    central.click(make_request(), "deny")
    assert opened(central)["blocks"][0]["optional"] is True


def test_a_strange_response_url_is_not_carried(central: Central) -> None:
    """The address is kept by the modal, and used later: it has to be Slack's."""
    central.click(central.file(), "deny", response_url="https://evil.example/x")
    assert "responseUrl" not in json.loads(opened(central)["private_metadata"])


def test_approving_opens_nothing(central: Central) -> None:
    """The modal is for denials alone."""
    central.click(central.file())
    assert central.slack.calls("views.open") == []
    assert central.status() == "approved"


def test_without_a_token_a_denial_is_made_at_once_and_an_ignored_requirement_is_reported(
    central: Central, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, logs: io.StringIO
) -> None:
    """Nobody can be asked for a reason then."""
    monkeypatch.delenv("slackBotToken")
    policy(REQUIRED)
    central.click(central.file(), "deny")
    assert central.status() == "denied"
    assert "require_denial_reason is ignored" in logs.getvalue()


# -- submitting --------------------------------------------------------------------------------------------------------


def test_the_reason_is_stored_shown_escaped_and_exported(central: Central) -> None:
    """In both channels, as somebody's own words that can neither mention nor link."""
    request = central.file()
    central.slack.forget()
    central.click(request, "deny")
    answer = submit(central, " ask <!channel>\n& the  team ")
    assert (answer.status, answer.body) == (200, "")
    item = central.item()
    assert (item["status"], item["decidedBy"]) == ("denied", APPROVER)
    assert item["denialReason"] == "ask <!channel> & the team"
    assert "Processing" in replaced(central)
    finish(central)
    for shown in (central.responses[-1], central.monitoring[-1]):
        assert "Reason for the denial" in shown.text
        assert "ask <!channel> & the team" in " ".join(texts(shown.payload, "plain_text"))
        assert "<!channel>" not in " ".join([shown.payload["text"], *texts(shown.payload, "mrkdwn")])
    assert to_json(record_from_item(item))["denialReason"] == "ask <!channel> & the team"


def test_a_reason_may_be_left_out_where_none_is_required(central: Central) -> None:
    """The modal closes, and nothing is kept of it."""
    central.click(central.file(), "deny")
    assert refusal(submit(central, None)) == ""
    assert (central.status(), "denialReason" in central.item()) == ("denied", False)


def test_a_submission_costs_one_write_and_one_publish(central: Central, calls: list[str]) -> None:
    """As a click does, where the clicker alone decides."""
    central.click(central.file(), "deny")
    calls.clear()
    submit(central, "no")
    assert calls == ["dynamodb.UpdateItem", "sns.Publish"]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [(None, "Please give a reason"), (" \n\t", "Please give a reason"), ("x" * 501, "at most 500 characters")],
)
def test_a_missing_or_long_reason_changes_nothing(
    central: Central, policy: Callable[[str], None], reason: str | None, sentence: str
) -> None:
    """Slack checks the length as well; the submission is what counts."""
    policy(REQUIRED)
    central.click(central.file(), "deny")
    before = central.item()
    assert sentence in refusal(submit(central, reason))
    assert central.item() == before
    assert refusal(submit(central, "x" * 500)) == ""
    assert central.status() == "denied"


def test_who_may_not_deny_is_told_in_the_modal(central: Central, policy: Callable[[str], None]) -> None:
    """Anybody can open it; who decides is judged by the submission's own user."""
    policy(f'approvers = ["{APPROVER}"]')
    central.click(central.file(), "deny", "U0666")
    before = central.item()
    assert "not one of the approvers" in refusal(submit(central, "no", "U0666"))
    assert (central.item(), central.sent(DENY_TOPIC)) == (before, [])


def test_who_comes_late_is_told_who_decided(central: Central) -> None:
    """Somebody else approved while the reason was being written; the question is brought up to date."""
    request = central.file()
    central.click(request, "deny", "U0LATE")
    central.click(request, "approve")
    before = central.item()
    assert "Approved by grace" in refusal(submit(central, "no", "U0LATE"))
    assert (central.item(), central.sent(DENY_TOPIC)) == (before, [])
    assert '"actions"' not in replaced(central)


def test_a_request_that_has_expired_meanwhile_ends_so(central: Central) -> None:
    """The sweep may not have come yet."""
    central.click(central.file(aged(make_request(), hours=73)), "deny")
    assert "Expired" in refusal(submit(central, "no"))
    assert central.status() == "expired"


def test_what_cannot_be_stored_is_told_in_the_modal(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The modal stays open with its reason, so that it can be submitted again."""
    central.click(central.file(), "deny")
    with monkeypatch.context() as broken:

        def fail(*_: Any, **__: Any) -> None:
            raise JsonRESTError("InternalServerError", "injected by a test")

        broken.setattr(DynamoDBBackend, "update_item", fail)
        assert "could not be stored" in refusal(submit(central, "no"))
    assert central.status() == "pending"
    assert refusal(submit(central, "no")) == ""
    assert central.status() == "denied"


def test_a_lost_answer_of_the_write_is_found_again(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is tried again by the same invocation, and counts once."""
    central.click(central.file(), "deny")
    fail_once(monkeypatch, "update_item", after=True)
    assert refusal(submit(central, "no")) == ""
    assert (central.status(), len(central.item()["history"])) == ("denied", 2)


# -- where it cannot be opened -----------------------------------------------------------------------------------------


def offer(central: Central) -> dict[str, Any]:
    """Return the button that was offered in place of the modal."""
    return buttons(central.responses[-1])["deny_without_reason"]


def accept(central: Central, by: str = APPROVER) -> None:
    """Click the offered button: Slack gives this click another address, that of the offer."""
    action = {"action_id": "deny_without_reason", "type": "button", "value": offer(central)["value"]}
    container = {"type": "message", "message_ts": "1727740999.000100", "channel_id": "C0001", "is_ephemeral": True}
    url = central.slack.url("/actions/offer")
    assert central.click(make_request(), by=by, actions=[action], container=container, response_url=url).status == 200


@pytest.mark.parametrize("reply", [REFUSED, Reply(status=500, body="server_error")])
def test_a_denial_without_a_reason_is_offered(central: Central, reply: Reply) -> None:
    """To the clicker alone, with a dialog that says so; it decides, and the offer goes."""
    request = central.file()
    central.slack.replies[OPEN].append(reply)
    assert central.click(request, "deny").status == 200
    assert ephemerals(central) == [central.responses[-1].payload["text"]]
    assert "No reason is given" in json.dumps(offer(central)["confirm"])
    assert central.status() == "pending"
    accept(central)
    item = central.item()
    assert (item["status"], item["messageTs"]) == ("denied", "1727740800.000100")
    assert "Processing" in replaced(central)
    assert central.slack.to("/actions/offer")[-1].payload == {"delete_original": True}


def test_nothing_is_offered_where_a_reason_is_required(central: Central, policy: Callable[[str], None]) -> None:
    """The clicker is told to click again."""
    policy(REQUIRED)
    central.slack.replies[OPEN].append(REFUSED)
    central.click(central.file(), "deny")
    assert buttons(central.responses[-1]) == {}
    assert "a denial needs a reason" in ephemerals(central)[-1]
    assert central.status() == "pending"


def test_an_offer_is_refused_where_the_account_requires_a_reason(
    central: Central, policy: Callable[[str], None]
) -> None:
    """It was offered before the account was known, or is forged."""
    policy(f'{REQUIRED}\n[accounts."222222222222"]\nrequire_denial_reason = false')
    central.slack.replies[OPEN].append(REFUSED)
    central.click(central.file(), "deny")
    accept(central)
    assert "a denial needs a reason" in ephemerals(central)[-1]
    assert central.status() == "pending"


def test_a_malformed_setting_offers_it_too(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token goes to Slack's hosts alone."""
    request = central.file()
    monkeypatch.setenv("slackApiUrl", "https://evil.example/")
    central.click(request, "deny")
    assert offer(central)["text"]["text"] == "Deny"
