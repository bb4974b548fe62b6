"""The documentation names tests, files and verbs that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")))
    if path.name != "CHANGELOG.md"  # what it names existed then
}
TESTS = sorted(
    {(page, *found) for page, text in PAGES.items() for found in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)}
)


@pytest.mark.parametrize(("page", "path", "name"), TESTS, ids=lambda part: part)
def test_every_named_test_exists(page: str, path: str, name: str) -> None:
    """A sentence that a test holds could become untrue unnoticed without it."""
    file = ROOT / path
    assert file.is_file(), f"{page} names {path}"
    assert re.search(rf"^def {name}\(", file.read_text(encoding="utf-8"), re.MULTILINE), f"{page} names {path}::{name}"


@pytest.mark.parametrize("page", PAGES)
def test_every_named_file_of_tests_exists(page: str) -> None:
    """Whoever wants to see a figure again can."""
    files = set(re.findall(r"tests/[\w/]+\.py", PAGES[page]))
    assert [one for one in sorted(files) if not (ROOT / one).is_file()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_is_one_of_the_makefile(page: str) -> None:
    """``make faults``, ``make fuzz``, ``make test``."""
    verbs = set(re.findall(r"`make ([a-z]+(?:-[a-z]+)*)(?![\w-])", PAGES[page]))
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert verbs <= set(known)


@pytest.mark.parametrize("page", ["docs/security.md", "docs/reliability.md"])
def test_each_promise_names_its_tests(page: str) -> None:
    """Should a page lose its references, the tests above must not pass because there is nothing to look at."""
    assert len([one for one in TESTS if one[0] == page]) > 10
