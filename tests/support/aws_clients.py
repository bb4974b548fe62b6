"""Clients of moto for the tests themselves, made once: to read botocore's models takes longer than most tests.

A client that was made while moto was imported is answered by whichever ``mock_aws`` is in force when it is used.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import boto3


@lru_cache
def aws_client(service: str, region: str) -> Any:
    """Return a client of the account that moto takes everybody for."""
    session = boto3.session.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=region)
    return session.client(service)  # type: ignore[call-overload]  # any service
