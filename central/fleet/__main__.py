"""The command line of the fleet: ``python -m central.fleet [--json]`` lists the members, those with problems first.

It reads the central table with the credentials of whoever runs it and writes to standard output. It changes nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from central.audit.answers import no_table, refuse_web_pages
from central.chalicelib.fleet import kinds_of
from central.chalicelib.requests.members import Member, members
from central.chalicelib.requests.table import RequestsTable
from central.fleet.writing import json_lines, table_lines
from shared.aws.clients import client
from shared.settings import optional
from shared.slack.text import counted, visible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process when left out.

    Returns:
        0 when every member was listed, 1 when AWS refused or an item could not be read. (Wrong usage exits with 2.)
    """
    parser = argparse.ArgumentParser(
        prog="python -m central.fleet", description="List the member accounts and regions by their last heartbeats."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with everything that is known")
    parser.add_argument("--region", default="", help="of the central app (default: AWS_REGION, AWS_DEFAULT_REGION)")
    options = parser.parse_args(arguments)
    region = options.region or optional("AWS_REGION") or optional("AWS_DEFAULT_REGION")
    if not region:
        parser.error("no region: say --region, or set AWS_DEFAULT_REGION")
    now = datetime.now(UTC)  # noqa: TID251 - a command line reads the clock once, here
    try:
        dynamodb = client("dynamodb", region)
        refuse_web_pages(dynamodb.meta.events)
        return _write(RequestsTable(dynamodb, invocation="fleet"), now, as_json=options.json)
    except (ClientError, BotoCoreError) as error:
        print(no_table(error, region, "fleet") or f"AWS refused: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 1


def _write(table: RequestsTable, now: datetime, *, as_json: bool) -> int:
    listed, damaged = [], []
    for key, one in members(table):
        if isinstance(one, Member):
            listed.append(one)
        else:
            damaged.append(f"{visible(key)} cannot be read: {visible(str(one))}")
    listed.sort(key=lambda one: (not kinds_of(one, now), one.heartbeat.account, one.heartbeat.region))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in json_lines(listed, now) if as_json else table_lines(listed, now, width=width):
        print(line)
    if not as_json:
        unwell = sum(bool(kinds_of(one, now)) for one in listed)
        print(f"{counted(len(listed), 'member')}, {unwell} of them silent or with problems." if listed else _NOBODY)
    sys.stdout.flush()
    for line in damaged:
        print(line, file=sys.stderr)
    return 1 if damaged else 0


_NOBODY = "No member has sent a heartbeat yet; each does within ten minutes of its deployment."


if __name__ == "__main__":
    sys.exit(main())
