"""What AWS and Slack deliver to the functions, as they write it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from bench.shipped import REGION
from central.chalicelib.slack.signature import sign

ACCOUNT: Final = "123456789012"
"""moto's own account; member and central share it here."""
SECRET: Final = "8f742231b10e8888abcd99yyyzzz85a5"
"""From Slack's published example of a signature."""
APPROVER: Final = "U061F7AUR"

Json = dict[str, Any]

USER: Final[Json] = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLEEXAMPLE001",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/ada",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "userName": "ada",
}
_ROLE: Final = "AWSReservedSSO_Admin_0123456789abcdef"
PERSON: Final[Json] = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLEEXAMPLE002:ada@example.com",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{_ROLE}/ada@example.com",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLEEXAMPLE002",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{_ROLE}",
            "accountId": ACCOUNT,
            "userName": _ROLE,
        },
        "attributes": {"mfaAuthenticated": "true"},
    },
}
"""A person who signed in through IAM Identity Center, as most do."""


def opened(group_id: str, rules: Iterable[Mapping[str, Any]], *, identity: Json = USER) -> Json:
    """Return the event of an AuthorizeSecurityGroupIngress call.

    Args:
        group_id: the group.
        rules: as EC2 answers the call, e.g. ``{"SecurityGroupRuleId": "sgr-…", "CidrIpv4": "0.0.0.0/0", …}``.
        identity: who made the call.
    """
    permissions: dict[tuple[Any, ...], Json] = {}
    answered = []
    for rule in rules:
        ports = {"ipProtocol": rule["IpProtocol"], "fromPort": rule["FromPort"], "toPort": rule["ToPort"]}
        empty: Json = {"groups": {}, "ipRanges": {}, "ipv6Ranges": {}, "prefixListIds": {}}
        permission = permissions.setdefault(tuple(ports.values()), {**ports, **empty})
        text = {"description": rule["Description"]} if rule.get("Description") else {}
        told = {"groupOwnerId": ACCOUNT, "groupId": group_id, "securityGroupRuleId": rule["SecurityGroupRuleId"]}
        told |= {"isEgress": False, **ports, **text, "tagSet": {}}
        if "ReferencedGroupInfo" in rule:
            source = {"groupId": rule["ReferencedGroupInfo"]["GroupId"], "userId": ACCOUNT}
            permission["groups"].setdefault("items", []).append(source | text)
            told["referencedGroupInfo"] = source
        else:
            permission["ipRanges"].setdefault("items", []).append({"cidrIp": rule["CidrIpv4"], **text})
            told["cidrIpv4"] = rule["CidrIpv4"]
        answered.append(told)
    answer = {"requestId": "x", "_return": True, "securityGroupRuleSet": {"items": answered}}
    parameters = {"groupId": group_id, "ipPermissions": {"items": list(permissions.values())}}
    return _from_cloudtrail("AuthorizeSecurityGroupIngress", parameters, answer, identity)


def _from_cloudtrail(name: str, parameters: Json, answer: Json, identity: Json) -> Json:
    moment = _now().strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = {
        "eventVersion": "1.10",
        "userIdentity": identity,
        "eventTime": moment,
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.24.0",
        "requestParameters": parameters,
        "responseElements": answer,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return _from_eventbridge("aws.ec2", "AWS API Call via CloudTrail", detail, moment)


def scheduled() -> Json:
    """Return the event of a schedule."""
    return _from_eventbridge("aws.events", "Scheduled Event", {}, _now().strftime("%Y-%m-%dT%H:%M:%SZ"))


def _from_eventbridge(source: str, kind: str, detail: Json, moment: str) -> Json:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": moment,
        "region": REGION,
        "resources": [],
        "detail": detail,
    }


def delivered(topic: str, message: str) -> Json:
    """Return the event with which SNS hands a message to a function."""
    record = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": topic_arn(topic),
        "Subject": "Security group change",
        "Message": message,
        "Timestamp": _now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
        "MessageAttributes": {},
    }
    source = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": f"{topic_arn(topic)}:x"}
    return {"Records": [{**source, "Sns": record}]}


def topic_arn(name: str) -> str:
    """Return the ARN of a topic."""
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"


def clicked(request_id: str, digest: str, response_url: str) -> Json:
    """Return the event of API Gateway for a click on *Approve*, signed now."""
    payload = {
        "type": "block_actions",
        "user": {"id": APPROVER, "username": "grace", "name": "grace", "team_id": "T0001"},
        "team": {"id": "T0001", "domain": "example"},
        "container": {"type": "message", "message_ts": "1727740800.000100", "channel_id": "C0001"},
        "channel": {"id": "C0001", "name": "privategroup"},
        "response_url": response_url,
        "trigger_id": "1.2.3",
        "actions": [
            {
                "action_id": "approve",
                "type": "button",
                "value": json.dumps({"requestId": request_id, "digest": digest}),
                "action_ts": "1727740900.1",
            }
        ],
    }
    body, headers = signed({"payload": json.dumps(payload)})
    return {
        "resource": "/slack/actions",
        "path": "/slack/actions",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": "/slack/actions", "httpMethod": "POST", "stage": "prod", "identity": {}},
        "body": body,
        "isBase64Encoded": False,
    }


def signed(form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the body of a form and the headers with which Slack would send it now."""
    body, timestamp = urlencode(form), str(int(time.time()))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": sign(SECRET, timestamp, body.encode()),
    }
    return body, headers


def bare_click(request_id: str) -> Json:
    """Return what the floor of a click gets: a signed body and what to store and tell."""
    body, headers = signed({"payload": "x" * 2000})
    return {
        "secret": SECRET,
        "timestamp": headers["X-Slack-Request-Timestamp"],
        "signature": headers["X-Slack-Signature"],
        "body": body,
        "request_id": request_id,
        "topic": topic_arn("applySecurityGroupChange"),
    }


def _now() -> datetime:
    return datetime.now(UTC)
