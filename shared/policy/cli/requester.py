"""Whose calls are asked together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.domain.caller import Caller

_IDENTITY_CENTER: Final = ":role/aws-reserved/sso."


def requester_of(caller: Caller) -> str:
    """Return who is asked about as one: the role or user; of IAM Identity Center, the person's session."""
    if _IDENTITY_CENTER in caller.principal_arn:
        return caller.arn
    return caller.principal_arn or caller.name
