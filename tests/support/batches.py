"""Batches of calls in the central account, in few words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from central.chalicelib.batches.batch import batch_id, gathering_key
from central.chalicelib.requests.items import record_from_item
from central.chalicelib.requests.record import Record
from shared.domain.change import Modification, make_change
from shared.domain.operations import Added, Edited, Removed
from shared.domain.request import Request
from shared.domain.rule import Rule, cidr, make_rule
from shared.wire.messages import AppliedMessage, ErrorMessage
from shared.wire.rule_json import time_to_text
from tests.support.central_account import Central, HttpAnswer, make_request
from tests.support.slack_stand_in import Post

BEGUN = datetime.now(UTC) - timedelta(seconds=50)
"""When the first call of the examples was made; each later one a second after the one before."""


def rule(port: int, source: str = "10.0.0.0/8", description: str = "", rule_id: str | None = None) -> Rule:
    """Return an inbound rule for one port."""
    made = make_rule(direction="ingress", protocol="tcp", from_port=port, to_port=port, source=cidr(source))
    return replace(made, description=description, rule_id=rule_id)


def call(number: int, **values: Any) -> Request:
    """Return the request of a call: the second one is made a second after the first; each value can be set."""
    return make_request(f"r-{number}", **({"event_time": BEGUN + timedelta(seconds=number)} | values))


def adds(number: int, *rules: Rule, **values: Any) -> Request:
    """Return a request that adds rules, one for the call's number where none are given."""
    added = rules or (rule(1000 + number),)
    operations = tuple(Added(rule=one) for one in added)
    return call(number, **({"change": make_change(added=added), "operations": operations} | values))


def removes(number: int, gone: Rule, **values: Any) -> Request:
    """Return a request that removes an approved rule."""
    operations = (Removed(rule_id=gone.rule_id, rule=gone),)
    return call(
        number, **({"change": make_change(removed=[gone]), "operations": operations, "approved": (gone,)} | values)
    )


def edits(number: int, before: Rule, after: Rule, approved: Rule, **values: Any) -> Request:
    """Return a request that edits ``before`` to ``after``, where ``approved`` is the approved rule."""
    change = make_change(modified=[Modification(before=approved, after=after)])
    operations = (Edited(rule_id=before.rule_id, rule=before, after=after),)
    return call(number, **({"change": change, "operations": operations, "approved": (approved,)} | values))


def file_batch(central: Central, *requests: Request) -> str:
    """File requests that follow each other, and let their batch close; return its id."""
    for request in requests:
        central.file(request)
    close(central, requests[0])
    return batch_id(requests[0].request_id)


def close(central: Central, request: Request) -> None:
    """Let the time of the open batch of a request's requester be over."""
    central.edit(gathering_key(request), closesAt=time_to_text(datetime.now(UTC) - timedelta(seconds=1)))


def record(central: Central, number: int) -> Record:
    """Return a stored request."""
    return record_from_item(central.item(f"r-{number}"))


def statuses(central: Central, *numbers: int) -> list[str]:
    """Return the status of each request."""
    return [record(central, number).status for number in numbers]


def buttons(post: Post) -> dict[str, dict[str, Any]]:
    """Return the buttons of a message, by action id."""
    found = [one for block in post.payload["blocks"] if block["type"] == "actions" for one in block["elements"]]
    return {one["action_id"]: one for one in found}


def press(central: Central, post: Post, action: str, by: str = "U061F7AUR", **values: Any) -> HttpAnswer:
    """Click a button of a message; ``values`` replace parts of the payload."""
    value = buttons(post)[action]["value"]
    return central.click(
        make_request(), by=by, **({"actions": [{"action_id": action, "type": "button", "value": value}]} | values)
    )


def question(central: Central) -> Post:
    """Return the last message with buttons in the approval channel."""
    return [post for post in central.approval if buttons(post)][-1]


def value_of(post: Post, action: str = "approve") -> dict[str, Any]:
    """Return what a button carries."""
    found: dict[str, Any] = json.loads(buttons(post)[action]["value"])
    return found


def applied(central: Central, *numbers: int) -> None:
    """Let the member report that these requests are in force."""
    for number in numbers:
        request = record(central, number).request
        message = AppliedMessage(
            request_id=request.request_id,
            digest=request.digest,
            account=request.account,
            region=request.region,
            applied_at=datetime.now(UTC),
        )
        central.deliver(message)


def failed(central: Central, number: int, code: str = "InvalidPermission.Duplicate") -> None:
    """Let the member report that a request could not be applied."""
    request = record(central, number).request
    message = ErrorMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        code=code,
        reason="It is there already.",
        failed_at=datetime.now(UTC),
    )
    central.deliver(message, to="errorHandlerSecurityGroupChange")
