"""Makes the pictures of the documentation from the running sandbox: its page with the demo's story, light and dark.

``make screenshots`` runs it; it needs Chromium, and looks best with the font Lato (Debian's ``fonts-lato``). Nothing is
drawn by hand, so that the pictures show what is there.
"""

import shutil
import sys
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from sandbox.serving import bound_socket
from sandbox.settings import REPOSITORY, SandboxSettings
from sandbox.system import Sandbox
from sandbox.web.server import PageServer
from sandbox.web.stage import Stage

IMAGES = REPOSITORY / "docs" / "images"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE: ViewportSize = {"width": 1500, "height": 940}
NARROW: ViewportSize = {"width": 400, "height": 860}


def main() -> int:
    """Make all pictures; the result is the exit status."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        print(f"No Chromium on this machine (looked for {', '.join(CHROMIUM_NAMES)}).", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    settings = SandboxSettings(schedules_run_by_themselves=False)
    with bound_socket(0, what="the page", option="--port") as bound, Sandbox(settings) as sandbox:
        stage = Stage(sandbox)
        with PageServer(stage, bound) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
            stage.seed_story()
            take_all(browser, stage, server.url)
            browser.close()
    return 0


def take_all(browser: Browser, stage: Stage, url: str) -> None:
    """Play one more change on the page, and take a picture of each thing worth seeing."""
    page = open_page(browser, url, "light")
    dark = open_page(browser, url, "dark")
    dark.locator(".groups").get_by_role("button", name="frontend").click()
    add_rule(page)
    stage.sandbox.wait_until_idle()
    take(page, "sandbox-light")
    shoot_question(page)
    page.locator("#toggle-controls").click()
    page.locator("#controls").get_by_label("answers").select_option("server_error")
    take(page, "sandbox-faults")
    page.locator("#controls").get_by_role("button", name="Everything works again").click()
    narrow = browser.new_page(viewport=NARROW, color_scheme="light", device_scale_factor=1.5)
    narrow.goto(url)
    narrow.locator(".parts").get_by_role("button", name="Slack").click()
    take(narrow, "sandbox-narrow")
    dark.locator("#messages").get_by_role("button", name="Approve Add").last.click()
    dark.locator("dialog[open]").get_by_role("button", name="Approve Add").click()
    expect(dark.locator("tr.fresh")).to_be_visible()
    stage.sandbox.wait_until_idle()
    take(dark, "sandbox-dark")


def open_page(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> Page:
    """Open the page in a wide window."""
    page = browser.new_page(viewport=WIDE, color_scheme=scheme, device_scale_factor=1.25)
    page.goto(url)
    expect(page.locator("#messages .message").last).to_be_visible()
    return page


def add_rule(page: Page) -> None:
    """Open SSH to the world, as alice in the console."""
    page.locator(".groups").get_by_role("button", name="frontend").click()
    page.get_by_role("button", name="Add rules", exact=True).click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Type").select_option("SSH")
    dialog.get_by_label("Source").fill("0.0.0.0/0")
    dialog.get_by_label("Description").fill("quick fix from home")
    dialog.get_by_role("button", name="Save rules").click()
    expect(page.locator("tr.gone")).to_be_visible()
    expect(page.locator("#messages")).to_contain_text("quick fix from home")


def shoot_question(page: Page) -> None:
    """Take the newest question alone."""
    page.locator("#messages .message").last.screenshot(path=IMAGES / "slack-question.png")
    print(IMAGES / "slack-question.png")


def take(page: Page, name: str) -> None:
    """Take a picture of the window once nothing moves in it."""
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
