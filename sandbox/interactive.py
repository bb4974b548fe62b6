"""Keeps the system up: says how to reach it, tells what happens, and stops on Ctrl-C."""

import signal
import threading

from sandbox.aws.identities import Credentials
from sandbox.narration import Narrator
from sandbox.settings import APPROVAL_CHANNEL, MONITORING_CHANNEL, MemberAccount, SandboxSettings
from sandbox.slack.text import lines_of
from sandbox.system import Sandbox
from sandbox.terminal import Terminal
from sandbox.timeline import Entry, SlackPosted

GROUP_NAME = "web"


def stay_up(terminal: Terminal, *, aws_port: int) -> int:
    """Run the full sandbox until Ctrl-C or SIGTERM; the result is the exit status."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    terminal.title("Security group approval: sandbox")
    terminal.say("Starting AWS accounts (moto), a Slack stand-in and both apps …")
    with Sandbox(SandboxSettings(aws_port=aws_port)) as sandbox:
        groups = make_groups(sandbox)
        _introduce(terminal, sandbox, groups)
        narrator = Narrator()
        sandbox.timeline.listen(lambda entry: _tell(terminal, sandbox, narrator, entry))
        try:
            stopping.wait()
        except KeyboardInterrupt:
            terminal.blank()
        terminal.say("Stopping …")
    return 0


def make_groups(sandbox: Sandbox) -> dict[tuple[str, str], str]:
    """Make a group to play with in every member account and region; ids by account and region."""
    groups: dict[tuple[str, str], str] = {}
    for member in sandbox.settings.members:
        for region in sandbox.settings.regions:
            ec2 = sandbox.aws.ec2(member, who="ci", region=region)
            group = ec2.create_security_group(GroupName=GROUP_NAME, Description="Web servers")["GroupId"]
            website = {"CidrIp": "0.0.0.0/0", "Description": "public website"}
            ec2.authorize_security_group_ingress(
                GroupId=group,
                IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [website]}],
            )
            groups[member.id, region] = group
    sandbox.wait_until_idle()
    return groups


def credential_lines(sandbox: Sandbox, credentials: Credentials, region: str) -> list[str]:
    """Write the shell lines that make the ``aws`` command line speak to the sandbox as an identity."""
    lines = [
        f"export AWS_ENDPOINT_URL={sandbox.aws_url} AWS_DEFAULT_REGION={region}",
        f"export AWS_ACCESS_KEY_ID={credentials.access_key_id}",
        f"export AWS_SECRET_ACCESS_KEY={credentials.secret_access_key}",
    ]
    token = credentials.session_token
    return [*lines, f"export AWS_SESSION_TOKEN={token}" if token else "unset AWS_SESSION_TOKEN"]


def _introduce(terminal: Terminal, sandbox: Sandbox, groups: dict[tuple[str, str], str]) -> None:
    region = sandbox.settings.regions[0]
    first = sandbox.settings.members[0]
    terminal.say(f"AWS answers at {sandbox.aws_url} for every account; Ctrl-C stops everything.")
    for member in sandbox.settings.members:
        terminal.blank()
        terminal.say(_account(member, sandbox.settings))
    for who, words in (("user", "the IAM user alice"), ("sso", "ada@example.com, by IAM Identity Center")):
        terminal.blank()
        terminal.say(f"To be {words}, in the account {first.name}, paste:")
        terminal.code(credential_lines(sandbox, sandbox.aws.credentials(first.id, who), region))
    terminal.blank()
    terminal.say("Then, for example:")
    group = groups[first.id, region]
    terminal.code(
        [
            f"aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port 22 --cidr 0.0.0.0/0",
            f"aws ec2 describe-security-group-rules --filters Name=group-id,Values={group}",
        ]
    )
    terminal.blank()


def _account(member: MemberAccount, settings: SandboxSettings) -> str:
    regions = ", ".join(settings.regions)
    observed = " Its policy only observes." if member.mode == "observe" else ""
    return f"Account {member.id}, {member.name}: guarded in {regions}.{observed}"


def _tell(terminal: Terminal, sandbox: Sandbox, narrator: Narrator, entry: Entry) -> None:
    told = narrator.narrate(entry)
    if told is not None:
        terminal.event(entry.ms, *told)
    event = entry.event
    if isinstance(event, SlackPosted) and event.channel in (APPROVAL_CHANNEL, MONITORING_CHANNEL):
        if event.how == "whispered":
            terminal.message(f"#{event.channel}, for {event.user} alone", [event.text])
        else:
            message = sandbox.slack.message(event.channel, event.ts)
            terminal.message(f"#{event.channel}", lines_of(message, sandbox.slack.users))
