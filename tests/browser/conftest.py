"""A running sandbox with its page, and Chromium to look at it; left out where there is no Chromium."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright

from sandbox.serving import bound_socket
from sandbox.settings import SandboxSettings
from sandbox.system import Sandbox
from sandbox.web.body import Body
from sandbox.web.server import PageServer
from sandbox.web.stage import Stage
from tests.browser.driver import Driver
from tests.support import quick_moto

quick_moto.remember()

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Long enough for a machine that does several things at once.
PATIENCE_MILLISECONDS = 60_000
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium of this machine."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(CHROMIUM_NAMES)})")
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Stage, str]]:
    """Both member accounts in one region and the address of their page, shared by the tests of a module.

    What takes time by itself takes less of it: how long functions wait for Slack, and differences for the snapshot.
    """
    settings = SandboxSettings(
        aws_port=0,
        regions=("us-east-1",),
        schedules_run_by_themselves=False,
        function_timeout_seconds=10.0,
        policy={"drift_grace_minutes": 0.01},
    )
    with bound_socket(0, what="the page", option="--port") as bound, Sandbox(settings) as sandbox:
        stage = Stage(sandbox)
        with PageServer(stage, bound) as server:
            yield stage, server.url


@pytest.fixture
def stage(served: tuple[Stage, str]) -> Iterator[Stage]:
    """The sandbox behind the page, as it is after a start."""
    stage, _ = served
    before = stage.sandbox.timeline.last_number
    yield stage
    stage.sandbox.faults.clear()
    stage.sandbox.wait_until_idle()
    if stage.sandbox.timeline.last_number != before:
        stage.start_afresh(Body({}))


@pytest.fixture
def open_page(browser: Browser, stage: Stage, served: tuple[Stage, str]) -> Iterator[Callable[..., Driver]]:
    """Open the page in a browser of its own; after the test, no such page may have logged a problem."""
    problems: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(message.text)

    def open_one(url: str = served[1], *, may_log: bool = False, **options: Any) -> Driver:
        context = browser.new_context(**{"viewport": {"width": 1500, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        if not may_log:
            page.on("console", note)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        driver = Driver(page, stage)
        driver.wait_until_live()
        return driver

    yield open_one
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(open_page: Callable[..., Driver]) -> Driver:
    """The page in a window of usual size."""
    return open_page()
