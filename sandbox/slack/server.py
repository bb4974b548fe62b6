"""Slack's web addresses: incoming webhooks and the ``response_url`` of clicks.

Answers as Slack does, errors in plain text; the workspace behind it is a model of its own.
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from sandbox.faults import Faults
from sandbox.slack.validation import PayloadError, read_message
from sandbox.slack.workspace import TEAM_ID, SlackWorkspace
from sandbox.timeline import FaultStruck, SlackRefused, Timeline

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: https://docs.slack.dev/apis/web-api/rate-limits#posting-messages
SECONDS_BETWEEN_MESSAGES = 1.0
RETRY_AFTER_SECONDS = 1
#: Longer than the product's clients wait.
SILENCE_SECONDS = 15


class SlackServer:
    """A WSGI application."""

    def __init__(self, workspace: SlackWorkspace, faults: Faults, timeline: Timeline) -> None:
        """Serve a workspace, obeying the fault switches."""
        self._workspace = workspace
        self._faults = faults
        self._timeline = timeline
        self._last_post: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def webhook_path(self, channel: str) -> str:
        """Return the path of a channel's incoming webhook."""
        return f"/services/{TEAM_ID}/{self._workspace.channels[channel].id}/sandboxhook"

    def stop(self) -> None:
        """End requests that wait for a time-out."""
        self._stopping.set()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[0] == "services" and len(parts) == 4:
            return self._webhook(request, parts[2])
        if parts[0] == "actions" and len(parts) == 3:
            return self._response_url(request, parts[2])
        if parts == ["api", "views.open"]:
            return self._open_view(request)
        return Response("no_service", 404)

    def _webhook(self, request: Request, channel_id: str) -> Response:
        names = [channel.name for channel in self._workspace.channels.values() if channel.id == channel_id]
        if not names:
            return Response("channel_not_found", 404)
        (channel,) = names
        failed = self._failed(channel) or self._too_fast(channel)
        if failed is not None:
            return failed
        try:
            payload = read_message(_text(request))
        except PayloadError as error:
            return self._refuse(channel, 400, error.word, str(error))
        self._workspace.post(channel, payload)
        return Response("ok", 200)

    def _response_url(self, request: Request, token: str) -> Response:
        failed = self._failed("response_url")
        if failed is not None:
            return failed
        target = self._workspace.use_response_url(token)
        if target is None:
            return self._refuse("response_url", 404, "expired_url", "used five times, or older than 30 minutes")
        try:
            payload = read_message(_text(request))
        except PayloadError as error:
            return self._refuse(target.channel, 400, error.word, str(error))
        if payload.get("delete_original"):
            self._workspace.delete(target.channel, target.message_ts)
        elif payload.get("replace_original"):
            self._workspace.replace(target.channel, target.message_ts, payload)
        elif payload.get("response_type") == "in_channel":
            self._workspace.post(target.channel, payload)
        else:
            self._workspace.post_ephemeral(target.channel, target.user, payload, answers=target.message_ts)
        return Response(json.dumps({"ok": True}), 200, content_type="application/json")

    def _open_view(self, request: Request) -> Response:
        """Open a modal, as the Web API does: errors are told in the body, with status 200."""
        failed = self._failed("views.open")
        if failed is not None:
            return failed
        if not request.headers.get("Authorization", "").startswith("Bearer xoxb-"):
            return _api_answer(ok=False, error="not_authed")
        try:
            call = json.loads(request.get_data(as_text=True))
            modal = self._workspace.modals.open(str(call["trigger_id"]), call["view"])
        except (ValueError, KeyError, TypeError):
            return _api_answer(ok=False, error="invalid_arguments")
        except PayloadError as error:
            self._timeline.add(SlackRefused(channel="views.open", status=200, reason=str(error)))
            return _api_answer(ok=False, error=error.word)
        return _api_answer(ok=True, view={"id": modal.id, **modal.view})

    def _failed(self, channel: str) -> Response | None:
        fault = self._faults.slack
        if fault == "rate_limited":
            return self._limited(channel)
        if fault == "server_error":
            return self._refuse(channel, 500, "server_error", "the fault switch says so")
        if fault == "timeout":
            self._timeline.add(FaultStruck(fault="Slack does not answer", detail=channel))
            self._stopping.wait(SILENCE_SECONDS)
            return Response("", 500)  # the client has given up
        return None

    def _too_fast(self, channel: str) -> Response | None:
        if not self._faults.slack_one_message_per_second:
            return None
        with self._lock:
            now = time.monotonic()
            if now - self._last_post.get(channel, -SECONDS_BETWEEN_MESSAGES) < SECONDS_BETWEEN_MESSAGES:
                return self._limited(channel)
            self._last_post[channel] = now
        return None

    def _limited(self, channel: str) -> Response:
        response = self._refuse(channel, 429, "rate_limited", "too many messages")
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    def _refuse(self, channel: str, status: int, word: str, reason: str) -> Response:
        self._timeline.add(SlackRefused(channel=channel, status=status, reason=reason))
        return Response(word, status)


def _api_answer(**body: Any) -> Response:
    return Response(json.dumps(body), 200, content_type="application/json")


def _text(request: Request) -> str:
    """Return the JSON of a request: its body, or the form field ``payload``."""
    return request.form.get("payload") or request.get_data(as_text=True)
