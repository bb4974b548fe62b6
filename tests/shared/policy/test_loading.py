"""Finding and reading the policy file: the right one, once, with errors that name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.policy import Policies, Policy
from shared.policy.loading import (
    VENDORED_POLICY_FILE,
    PolicyFileError,
    load_policies,
    read_policy_file,
    written_policies,
)
from shared.telemetry import logger


def test_without_a_setting_the_vendored_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both apps carry ``shared/policy.toml``."""
    monkeypatch.delenv("policyFile", raising=False)
    assert VENDORED_POLICY_FILE.name == "policy.toml"
    assert load_policies() == read_policy_file(VENDORED_POLICY_FILE)


def test_the_setting_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``policyFile`` wins over the vendored file."""
    path = tmp_path / "policy.toml"
    path.write_text('mode = "observe"', encoding="utf-8")
    monkeypatch.setenv("policyFile", str(path))
    assert load_policies() == Policies(general=Policy(mode="observe"))


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    """An unchanged file gives the very same policies; a changed one gives the new ones."""
    path = tmp_path / "a.toml"
    path.write_text('mode = "observe"\n')
    first = read_policy_file(path)
    assert read_policy_file(path) is first
    path.write_text('mode = "enforce"\ndrift = "report"\n')
    assert read_policy_file(path).general.mode == "enforce"


def test_an_error_is_not_remembered(tmp_path: Path) -> None:
    """Once the file is repaired it is read."""
    path = tmp_path / "policy.toml"
    with pytest.raises(PolicyFileError):
        read_policy_file(path)
    path.write_text("", encoding="utf-8")
    assert read_policy_file(path) == Policies()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        (b'mode = "off"', "mode: expected one of 'enforce', 'observe', found 'off'"),
        (b"mode = ", "is not valid TOML"),
        (b'mode = "\xff"', "is not UTF-8 text: invalid start byte at byte 8"),
    ],
    ids=["missing", "wrong value", "not TOML", "not UTF-8"],
)
def test_an_error_names_the_file(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """An operator reads which file, which key, and what was expected."""
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyFileError) as caught:
        read_policy_file(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


def test_a_folder_is_no_policy_file(tmp_path: Path) -> None:
    """The operating system's own words are in the message."""
    with pytest.raises(PolicyFileError, match="Is a directory"):
        read_policy_file(tmp_path)


BROKEN = [None, b'moood = "observe"', b"mode = ", b'mode = "\xff"', b"[exempt]\nprincipals = 5"]


@pytest.fixture
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file in force that cannot be used."""
    path = tmp_path / "policy.toml"
    if request.param is not None:
        path.write_bytes(request.param)
    monkeypatch.setenv("policyFile", str(path))
    monkeypatch.delenv("modeOverride", raising=False)
    return path


@pytest.mark.parametrize("broken", BROKEN, ids=["missing", "key", "not TOML", "not UTF-8", "type"], indirect=True)
def test_without_a_usable_file_the_strictest_policy_holds(
    broken: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is raised, so that no revert depends on the file; log and metric alert operators."""
    monkeypatch.setattr(logger._logger, "propagate", True)
    for load in (load_policies, written_policies):
        caplog.clear()
        policies = load()
        assert str(broken) in policies.problem
        assert policies.for_account("222222222222").mode == "enforce"
        (record,) = caplog.records
        assert (record.levelname, record.message) == ("ERROR", "policy unreadable")
        assert record.__dict__["problem"] == policies.problem
        assert '"PolicyUnreadable":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize("broken", [b"nonsense"], indirect=True)
def test_the_emergency_switch_holds_without_a_usable_file(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who turned it wanted no reverts, whatever the file says."""
    monkeypatch.setenv("modeOverride", "observe")
    policies = load_policies()
    assert policies.general.mode == "observe"
    assert str(broken) in policies.problem


@pytest.mark.parametrize("broken", [b"nonsense"], indirect=True)
def test_a_corrected_file_holds_at_once(broken: Path) -> None:
    """The problem is not remembered."""
    assert load_policies().problem
    broken.write_text('mode = "observe"', encoding="utf-8")
    assert load_policies() == Policies(general=Policy(mode="observe"))
