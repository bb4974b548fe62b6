"""Clicks that Slack never sent, or that somebody changed on the way: one table for each kind of forgery.

What is plainly unsigned or malformed stands in ``tests/central/test_refused_requests.py``; who may decide in
``tests/central/test_click.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from central.chalicelib.slack.signature import sign
from shared.domain.request import Request
from tests.shared.slack.test_messages_safety import assert_inert
from tests.support.central_account import APPROVER, SECRET, Central, click_body, make_request
from tests.support.denials import form_of, opened, refusal, submission, use_token

SIGNATURE = "X-Slack-Signature"
TIMESTAMP = "X-Slack-Request-Timestamp"


@pytest.fixture
def request_(central: Central) -> Request:
    """A pending request."""
    request = central.file()
    central.slack.forget()
    return request


def assert_nothing_decided(central: Central, request_id: str = "59dbff89-35bd-4eac-99ed-be587ed825a1") -> None:
    """The request waits as before, and nobody was told to do anything."""
    item = central.item(request_id)
    assert (item["status"], len(item["history"])) == ("pending", 1)
    assert "decidedBy" not in item
    assert "responseUrl" not in item
    assert central.sent("applySecurityGroupChange") == central.sent("denySecurityGroupChange") == []


def now(seconds: int = 0) -> str:
    """Return Slack's timestamp of so many seconds from now."""
    return str(int(datetime.now(UTC).timestamp()) + seconds)


# -- signature and timestamp -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forge",
    [
        lambda genuine: genuine.upper(),
        lambda genuine: genuine.replace("v0=", "v1="),
        lambda genuine: genuine.removeprefix("v0="),
        lambda genuine: genuine[:-1],
        lambda genuine: genuine + "0",
        lambda genuine: f" {genuine}",
        lambda genuine: f"{genuine},{genuine}",
        lambda genuine: "v0=" + genuine[:2:-1],
        lambda _: "v0=",
        lambda _: "v0=\x00",
        lambda _: "v0=" + "\uff41" * 64,
        lambda _: "v0=" + "0" * 100_000,
    ],
)
def test_only_the_very_signature_opens_the_door(
    central: Central, request_: Request, forge: Callable[[str], str]
) -> None:
    """Nothing that resembles the genuine signature is taken for it."""
    body, moment = click_body(central.slack, request_, "approve", APPROVER), now()
    answer = central.post(body, **{TIMESTAMP: moment, SIGNATURE: forge(sign(SECRET, moment, body))})
    assert answer.status == 401
    assert_nothing_decided(central)


@pytest.mark.parametrize(
    "timestamp",
    [
        lambda: f"+{now()}",
        lambda: f"{now()}.0",
        lambda: f" {now()}",
        lambda: f"{now()}\n",
        lambda: f"0x{int(now()):x}",
        lambda: "".join(chr(0x0660 + int(digit)) for digit in now()),  # Arabic digits
        lambda: f"{now()}e0",
        lambda: "-1",
        lambda: "9" * 12,
        lambda: "9" * 5000,
        lambda: "nan",
        lambda: now(-3600),
        lambda: now(+3600),
    ],
)
def test_a_timestamp_in_another_spelling_or_time_is_refused_even_when_it_is_signed(
    central: Central, request_: Request, timestamp: Callable[[], str]
) -> None:
    """A signature made with the genuine secret over a strange time is a recording, or none of Slack's."""
    body, moment = click_body(central.slack, request_, "approve", APPROVER), timestamp()
    answer = central.post(body, **{TIMESTAMP: moment, SIGNATURE: sign(SECRET, moment, body)})
    assert answer.status == 401
    assert_nothing_decided(central)


def test_a_recorded_click_does_not_become_fresh_by_another_timestamp(central: Central, request_: Request) -> None:
    """The time is part of what is signed: whoever replays a click later has to forge the signature too."""
    body, recorded = click_body(central.slack, request_, "approve", APPROVER), now(-3600)
    answer = central.post(body, **{TIMESTAMP: now(), SIGNATURE: sign(SECRET, recorded, body)})
    assert answer.status == 401
    assert_nothing_decided(central)


