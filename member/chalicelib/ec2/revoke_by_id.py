"""Closes rules by their ids: the shortest way from an event to a closed port.

What does not belong here: everything that needs to know what the rules say (``member.chalicelib.ec2.execution``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .security_groups import GROUP_GONE, Ec2Error

if TYPE_CHECKING:
    from shared.domain.rule import Direction

    from .security_groups import SecurityGroups


def close(groups: SecurityGroups, group_id: str, direction: Direction, rule_ids: tuple[str, ...]) -> Ec2Error | None:
    """Revoke rules by id in one call.

    Returns:
        Why EC2 refused, or ``None``. A refused call closed nothing, since one of its rules may be gone already;
        :func:`close_singly` does the rest.

    Raises:
        Ec2Error: when EC2 could not be asked (throttled, unreachable).
    """
    try:
        groups.revoke_ids(group_id, direction, rule_ids)
    except Ec2Error as error:
        if error.is_transient:
            raise
        return error
    return None


def close_singly(groups: SecurityGroups, group_id: str, direction: Direction, rule_ids: tuple[str, ...]) -> None:
    """Revoke rules by id one by one, after a call for all of them was refused.

    Rules that are gone already are fine. What EC2 refuses for good is left to the caller's reading back.

    Raises:
        Ec2Error: when EC2 could not be asked about one of the rules; the others are closed.
    """
    postponed: Ec2Error | None = None
    for rule_id in rule_ids:
        try:
            groups.revoke_ids(group_id, direction, (rule_id,))
        except Ec2Error as error:
            if error.is_transient:
                postponed = error
            elif error.code in GROUP_GONE:
                return
    if postponed is not None:
        raise postponed
