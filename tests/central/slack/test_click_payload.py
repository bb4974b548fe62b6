"""Clicks: Slack's form body as a typed value, and every malformed one named by its field."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.chalicelib.slack.click_payload import Click, ClickError, SubmissionError, is_ssl_check, read_click

DIGEST = "ab" * 32


def payload(**values: Any) -> dict[str, Any]:
    """Return a click's payload as Slack sends it; values replace parts of it, ``None`` takes them out."""
    value = json.dumps({"requestId": "r-1", "digest": DIGEST})
    full = {
        "type": "block_actions",
        "user": {"id": "U061F7AUR", "username": "grace", "name": "grace", "team_id": "T0001"},
        "team": {"id": "T0001", "domain": "example"},
        "token": "old",
        "container": {"type": "message", "message_ts": "1727740800.000100", "channel_id": "C1"},
        "response_url": "https://hooks.slack.com/actions/T0001/1/x",
        "trigger_id": "1.2.3",
        "actions": [{"action_id": "approve", "type": "button", "value": value}],
    }
    return {key: one for key, one in (full | values).items() if one is not None}


def body(document: Any) -> bytes:
    """Return the form body that carries a payload."""
    return urlencode({"payload": json.dumps(document)}).encode()


def button(action_id: str = "deny", **values: Any) -> list[dict[str, Any]]:
    """Return the actions of a click whose button value is replaced in parts."""
    value = {"requestId": "r-1", "digest": DIGEST} | values
    return [{"action_id": action_id, "value": json.dumps(value)}]


def test_a_click_is_read_with_who_and_what() -> None:
    """User, teams, button, address and message come out of the payload."""
    assert read_click(body(payload())) == Click(
        request_id="r-1",
        digest=DIGEST,
        approving=True,
        user_id="U061F7AUR",
        user_name="grace",
        team_ids=("T0001",),
        token="old",
        response_url="https://hooks.slack.com/actions/T0001/1/x",
        message_ts="1727740800.000100",
        channel_id="C1",
        trigger_id="1.2.3",
    )


def test_a_click_needs_no_more_than_user_and_button() -> None:
    """What is only for convenience may be missing."""
    sparse = payload(
        user={"id": "W1"}, team=None, token=None, container=None, response_url=None, trigger_id=None, actions=button()
    )
    assert read_click(body(sparse)) == Click(request_id="r-1", digest=DIGEST, approving=False, user_id="W1")


@pytest.mark.parametrize(
    ("action_id", "hours", "read"),
    [
        ("approve", None, None),
        ("approve_for_8", 8, 8.0),
        ("approve_for_0.5", 0.5, 0.5),
        ("approve", 8, 8.0),
        ("approve_for_8", 9, 9.0),  # the value counts, never the name of the button
        ("deny", 8, None),
    ],
)
def test_hours_are_part_of_the_value(action_id: str, hours: float | None, read: float | None) -> None:
    """For how many a click approves; whether they are offered is judged later."""
    click = read_click(body(payload(actions=button(action_id, hours=hours))))
    assert (click.approving, click.hours) == (action_id != "deny", read)


@pytest.mark.parametrize("hours", [None, "", 0, -8, "8", 8761, float("inf"), float("nan"), True, [8], 10**400])
def test_hours_of_another_form_are_named(hours: object) -> None:
    """Left out, they do not mean for good."""
    with pytest.raises(ClickError) as caught:
        read_click(body(payload(actions=button("approve_for_8", hours=hours))))
    assert caught.value.path == "payload.actions[0].value.hours"


def test_both_workspaces_of_a_shared_channel_are_seen() -> None:
    """In a channel shared between organisations, the clicker's own workspace is not the message's."""
    click = read_click(body(payload(user={"id": "U1", "team_id": "T0666"})))
    assert click.team_ids == ("T0001", "T0666")


