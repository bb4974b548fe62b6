"""Settings are read when needed, and a wrong one is named in a sentence."""

from __future__ import annotations

import pytest

from shared import settings
from shared.settings import SettingError


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
    """A change of the environment takes effect at once; blanks around a value are ignored."""
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


@pytest.mark.parametrize(
    "value",
    ["eu-west-1", "us-gov-east-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1"],
)
def test_regions_of_all_partitions_are_accepted(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The form alone is checked: a new region works without a new version."""
    monkeypatch.setenv("centralRegion", value)
    assert settings.region("centralRegion") == value


@pytest.mark.parametrize("value", ["Ireland", "eu-west", "eu-west-1a", "https://eu-west-1", "eu_west_1"])
def test_a_malformed_region_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A zone, a name or an address is not a region."""
    monkeypatch.setenv("centralRegion", value)
    with pytest.raises(SettingError, match="centralRegion is malformed: expected an AWS region"):
        settings.region("centralRegion")
