"""Which checks there are, in the order in which they help; each one yields a sentence per problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from deploy.doctor import central, common, member, policies
from deploy.target import Target, code_of

Check = Callable[[Target], Iterator[str]]

COMMON: tuple[Check, ...] = (
    common.stack,
    common.table,
    common.functions,
    common.failures_queue,
    common.rules,
    common.subscriptions,
    common.dead_letters,
    common.log_groups,
)
CENTRAL: tuple[Check, ...] = (policies.from_members, policies.queues, policies.roles, central.api)
MEMBER: tuple[Check, ...] = (
    policies.from_central,
    policies.queues,
    policies.roles,
    member.settings,
    member.trail,
)
SLACK: tuple[Check, ...] = (central.secrets, central.webhooks, central.signature)
"""Not right after the first deploy: the Slack app is made afterwards."""
_REFUSED = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
)


def after_deploy(target: Target) -> Iterator[str]:
    """Yield what is wrong after a deployment, Slack left out."""
    yield from _run((*COMMON, *(CENTRAL if target.place.app == "central" else MEMBER)), target)


def examine(target: Target, *, now: datetime | None = None) -> Iterator[str]:
    """Yield everything that is wrong.

    Args:
        target: where.
        now: this machine's time, UTC.
    """
    yield from common.clock(target, now or datetime.now(UTC))
    yield from after_deploy(target)
    if target.place.app == "central":
        yield from _run(SLACK, target)


def _run(checks: tuple[Check, ...], target: Target) -> Iterator[str]:
    for check in checks:
        try:
            yield from check(target)
        except ClientError as error:
            if code_of(error) in _REFUSED:
                yield f"Your credentials may not look at this: {error.operation_name} was refused ({code_of(error)})."
            else:
                yield f"{error.operation_name} failed: {error}."
        except BotoCoreError as error:
            yield f"AWS could not be asked: {error}."