# -- the HTTP request --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
def test_a_signed_click_by_another_method_is_not_looked_at(central: Central, request_: Request, method: str) -> None:
    """The route knows POST alone, however genuine the rest is."""
    body, moment = click_body(central.slack, request_, "approve", APPROVER), now()
    headers = {TIMESTAMP: moment, SIGNATURE: sign(SECRET, moment, body)}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = central.client.http.request(method.upper(), "/slack/actions", headers=headers, body=body)
    assert answer.status_code in (403, 405)
    assert_nothing_decided(central)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencodedx",
    ],
)
def test_a_signed_click_of_another_content_type_is_not_looked_at(
    central: Central, request_: Request, content_type: str
) -> None:
    """Slack sends forms; a browser tricked into posting something else gets nowhere."""
    body = click_body(central.slack, request_, "approve", APPROVER)
    assert central.post(body, **{"Content-Type": content_type}).status == 415
    assert_nothing_decided(central)


def test_other_paths_do_not_exist(central: Central, request_: Request) -> None:
    """There is one route, and no way around it."""
    body, moment = click_body(central.slack, request_, "approve", APPROVER), now()
    headers = {TIMESTAMP: moment, SIGNATURE: sign(SECRET, moment, body)}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    for path in ("/", "/slack", "/slack/actions/x", "/slack//actions", "/SLACK/ACTIONS", "/slack/actions/../actions"):
        assert central.client.http.post(path, headers=headers, body=body).status_code == 403, path
    assert_nothing_decided(central)


def test_a_click_in_the_address_is_not_looked_at(central: Central, request_: Request) -> None:
    """Only the signed body speaks: a payload in the query, which nobody signed, is nothing."""
    body, moment = b"", now()
    form = click_body(central.slack, request_, "approve", APPROVER).decode()
    headers = {TIMESTAMP: moment, SIGNATURE: sign(SECRET, moment, body)}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    assert central.client.http.post(f"/slack/actions?{form}", headers=headers, body=body).status_code == 400
    assert_nothing_decided(central)


# -- the form ----------------------------------------------------------------------------------------------------------


def test_two_payloads_in_one_form_are_none(central: Central, request_: Request) -> None:
    """Nobody chooses which of two payloads counts."""
    one = click_body(central.slack, request_, "approve", APPROVER)
    other = click_body(central.slack, request_, "deny", APPROVER)
    for body in (one + b"&" + other, other + b"&" + one, one + b"&payload=", b"payload&" + one):
        assert central.post(body).status == 400
    assert_nothing_decided(central)


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "latin-1"])
def test_a_form_in_another_encoding_is_refused(central: Central, request_: Request, charset: str) -> None:
    """UTF-8 is what Slack signs; what another encoding would make of the bytes is not tried."""
    payload = json.dumps({"type": "block_actions", "user": {"id": f"{APPROVER}é"}}, ensure_ascii=False)
    assert central.post(b"payload=" + quote(payload.encode(charset, "replace"), safe="").encode()).status == 400
    assert request_.digest not in central.post(b"payload=%ff%fe").body
    assert_nothing_decided(central)


def test_a_form_of_a_thousand_fields_is_refused(central: Central, request_: Request) -> None:
    """Parsing costs no more than a click is worth."""
    body = click_body(central.slack, request_, "approve", APPROVER) + b"&a=1" * 1000
    assert central.post(body).status == 400
    assert_nothing_decided(central)


# -- the payload -------------------------------------------------------------------------------------------------------

STRANGE = (None, True, 0, 1.5, "", " ", "x", [], [[]], {}, {"x": 1}, "\ud800", "x" * 3000, "\x00", 10**400)
DECISIVE = (
    ("type",),
    ("user",),
    ("user", "id"),
    ("actions",),
    ("actions", 0),
    ("actions", 0, "action_id"),
    ("actions", 0, "value"),
)
INCIDENTAL = (
    ("user", "username"),
    ("user", "team_id"),
    ("team",),
    ("team", "id"),
    ("token",),
    ("container",),
    ("container", "message_ts"),
    ("channel",),
    ("message",),
    ("response_url",),
    ("trigger_id",),
)


