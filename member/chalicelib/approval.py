"""Reads a message of the topic ``applySecurityGroupChange`` and hands it to its flow."""

from __future__ import annotations

from shared.wire.messages import ApplyBatchMessage, ApplyMessage, MessageError, read_message

from .apply import apply_request
from .apply_batch import apply_batch
from .context import Context


def on_approval(here: Context, text: str) -> None:
    """Handle one message.

    Args:
        here: this invocation.
        text: the message's body.

    Raises:
        MessageError: when it is not an approval.
        Ec2Error: when EC2 could not be asked; the message is delivered again.
    """
    message = read_message(text)
    match message:
        case ApplyMessage():
            apply_request(here, message)
        case ApplyBatchMessage():
            apply_batch(here, message)
        case _:
            raise MessageError("message.type", "only 'apply' and 'applyBatch' are understood on this topic")
