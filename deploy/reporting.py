"""The verb ``report``: what observe mode saw, so that somebody can decide to enforce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import RequestsTable
from deploy import round_trip
from deploy.errors import DeployError
from deploy.foundation import find_table
from deploy.names import TABLES
from deploy.target import Target
from shared.slack.text import visible


def report(target: Target, *, days: float) -> int:
    """Print how many changes were observed, by account, requester and reason.

    Args:
        target: the central app.
        days: how far to look back.

    Raises:
        DeployError: when there is no table here.
    """
    if find_table(target) is None:
        raise DeployError(
            f"There is no table {TABLES['central']} in account {target.place.account}, {target.place.region}: is the "
            "central app deployed here?"
        )
    table = RequestsTable(target.client("dynamodb"), invocation="report")
    rows = table.by_status("observed", since=datetime.now(UTC) - timedelta(days=days))
    for line in lines(record for record in map(table.read, rows) if record is not None):
        print(line)
    return 0


def lines(records: Iterable[Record]) -> Iterator[str]:
    """Yield the report: how many changes per account, requester and reason, largest first."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for record in records:
        request = record.request
        if request.group_id == round_trip.GROUP:
            continue  # doctor's test event: nothing happened
        who = request.requester.name if request.requester is not None else "an unknown requester"
        name = f"{request.account_name} ({request.account})" if request.account_name else request.account
        counts[name, request.region, who, request.reason] += 1
    if not counts:
        yield "Nothing was observed."
        return
    changes = "1 change" if counts.total() == 1 else f"{counts.total()} changes"
    yield f"{changes} would have been reverted, or were allowed and reported:"
    for (account, region, who, reason), number in counts.most_common():
        yield visible(f"{number:6}  {account}, {region}: {who} – {reason}")
