"""The Slack stand-in refuses what Slack refuses, shows what was sent, and clicks as Slack does."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from slack_sdk.models.blocks import Block
from slack_sdk.signature import SignatureVerifier
from werkzeug.wrappers import Request, Response

from sandbox.errors import SandboxError
from sandbox.faults import Faults
from sandbox.serving import ServerThread
from sandbox.slack.clicks import Clicker, ClickSettings
from sandbox.slack.server import SlackServer
from sandbox.slack.text import lines_of
from sandbox.slack.validation import PayloadError, check_message
from sandbox.slack.workspace import Message, SlackUser, SlackWorkspace
from sandbox.timeline import FaultStruck, SlackRefused, Timeline

GRACE = SlackUser(id="U1", username="grace", name="Grace", is_approver=True)
SECRET = "a-signing-secret"


def text(words: str, kind: str = "mrkdwn") -> dict[str, Any]:
    """A text object."""
    return {"type": kind, "text": words}


def section(words: str = "words") -> dict[str, Any]:
    """A section with text."""
    return {"type": "section", "text": text(words)}


def button(label: str = "Deny", **more: Any) -> dict[str, Any]:
    """A button."""
    return {"type": "button", "text": text(label, "plain_text"), "action_id": label, "value": "v", **more}


def actions(*buttons: dict[str, Any]) -> dict[str, Any]:
    """A block of buttons."""
    return {"type": "actions", "elements": list(buttons)}


CONFIRM = {
    "title": text("Sure?", "plain_text"),
    "text": text("It happens."),
    "confirm": text("Yes", "plain_text"),
    "deny": text("No", "plain_text"),
}
GOOD: dict[str, Any] = {
    "text": "A change by <someone>",
    "blocks": [
        {"type": "header", "text": text("A *change*", "plain_text")},
        section("*Add* 1 rule &amp; more, <!date^1392734382^{date}|Feb 18> by <@U1> <https://a.example|there>"),
        {"type": "section", "fields": [text("Group"), text("web"), text("*Region*\neu-west-1"), text("x:\ny")]},
        {"type": "divider"},
        {"type": "context", "elements": [text("request 1"), text("by API")]},
        actions(button("Approve Add", style="primary", confirm=CONFIRM), button("Deny", style="danger")),
    ],
    "attachments": [{"color": "#f98c3e", "blocks": [{"type": "context", "elements": [text("Pending")]}]}],
}


class World:
    """A workspace, Slack's addresses, and an app that keeps the clicks it gets."""

    def __init__(self) -> None:
        """Begin empty."""
        self.timeline, self.faults = Timeline(), Faults()
        self.workspace = SlackWorkspace(("approve", "monitoring"), [GRACE], self.timeline)
        self.slack = SlackServer(self.workspace, self.faults, self.timeline)
        self.clicks: list[Request] = []
        self.bodies: list[str] = []
        self.url = ""
        self.clicker: Clicker

    def app(self, environ: Any, start_response: Any) -> Any:
        """Answer a click with nothing."""
        request = Request(environ)
        self.bodies.append(request.get_data(as_text=True))
        self.clicks.append(request)
        return Response("", 200)(environ, start_response)

    def post(self, payload: Any, channel: str = "approve") -> requests.Response:
        """Post to a channel's webhook."""
        return requests.post(self.url + self.slack.webhook_path(channel), json=payload, timeout=10)


@pytest.fixture
def world() -> Iterator[World]:
    """Slack and an app, both with a real address."""
    made = World()
    with (
        ServerThread(made.slack, port=0, what="Slack", option="-") as slack,
        ServerThread(made.app, port=0, what="the app", option="-") as app,
    ):
        made.url = slack.url
        settings = ClickSettings(
            request_url=lambda: f"{app.url}/slack/actions",
            slack_url=lambda: slack.url,
            signing_secret=SECRET,
            verification_token="token",
        )
        made.clicker = Clicker(made.workspace, settings, made.timeline)
        yield made
        made.slack.stop()


def test_a_good_message_appears_in_its_channel(world: World) -> None:
    """The webhook answers ok and says nothing of the message's time."""
    answer = world.post(GOOD)
    assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = world.workspace.messages("approve")
    assert message.button_texts() == ["Approve Add", "Deny"]
    assert world.workspace.messages("monitoring") == ()
    for block in GOOD["blocks"]:
        Block.parse(block).validate_json()  # type: ignore[union-attr]  # slack_sdk agrees that they are blocks


