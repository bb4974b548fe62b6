"""How many requests EC2 takes at once and per second."""

from __future__ import annotations


class Bucket:
    """A token bucket, as EC2 counts requests.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    """

    def __init__(self, size: float, per_second: float, now: float) -> None:
        """Begin full; times are in seconds."""
        self._size, self._per_second, self._tokens, self._at = size, per_second, size, now

    def take(self, now: float) -> bool:
        """Take a token; false when there is none."""
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
