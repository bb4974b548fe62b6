"""What the tests of the central app share: settings, a server in Slack's place, and the account in moto."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from central.chalicelib.outbox.channels import Channels
from central.chalicelib.secrets import forget_secrets
from shared.telemetry import logger
from tests.support.central_account import REGION, SECRET, Central, make_table, make_writes_atomic
from tests.support.slack_stand_in import APPROVAL, MONITORING, SlackStandIn
from tests.support.trimmed import trimmed_models

__all__ = ["trimmed_models"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, slack: SlackStandIn) -> None:
    """The settings of the central app, credentials that reach nothing real, and little waiting for Slack."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "slackChannel": "secgroup_approve",
        "approvalHookUrl": slack.url(APPROVAL),
        "monitoringHookUrl": slack.url(MONITORING),
        "slackSigningSecret": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "expectedToken", "slackTeamId", "policyFile"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("central.chalicelib.outbox.channels.SECONDS_BETWEEN_MESSAGES", 0.0)
    # Few tries, but each with time enough for a busy machine.
    monkeypatch.setattr("central.chalicelib.slack.http._SHORTEST_SECONDS", 20.0)
    monkeypatch.setattr(Channels, "until", lambda _self, seconds: time.monotonic() + min(seconds, 0.3))


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A server in Slack's place."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def central(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Central]:
    """The central account with its table and topics, and the app."""
    with mock_aws():
        make_writes_atomic(monkeypatch)
        account = Central(slack)
        make_table(account.dynamodb)
        for topic in ("applySecurityGroupChange", "denySecurityGroupChange"):
            account.make_topic(topic)
        yield account
    forget_secrets()


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """DynamoDB with the table of requests, and nothing else."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        make_table(client)
        yield client


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call to AWS from now on, e.g. ``dynamodb.UpdateItem``; the test empties the list when it likes."""
    made: list[str] = []
    original = BaseClient._make_api_call

    def noting(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        made.append(f"{self.meta.service_model.service_name}.{operation}")
        return original(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", noting)
    return made


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Every log record from now on, exactly as it is written in Lambda."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield handler.stream
    logger.removeHandler(handler)
