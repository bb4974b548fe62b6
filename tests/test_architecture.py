"""docs/architecture.md names files that exist, and both trips are short enough to be walked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TRIPS = PAGE.split("## From an event to the question")[1].split("## Why changes are measured")[0]
NAMED = sorted(set(re.findall(r"`((?:shared|member|central|sandbox|deploy|bench|tests)/[\w/.-]+)`", PAGE)))


@pytest.mark.parametrize("path", NAMED)
def test_every_file_and_folder_it_names_exists(path: str) -> None:
    """A room that was moved is moved on the page too."""
    assert (ROOT / path).exists()


def test_both_trips_take_at_most_25_files() -> None:
    """They are numbered through, and each number is one file."""
    numbered = re.findall(r"^(\d+)\. (.*)$", TRIPS, re.MULTILINE)
    assert [int(number) for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert 20 <= len(numbered) <= 25
    files = [re.findall(r"`((?:shared|member|central)/[\w/.]+\.py)`", text) for _, text in numbered]
    assert [one for one in files if len(one) != 1] == []
    assert len({one[0] for one in files}) == len(files)


def test_it_links_every_decision_about_the_member() -> None:
    """And every link of the page leads to a page."""
    links = re.findall(r"\]\(([\w/.-]+\.md)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []
    assert {link[:14] for link in links} >= {"decisions/0003", "decisions/0006", "decisions/0007", "decisions/0008"}
