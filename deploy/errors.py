"""The error of all verbs: one sentence for the operator."""

from __future__ import annotations


class DeployError(RuntimeError):
    """A verb cannot continue; the message says what is wrong and what to do."""
