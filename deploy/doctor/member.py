"""Checks of a member account: CloudTrail, and where the central app is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.settings import current
from deploy.staging import OWN_ROLE
from deploy.target import Target, code_of


def settings(target: Target) -> Iterator[str]:
    """The functions know the central account, and their switch has a meaning."""
    found = current(target)
    if not found:
        return
    if not re.fullmatch(r"\d{12}", found.get("centralAccountId", "")):
        yield (
            "The setting centralAccountId is no account id, so no change is asked for; run `make "
            "deploy-member CENTRAL=…`."
        )
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", found.get("centralRegion", "")):
        yield (
            "The setting centralRegion is no region, so no change is asked for; run `make deploy-member "
            "CENTRAL_REGION=…`."
        )
    if found.get(OWN_ROLE, target.place.role_arn) != target.place.role_arn:
        yield (
            f"The setting {OWN_ROLE} is not the functions' role, so the product takes back what it has applied; "
            "run `make deploy-member` again."
        )
    mode = found.get("modeOverride", "")
    if mode not in ("", "enforce", "observe"):
        yield (
            f"The setting modeOverride is {mode!r}, which is no mode, so the policy's mode holds: "
            "`python -m deploy switch` sets it right."
        )


def trail(target: Target) -> Iterator[str]:
    """A trail records this region's management events that write; without one, EventBridge gets none."""
    client = target.client("cloudtrail")
    trails = client.describe_trails(includeShadowTrails=True)["trailList"]
    here = [one for one in trails if one.get("IsMultiRegionTrail") or one.get("HomeRegion") == target.place.region]
    if not here:
        yield (
            "No CloudTrail trail covers this region, so EventBridge gets no API calls and no change "
            "is seen: create a trail "
            "of all regions that logs management events (docs/deploy.md, step 1)."
        )
        return
    reasons = [_flaw(client, one) for one in here]
    if all(reasons):
        yield "No change is seen here: " + " ".join(reason for reason in reasons if reason)


def _flaw(client: Any, one: Mapping[str, Any]) -> str:
    """Return why a trail does not do, ``""`` when it does; one of the organization that may not be looked at does."""
    name, arn = one["Name"], one["TrailARN"]
    try:
        if not client.get_trail_status(Name=arn)["IsLogging"]:
            return f"The trail {name} is stopped: aws cloudtrail start-logging --name {name}"
        answer = client.get_event_selectors(TrailName=arn)
    except ClientError as error:
        if one.get("IsOrganizationTrail") or code_of(error) == "TrailNotFoundException":
            return ""
        raise
    if _logs_writes(answer):
        return ""
    return (
        f"The trail {name} does not log management events that write: set its event selectors to do so "
        "(write-only will do)."
    )


def _logs_writes(answer: Mapping[str, Any]) -> bool:
    basic = any(
        selector.get("IncludeManagementEvents", True) and selector.get("ReadWriteType", "All") != "ReadOnly"
        for selector in answer.get("EventSelectors") or []
    )
    return basic or any(_is_of_writes(one["FieldSelectors"]) for one in answer.get("AdvancedEventSelectors") or [])


def _is_of_writes(fields: list[Mapping[str, Any]]) -> bool:
    values = {one["Field"]: one for one in fields}
    if values.get("eventCategory", {}).get("Equals") != ["Management"]:
        return False
    if "ec2.amazonaws.com" in values.get("eventSource", {}).get("NotEquals", []):
        return False
    return values.get("readOnly", {}).get("Equals") in (None, ["false"])
