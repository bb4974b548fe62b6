"""The whole loop on the page: a change in the console, the question in Slack, the decision, and what comes of it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.driver import APPROVALS, MONITORING, Driver

EXPOSED = re.compile(r"in force without approval for [\d.]+ m?s$")
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_added_rule_vanishes_and_is_back_after_its_approval(page: Driver) -> None:
    """Add, gone, question with dialog, approved: the rule is there again and both channels say so."""
    page.add_and_wait("SSH", "0.0.0.0/0", "quick fix")
    expect(page.row("quick fix")).to_have_count(0)
    expect(page.page.locator("tr.gone")).to_contain_text("quick fix")
    expect(page.question.last).to_contain_text("Open to the whole internet")
    page.approve("Approve Add")
    expect(page.row("quick fix")).to_contain_text("0.0.0.0/0")
    expect(page.question).to_have_count(0)
    page.expect_in_both_channels("Security group change approved and applied")
    expect(page.messages.last.locator(".colour")).to_have_attribute("data-colour", "#29a52d")
    expect(page.messages.last.locator(".mention")).to_have_text("@Grace")
    expect(page.changes.first.locator(".state")).to_have_text("approved and applied")
    expect(page.changes.first.get_by_role("img")).to_have_attribute("aria-label", EXPOSED)


def test_cancelling_the_dialog_sends_no_click(page: Driver) -> None:
    """The question stays as it was, and the app gets nothing."""
    page.add_and_wait("SSH", "0.0.0.0/0")
    page.question.last.get_by_role("button", name="Approve Add").click()
    page.dialog.get_by_role("button", name="Cancel").click()
    expect(page.dialog).to_have_count(0)
    expect(page.question).to_have_count(1)
    assert [item["status"] for item in page.stage.sandbox.aws.requests()] == ["pending"]
    assert not page.page.locator('[data-kind="SlackClicked"]').count()


def test_an_edited_rule_keeps_its_id(page: Driver) -> None:
    """Edited back at once; after the approval the same rule has the new values."""
    page.be("sso")
    page.open_group("backend")
    rule = page.row("office VPN").get_attribute("data-rule")
    page.row("office VPN").get_by_role("button", name="Edit").click()
    page.dialog.get_by_label("Source").fill("10.9.0.0/16")
    page.dialog.get_by_label("Description").fill("all offices")
    page.dialog.get_by_role("button", name="Save rules").click()
    expect(page.question.last).to_contain_text("Before: TCP 22 (SSH) from 10.8.0.0/24")
    expect(page.question.last).to_contain_text("After: TCP 22 (SSH) from 10.9.0.0/16")
    expect(page.row("office VPN")).to_contain_text("10.8.0.0/24")
    page.approve("Approve Change")
    expect(page.row("all offices")).to_contain_text("10.9.0.0/16")
    expect(page.row("all offices")).to_have_attribute("data-rule", str(rule))
    page.expect_in_both_channels("Security group change approved and applied")


def test_a_deleted_rule_is_back_until_its_removal_is_approved(page: Driver) -> None:
    """Deleted, restored, approved: gone for good."""
    page.open_group("frontend")
    before = page.row("redirect to https").get_attribute("data-rule")
    page.row("redirect to https").get_by_role("button", name="Delete").click()
    expect(page.question.last).to_contain_text("Remove 1 inbound rule")
    expect(page.row("redirect to https")).not_to_have_attribute("data-rule", str(before))
    page.approve("Approve Remove")
    expect(page.row("redirect to https")).to_have_count(0)
    page.expect_in_both_channels("Security group change approved and applied")


def test_a_denied_change_stays_reverted(page: Driver) -> None:
    """No dialog for Deny, no rule afterwards, and both channels say who denied."""
    page.add_and_wait("RDP", "10.0.0.0/8", "admin access")
    page.deny()
    expect(page.question).to_have_count(0)
    page.expect_in_both_channels("Security group change denied")
    expect(page.messages.last.locator(".colour")).to_have_attribute("data-colour", "#f71818")
    expect(page.row("admin access")).to_have_count(0)
    expect(page.changes.first.locator(".state")).to_have_text("denied")


def test_an_outsider_is_told_so_alone(page: Driver) -> None:
    """Somebody who is no approver gets a note that nobody else sees; the question stays."""
    page.add_and_wait("SSH", "0.0.0.0/0")
    page.be_in_slack("Mallory")
    page.approve("Approve Add")
    note = page.page.locator(".message.ephemeral")
    expect(note).to_contain_text("Only visible to you")
    expect(page.question).to_have_count(1)
    page.be_in_slack("Grace")
    expect(note).to_have_count(0)
    expect(page.question).to_have_count(1)
    assert [item["status"] for item in page.stage.sandbox.aws.requests()] == ["pending"]


def test_a_double_click_from_two_tabs_decides_once(open_page: Callable[..., Driver]) -> None:
    """Two approvers have the same question before them; the second click learns who was first."""
    first, second = open_page(), open_page()
    first.add_and_wait("SSH", "0.0.0.0/0", "twice")
    second.be_in_slack("Linus")
    expect(second.question).to_have_count(1)
    view = second.page.evaluate("fetch('api/slack?user=U0APPROVE2').then((answer) => answer.json())")
    second.page.route("**/api/slack?*", lambda route: route.fulfill(json=view))  # this tab stays behind
    first.approve("Approve Add")
    expect(first.row("twice")).to_have_count(1)
    second.approve("Approve Add")
    second.stage.sandbox.wait_until_idle()
    second.page.unroute("**/api/slack?*")
    second.be_in_slack("Mallory")
    second.be_in_slack("Linus")
    expect(second.page.locator(".message.ephemeral")).to_contain_text("Grace", ignore_case=True)
    expect(second.row("twice")).to_have_count(1)
    (request,) = second.stage.sandbox.aws.requests()
    assert (request["status"], request["decidedBy"]) == ("applied", "U0APPROVER")


def test_a_change_of_sixty_rules_is_one_request_with_every_rule_in_view(page: Driver) -> None:
    """All sixty vanish, each is named in the question, and one approval brings all sixty back."""
    page.open_group("batch")
    page.page.get_by_role("button", name="Add many").click()
    page.dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.dialog).to_have_count(0)
    expect(page.question.last).to_be_visible()
    page.stage.sandbox.wait_until_idle()
    expect(page.rows).to_have_count(0)
    shown = "\n".join(page.messages.all_text_contents())
    for number in range(60):
        assert f"10.60.{number}.0/24" in shown
    page.approve("Approve Add")
    expect(page.rows).to_have_count(60)
    page.expect_in_both_channels("Security group change approved and applied")


def test_what_the_exempt_role_does_stays_without_a_question(page: Driver) -> None:
    """The pipeline's rule is in force, nobody is asked, and the timeline says that policy allowed it."""
    page.be("ci")
    page.add_rule("PostgreSQL", "10.30.0.0/16", "reports")
    expect(page.row("reports")).to_have_count(1)
    expect(page.changes.first.locator(".state")).to_have_text("allowed by policy")
    assert page.stage.sandbox.aws.requests() == []


def test_the_observed_account_keeps_its_change_and_tells_it(page: Driver) -> None:
    """In observe mode the rule stays and only the monitoring channel shows it."""
    page.page.locator("#account").select_option("333333333333")
    expect(page.page.locator("#mode")).to_contain_text("observe")
    page.add_rule("SSH", "0.0.0.0/0", "lab test")
    page.stage.sandbox.wait_until_idle()
    expect(page.row("lab test")).to_have_count(1)
    expect(page.changes.first.locator(".state")).to_have_text("observed only")
    page.open_channel(MONITORING)
    expect(page.messages.last).to_contain_text("Security group change observed")
    page.open_channel(APPROVALS)
    expect(page.messages).to_have_count(0)
