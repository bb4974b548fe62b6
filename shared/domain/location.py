"""The form of account ids and region names, in every partition of AWS."""

from __future__ import annotations

import re
from typing import Final

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}")
# e.g. eu-west-1, us-gov-east-1, us-iso-east-1, eusc-de-east-1
_REGION: Final = re.compile(r"[a-z]{2,10}(-[a-z]{2,20}){1,3}-[0-9]{1,2}")


def is_account_id(text: str) -> bool:
    """True for 12 digits."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """True for what has the form of a region's name, e.g. ``eu-west-1`` or ``eusc-de-east-1``."""
    return _REGION.fullmatch(text) is not None
