"""Checks of a member account: CloudTrail, and where the central app is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy import evidence as evidence_policy
from deploy.foundation import find_stack, parameter
from deploy.settings import MODE_OVERRIDE, MODES, current
from deploy.staging import OWN_ROLE
from deploy.target import Target, is_missing
from shared.domain.place import is_account, is_region


def settings(target: Target) -> Iterator[str]:
    """The functions know the central account, and the emergency switch has a valid position."""
    found = current(target)
    if not found:
        return
    if not is_account(found.get("centralAccountId", "")):
        yield (
            "The setting centralAccountId is not an account id, so no change is asked for; "
            "run `make deploy-member CENTRAL=…`."
        )
    if not is_region(found.get("centralRegion", "")):
        yield (
            "The setting centralRegion is not a region, so no change is asked for; "
            "run `make deploy-member CENTRAL_REGION=…`."
        )
    if found.get(OWN_ROLE, target.place.role_arn) != target.place.role_arn:
        yield (
            f"The setting {OWN_ROLE} is not the functions' role, so the product reverts what it has applied; "
            "run `make deploy-member` again."
        )
    mode = found.get(MODE_OVERRIDE, "")
    if mode not in MODES.values():
        yield (
            f"The setting {MODE_OVERRIDE} is {mode!r}, which is not a mode, so the policy's mode applies: "
            "correct it with `python -m deploy switch`."
        )


def evidence(target: Target) -> Iterator[str]:
    """EventBridge may write down who touched the product."""
    stack = find_stack(target)
    if stack is None or parameter(stack, evidence_policy.PARAMETER) == "no":
        return
    if evidence_policy.find_policy(target) is None:
        yield (
            f"The policy {evidence_policy.POLICY} of CloudWatch Logs is missing, so nobody writes down who touches the "
            "product; run `make deploy-member` again."
        )


def trail(target: Target) -> Iterator[str]:
    """A trail records this region's management events that write; without one, EventBridge gets none."""
    client = target.client("cloudtrail")
    trails = client.describe_trails(includeShadowTrails=True)["trailList"]
    here = [one for one in trails if one.get("IsMultiRegionTrail") or one.get("HomeRegion") == target.place.region]
    if not here:
        yield (
            "No CloudTrail trail covers this region, so EventBridge gets no API calls and no change is seen: create a "
            "trail of all regions that logs management events (docs/deploy.md, step 1)."
        )
        return
    reasons = [_reason_it_fails(client, one) for one in here]
    if all(reasons):
        yield "No change is seen here: " + " ".join(reasons)


def _reason_it_fails(client: Any, one: Mapping[str, Any]) -> str:
    """Return why a trail is not enough, ``""`` when it is.

    An organization's trail whose configuration this account may not read counts as enough.
    """
    name, arn = one["Name"], one["TrailARN"]
    try:
        if not client.get_trail_status(Name=arn)["IsLogging"]:
            return f"The trail {name} is stopped: aws cloudtrail start-logging --name {name}"
        answer = client.get_event_selectors(TrailName=arn)
    except ClientError as error:
        if one.get("IsOrganizationTrail") or is_missing(error):
            return ""
        raise
    if _logs_writes(answer):
        return ""
    return f"The trail {name} does not log management events that write: change its event selectors to include them."


def _logs_writes(answer: Mapping[str, Any]) -> bool:
    basic = any(
        selector.get("IncludeManagementEvents", True) and selector.get("ReadWriteType", "All") != "ReadOnly"
        for selector in answer.get("EventSelectors") or []
    )
    return basic or any(_selects_writes(one["FieldSelectors"]) for one in answer.get("AdvancedEventSelectors") or [])


def _selects_writes(fields: list[Mapping[str, Any]]) -> bool:
    values = {one["Field"]: one for one in fields}
    if values.get("eventCategory", {}).get("Equals") != ["Management"]:
        return False
    if "ec2.amazonaws.com" in values.get("eventSource", {}).get("NotEquals", []):
        return False
    return values.get("readOnly", {}).get("Equals") in (None, ["false"])
