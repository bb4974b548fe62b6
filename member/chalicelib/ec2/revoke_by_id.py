"""Revokes rules by their ids: the shortest way from an event to a closed port.

What does not belong here: everything that needs to know what the rules say (``ec2.execution``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .refusal import GROUP_GONE, Ec2Error, Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from shared.domain.rule import Direction

    from .security_groups import SecurityGroups


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of revoking rules by their ids.

    Attributes:
        rule_ids: the ids that the event has; none where it does not have them all.
        refusal: why EC2 refused; usually because the rules are gone.
        revoked_at: when they were revoked; ``None`` where they were not.
    """

    rule_ids: tuple[str, ...] = ()
    refusal: Refusal | None = None
    revoked_at: datetime | None = None


def revoke_by_id(
    groups: SecurityGroups, group_id: str, direction: Direction, rule_ids: tuple[str, ...]
) -> Refusal | None:
    """Revoke rules by id in one call.

    Returns:
        Why EC2 refused, or ``None``. A refused call revoked nothing, since one of its rules may be gone already;
        :func:`revoke_one_by_one` does the rest.

    Raises:
        Ec2Error: when EC2 could not be asked (throttled, unreachable).
    """
    try:
        groups.revoke_ids(group_id, direction, rule_ids)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        return error.refusal
    return None


def revoke_one_by_one(groups: SecurityGroups, group_id: str, direction: Direction, rule_ids: tuple[str, ...]) -> None:
    """Revoke rules by id one by one, after a call for all of them was refused.

    Rules that are gone already are fine. What EC2 refuses for good is left to the caller's reading back.

    Raises:
        Ec2Error: when EC2 could not be asked about one of the rules; the others are revoked.
    """
    postponed: Ec2Error | None = None
    for rule_id in rule_ids:
        try:
            groups.revoke_ids(group_id, direction, (rule_id,))
        except Ec2Error as error:
            if error.is_temporary:
                postponed = error
            elif error.refusal.code in GROUP_GONE:
                return
    if postponed is not None:
        raise postponed
