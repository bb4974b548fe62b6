"""Keeps the system up with its page: prints how to reach it and what happens, and stops on Ctrl-C."""

import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.narration import Narrator
from sandbox.serving import bound_socket
from sandbox.settings import MemberAccount, SandboxSettings
from sandbox.slack.text import lines_of
from sandbox.system import Sandbox
from sandbox.terminal import Terminal
from sandbox.timeline import Entry, SlackPosted
from sandbox.web.server import PageServer
from sandbox.web.stage import Stage, shell_lines

#: The policy of a sandbox with a page: it shows batches, several approvals and approvals for a time.
INTERACTIVE_POLICY: dict[str, Any] = {"gather_seconds": 5, "offer_hours": [8, 72], "ask_by_dry_run": True}
INTERACTIVE_RULES = """
[[rules]]
match = { source = ["internet"], ports = ["3389"], protocols = ["tcp"] }
approvals = 2
max_hours = 8

[[rules]]
match = { source = ["internet"], ports = ["23"], protocols = ["tcp"] }
deny = "Telnet is never opened to the internet."

[[rules]]
match = { cidrs = ["10.20.0.0/16"], ports = ["443"], protocols = ["tcp"], kinds = ["add"] }
approvals = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line chooses; a port of 0 takes a free one."""

    port: int = 8000
    aws_port: int = 5000
    opens_browser: bool = True
    seeds_demo: bool = False
    policy_file: Path | None = None
    """A policy file of the user's own."""


def stay_up(terminal: Terminal, options: Options) -> int:
    """Run the full sandbox until Ctrl-C or SIGTERM; the result is the exit status."""
    stopping = threading.Event()
    with _stopped_by(signal.SIGTERM, stopping):
        return _run(terminal, options, stopping)


def _run(terminal: Terminal, options: Options, stopping: threading.Event) -> int:
    terminal.title("Security group approval: sandbox")
    terminal.say("Starting AWS accounts (moto), a Slack stand-in, both apps and the page …")
    # Bound first: a port that is taken should be known before everything else is started.
    with (
        bound_socket(options.port, what="the page", option="--port") as bound,
        Sandbox(make_settings(options)) as sandbox,
    ):
        stage = Stage(sandbox)
        with PageServer(stage, bound) as server:
            if options.seeds_demo:
                terminal.say("Playing the demo's story, so that the page has content …")
                stage.seed_story()
            _introduce(terminal, sandbox, stage, server.url)
            narrator = Narrator()
            sandbox.timeline.listen(lambda entry: _show(terminal, sandbox, narrator, entry))
            if options.opens_browser:
                webbrowser.open(server.url)
            with _stopped_by(signal.SIGINT, stopping):  # until now Ctrl-C interrupts at once
                stopping.wait()
            terminal.blank()
            terminal.say("Stopping …")
    return 0


def make_settings(options: Options) -> SandboxSettings:
    """Return the settings of a sandbox with a page."""
    return SandboxSettings(
        aws_port=options.aws_port,
        policy_file=options.policy_file,
        policy=INTERACTIVE_POLICY,
        policy_rules=INTERACTIVE_RULES,
    )


@contextmanager
def _stopped_by(number: signal.Signals, stopping: threading.Event) -> Iterator[None]:
    """Let a signal set the event while the context is open."""
    before = signal.signal(number, lambda *_: stopping.set())
    try:
        yield
    finally:
        signal.signal(number, before)


def _introduce(terminal: Terminal, sandbox: Sandbox, stage: Stage, url: str) -> None:
    region = sandbox.settings.regions[0]
    first = sandbox.settings.members[0]
    terminal.blank()
    terminal.title(f"   The page: {url}")
    terminal.say(f"AWS answers at {sandbox.aws_url} for every account; Ctrl-C stops everything.")
    for member in sandbox.settings.members:
        terminal.say(_account(member, sandbox.settings))
    if sandbox.settings.policy_file is not None:
        terminal.say(
            f"The policy is {sandbox.settings.policy_file}; what you change there holds from the next call on."
        )
    for who, words in (
        ("user", "the IAM user alice"),
        ("sso", "ada@example.com, by IAM Identity Center"),
        ("asker", "the IAM user linus, who may only ask"),
    ):
        terminal.blank()
        terminal.say(f"To be {words}, in the account {first.name}, paste:")
        lines = shell_lines(sandbox.aws_url, sandbox.aws.credentials(first.id, who))
        terminal.code([*lines, f"export AWS_DEFAULT_REGION={region}"])
    terminal.blank()
    terminal.say("Then, for example:")
    group = stage.console.groups(first.id, region)["groups"][0]["id"]
    terminal.code(
        [
            f"aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port 22 --cidr 0.0.0.0/0",
            f"aws ec2 describe-security-group-rules --filters Name=group-id,Values={group}",
        ]
    )
    terminal.blank()


def _account(member: MemberAccount, settings: SandboxSettings) -> str:
    regions = ", ".join(settings.regions)
    observed = " Its policy only observes." if settings.mode_of(member) == "observe" else ""
    return f"Account {member.id}, {member.name}: guarded in {regions}.{observed}"


def _show(terminal: Terminal, sandbox: Sandbox, narrator: Narrator, entry: Entry) -> None:
    terminal.line(entry.ms, narrator.read(entry))
    step = entry.step
    if isinstance(step, SlackPosted) and step.how == "ephemeral":
        terminal.message(f"#{step.channel}, visible to {step.user} only", [step.text])
    elif isinstance(step, SlackPosted):
        message = sandbox.slack.message(step.channel, step.ts)
        terminal.message(f"#{step.channel}", lines_of(message, sandbox.slack.users))
