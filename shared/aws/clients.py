"""The AWS clients, one per service and region, made once per container.

Everything about them is standard: credentials, ``AWS_ENDPOINT_URL`` and proxies come from the environment. Only the
patience is set here: a Lambda function that waits sixty seconds for a socket is no use to anybody. A client belongs to
the account and endpoint it was made for, so that one process may serve several (in Lambda there is only ever one).

botocore makes them, without boto3 around it: the same client, and a fifth less of a cold start. In a zip it reads the
description of the operations that the product uses from ``data`` beside this module (``deploy/service_models.py``
writes it), everything else from its own.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from shared.settings import optional

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

Pace = Literal["usual", "hurried", "steady"]
"""How a client behaves: ``usual``; ``hurried``, with little patience, for whoever has to answer within three seconds;
``steady`` for whoever makes many calls: where AWS throttles, it slows down instead of knocking harder."""

_DATA: Final = Path(__file__).with_name("data")

_CONFIGS: Final[dict[Pace, Config]] = {
    "usual": Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 4},
        # Sixty groups at once reuse connections instead of opening new ones.
        max_pool_connections=20,
    ),
    # Slack waits three seconds for the answer to a click; what is not done by then is left to the sweep.
    "hurried": Config(connect_timeout=0.5, read_timeout=0.6, retries={"mode": "standard", "max_attempts": 2}),
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html: after a throttled call, adaptive mode
    # holds all calls of the client to a rate that AWS takes. Not for the revert, which never waits.
    "steady": Config(connect_timeout=2, read_timeout=20, retries={"mode": "adaptive", "max_attempts": 8}),
}


@overload
def client(service: Literal["ec2"], region: str, *, pace: Pace = ...) -> EC2Client: ...
@overload
def client(service: Literal["sns"], region: str, *, pace: Pace = ...) -> SNSClient: ...
@overload
def client(service: Literal["dynamodb"], region: str, *, pace: Pace = ...) -> DynamoDBClient: ...
@overload
def client(service: Literal["sts"], region: str, *, pace: Pace = ...) -> STSClient: ...
@overload
def client(service: Literal["ssm"], region: str, *, pace: Pace = ...) -> SSMClient: ...
@overload
def client(service: Literal["secretsmanager"], region: str, *, pace: Pace = ...) -> SecretsManagerClient: ...


def client(service: Any, region: str, *, pace: Pace = "usual") -> Any:
    """Return the container's client of a service in a region.

    Args:
        service: AWS's name of the service, e.g. ``ec2``.
        region: e.g. ``eu-west-1``.
        pace: how patient it is.
    """
    return _client(service, region, pace, optional("AWS_ACCESS_KEY_ID"), optional("AWS_ENDPOINT_URL"))


@lru_cache(maxsize=64)
def _client(service: str, region: str, pace: Pace, access_key: str, _endpoint: str) -> Any:
    return _session(access_key).create_client(service, region_name=region, config=_CONFIGS[pace])


@lru_cache(maxsize=8)
def _session(_access_key: str) -> Session:
    """Return one session for all clients of an account, which then read botocore's data once."""
    session = Session()
    if _DATA.is_dir():
        others = session.get_config_variable("data_path") or ""  # AWS_DATA_PATH
        session.register_component("data_loader", _Loader([str(_DATA), *filter(None, others.split(os.pathsep))]))
    return session


class _Loader(Loader):
    """botocore's loader, but that it does not look through the folders of 400 services for one that it has.

    That takes half as long as all the rest of making a client.
    """

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        if not (_DATA / service_name).is_dir():
            return super().load_service_model(service_name, type_name, api_version)
        version = api_version or self.determine_latest_version(service_name, type_name)
        return self.load_data(f"{service_name}/{version}/{type_name}")


def forget() -> None:
    """Drop all clients; the next one is made from the environment as it is then."""
    _client.cache_clear()
    _session.cache_clear()
