"""What a reader should do about a change that was approved and could not be applied, by its error code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_RULE_GONE: Final = (
    "A rule to remove or change is no longer there. Nothing to do if that was intended; otherwise look at the group."
)
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_TO_DO: Final[Mapping[str, str]] = {
    "InvalidPermission.Duplicate": (
        "Such a rule is in the group already, so nothing was added. Nothing to do if it serves the purpose; otherwise "
        "remove it first and make the change again."
    ),
    "InvalidPermission.NotFound": _RULE_GONE,
    "InvalidSecurityGroupRuleId.NotFound": _RULE_GONE,
    "InvalidGroup.NotFound": (
        "The group, or a group that a rule refers to, no longer exists. Make the change again where it is needed."
    ),
    "RulesPerSecurityGroupLimitExceeded": (
        "The group is full. Remove rules that nobody needs, or have the quota raised, and make the change again."
    ),
    "PrefixListChanged": "Make the change again; the new question shows the prefix list as it is now.",
    "UnauthorizedOperation": (
        "The role of the member function lacks a permission, or an SCP forbids the call. Repair that and make the "
        "change again."
    ),
}
_OTHERWISE: Final = (
    "The log of applySecurityGroupChange in the member account says more. "
    "When the cause is gone, make the change again."
)


def advice(error_code: str) -> str:
    """Return what to do.

    Args:
        error_code: EC2's, with or without ``Client.``, or one of the product's own; may be empty.
    """
    return _TO_DO.get(error_code.removeprefix("Client."), _OTHERWISE)
