"""The AWS clients, one per service and region, made once per container.

Everything about them is standard: credentials, ``AWS_ENDPOINT_URL`` and proxies come from the environment. Only the
patience is set here: a Lambda function that waits sixty seconds for a socket is no use to anybody. A client belongs to
the account and endpoint it was made for, so that one process may serve several (in Lambda there is only ever one).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

from shared.settings import optional

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sts import STSClient

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "max_attempts": 4},
    # Sixty groups at once reuse connections instead of opening new ones.
    max_pool_connections=20,
)

_HURRIED = Config(
    # Slack waits three seconds for the answer to a click; what is not done by then is left to the sweep.
    connect_timeout=0.5,
    read_timeout=0.8,
    retries={"mode": "standard", "max_attempts": 2},
)


@overload
def client(service: Literal["ec2"], region: str, *, hurried: bool = ...) -> EC2Client: ...
@overload
def client(service: Literal["sns"], region: str, *, hurried: bool = ...) -> SNSClient: ...
@overload
def client(service: Literal["dynamodb"], region: str, *, hurried: bool = ...) -> DynamoDBClient: ...
@overload
def client(service: Literal["sts"], region: str, *, hurried: bool = ...) -> STSClient: ...


def client(service: Any, region: str, *, hurried: bool = False) -> Any:
    """Return the container's client of a service in a region.

    Args:
        service: boto3's name of the service, e.g. ``ec2``.
        region: e.g. ``eu-west-1``.
        hurried: with little patience, for whoever has to answer within three seconds.
    """
    return _client(service, region, hurried, optional("AWS_ACCESS_KEY_ID"), optional("AWS_ENDPOINT_URL"))


@lru_cache(maxsize=64)
def _client(service: str, region: str, hurried: bool, access_key: str, _endpoint: str) -> Any:
    session = _session(access_key)
    return session.client(service, region_name=region, config=_HURRIED if hurried else _CONFIG)  # type: ignore[call-overload]  # any service


@lru_cache(maxsize=8)
def _session(_access_key: str) -> boto3.session.Session:
    """Return one session for all clients of an account, which then read botocore's data once.

    Not boto3's default session, which keeps the first credentials it saw.
    """
    return boto3.session.Session()


def forget() -> None:
    """Drop all clients; the next one is made from the environment as it is then."""
    _client.cache_clear()
    _session.cache_clear()