def test_a_message_reads_as_text(world: World) -> None:
    """Markup, entities, dates, mentions and links become what a reader sees."""
    world.post(GOOD)
    assert lines_of(world.workspace.messages("approve")[0], world.workspace.users) == [
        "A *change*",
        "Add 1 rule & more, Feb 18 by @Grace there",
        "Group       web",
        "Region: eu-west-1",
        "x: y",
        "―" * 20,
        "request 1 · by API",
        "[ Approve Add ]   [ Deny ]",
        "(orange) Pending",
    ]


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        ({}, "no_text"),
        ({"text": "x", "color": "red"}, "invalid_payload"),
        ({"blocks": [section()] * 51}, "invalid_blocks"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [text("x")] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [text("x" * 2001)]}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text("x" * 151, "plain_text")}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text("x")}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": [text("x")] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "video"}]}, "invalid_blocks"),
        ({"blocks": [{**section(), "colour": "red"}]}, "invalid_blocks"),
        ({"blocks": [{**section(), "block_id": "x" * 256}]}, "invalid_blocks"),
        ({"blocks": [{**section(), "block_id": "x"}, {**section(), "block_id": "x"}]}, "invalid_blocks"),
        ({"blocks": [actions(button("x" * 76))]}, "invalid_blocks"),
        ({"blocks": [actions(button(), button())]}, "invalid_blocks"),
        ({"blocks": [actions(button(value="x" * 2001))]}, "invalid_blocks"),
        ({"blocks": [actions(button(style="green"))]}, "invalid_blocks"),
        ({"blocks": [actions(button(confirm={**CONFIRM, "text": text("x" * 301)}))]}, "invalid_blocks"),
        ({"blocks": [actions(button(confirm={**CONFIRM, "title": text("x" * 101, "plain_text")}))]}, "invalid_blocks"),
        ({"blocks": [actions()]}, "invalid_blocks"),
        ({"blocks": {"type": "section"}}, "invalid_blocks"),
        ({"blocks": [section("x" * 3000)] * 5}, "msg_blocks_too_long"),
        ({"attachments": [{"color": "orange", "text": "x"}]}, "invalid_attachments"),
        ({"attachments": [{"title": "x"}]}, "invalid_attachments"),
    ],
)
def test_what_slack_refuses_is_refused_by_slacks_word(payload: dict[str, Any], word: str) -> None:
    """Each limit and each unknown part has its error."""
    with pytest.raises(PayloadError) as caught:
        check_message(payload)
    assert caught.value.word == word


def test_a_refused_message_does_not_appear(world: World) -> None:
    """The webhook answers 400 with the word; the timeline has the reason."""
    answer = world.post({"blocks": [section("")]})
    assert (answer.status_code, answer.text) == (400, "invalid_blocks")
    assert requests.post(world.url + world.slack.webhook_path("approve"), data="{", timeout=5).status_code == 400
    assert world.workspace.messages("approve") == ()
    assert "blocks[0].text" in world.timeline.of_type(SlackRefused)[0].reason


def test_unknown_addresses_have_no_service(world: World) -> None:
    """A wrong channel and a wrong path are 404."""
    assert requests.post(f"{world.url}/services/T/C999/x", json=GOOD, timeout=5).text == "channel_not_found"
    assert requests.post(f"{world.url}/nowhere", json=GOOD, timeout=5).status_code == 404


def test_a_click_is_signed_and_shaped_as_slacks(world: World) -> None:
    """Slack's own verifier takes the signature; the payload names user, team, container and action."""
    world.post(GOOD)
    (message,) = world.workspace.messages("approve")
    assert world.clicker.click(GRACE, message, "Approve Add").status == 200
    (request,), (body,) = world.clicks, world.bodies
    assert SignatureVerifier(SECRET).is_valid_request(body, dict(request.headers))
    payload = json.loads(parse_qs(body)["payload"][0])
    assert payload["type"] == "block_actions"
    assert (payload["user"]["id"], payload["user"]["team_id"]) == ("U1", payload["team"]["id"])
    assert payload["container"] == {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": world.workspace.channels["approve"].id,
        "is_ephemeral": False,
    }
    (action,) = payload["actions"]
    assert (action["type"], action["value"], action["style"]) == ("button", "v", "primary")
    assert "confirm" not in action
    assert action["block_id"] == message.blocks[5]["block_id"]