def payload_of(central: Central, request: Request, path: tuple[str | int, ...], value: object) -> bytes:
    """Return a click with one value in its payload replaced."""
    from urllib.parse import parse_qs

    payload = json.loads(parse_qs(click_body(central.slack, request, "approve", APPROVER).decode())["payload"][0])
    inner: Any = payload
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return urlencode({"payload": json.dumps(payload)}).encode()


@pytest.mark.parametrize("path", DECISIVE)
def test_nothing_strange_in_a_decisive_field_is_a_click(
    central: Central, request_: Request, path: tuple[str | int, ...]
) -> None:
    """Type, clicker, action and value are what they have to be, or the answer is 400 with the field's path."""
    for value in STRANGE:
        answer = central.post(payload_of(central, request_, path, value))
        assert answer.status == 400, (path, value)
        assert answer.body.startswith("Not a click on one of our buttons: payload"), value
    assert_nothing_decided(central)


@pytest.mark.parametrize("path", INCIDENTAL)
def test_something_strange_in_an_incidental_field_is_no_error_of_ours(
    central: Central, request_: Request, path: tuple[str | int, ...]
) -> None:
    """Fields that decide nothing may be odd: the click is refused or taken, and never answered with 5xx."""
    for value in STRANGE:
        answer = central.post(payload_of(central, request_, path, value))
        assert answer.status in (200, 400), (path, value)
    assert central.status() in ("pending", "approved")


VALUES: tuple[Callable[[Request, Request], object], ...] = (
    lambda one, other: {"requestId": one.request_id, "digest": other.digest},
    lambda one, other: {"requestId": other.request_id, "digest": one.digest},
    lambda one, _: {"requestId": one.request_id, "digest": one.digest.upper()},
    lambda one, _: {"requestId": one.request_id, "digest": one.digest[:-1]},
    lambda one, _: {"requestId": one.request_id, "digest": ""},
    lambda one, _: {"requestId": one.request_id, "digest": {"S": one.digest}},
    lambda one, _: {"requestId": one.request_id},
    lambda one, _: {"digest": one.digest},
    lambda one, _: {"requestId": [one.request_id], "digest": one.digest},
    lambda one, _: {"requestId": f"{one.request_id} ", "digest": one.digest},
    lambda one, _: {"requestId": one.request_id.upper(), "digest": one.digest},
    lambda one, _: {"requestId": f"request#{one.request_id}", "digest": one.digest},
    lambda one, _: [one.request_id, one.digest],
    lambda one, _: one.request_id,
)


@pytest.mark.parametrize("value", VALUES)
def test_a_button_with_an_altered_value_decides_neither_request(
    central: Central, request_: Request, value: Callable[[Request, Request], object]
) -> None:
    """Id and digest belong together: a signed click with any other pair changes nothing of either request."""
    other = central.file(make_request("11111111-35bd-4eac-99ed-be587ed825a1"))
    action = {"action_id": "approve", "type": "button", "value": json.dumps(value(request_, other))}
    assert central.click(request_, actions=[action]).status in (200, 400)
    assert_nothing_decided(central)
    assert_nothing_decided(central, other.request_id)


def test_several_actions_in_one_click_are_none(central: Central, request_: Request) -> None:
    """Neither both buttons at once nor one button twice is a decision."""
    value = json.dumps({"requestId": request_.request_id, "digest": request_.digest})
    actions = [{"action_id": name, "type": "button", "value": value} for name in ("approve", "deny", "approve")]
    assert central.click(request_, actions=actions).status == 400
    assert central.click(request_, actions=actions[::2]).status == 400
    assert_nothing_decided(central)


@pytest.mark.parametrize("name", ["APPROVE", "approve ", "approve\x00", "\uff41pprove", "approve_all", "toString"])
def test_an_action_that_is_not_ours_is_refused(central: Central, request_: Request, name: str) -> None:
    """There are two buttons, and their names are exact."""
    assert central.click(request_, name).status == 400
    assert_nothing_decided(central)


