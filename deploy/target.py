"""The account and region a verb works in: credentials, names, AWS clients."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from central.audit.answers import WebPageAnswerError, refuse_web_pages
from deploy.errors import DeployError
from deploy.names import App, Place, is_stage

_CONFIG: Final = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})
_FIRST_CALL: Final = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 2})
"""Few tries, so that a mistyped region is reported soon."""
_MISSING: Final = (
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "TrailNotFoundException",
)


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
            self._clients[service] = make(service, region_name=self.place.region, config=_CONFIG)
        return self._clients[service]

    def find(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """Return AWS's answer to a call, ``None`` when what it asks for does not exist.

        Args:
            service: e.g. ``sqs``.
            operation: the client's method, e.g. ``get_queue_url``.
            **arguments: of the call.
        """
        try:
            found: dict[str, Any] = getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return found

    def environment(self) -> dict[str, str]:
        """Return the environment for a child process that works in the same account and region."""
        more = {"AWS_DEFAULT_REGION": self.place.region, "AWS_REGION": self.place.region}
        if self.profile:
            more["AWS_PROFILE"] = self.profile
        return {**os.environ, **more}


def in_region(target: Target, region: str) -> Target:
    """Return the same account and app in another region, with clients of its own."""
    if region == target.place.region:
        return target
    return replace(target, place=replace(target.place, region=region), _clients={})


def find_target(app: App, *, profile: str, region: str, stage: str) -> Target:
    """Return the account that the credentials belong to, and the region.

    Raises:
        DeployError: when stage, region or credentials are wrong.
    """
    if not is_stage(stage):
        raise DeployError(
            f"The stage {stage!r} is not valid: use up to nine lower-case letters and digits, a letter first. "
            "The region is added to it automatically."
        )
    try:
        session = boto3.Session(profile_name=profile or None, region_name=region or None)
    except BotoCoreError as error:
        raise DeployError(f"There is no such profile in ~/.aws/config: {error}") from error
    refuse_web_pages(session.events)
    if not session.region_name:
        raise DeployError("Name the region: REGION=eu-west-1 (or --region, or AWS_DEFAULT_REGION).")
    try:
        caller = session.client("sts", config=_FIRST_CALL).get_caller_identity()
    except EndpointConnectionError as error:
        raise DeployError(
            f"AWS cannot be reached in {session.region_name}: does the region exist, and can this machine reach it? "
            f"({error})"
        ) from error
    except WebPageAnswerError as error:
        raise DeployError(f"AWS cannot be reached: {error}.") from error
    except (BotoCoreError, ClientError) as error:
        of_profile = f" of profile {profile}" if profile else ""
        raise DeployError(f"AWS does not accept the credentials{of_profile}: {error}") from error
    partition = caller["Arn"].split(":")[1]
    place = Place(app=app, stage=stage, partition=partition, account=caller["Account"], region=session.region_name)
    if not place.fits():
        raise DeployError(f"The stage {stage!r} is too long for {place.region}: role names have at most 64 characters.")
    return Target(place=place, profile=profile, session=session)


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response["Error"].get("Code", ""))


def is_missing(error: ClientError) -> bool:
    """True when AWS says that something does not exist; CloudFormation says it as a validation error."""
    code = code_of(error)
    return code in _MISSING or (code == "ValidationError" and "does not exist" in str(error))