def test_what_the_message_says_has_no_influence() -> None:
    """The clicked message is what the client shows; nothing is read from it."""
    forged = {"text": "other", "blocks": [{"type": "actions"}]}
    assert read_click(body(payload(message=forged))) == read_click(body(payload()))


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"type": "view_closed"}, "payload.type"),
        ({"type": "view_submission"}, "payload.view.callback_id"),
        ({"type": None}, "payload.type"),
        ({"user": None}, "payload.user.id"),
        ({"user": "U1"}, "payload.user"),
        ({"user": {"id": "<!channel>"}}, "payload.user.id"),
        ({"user": {"id": ["U1"]}}, "payload.user.id"),
        ({"user": {"id": "U1", "username": "\ud800"}}, "payload.user.username"),
        ({"team": ["T1"]}, "payload.team"),
        ({"actions": None}, "payload.actions"),
        ({"actions": []}, "payload.actions"),
        ({"actions": button() * 2}, "payload.actions"),
        ({"actions": "approve"}, "payload.actions"),
        ({"actions": [{"action_id": "explode", "value": "{}"}]}, "payload.actions[0].action_id"),
        ({"actions": [{"action_id": "approve"}]}, "payload.actions[0].value"),
        ({"actions": [{"action_id": "approve", "value": "not json"}]}, "payload.actions[0].value"),
        ({"actions": [{"action_id": "approve", "value": "[" * 1900}]}, "payload.actions[0].value"),
        ({"actions": [{"action_id": "approve", "value": "[]"}]}, "payload.actions[0].value"),
        ({"actions": button(requestId=None)}, "payload.actions[0].value.requestId"),
        ({"actions": button(requestId="x" * 256)}, "payload.actions[0].value.requestId"),
        ({"actions": button(requestId=1)}, "payload.actions[0].value.requestId"),
        ({"actions": button(requestId="\udfff")}, "payload.actions[0].value.requestId"),
        ({"actions": button(digest="AB" * 32)}, "payload.actions[0].value.digest"),
        ({"actions": button(digest=DIGEST + "\n")}, "payload.actions[0].value.digest"),
        ({"container": {"message_ts": "now"}}, "payload.container.message_ts"),
        ({"container": {"channel_id": "<!channel>"}}, "payload.container.channel_id"),
        ({"actions": button("ask_one_by_one")}, "payload.actions[0].action_id"),
        ({"actions": button("deny_without_reason", responseUrl=1)}, "payload.actions[0].value.responseUrl"),
        ({"trigger_id": []}, "payload.trigger_id"),
        ({"response_url": 1}, "payload.response_url"),
        ({"response_url": "x" * 2001}, "payload.response_url"),
        ({"token": {}}, "payload.token"),
    ],
)
def test_a_malformed_click_is_named_by_its_field(values: dict[str, Any], path: str) -> None:
    """Every field that is read and wrong is an error that says where."""
    with pytest.raises(ClickError) as caught:
        read_click(body(payload(**values)))
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"payload=",
        b"payload=%ff",
        b"\xff\xfe",
        b"payload={}&payload={}",
        b"payload=null",
        b"payload=[]",
        b"payload=" + b"[" * 100_000,
        b"payload=" + b"9" * 5000,
        b"&".join(b"a%d=1" % number for number in range(30)),
        b"text=hello",
    ],
)
def test_a_body_that_is_no_click_is_an_error_and_nothing_else(raw: bytes) -> None:
    """Bodies that are no form, no JSON or no object are refused, whatever they are."""
    with pytest.raises(ClickError):
        read_click(raw)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    """Arbitrary bytes are a click or a ClickError."""
    with pytest.raises(ClickError):
        read_click(b"payload=" + raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(payload())), json_values))
def test_no_json_breaks_the_reader(values: dict[str, Any]) -> None:
    """A click any part of which is replaced by arbitrary JSON is a click or a ClickError."""
    try:
        read_click(body(payload() | values))
    except ClickError as error:
        path = error.path
    else:
        path = "payload"
    assert path.startswith("payload")


# -- the modal ---------------------------------------------------------------------------------------------------------


