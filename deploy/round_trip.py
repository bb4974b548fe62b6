"""Doctor's test event: a change that cannot have happened, which has to arrive in Slack.

The event says that a rule was added to a security group that does not exist. The member app finds no such group and
publishes the change as observed, and the central app posts it to the monitoring channel, with the test's name in it.
Nothing is opened, reverted or asked.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Final

from deploy.finishing import invoke
from deploy.names import REVERT, Place
from deploy.target import Target

GROUP: Final = "sg-00000000000000000"
NAME: Final = "test-event-of-doctor"


def send(target: Target, *, now: datetime) -> str:
    """Send the member app a test event; return the id of its request.

    Raises:
        DeployError: when Lambda refuses it.
    """
    request_id = f"test-{uuid.uuid4()}"
    invoke(target, REVERT, make_event(target.place, request_id, now))
    return request_id


def make_event(place: Place, request_id: str, now: datetime) -> dict[str, Any]:
    """Return the event.

    Args:
        place: the account and region of the change.
        request_id: identifies it in the table and in logs.
        now: the time of the change, UTC.
    """
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    permission = {
        "ipProtocol": "tcp",
        "fromPort": 9,
        "toPort": 9,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": "192.0.2.0/24", "description": "Test event of doctor; nothing happened"}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    detail = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDATEST",
            "arn": f"arn:{place.partition}:iam::{place.account}:user/{NAME}",
            "accountId": place.account,
            "userName": NAME,
        },
        "eventTime": time,
        "eventSource": "ec2.amazonaws.com",
        "eventName": "AuthorizeSecurityGroupIngress",
        "awsRegion": place.region,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": NAME,
        "requestParameters": {"groupId": GROUP, "ipPermissions": {"items": [permission]}},
        "responseElements": {"requestId": request_id, "_return": True},
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": place.account,
        "eventCategory": "Management",
    }
    return {
        "version": "0",
        "id": detail["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": place.account,
        "time": time,
        "region": place.region,
        "resources": [],
        "detail": detail,
    }
