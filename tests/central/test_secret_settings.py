"""Secrets by value or by reference, resolved once per container and renewed when they do not work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from central.chalicelib import secrets
from shared.settings import SettingError

REGION = "eu-west-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account without secrets, and no secret remembered."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    secrets.forget_secrets()
    with mock_aws():
        yield
    secrets.forget_secrets()


def test_a_secret_by_value_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the two prefixes make a reference."""
    monkeypatch.setenv("slackSigningSecret", "ssmlike-but-not")
    assert secrets.secret("slackSigningSecret") == "ssmlike-but-not"


@pytest.mark.usefixtures("aws")
def test_a_secret_by_reference_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Parameter Store, decrypted, or from Secrets Manager; kept for the life of the container."""
    ssm, manager = boto3.client("ssm", REGION), boto3.client("secretsmanager", REGION)
    ssm.put_parameter(Name="/app/signing", Value="from-ssm\n", Type="SecureString")
    arn = manager.create_secret(Name="app/signing", SecretString="from-manager")["ARN"]
    monkeypatch.setenv("slackSigningSecret", "ssm:/app/signing")
    monkeypatch.setenv("expectedToken", f"secretsmanager:{arn}")
    assert secrets.secret("slackSigningSecret") == "from-ssm"
    assert secrets.secret("expectedToken") == "from-manager"
    ssm.put_parameter(Name="/app/signing", Value="rotated", Type="SecureString", Overwrite=True)
    assert secrets.secret("slackSigningSecret") == "from-ssm"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("reference", ["ssm:/gone", "secretsmanager:gone"])
def test_a_reference_to_nothing_names_variable_and_reference(monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    """The failure is not remembered: a later call reads again."""
    monkeypatch.setenv("slackSigningSecret", reference)
    with pytest.raises(SettingError, match=f"Setting slackSigningSecret refers to {reference}, which cannot be read"):
        secrets.secret("slackSigningSecret")
    if reference.startswith("ssm"):
        boto3.client("ssm", REGION).put_parameter(Name="/gone", Value="found", Type="SecureString")
        assert secrets.secret("slackSigningSecret") == "found"


@pytest.mark.usefixtures("aws")
def test_a_rotated_secret_is_found_once_the_old_one_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read again once a minute; if it cannot be read then, the old value stays."""
    ssm = boto3.client("ssm", REGION)
    clock = [1000.0]
    monkeypatch.setattr(secrets.time, "monotonic", lambda: clock[0])
    monkeypatch.setenv("slackSigningSecret", "ssm:/app/signing")

    def rotate(value: str) -> None:
        ssm.put_parameter(Name="/app/signing", Value=value, Type="SecureString", Overwrite=True)

    rotate("one")
    assert secrets.secret("slackSigningSecret") == "one"
    rotate("two")
    assert (secrets.renewed("slackSigningSecret"), secrets.secret("slackSigningSecret")) == (True, "two")
    rotate("three")
    assert (secrets.renewed("slackSigningSecret"), secrets.secret("slackSigningSecret")) == (False, "two")
    clock[0] += 60
    assert (secrets.renewed("slackSigningSecret"), secrets.secret("slackSigningSecret")) == (True, "three")
    clock[0] += 60
    assert not secrets.renewed("slackSigningSecret")
    ssm.delete_parameter(Name="/app/signing")
    clock[0] += 60
    assert (secrets.renewed("slackSigningSecret"), secrets.secret("slackSigningSecret")) == (False, "three")


def test_a_secret_by_value_is_never_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes only with its container."""
    monkeypatch.setenv("slackSigningSecret", "by-value")
    assert not secrets.renewed("slackSigningSecret")


@pytest.mark.usefixtures("aws")
def test_a_reference_to_an_empty_secret_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty signing secret would let everybody in."""
    manager: Any = boto3.client("secretsmanager", REGION)
    manager.create_secret(Name="empty", SecretString="  ")
    monkeypatch.setenv("slackSigningSecret", "secretsmanager:empty")
    with pytest.raises(SettingError, match="which is empty"):
        secrets.secret("slackSigningSecret")
