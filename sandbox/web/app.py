"""The page's addresses: static files, what the page reads and does as JSON, and the live stream of events."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.errors import SandboxError
from sandbox.web.body import BadRequestError, Body
from sandbox.web.feed import Feed
from sandbox.web.guard import LoopbackOnly
from sandbox.web.stage import Stage

STATIC = Path(__file__).parent / "static"
PING_SECONDS = 15
#: Far more than any form of the page sends.
LARGEST_BODY_BYTES = 1_000_000
#: The browser waits so long before it connects again after the stream broke.
RETRY_MILLISECONDS = 500

_EVENT_ID = re.compile(r"([0-9a-f]{32}\.[0-9]{1,9})-([0-9]{1,9})")

Json = dict[str, Any]


def make_app(stage: Stage, *, port: int, stopping: threading.Event) -> Starlette:
    """Make the web application of a stage that is served on a port of the loopback interface.

    Args:
        stage: what the page shows and does.
        port: where it is served.
        stopping: once this is set, streams of events end with the next news.
    """
    controls, console, channels = stage.controls, stage.console, stage.channels
    routes = [
        Route("/", _page),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/api/events", _events(stage.feed, stopping)),
        Route("/api/overview", _reads(lambda _: stage.overview())),
        Route("/api/slack", _reads(lambda query: channels.view(query.text("user")))),
        Route("/api/groups", _reads(lambda query: console.groups(query.text("account"), query.text("region")))),
        Route("/api/controls", _reads(lambda _: controls.view())),
        Route("/api/click", _does(channels.click), methods=["POST"]),
        Route("/api/rules/add", _does(console.add), methods=["POST"]),
        Route("/api/rules/add-many", _does(console.add_many), methods=["POST"]),
        Route("/api/rules/deploy-stack", _does(console.deploy_stack), methods=["POST"]),
        Route("/api/rules/edit", _does(console.edit), methods=["POST"]),
        Route("/api/rules/delete", _does(console.delete), methods=["POST"]),
        Route("/api/groups/create", _does(console.create_group), methods=["POST"]),
        Route("/api/controls", _does(controls.switch), methods=["POST"]),
        Route("/api/controls/repair", _does(controls.repair), methods=["POST"]),
        Route("/api/controls/run", _does(controls.run), methods=["POST"]),
        Route("/api/controls/pass-time", _does(controls.pass_time), methods=["POST"]),
        Route("/api/controls/redrive", _does(controls.redrive), methods=["POST"]),
        Route("/api/controls/deliver-again", _does(controls.deliver_again), methods=["POST"]),
        Route("/api/afresh", _does(stage.start_afresh), methods=["POST"]),
        Route("/api/story", _does(stage.play_story), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(LoopbackOnly, port=port)])


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _reads(read: Callable[[Body], Json]) -> Callable[[Request], Awaitable[Response]]:
    """Answer GET requests; the query's parameters are the body."""

    async def endpoint(request: Request) -> Response:
        return await _answer(read, dict(request.query_params))

    return endpoint


def _does(act: Callable[[Body], Json]) -> Callable[[Request], Awaitable[Response]]:
    """Answer POST requests with a JSON body."""

    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY_BYTES:
                return _refused("BadRequest", f"The body has more than {LARGEST_BODY_BYTES:,} bytes.", status=413)
        try:
            document = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            return _refused("BadRequest", "The body is not JSON.", status=400)
        return await _answer(act, document)

    return endpoint


async def _answer(handle: Callable[[Body], Json], document: Any) -> Response:
    try:
        return JSONResponse(await run_in_threadpool(lambda: handle(Body(document))))
    except BadRequestError as error:
        return _refused("BadRequest", str(error), status=400)
    except SandboxError as error:
        return _refused("Sandbox", str(error))
    except ClientError as error:  # AWS's own words
        details = error.response.get("Error", {})
        return _refused(str(details.get("Code", "Unknown")), str(details.get("Message", error)))
    except BotoCoreError as error:
        return _refused(type(error).__name__, str(error))


def _refused(code: str, message: str, *, status: int = 200) -> Response:
    """Answer with what was refused and why. What AWS refuses is not an error of the page, so the status is 200."""
    return JSONResponse({"refused": {"code": code, "message": message}}, status_code=status)


def _events(feed: Feed, stopping: threading.Event) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        epoch, place = _place(request.headers.get("last-event-id", ""))
        return EventSourceResponse(_stream(feed, epoch, place, stopping), ping=PING_SECONDS)

    return endpoint


def _place(text: str) -> tuple[str, int]:
    """Read the id of the last event that a browser got, e.g. ``0a1b….2-118``: an epoch, and a place in it."""
    found = _EVENT_ID.fullmatch(text)
    return (found[1], int(found[2])) if found else ("", 0)


async def _stream(feed: Feed, epoch: str, place: int, stopping: threading.Event) -> AsyncIterator[ServerSentEvent]:
    news = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(news.set)

    stop = feed.subscribe(wake)
    try:
        while not stopping.is_set():
            news.clear()
            batch = feed.since(epoch, place)
            if batch is None:
                await news.wait()
                continue
            epoch, place = batch["epoch"], batch["place"]
            yield ServerSentEvent(json.dumps(batch), event="batch", id=f"{epoch}-{place}", retry=RETRY_MILLISECONDS)
    finally:
        stop()
