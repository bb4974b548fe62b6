"""Finding and reading the policy file: the right one, once, with errors that name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.policy import Policies, Policy
from shared.policy.loading import VENDORED_POLICY_FILE, PolicyFileError, load_policies, read_policy_file


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
    ids=["missing", "wrong value", "no TOML", "no UTF-8"],
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
