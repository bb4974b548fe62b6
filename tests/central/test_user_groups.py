"""User groups as approvers: their active full members decide; what Slack does not say in time counts nobody."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator

import pytest

from central.chalicelib.slack import user_groups
from central.chalicelib.slack.user_groups import forget_members, members_among
from sandbox.slack.stand_in import API_PATH
from shared.settings import SettingError
from tests.central.test_denial import ephemerals
from tests.support.central_account import APPROVER, Central
from tests.support.denials import use_token
from tests.support.slack_stand_in import Reply, SlackStandIn

TEAM = "S0614TZR7"
OTHERS = "S0999TZR7"
MEMBER, GUEST, LISTED = "U0MEMBER", "U0GUEST", "U0LISTED"
LIST = f"{API_PATH}usergroups.users.list"
ONE_GROUP = f'approvers = ["{TEAM}", "{LISTED}"]'
RULE = f'[[rules]]\nmatch = {{ kinds = ["add"] }}\napprovals = 2\napprovers = ["{OTHERS}"]\n'


@pytest.fixture(autouse=True)
def _bot_token(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    use_token(slack, monkeypatch)
    slack.user_groups[TEAM] = [MEMBER, GUEST]
    slack.guests.add(GUEST)
    forget_members()
    yield
    forget_members()


@pytest.mark.parametrize(("who", "status"), [(MEMBER, "approved"), (LISTED, "approved"), (APPROVER, "pending")])
def test_members_decide_beside_those_who_are_listed(
    central: Central, policy: Callable[[str], None], who: str, status: str
) -> None:
    """Anybody else does not, and is told."""
    policy(ONE_GROUP)
    central.click(central.file(), by=who)
    assert central.status() == status
    assert len(ephemerals(central)) == (status == "pending")


def test_a_guest_in_the_group_does_not_count(central: Central, policy: Callable[[str], None]) -> None:
    """Guests, bots and deactivated people are not full members."""
    policy(ONE_GROUP)
    central.click(central.file(), by=GUEST)
    assert central.status() == "pending"


@pytest.mark.parametrize(("team", "status"), [("T0001", "approved"), ("T0002", "pending"), ("", "approved")])
def test_a_member_of_another_workspace_does_not_count(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch, team: str, status: str
) -> None:
    """In a shared channel people of others click."""
    monkeypatch.setenv("slackTeamId", team)
    assert slack.user_groups
    assert members_among([TEAM], [MEMBER]) == {TEAM: frozenset({MEMBER} if status == "approved" else ())}


def test_without_a_token_a_group_counts_nobody(
    central: Central, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are listed decide as ever."""
    monkeypatch.delenv("slackBotToken")
    policy(ONE_GROUP)
    request = central.file()
    central.click(request, by=MEMBER)
    assert (central.status(), central.slack.calls("usergroups.users.list")) == ("pending", [])
    central.click(request, by=LISTED)
    assert central.status() == "approved"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=200, body=json.dumps({"ok": False, "error": "missing_scope"})),
        Reply(status=200, body=json.dumps({"ok": True, "users": "U0MEMBER"})),
        Reply(status=200, body="<html>"),
        Reply(status=500, body="x"),
    ],
)
def test_what_slack_does_not_say_counts_nobody(
    central: Central, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    """And is asked again at the next click."""
    monkeypatch.setattr("central.chalicelib.slack.http._SHORTEST_SECONDS", 0.2)
    policy(ONE_GROUP)
    request = central.file()
    central.slack.always[LIST] = reply
    central.click(request, by=MEMBER)
    assert central.status() == "pending"
    central.click(request, by=LISTED)
    assert central.status() == "approved"


def test_members_are_remembered_for_five_minutes(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack is not asked for each click; who leaves the group decides no longer than that."""
    assert members_among([TEAM], [MEMBER]) == members_among([TEAM], [MEMBER]) == {TEAM: frozenset({MEMBER})}
    assert [len(slack.calls(method)) for method in ("usergroups.users.list", "users.info")] == [1, 1]
    slack.user_groups[TEAM] = []
    now = user_groups.time.monotonic
    monkeypatch.setattr(user_groups.time, "monotonic", lambda: now() + 301)
    assert members_among([TEAM], [MEMBER]) == {TEAM: frozenset()}


def test_a_failure_is_remembered_for_the_same_click_alone(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """One click waits for it once; a later one asks again."""
    refused = Reply(status=200, body=json.dumps({"ok": False, "error": "missing_scope"}))
    slack.replies[LIST].append(refused)
    for _ in range(2):
        assert members_among([TEAM], [MEMBER]) == {TEAM: frozenset()}
    now = user_groups.time.monotonic
    monkeypatch.setattr(user_groups.time, "monotonic", lambda: now() + 3)
    assert members_among([TEAM], [MEMBER]) == {TEAM: frozenset({MEMBER})}


def test_a_token_that_cannot_be_read_counts_nobody(monkeypatch: pytest.MonkeyPatch, logs: io.StringIO) -> None:
    """The reason is in the log."""
    monkeypatch.setattr(user_groups, "secret", _unreadable)
    assert members_among([TEAM], [MEMBER]) == {}
    assert "slackBotToken refers to ssm:/x" in logs.getvalue()


def _unreadable(name: str) -> str:
    raise SettingError(f"Setting {name} refers to ssm:/x, which cannot be read.")


def test_a_refused_token_is_read_again(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been rotated since."""
    renewed: list[str] = []
    monkeypatch.setattr(user_groups, "renewed", renewed.append)
    slack.replies[LIST].append(Reply(status=200, body=json.dumps({"ok": False, "error": "invalid_auth"})))
    assert members_among([TEAM], [MEMBER]) == {TEAM: frozenset()}
    assert renewed == ["slackBotToken"]


def test_nobody_waits_for_a_silent_slack(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for all questions together is bounded."""
    release = threading.Event()
    monkeypatch.setattr(user_groups, "_SECONDS", 0.1)
    slack.replies[LIST].append(Reply(status=500, before=lambda: release.wait(5) and None))
    try:
        assert members_among([TEAM], [MEMBER]) == {TEAM: frozenset()}
    finally:
        release.set()


def test_groups_count_in_the_entries_of_rules(central: Central, policy: Callable[[str], None]) -> None:
    """Two members of the entry's group have to approve; one in neither list does not count."""
    policy(f'approvers = ["{TEAM}"]\n{RULE}')
    central.slack.user_groups |= {TEAM: ["U0A", "U0B", "U0C"], OTHERS: ["U0A", "U0B"]}
    request = central.file()
    central.click(request, by="U0C")
    assert "approvals" not in central.item()
    central.click(request, by="U0A")
    assert (central.status(), len(central.item()["approvals"])) == ("pending", 1)
    assert "1 of 2" in central.responses[-1].text
    central.click(request, by="U0B")
    assert central.status() == "approved"


def test_who_has_left_the_group_no_longer_counts(central: Central, policy: Callable[[str], None]) -> None:
    """At the last click all earlier approvals are judged again."""
    policy(f'approvers = ["{TEAM}"]\n[[rules]]\nmatch = {{ kinds = ["add"] }}\napprovals = 2\n')
    central.slack.user_groups[TEAM] = ["U0A", "U0B"]
    request = central.file()
    central.click(request, by="U0A")
    central.slack.user_groups[TEAM] = ["U0B"]
    forget_members()
    central.click(request, by="U0B")
    assert (central.status(), [one["by"] for one in central.item()["approvals"]]) == ("pending", ["U0B"])
