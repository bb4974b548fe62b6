"""The emergency switch: the setting `modeOverride`."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.policy.loading import load_policies
from shared.telemetry import logger

POLICY = """
mode = "enforce"
require_description = true
[accounts."222222222222"]
mode = "observe"
"""


@pytest.fixture(autouse=True)
def policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work with a policy of the test's own, and with no switch turned."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY, encoding="utf-8")
    monkeypatch.setenv("policyFile", str(path))
    monkeypatch.delenv("modeOverride", raising=False)


@pytest.mark.parametrize("setting", [None, "", "  "])
def test_without_the_switch_the_file_says_what_happens(setting: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing or empty setting changes nothing, in general or for one account."""
    if setting is not None:
        monkeypatch.setenv("modeOverride", setting)
    policies = load_policies()
    assert (policies.general.mode, policies.for_account("222222222222").mode) == ("enforce", "observe")


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_the_switch_replaces_the_mode_of_every_account(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever turns it need not know what the file says for which account."""
    monkeypatch.setenv("modeOverride", mode)
    policies = load_policies()
    assert (policies.general.mode, policies.for_account("222222222222").mode) == (mode, mode)


def test_the_switch_replaces_nothing_but_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else keeps to the file."""
    monkeypatch.setenv("modeOverride", "observe")
    assert load_policies().for_account("222222222222").require_description


def test_the_switch_turned_back_is_no_longer_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read with the switch on is not kept."""
    monkeypatch.setenv("modeOverride", "observe")
    load_policies()
    monkeypatch.delenv("modeOverride")
    assert load_policies().general.mode == "enforce"


@pytest.mark.parametrize("setting", ["observ", "Observe", "off", "true"])
def test_a_mistyped_switch_is_logged_and_stops_no_revert(
    setting: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file holds; the sentence names the variable and what it may be."""
    monkeypatch.setenv("modeOverride", setting)
    monkeypatch.setattr(logger._logger, "propagate", True)
    policies = load_policies()
    assert (policies.general.mode, policies.for_account("222222222222").mode) == ("enforce", "observe")
    (record,) = caplog.records
    assert "modeOverride is malformed: expected enforce or observe" in record.__dict__["problem"]
