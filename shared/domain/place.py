"""How AWS names accounts and regions, in every partition.

What does not belong here: which partition a region is in; that is botocore's data (``shared.aws.clients``).
"""

from __future__ import annotations

import re
from typing import Final

ACCOUNT_PATTERN: Final = r"[0-9]{12}"
REGION_PATTERN: Final = r"[a-z]{2,10}(-[a-z]{2,20}){1,3}-[0-9]{1,2}"
"""The form of a region's name, e.g. ``eu-west-1``, ``us-gov-west-1``, ``eusc-de-east-1``. It becomes part of a host
name, so nothing else is accepted."""

_ACCOUNT: Final = re.compile(ACCOUNT_PATTERN)
_REGION: Final = re.compile(REGION_PATTERN)


def is_account(text: str) -> bool:
    """True for the form of an AWS account id: 12 ASCII digits."""
    return _ACCOUNT.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """True for the form of an AWS region's name, in any partition. Regions that do not exist yet are accepted."""
    return _REGION.fullmatch(text) is not None
