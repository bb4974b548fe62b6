"""No output of the app contains a secret, whatever goes wrong: logs, metrics, errors with their causes, answers."""

from __future__ import annotations

import io
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from central.chalicelib import secrets
from central.chalicelib.outbox.outbox import UnpostedError
from central.chalicelib.outcome import MessageRefusedError
from central.chalicelib.slack.signature import sign
from central.chalicelib.sweep import SweepError
from shared.wire.messages import AppliedMessage
from tests.support.central_account import ACCOUNT, APPROVER, REGION, SECRET, Central, click_body, make_request
from tests.support.slack_stand_in import APPROVAL, MONITORING, RESPONSE, Reply


def test_no_secret_leaves_the_app_in_any_flow(
    central: Central,
    monkeypatch: pytest.MonkeyPatch,
    logs: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A story with everything failing once, with and without optional settings: nothing secret in what it says."""
    caplog.set_level(logging.DEBUG)
    said = io.StringIO()

    def attempt(step: Any, *arguments: Any, **values: Any) -> None:
        try:
            said.write(str(step(*arguments, **values)))
        except (UnpostedError, SweepError, MessageRefusedError) as error:
            said.write("".join(traceback.format_exception(error)))

    monkeypatch.setenv("expectedToken", "verification-token-secret")
    request = make_request()
    for reply in (Reply(status=503), Reply(status=404, body="no_service"), Reply(status=400, body="invalid_blocks")):
        central.slack.always |= dict.fromkeys((APPROVAL, MONITORING, RESPONSE), reply)
        attempt(central.file, request)
        attempt(central.sweep, minutes=6)
    monkeypatch.setenv("approvalHookUrl", "http://hooks.example.com/services/approval-hook-secret")
    attempt(central.sweep, minutes=60)
    monkeypatch.setenv("approvalHookUrl", "http://127.0.0.1:9/services/approval-hook-secret")
    attempt(central.sweep, minutes=120)
    monkeypatch.setenv("approvalHookUrl", central.slack.url(APPROVAL))
    body = click_body(central.slack, request, "approve", APPROVER)
    timestamp = str(int(datetime.now(UTC).timestamp()))
    attempt(central.post, body, **{"X-Slack-Signature": sign("guessed", timestamp, body)})
    attempt(central.click, request, token="wrong")
    attempt(central.click, request, actions=[])
    attempt(central.click, request, response_url="https://evil.example/response-url-secret")
    attempt(central.click, request)
    report = AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=ACCOUNT,
        region=REGION,
        applied_at=datetime.now(UTC),
    )
    attempt(central.deliver, report)
    central.slack.always.clear()
    attempt(central.sweep, minutes=200)
    attempt(central.click, request)

    assert central.status() == "applied"
    captured = capfd.readouterr()
    output = said.getvalue() + logs.getvalue() + captured.out + captured.err + caplog.text
    assert len(logs.getvalue().splitlines()) > 20
    for secret in (
        "approval-hook-secret",
        "monitoring-hook-secret",
        "response-url-secret",
        "verification-token-secret",
        SECRET,
        sign("guessed", timestamp, body),
        "what the client shows",
    ):
        assert secret not in output, secret


def test_every_step_is_one_structured_record(central: Central, logs: io.StringIO) -> None:
    """Records say which request, account and group, how a step ended and how long it took."""
    import json

    request = central.file()
    central.click(request)
    records = [json.loads(line) for line in logs.getvalue().splitlines()]
    posted = next(one for one in records if one["message"] == "post ask")
    assert posted["request_id"] == request.request_id
    assert (posted["account"], posted["group"], posted["outcome"]) == (ACCOUNT, request.group_id, "done")
    assert isinstance(posted["ms"], int)
    assert [one["message"] for one in records if one.get("user") == APPROVER] == ["decide", "decided"]


def test_markup_and_line_ends_in_names_cannot_forge_log_records(central: Central, logs: io.StringIO) -> None:
    """A record stays one line of JSON, whatever people call themselves or their groups."""
    request = central.file(make_request(group_name='x"\n{"level":"ERROR"}', account_name="\r\nfake"))
    central.click(request, user={"id": APPROVER, "username": "eve\n{}", "team_id": "T0001"})
    import json

    for line in logs.getvalue().splitlines():
        assert json.loads(line)["service"] == "security-group-approval"


def test_a_rotated_signing_secret_holds_without_a_new_container(
    central: Central, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    """The first click that the old secret does not fit has the reference read again; forgeries do so once a minute."""
    store_secret("/security-group-approval/slackSigningSecret", "old")
    monkeypatch.setenv("slackSigningSecret", "ssm:/security-group-approval/slackSigningSecret")
    request = central.file()
    assert secrets.secret("slackSigningSecret") == "old"
    store_secret("/security-group-approval/slackSigningSecret", SECRET)
    assert central.click(request).status == 200
    calls.clear()
    for _ in range(3):
        assert central.click(request, "deny", type="x").status == 400
        assert central.post(b"payload=x", **{"X-Slack-Signature": "v0=1"}).status == 401
    assert calls == []


def test_a_replaced_webhook_is_found_when_the_old_one_is_dead(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that knows the old address reads the new one, and the message arrives."""
    store_secret("/security-group-approval/approvalHookUrl", central.slack.url("/services/old"))
    monkeypatch.setenv("approvalHookUrl", "ssm:/security-group-approval/approvalHookUrl")
    central.file(make_request("before"))
    central.slack.always["/services/old"] = Reply(status=404, body="no_service")
    store_secret("/security-group-approval/approvalHookUrl", central.slack.url(APPROVAL))
    central.file(make_request("after"))
    assert ["Request after" in post.payload["text"] for post in central.approval] == [True]
    assert central.item("after")["tasks"] == {}


def store_secret(name: str, value: str) -> None:
    """Put a SecureString into the account's Parameter Store."""
    boto3.client("ssm", REGION).put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
