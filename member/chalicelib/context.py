"""The member app's composition root: what one invocation works with, and who the product itself is.

The only place of this app that reads the clock and waits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.clients import client
from shared.domain.caller import Caller, is_role_arn, is_session_of
from shared.settings import account_id, optional, region
from shared.telemetry import logger

from .ec2.security_groups import SecurityGroups

if TYPE_CHECKING:
    from shared.aws.clients import RetryProfile
    from shared.wire.messages import Message

    from .state.table import StateTable

OWN_ROLE_SETTING: Final = "ownRoleArn"
"""The environment variable with the role that the app's functions run under; whoever deploys it sets it."""

OWN_FUNCTIONS: Final = ("revertSecurityGroup", "applySecurityGroupChange", "snapshotSecurityGroups")


class OwnRoleError(RuntimeError):
    """STS did not say which role this is, and the caller may be this very function; the event is delivered again."""


@dataclass
class Context:
    """What one invocation works with.

    Attributes:
        region: this function's, e.g. ``eu-west-1``; empty where nobody says (on somebody's own machine).
        triggered_in: the account of what triggered it; taken where AWS does not say which one this is.
    """

    region: str
    triggered_in: str = ""

    @cached_property
    def account(self) -> str:
        """The 12-digit account of this function; empty when it cannot be found out."""
        return own_account(self.region) or self.triggered_in

    @cached_property
    def table(self) -> StateTable:
        """What this account stores for the region."""
        from .state.table import StateTable  # here, because no revoke should wait for it

        return StateTable(self.region, pause=pause, now=now)

    def groups(self, *, retries: RetryProfile = "standard") -> SecurityGroups:
        """Return the security groups of this account and region."""
        return SecurityGroups(self.region, self.account, retries=retries)


def begin(in_region: str = "", account: str = "") -> Context:
    """Return the context of an invocation.

    Args:
        in_region: the region of what triggered it, where the environment does not say.
        account: its account, where AWS does not say.
    """
    here = optional("AWS_REGION") or in_region or optional("AWS_DEFAULT_REGION")
    return Context(region=here, triggered_in=account)


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the composition root reads the clock


def pause(seconds: float) -> None:
    """Wait between two looks at a group, or between two tries of a write."""
    time.sleep(seconds)


def account_name(account: str) -> str:
    """Return what people call this account; its number where ``accountName`` is not set."""
    return optional("accountName") or account


def publish(topic: str, message: Message, subject: str) -> None:
    """Publish a message to a topic of the central account.

    Raises:
        SettingError: when ``centralAccountId`` or ``centralRegion`` is missing or malformed.
        botocore.exceptions.ClientError: when SNS refuses; the trigger is delivered again and publishes again.
    """
    from shared.aws.topics import publish, topic_arn

    arn = topic_arn(topic, account=account_id("centralAccountId"), region=region("centralRegion"))
    publish(arn, message, subject=subject)


# -- who the product itself is -----------------------------------------------------------------------------------------


def is_own(caller: Caller, in_region: str) -> bool:
    """True when the caller is a session of a role of this app's functions.

    The deployment says which role that is, so that no revoke has to wait for an answer. Where it does not, STS is
    asked, once per container.

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
        # name proves nothing, so it is no reason to allow a change; but it is one to ask again before reverting what
        # may be an approved change of our own.
        session = caller.arn.rsplit("/", 1)[-1].lower()
        if any(function.lower() in session for function in OWN_FUNCTIONS):
            raise OwnRoleError(f"STS did not say which role this function runs under: {error}") from error
        logger.warning("own role unknown", extra={"error": str(error)})
        return False
    return any(is_session_of(caller, session) for session in _sessions_of_the_app(own))


def own_account(in_region: str) -> str:
    """Return the account of the role that this function runs under; empty when STS does not answer."""
    try:
        arn = _deployed_role() or _own_session_arn(in_region, optional("AWS_ACCESS_KEY_ID"))
    except (ClientError, BotoCoreError) as error:
        logger.warning("own account unknown", extra={"error": str(error)})
        return ""
    return arn.split(":")[4]


def find_own_role(in_region: str) -> None:
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
    """Ask STS who this is, once for the credentials at hand; fail fast, because a port may be open meanwhile."""
    return client("sts", in_region, retries="fail_fast").get_caller_identity()["Arn"]
