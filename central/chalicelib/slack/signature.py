"""Whether a request really comes from Slack: the signature over the raw body, and its age.

https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Final

WINDOW_SECONDS: Final = 300
"""How far a request's timestamp may be away; older ones may be recordings."""

WRONG: Final = "the signature is wrong"
"""The flaw when another secret was used."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's signature, ``v0=`` and 64 hex digits.

    Args:
        secret: the app's signing secret.
        timestamp: the header ``X-Slack-Request-Timestamp`` as sent.
        body: the raw body.
    """
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def find_flaw(*, secret: str, timestamp: str, signature: str, body: bytes, now: datetime) -> str:
    """Return why a request is not to be trusted, ``""`` when it is genuine.

    Args:
        secret: the app's signing secret.
        timestamp: the header ``X-Slack-Request-Timestamp``, ``""`` when missing.
        signature: the header ``X-Slack-Signature``, ``""`` when missing.
        body: the raw body.
        now: the time, UTC.
    """
    if not timestamp or not signature:
        return "the request is not signed"
    if not _TIMESTAMP.fullmatch(timestamp):
        return "the timestamp is not a whole number"
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        return f"the timestamp is more than {WINDOW_SECONDS} seconds away"
    # Bytes: compare_digest refuses text that is not ASCII.
    genuine = hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode(errors="replace"))
    return "" if genuine else WRONG
