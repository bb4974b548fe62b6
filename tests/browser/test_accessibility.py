"""Everybody can use the page: axe-core finds nothing, in light, dark and narrow; nothing runs over or is cut off.

https://www.deque.com/axe/core-documentation/api-documentation/
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from sandbox.settings import SHOP
from tests.browser.driver import Driver

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PARTS = ("slack", "console", "timeline")
WINDOWS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "narrow": {"viewport": {"width": 320, "height": 640}},
    "at 200 %": {"viewport": {"width": 750, "height": 450}},
}


def filled(page: Driver) -> None:
    """Bring every kind of content on the page: a question, a refusal, many groups, a name of 255 characters."""
    ec2 = page.stage.sandbox.aws.ec2(SHOP, who="ci", region="us-east-1")
    for number in range(20):
        ec2.create_security_group(GroupName=f"team-{number:02}-service", Description="x")
    ec2.create_security_group(GroupName="n" * 255, Description="long")
    group = page.stage.console.groups(SHOP.id, "us-east-1")["groups"][0]["id"]
    user = page.stage.sandbox.aws.ec2(SHOP, region="us-east-1")
    user.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    page.stage.sandbox.wait_until_idle()


@pytest.mark.parametrize("window", WINDOWS)
def test_axe_finds_no_violation_and_nothing_runs_over(open_page: Callable[..., Driver], window: str) -> None:
    """Every part, with faults and time open."""
    page = open_page(**WINDOWS[window])
    filled(page)
    page.page.get_by_role("button", name="Faults & time").click()
    for part in PARTS:
        tab = page.page.locator(f".parts button[data-part={part}]")
        if tab.is_visible():
            tab.click()
        found = Axe().run(page.page)
        assert found.violations_count == 0, found.generate_report()
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part


def test_what_is_chosen_can_be_told_in_forced_colours(open_page: Callable[..., Driver]) -> None:
    """Backgrounds are gone there; the chosen channel has a border that the other has not."""
    page = open_page(forced_colors="active")
    borders = page.page.locator("[role=tab]").evaluate_all(
        "tabs => tabs.map((tab) => [tab.getAttribute('aria-selected'), getComputedStyle(tab).borderTopWidth])"
    )
    assert len(borders) == 2
    assert {width for chosen, width in borders if chosen == "true"} == {"3px"}
    assert "3px" not in {width for chosen, width in borders if chosen != "true"}


def test_groups_can_be_filtered_and_the_chosen_one_survives_a_reload(page: Driver) -> None:
    """By name and by id; the list of many groups leaves the rules in view."""
    filled(page)
    pills = page.page.locator(".groups button")
    expect(pills).to_have_count(25)
    assert page.page.locator(".groups").evaluate("list => list.clientHeight") <= 150
    page.page.get_by_label("Filter groups by name or id").fill("TEAM-07")
    expect(pills.filter(has_text="team-07-service")).to_have_count(1)
    expect(pills).to_have_count(2)  # the open one stays
    page.open_group("team-07-service")
    page.page.reload()
    expect(page.page.locator("#console h3")).to_contain_text("team-07-service")


def test_a_wrong_port_is_told_with_examples(page: Driver) -> None:
    """The browser's own sentence ends with what is expected."""
    page.page.get_by_role("button", name="Add rules", exact=True).click()
    page.dialog.get_by_label("Ports").fill("abc")
    title = page.dialog.get_by_label("Ports").get_attribute("title")
    assert title == "A port such as 443, or a range such as 8000-8100"
    assert page.dialog.get_by_label("Ports").evaluate("field => !field.validity.valid")
