"""Regions that an account has to enable: said before an approval is lost in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from central.chalicelib.requests.items import record_to_item
from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import TABLE
from deploy.names import Place
from deploy.opt_in import note_region, unreachable
from deploy.target import Target
from shared.aws.attributes import to_attributes
from shared.domain.request import Status
from tests.support.central_account import make_request, make_table

PLACE = Place(app="central", stage="prod", partition="aws", account="111111111111", region="us-east-1")
NOT_ENABLED = "ap-east-1"
"""An opt-in region; in moto no account has enabled one."""


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """The central account, with its table."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Target(place=PLACE, profile="", session=boto3.Session(region_name=PLACE.region))


def store(target: Target, request_id: str, region: str, status: Status) -> None:
    """Put a request into the table."""
    request = replace(make_request(request_id=request_id), region=region)
    record = Record(request=request, status=status, requested_at=request.event_time)
    target.client("dynamodb").put_item(TableName=TABLE, Item=to_attributes(record_to_item(record)))


def test_open_requests_of_a_region_that_is_not_enabled_are_named(target: Target) -> None:
    """With the command that enables it; those of other regions, and ended ones, are not."""
    make_table(target.client("dynamodb"))
    store(target, "r-1", "eu-west-1", "pending")
    store(target, "r-2", "me-south-1", "denied")
    assert list(unreachable(target)) == []
    for number, status in enumerate(("pending", "approved")):
        store(target, f"r-{number + 3}", NOT_ENABLED, status)
    (said,) = unreachable(target)
    assert said.endswith(f"aws account enable-region --region-name {NOT_ENABLED}")


def test_an_unreadable_request_hides_no_other(target: Target) -> None:
    """The sweep reports it."""
    make_table(target.client("dynamodb"))
    damaged = {"requestId": {"S": "r-0"}, "status": {"S": "pending"}, "requestedAt": {"S": "2026-01-01T00:00:00Z"}}
    target.client("dynamodb").put_item(TableName=TABLE, Item=damaged)
    store(target, "r-1", NOT_ENABLED, "pending")
    assert len(list(unreachable(target))) == 1


def test_without_a_table_another_check_speaks(target: Target) -> None:
    """Nothing is deployed."""
    assert list(unreachable(target)) == []


@pytest.mark.parametrize(
    ("region", "status", "is_said"),
    [("ap-east-1", "opted-in", True), ("eu-west-1", "opt-in-not-required", False)],
)
def test_a_deployment_into_an_opt_in_region_says_what_central_needs(
    region: str, status: str, is_said: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Enabled in the member account alone, requests would arrive and approvals would not."""
    place = replace(PLACE, app="member", account="222222222222", region=region)
    target = Target(place=place, profile="", session=boto3.Session(region_name=region))

    class Regions:
        """EC2's answer."""

        def describe_regions(self, **_: object) -> dict[str, list[dict[str, str]]]:
            return {"Regions": [{"RegionName": region, "OptInStatus": status}]}

    target._clients["ec2"] = Regions()
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    note_region(target, PLACE.account)
    assert ("enable it in the central account 111111111111 too" in capsys.readouterr().out) == is_said
