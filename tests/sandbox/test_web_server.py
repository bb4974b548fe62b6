"""The page's server: who may use it, what it answers, and the stream of events. With the tiny apps; no browser."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.serving import bound_socket
from sandbox.system import Sandbox
from sandbox.web.server import PageServer
from sandbox.web.stage import Stage


@pytest.fixture(scope="module")
def stage(tiny: Sandbox) -> Stage:
    """The parts of the page of a sandbox with the tiny apps."""
    return Stage(tiny)


@pytest.fixture(scope="module")
def url(stage: Stage) -> Iterator[str]:
    """Address of the served page."""
    with PageServer(stage, bound_socket(0, what="the page", option="--port")) as server:
        yield server.url


@pytest.fixture(scope="module")
def place(stage: Stage) -> dict[str, str]:
    """Account, region, identity and an empty group to act on."""
    settings = stage.sandbox.settings
    account, region = settings.members[0].id, settings.regions[0]
    groups = {group["name"]: group["id"] for group in stage.console.groups(account, region)["groups"]}
    return {"account": account, "region": region, "who": "user", "group": groups["batch"]}


def post(url: str, path: str, body: dict[str, Any], **headers: str) -> requests.Response:
    """Send what the page would send."""
    return requests.post(f"{url}api/{path}", json=body, headers=headers, timeout=20)


def test_the_page_and_its_files_are_there_and_load_nothing_from_elsewhere(url: str) -> None:
    """Each file that the page names exists, and the policy allows no other place."""
    page = requests.get(url, timeout=5)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text.replace("<!doctype html>", "").replace("http-equiv", "")
    for name in ("main.js", "base.css", "icon.svg"):
        assert requests.get(f"{url}static/{name}", timeout=5).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "attacker.example:8000"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_foreign_pages_and_names_are_refused(url: str, headers: dict[str, str]) -> None:
    """Neither another host name, nor another page's origin, nor a form can change anything."""
    answer = requests.post(
        f"{url}api/controls/repair", data="{}", headers={"Content-Type": "application/json", **headers}, timeout=5
    )
    assert answer.status_code == 403


def test_a_foreign_host_name_reads_nothing_either(url: str) -> None:
    """DNS rebinding does not give the credentials away."""
    answer = requests.get(f"{url}api/overview", headers={"Host": "attacker.example"}, timeout=5)
    assert answer.status_code == 403
    assert "AKIA" not in answer.text


def test_the_page_itself_may_use_it(url: str) -> None:
    """Its own origin and localhost are let in."""
    origin = url.rstrip("/")
    assert post(url, "controls/repair", {}, Origin=origin).status_code == 200
    port = origin.rpartition(":")[2]
    local = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert post(url, "controls/repair", {}, **local).status_code == 200


def test_the_server_listens_on_the_loopback_interface_alone() -> None:
    """Nobody else on the network reaches it."""
    with bound_socket(0, what="the page", option="--port") as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
        assert bound.family == socket.AF_INET


def test_rules_of_every_kind_are_added_edited_and_deleted(url: str, stage: Stage, place: dict[str, str]) -> None:
    """The form's rows become the call's permissions, and the rules are shown as they were asked for."""
    reference = place["group"]
    rows = [
        {"protocol": "tcp", "ports": "443", "source": "10.0.0.0/8", "description": "a"},
        {"protocol": "udp", "ports": "8000-8100", "source": "2001:db8::/32", "description": ""},
        {"protocol": "icmp", "ports": "", "source": "10.0.0.0/8", "description": ""},
        {"protocol": "icmp", "ports": "8", "source": "10.1.0.0/16", "description": ""},
        {"protocol": "tcp", "ports": "", "source": reference, "description": "itself"},
        {"protocol": "-1", "ports": "", "source": "192.0.2.0/24", "description": ""},
    ]
    answer = post(url, "rules/add", {**place, "rules": rows}).json()
    assert answer["action"] == "AuthorizeSecurityGroupIngress"
    shown = [(r["protocol"], r["fromPort"], r["toPort"], r["source"], r["description"]) for r in answer["rules"]]
    assert shown == [
        ("tcp", 443, 443, "10.0.0.0/8", "a"),
        ("udp", 8000, 8100, "2001:db8::/32", ""),
        ("icmp", -1, -1, "10.0.0.0/8", ""),
        ("icmp", 8, -1, "10.1.0.0/16", ""),
        ("tcp", 0, 65535, reference, "itself"),
        ("-1", None, None, "192.0.2.0/24", ""),
    ]
    stage.sandbox.wait_until_idle()


