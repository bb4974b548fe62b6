"""Settings: read when needed, wrong ones named in a sentence, secrets by value or reference and never in errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from central.chalicelib import secrets
from shared import settings
from shared.settings import SettingError

REGION = "eu-west-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with no secrets yet, and no secret remembered."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    secrets.forget_secrets()
    with mock_aws():
        yield
    secrets.forget_secrets()


@pytest.mark.parametrize("value", ["", "   ", "\n"])
def test_a_missing_setting_names_the_variable_and_what_to_do(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Empty is missing."""
    monkeypatch.setenv("slackChannel", value)
    with pytest.raises(SettingError, match=r"Setting slackChannel is missing: set .* slackChannel in .*config\.json"):
        settings.setting("slackChannel")
    assert settings.optional("slackChannel") == ""
    monkeypatch.delenv("slackChannel")
    assert settings.optional("slackChannel") == ""


def test_a_setting_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from before a change of the environment; blanks around a value mean nothing."""
    monkeypatch.setenv("accountName", " shop ")
    assert settings.setting("accountName") == "shop"
    monkeypatch.setenv("accountName", "bank")
    assert settings.setting("accountName") == "bank"
    assert settings.setting("accountName", {"accountName": "other"}) == "other"


@pytest.mark.parametrize("value", ["12345678901", "1234567890123", "12345678901x", "\N{ARABIC-INDIC DIGIT ONE}" * 12])
def test_a_malformed_account_id_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Twelve ASCII digits, nothing else; the value is not repeated."""
    monkeypatch.setenv("centralAccountId", value)
    with pytest.raises(SettingError, match="centralAccountId is malformed: expected a 12-digit") as caught:
        settings.account_id("centralAccountId")
    assert value not in str(caught.value)


def test_an_account_id_keeps_its_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is text, not a number."""
    monkeypatch.setenv("centralAccountId", "000000000012")
    assert settings.account_id("centralAccountId") == "000000000012"


@pytest.mark.parametrize("value", ["eu-west-1", "us-gov-east-1", "cn-north-1", "ap-southeast-2", "us-iso-west-1"])
def test_regions_of_all_partitions_are_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Whatever AWS calls a region."""
    monkeypatch.setenv("centralRegion", value)
    assert settings.region("centralRegion") == value


@pytest.mark.parametrize("value", ["Ireland", "eu-west", "eu-west-1a", "https://eu-west-1", "eu_west_1"])
def test_a_malformed_region_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A zone, a name or an address is no region."""
    monkeypatch.setenv("centralRegion", value)
    with pytest.raises(SettingError, match="centralRegion is malformed: expected an AWS region"):
        settings.region("centralRegion")


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
    """And a later try asks again: the failure is not remembered."""
    monkeypatch.setenv("slackSigningSecret", reference)
    with pytest.raises(SettingError, match=f"Setting slackSigningSecret refers to {reference}, which cannot be read"):
        secrets.secret("slackSigningSecret")
    if reference.startswith("ssm"):
        boto3.client("ssm", REGION).put_parameter(Name="/gone", Value="found", Type="SecureString")
        assert secrets.secret("slackSigningSecret") == "found"


@pytest.mark.usefixtures("aws")
def test_a_rotated_secret_is_found_once_the_old_one_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds that it does not work has it read again, once a minute; one that cannot be read stays as it was."""
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
    """It changes with its container."""
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
