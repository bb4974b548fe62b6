"""Sends the heartbeat once an hour, after the snapshot and also when that failed, and makes the next probe.

Central announces a member whose heartbeats stop. So what fails here is raised only where the heartbeat itself could
not be sent; all else is one of its problems.

What does not belong here: the form of a heartbeat (``shared.wire.heartbeat``), what central does with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.policy import Policies
from shared.policy.loading import load_policies, policy_file
from shared.telemetry import count, logger
from shared.version import VERSION
from shared.wire.fields import FieldError
from shared.wire.heartbeat import UNKNOWN, Heartbeat, Problem
from shared.wire.messages import SECURITY_GROUP_CHANGE, HeartbeatMessage

from . import context
from .context import Context
from .ec2.refusal import Ec2Error
from .ec2.security_groups import GroupFacts
from .probe import NO_GROUP, SENT, send_probe
from .publishing import STATE_ERRORS
from .state.pulse import Pulse, note_beat, read_pulse
from .surroundings import MISSING, OFF, dead_letters, rule_state, trail_state

_EVERY: Final = timedelta(minutes=55)
"""An hour, less what a schedule of ten minutes may be early."""

_LATE: Final = timedelta(minutes=30)
"""CloudTrail delivers within about 15 minutes; a heartbeat that comes early must not call a probe lost."""

_SNAPSHOT_MINUTES: Final = 10
_DIGITS: Final = 16
_LONGEST_ERROR: Final = 250


def beat(here: Context, now: datetime, *, failed: Exception | None = None) -> None:
    """Send the heartbeat if an hour has passed since the last one, or the product was upgraded.

    Args:
        here: this invocation.
        now: the time, UTC.
        failed: what the snapshot ended with; the heartbeat names it.

    Raises:
        SettingError: when the central account is not set.
        botocore.exceptions.ClientError: when SNS refuses; the snapshot is run again.
    """
    pulse, unread = _pulse(here)
    if not _is_due(pulse, unread, now):
        return
    groups, problem = _groups(here)
    message = _heartbeat(here, now, pulse, groups)
    more = [] if failed is None else [_problem("snapshot", f"The last snapshot failed: {_short(failed)}")]
    more += [_problem("groups", f"The security groups cannot be listed: {problem}")] if problem else []
    more += [_problem("state", f"The state table cannot be read: {unread}")] if unread else []
    message = replace(message, problems=(*more, *message.problems))
    context.publish(SECURITY_GROUP_CHANGE, HeartbeatMessage(heartbeat=message), "Security groups: heartbeat")
    logger.info("heartbeat", extra={"problems": [one.kind for one in message.problems], "probe": message.probe})
    _prepare_next(here, now, groups)


def _pulse(here: Context) -> tuple[Pulse, str]:
    try:
        return read_pulse(here.region), ""
    except FieldError as error:
        logger.error("pulse damaged", extra={"problem": str(error)})
        return Pulse(), ""
    except STATE_ERRORS as error:
        return Pulse(), _short(error)


def _is_due(pulse: Pulse, unread: str, now: datetime) -> bool:
    if unread:  # nobody knows: one of the six snapshots of an hour sends it
        return now.minute < _SNAPSHOT_MINUTES
    return pulse.beat_at is None or pulse.version != VERSION or now - pulse.beat_at >= _EVERY


def _groups(here: Context) -> tuple[list[GroupFacts] | None, str]:
    try:
        return [one for one in here.groups().all_groups() if one.owner == (here.account or one.owner)], ""
    except Ec2Error as error:
        return None, _short(error)


def _heartbeat(here: Context, now: datetime, pulse: Pulse, groups: list[GroupFacts] | None) -> Heartbeat:
    policies = load_policies()
    probe, probe_ms, is_lost = _probe(pulse, now)
    made = Heartbeat(
        account=here.account,
        account_name=context.account_name(here.account),
        region=here.region,
        sent_at=now,
        version=VERSION,
        policy_digest=_policy_digest(),
        mode=policies.for_account(here.account).mode,
        adopted_at=_adopted_at(here),
        groups=None if groups is None else len(groups),
        dead_letters=dead_letters(here),
        rule=rule_state(here),
        trail=trail_state(here),
        probe=probe,
        probe_ms=probe_ms,
    )
    return replace(made, problems=tuple(_problems(made, policies, is_lost=is_lost)))


def _probe(pulse: Pulse, now: datetime) -> tuple[str, int | None, bool]:
    """Return what became of the last probe, its milliseconds, and whether that is a problem."""
    if pulse.has_arrived:
        return "arrived", pulse.delay_ms, False
    if pulse.probe == SENT:
        is_young = pulse.probed_at is not None and now - pulse.probed_at < _LATE
        return ("waiting", None, False) if is_young else (MISSING, None, True)
    return pulse.probe or "waiting", None, pulse.probe not in ("", NO_GROUP)


def _problems(made: Heartbeat, policies: Policies, *, is_lost: bool) -> list[Problem]:
    found = []
    if policies.problem:
        found.append(_problem("policy", f"The policy cannot be used: {policies.problem}"))
    if made.dead_letters:
        found.append(_problem("deadLetters", "Events wait in a dead-letter queue: remove the cause, then redrive."))
    if made.rule in (OFF, MISSING):
        found.append(_problem("rule", f"The event rule of revertSecurityGroup is {made.rule}: no change is seen."))
    if made.trail in (OFF, MISSING):
        found.append(_problem("trail", f"CloudTrail is {made.trail} in this region: no change is seen."))
    if is_lost and made.probe == MISSING:
        text = "The event of the last probe has not arrived: trail, event rule or revertSecurityGroup do not work."
        found.append(_problem("probe", text))
    elif is_lost:
        found.append(_problem("probe", f"The probe could not be made: {made.probe}."))
    return found


def _prepare_next(here: Context, now: datetime, groups: list[GroupFacts] | None) -> None:
    """Make the next probe and note it; where that fails, the next heartbeat says so."""
    probed_at = context.now()
    try:
        probe = send_probe(here, [one.group_id for one in groups or ()])
    except Ec2Error as error:
        probe = error.refusal.code
    try:
        is_made = probe == SENT
        note_beat(here.region, at=now, version=VERSION, probe=probe, probed_at=probed_at if is_made else None)
    except STATE_ERRORS:
        count("StateNotWritten")
        logger.exception("heartbeat not noted")


def _adopted_at(here: Context) -> tuple[tuple[str, datetime], ...]:
    try:
        adoption = here.table.adoption()
    except (ClientError, BotoCoreError, FieldError):
        return ()
    return () if adoption is None else adoption.adopted


def _policy_digest() -> str:
    try:
        return hashlib.sha256(policy_file().read_bytes()).hexdigest()[:_DIGITS]
    except OSError:
        return UNKNOWN


def _problem(kind: str, text: str) -> Problem:
    return Problem(kind=kind, text=text)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
