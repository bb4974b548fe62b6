"""The policy by which EventBridge may write down who touched the product, in the member account's CloudWatch Logs.

It is one of at most ten such policies of a region, and has no resource of its own, so anybody who may delete one may
delete it.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy import foundation
from deploy.errors import DeployError
from deploy.target import Target

POLICY: Final = "security-group-approval-tampering"
PARAMETER: Final = "EvidencePolicy"
_MOST: Final = 10


def check_room(target: Target, parameters: Mapping[str, str]) -> None:
    """Check that the region has room for the policy, before CloudFormation fails on it.

    Raises:
        DeployError: when it has ten others.
    """
    wanted = parameters.get(PARAMETER) or foundation.parameter(foundation.find_stack(target), PARAMETER)
    if wanted == "no":
        return
    names = [one["policyName"] for one in _policies(target)]
    if POLICY not in names and len(names) >= _MOST:
        raise DeployError(
            f"CloudWatch Logs in account {target.place.account}, {target.place.region} has ten resource policies "
            f"already ({', '.join(names)}), and no room for {POLICY}: delete one that is not needed (aws logs "
            "delete-resource-policy), or add --evidence-policy no, if another one of them lets events.amazonaws.com "
            "write to /aws/events/*."
        )


def find_policy(target: Target) -> Any:
    """Return the policy as it is now, ``None`` when there is none."""
    return next((json.loads(one["policyDocument"]) for one in _policies(target) if one["policyName"] == POLICY), None)


def _policies(target: Target) -> Iterator[dict[str, Any]]:
    pages = target.client("logs").get_paginator("describe_resource_policies").paginate()
    for page in pages:
        yield from page["resourcePolicies"]
