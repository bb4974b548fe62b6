"""Posting to Slack: patience with a busy Slack, none with a dead webhook, and never an address in an error."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from urllib3.util import connection

from central.chalicelib.slack import http
from central.chalicelib.slack.webhook import (
    SlackError,
    SlackRefusedError,
    SlackUnavailableError,
    hook_url,
    is_response_url,
    post,
    post_once,
)
from shared.settings import SettingError
from tests.support.slack_stand_in import OK, Reply, SlackStandIn

PATH = "/services/T1/B1/secret-of-the-hook"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A server in Slack's place."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits; how long each pause would have been is written down, and the clock goes on by that."""
    slept: list[float] = []
    real = time.monotonic
    monkeypatch.setattr(http.time, "sleep", slept.append)
    monkeypatch.setattr(http.time, "monotonic", lambda: real() + sum(slept))
    return slept


def in_seconds(seconds: float) -> float:
    """Return the moment that many seconds from now."""
    return http.time.monotonic() + seconds


def test_a_message_arrives_as_it_was_given(slack: SlackStandIn) -> None:
    """The payload is posted as JSON, once."""
    post(slack.url(PATH), {"text": "häöå"}, until=in_seconds(5))
    assert [one.payload for one in slack.posts] == [{"text": "häöå"}]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_or_broken_slack_is_asked_again(slack: SlackStandIn, status: int) -> None:
    """429 and 5xx are tried again until Slack takes the message."""
    slack.replies[PATH].extend([Reply(status=status), Reply(status=status)])
    post(slack.url(PATH), {"text": "x"}, until=in_seconds(30))
    assert len(slack.posts) == 1


def test_slacks_wish_to_be_left_alone_is_respected(slack: SlackStandIn, pauses: list[float]) -> None:
    """After 429 nothing is posted before Retry-After, given in seconds or as a date, is over."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    slack.replies[PATH].extend(
        [Reply(status=429, headers={"Retry-After": "7"}), Reply(status=429, headers={"Retry-After": date})]
    )
    post(slack.url(PATH), {"text": "x"}, until=in_seconds(60))
    assert pauses[0] == 7
    assert 15 < pauses[1] <= 20


def test_pauses_grow_where_slack_names_none(slack: SlackStandIn, pauses: list[float]) -> None:
    """Without a Retry-After that can be read, each pause is twice the one before, up to eight seconds."""
    slack.replies[PATH].extend([Reply(status=500, headers={"Retry-After": "soon"}), *[Reply(status=500)] * 5])
    post(slack.url(PATH), {"text": "x"}, until=in_seconds(60))
    assert pauses == [0.5, 1, 2, 4, 8, 8]


def test_a_slack_that_asks_for_no_pause_is_not_hammered(slack: SlackStandIn, pauses: list[float]) -> None:
    """``Retry-After: 0`` does not shorten our own pauses."""
    slack.always[PATH] = Reply(status=429, headers={"Retry-After": "0"})
    with pytest.raises(SlackUnavailableError):
        post(slack.url(PATH), {"text": "x"}, until=in_seconds(4))
    assert pauses == [0.5, 1, 2]


def test_retries_after_repeated_429_are_spread_over_longer_times(slack: SlackStandIn, pauses: list[float]) -> None:
    """In a burst hundreds are told to wait for the same second: they must not all try again each second."""
    slack.replies[PATH].extend([Reply(status=429, headers={"Retry-After": "1"})] * 5)
    post(slack.url(PATH), {"text": "x"}, until=in_seconds(60))
    assert pauses == [1, 1, 2, 4, 8]


def test_a_pause_that_does_not_fit_ends_it_at_once(slack: SlackStandIn, pauses: list[float]) -> None:
    """When Slack wants to be left alone for longer than there is time, nobody waits for nothing."""
    slack.always[PATH] = Reply(status=429, headers={"Retry-After": "120"})
    with pytest.raises(SlackUnavailableError, match="Slack answered 429"):
        post(slack.url(PATH), {"text": "x"}, until=in_seconds(30))
    assert pauses == []


def test_a_clock_that_stands_still_does_not_make_it_endless(
    slack: SlackStandIn, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses are counted as well: who stops the clock to look at another day is not left waiting for ever."""
    monkeypatch.setattr(http.time, "monotonic", lambda: 100.0)
    slack.always[PATH] = Reply(status=503)
    with pytest.raises(SlackUnavailableError):
        post(slack.url(PATH), {"text": "x"}, until=104.0)
    assert pauses == [0.5, 1, 2]


