"""The page itself: keyboard, dark and narrow windows, live updates, faults, the AWS CLI's lines, hostile text."""

import copy
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from sandbox.serving import bound_socket
from sandbox.settings import APPROVAL_CHANNEL, SHOP
from sandbox.web.feed import Feed
from sandbox.web.server import PageServer
from sandbox.web.stage import Stage
from tests.browser.driver import MONITORING, Driver

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def press_until(page: Driver, label: str, *, limit: int = 60) -> None:
    """Press Tab until the focus is on an element with this accessible name."""
    for _ in range(limit):
        page.page.keyboard.press("Tab")
        focused = page.page.evaluate(
            "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText ?? '').trim()"
        )
        if focused == label:
            return
    raise AssertionError(f"Tab does not reach {label!r}")


def test_the_whole_loop_works_by_keyboard_alone(page: Driver) -> None:
    """Add a rule, approve it in its dialog, with nothing but Tab, Enter and typing."""
    keyboard = page.page.keyboard
    press_until(page, "Add rules")
    keyboard.press("Enter")
    expect(page.dialog).to_be_visible()
    keyboard.type("SSH")
    keyboard.press("Tab")
    keyboard.type("0.0.0.0/0")
    keyboard.press("Tab")
    keyboard.type("by keyboard")
    keyboard.press("Enter")
    expect(page.question.last).to_be_visible()
    page.stage.sandbox.wait_until_idle()
    press_until(page, "Approve Add")
    outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is visible"
    keyboard.press("Enter")
    expect(page.dialog.get_by_role("button", name="Approve Add")).to_be_focused()
    keyboard.press("Enter")
    expect(page.row("by keyboard")).to_have_count(1)
    expect(page.question).to_have_count(0)
    assert page.page.evaluate("document.activeElement.closest('#slack') !== null"), "the focus is not lost"


def test_channels_are_tabs_for_the_arrow_keys(page: Driver) -> None:
    """Left and right move between the channels; the focus stays when a message arrives, which is announced."""
    page.page.get_by_role("tab", name=APPROVAL_CHANNEL).focus()
    page.page.keyboard.press("ArrowRight")
    expect(page.page.get_by_role("tab", name=MONITORING)).to_be_focused()
    expect(page.page.get_by_role("tab", name=MONITORING)).to_have_attribute("aria-selected", "true")
    expect(page.messages).to_have_count(2)  # each member's adoption
    page.stage.sandbox.slack.post(MONITORING, {"text": "A port was opened."})
    expect(page.messages).to_have_count(3)
    expect(page.page.get_by_role("tab", name=MONITORING)).to_be_focused()
    expect(page.page.locator("#heard")).to_have_text(f"#{MONITORING}: A port was opened.")


def test_a_reader_of_older_messages_is_not_moved_but_told(page: Driver) -> None:
    """New messages come into view, unless somebody scrolled away: then a button says that there are some."""
    slack = page.stage.sandbox.slack
    for number in range(15):
        slack.post(APPROVAL_CHANNEL, {"text": f"message {number}\n" * 5})
    expect(page.messages.last).to_contain_text("message 14")
    expect(page.messages.last).to_be_in_viewport()
    page.page.locator("#messages").evaluate("panel => panel.scrollTo(0, 50)")
    slack.post(APPROVAL_CHANNEL, {"text": "the newest"})
    newer = page.page.get_by_role("button", name="New message")
    expect(newer).to_be_visible()
    assert page.page.locator("#messages").evaluate("panel => panel.scrollTop") == 50
    newer.click()
    expect(page.messages.last).to_be_in_viewport()
    expect(newer).to_be_hidden()


def test_a_narrow_window_shows_one_part_at_a_time(open_page: Callable[..., Driver]) -> None:
    """Buttons choose the part, nothing is wider than the window, and news are counted."""
    page = open_page(viewport={"width": 390, "height": 800})
    expect(page.page.locator("#console")).to_be_visible()
    expect(page.page.locator("#slack")).to_be_hidden()
    for verb in page.page.locator(".row-verbs button").all():
        box = verb.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390, "no button of a rule is cut off"
    page.add_rule("SSH", "0.0.0.0/0", "narrow")
    expect(page.page.locator("#slack-badge")).not_to_have_text("")
    for part in ("Slack", "What happened", "EC2 console"):
        page.page.locator(".parts").get_by_role("button", name=part).click()
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{part} fits"
    page.page.locator(".parts").get_by_role("button", name="Slack").click()
    page.approve("Approve Add")
    expect(page.question).to_have_count(0)


