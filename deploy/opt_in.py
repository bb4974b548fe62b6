"""Opt-in regions: AWS refuses an account's credentials in one that the account has not enabled.

A member app there can ask, since the central account's topic is elsewhere; but no approval reaches it as long as the
central account has not enabled the member's region too.

https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from botocore.exceptions import ClientError

from central.chalicelib.requests.table import RequestsTable
from deploy.console import note
from deploy.foundation import find_table
from deploy.target import Target
from shared.wire.fields import FieldError

_LOOKED_AT: Final = 200
"""Open requests of each status; enough to meet every region in which somebody waits."""


def note_region(target: Target, central: str) -> None:
    """Say what an opt-in region asks of the central account.

    Args:
        target: of a member app.
        central: id of the central account.
    """
    region = target.place.region
    try:
        found = target.client("ec2").describe_regions(RegionNames=[region])["Regions"]
    except ClientError:
        return  # whoever may not look deploys nevertheless
    if any(one.get("OptInStatus") == "opted-in" for one in found):
        note(
            f"{region} is an opt-in region: enable it in the central account {central} too, or no approval arrives "
            f"here (there: aws account enable-region --region-name {region})."
        )


def unreachable(target: Target) -> Iterator[str]:
    """The central account has enabled every region in which requests are open."""
    if find_table(target) is None:
        return  # reported by another check
    regions = target.client("ec2").describe_regions(AllRegions=True)["Regions"]
    enabled = {one["RegionName"] for one in regions if one.get("OptInStatus") != "not-opted-in"}
    for region in sorted(_asking_regions(target) - enabled):
        yield (
            f"Requests of member accounts in {region} are open, and this account has not enabled that region, so no "
            f"approval reaches them: aws account enable-region --region-name {region}"
        )


def _asking_regions(target: Target) -> set[str]:
    table = RequestsTable(target.client("dynamodb"), invocation="doctor")
    found = set()
    for status in ("pending", "approved"):
        for row in islice(table.by_status(status), _LOOKED_AT):
            try:
                record = table.read(row)
            except FieldError:
                continue  # the sweep reports what cannot be read
            if record is not None:
                found.add(record.request.region)
    return found
