"""The verb ``report``: what observe mode saw, so that somebody can decide to enforce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import RequestsTable
from deploy.errors import DeployError
from deploy.foundation import find_table
from deploy.names import TABLES
from deploy.target import Target
from shared.slack.text import visible


def observed(target: Target, *, since: datetime | None = None) -> Iterator[Record]:
    """Yield the requests in status ``observed``, oldest first.

    Args:
        target: the central app.
        since: only those asked for since then.

    Raises:
        DeployError: when there is no table here.
    """
    if find_table(target) is None:
        raise DeployError(
            f"There is no table {TABLES['central']} in account {target.place.account}, {target.place.region}: is the "
            "central app deployed here?"
        )
    table = RequestsTable(target.client("dynamodb"), invocation="report")
    for row in table.by_status("observed", since=since):
        record = table.read(row)
        if record is not None:
            yield record


def lines(records: Iterable[Record]) -> Iterator[str]:
    """Yield the report: how many changes per account, requester and reason, the most first."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for record in records:
        request = record.request
        who = request.requester.name if request.requester is not None else "nobody known"
        name = f"{request.account_name} ({request.account})" if request.account_name else request.account
        counts[name, request.region, who, request.reason] += 1
    if not counts:
        yield "Nothing was observed."
        return
    yield f"{counts.total()} changes would have been taken back, or were allowed and reported:"
    for (account, region, who, reason), number in counts.most_common():
        yield visible(f"{number:6}  {account}, {region}: {who} – {reason}")
