"""The outbox: pending tasks of requests are leased, done, and completed or released. The flows use these names alone.

A task (``Record.tasks``) begins in the write that makes it necessary. It is *leased* before it is done and *completed*
afterwards, so that a handler, its redelivery and the sweep do not post the same message at the same time. A lease ends
by itself, so a crash leaves nothing leased. A task is completed after Slack has accepted every part of the message:
what happens in between (the function dies, the answer is lost) can only lead to the same message again, never to none.
"""

from .channels import Channels
from .outbox import MESSAGE_TASKS, NOTIFY, OVERDUE_AFTER, RESPONSE_URL_FOR, Lease, Outbox, UnpostedError, next_try

__all__ = [
    "MESSAGE_TASKS",
    "NOTIFY",
    "OVERDUE_AFTER",
    "RESPONSE_URL_FOR",
    "Channels",
    "Lease",
    "Outbox",
    "UnpostedError",
    "next_try",
]
