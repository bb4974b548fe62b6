"""Many at once, in processes of their own: a hundred clicks on one request, many changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.aging import let_time_pass
from sandbox.settings import APPROVAL_CHANNEL, MONITORING_CHANNEL, SHOP, SandboxSettings
from sandbox.slack.clicks import Clicker, ClickSettings
from sandbox.slack.workspace import TEAM_ID, Message, SlackUser
from sandbox.system import Sandbox
from tests.fault.clicking import signed_event

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
PROCESSES = 5
CLICKS = 100
CHANGES = 200 if os.environ.get("THOROUGH") else 40
GROUPS = 20
PEOPLE = tuple(SlackUser(id=f"U0PERSON{n:03}", username=f"p{n}", name=f"P{n}", is_approver=True) for n in range(CLICKS))


@pytest.fixture(scope="module")
def system() -> Iterator[Sandbox]:
    """Both apps in processes of their own, around one AWS endpoint whose calls are atomic, as DynamoDB's are."""
    settings = SandboxSettings(
        members=(SHOP,),
        regions=("eu-west-1",),
        users=PEOPLE,
        aws_port=0,
        schedules_run_by_themselves=False,
        concurrency=4,
        retry_delays_seconds=(0.5, 1.0),
    )
    with Sandbox(settings) as sandbox:
        yield sandbox


def make_group(system: Sandbox, name: str) -> str:
    """Make a group whose baseline is empty."""
    made: str = system.aws.ec2(SHOP, who="ci").create_security_group(GroupName=name, Description="d")["GroupId"]
    return made


def permission(port: int) -> dict[str, Any]:
    """One port, open to one network."""
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}


def open_port(system: Sandbox, group: str, port: int) -> str:
    """Open a port as somebody who has to ask; returns the request id."""
    answer = system.aws.ec2(SHOP).authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(port)])
    return str(answer["ResponseMetadata"]["RequestId"])


def about(messages: tuple[Message, ...], request_id: str) -> list[Message]:
    """Return the messages that name a request."""
    return [message for message in messages if request_id in str(message.all_blocks())]


# -- clicks ------------------------------------------------------------------------------------------------------------


def test_of_a_hundred_clicks_at_once_one_decides_and_everybody_is_told(system: Sandbox, tmp_path: Path) -> None:
    """Half approve, half deny, from several processes: one decision, one effect, and everyone learns of it."""
    group = make_group(system, "clicked")
    system.wait_until_idle()
    request_id = open_port(system, group, 22)
    system.wait_until_idle()
    (question,) = about(system.slack.messages(APPROVAL_CHANNEL), request_id)
    events = [click(system, user, question, approves=number % 2 == 0) for number, user in enumerate(PEOPLE)]
    policy_file = tmp_path / "policy.toml"
    policy_file.write_text(system.settings.policy_text(), encoding="utf-8")
    assert run_clicks(system, events, policy_file) == Counter({200: CLICKS})
    system.wait_until_idle()
    item = system.aws.request(request_id)
    assert item is not None
    moves = [entry["status"] for entry in item["history"]]
    assert moves in (["pending", "approved", "applied"], ["pending", "denied"])
    is_approved = moves[1] == "approved"
    deciders = [user for number, user in enumerate(PEOPLE) if (number % 2 == 0) == is_approved]
    assert item["decidedBy"] in {user.id for user in deciders}
    assert len(system.aws.rules(SHOP, group)) == is_approved
    told = [user for user in PEOPLE if system.slack.notes(APPROVAL_CHANNEL, user=user.id)]
    assert {user.id for user in PEOPLE} - {user.id for user in told} == {item["decidedBy"]}
    (message,) = about(system.slack.messages(APPROVAL_CHANNEL), request_id)
    assert message.button_texts() == []
    assert ("applied and in force" if is_approved else "Denied") in str(message.attachments)
    outcomes = about(system.slack.messages(MONITORING_CHANNEL), request_id)
    assert len(outcomes) == 2, "the announcement and one outcome"
    assert system.dead_letters == ()


TWO_APPROVALS = '\n[[rules]]\nmatch = { ports = ["23"] }\napprovals = 2\n'