def submitted(metadata: Any = None, reason: Any = "no need", **values: Any) -> dict[str, Any]:
    """Return a submission's payload; ``metadata`` replaces parts of what the modal carries, ``values`` the rest."""
    carried = {"requestId": "r-1", "digest": DIGEST, "channel": "C1", "ts": "1.2", "responseUrl": "https://x.example"}
    text = metadata if isinstance(metadata, str) else json.dumps(carried | (metadata or {}))
    state = {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}}
    view = {"callback_id": "denial", "private_metadata": text, "state": state}
    full = {"type": "view_submission", "user": {"id": "U1", "team_id": "T0001"}, "team": {"id": "T0001"}, "view": view}
    return full | values


def test_a_submission_is_read_with_what_the_modal_carries() -> None:
    """Who, why, and the message that was clicked; it never approves."""
    assert read_click(body(submitted(reason=" not\n needed\t now "))) == Click(
        request_id="r-1",
        digest=DIGEST,
        approving=False,
        reason="not needed now",
        is_submission=True,
        user_id="U1",
        team_ids=("T0001",),
        response_url="https://x.example",
        message_ts="1.2",
        channel_id="C1",
    )


@pytest.mark.parametrize("reason", [None, "", "  \n "])
def test_an_empty_reason_is_none(reason: str | None) -> None:
    """Slack sends null where nothing was typed."""
    assert read_click(body(submitted(reason=reason))).reason == ""


@pytest.mark.parametrize(
    ("payload_", "path"),
    [
        (submitted("not json"), "payload.view.private_metadata"),
        (submitted("[]"), "payload.view.private_metadata"),
        (submitted("x" * 3001), "payload.view.private_metadata"),
        (submitted({"requestId": None}), "payload.view.private_metadata.requestId"),
        (submitted({"digest": "AB" * 32}), "payload.view.private_metadata.digest"),
        (submitted({"ts": "now"}), "payload.view.private_metadata.ts"),
        (submitted({"channel": "#general"}), "payload.view.private_metadata.channel"),
        (submitted({"responseUrl": 1}), "payload.view.private_metadata.responseUrl"),
        (submitted(reason=["x"]), "payload.view.state.values.reason.reason.value"),
        (submitted(reason="\ud800"), "payload.view.state.values.reason.reason.value"),
        (submitted(user={"id": "grace"}), "payload.user.id"),
        (submitted(user=None), "payload.user.id"),
    ],
)
def test_a_malformed_submission_is_named_by_its_field(payload_: dict[str, Any], path: str) -> None:
    """It is answered in the modal, which is ours."""
    with pytest.raises(SubmissionError) as caught:
        read_click(body(payload_))
    assert caught.value.path == path


@pytest.mark.parametrize("view", [None, [], {}, {"callback_id": "other"}, {"callback_id": ["denial"]}])
def test_a_submission_of_another_modal_is_no_click(view: object) -> None:
    """Only the modal for denials is ours."""
    with pytest.raises(ClickError) as caught:
        read_click(body(submitted(view=view)))
    assert not isinstance(caught.value, SubmissionError)


def test_an_offer_carries_where_the_question_is() -> None:
    """Its own address is only for taking it away."""
    click = read_click(
        body(payload(actions=button("deny_without_reason", ts="1.2", channel="C2", responseUrl="https://x.example")))
    )
    assert (click.is_offer, click.approving, click.reason) == (True, False, "")
    assert (click.message_ts, click.channel_id, click.response_url) == ("1.2", "C2", "https://x.example")
    assert click.offer_url == "https://hooks.slack.com/actions/T0001/1/x"


def test_a_withdrawal_is_neither_approval_nor_denial() -> None:
    """By its own button."""
    click = read_click(body(payload(actions=button("withdraw"))))
    assert (click.withdrawing, click.approving) == (True, False)


def test_slacks_look_at_the_certificate_is_recognised() -> None:
    """A form with ssl_check=1 and no payload is Slack's certificate check; with a payload it is not."""
    assert is_ssl_check(b"ssl_check=1&token=x")
    assert not is_ssl_check(b"ssl_check=1&payload=%7B%7D")
    assert not is_ssl_check(b"ssl_check=0")
    assert not is_ssl_check(b"\xff")