def test_a_click_in_an_attachment_says_so(world: World) -> None:
    """The container names the attachment."""
    world.post({"text": "x", "attachments": [{"color": "good", "blocks": [actions(button())]}]})
    payload = world.clicker.payload(GRACE, world.workspace.messages("approve")[0], "Deny")
    assert (payload["container"]["type"], payload["container"]["attachment_id"]) == ("message_attachment", 1)


def test_a_button_that_is_not_there_cannot_be_clicked(world: World) -> None:
    """The error names the buttons that are."""
    world.post(GOOD)
    with pytest.raises(SandboxError, match="only Approve Add, Deny"):
        world.clicker.click(GRACE, world.workspace.messages("approve")[0], "Approve Remove")


def respond(world: World, payload: dict[str, Any], url: str = "") -> requests.Response:
    """Answer a click at its response_url."""
    if not url:
        url = world.clicker.payload(GRACE, world.workspace.messages("approve")[0], "Deny")["response_url"]
    return requests.post(url, json=payload, timeout=10)


def shown(world: World) -> Message:
    """The only message of the channel."""
    (message,) = world.workspace.messages("approve")
    return message


def test_response_url_replaces_answers_adds_and_deletes(world: World) -> None:
    """What happens to the message is what the payload says."""
    world.post(GOOD)
    assert respond(world, {"response_type": "ephemeral", "replace_original": False, "text": "psst"}).status_code == 200
    assert [note.text for note in world.workspace.notes("approve", user="U1")] == ["psst"]
    assert world.workspace.notes("approve", user="U2") == ()
    url = world.clicker.payload(GRACE, shown(world), "Deny")["response_url"]
    respond(world, {"replace_original": True, "text": "done"}, url)
    assert (shown(world).text, shown(world).button_texts(), shown(world).edits) == ("done", [], 1)
    respond(world, {"replace_original": False, "response_type": "in_channel", "text": "more"}, url)
    assert [message.text for message in world.workspace.messages("approve")] == ["done", "more"]
    respond(world, {"delete_original": True}, url)
    assert [message.text for message in world.workspace.messages("approve")] == ["more"]


def test_response_url_works_five_times_and_half_an_hour(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sixth use fails, and so does a late one."""
    world.post(GOOD)
    url = world.clicker.payload(GRACE, shown(world), "Deny")["response_url"]
    late = world.clicker.payload(GRACE, shown(world), "Deny")["response_url"]
    statuses = [respond(world, {"replace_original": True, "text": str(n)}, url).status_code for n in range(6)]
    assert statuses == [200] * 5 + [404]
    monkeypatch.setattr("sandbox.slack.workspace.RESPONSE_URL_SECONDS", -1)
    assert respond(world, {"replace_original": True, "text": "late"}, late).status_code == 404


def test_faults_answer_as_slack_does_in_trouble(world: World) -> None:
    """429 with Retry-After and 500, for webhooks and for response_url, nothing shown."""
    world.post(GOOD)
    url = world.clicker.payload(GRACE, shown(world), "Deny")["response_url"]
    world.faults.slack = "rate_limited"
    limited = world.post(GOOD)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")
    world.faults.slack = "server_error"
    assert world.post(GOOD).status_code == 500
    assert respond(world, {"replace_original": True, "text": "x"}, url).status_code == 500
    assert shown(world).edits == 0
    assert [refused.status for refused in world.timeline.of_type(SlackRefused)] == [429, 500, 500]


def test_a_silent_slack_lets_the_caller_wait(world: World) -> None:
    """With the time-out switch no answer comes before the caller gives up."""
    world.faults.slack = "timeout"
    with pytest.raises(requests.Timeout):
        requests.post(world.url + world.slack.webhook_path("approve"), json=GOOD, timeout=0.2)
    assert world.workspace.messages("approve") == ()
    assert len(world.timeline.of_type(FaultStruck)) == 1
    assert world.timeline.of_type(SlackRefused) == ()


def test_one_message_per_second_and_channel_when_switched_on(world: World) -> None:
    """The second message within a second is told to come back; another channel is free."""
    world.faults.slack_one_message_per_second = True
    statuses = [world.post(GOOD).status_code, world.post(GOOD).status_code, world.post(GOOD, "monitoring").status_code]
    assert statuses == [200, 429, 200]
