"""Attacks on a member account happen where its other tests do."""

from tests.member.conftest import account, ada, environment, faults, member, pauses, repaired_moto

__all__ = ["account", "ada", "environment", "faults", "member", "pauses", "repaired_moto"]