def test_the_page_is_dark_where_the_reader_wants_it(open_page: Callable[..., Driver]) -> None:
    """Dark means light text on a dark ground, light the other way round."""
    brightness = "getComputedStyle(document.body).{}.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)"
    for scheme, darker, lighter in (("dark", "backgroundColor", "color"), ("light", "color", "backgroundColor")):
        page = open_page(color_scheme=scheme)
        values = [page.page.evaluate(brightness.format(name)) for name in (darker, lighter)]
        assert values[0] < 200 < 500 < values[1], scheme


def test_a_change_through_the_real_endpoint_appears_without_reload(page: Driver) -> None:
    """What somebody does with boto3 or the CLI shows in all three parts."""
    group = page.stage.console.groups(SHOP.id, "us-east-1")["groups"][0]["id"]
    page.stage.sandbox.aws.ec2(SHOP, who="sso").authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=23, ToPort=23, CidrIp="192.0.2.0/24"
    )
    expect(page.question.last).to_contain_text("192.0.2.0/24")
    expect(page.changes.first).to_contain_text("ada@example.com adds rules")


def test_the_stream_goes_on_after_it_broke(stage: Stage, open_page: Callable[..., Driver]) -> None:
    """A page that was cut off says so, connects again, and shows what it missed, nothing twice."""
    bound = bound_socket(0, what="the page", option="--port")
    port = bound.getsockname()[1]
    with PageServer(stage, bound) as server:
        page = open_page(server.url, may_log=True)  # the browser logs that the server is gone
        page.add_and_wait("SSH", "10.1.0.0/16")
        steps = page.page.locator("#changes li").count()
    expect(page.page.locator("#live")).to_have_text("connecting again …")
    stage.sandbox.aws.ec2(SHOP, who="ci").create_security_group(GroupName="meanwhile", Description="x")
    stage.sandbox.wait_until_idle()
    with PageServer(stage, bound_socket(port, what="the page", option="--port")):
        expect(page.page.locator("#live")).to_have_text("live")
        expect(page.changes.first).to_contain_text("pipeline makes a group")
        expect(page.changes).to_have_count(2)
        assert page.changes.nth(1).locator("li").count() == steps


def test_a_page_learns_that_another_sandbox_runs_by_now(stage: Stage, open_page: Callable[..., Driver]) -> None:
    """Restarted behind an open page: it loads anew, since groups, keys and ports are others."""
    bound = bound_socket(0, what="the page", option="--port")
    port = bound.getsockname()[1]
    with PageServer(stage, bound) as server:
        page = open_page(server.url, may_log=True)  # the browser logs that the server is gone
        page.page.locator("#console").evaluate("part => part.setAttribute('data-old', 'true')")
    another = copy.copy(stage)
    another.feed = Feed(stage.sandbox.timeline)
    another.feed.begin()
    with PageServer(another, bound_socket(port, what="the page", option="--port")):
        expect(page.page.locator("#console[data-old]")).to_have_count(0)
        page.wait_until_live()


def test_errors_are_those_of_ec2(page: Driver) -> None:
    """A rule that is there already is refused with EC2's code, in the form and in the console."""
    page.open_group("frontend")
    page.add_rule("HTTPS", "0.0.0.0/0")
    expect(page.dialog.get_by_role("alert")).to_contain_text("InvalidPermission.Duplicate")
    page.dialog.get_by_role("button", name="Cancel").click()
    expect(page.page.locator("#flash")).to_contain_text("InvalidPermission.Duplicate")
    expect(page.changes.first.locator(".state")).to_have_text("InvalidPermission.Duplicate")


