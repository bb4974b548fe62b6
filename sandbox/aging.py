"""Lets time pass: moves every time that the product stored into the past.

So reminders, expiry and overdue tasks can be seen without waiting for days. The clocks of the processes stay right,
since Slack's signatures, ``response_url`` and AWS's own answers depend on them.
"""

import re
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sandbox.aws import resources
from sandbox.system import Sandbox
from shared.wire.rule_json import time_to_text

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def let_time_pass(sandbox: Sandbox, by: timedelta) -> int:
    """Move the times in all tables of the product into the past; returns how many items have times.

    Args:
        sandbox: a running sandbox.
        by: how far to move them.
    """
    settings = sandbox.settings
    tables = [(resources.REQUESTS_TABLE, settings.central_account, settings.central_region)]
    tables += [(resources.STATE_TABLE, member.id, region) for member in settings.members for region in settings.regions]
    moved = 0
    for table, account, region in tables:
        client = sandbox.aws.operator("dynamodb", account, region)
        for item in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True).search("Items[]"):
            older = earlier(item, by)
            if older != item:
                client.put_item(TableName=table, Item=older)
                moved += 1
    return moved


def earlier(value: Any, by: timedelta) -> Any:
    """Return the value with each ISO 8601 UTC time in it moved, e.g. ``{"S": "2026-01-02T03:04:05.000Z"}``.

    A time so early that none is ``by`` before it stays: the product stores the first moment of all for "long ago".
    """
    if isinstance(value, dict):
        return {key: earlier(inner, by) for key, inner in value.items()}
    if isinstance(value, list):
        return [earlier(inner, by) for inner in value]
    if isinstance(value, str) and _TIME.fullmatch(value):
        with suppress(OverflowError):
            return time_to_text(datetime.fromisoformat(value) - by)
    return value