def test_one_try_is_made_even_without_time(slack: SlackStandIn) -> None:
    """A message for which the time is up already gets its one try."""
    post(slack.url(PATH), {"text": "x"}, until=in_seconds(-10))
    assert len(slack.posts) == 1


@pytest.mark.parametrize(
    ("status", "body", "code", "is_about_message"),
    [
        (400, "invalid_blocks", "invalid_blocks", True),
        (413, "", "no code", True),
        (403, "action_prohibited", "action_prohibited", False),
        (404, "no_service\n", "no_service", False),
        (410, "channel_is_archived", "channel_is_archived", False),
        (302, "<html>sign in at https://x</html>", "no code", False),
    ],
)
def test_a_refusal_is_final_and_named(
    slack: SlackStandIn, status: int, body: str, code: str, *, is_about_message: bool
) -> None:
    """Every other answer is no use repeating; Slack's code is kept, and whose fault it is."""
    slack.replies[PATH].append(Reply(status=status, body=body, headers={"Location": "/elsewhere"}))
    with pytest.raises(SlackRefusedError) as caught:
        post(slack.url(PATH), {"text": "x"}, until=in_seconds(30))
    assert caught.value.code == code
    assert caught.value.is_about_message is is_about_message
    assert slack.posts == []


@pytest.mark.parametrize("body", ['{"ok": false, "error": "expired_url"}', '{"ok":false,"error":"expired_url"}'])
def test_a_refusal_in_a_good_answers_body_is_one(slack: SlackStandIn, body: str) -> None:
    """A 200 that says ``"ok": false`` has shown nothing to anybody."""
    slack.replies[PATH].append(Reply(status=200, body=body))
    with pytest.raises(SlackRefusedError, match="expired_url"):
        post(slack.url(PATH), {"text": "x"}, until=in_seconds(30))


@pytest.mark.parametrize("body", ["", "ok", "{", '{"ok": true}', "{}"])
def test_every_other_body_of_a_good_answer_is_one(slack: SlackStandIn, body: str) -> None:
    """A message that Slack took is not posted again because of what the answer says."""
    slack.replies[PATH].append(Reply(status=200, body=body))
    post(slack.url(PATH), {"text": "x"}, until=in_seconds(30))
    assert len(slack.posts) == 1


def test_a_dead_connection_is_tried_again_and_then_told() -> None:
    """Where nobody listens, the error says so after the time is up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SlackUnavailableError, match="could not be reached"):
        post(f"http://127.0.0.1:{port}{PATH}", {"text": "x"}, until=in_seconds(3))


def test_one_bounded_try_gives_up_on_a_slow_slack(slack: SlackStandIn) -> None:
    """The click's answer does not wait for a Slack that does not answer."""
    answer = threading.Event()
    slack.replies[PATH].append(Reply(status=200, before=lambda: answer.wait(30) and None))
    try:
        with pytest.raises(SlackUnavailableError, match="ReadTimeout"):
            post_once(slack.url(PATH), {"text": "x"}, seconds=0.2)
    finally:
        answer.set()


def test_one_bounded_try_gives_up_on_an_answer_that_comes_byte_by_byte() -> None:
    """Bytes that trickle in do not prolong the wait: the click has to be answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()
        trickling = threading.Thread(target=_trickle, args=(server, done))
        trickling.start()
        try:
            with pytest.raises(SlackUnavailableError, match="took too long"):
                post_once(f"http://127.0.0.1:{server.getsockname()[1]}{PATH}", {"text": "x"}, seconds=0.2)
        finally:
            done.set()
            trickling.join()


def _trickle(server: socket.socket, done: threading.Event) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not done.wait(0.02):
            connection.sendall(b"x")


def test_a_message_that_nobody_waits_for_is_not_sent_any_more(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the connection stands too late, "Processing…" could land on top of the result; so it stays unsent."""
    ready = threading.Event()
    original = connection.create_connection

    def late(*args: Any, **kwargs: Any) -> socket.socket:
        ready.wait(30)
        return original(*args, **kwargs)

    monkeypatch.setattr(connection, "create_connection", late)
    with pytest.raises(SlackUnavailableError, match="took too long"):
        post_once(slack.url(PATH), {"text": "x"}, seconds=0.2)
    ready.set()
    (sending,) = [thread for thread in threading.enumerate() if thread.name.endswith("(send)")]
    sending.join()
    assert slack.posts == []