def test_a_question_that_slack_refused_is_asked_later(page: Driver) -> None:
    """Slack answers 500; the rule is reverted nevertheless, and the sweep asks once Slack is back."""
    controls = page.page.locator("#controls")
    page.page.locator("#toggle-controls").click()
    controls.get_by_label("answers").select_option("server_error")
    expect(page.page.locator("#toggle-controls")).to_have_text("Faults & time (1 on)")
    page.add_rule("SSH", "0.0.0.0/0", "during the outage")
    expect(page.page.locator('[data-kind="SlackRefused"]').first).to_be_visible()
    expect(page.row("during the outage")).to_have_count(0)
    page.stage.sandbox.wait_until_idle(120)
    controls.get_by_role("button", name="Everything works again").click()
    expect(page.page.locator("#toggle-controls")).to_have_text("Faults & time")
    controls.get_by_role("button", name="Let 5 hours pass").click()
    expect(page.question.first).to_contain_text("during the outage")


def test_a_function_that_is_killed_comes_through(page: Driver) -> None:
    """The revert dies after its first call, runs again, and there is one question."""
    page.page.locator("#toggle-controls").click()
    page.page.locator("#controls").get_by_label("kill").select_option("revertSecurityGroup")
    expect(page.page.locator("#toggle-controls")).to_have_text("Faults & time (1 on)")
    page.add_and_wait("SSH", "0.0.0.0/0", "killed")
    expect(page.page.locator('[data-kind="FaultStruck"]')).to_contain_text("function killed")
    expect(page.question).to_have_count(1)
    expect(page.row("killed")).to_have_count(0)


def test_a_dead_letter_is_redriven(page: Driver) -> None:
    """The function that asks dies in all three tries; redriven, it asks."""
    controls = page.page.locator("#controls")
    page.page.locator("#toggle-controls").click()
    controls.locator("[name=killRuns]").select_option("3")
    controls.get_by_label("kill").select_option("securityGroupChange")
    expect(page.page.locator("#toggle-controls")).to_have_text("Faults & time (1 on)")
    assert page.stage.sandbox.faults.kill_runs == 3, "the second choice did not undo the first one"
    page.add_rule("SSH", "0.0.0.0/0", "after all")
    expect(controls.locator(".letters")).to_have_text("1 dead letter: securityGroupChange")
    expect(page.row("after all")).to_have_count(0)
    controls.get_by_role("button", name="Redrive").click()
    expect(controls.locator(".letters")).to_have_text("No dead letters.")
    page.stage.sandbox.wait_until_idle()
    controls.get_by_role("button", name="Let 5 minutes pass").click()
    expect(page.question).to_have_count(1)


def test_an_event_that_is_lost_is_found_by_the_snapshot(page: Driver) -> None:
    """CloudTrail loses the event: the rule stays, in red, until the snapshot reverts it and asks."""
    controls = page.page.locator("#controls")
    page.page.locator("#toggle-controls").click()
    controls.get_by_label("lose").select_option("1")
    expect(page.page.locator("#toggle-controls")).to_have_text("Faults & time (1 on)")
    page.add_rule("SSH", "0.0.0.0/0", "lost")
    expect(page.row("lost")).to_have_count(1)
    expect(page.changes.first.locator(".state")).to_contain_text("unseen")
    expect(page.changes.first.locator(".exposed")).to_contain_text("in force so far")
    for _ in range(2):  # the first one sees the difference, the next one reverts it
        controls.get_by_role("button", name="Run the snapshot").click()
        expect(controls.locator(".said")).to_contain_text("It ran")
        page.page.wait_for_timeout(700)  # drift_grace_minutes of this sandbox
    expect(page.row("lost")).to_have_count(0)
    expect(page.question.last).to_contain_text("lost")


def test_starting_afresh_empties_everything_for_every_tab(open_page: Callable[..., Driver]) -> None:
    """After a question, messages, changes and groups of one's own are gone, in the other tab too."""
    first, second = open_page(), open_page()
    first.add_and_wait("SSH", "0.0.0.0/0")
    expect(second.question).to_have_count(1)
    first.page.get_by_role("button", name="Start afresh").click()
    first.dialog.get_by_role("button", name="Cancel").click()
    expect(first.question).to_have_count(1)
    first.page.get_by_role("button", name="Start afresh").click()
    first.dialog.get_by_role("button", name="Start afresh").click()
    for page in (first, second):
        expect(page.messages).to_have_count(0)
        expect(page.changes).to_have_count(0)
        expect(page.rows).to_have_count(2)


