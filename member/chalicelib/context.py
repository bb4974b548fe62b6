"""The member app's composition root: the only place that reads the clock and knows who the product itself is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.clients import client
from shared.domain.caller import Caller, is_role_arn, is_session_of
from shared.settings import account_id, optional, region
from shared.telemetry import logger

if TYPE_CHECKING:
    from shared.wire.messages import Message

OWN_ROLE_SETTING: Final = "ownRoleArn"
"""The environment variable with the role that the app's functions run under; whoever deploys it sets it."""

OWN_FUNCTIONS: Final = ("revertSecurityGroup", "applySecurityGroupChange", "snapshotSecurityGroups")


class OwnRoleError(RuntimeError):
    """STS did not say which role this is, and the caller may be this very function; the event is delivered again."""


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the composition root reads the clock


def pause(seconds: float) -> None:
    """Wait between two looks at a group: what EC2 answers is eventually consistent."""
    time.sleep(seconds)


def account_name(account: str) -> str:
    """Return what people call this account; its number where ``accountName`` is not set."""
    return optional("accountName") or account


def tell_central(topic: str, message: Message, subject: str) -> None:
    """Publish a message to a topic of the central account.

    Raises:
        SettingError: when ``centralAccountId`` or ``centralRegion`` is missing or malformed.
        botocore.exceptions.ClientError: when SNS refuses; the trigger is delivered again and publishes again.
    """
    from shared.aws.topics import publish, topic_arn

    arn = topic_arn(topic, account=account_id("centralAccountId"), region=region("centralRegion"))
    publish(arn, message, subject=subject)


def is_own(caller: Caller, in_region: str) -> bool:
    """True when the caller is a session of a role of this app's functions.

    The deployment says which role that is, so that no port has to wait for an answer. Where it does not, STS is asked,
    once per container.

    Raises:
        OwnRoleError: when STS does not answer and the session carries the name of one of the product's functions.
    """
    if caller.type != "AssumedRole":
        return False
    deployed = _deployed_role()
    if deployed:
        return is_session_of(caller, deployed)
    try:
        own = _own_session_arn(in_region, optional("AWS_ACCESS_KEY_ID"))
    except (ClientError, BotoCoreError) as error:
        # Lambda names its sessions after the function, whose name CloudFormation may capitalise and lengthen. Such a
        # name proves nothing, so it is no reason to let a change pass; but it is one to ask again before taking back
        # what may be an approved change of our own.
        session = caller.arn.rsplit("/", 1)[-1].lower()
        if any(function.lower() in session for function in OWN_FUNCTIONS):
            raise OwnRoleError(f"STS did not say which role this function runs under: {error}") from error
        logger.warning("own role unknown", extra={"error": str(error)})
        return False
    return any(is_session_of(caller, session) for session in _sessions_of_the_app(own))


def learn_own_role(in_region: str) -> None:
    """Find out which role this is, where the deployment did not say, so that the first event need not wait.

    Raises:
        botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: when STS does not answer.
    """
    if not _deployed_role():
        _own_session_arn(in_region, optional("AWS_ACCESS_KEY_ID"))


def _deployed_role() -> str:
    deployed = optional(OWN_ROLE_SETTING)
    return deployed if is_role_arn(deployed) else ""


def _sessions_of_the_app(own_session_arn: str) -> tuple[str, ...]:
    """Name a session of each role that this app's functions run under: exact roles, no patterns.

    ``python -m deploy`` and the fleet's template give all functions one role; then it is that one alone.

    Chalice by itself gives each function a role of the function's own name, ``member-dev-<function>``, as long as
    ``autogen_policy`` is false: what ``applySecurityGroupChange`` does reaches ``revertSecurityGroup`` under another
    role than its own. Only there are the siblings' roles counted in: all of them exist, so nobody can make one. A
    shared role that happens to be called like a function has no siblings.
    https://aws.github.io/chalice/topics/configfile.html
    """
    start, _, rest = own_session_arn.partition("/")  # of a user, on somebody's own machine, there is no session
    role, _, session = rest.partition("/")
    if optional("AWS_LAMBDA_FUNCTION_NAME") not in ("", role):  # in Lambda it is always set
        return (own_session_arn,)
    for function in OWN_FUNCTIONS:
        if role.endswith(f"-{function}"):
            stem = role.removesuffix(function)
            return tuple(f"{start}/{stem}{sibling}/{session}" for sibling in OWN_FUNCTIONS)
    return (own_session_arn,)


@lru_cache(maxsize=8)
def _own_session_arn(in_region: str, _access_key: str) -> str:
    """Ask STS who this is, once for the credentials at hand; in a hurry, because a port may be open meanwhile."""
    return client("sts", in_region, retries="fail_fast").get_caller_identity()["Arn"]
