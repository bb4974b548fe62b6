"""What is no genuine click by somebody of the right workspace: refused, nothing told to the caller, nothing changed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from chalice.test import HTTPResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central.chalicelib.slack.click_payload import LARGEST_BODY
from central.chalicelib.slack.signature import sign
from shared.domain.request import Request
from tests.support.central_account import APPROVER, SECRET, Central, click_body


@pytest.fixture
def request_(central: Central) -> Request:
    """A pending request."""
    request = central.file()
    central.slack.forget()
    return request


def assert_untouched(central: Central) -> None:
    """Nothing was decided, published or posted."""
    assert central.status() == "pending"
    assert len(central.item()["history"]) == 1
    assert central.sent("applySecurityGroupChange") == central.sent("denySecurityGroupChange") == []
    assert central.slack.posts == []


def now(seconds: int = 0) -> str:
    """Return Slack's timestamp of so many seconds from now."""
    return str(int(datetime.now(UTC).timestamp()) + seconds)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v0=é"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": now(-3000)},
        {"X-Slack-Request-Timestamp": now(+3000)},
    ],
)
def test_a_request_without_a_genuine_fresh_signature_is_refused(
    central: Central, request_: Request, headers: dict[str, str]
) -> None:
    """Unsigned, wrongly signed, recorded and post-dated requests get 401 and a sentence."""
    answer = central.post(click_body(central.slack, request_, "approve", APPROVER), **headers)
    assert answer.status == 401
    assert answer.body.startswith("Not from Slack")
    assert_untouched(central)


def test_a_request_signed_with_another_secret_is_refused(central: Central, request_: Request) -> None:
    """An outsider who knows everything but the signing secret gets nowhere."""
    body = click_body(central.slack, request_, "approve", APPROVER)
    answer = central.post(body, **{"X-Slack-Signature": sign("guessed", now(), body)})
    assert answer.status == 401
    assert_untouched(central)


def test_a_body_altered_after_signing_is_refused(central: Central, request_: Request) -> None:
    """The signature is that of the raw body: deny cannot be made approve."""
    denied = click_body(central.slack, request_, "deny", APPROVER)
    approved = click_body(central.slack, request_, "approve", APPROVER)
    answer = central.post(approved, **{"X-Slack-Signature": sign(SECRET, now(), denied)})
    assert answer.status == 401
    assert_untouched(central)


def test_an_oversized_body_is_refused_before_anything_else(central: Central, request_: Request) -> None:
    """More than a megabyte is no click of ours, signed or not."""
    body = click_body(central.slack, request_, "approve", APPROVER) + b"&x=" + b"x" * LARGEST_BODY
    assert central.post(body).status == 413
    assert_untouched(central)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"type": "view_closed"}, "payload.type"),
        ({"type": "view_submission"}, "payload.view.callback_id"),
        ({"user": {}}, "payload.user.id"),
        ({"actions": []}, "payload.actions"),
        ({"actions": [{"action_id": "explode", "value": "{}"}]}, "payload.actions[0].action_id"),
        ({"actions": [{"action_id": "approve", "value": "{}"}]}, "payload.actions[0].value.requestId"),
        ({"container": {"message_ts": 1}}, "payload.container.message_ts"),
    ],
)
def test_a_signed_but_malformed_click_is_named_by_its_field(
    central: Central, request_: Request, values: dict[str, Any], path: str
) -> None:
    """Malformed input is the sender's mistake: 400 and which field, never 5xx."""
    answer = central.click(request_, **values)
    assert answer.status == 400
    assert path in answer.body
    assert_untouched(central)


@pytest.mark.parametrize("body", [b"", b"payload", b"payload=%ff", b"\xff", b"payload=[]", b"payload=" + b"[" * 50_000])
@pytest.mark.usefixtures("request_")
def test_a_signed_body_that_is_no_click_is_refused(central: Central, body: bytes) -> None:
    """Signed nonsense is 400."""
    assert central.post(body).status == 400
    assert_untouched(central)


def test_other_content_types_and_methods_are_refused(central: Central, request_: Request) -> None:
    """The route takes urlencoded POSTs and nothing else."""
    body = click_body(central.slack, request_, "approve", APPROVER)
    assert central.post(body, **{"Content-Type": "application/json"}).status == 415
    for method in ("get", "put", "delete"):
        answer: HTTPResponse = getattr(central.client.http, method)("/slack/actions")
        assert answer.status_code in (403, 405)
    assert_untouched(central)