def test_of_twenty_clicks_of_five_people_two_different_people_decide_once(system: Sandbox, tmp_path: Path) -> None:
    """From several processes, each person four times: one decision, two people, and everybody else is told."""
    group = make_group(system, "clicked-twice")
    system.wait_until_idle()
    request_id = open_port(system, group, 23)
    system.wait_until_idle()
    (question,) = about(system.slack.messages(APPROVAL_CHANNEL), request_id)
    events = [click(system, PEOPLE[number % 5], question, approves=True) for number in range(20)]
    policy_file = tmp_path / "policy.toml"
    policy_file.write_text(system.settings.policy_text() + TWO_APPROVALS, encoding="utf-8")
    told_before = number_of_notes(system)
    assert run_clicks(system, events, policy_file) == Counter({200: 20})
    system.wait_until_idle()
    item = system.aws.request(request_id)
    assert item is not None
    people = [one["by"] for one in item["approvals"]]
    assert (len(people), len(set(people)), item["decidedBy"]) == (2, 2, people[-1])
    moves = [(entry["status"], entry["by"]) for entry in item["history"][1:3]]
    assert moves == [("pending", people[0]), ("approved", people[1])]
    assert [entry["status"] for entry in item["history"]] == ["pending", "pending", "approved", "applied"]
    assert len(system.aws.rules(SHOP, group)) == 1
    assert number_of_notes(system) - told_before == 18
    assert [message.button_texts() for message in about(system.slack.messages(APPROVAL_CHANNEL), request_id)] == [[]]
    assert system.dead_letters == ()


def number_of_notes(system: Sandbox) -> int:
    """Count what only the clicker saw, of the first five people."""
    return sum(len(system.slack.notes(APPROVAL_CHANNEL, user=user.id)) for user in PEOPLE[:5])


def click(system: Sandbox, user: SlackUser, message: Message, *, approves: bool) -> dict[str, Any]:
    """Return the event of a click."""
    settings = ClickSettings(
        request_url=lambda: "",
        slack_url=lambda: system.slack_url,
        signing_secret=system.settings.signing_secret,
        verification_token=system.settings.verification_token,
    )
    clicker = Clicker(system.slack, settings, system.timeline)
    payload = clicker.payload(user, message, "Approve Add" if approves else "Deny")
    return signed_event(payload, secret=system.settings.signing_secret, at=datetime.now(UTC))


def run_clicks(system: Sandbox, events: list[dict[str, Any]], policy_file: Path) -> Counter[int]:
    """Make the clicks in several processes at once; returns how often each HTTP status was answered."""
    arn = f"arn:aws:lambda:{system.settings.central_region}:{system.settings.central_account}:function:central-dev"
    with ExitStack() as stack:
        processes = []
        for number in range(PROCESSES):
            process = stack.enter_context(_process())
            given = {
                "environment": _environment(system, policy_file),
                "events": events[number::PROCESSES],
                "arn": arn,
            }
            _say(process, json.dumps(given))
            processes.append(process)
        for process in processes:
            assert _line(process) == "ready"
        for process in processes:
            _say(process, "go")
        return Counter(status for process in processes for status in json.loads(_line(process)))


@contextmanager
def _process() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.clicking_process"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _environment(system: Sandbox, policy_file: Path) -> dict[str, str]:
    settings = system.settings
    session = system.identities.session(settings.central_account, "central-dev-api_handler", "central-dev")
    hooks = [
        f"{system.slack_url}/services/{TEAM_ID}/{system.slack.channels[name].id}/sandboxhook"
        for name in (APPROVAL_CHANNEL, MONITORING_CHANNEL)
    ]
    return {
        **settings.central_environment(approval_hook=hooks[0], monitoring_hook=hooks[1]),
        "policyFile": str(policy_file),
        "AWS_ENDPOINT_URL": system.aws_url,
        "AWS_REGION": settings.central_region,
        "AWS_DEFAULT_REGION": settings.central_region,
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


# -- changes -----------------------------------------------------------------------------------------------------------


def test_many_changes_at_once_are_all_reverted_stored_and_shown(
    system: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack takes one message per channel and moment and refuses the others; what it refused, the sweep shows later."""
    monkeypatch.setattr("sandbox.slack.server.SECONDS_BETWEEN_MESSAGES", 0.1)
    groups = [make_group(system, f"crowded-{number}") for number in range(GROUPS)]
    system.wait_until_idle()
    system.faults.slack_one_message_per_second = True
    with ThreadPoolExecutor(8) as pool:
        changes = [(groups[number % GROUPS], 1000 + number) for number in range(CHANGES)]
        made = set(pool.map(lambda change: open_port(system, *change), changes))
    system.wait_until_idle(600)
    assert len(made) == CHANGES
    assert [group for group in groups if system.aws.rules(SHOP, group)] == []
    for _ in range(10):
        if not any(item.get("tasks") for item in system.aws.requests()):
            break
        let_time_pass(system, timedelta(minutes=6))
        system.run_schedule("sweepRequests")
    stored = {item["requestId"]: item for item in system.aws.requests() if item["requestId"] in made}
    assert set(stored) == made
    assert {item["status"] for item in stored.values()} == {"pending"}
    assert {tuple(entry["status"] for entry in item["history"]) for item in stored.values()} == {("pending",)}
    for channel in (APPROVAL_CHANNEL, MONITORING_CHANNEL):
        messages = [str(message.all_blocks()) for message in system.slack.messages(channel)]
        assert Counter(request_id for request_id in made for text in messages if request_id in text) == Counter(made)
    assert system.dead_letters == ()