def test_what_a_user_wrote_stays_text(page: Driver) -> None:
    """Markup, mentions and HTML in a description are shown as they stand, everywhere on the page."""
    page.add_and_wait("SSH", "10.0.0.0/8", "*bold* @here & :smile: _x_")
    shown = page.question.last.locator(".plain_text")
    expect(shown.filter(has_text="*bold* @here & :smile: _x_")).to_have_count(1)
    assert page.question.last.locator(".mention").count() == 0


def test_slacks_markup_is_drawn_as_slack_draws_it(page: Driver) -> None:
    """Bold, code, links, mentions and dates are markup in mrkdwn; HTML, script addresses and plain_text never are."""
    markup = (
        "*bold* _slanted_ ~gone~ `a*b*c` <https://example.com/x?a=1&amp;b=2|a link> <@U0APPROVER> <!here> "
        "<!date^0^{date_num} {nonsense}|long ago> 2*3*4 snake_case_name &lt;img src=x onerror=alert(1)&gt; "
        "<javascript:alert(1)|no link>"
    )
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": markup}},
        {"type": "section", "text": {"type": "plain_text", "text": "*plain* <b>text</b> <@U0APPROVER>"}},
    ]
    page.stage.sandbox.slack.post(APPROVAL_CHANNEL, {"text": "x", "blocks": blocks})
    drawn, inert = page.messages.last.locator(".mrkdwn"), page.messages.last.locator(".plain_text")
    expect(drawn.locator("strong")).to_have_text("bold")
    expect(drawn.locator("em")).to_have_text("slanted")
    expect(drawn.locator("s")).to_have_text("gone")
    expect(drawn.locator("code")).to_have_text("a*b*c")
    expect(drawn.locator("a")).to_have_text("a link")
    expect(drawn.locator("a")).to_have_attribute("href", "https://example.com/x?a=1&b=2")
    expect(drawn.locator(".mention")).to_have_text(["@Grace", "@here"])
    expect(drawn.locator("time")).to_have_text("1970-01-01 {nonsense}")
    expect(drawn).to_contain_text("2*3*4 snake_case_name <img src=x onerror=alert(1)> no link")
    assert drawn.locator("img").count() == 0
    expect(inert).to_have_text("*plain* <b>text</b> <@U0APPROVER>")
    assert inert.locator("*").count() == 0


def test_the_lines_for_the_aws_cli_are_those_of_the_sandbox(page: Driver) -> None:
    """The dialog has the endpoint, a user's key, a session's token and a command for the open group."""
    page.page.get_by_role("button", name="Use the AWS CLI").click()
    text = page.dialog.text_content() or ""
    user = page.stage.sandbox.aws.credentials(SHOP.id, "user")
    session = page.stage.sandbox.aws.credentials(SHOP.id, "sso")
    for line in (
        f"export AWS_ENDPOINT_URL={page.stage.sandbox.aws_url}",
        f"export AWS_ACCESS_KEY_ID={user.access_key_id}",
        f"export AWS_SESSION_TOKEN={session.session_token}",
        "export AWS_DEFAULT_REGION=us-east-1",
        "aws ec2 authorize-security-group-ingress --group-id sg-",
    ):
        assert line in text
    page.page.keyboard.press("Escape")
    expect(page.dialog).to_have_count(0)


def test_the_story_fills_the_page(page: Driver) -> None:
    """The demo's story can be played from a page that was used already: questions, results, an error, a denial."""
    page.add_and_wait("SSH", "0.0.0.0/0", "before the story")
    page.page.get_by_role("button", name="Play the story").click()
    page.dialog.get_by_role("button", name="Play the story").click()
    expect(page.changes).not_to_have_count(0)
    for headline in ("denied", "approved and applied", "could not be applied", "needs approval"):
        found = page.messages.filter(has=page.page.get_by_role("heading", name=headline))
        expect(found).not_to_have_count(0)
    expect(page.page.locator("#live")).to_have_text("live")
    expect(page.messages.filter(has_text="before the story")).to_have_count(0)
