"""Swapped profiles are noticed before anything is made."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import accounts, foundation
from deploy.doctor import common
from deploy.errors import DeployError
from deploy.names import App, Place
from deploy.target import Target

CENTRAL, MEMBER = "111111111111", "222222222222"
HOME = "us-east-1"
"""Region of the central app."""

Stacks = dict[tuple[str, str, str], dict[str, Any]]


def target(app: App, account: str, region: str = HOME) -> Target:
    """Return an app's place."""
    place = Place(app=app, stage="prod", partition="aws", account=account, region=region)
    return Target(place=place, profile="", session=boto3.Session(region_name=region))


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The stacks by app, account and region: both apps are where they should be."""
    known: Stacks = {
        ("central", CENTRAL, HOME): {"Parameters": []},
        ("member", MEMBER, HOME): {"Parameters": [{"ParameterKey": "CentralAccountId", "ParameterValue": CENTRAL}]},
    }

    def find(one: Target) -> dict[str, Any] | None:
        return known.get((one.place.app, one.place.account, one.place.region))

    monkeypatch.setattr(foundation, "find_stack", find)
    monkeypatch.setattr(common, "find_stack", find)
    return known


def test_right_accounts_pass(stacks: Stacks, capsys: pytest.CaptureFixture[str]) -> None:
    """New and again, and the central account as a member of its own."""
    accounts.check_central(target("central", CENTRAL))
    accounts.check_central(target("central", "333333333333"))
    accounts.check_member(target("member", MEMBER), CENTRAL, HOME)
    accounts.check_member(target("member", "333333333333", "eu-west-1"), CENTRAL, HOME)
    accounts.check_member(target("member", CENTRAL, "eu-west-1"), CENTRAL, HOME)
    assert stacks
    assert capsys.readouterr().out == ""


def test_a_central_app_in_a_member_account_is_refused(stacks: Stacks) -> None:
    """The profile of the member, with the verb of the central app."""
    assert stacks
    with pytest.raises(DeployError, match=f"{MEMBER} is a member account here, of the central account {CENTRAL}"):
        accounts.check_central(target("central", MEMBER))


@pytest.mark.parametrize("region", [HOME, "eu-west-1"])
def test_a_member_app_in_the_central_account_is_refused(stacks: Stacks, region: str) -> None:
    """In whatever region: the central app is where CENTRAL_REGION says."""
    assert stacks
    with pytest.raises(DeployError, match=f"{CENTRAL} has the central app itself, but CENTRAL is {MEMBER}"):
        accounts.check_member(target("member", CENTRAL, region), MEMBER, HOME)


def test_a_member_of_itself_without_a_central_app_is_refused(stacks: Stacks) -> None:
    """CENTRAL was filled in with the member's own id."""
    assert stacks
    with pytest.raises(DeployError, match="the account of this very profile"):
        accounts.check_member(target("member", MEMBER), MEMBER, HOME)


def test_another_central_account_is_said(stacks: Stacks, capsys: pytest.CaptureFixture[str]) -> None:
    """Meant or not: from now on others approve."""
    assert stacks
    accounts.check_member(target("member", MEMBER), "333333333333", HOME)
    assert f"was {CENTRAL}, and is 333333333333 from now on" in capsys.readouterr().out


def test_a_region_that_the_account_has_not_enabled_is_not_the_central_apps(
    stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its credentials count nothing there; in its own region the refusal is shown."""
    assert stacks

    def refuse(one: Target) -> None:
        if one.place.region == "eu-south-1":
            raise ClientError({"Error": {"Code": "UnrecognizedClientException", "Message": ""}}, "DescribeStacks")

    monkeypatch.setattr(foundation, "find_stack", refuse)
    accounts.check_member(target("member", MEMBER), CENTRAL, "eu-south-1")
    with pytest.raises(ClientError):
        accounts.check_member(target("member", MEMBER, "eu-south-1"), CENTRAL, HOME)


@pytest.mark.parametrize(("app", "account"), [("central", MEMBER), ("member", CENTRAL)])
def test_doctor_asks_whether_the_profile_is_right(stacks: Stacks, app: App, account: str) -> None:
    """Where the other app is, nothing of this one is missing by accident."""
    assert stacks
    (said,) = common.stack(target(app, account))
    assert said.endswith("app is deployed here: is this the right profile?")