@pytest.mark.parametrize(
    "user", [f"{APPROVER} ", APPROVER.lower(), f"{APPROVER}\n", f"<@{APPROVER}>", "B061F7AUR", "policy", "sweep", "*"]
)
def test_nobody_becomes_an_approver_by_resembling_one(
    central: Central, request_: Request, policy: Callable[[str], None], user: str
) -> None:
    """User ids are compared as they are, and what is no user id is refused; names decide nothing."""
    policy(f'approvers = ["{APPROVER}"]')
    who = {"id": user, "username": APPROVER, "name": APPROVER, "team_id": "T0001"}
    assert central.click(request_, user=who).status == 400
    stranger = {**who, "id": "U0666"}
    assert central.click(request_, user=stranger).status == 200
    assert_nothing_decided(central)


# -- the modal ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def view(central: Central, request_: Request, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The modal for the pending request."""
    use_token(central.slack, monkeypatch)
    central.click(request_, "deny")
    return opened(central)


@pytest.mark.parametrize(
    ("altered", "sentence"),
    [
        ({"requestId": "another"}, "This request is not known here."),
        ({"requestId": "batch#another"}, "This batch is not known here."),
        ({"digest": "0" * 64}, "does not belong to the request as it is stored"),
        ({"digest": "0"}, "does not fit any request"),
        ({"digest": None}, "does not fit any request"),
        ({"requestId": ["x"]}, "does not fit any request"),
        ({"requestId": "\ud800"}, "does not fit any request"),
    ],
)
def test_a_modal_for_something_else_denies_nothing(
    central: Central, view: dict[str, Any], altered: dict[str, Any], sentence: str
) -> None:
    """What it carries counts only if the stored request agrees; whoever submits it is told."""
    carried = json.dumps(json.loads(view["private_metadata"]) | altered)
    answer = central.post(form_of(submission({**view, "private_metadata": carried}, "no")))
    assert sentence in refusal(answer)
    assert_nothing_decided(central)


def test_an_unsigned_or_recorded_submission_denies_nothing(central: Central, view: dict[str, Any]) -> None:
    """The modal comes in by the same door as a click."""
    body, recorded = form_of(submission(view, "no")), now(-3600)
    for headers in (
        {SIGNATURE: "v0=" + "0" * 64},
        {TIMESTAMP: recorded, SIGNATURE: sign(SECRET, recorded, body)},
        {SIGNATURE: sign("another", now(), body)},
    ):
        assert central.post(body, **headers).status == 401
    assert_nothing_decided(central)


def test_a_submission_from_another_workspace_denies_nothing(
    central: Central, view: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the workspace is fixed, both the modal's and the sender's have to be that one."""
    monkeypatch.setenv("slackTeamId", "T0001")
    for values in ({"team": {"id": "T0666"}}, {"user": {"id": APPROVER, "team_id": "T0666"}}, {"team": None}):
        foreign = submission(view, "no", **values)
        if values == {"team": None}:
            foreign["user"] = {"id": APPROVER}
        assert central.post(form_of(foreign)).status == 403
    assert_nothing_decided(central)


def test_a_submitted_address_is_used_only_on_slacks_host(central: Central, view: dict[str, Any]) -> None:
    """Whoever could change what the modal carries learns nothing by it; the denial counts as such."""
    carried = json.loads(view["private_metadata"]) | {"responseUrl": central.slack.url("/x").replace("http:", "ftp:")}
    central.slack.forget()
    assert refusal(central.post(form_of(submission({**view, "private_metadata": json.dumps(carried)}, "no")))) == ""
    assert central.slack.posts == []
    assert (central.status(), "responseUrl" in central.item()) == ("denied", False)


def test_the_same_submission_again_is_told_who_decided(central: Central, view: dict[str, Any]) -> None:
    """A replay within the window finds the request decided, by its own sender."""
    body = form_of(submission(view, "no"))
    assert refusal(central.post(body)) == ""
    before = central.item()
    assert "Denied by grace" in refusal(central.post(body))
    assert central.item() == before


def test_a_reason_cannot_mention_or_link(central: Central, view: dict[str, Any]) -> None:
    """It is somebody's own text, in every message that shows it."""
    central.post(form_of(submission(view, "<!channel> <https://evil.example|ok> *x* `y` @here &lt;!here&gt;")))
    for message in central.sent("denySecurityGroupChange"):
        central.deliver(message, to="denySecurityGroupChange")
    assert central.status() == "denied"
    for post in (*central.responses, *central.monitoring):
        assert_inert(post.payload)
