"""The verb that stores the Slack app's secrets: what it accepts, keeps, refuses and never shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy.errors import DeployError
from deploy.names import Place
from deploy.storing_secrets import problem_of, secrets
from deploy.target import Target

PLACE = Place(app="central", stage="prod", partition="aws", account="123456789012", region="us-east-1")
SECRET = "0123456789abcdef0123456789abcdef"
APPROVE = "https://hooks.slack.com/services/T0TEAM/B0APPROVE/abc"
MONITOR = "https://hooks.slack.com/services/T0TEAM/B0MONITOR/def"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """The central account, in which nothing is deployed or stored."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Target(place=PLACE, profile="", session=boto3.Session(region_name=PLACE.region))


def answering(target: Target, *answers: str) -> list[str]:
    """Run the verb with these answers; return the questions."""
    questions, left = [], list(answers)

    def ask(question: str) -> str:
        questions.append(question)
        return left.pop(0)

    assert secrets(target, ask=ask) == 0
    assert not left
    return questions


def stored(target: Target) -> dict[str, tuple[str, str]]:
    """Return type and value of what is stored, by the last part of its name."""
    found: Any = target.client("ssm").get_parameters_by_path(Path="/security-group-approval", WithDecryption=True)
    return {one["Name"].rsplit("/", 1)[-1]: (one["Type"], one["Value"]) for one in found["Parameters"]}


def test_each_secret_is_stored_where_the_functions_read_it(target: Target) -> None:
    """Encrypted; spaces around a pasted text are not part of it."""
    questions = answering(target, SECRET, f" {APPROVE}\n", MONITOR)
    assert stored(target) == {
        "slackSigningSecret": ("SecureString", SECRET),
        "approvalHookUrl": ("SecureString", APPROVE),
        "monitoringHookUrl": ("SecureString", MONITOR),
    }
    assert "Basic Information → App Credentials → Signing Secret" in questions[0]


def test_an_empty_answer_keeps_what_is_stored(target: Target) -> None:
    """So that one secret can be replaced alone."""
    answering(target, SECRET, APPROVE, MONITOR)
    answering(target, "f" * 32, "", "")
    assert {name: value for name, (_, value) in stored(target).items()} == {
        "slackSigningSecret": "f" * 32,
        "approvalHookUrl": APPROVE,
        "monitoringHookUrl": MONITOR,
    }


def test_one_webhook_pasted_twice_is_refused(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when the first was only kept; the question comes again."""
    answering(target, SECRET, APPROVE, APPROVE, MONITOR)
    assert "That is the webhook of approvalHookUrl" in capsys.readouterr().out
    answering(target, "", "", APPROVE, "")
    assert stored(target)["monitoringHookUrl"] == ("SecureString", MONITOR)


def test_nothing_of_a_secret_is_shown(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """Accepted or refused."""
    answering(target, "wrong-but-secret", SECRET, APPROVE, "B0MONITOR/def", MONITOR)
    said = capsys.readouterr().out
    assert not [one for one in ("wrong-but-secret", SECRET, "B0APPROVE", "B0MONITOR") if one in said]


def test_three_wrong_answers_end_it(target: Target) -> None:
    """What was stored before stays."""
    with pytest.raises(DeployError, match="approvalHookUrl was not stored"):
        answering(target, SECRET, "", "nonsense", "http://hooks.slack.com/services/T/B/x")
    assert set(stored(target)) == {"slackSigningSecret"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slackSigningSecret", SECRET.upper()),
        ("slackSigningSecret", SECRET[1:]),
        ("approvalHookUrl", SECRET),
        ("approvalHookUrl", "hooks.slack.com/services/T0TEAM/B0APPROVE/abc"),
        ("approvalHookUrl", "http://example.com/x"),
        ("approvalHookUrl", f"{APPROVE} {MONITOR}"),
        ("approvalHookUrl", f"{APPROVE}{MONITOR}"),
        ("approvalHookUrl", APPROVE.removesuffix("/abc")),
    ],
)
def test_a_wrong_form_is_refused(name: str, value: str) -> None:
    """Another secret, half of one, or two of them."""
    assert problem_of(name, value, {})


@pytest.mark.parametrize("value", [APPROVE, "http://127.0.0.1:8000/approve", "https://slack-proxy.example.com/x"])
def test_what_the_product_can_post_to_is_accepted(value: str) -> None:
    """Slack, a stand-in on the same machine, and other hosts over TLS."""
    assert problem_of("approvalHookUrl", value, {"monitoringHookUrl": MONITOR}) == ""


def test_the_bot_token_is_asked_for_where_a_setting_refers_to_it(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is optional: an empty answer stores nothing, another one has to look like a token."""
    setting = {"slackBotToken": "ssm:/security-group-approval/slackBotToken"}
    monkeypatch.setattr("deploy.storing_secrets.current", lambda _: setting)
    answering(target, SECRET, APPROVE, MONITOR, "")
    assert "slackBotToken" not in stored(target)
    answering(target, "", "", "", "xoxp-of-a-user", "xoxb-1-2-abc")
    assert stored(target)["slackBotToken"] == ("SecureString", "xoxb-1-2-abc")


def test_a_secret_that_is_stored_elsewhere_is_left(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its setting refers to Secrets Manager."""
    elsewhere = {"approvalHookUrl": "secretsmanager:security-group-approval/approve"}
    monkeypatch.setattr("deploy.storing_secrets.current", lambda _: elsewhere)
    assert len(answering(target, SECRET, MONITOR)) == 2
    assert set(stored(target)) == {"slackSigningSecret", "monitoringHookUrl"}
