"""The member app: one in every account whose security groups are guarded. This file lists its triggers.

https://aws.github.io/chalice/topics/events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import collector  # before all else: it pauses while the rest is loaded

# isort: split

from chalice.app import Chalice, CloudWatchEvent, Rate, SNSEvent

from shared.telemetry import instrument
from shared.wire.cloudtrail import ACTIONS

if TYPE_CHECKING or "." in __name__:  # imported from the repository's root as `member.app`
    from .chalicelib import preparing, triggers
else:  # Lambda and `chalice local` import this file as the top-level module `app`
    from chalicelib import preparing, triggers

app = Chalice(app_name="member")
instrument(app)

SECURITY_GROUP_CALLS = {
    "source": ["aws.ec2"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {"eventSource": ["ec2.amazonaws.com"], "eventName": sorted(ACTIONS)},
}
"""What EventBridge hands to ``revertSecurityGroup``; no filter on the caller, whose type may be anything."""


@app.on_cw_event(SECURITY_GROUP_CALLS, name="revertSecurityGroup")
def revertSecurityGroup(event: CloudWatchEvent) -> None:
    """A security-group call was recorded: take it back and file the request."""
    triggers.security_group_call(event)


@app.on_sns_message(topic="applySecurityGroupChange", name="applySecurityGroupChange")
def applySecurityGroupChange(event: SNSEvent) -> None:
    """An approver said yes: apply exactly what was shown."""
    triggers.approval(event)


@app.schedule(Rate(10, unit=Rate.MINUTES), name="snapshotSecurityGroups")
def snapshotSecurityGroups(event: CloudWatchEvent) -> None:
    """Learn new groups; find differences that no event explained."""
    triggers.snapshot(event)


preparing.prepare()
collector.resume()