def test_ec2s_errors_come_back_in_its_own_words(url: str, place: dict[str, str]) -> None:
    """A wrong CIDR, an unknown rule: EC2's code, not the page's."""
    row = {"protocol": "tcp", "ports": "22", "source": "10.0.0.0/99", "description": ""}
    refused = post(url, "rules/add", {**place, "rules": [row]}).json()["refused"]
    assert refused["code"] == "InvalidParameterValue"
    refused = post(url, "rules/delete", {**place, "ruleIds": ["sgr-0123456789abcdef0"]}).json()["refused"]
    assert refused["code"] == "InvalidSecurityGroupRuleId.NotFound"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rules/add", {}),
        ("rules/add", {"account": "999999999999", "region": "eu-west-1", "who": "user", "group": "x", "rules": [{}]}),
        ("rules/add-many", {"count": 100_000}),
        ("rules/deploy-stack", {"count": 1}),
        ("rules/delete", {"ruleIds": []}),
        ("click", {"channel": "x"}),
        ("controls", {"slack": "on fire"}),
        ("controls/run", {"name": "rm"}),
        ("controls/pass-time", {"hours": True}),
        ("groups/create", {"name": "half a character: \ud800", "description": ""}),
        ("rules/delete", {"ruleIds": ["\ud800"]}),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(url: str, path: str, body: dict[str, Any]) -> None:
    """Status 400 and what was wrong; never a traceback."""
    answer = post(url, path, body)
    assert answer.status_code == 400
    assert answer.json()["refused"]["message"].endswith(".")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"nonsense", 400),
        (b"[]", 400),
        (b"1", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b"x" * 1_000_001, 413),
    ],
    ids=["text", "list", "number", "no text at all", "deep list", "deep object", "too large"],
)
def test_a_body_that_is_not_a_json_object_is_refused(url: str, body: bytes, status: int) -> None:
    """Neither other values, nor what is nested without end, nor what is too large; each with a sentence."""
    answer = requests.post(f"{url}api/afresh", data=body, headers={"Content-Type": "application/json"}, timeout=5)
    assert answer.status_code == status
    assert answer.json()["refused"]["message"].endswith(".")


def test_switches_are_set_and_repaired(url: str, stage: Stage) -> None:
    """What the page sets stands in the sandbox, and one button undoes all of it."""
    stage.sandbox.wait_until_idle()
    view = requests.get(f"{url}api/controls", timeout=5).json()
    changed = {**view, "slack": "rate_limited", "snsCopies": 2, "eventsToLose": 1, "killFunction": "buttonClick"}
    answer = post(url, "controls", changed).json()
    assert answer == changed
    faults = stage.sandbox.faults
    assert (faults.slack, faults.sns_copies, faults.events_to_lose) == ("rate_limited", 2, 1)
    only = post(url, "controls", {"killRuns": 3}).json()
    assert only == {**changed, "killRuns": 3}, "what is not named stays"
    assert post(url, "controls", {"snsCopies": 3, "eventCopies": 99}).status_code == 400
    assert faults.sns_copies == 2, "all or nothing"
    assert post(url, "controls/repair", {}).json() == view


