"""What a person does on the page and sees there, in the words of the person."""

from playwright.sync_api import Locator, Page, expect

from sandbox.web.stage import Stage

APPROVALS = "secgroup_approve"
MONITORING = "secgroup_monitoring"


class Driver:
    """One tab with the page."""

    def __init__(self, page: Page, stage: Stage) -> None:
        """Drive a page that shows a stage."""
        self.page = page
        self.stage = stage
        self.rows = page.locator("#console tbody tr:not(.gone)")
        self.messages = page.locator("#messages .message")
        self.changes = page.locator("#changes .change:not(.other)")
        self.dialog = page.locator("dialog[open]")

    def wait_until_live(self) -> None:
        """Wait for the stream of events and for the first look at the groups."""
        expect(self.page.locator("#live")).to_have_text("live")
        expect(self.page.get_by_role("button", name="Add rules", exact=True)).to_be_visible()

    # -- EC2 console ----------------------------------------------------------------------------------------

    def be(self, who: str) -> None:
        """Choose an identity: user, sso or ci."""
        self.page.locator("#identity").select_option(who)

    def open_group(self, name: str) -> None:
        """Choose a security group by name."""
        self.page.locator(".groups").get_by_role("button", name=name).click()
        expect(self.page.locator("#console h3")).to_contain_text(name)

    def row(self, text: str) -> Locator:
        """Find the row of a rule that is in force."""
        return self.rows.filter(has_text=text)

    def add_rule(self, kind: str, source: str, description: str = "", ports: str = "") -> None:
        """Add an inbound rule with the console's form."""
        self.page.get_by_role("button", name="Add rules", exact=True).click()
        self.dialog.get_by_label("Type").select_option(kind)
        if ports:
            self.dialog.get_by_label("Ports").fill(ports)
        self.dialog.get_by_label("Source").fill(source)
        self.dialog.get_by_label("Description").fill(description)
        self.dialog.get_by_role("button", name="Save rules").click()

    def add_and_wait(self, kind: str, source: str, description: str = "") -> None:
        """Add a rule, wait until it was reverted and the question is on the screen."""
        self.add_rule(kind, source, description)
        expect(self.dialog).to_have_count(0)
        self.stage.sandbox.wait_until_idle()
        expect(self.question.last).to_be_visible()

    # -- Slack ----------------------------------------------------------------------------------------------

    def be_in_slack(self, user: str) -> None:
        """Choose a Slack user by name."""
        options = self.page.locator("#slack-user option")
        label = next(text for text in options.all_text_contents() if text.startswith(user))
        self.page.locator("#slack-user").select_option(label=label)

    def open_channel(self, name: str) -> None:
        """Choose a channel."""
        self.page.get_by_role("tab", name=name).click()
        expect(self.page.locator(f"#messages[data-channel={name}]")).to_be_visible()

    @property
    def question(self) -> Locator:
        """The messages that have buttons."""
        return self.messages.filter(has=self.page.get_by_role("button", name="Deny"))

    def approve(self, label: str) -> None:
        """Click the newest question's button that approves, and confirm."""
        self.question.last.get_by_role("button", name=label).click()
        expect(self.dialog.get_by_role("heading")).to_have_text(f"{label}?")
        self.dialog.get_by_role("button", name=label).click()

    def deny(self) -> None:
        """Click the newest question's Deny."""
        self.question.last.get_by_role("button", name="Deny").click()

    def expect_in_both_channels(self, headline: str) -> None:
        """Look into both channels for a message with a headline; ends in the approval channel."""
        for name in (MONITORING, APPROVALS):
            self.open_channel(name)
            expect(self.messages.filter(has=self.page.get_by_role("heading", name=headline))).not_to_have_count(0)
