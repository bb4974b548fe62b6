"""The tables and topics of a deployment that Chalice does not make, as ``deploy/`` makes them."""

from typing import TYPE_CHECKING, Literal

from central.chalicelib.intake import RESERVED_PREFIXES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

REQUESTS_TABLE = "securityGroupRequests"
STATE_TABLE = "securityGroupState"


def is_of_request(request_id: str) -> bool:
    """Return whether an item of central's table is a request; central also keeps members and adoptions there."""
    return not request_id.startswith(RESERVED_PREFIXES)


def create_requests_table(
    dynamodb: "DynamoDBClient", *, projection: Literal["ALL", "KEYS_ONLY", "INCLUDE"] = "ALL"
) -> None:
    """Create central's table: key ``requestId``, index ``byStatus`` sorted by ``requestedAt``."""
    dynamodb.create_table(
        TableName=REQUESTS_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "requestId", "AttributeType": "S"},
            {"AttributeName": "status", "AttributeType": "S"},
            {"AttributeName": "requestedAt", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "requestId", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "byStatus",
                "KeySchema": [
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "requestedAt", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": projection},
            }
        ],
    )


def create_state_table(dynamodb: "DynamoDBClient") -> None:
    """Create a member's table: key ``id``."""
    dynamodb.create_table(
        TableName=STATE_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )


def create_topic(sns: "SNSClient", name: str) -> None:
    """Create a topic in the client's account and region."""
    sns.create_topic(Name=name)
