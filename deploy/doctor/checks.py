"""The list of checks, most useful first; each one yields a sentence per problem."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy import opt_in, preflight, round_trip
from deploy.console import done, note, problems, step
from deploy.doctor import central, common, heartbeat, member, organization, policies
from deploy.names import ROOT, App
from deploy.target import Target, code_of
from shared.policy.loading import VENDORED_POLICY_FILE

Check = Callable[[Target], Iterator[str]]

COMMON: Final[tuple[Check, ...]] = (
    common.stack,
    common.table,
    common.functions,
    common.failures_queue,
    common.rules,
    common.subscriptions,
    common.dead_letters,
    common.log_groups,
    policies.queues,
    policies.roles,
)
OF_APP: Final[Mapping[App, tuple[Check, ...]]] = {
    "central": (policies.from_members, central.api, opt_in.unreachable),
    "member": (policies.from_central, member.settings, member.trail, member.evidence),
}
SLACK: Final[tuple[Check, ...]] = (central.secrets, central.webhooks, central.signature)
"""Not part of a deployment's verification: at the first one, the Slack app does not exist yet."""
ORGANIZATION: Final[tuple[Check, ...]] = (organization.ask_policy,)
"""Not part of a deployment's verification either: it is attached by somebody else, in another account."""
_REFUSED: Final = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
)


def doctor(target: Target, *, round_trip: bool) -> int:
    """Print every problem; return how many there are.

    Args:
        target: where.
        round_trip: of a member app: also send a test event that has to arrive in Slack.
    """
    place = target.place
    step(f"doctor: {place.app} in account {place.account}, {place.region}")
    found = problems(preflight.problems(root=ROOT, version=sys.version_info[:2], policy=VENDORED_POLICY_FILE))
    found += problems(examine(target))
    if place.app == "member":
        _note_heartbeat(target)
    if round_trip and place.app == "member":
        _send_test_event(target)
    if not found:
        done("nothing is wrong")
    return found


def after_deploy(target: Target) -> Iterator[str]:
    """Yield what is wrong after a deployment, without Slack."""
    yield from _run((*COMMON, *OF_APP[target.place.app]), target)


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
    yield from _run(ORGANIZATION, target)


def _note_heartbeat(target: Target) -> None:
    try:
        note(heartbeat.told(target, datetime.now(UTC)))
    except (ClientError, BotoCoreError) as error:  # what is missing or refused was reported by the checks
        note(f"The last heartbeat is not known: {error}.")


def _send_test_event(target: Target) -> None:
    request_id = round_trip.send(target, now=datetime.now(UTC))
    note(
        f"A test event was sent: within a minute the monitoring channel shows a change by {round_trip.NAME} in group "
        f"{round_trip.GROUP}, request {request_id}. If it does not, run `make doctor` in both accounts again."
    )


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
            yield f"AWS could not be reached: {error}."
