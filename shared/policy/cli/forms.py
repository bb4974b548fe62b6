"""What the texts look like that globs of the policy are compared with: ARNs, ids, names of services and regions.

What does not belong here: whether a glob can match a form (``globs``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from botocore.session import Session

from .globs import DIGIT, HEX, LETTERS, PATH_AND_NAME, SERVICE, form

ACCOUNT: Final = (DIGIT,) * 12
USER: Final = form("arn:aws", LETTERS, ":iam::", *ACCOUNT, ":user/", PATH_AND_NAME)
ROLE: Final = form("arn:aws", LETTERS, ":iam::", *ACCOUNT, ":role/", PATH_AND_NAME)
ROOT: Final = form("arn:aws", LETTERS, ":iam::", *ACCOUNT, ":root")
PRINCIPALS: Final = (USER, ROLE, ROOT)
GROUP_ID: Final = form("sg-", HEX)
SERVICE_NAME: Final = form(SERVICE)


@lru_cache(maxsize=1)
def known_regions() -> tuple[str, ...]:
    """Return every region that botocore knows, of every partition."""
    session = Session()
    return tuple(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    )