def test_one_bounded_try_is_not_repeated(slack: SlackStandIn) -> None:
    """A single try that fails is over."""
    slack.replies[PATH].extend([Reply(status=503), OK])
    with pytest.raises(SlackUnavailableError):
        post_once(slack.url(PATH), {"text": "x"}, seconds=1)
    assert len(slack.replies[PATH]) == 1


def test_no_error_and_no_record_contains_the_address(slack: SlackStandIn, caplog: pytest.LogCaptureFixture) -> None:
    """Neither errors with all their causes nor the HTTP library's debug records repeat what is secret in an address."""
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as server:
        dead = f"http://127.0.0.1:{server.getsockname()[1]}{PATH}"
    slack.replies[PATH].extend([Reply(status=404, body="no_service"), Reply(status=500)])
    for url in (dead, slack.url(PATH), slack.url(PATH)):
        with pytest.raises(SlackError) as caught:
            post(url, {"text": "x"}, until=in_seconds(0))
        assert "secret-of-the-hook" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None
    assert "secret-of-the-hook" not in caplog.text


@pytest.mark.parametrize(
    "url",
    ["https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x"],
)
def test_a_webhook_is_https_or_on_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """https addresses are taken, and http for loopback hosts."""
    monkeypatch.setenv("approvalHookUrl", url)
    assert hook_url("approvalHookUrl") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/T/B/x",
        "ftp://127.0.0.1/x",
        "hooks.example.com/services",
        "https:///services",
        "https://user:password@hooks.slack.com/x",
        "https://hooks.slack.com:port/x",
        "https://hooks.slack.com/ x",
        "file:///etc/passwd",
    ],
)
def test_a_malformed_webhook_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Other addresses are an error that names the variable and keeps the value to itself."""
    monkeypatch.setenv("monitoringHookUrl", url)
    with pytest.raises(SettingError, match="monitoringHookUrl is malformed") as caught:
        hook_url("monitoringHookUrl")
    assert url not in str(caught.value)


@pytest.mark.parametrize("url", ["https://hooks.slack.com/actions/T/1/x", "https://HOOKS.slack.com:443/actions/T/1/x"])
def test_slacks_own_response_url_is_used(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Slack's address needs no setting to be believed."""
    monkeypatch.delenv("approvalHookUrl", raising=False)
    assert is_response_url(url)


def test_the_server_of_the_approval_webhook_is_used_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack for governments, and the sandbox, have other hosts: the one that approvalHookUrl names, port and all."""
    monkeypatch.setenv("approvalHookUrl", "http://127.0.0.1:8080/services/T/B/x")
    assert is_response_url("http://127.0.0.1:8080/actions/1")
    assert is_response_url("http://127.0.0.1:8081/actions/1")
    assert is_response_url("http://localhost:8081/actions/1")
    assert not is_response_url("http://169.254.169.254/actions/1")
    assert not is_response_url("https://127.0.0.1:8080/actions/1")
    monkeypatch.setenv("approvalHookUrl", "https://hooks.slack-gov.com/services/T/B/x")
    assert is_response_url("https://hooks.slack-gov.com/actions/1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://hooks.slack.com/actions",
        "https://hooks.slack.com.evil.example/actions",
        "https://evil.example/?https://hooks.slack.com/",
        "https://hooks.slack.com@evil.example/actions",
        "https://hooks.slack.com:8443/actions",
        "https://evil.example\\@hooks.slack.com/actions",
        "https://hooks.slack.com\\@evil.example/actions",
        "https://hooks.slack.com\t.evil.example/",
        "https://hooks.slack.com:x/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "https://hooĸs.slack.com/",
        "//hooks.slack.com/actions",
        "file:///etc/passwd",
    ],
)
def test_no_request_goes_to_a_strange_response_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whatever a click says, nothing inside or outside this network is called on its word."""
    monkeypatch.setenv("approvalHookUrl", "https://hooks.slack.com/services/T/B/x")
    assert not is_response_url(url)
    monkeypatch.delenv("approvalHookUrl")
    assert not is_response_url(url)


def test_what_nobody_foresaw_is_raised_where_it_is_heard(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sending thread takes no error with it: a defect must not look like a slow Slack."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("requests.Session.post", fail)
    with pytest.raises(ZeroDivisionError):
        post_once(slack.url(PATH), {"text": "x"}, seconds=5)
