"""Names of the measured account; what the product names is taken from ``deploy``."""

from __future__ import annotations

from typing import Final

from deploy.names import FUNCTIONS, TABLES, TOPICS

ACCOUNT: Final = "123456789012"
"""moto's own account; member and central share it here."""
REGION: Final = "eu-west-1"
SIGNING_SECRET: Final = "8f742231b10e8888abcd99yyyzzz85a5"
"""From Slack's published example of a signature."""

REQUESTS_TABLE: Final = TABLES["central"]
STATE_TABLE: Final = TABLES["member"]
ALL_TOPICS: Final = (*TOPICS["central"], *TOPICS["member"])
MEMBER_FUNCTIONS: Final = FUNCTIONS["member"]

REVERT: Final = "revertSecurityGroup"
INTAKE: Final = "securityGroupChange"
CLICK: Final = "buttonClick"
"""The route's function, which AWS names after the stage alone."""
APPLY: Final = "applySecurityGroupChange"
SNAPSHOT: Final = "snapshotSecurityGroups"
SWEEP: Final = "sweepRequests"
