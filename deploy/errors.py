"""What goes wrong when deploying, as one sentence for the operator."""

from __future__ import annotations


class DeployError(RuntimeError):
    """A verb cannot go on; the message says what is wrong and what to do."""
