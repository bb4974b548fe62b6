"""The floor of a click: the signature, one conditional write and one publish."""

import hashlib
import hmac
import os
from typing import Any

import boto3

_REGION = os.environ["AWS_REGION"]
_TABLE = boto3.client("dynamodb", region_name=_REGION)
_TOPICS = boto3.client("sns", region_name=_REGION)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Check the signature, store the decision, publish it."""
    base = f"v0:{event['timestamp']}:{event['body']}".encode()
    signature = "v0=" + hmac.new(event["secret"].encode(), base, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, event["signature"]):
        return {"statusCode": 401}
    _TABLE.update_item(
        TableName="securityGroupRequests",
        Key={"requestId": {"S": event["request_id"]}},
        UpdateExpression="SET decidedBy = :by",
        ConditionExpression="attribute_exists(requestId)",
        ExpressionAttributeValues={":by": {"S": "U061F7AUR"}},
    )
    _TOPICS.publish(TopicArn=event["topic"], Message="{}", Subject="Security group change approved")
    return {"statusCode": 200}
