"""The command line of the audit: ``python -m central.audit [--status … --account … --person …] [--format csv]``.

It reads the central table with the credentials of whoever runs it and writes to standard output. It changes nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from central.audit.answers import no_table, refuse_web_pages
from central.audit.listing import STATUSES, CursorError, Unreadable, Wanted, listed, place_of
from central.audit.writing import csv_lines, json_lines, table_lines
from central.chalicelib.requests.record import Record
from central.chalicelib.requests.table import RequestsTable
from shared.aws.clients import client
from shared.settings import optional
from shared.slack.text import visible
from shared.wire.rule_json import time_to_text

_FINE: Final = 0
_INCOMPLETE: Final = 1
_ON_ONE_SCREEN: Final = 50

_FORMATS: Final[dict[str, Callable[[Iterable[Record]], Iterator[str]]]] = {
    "table": lambda records: table_lines(records, width=_terminal_width()),
    "csv": csv_lines,
    "jsonl": json_lines,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process when left out.

    Returns:
        0 when everything wanted was written, 1 when AWS refused or a stored request could not be read. (Wrong usage
        exits with 2.)
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    region = options.region or optional("AWS_REGION") or optional("AWS_DEFAULT_REGION")
    if not region:
        parser.error("no region: say --region, or set AWS_DEFAULT_REGION")
    limit = options.limit if options.limit is not None else _ON_ONE_SCREEN if options.format == "table" else 0
    try:
        dynamodb = client("dynamodb", region)
        refuse_web_pages(dynamodb.meta.events)
        return _write(options, RequestsTable(dynamodb, invocation="audit"), limit)
    except CursorError as error:
        parser.error(str(error))
    except (ClientError, BotoCoreError) as error:
        print(no_table(error, region, "audit") or f"AWS refused: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FINE
    return _INCOMPLETE


def _write(options: argparse.Namespace, table: RequestsTable, limit: int) -> int:
    wanted = Wanted(
        statuses=tuple(options.status or STATUSES),
        account=options.account,
        group=options.group,
        person=options.person,
        since=options.since,
        until=options.until,
        after=options.after,
    )
    found = listed(table, wanted)
    unreadable: list[Unreadable] = []
    last: list[Record] = []
    records = islice(_readable(found, unreadable), limit or None)
    for line in _FORMATS[options.format](_noting(records, last)):
        print(line)
    sys.stdout.flush()
    if limit and last and next(_readable(found, []), None) is not None:
        place = place_of(last[0], time_to_text(last[0].requested_at))
        print(f"There are more. Continue with: --after {visible(place)!r}", file=sys.stderr)
    for one in unreadable:
        print(f"{visible(one.request_id)} cannot be read: {visible(one.problem)}", file=sys.stderr)
    return _INCOMPLETE if unreadable else _FINE


def _terminal_width() -> int:
    """Return the columns of the terminal; 0 where the table goes into a file or a pipe, and nothing is left out."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _readable(found: Iterator[Record | Unreadable], unreadable: list[Unreadable]) -> Iterator[Record]:
    for one in found:
        if isinstance(one, Unreadable):
            unreadable.append(one)
        else:
            yield one


def _noting(records: Iterable[Record], last: list[Record]) -> Iterator[Record]:
    for record in records:
        last[:] = [record]
        yield record


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m central.audit", description="List or export requests of the central account, newest first."
    )
    parser.add_argument("--status", action="append", choices=STATUSES, help="may be given several times")
    parser.add_argument("--account", default="", metavar="ID", help="12-digit member account")
    parser.add_argument("--group", default="", metavar="SG", help="id or exact name of the security group")
    parser.add_argument("--person", default="", help="part of the requester's name or ARN, or of who decided")
    parser.add_argument("--since", type=_time, metavar="TIME", help="e.g. 2026-10-01 or 2026-10-01T12:00:00Z (UTC)")
    parser.add_argument("--until", type=_time, metavar="TIME")
    parser.add_argument("--format", choices=tuple(_FORMATS), default="table")
    parser.add_argument(
        "--limit",
        type=_limit,
        metavar="N",
        help=f"at most so many; 0: all (default: {_ON_ONE_SCREEN} in a table, all otherwise)",
    )
    parser.add_argument("--after", default="", metavar="PLACE", help="continue where the last page ended")
    parser.add_argument("--region", default="", help="of the central app (default: AWS_REGION, AWS_DEFAULT_REGION)")
    return parser


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time such as 2026-10-01T12:00:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of requests")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
