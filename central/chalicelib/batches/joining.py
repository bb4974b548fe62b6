"""Stores a new request together with the open batch of its requester, in one transaction.

So it is exact which requests belong together, however many arrive at once. A request that cannot join, because others
keep being faster, is stored and asked alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.attributes import to_attributes
from shared.aws.conflicts import retry_on_conflict
from shared.policy.loading import written_policies
from shared.telemetry import count, logger
from shared.wire.fields import FieldError

from ..context import Context
from ..requests.items import record_to_item
from ..requests.record import Record
from ..requests.table import Stored
from ..steps import facts
from .batch import gathering_key, gathers, join
from .table import Batches

JOIN_SECONDS: Final = 15.0
"""For how long a request tries to join: sixty that arrive at once join one after the other."""


class _FasterOthersError(Exception):
    """Somebody else has changed the open batch since it was read."""


def store_gathered(context: Context, record: Record) -> Stored | None:
    """Store a new request with the open batch of its requester.

    Args:
        context: this invocation.
        record: the new request, with the tasks of one that is asked alone.

    Returns:
        The request as stored, its messages leased; ``None`` when nothing was written: it does not join others, could
        not, or is stored already.
    """
    if not gathers(record):
        return None
    until = min(time.monotonic() + JOIN_SECONDS, context.until)
    try:
        joined = retry_on_conflict(
            _joining(context, record), until=until, conflict=_FasterOthersError, is_conflict=lambda _: True
        )
    except (ClientError, BotoCoreError, FieldError, _FasterOthersError) as error:
        count("BatchesNotJoined")
        problem = f"{type(error).__name__}: {error}"
        logger.warning("request joins no batch", extra={**facts(record), "problem": problem})
        return None
    if joined is None:
        return None
    count("Requests", status=record.status)
    logger.info("request stored", extra={**facts(joined), "batch_of": joined.batch_of})
    return Stored(record=joined, is_new=True)


def _joining(context: Context, record: Record) -> Callable[[], Record | None]:
    batches = Batches(context.table)
    policy = written_policies().for_account(record.request.account)
    size = len(str(to_attributes(record_to_item(record))))  # never less than what DynamoDB counts
    is_asked_open = [True]

    def write() -> Record | None:
        gathering = batches.gathering(gathering_key(record.request))
        joining = join(record, gathering, size=size, gathers_for=policy.gathers_for, is_asked_open=is_asked_open[0])
        outcome = batches.join(joining, gathering)
        if outcome == "stored":
            return joining.record
        if outcome == "known":
            return None
        is_asked_open[0] = outcome != "not marked"
        raise _FasterOthersError

    return write