def test_a_content_type_with_a_charset_is_the_same_type(central: Central, request_: Request) -> None:
    """Parameters of the content type don't matter."""
    body = click_body(central.slack, request_, "approve", APPROVER)
    answer = central.post(body, **{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert answer.status == 200
    assert central.status() == "approved"


def test_slacks_look_at_the_certificate_gets_an_empty_answer(central: Central) -> None:
    """Slack's ssl_check is not signed like a click and needs no secret."""
    answer = central.post(b"token=x&ssl_check=1", **{"X-Slack-Signature": ""})
    assert (answer.status, answer.body) == (200, "")


def test_the_old_verification_token_is_checked_where_it_is_expected(
    central: Central, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With expectedToken set, a signed click needs the token too."""
    monkeypatch.setenv("expectedToken", "another-token")
    assert central.click(request_).status == 401
    assert central.click(request_, token="té").status == 401
    assert_untouched(central)
    monkeypatch.setenv("expectedToken", "verification-token-secret")
    assert central.click(request_).status == 200
    assert central.status() == "approved"


@pytest.mark.parametrize(
    "who",
    [
        {"team": {"id": "T0666"}},
        {"user": {"id": APPROVER, "team_id": "T0666"}},
        {"team": None, "user": {"id": APPROVER}},
    ],
)
def test_only_the_own_workspace_clicks_where_it_is_set(
    central: Central, request_: Request, monkeypatch: pytest.MonkeyPatch, who: dict[str, Any]
) -> None:
    """With slackTeamId set, neither another workspace nor a guest from one in a shared channel decides."""
    monkeypatch.setenv("slackTeamId", "T0001")
    assert central.click(request_, **who).status == 403
    assert_untouched(central)
    assert central.click(request_).status == 200


@pytest.mark.parametrize("value", ["", "ssm:/security-group-approval/no-such-parameter"])
def test_without_a_signing_secret_no_click_is_taken_and_the_log_names_the_variable(
    central: Central, request_: Request, monkeypatch: pytest.MonkeyPatch, logs: io.StringIO, value: str
) -> None:
    """A missing secret is our problem, not Slack's: 503 for the clicker, the variable's name for operators."""
    monkeypatch.setenv("slackSigningSecret", value)
    answer = central.click(request_)
    assert answer.status == 503
    assert "slackSigningSecret" not in answer.body
    assert "slackSigningSecret" in logs.getvalue()
    monkeypatch.setenv("slackSigningSecret", SECRET)
    assert_untouched(central)


def test_a_slip_in_the_emergency_switch_stops_no_decision(
    central: Central, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who decides does not depend on the mode, so a malformed ``modeOverride`` is no matter of the central app."""
    monkeypatch.setenv("modeOverride", "obsrve")
    assert central.click(request_).status == 200
    assert central.status() == "approved"
    central.sweep(minutes=6)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["type", "user", "team", "token", "container", "response_url", "actions", "message"])
bodies = st.one_of(
    st.binary(max_size=300),
    st.dictionaries(fields, json_values, min_size=1).map(
        lambda values: urlencode({"payload": json.dumps(values)}).encode()
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=bodies, signed=st.booleans(), header=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
)
def test_no_input_leads_to_an_error_of_ours(
    central: Central, request_: Request, body: bytes, header: str, *, signed: bool
) -> None:
    """Whatever is sent, signed or not: a 4xx answer (or Slack's check), no trace of code, nothing posted."""
    answer = central.post(body) if signed else central.post(body, **{"X-Slack-Signature": header})
    assert answer.status in (200, 400, 401)
    assert answer.status != 200 or b"ssl_check" in body
    assert "Traceback" not in answer.body
    assert request_.request_id not in answer.body
    assert central.slack.posts == []


def test_none_of_it_left_a_mark(central: Central, request_: Request) -> None:
    """A refused request is not stored anywhere: the pending one is as it was filed."""
    before = central.item()
    central.post(b"payload=x")
    central.post(click_body(central.slack, request_, "approve", APPROVER), **{"X-Slack-Signature": "v0=0"})
    assert central.item() == before
