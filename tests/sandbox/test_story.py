"""The demo, with the real apps; and what it says when something does not happen."""

import io
import re

import pytest

from sandbox.settings import SandboxSettings
from sandbox.story import play_demo
from sandbox.system import Sandbox
from sandbox.terminal import Terminal


@pytest.mark.slow
def test_every_step_of_the_story_happens() -> None:
    """The demo ends well with the apps as they are in the repository."""
    output = io.StringIO()
    happened = play_demo(Terminal(output))
    told = output.getvalue()
    assert happened, told
    assert "✗" not in told
    for number in range(6):
        assert re.search(rf"^{number}  \S", told, re.MULTILINE), f"step {number} is told"
    assert "[ Approve Add ]   [ Deny ]" in told
    assert "│ Region adopted" in told
    assert "\x1b[" not in told


@pytest.mark.slow
def test_a_step_that_does_not_happen_ends_the_story(tiny_settings: SandboxSettings) -> None:
    """Expected and seen are printed, and the result is false."""
    output = io.StringIO()
    assert not play_demo(Terminal(output), open_sandbox=lambda: Sandbox(tiny_settings))
    told = output.getvalue()
    assert re.search(r"✗ .*\n +expected: .*\n +seen: ", told)
    assert "Every step happened" not in told
