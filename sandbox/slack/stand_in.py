"""Slack's addresses for tests: keeps what is posted to any path, and answers what a test tells it to.

It reads and checks messages as the sandbox's Slack does, and has no channels behind it.
"""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from werkzeug.wrappers import Request, Response

from sandbox.serving import ServerThread
from sandbox.slack.validation import PayloadError, read_message

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One message as it arrived."""

    path: str
    payload: dict[str, Any]
    authorization: str = ""

    @property
    def text(self) -> str:
        """The whole message as text, to search in."""
        return json.dumps(self.payload, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server answers, and what happens before."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None


OK = Reply(status=200, body="ok")

API_PATH = "/api/"
"""Where methods of the Web API are; the base address for ``slackApiUrl``."""


class SlackStandIn:
    """The server, as a context manager. A message that Slack would refuse gets Slack's error, e.g. ``no_text``."""

    def __init__(self) -> None:
        """Prepare a server on a free port."""
        self.posts: list[Post] = []
        """What was accepted, oldest first."""
        self.replies: dict[str, deque[Reply]] = defaultdict(deque)
        """The next answers of a path."""
        self.user_groups: dict[str, list[str]] = {}
        """Members of user groups, for ``usergroups.users.list``."""
        self.guests: set[str] = set()
        """Users who are no full members, for ``users.info``."""
        self.always: dict[str, Reply] = {}
        """The answer of a path when none of ``replies`` is left; else ``ok``."""
        self._lock = threading.Lock()
        self._server = ServerThread(self, port=0, what="Slack", option="a free port")

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(None, None, None)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        if request.path.startswith(API_PATH):
            reply = self._call(request)
        else:
            reply = self._take(request.path, request.get_data(as_text=True))
        return Response(reply.body, reply.status, reply.headers)(environ, start_response)

    def url(self, path: str = "") -> str:
        """Return the address of a path on this server."""
        return self._server.url + path

    def to(self, path: str) -> list[Post]:
        """Return the messages that were accepted at a path, oldest first."""
        with self._lock:
            return [post for post in self.posts if post.path == path]

    def forget(self) -> None:
        """Forget the messages so far."""
        with self._lock:
            self.posts.clear()

    def calls(self, method: str) -> list[Post]:
        """Return the calls of a method of the Web API that were accepted, oldest first."""
        return self.to(API_PATH + method)

    def _call(self, request: Request) -> Reply:
        """Answer a call of the Web API: as told, else as Slack answers one that it accepts."""
        path, token = request.path, request.headers.get("Authorization", "")
        with self._lock:
            queue = self.replies[path]
            told = queue.popleft() if queue else self.always.get(path)
        if told is not None and told.before is not None:
            told.before()
        if told is not None and told != OK:
            return told
        method = path.removeprefix(API_PATH)
        is_form = request.mimetype == "application/x-www-form-urlencoded"
        text = request.get_data(as_text=True)
        try:
            payload = dict(request.form) if is_form else _read_call(method, text)
        except PayloadError as error:
            return _answer(ok=False, error=error.word)
        with self._lock:
            self.posts.append(Post(path=path, payload=payload, authorization=token))
            return _answer(**self._result(method, payload))

    def _result(self, method: str, payload: dict[str, Any]) -> dict[str, Any]:
        if method in ("chat.postMessage", "chat.update"):
            ts = payload.get("ts") or f"1790000000.{len(self.posts):06}"
            return {"ok": True, "channel": payload["channel"], "ts": ts}
        if method == "usergroups.users.list":
            known = self.user_groups.get(payload["usergroup"])
            return {"ok": False, "error": "no_such_subteam"} if known is None else {"ok": True, "users": known}
        if method == "users.info":
            user = {"deleted": False, "is_bot": False, "is_restricted": payload["user"] in self.guests}
            return {"ok": True, "user": {**user, "is_ultra_restricted": False, "team_id": "T0001"}}
        return {"ok": True} if method == "views.open" else {"ok": False, "error": "unknown_method"}

    def _take(self, path: str, text: str) -> Reply:
        with self._lock:
            queue = self.replies[path]
            reply = queue.popleft() if queue else self.always.get(path, OK)
        if reply.before is not None:
            reply.before()
        if reply.status != OK.status:
            return reply
        try:
            post = Post(path=path, payload=read_message(text))
        except PayloadError as error:
            return Reply(status=400, body=error.word)
        with self._lock:
            self.posts.append(post)
        return reply


def _read_call(method: str, text: str) -> dict[str, Any]:
    return read_message(text, by_api=True) if method.startswith("chat.") else dict(json.loads(text))


def _answer(**body: Any) -> Reply:
    return Reply(status=200, body=json.dumps(body), headers={"Content-Type": "application/json"})