def read_batch(answer: requests.Response) -> tuple[str, dict[str, Any]]:
    """Read the next event of a stream: its id and its batch."""
    found: dict[str, str] = {}
    for line in answer.iter_lines(decode_unicode=True):
        name, _, value = line.partition(": ")
        if line and name in ("id", "data", "event"):
            found[name] = value
        if not line and "data" in found:
            assert found["event"] == "batch"
            return found["id"], json.loads(found["data"])
    raise AssertionError("the stream ended")


def test_the_stream_begins_with_everything_and_goes_on_where_it_was(
    url: str, stage: Stage, place: dict[str, str]
) -> None:
    """A first connection gets all entries; one with the last id gets only what came after it."""
    post(url, "rules/add-many", {**place, "count": 1})
    stage.sandbox.wait_until_idle()
    with requests.get(f"{url}api/events", stream=True, timeout=20) as stream:
        last_id, batch = read_batch(stream)
    assert batch["afresh"]
    assert {entry["kind"] for entry in batch["entries"]} >= {"ApiCalled", "CloudTrailSent", "InvocationStarted"}
    assert batch["changes"][-1]["who"] == "alice"
    post(url, "rules/add-many", {**place, "count": 1})  # refused by EC2: the same rule, or allowed if it was reverted
    with requests.get(f"{url}api/events", headers={"Last-Event-ID": last_id}, stream=True, timeout=20) as stream:
        _, later = read_batch(stream)
    assert not later["afresh"]
    assert min(entry["number"] for entry in later["entries"]) > max(entry["number"] for entry in batch["entries"])


@pytest.mark.parametrize("last_id", ["0123456789abcdef0123456789abcdef.1-2", f"{'9' * 5000}-1", "x"])
def test_a_page_of_another_sandbox_gets_everything_anew(url: str, last_id: str) -> None:
    """The sandbox was restarted behind an open page: it hears that this is another run, and everything of it."""
    with requests.get(f"{url}api/events", headers={"Last-Event-ID": last_id}, stream=True, timeout=20) as stream:
        new_id, batch = read_batch(stream)
    assert batch["afresh"]
    assert batch["run"] not in last_id
    assert new_id.startswith(batch["run"])


def test_starting_afresh_empties_and_keeps_the_credentials(url: str, stage: Stage, place: dict[str, str]) -> None:
    """Groups are new, the table and channels empty, the timeline begins anew; pasted credentials go on working."""
    post(url, "rules/add-many", {**place, "count": 2})
    stage.sandbox.wait_until_idle()
    asked = {item["requestId"] for item in stage.sandbox.aws.requests()}
    before = requests.get(f"{url}api/overview", timeout=5).json()["accounts"]
    assert post(url, "afresh", {}).json() == {}
    assert requests.get(f"{url}api/overview", timeout=5).json()["accounts"] == before
    groups = stage.console.groups(place["account"], place["region"])["groups"]
    assert [group["name"] for group in groups] == ["backend", "batch", "frontend", "default"]
    assert place["group"] not in {group["id"] for group in groups}
    # The tiny member app exempts nobody, so that it asks about the new groups' rules; nothing older is left.
    assert asked
    assert not asked & {item["requestId"] for item in stage.sandbox.aws.requests()}
    with requests.get(f"{url}api/events", stream=True, timeout=20) as stream:
        _, batch = read_batch(stream)
    assert batch["entries"] == []


def test_a_stack_is_one_call_for_each_rule(url: str, stage: Stage, place: dict[str, str]) -> None:
    """CloudTrail has an event of each."""
    post(url, "controls/repair", {})
    groups = stage.console.groups(place["account"], place["region"])["groups"]  # the others are of before a reset
    answer = post(url, "rules/deploy-stack", {**place, "count": 3, "groups": [groups[0]["id"]]}).json()
    assert answer["calls"] == 3
    stage.sandbox.wait_until_idle()
    ports = [
        event["detail"]["requestParameters"]["ipPermissions"]["items"][0]["fromPort"]
        for event in stage.sandbox.events
        if event["detail"]["eventName"] == "AuthorizeSecurityGroupIngress"
    ]
    assert {9000, 9001, 9002} <= set(ports)
