"""The command line that serves the page: its options, and what goes wrong before anything runs, in one sentence."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

REPOSITORY = Path(__file__).parent.parent.parent


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_of_the_page_is_one_sentence_at_once() -> None:
    """It names the port and the option, and nothing was started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--port", str(port), "--aws-port", "0", "--no-browser")
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"Port {port} for the page is taken. Choose another one with --port, or 0 for any free port."
    )


def test_a_number_that_is_no_port_is_one_sentence() -> None:
    """A port above 65535 is no traceback."""
    ended = run("--port", "70000", "--no-browser")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["70000 for the page is no port. Choose one up to 65535 with --port, or 0."]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Without a place for temporary files the command says what to set."""
    nowhere = str(tmp_path / "not there")
    code = (
        "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: [sys.argv[1]];"
        "from sandbox.__main__ import main; sys.exit(main(['--port', '0', '--aws-port', '0', '--no-browser']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, nowhere], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "No folder for temporary files can be written" in ended.stderr
    assert "TMPDIR" in ended.stderr


def test_the_help_names_every_option() -> None:
    """Options that operators are promised are there."""
    told = run("--help").stdout
    for option in ("--port", "--aws-port", "--no-browser", "--seed-demo", "demo"):
        assert option in told


@pytest.mark.slow
def test_a_seeded_page_has_the_story_on_it() -> None:
    """--seed-demo: questions and results are there before anybody looks; Ctrl-C ends it all."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--aws-port", "0", "--no-browser", "--seed-demo"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        told, ends = "", time.monotonic() + 120
        while "aws ec2 describe-security-group-rules" not in told:
            assert time.monotonic() < ends, told
            line = process.stdout.readline()
            assert line, told
            told += line
        found = re.search(r"http://127\.0\.0\.1:\d+/", told)
        assert found
        view = requests.get(f"{found[0]}api/slack", params={"user": "U0APPROVER"}, timeout=10).json()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0, told + rest
    texts = "\n".join(message["text"] for channel in view["channels"] for message in channel["messages"])
    for headline in ("approved and applied", "denied", "could not be applied", "needs approval"):
        assert headline in texts
    assert "Traceback" not in rest
