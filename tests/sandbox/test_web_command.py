"""The command line that serves the page: its options, and what goes wrong before anything runs, in one sentence."""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from sandbox.__main__ import main
from sandbox.interactive import Options, make_settings, stay_up
from sandbox.settings import LABS, SHOP, SandboxSettings
from sandbox.terminal import Terminal
from shared.wire.policy_document import parse_policies

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(("option", "what"), [("--port", "the page"), ("--aws-port", "the AWS endpoint")])
def test_a_taken_port_is_one_sentence(capsys: pytest.CaptureFixture[str], option: str, what: str) -> None:
    """It names the port and the option; exit status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--no-browser", "--port", "0", "--aws-port", "0", option, str(port)]) == 1
    assert capsys.readouterr().err == (
        f"Port {port} for {what} is taken. Choose another one with {option}, or 0 for any free port.\n"
    )


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_number_that_is_not_a_port_is_one_sentence(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """A port outside 0 to 65535 is no traceback."""
    assert main(["--port", port, "--no-browser"]) == 1
    assert capsys.readouterr().err == f"{port} for the page is not a port. Choose one up to 65535 with --port, or 0.\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a place for temporary files the command says what to set."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    assert main(["--port", "0", "--aws-port", "0", "--no-browser"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("No folder for temporary files can be written (No such file or directory).")
    assert "TMPDIR" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [("modus = 'enforce'", "modus: is not a policy key"), (None, "cannot be read: No such file or directory")],
)
def test_a_policy_that_cannot_be_used_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, said: str
) -> None:
    """It names the file and the key, before anything runs."""
    file = tmp_path / "policy.toml"
    if text is not None:
        file.write_text(text)
    assert main(["--port", "0", "--aws-port", "0", "--no-browser", "--policy", str(file)]) == 1
    told = capsys.readouterr().err
    assert str(file) in told
    assert said in told
    assert len(told.splitlines()) == 1


def test_the_policy_of_the_page_shows_what_it_can_do() -> None:
    """It gathers, offers hours and has rules; the two accounts keep their modes."""
    policies = parse_policies(make_settings(Options()).policy_text())
    assert policies.general.gather_seconds > 0
    assert policies.general.offer_hours
    assert {rule.approvals for rule in policies.general.rules} == {0, 1, 2}
    assert [policies.for_account(member.id).mode for member in (SHOP, LABS)] == ["enforce", "observe"]


def test_a_policy_of_ones_own_says_the_mode(tmp_path: Path) -> None:
    """The page shows what the file says of each account."""
    file = tmp_path / "policy.toml"
    file.write_text('mode = "observe"\n')
    settings = make_settings(Options(policy_file=file))
    assert [settings.mode_of(member) for member in (SHOP, LABS)] == ["observe", "observe"]


def test_a_missing_package_is_one_sentence() -> None:
    """Without moto the command says what to do."""
    code = "import sys; sys.modules['moto'] = None; from sandbox.__main__ import main; sys.exit(main(['demo']))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip() == "The package moto is missing. Run “make venv”, then use .venv/bin/python."


def test_a_checkout_without_symlinks_is_one_sentence_a_link(tmp_path: Path) -> None:
    """What Git on Windows or a downloaded zip makes of them; the apps would not find `shared`."""
    left_out = shutil.ignore_patterns("__pycache__", "vendor", "tests")
    for name in ("central", "member", "sandbox", "deploy", "shared", ".chalice"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, symlinks=True, ignore=left_out)
    for app in ("central", "member"):
        (tmp_path / app / "vendor").mkdir()
        (tmp_path / app / "vendor" / "shared").write_text("../../shared")
    command = [sys.executable, "-m", "sandbox", "demo"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [
        "central/vendor/shared is not a symlink to shared",
        "member/vendor/shared is not a symlink to shared",
    ]


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Options that operators are promised are there."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    for option in ("--port", "--aws-port", "--no-browser", "--policy", "--seed-demo", "demo"):
        assert option in told


def until_it_is_up(process: subprocess.Popen[str]) -> str:
    """Read what the command says until its last line to paste."""
    assert process.stdout is not None
    told, ends = "", time.monotonic() + 120
    while "aws ec2 describe-security-group-rules" not in told:
        assert time.monotonic() < ends, told
        line = process.stdout.readline()
        assert line, told
        told += line
    return told


def stop(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal, read the rest, and see that the command ended well."""
    assert process.stdout is not None
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait(timeout=30) == 0, rest
    return rest


@pytest.mark.slow
def test_a_seeded_page_has_the_story_on_it() -> None:
    """--seed-demo: lines to paste, questions and results are there before anybody looks; Ctrl-C ends it all.

    Whatever AWS profile the developer has set, even one that is not there.
    """
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--aws-port", "0", "--no-browser", "--seed-demo"]
    environment = {**os.environ, "AWS_PROFILE": "not-there", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        told = until_it_is_up(process)
        found = re.search(r"http://127\.0\.0\.1:\d+/", told)
        assert found
        view = requests.get(f"{found[0]}api/slack", params={"user": "U0APPROVER"}, timeout=10).json()
        rest = stop(process, signal.SIGINT)
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in told
    assert "export AWS_SESSION_TOKEN=" in told
    assert "Its policy only observes." in told
    texts = "\n".join(message["text"] for channel in view["channels"] for message in channel["messages"])
    for headline in ("approved and applied", "denied", "could not be applied", "needs approval"):
        assert headline in texts
    assert "Traceback" not in rest


class Ear(io.StringIO):
    """Hears what the command says, and sends the termination once it is up."""

    def write(self, text: str) -> int:
        """Take what is said."""
        if "aws ec2 describe-security-group-rules" in text:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


@pytest.mark.slow
def test_a_termination_stops_it_cleanly(tiny_settings: SandboxSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM, as a service manager sends it, ends page, doors and processes; the handler is the old one again."""
    monkeypatch.setattr(
        "sandbox.interactive.SandboxSettings", lambda aws_port, **_: replace(tiny_settings, aws_port=aws_port)
    )
    before = signal.getsignal(signal.SIGTERM)
    told = Ear()
    assert stay_up(Terminal(told), Options(port=0, aws_port=0, opens_browser=False)) == 0
    assert told.getvalue().rstrip().endswith("Stopping …")
    assert signal.getsignal(signal.SIGTERM) is before
