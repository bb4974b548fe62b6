"""What a function loads and makes in Lambda's init phase: what its own trigger needs, and nothing anywhere else.

Each looks at a process of its own, since here everything has been imported already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

import pytest

from central.chalicelib import warm_up as central
from deploy.names import FUNCTIONS, ROUTE
from member.chalicelib import warm_up as member
from shared.warm_up import logger

ROOT = Path(__file__).parents[1]
CENTRAL_FLOWS = ("click", "intake", "outcome", "sweep")
MEMBER_FLOWS = ("revert", "follow_up", "apply", "snapshot")
REPORT = """
import json, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/vendor"]
import botocore.session
make, made = botocore.session.Session.create_client, []
def noting(self, service, **more):
    made.append(service)
    return make(self, service, **more)
botocore.session.Session.create_client = noting
import app
print(json.dumps([sorted(sys.modules), made]))
"""
LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "ownRoleArn": "arn:aws:iam::222222222222:role/member",
    "slackSigningSecret": "by value",
}


def started(app: str, handler: str) -> tuple[set[str], list[str]]:
    """Import an app as Lambda does; return the modules that are loaded then, and the clients that were made."""
    modules, made = _report(app, handler, **LAMBDA)
    return set(modules), made


@lru_cache
def _report(app: str, handler: str, **environment: str) -> tuple[list[str], list[str]]:
    """Import an app and return what it says of itself: the modules and clients it loaded."""
    process = subprocess.run(
        [sys.executable, "-I", "-c", REPORT, str(ROOT / app)],
        env={"PATH": os.environ["PATH"], **environment, "_HANDLER": handler},
        capture_output=True,
        text=True,
        check=True,
    )
    modules, made = json.loads(process.stdout)
    return modules, made


def test_the_revert_loads_only_what_closes_a_port() -> None:
    """EC2's client and the way to the revoke: no table, no message, no rule, no Slack."""
    modules, made = started("member", "app.revertSecurityGroup")
    assert made == ["ec2"]
    assert "chalicelib.revert" in modules
    later = {
        "boto3", "requests", "chalicelib.follow_up", "chalicelib.apply", "chalicelib.snapshot",
        "chalicelib.state.table", "shared.aws.topics",
        "shared.domain.rule", "shared.domain.change", "shared.slack",
        "chalicelib.ec2.forms", "chalicelib.cloudtrail.rules", "shared.wire.messages",
    }  # fmt: skip
    assert not later & modules


def test_the_click_loads_what_it_answers_with() -> None:
    """Its two clients and the way to Slack; nothing of the other triggers."""
    modules, made = started("central", "app.app")
    assert made == ["dynamodb", "sns"]
    assert {"chalicelib.click", "requests"} <= modules
    assert not {"boto3", "chalicelib.sweep", "chalicelib.intake", "chalicelib.outcome"} & modules


def test_an_import_alone_makes_no_client_and_loads_no_flow() -> None:
    """As the tests of both apps and Chalice's tools import them."""
    for app in ("central", "member"):
        modules, made = started(app, "")
        assert made == []
        flows = {f"chalicelib.{name}" for name in (*CENTRAL_FLOWS, *MEMBER_FLOWS)}
        assert not flows & set(modules)


def test_every_function_has_its_preparation() -> None:
    """One that was forgotten would be slow, and nobody would notice; the route's handler is the app itself."""
    assert member._READY.keys() == set(FUNCTIONS["member"])
    assert central._READY.keys() == {"app", *FUNCTIONS["central"]} - {ROUTE}


@pytest.mark.parametrize("handler", [f"app.{name}" for name in (*central._READY, *member._READY)])
def test_a_preparation_succeeds_without_a_call(monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    """Where a client cannot even be made, that is told; here none has to be told, and nothing is sent."""
    problems: list[str] = []
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_HANDLER", handler)
    monkeypatch.setattr("botocore.endpoint.Endpoint.make_request", lambda *_: problems.append("a call"))
    monkeypatch.setattr(logger, "warning", lambda *_, extra: problems.append(extra["problem"]))
    for app in (central, member):
        app.prepare()
    assert problems == []


def test_the_clicks_secret_is_read_while_the_rest_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for SSM but the end of it all."""
    loaded, were_in_time = threading.Event(), []

    def slow(name: str) -> str:
        were_in_time.append((name, loaded.wait(30)))
        return "secret"

    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_HANDLER", "app.app")
    monkeypatch.setattr(central, "secret", slow)
    monkeypatch.setattr("shared.policy.loading.load_policies", loaded.set)
    central.prepare()
    assert were_in_time == [("slackSigningSecret", True)]


def test_a_secret_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it in a thread of its own hides no problem."""
    told: list[str] = []
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_HANDLER", "app.app")
    monkeypatch.delenv("slackSigningSecret")
    monkeypatch.setattr(logger, "warning", lambda _, extra: told.append(extra["problem"]))
    central.prepare()
    assert len(told) == 1
    assert told[0].startswith("SettingError: Setting slackSigningSecret is missing")


def test_a_preparation_that_fails_is_no_more_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events are handled nevertheless, and what failed is tried again then."""
    told: list[str] = []
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_HANDLER", "app.revertSecurityGroup")
    monkeypatch.setattr("shared.policy.loading.load_policies", lambda: 1 / 0)
    monkeypatch.setattr(logger, "warning", lambda message, extra: told.append(f"{message}: {extra['problem']}"))
    member.prepare()
    assert len(told) == 1
    assert told[0].startswith("warm-up failed: ZeroDivisionError")
