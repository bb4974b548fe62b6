"""The check that ``make lint`` makes of words: it finds the old ones, and leaves ordinary English alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.vocabulary import main, replaced_words


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("the change is\ntaken back", "taken back"),
        ("def take_back(group):", "take_back"),
        ("it takes them back", "takes them back"),
        ("IS_OWED = True", "OWED"),
        ("Whispered to one person", "Whispered"),
        ("a debt, paid later", "debt"),
        ("claimed by another function", "claimed"),
        ("the collector of the far side", "collector"),
        ("Two rules are alike.", "alike"),
        ("The body is no JSON.", "is no JSON"),
    ],
)
def test_an_old_word_is_found_in_any_form(text: str, old: str) -> None:
    """In prose and identifiers, in any case, across the end of a line."""
    assert old in {word for _, word, _ in replaced_words(text)}


@pytest.mark.parametrize(
    "text",
    [
        "the lowest of them",
        "notwithstanding",
        "PAY_PER_REQUEST",
        "the garbage collector",
        "a look-alike",
        "it can claim that it applied",
        "payload",
        "space",
    ],
)
def test_ordinary_english_is_left_alone(text: str) -> None:
    """A word that merely contains an old one, and words with another meaning here, are fine."""
    assert not list(replaced_words(text))


def test_the_check_fails_and_names_file_line_and_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files in git count; what git does not know does not, nor does a binary file."""
    (tmp_path / "guide.md").write_text("# A guide\n\nThe change is taken back.\n", encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"\0 debt")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "draft.md").write_text("a debt\n", encoding="utf-8")
    assert main(tmp_path) == 1
    assert capsys.readouterr().out == "guide.md:3: taken back → revert\n"


def test_the_check_passes_without_old_words(tmp_path: Path) -> None:
    """An empty finding is an exit status of 0."""
    (tmp_path / "guide.md").write_text("The change is reverted.\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert main(tmp_path) == 0
