"""The AWS clients, one per service and region, made once per container; and the partition of a region.

Credentials, ``AWS_ENDPOINT_URL`` and proxies come from the environment, as botocore reads them. Only timeouts and
retries are set here: botocore's default of 60 seconds for a socket is too long for a Lambda function. A client belongs
to the account and endpoint it was made for, so one process may serve several (in Lambda there is only one).

botocore makes them without boto3, which saves a fifth of a cold start. In a zip it reads the description of the
operations that the product uses from ``data`` beside this module (``deploy/service_models.py`` writes it), and
everything else from its own data.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from botocore.config import Config
from botocore.exceptions import UnknownRegionError
from botocore.loaders import Loader
from botocore.session import Session

from shared.settings import optional
from shared.version import VERSION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

RetryProfile = Literal["standard", "fail_fast", "adaptive", "once"]
"""``standard``; ``fail_fast`` for what has to answer within three seconds; ``adaptive`` for many calls in a row: backs
off when throttled; ``once`` for what may stay unknown: a fraction of a second, never repeated."""

_DATA: Final = Path(__file__).with_name("data")

_PRODUCT: Final = f"security-group-approval/{VERSION}"
"""Ends the User-Agent of every call, so that CloudTrail says which version made it."""

_CONFIGS: Final[dict[RetryProfile, Config]] = {
    "standard": Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 4},
        # Threads that call at the same time reuse connections instead of opening new ones.
        max_pool_connections=20,
        user_agent_extra=_PRODUCT,
    ),
    # Slack waits three seconds for the answer to a click; the sweep finishes what takes longer.
    "fail_fast": Config(
        connect_timeout=0.5,
        read_timeout=0.6,
        retries={"mode": "standard", "max_attempts": 2},
        user_agent_extra=_PRODUCT,
    ),
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html: after a throttled call, adaptive mode
    # limits all calls of the client to a rate that AWS accepts. Not for the revert, which must not wait.
    "adaptive": Config(
        connect_timeout=2,
        read_timeout=20,
        retries={"mode": "adaptive", "max_attempts": 8},
        user_agent_extra=_PRODUCT,
    ),
    # What a change reaches: a question does not wait for it for long, and says "not known" instead.
    "once": Config(
        connect_timeout=0.2,
        read_timeout=0.5,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra=_PRODUCT,
    ),
}


@overload
def client(service: Literal["ec2"], region: str, *, retries: RetryProfile = ...) -> EC2Client: ...
@overload
def client(service: Literal["sns"], region: str, *, retries: RetryProfile = ...) -> SNSClient: ...
@overload
def client(service: Literal["dynamodb"], region: str, *, retries: RetryProfile = ...) -> DynamoDBClient: ...
@overload
def client(service: Literal["sts"], region: str, *, retries: RetryProfile = ...) -> STSClient: ...
@overload
def client(service: Literal["ssm"], region: str, *, retries: RetryProfile = ...) -> SSMClient: ...
@overload
def client(service: Literal["secretsmanager"], region: str, *, retries: RetryProfile = ...) -> SecretsManagerClient: ...
@overload
def client(service: Literal["cloudtrail", "events", "sqs"], region: str, *, retries: RetryProfile = ...) -> Any: ...


def client(service: Any, region: str, *, retries: RetryProfile = "standard") -> Any:
    """Return the container's client of a service in a region.

    Args:
        service: AWS's name of the service, e.g. ``ec2``.
        region: e.g. ``eu-west-1``.
        retries: its timeouts and retries.
    """
    return _client(service, region, retries, optional("AWS_ACCESS_KEY_ID"), optional("AWS_ENDPOINT_URL"))


@lru_cache(maxsize=64)
def _client(service: str, region: str, retries: RetryProfile, access_key: str, _endpoint: str) -> Any:
    return _session(access_key).create_client(service, region_name=region, config=_CONFIGS[retries])


@lru_cache(maxsize=8)
def _session(_access_key: str) -> Session:
    """Return one session for all clients of an account, so that botocore's data is read once."""
    session = Session()
    if _DATA.is_dir():
        others = session.get_config_variable("data_path") or ""  # AWS_DATA_PATH
        session.register_component("data_loader", _Loader([str(_DATA), *filter(None, others.split(os.pathsep))]))
    return session


class _Loader(Loader):
    """botocore's loader, without its search through the folders of 400 services for one that stands in ``data``.

    The search takes half as long as the rest of making a client.
    """

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        if not (_DATA / service_name).is_dir():
            return super().load_service_model(service_name, type_name, api_version)
        version = api_version or self.determine_latest_version(service_name, type_name)
        return self.load_data(f"{service_name}/{version}/{type_name}")


def partition(region: str) -> str:
    """Return the AWS partition of a region by botocore's data, e.g. ``aws-cn`` for ``cn-north-1``.

    The data describes regions by pattern, so regions younger than botocore are found too. A region that fits no pattern
    is in ``aws``, as for botocore's endpoints.
    """
    try:
        return _session(optional("AWS_ACCESS_KEY_ID")).get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"


def forget() -> None:
    """Drop all clients; the next one is made from the environment as it is then."""
    _client.cache_clear()
    _session.cache_clear()
