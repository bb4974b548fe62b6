"""The doctor's test event: a change that cannot have happened, to see it arrive in Slack.

The event says that a rule was added to a security group which does not exist. The member app finds the group gone,
files the change as observed, and the central app posts that to the monitoring channel, with the test's name on it.
Nothing is opened, closed or asked.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Final

from deploy.finishing import invoke
from deploy.target import Target

GROUP: Final = "sg-00000000000000000"
NAME: Final = "test-event-of-doctor"


def send(target: Target, *, now: datetime) -> str:
    """Hand the member app a test event; return the id of the request it becomes.

    Raises:
        DeployError: when Lambda does not take it.
    """
    request_id = f"test-{uuid.uuid4()}"
    invoke(target, "revertSecurityGroup", make_event(target.place.account, target.place.region, request_id, now))
    return request_id


def make_event(account: str, region: str, request_id: str, now: datetime) -> dict[str, Any]:
    """Return the event.

    Args:
        account: 12 digits.
        region: e.g. ``eu-west-1``.
        request_id: marks it in the table and in logs.
        now: the change's time, UTC.
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
            "arn": f"arn:aws:iam::{account}:user/{NAME}",
            "accountId": account,
            "userName": NAME,
        },
        "eventTime": time,
        "eventSource": "ec2.amazonaws.com",
        "eventName": "AuthorizeSecurityGroupIngress",
        "awsRegion": region,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": NAME,
        "requestParameters": {"groupId": GROUP, "ipPermissions": {"items": [permission]}},
        "responseElements": {"requestId": request_id, "_return": True},
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return {
        "version": "0",
        "id": detail["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": account,
        "time": time,
        "region": region,
        "resources": [],
        "detail": detail,
    }
