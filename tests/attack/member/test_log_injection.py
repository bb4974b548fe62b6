"""Log records of the member app stay single lines of JSON, whatever people call their sessions, groups and rules."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from member.chalicelib.cloudtrail.event import EventError
from shared.telemetry import logger
from tests.support import events
from tests.support.member_account import ACCOUNT, Member, Person, rule

HOSTILE = 'x"}\n{"level":"ERROR","message":"forged","request_id":"r"}\r\n\u2028\x1b[2K\x85<!channel>'


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Every log record from now on, exactly as it is written in Lambda."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield handler.stream
    logger.removeHandler(handler)


def records(logs: io.StringIO) -> list[dict[str, Any]]:
    """Return the records; every line has to be one."""
    return [json.loads(line) for line in logs.getvalue().split("\n") if line]


def test_no_name_in_an_event_forges_a_log_record(member: Member, logs: io.StringIO) -> None:
    """Session name, group name, error code and the odd fields of an event end up inside a record's values."""
    eve = Person(member, identity=events.assumed_role("deploy", HOSTILE, account=ACCOUNT))
    eve.identity["userName"] = eve.identity["invokedBy"] = HOSTILE
    member.snapshot()
    opened = eve.opens(rule(22, description="x"))
    member.deliver(opened)
    member.deliver(opened)
    member.deliver(eve.event("DeleteSecurityGroup", {"groupName": HOSTILE}, {"_return": True}))
    member.deliver(eve.event("AuthorizeSecurityGroupIngress", {}, None, errorCode=HOSTILE))
    for field in ("awsRegion", "eventTime", "recipientAccountId"):
        before = len(records(logs))
        member.deliver(eve.event("AuthorizeSecurityGroupIngress", {}, {}, **{field: HOSTILE}))
        assert len(records(logs)) > before
    with pytest.raises(EventError) as caught:
        member.deliver(eve.event("DeleteSecurityGroup", {}, {}, eventName=HOSTILE))
    assert "\n" not in str(caught.value), "Lambda writes the text of an error into the log as it is"
    written = records(logs)
    assert [one["path"] for one in written if "path" in one] == ["eventName"]
    assert not [one for one in written if one["message"] == "forged" or one.get("request_id") == "r"]
    assert all(one["service"] == "security-group-approval" for one in written)


def test_no_name_in_an_approval_forges_a_log_record(member: Member, logs: io.StringIO) -> None:
    """Neither do ids and names in a message, genuine or not."""
    document = {"version": 1, "type": "apply", "requestId": HOSTILE, "digest": HOSTILE, "approverId": HOSTILE}
    member.deliver_message(json.dumps({**document, "approverName": HOSTILE, "approvedAt": "2026-10-01T12:00:00Z"}))
    written = records(logs)
    assert [one["message"] for one in written] == ["not applied"]
    assert written[0]["request_id"] == HOSTILE
    assert member.told_error().code == "UnknownRequest"
