"""Log records of this app: one per step, with the request it is about, how it ended and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.telemetry import logger

from .requests.record import Record


@contextmanager
def step(name: str, record: Record | None = None, **details: str) -> Iterator[None]:
    """Log one record of a step when it is over.

    Args:
        name: e.g. ``post ask``.
        record: the request it is about.
        details: what else is worth knowing; never an address, a token or a body.
    """
    begun = time.monotonic()
    outcome, problem = "done", ""
    try:
        yield
    except Exception as error:
        outcome, problem = "failed", f"{type(error).__name__}: {error}"
        raise
    finally:
        fields: dict[str, Any] = {**facts(record), **details, "outcome": outcome}
        fields["ms"] = round(1000 * (time.monotonic() - begun))
        if problem:
            logger.warning(name, extra={**fields, "problem": problem})
        else:
            logger.info(name, extra=fields)


def facts(record: Record | None) -> dict[str, Any]:
    """Return what every log record about a request says."""
    if record is None:
        return {}
    request = record.request
    return {
        "request_id": request.request_id,
        "account": request.account,
        "region": request.region,
        "group": request.group_id,
        "status": record.status,
    }
