"""Turns an EC2 call that reached the endpoint into the event that CloudTrail sends to EventBridge.

The envelope, the record and the identity in it; how parameters and answers are written is in
``cloudtrail_forms.py``. Failed calls and dry runs make events too, as they do in AWS.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.aws.calls import ApiCall
from sandbox.aws.cloudtrail_forms import request_parameters, response_elements
from sandbox.aws.identities import Caller

#: The EC2 actions that become events; CloudTrail has more, and nothing here would listen to them.
RECORDED_ACTIONS = frozenset(
    {
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "ModifySecurityGroupRules",
        "UpdateSecurityGroupRuleDescriptionsIngress",
        "UpdateSecurityGroupRuleDescriptionsEgress",
        "CreateSecurityGroup",
        "DeleteSecurityGroup",
    }
)
EVENT_VERSION = "1.11"


def is_recorded(call: ApiCall) -> bool:
    """Say whether CloudTrail makes an event of a call."""
    return call.request.service == "ec2" and call.request.action in RECORDED_ACTIONS


def event_of(call: ApiCall) -> dict[str, Any]:
    """Make the EventBridge event of a call, ``detail`` being CloudTrail's record."""
    request = call.request
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": user_identity(call.caller),
        "eventTime": _seconds(call.at),
        "eventSource": "ec2.amazonaws.com",
        "eventName": request.action,
        "awsRegion": request.region,
        "sourceIPAddress": request.source_ip,
        "userAgent": request.user_agent,
    }
    if call.error_code:
        record["errorCode"] = f"{'Client' if call.status < 500 else 'Server'}.{call.error_code}"
        record["errorMessage"] = call.error_message
    record |= {
        "requestParameters": request_parameters(request.action, request.parameters),
        "responseElements": None if call.error_code else response_elements(request.action, call.body),
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
        "tlsDetails": {"clientProvidedHostHeader": request.host},
    }
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": call.caller.account,
        "time": record["eventTime"],
        "region": request.region,
        "resources": [],
        "detail": record,
    }


def user_identity(caller: Caller) -> dict[str, Any]:
    """Write an identity as CloudTrail does.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    identity: dict[str, Any] = {
        "type": caller.kind,
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.kind == "IAMUser":
        identity["userName"] = caller.name
    if caller.kind == "AssumedRole":
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": caller.role_id,
                "arn": caller.role_arn,
                "accountId": caller.account,
                "userName": caller.name,
            },
            "attributes": {
                "creationDate": _seconds(caller.since or datetime.now(UTC)),
                "mfaAuthenticated": "false",
            },
        }
    return identity


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
