"""Reads recorded calls from files: EventBridge events, CloudTrail records, and the log files that CloudTrail writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from member.chalicelib.cloudtrail.event import ACTIONS


class EventFileError(RuntimeError):
    """A file is not a CloudTrail event; the message names the file."""


def read_events(file: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the security-group calls of a file, each with its place in the file.

    Args:
        file: JSON: an event as EventBridge delivers it, a CloudTrail record, or a log file ``{"Records": […]}``.

    Yields:
        Place (``Records[3].``; ``""`` where the file is one event) and event, with ``detail``.

    Raises:
        EventFileError: when the file cannot be read, is not JSON or has another form.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EventFileError(f"Event file {file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise EventFileError(f"Event file {file} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise EventFileError(f"Event file {file} is not a CloudTrail event: expected a JSON object.")
    records = document.get("Records")
    if not isinstance(records, list):
        yield "", _enveloped(document)
        return
    for index, record in enumerate(records):
        event = _enveloped(record) if isinstance(record, dict) else {"detail": record}
        detail = event["detail"]
        if not isinstance(detail, dict) or detail.get("eventName") in ACTIONS:
            yield f"Records[{index}].", event


def _enveloped(document: Mapping[str, object]) -> Mapping[str, object]:
    return document if "detail" in document else {"detail": document}
