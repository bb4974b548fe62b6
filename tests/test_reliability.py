"""docs/reliability.md names tests and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)", PAGE)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part)
def test_every_test_that_stands_for_a_defect_exists(path: str, name: str) -> None:
    """A defect without its test could come back unnoticed."""
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_file_that_a_command_names_exists() -> None:
    """Whoever wants to see a figure again can."""
    files = set(re.findall(r"tests/[\w/]+\.py", PAGE))
    assert len(NAMED) > 10
    assert [one for one in sorted(files) if not (ROOT / one).is_file()] == []


def test_every_verb_it_names_is_one_of_the_makefile() -> None:
    """``make faults``, ``make fuzz``, ``make test``."""
    verbs = set(re.findall(r"`make ([a-z-]+)", PAGE))
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert verbs
    assert verbs <= set(known)
