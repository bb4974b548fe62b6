"""Removing an app asks first: one word too few in a shell's history would otherwise delete every baseline."""

from __future__ import annotations

from collections.abc import Callable

import boto3
import pytest

from deploy import undeploying
from deploy.names import App, Place
from deploy.target import Target

ACCOUNT = "222222222222"


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was removed; here nothing really is."""
    found: list[str] = []
    monkeypatch.setattr(undeploying, "foundation", None)
    monkeypatch.setattr(undeploying, "step", lambda text: found.append(text) or _stop())
    return found


class StoppedError(Exception):
    """The removal began."""


def _stop() -> None:
    raise StoppedError


def target(app: App) -> Target:
    """Return an app's place."""
    place = Place(app=app, stage="prod", partition="aws", account=ACCOUNT, region="eu-west-1")
    return Target(place=place, profile="", session=boto3.Session(region_name="eu-west-1"))


def answer(text: str | None) -> Callable[[str], str]:
    """Return what answers the question; ``None``: nobody is there."""

    def ask(question: str) -> str:
        assert f"Type {ACCOUNT} to go on" in question
        if text is None:
            raise EOFError
        return text

    return ask


@pytest.mark.parametrize("text", ["", "y", "yes", "111111111111", None])
def test_nothing_is_removed_without_the_accounts_id(
    text: str | None, removed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A habit of typing y removes nothing, nor does a script without --yes."""
    assert undeploying.undeploy(target("member"), purge=False, yes=False, ask=answer(text)) == 1
    assert removed == []
    assert "Nothing was removed." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("app", "purge", "loss"),
    [
        ("member", False, "its baselines, what counts as approved, are deleted"),
        ("central", True, "The table of requests, with every decision ever made, and the logs are deleted."),
    ],
)
def test_the_question_says_where_and_what_is_lost(
    app: App, purge: bool, loss: str, removed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the account's id starts it."""
    with pytest.raises(StoppedError):
        undeploying.undeploy(target(app), purge=purge, yes=False, ask=answer(f" {ACCOUNT} "))
    said = capsys.readouterr().out
    assert f"This removes the {app} app from account {ACCOUNT}, eu-west-1, stage prod-eu-west-1." in said
    assert loss in said
    assert removed


def test_yes_asks_nothing(removed: list[str]) -> None:
    """For scripts."""
    with pytest.raises(StoppedError):
        undeploying.undeploy(target("member"), purge=False, yes=True, ask=answer("never asked"))
    assert removed
