"""Random stories (``tests/attack/stories.py``), a bounded share of them; ``make stories`` plays as many as wanted."""

from __future__ import annotations

from tests.attack.stories import play_many


def test_whatever_is_called_every_group_ends_as_approved() -> None:
    """The same stories each time, for ten seconds at most."""
    played, broken = play_many(range(1, 301), seconds=10)
    assert played > 0
    assert broken == []
