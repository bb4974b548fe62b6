"""The member app: one in every account whose security groups are guarded. This file lists its triggers.

https://aws.github.io/chalice/topics/events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Chalice, CloudWatchEvent, Rate, SNSEvent

from shared.telemetry import instrument

if TYPE_CHECKING or "." in __name__:  # imported from the repository's root as `member.app`
    from .chalicelib import triggers, warm_up
else:  # Lambda and `chalice local` import this file as the top-level module `app`
    from chalicelib import triggers, warm_up

app = Chalice(app_name="member")
instrument(app)


@app.on_cw_event(triggers.SECURITY_GROUP_CALLS, name="revertSecurityGroup")
def revertSecurityGroup(event: CloudWatchEvent) -> None:
    """A security-group call was recorded: revert it and file the request."""
    triggers.security_group_call(event)


@app.on_sns_message(topic="applySecurityGroupChange", name="applySecurityGroupChange")
def applySecurityGroupChange(event: SNSEvent) -> None:
    """An approver said yes: apply exactly what was shown."""
    triggers.approval(event)


@app.schedule(Rate(10, unit=Rate.MINUTES), name="snapshotSecurityGroups")
def snapshotSecurityGroups(event: CloudWatchEvent) -> None:
    """Learn new groups; find differences that no event explained."""
    triggers.snapshot(event)


warm_up.prepare()
