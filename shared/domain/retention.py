"""How long what has ended is kept (policy key ``keep_days``): the Unix time at which DynamoDB may delete it. Pure.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.domain.policy import Policy

EXPIRES_AT: Final = "expiresAt"
"""The attribute that DynamoDB looks at: a number is the time at which the item may go, a text is ignored."""

DAY_SECONDS: Final = 24 * 3600
_REDRIVEN_DAYS: Final = 15
"""A message may wait 14 days in a dead-letter queue and be redriven."""


def kept_until(policy: Policy, ended_at: datetime) -> int | None:
    """Return until when something is kept that ended at this time; ``None``: for ever.

    While the policy cannot be used nothing is given an end, since nobody knows what it says.
    """
    if policy.problem or not policy.keep_days:
        return None
    return int(ended_at.timestamp() + policy.keep_days * DAY_SECONDS)


def entry_kept_until(policy: Policy, made_at: datetime, now: datetime) -> int | None:
    """Return until when a ledger entry is kept that nothing can be applied from any more, or soon; ``None``: for ever.

    Args:
        policy: of the account.
        made_at: the time of its call.
        now: the time, UTC.
    """
    until = kept_until(policy, now)
    if until is None:
        return None
    # In seconds: a time that an event invents must not be too large for a ``datetime``.
    decided_by = made_at.timestamp() + policy.expire_after_hours * 3600 + _REDRIVEN_DAYS * DAY_SECONDS
    return max(until, int(decided_by + policy.keep_days * DAY_SECONDS))
