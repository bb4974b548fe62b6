"""The probe: a dry-run call of our own whose event proves that trail, event rule and function work.

A dry run changes nothing, whatever it names; that one names a documentation address besides (RFC 5737). Whoever else
makes the same dry run is not taken for us: the event has to be of a session of the product's own role.

What does not belong here: judging what became of it (``heartbeat``).

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html (``DryRun``)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from shared.domain.rule import cidr, make_rule
from shared.telemetry import count, logger

from .cloudtrail.asks import asked_call
from .cloudtrail.call import Call
from .context import Context
from .decision_of_asks import DRY_RUN
from .ec2.refusal import GROUP_GONE
from .publishing import STATE_ERRORS
from .state.pulse import note_arrival

RULE: Final = make_rule(
    direction="ingress", protocol="tcp", from_port=65535, to_port=65535, source=cidr("192.0.2.1/32")
)
SENT: Final = "sent"
NO_GROUP: Final = "no group"

_TRIES: Final = 3


def send_probe(here: Context, group_ids: Iterable[str]) -> str:
    """Make the dry run on the first group that still exists.

    Returns:
        ``sent``, ``no group``, or the code of what EC2 refused it with.
    """
    groups = here.groups()
    for group_id in islice(group_ids, _TRIES):
        code = groups.dry_run(group_id, RULE)
        if code not in GROUP_GONE:
            return SENT if code == DRY_RUN.removeprefix("Client.") else code
    return NO_GROUP


def is_probe(event: Mapping[str, Any], head: Call) -> bool:
    """Say whether a call of the product's own role is its probe: a dry run of exactly that rule."""
    if head.error_code != DRY_RUN or head.name != "AuthorizeSecurityGroupIngress":
        return False
    call = asked_call(event, head)
    return not call.omitted and [rule.identity for rule in call.requested] == [RULE.identity]


def note_probe(here: Context, head: Call, now: datetime) -> None:
    """Note that the event of a probe arrived, and how long that took; a failure to is only logged."""
    delay_ms = max(0, (now - head.event_time) // timedelta(milliseconds=1))
    try:
        note_arrival(here.region, made_at=head.event_time, delay_ms=delay_ms)
    except STATE_ERRORS:
        count("StateNotWritten")
        logger.exception("probe not noted", extra={"request_id": head.request_id})
        return
    logger.info("probe arrived", extra={"request_id": head.request_id, "milliseconds": delay_ms})
