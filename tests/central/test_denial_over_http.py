"""A denial as people see it: the stand-in for Slack shows the modal that the app opens, and submits it, all by HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.wrappers import Request, Response

from sandbox.errors import SandboxError
from sandbox.faults import Faults
from sandbox.serving import ServerThread
from sandbox.slack.clicks import Clicker, ClickSettings
from sandbox.slack.server import SlackServer
from sandbox.slack.workspace import Message, SlackUser, SlackWorkspace
from sandbox.timeline import Timeline
from tests.support.central_account import SECRET, Central
from tests.support.denials import TOKEN

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GRACE = SlackUser(id="U0GRACE", username="grace", name="Grace", is_approver=True)
LINUS = SlackUser(id="U0LINUS", username="linus", name="Linus", is_approver=True)


@dataclass
class World:
    """The central app and the workspace that it posts to."""

    central: Central
    workspace: SlackWorkspace
    server: SlackServer
    clicker: Clicker
    url: str

    def question(self) -> Message:
        """Return the question as it looks now."""
        return self.workspace.messages("approve")[0]


@pytest.fixture
def world(central: Central, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Slack and the app, each at an address of its own; a request has been asked."""
    workspace = SlackWorkspace(("approve", "monitoring"), [GRACE, LINUS], timeline := Timeline())
    server = SlackServer(workspace, Faults(), timeline)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        answer = central.client.http.post("/slack/actions", headers=dict(request.headers), body=request.get_data())
        return Response(answer.body, answer.status_code, answer.headers)(environ, start_response)

    with (
        ServerThread(server, port=0, what="Slack", option="-") as slack,
        ServerThread(app, port=0, what="the app", option="-") as central_app,
    ):
        for name, value in {
            "approvalHookUrl": slack.url + server.webhook_path("approve"),
            "monitoringHookUrl": slack.url + server.webhook_path("monitoring"),
            "slackBotToken": TOKEN,
            "slackApiUrl": f"{slack.url}/api",
        }.items():
            monkeypatch.setenv(name, value)
        settings = ClickSettings(
            request_url=lambda: f"{central_app.url}/slack/actions",
            slack_url=lambda: slack.url,
            signing_secret=SECRET,
            verification_token="x",
        )
        central.file()
        yield World(central, workspace, server, Clicker(workspace, settings, timeline), slack.url)
        server.stop()


def test_the_modal_is_shown_submitted_and_closed(world: World) -> None:
    """The reason stands over the question in the end; nothing of the modal is left."""
    assert world.clicker.click(GRACE, world.question(), "Deny").in_time
    modal = world.workspace.modals.of(GRACE.id)
    assert modal is not None
    assert modal.view["title"]["text"] == "Deny this change"
    assert world.central.status() == "pending"
    assert world.clicker.submit(GRACE, "use the VPN").in_time
    assert world.workspace.modals.of(GRACE.id) is None
    assert (world.central.status(), world.central.item()["denialReason"]) == ("denied", "use the VPN")
    for message in world.central.sent("denySecurityGroupChange"):
        world.central.deliver(message, to="denySecurityGroupChange")
    assert "use the VPN" in str(world.question().blocks) + str(world.question().attachments)


def test_who_is_late_reads_so_in_the_modal(world: World) -> None:
    """It stays open, with a sentence below the input."""
    for who in (LINUS, GRACE):
        world.clicker.click(who, world.question(), "Deny")
    world.clicker.submit(GRACE, "no")
    assert world.clicker.submit(LINUS, "no, too").status == 200
    late = world.workspace.modals.of(LINUS.id)
    assert late is not None
    assert "Denied by grace" in late.errors["reason"]


def test_the_offer_is_shown_where_slack_refuses_the_modal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a token that Slack does not take; the denial counts without a reason."""
    monkeypatch.setenv("slackBotToken", "another")
    world.clicker.click(GRACE, world.question(), "Deny")
    (note,) = world.workspace.notes("approve", user=GRACE.id)
    assert note.button_texts() == ["Deny"]
    assert world.central.status() == "pending"
    assert world.clicker.click(GRACE, note, "Deny").in_time
    assert world.central.status() == "denied"
    assert world.workspace.notes("approve", user=GRACE.id) == ()
    assert not world.question().buttons()


@pytest.mark.parametrize(
    ("body", "error"),
    [("{", "invalid_arguments"), ("[]", "invalid_arguments"), ('{"trigger_id": "x", "view": {}}', "invalid_arguments")],
)
def test_the_stand_in_refuses_what_slack_refuses(world: World, body: str, error: str) -> None:
    """In the body, with status 200."""
    answer = requests.post(
        f"{world.url}/api/views.open", data=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
    )
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


def test_nobody_submits_what_is_not_open(world: World) -> None:
    """A mistake of whoever drives the stand-in."""
    with pytest.raises(SandboxError, match="no modal open"):
        world.clicker.submit(GRACE, "no")
