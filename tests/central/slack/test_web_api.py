"""Slack's Web API: what is called, what an error means, and that the token goes nowhere else."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest

from central.chalicelib.slack import http, web_api
from central.chalicelib.slack.http import SlackRefusedError, SlackUnavailableError
from central.chalicelib.slack.web_api import PostedMessage
from sandbox.slack.stand_in import API_PATH
from shared.settings import SettingError
from tests.support.slack_stand_in import Reply, SlackStandIn

TOKEN = "xoxb-secret-of-the-bot"
MESSAGE = {"text": "x", "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "x"}}]}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    """A server in Slack's place, with the settings that lead there; no test waits."""
    with SlackStandIn() as stand_in:
        monkeypatch.setenv("slackBotToken", TOKEN)
        monkeypatch.setenv("slackApiUrl", stand_in.url(API_PATH))
        monkeypatch.setattr(http.time, "sleep", lambda _: None)
        yield stand_in


def soon() -> float:
    """A moment some seconds from now."""
    return time.monotonic() + 5


def refused(error: str) -> Reply:
    """What Slack answers where it refuses."""
    return Reply(status=200, body=json.dumps({"ok": False, "error": error}))


def test_a_message_is_posted_and_replaced_where_it_stands(slack: SlackStandIn) -> None:
    """With the token, in the channel; what an update leaves out is gone."""
    posted = web_api.post_message("C0001", MESSAGE, until=soon())
    web_api.update_message(posted, {"text": "y"}, until=soon())
    (first,), (second,) = slack.calls("chat.postMessage"), slack.calls("chat.update")
    assert first.authorization == f"Bearer {TOKEN}"
    assert first.payload == {"channel": "C0001", "unfurl_links": False, **MESSAGE}
    assert second.payload == {"channel": "C0001", "ts": posted.ts, "text": "y", "blocks": [], "attachments": []}


def test_a_reply_goes_to_its_thread(slack: SlackStandIn) -> None:
    """And is shown in the channel only where that is wanted."""
    web_api.post_message("C0001", MESSAGE, until=soon(), thread_ts="1.2")
    assert slack.calls("chat.postMessage")[0].payload["thread_ts"] == "1.2"
    assert slack.calls("chat.postMessage")[0].payload["reply_broadcast"] is False


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "service_unavailable"])
def test_what_may_pass_is_tried_again(slack: SlackStandIn, error: str) -> None:
    """Slack says so in a 200, too."""
    slack.replies[f"{API_PATH}chat.postMessage"].append(refused(error))
    web_api.post_message("C0001", MESSAGE, until=soon())
    assert len(slack.calls("chat.postMessage")) == 1


@pytest.mark.parametrize(
    ("error", "is_about_message"),
    [
        ("token_revoked", False),
        ("missing_scope", False),
        ("is_archived", False),
        ("channel_not_found", False),
        ("invalid_blocks", True),
        ("message_not_found", True),
    ],
)
def test_a_refusal_says_what_it_is_about(slack: SlackStandIn, error: str, is_about_message: bool) -> None:
    """Token and channel fail for every message; the rest for this one."""
    slack.always[f"{API_PATH}chat.update"] = refused(error)
    with pytest.raises(SlackRefusedError, match=error) as caught:
        web_api.update_message(PostedMessage(channel="C0001", ts="1.2"), MESSAGE, until=soon())
    assert (caught.value.code, caught.value.is_about_message) == (error, is_about_message)


def test_an_answer_without_a_place_is_a_refusal(slack: SlackStandIn) -> None:
    """A message that can never be found again is no question."""
    slack.always[f"{API_PATH}chat.postMessage"] = Reply(status=200, body='{"ok": true}')
    with pytest.raises(SlackRefusedError, match="did not say where"):
        web_api.post_message("C0001", MESSAGE, until=soon())


def test_a_modal_has_one_try(slack: SlackStandIn) -> None:
    """Slack waits three seconds for the answer to a click."""
    slack.always[f"{API_PATH}views.open"] = Reply(status=503)
    with pytest.raises(SlackUnavailableError):
        web_api.open_modal("1.2.3", {"type": "modal"}, seconds=1)
    slack.always.clear()
    web_api.open_modal("1.2.3", {"type": "modal"}, seconds=1)
    assert slack.calls("views.open")[0].payload == {"trigger_id": "1.2.3", "view": {"type": "modal"}}


def test_members_of_a_user_group_are_looked_up(slack: SlackStandIn) -> None:
    """Reading methods take a form; an unknown group is a refusal, never an empty one."""
    slack.user_groups["S0001"] = ["U0ADA", "U0BOB"]
    assert web_api.members_of("S0001", until=soon()) == {"U0ADA", "U0BOB"}
    with pytest.raises(SlackRefusedError, match="no_such_subteam"):
        web_api.members_of("S0002", until=soon())


@pytest.mark.parametrize(
    ("user", "is_full"),
    [
        ({"deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False}, True),
        ({"deleted": True, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False}, False),
        ({"deleted": False, "is_bot": True, "is_restricted": False, "is_ultra_restricted": False}, False),
        ({"deleted": False, "is_bot": False, "is_restricted": True, "is_ultra_restricted": False}, False),
        ({"deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": True}, False),
        ({}, False),
        (None, False),
    ],
)
def test_who_is_no_active_full_member_does_not_count(slack: SlackStandIn, user: object, is_full: bool) -> None:
    """Nor does anybody of whom Slack does not say so."""
    known = {**user, "team_id": "T0001"} if isinstance(user, dict) else user
    slack.always[f"{API_PATH}users.info"] = Reply(status=200, body=json.dumps({"ok": True, "user": known}))
    assert web_api.is_full_member("U0ADA", "T0001", until=soon()) is is_full
    assert web_api.is_full_member("U0ADA", "T0002", until=soon()) is False


@pytest.mark.parametrize(
    "url",
    [
        "https://slack.com.evil.example/api/",
        "https://evil.example/slack.com/",
        "http://slack.com/api/",
        "https://slack.com@evil.example/",
        "https://notslack.com/api/",
        "slack.com",
    ],
)
def test_the_token_goes_to_slack_alone(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Any other address is refused before anything is sent; the error does not repeat it."""
    monkeypatch.setenv("slackBotToken", TOKEN)
    monkeypatch.setenv("slackApiUrl", url)
    with pytest.raises(SettingError, match="slackApiUrl is malformed"):
        web_api.post_message("C0001", MESSAGE, until=soon())


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("", "https://slack.com/api/"),
        ("https://slack.com/api", "https://slack.com/api/"),
        ("https://tenant.slack-gov.com/api/", "https://tenant.slack-gov.com/api/"),
        ("http://127.0.0.1:8000/api/", "http://127.0.0.1:8000/api/"),
    ],
)
def test_the_base_address_ends_with_a_slash(monkeypatch: pytest.MonkeyPatch, url: str, used: str) -> None:
    """Whether or not the setting has it."""
    monkeypatch.setenv("slackApiUrl", url)
    assert web_api.api_url() == used


def test_no_error_and_no_log_record_has_the_token(slack: SlackStandIn, caplog: pytest.LogCaptureFixture) -> None:
    """Not even in debug records of the HTTP library."""
    caplog.set_level(logging.DEBUG)
    slack.always[f"{API_PATH}chat.postMessage"] = refused("token_revoked")
    with pytest.raises(SlackRefusedError) as caught:
        web_api.post_message("C0001", MESSAGE, until=soon())
    assert TOKEN not in f"{caught.value!r} {caplog.text}"
