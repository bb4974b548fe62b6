"""Attacks on the central account happen where its other tests do."""

from tests.central.conftest import calls, central, environment, logs, slack

__all__ = ["calls", "central", "environment", "logs", "slack"]
