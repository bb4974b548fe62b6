"""What AWS and Slack deliver to the functions: the sandbox's CloudTrail, SNS and schedule events, and signed clicks.

The only module that knows where these builders stand.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from chalice.local import LambdaEventConverter, RouteMatcher
from slack_sdk.signature import SignatureVerifier

from bench.names import ACCOUNT, REGION, SIGNING_SECRET
from sandbox.aws import cloudtrail, sns
from sandbox.aws.calls import ApiCall
from sandbox.aws.events import scheduled_event
from sandbox.aws.request import ApiRequest, Caller

_ROUTE: Final = "/slack/actions"
_ROLE: Final = "AWSReservedSSO_Admin_0123456789abcdef"
_PERSON: Final = Caller(
    kind="AssumedRole",
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{_ROLE}/ada@example.com",
    principal_id="AROAEXAMPLEEXAMPLE002:ada@example.com",
    access_key_id="ASIAIOSFODNN7EXAMPLE",
    name=_ROLE,
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{_ROLE}",
    role_id="AROAEXAMPLEEXAMPLE002",
)
"""A person who signed in through IAM Identity Center, as most do."""

Json = dict[str, Any]


def recorded(action: str, parameters: Mapping[str, str], answer: bytes) -> Json:
    """Return the CloudTrail event of an EC2 call.

    Args:
        action: e.g. ``AuthorizeSecurityGroupIngress``.
        parameters: as the call sends them.
        answer: EC2's XML.
    """
    return cloudtrail.event_of(_call("ec2", action, parameters, answer))


def delivered(published: str) -> Json:
    """Return the event with which SNS gives a message to a function; ``published`` is the body of the Publish call."""
    return sns.lambda_event(_call("sns", "Publish", dict(parse_qsl(published)), b""), "bench")


def scheduled() -> Json:
    """Return the event of a schedule."""
    return scheduled_event(account=ACCOUNT, region=REGION, rule="bench")


def clicked(post: str, response_url: str) -> Json:
    """Return API Gateway's event for a click on the approving button of a message.

    Args:
        post: the message's payload, as the product posted it.
        response_url: where Slack takes an answer to the click.
    """
    button = next(one for one in _elements(json.loads(post)) if one.get("style") == "primary")
    payload = {
        "type": "block_actions",
        "user": {"id": "U061F7AUR", "username": "grace", "name": "grace", "team_id": "T0001"},
        "team": {"id": "T0001", "domain": "example"},
        "container": {"type": "message", "message_ts": "1727740800.000100", "channel_id": "C0001"},
        "channel": {"id": "C0001", "name": "privategroup"},
        "response_url": response_url,
        "trigger_id": "1.2.3",
        "actions": [{"action_id": button["action_id"], "type": "button", "value": button["value"]}],
    }
    body, headers = signed({"payload": json.dumps(payload)})
    converter = LambdaEventConverter(RouteMatcher([_ROUTE]))
    event: Json = converter.create_lambda_event("POST", _ROUTE, headers, body)  # type: ignore[arg-type]  # text
    return event


def signed(form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the body of a form and the headers with which Slack would send it now."""
    body, timestamp = urlencode(form), str(int(time.time()))
    signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=timestamp, body=body)
    return body, {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": str(signature),
    }


def bare_click(request_id: str) -> Json:
    """Return what the floor of a click gets: a signed body, and what to store and publish."""
    body, headers = signed({"payload": "x" * 2000})
    return {
        "secret": SIGNING_SECRET,
        "timestamp": headers["X-Slack-Request-Timestamp"],
        "signature": headers["X-Slack-Signature"],
        "body": body,
        "request_id": request_id,
        "topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:applySecurityGroupChange",
    }


def _call(service: str, action: str, parameters: Mapping[str, str], answer: bytes) -> ApiCall:
    request = ApiRequest(
        service=service, region=REGION, access_key_id=_PERSON.access_key_id, action=action, parameters=parameters
    )
    return ApiCall(request=request, caller=_PERSON, at=datetime.now(UTC), duration_ms=0, status=200, body=answer)


def _elements(payload: Any) -> list[Json]:
    """Return every element of a payload's actions, wherever they stand."""
    if isinstance(payload, list):
        return [found for one in payload for found in _elements(one)]
    if not isinstance(payload, dict):
        return []
    return [*payload.get("elements", ()), *(found for value in payload.values() for found in _elements(value))]
