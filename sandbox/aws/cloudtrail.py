"""Turns an EC2 call that reached the endpoint into the event that CloudTrail sends to EventBridge.

How the event, its parameters and its answer are written is in ``cloudtrail_forms.py``. Failed calls and dry runs make
events too, as they do in AWS.
"""

from typing import Any

from sandbox.aws.calls import ApiCall
from sandbox.aws.cloudtrail_forms import make_event, request_parameters, response_elements, user_identity

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


def is_recorded(call: ApiCall) -> bool:
    """Say whether CloudTrail makes an event of a call."""
    return call.request.service == "ec2" and call.request.action in RECORDED_ACTIONS


def event_of(call: ApiCall) -> dict[str, Any]:
    """Make the EventBridge event of a call, ``detail`` being CloudTrail's record."""
    request = call.request
    error = {}
    if call.error_code:
        side = "Client" if call.status < 500 else "Server"
        error = {"errorCode": f"{side}.{call.error_code}", "errorMessage": call.error_message}
    return make_event(
        request.action,
        request_parameters(request.action, request.parameters),
        None if call.error_code else response_elements(request.action, call.body),
        identity=user_identity(call.caller),
        account=call.caller.account,
        region=request.region,
        at=call.at,
        request_id=call.request_id,
        sourceIPAddress=request.source_ip,
        userAgent=request.user_agent,
        tlsDetails={"clientProvidedHostHeader": request.host},
        **error,
    )
