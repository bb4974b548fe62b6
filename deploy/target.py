"""The account and region a verb works in: credentials, names, AWS clients."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from deploy.errors import DeployError
from deploy.names import App, Place, is_stage

_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})
_FIRST_CALL = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 2})
"""A region that is none is told soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a verb works.

    Attributes:
        place: names of everything there.
        profile: of ``~/.aws/config``; empty: the default credentials.
        session: boto3's session of that profile and region.
    """

    place: Place
    profile: str
    session: boto3.Session
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return the client of a service in the target's region."""
        if service not in self._clients:
            make: Any = self.session.client
            self._clients[service] = make(service, config=_CONFIG)
        return self._clients[service]

    def environment(self) -> dict[str, str]:
        """Return the environment for a child process that works in the same account and region."""
        more = {"AWS_DEFAULT_REGION": self.place.region, "AWS_REGION": self.place.region}
        if self.profile:
            more["AWS_PROFILE"] = self.profile
        return {**os.environ, **more}


def find_target(app: App, *, profile: str, region: str, stage: str) -> Target:
    """Return the account that the credentials belong to, and the region.

    Raises:
        DeployError: when stage, region or credentials do not do.
    """
    if not is_stage(stage):
        raise DeployError(
            f"The stage {stage!r} does not do: up to nine lower-case letters and digits, a letter "
            "first. The region becomes "
            "part of the stage's name by itself."
        )
    try:
        session = boto3.Session(profile_name=profile or None, region_name=region or None)
    except BotoCoreError as error:
        raise DeployError(f"There is no such profile in ~/.aws/config: {error}") from error
    if not session.region_name:
        raise DeployError("Say in which region: REGION=eu-west-1 (or --region, or AWS_DEFAULT_REGION).")
    try:
        caller = session.client("sts", config=_FIRST_CALL).get_caller_identity()
    except EndpointConnectionError as error:
        raise DeployError(
            f"AWS cannot be reached in {session.region_name}: is there such a region, and a way there? ({error})"
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"AWS does not take the credentials{f' of profile {profile}' if profile else ''}: {error}"
        ) from error
    place = Place(
        app=app,
        stage=stage,
        partition=caller["Arn"].split(":")[1],
        account=caller["Account"],
        region=session.region_name,
    )
    return Target(place=place, profile=profile, session=session)


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response["Error"].get("Code", ""))
