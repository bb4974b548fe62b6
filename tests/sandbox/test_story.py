"""The demo, with the real apps; and what it says when something does not happen."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.settings import SandboxSettings
from sandbox.story import play_demo
from sandbox.system import Sandbox
from sandbox.terminal import Terminal

REPOSITORY = Path(__file__).parent.parent.parent


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
    assert "\x1b[" not in told


@pytest.mark.slow
def test_a_step_that_does_not_happen_ends_the_story(tiny_settings: SandboxSettings) -> None:
    """Expected and seen are printed, and the result is false."""
    output = io.StringIO()
    assert not play_demo(Terminal(output), open_sandbox=lambda: Sandbox(tiny_settings))
    told = output.getvalue()
    assert re.search(r"✗ .*\n +expected: .*\n +seen: ", told)
    assert "Every step happened" not in told


def test_a_taken_port_ends_the_command_with_one_sentence() -> None:
    """Exit status 1, one line on standard error, nothing like a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--aws-port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "is taken" in ended.stderr


def test_a_missing_package_ends_the_command_with_one_sentence() -> None:
    """Without moto the command says what to do."""
    code = "import sys; sys.modules['moto'] = None; from sandbox.__main__ import main; sys.exit(main(['demo']))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip() == "The package moto is missing. Run “make venv”, then use .venv/bin/python."


@pytest.mark.slow
def test_the_sandbox_stays_up_and_stops_cleanly() -> None:
    """It prints lines to paste, runs until it is told to stop, and leaves no process behind."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--aws-port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        told = ""
        ends = time.monotonic() + 120
        while "aws ec2 describe-security-group-rules" not in told:
            assert time.monotonic() < ends, told
            line = process.stdout.readline()
            assert line, told
            told += line
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0, told + rest
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in told
    assert "export AWS_SESSION_TOKEN=" in told
    assert "Its policy only observes." in told
