"""What somebody who may publish on the central topics cannot do: change, replace, decide or end requests of others.

What is plainly unreadable stands in ``tests/central/test_intake.py``, reports that don't fit in
``tests/central/test_outcome.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.outcome import MessageRefusedError
from central.chalicelib.requests.table import DifferentRequestError
from shared.domain.caller import Caller
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import (
    AppliedMessage,
    ApplyMessage,
    DenyMessage,
    ErrorMessage,
    Message,
    MessageError,
    RequestMessage,
    write_message,
)
from tests.support.central_account import ACCOUNT, APPROVER, REGION, Central, make_request

EVE = Caller(type="IAMUser", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/eve", name="eve")
OTHER = make_rule(direction="ingress", protocol="tcp", from_port=443, to_port=443, source=cidr("10.0.0.0/8"))

SHOWN: tuple[dict[str, Any], ...] = (
    {"requester": EVE},
    {"requester": None},
    {"account": "999999999999"},
    {"account_name": "sandbox"},
    {"region": "us-east-1"},
    {"group_id": "sg-0000000000000000f"},
    {"group_name": "harmless"},
    {"event_name": "RevokeSecurityGroupIngress"},
    {"event_time": datetime(2026, 3, 1, tzinfo=UTC)},
    {"origin": "snapshot"},
    {"status": "observed"},
    {"status": "denied"},
    {"reason": "agreed with security"},
    {"change": make_change(added=[OTHER])},
    {"change": make_change(removed=make_request().change.added)},
)
"""One thing of what an approver is shown, altered."""


@pytest.mark.parametrize("values", SHOWN)
def test_a_request_filed_first_under_the_id_of_another_cannot_stand_in_for_it(
    central: Central, values: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever makes a change knows its id before CloudTrail tells, and may have it filed elsewhere in another form.

    The genuine request is then refused aloud, and what an approver may click is a digest that no ledger has.
    """
    genuine = make_request(event_time=datetime(2026, 10, 1, 12, tzinfo=UTC))
    forged = replace(genuine, **values)
    central.file(forged)
    with pytest.raises(DifferentRequestError, match=genuine.request_id):
        central.file(genuine)
    assert '"MessagesRefused"' in capsys.readouterr().out
    assert forged.digest != genuine.digest
    central.click(genuine)
    assert central.sent("applySecurityGroupChange") == []


@pytest.mark.parametrize("values", SHOWN)
def test_a_stored_request_is_not_replaced_by_an_altered_one(central: Central, values: dict[str, Any]) -> None:
    """The same id with anything else in it is refused, and the first one stays byte for byte."""
    genuine = make_request(event_time=datetime(2026, 10, 1, 12, tzinfo=UTC))
    central.file(genuine)
    before, posts = central.item(), len(central.slack.posts)
    with pytest.raises(DifferentRequestError):
        central.file(replace(genuine, **values))
    assert central.item() == before
    assert len(central.slack.posts) == posts


def leaves(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path to every value that is neither object nor list."""
    pairs: Any = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def test_no_field_of_a_request_can_be_altered_on_the_way(central: Central) -> None:
    """Each value of the message in turn, replaced by others: refused, or it was another spelling of the same value."""
    request = make_request()
    document = json.loads(write_message(RequestMessage(request=request)))
    paths = list(leaves(document))
    assert len(paths) > 20
    for path in paths:
        for value in ("x", "", 7, None, ["x"], {"x": "y"}, "eu-west-9", "2026-01-01T00:00:00Z", "::/0", "snapshot"):
            altered = json.loads(json.dumps(document))
            inner = altered
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                central.deliver_text(json.dumps(altered))
            except MessageError:
                continue
            assert value in ("", None), "only a value left out may mean the same"
            assert central.item()["digest"] == request.digest


@pytest.mark.parametrize("status", ["approved", "ended", "expired", "error"])
def test_no_request_comes_into_being_decided(central: Central, status: Any) -> None:
    """Only central decides: a member account cannot file a request that is approved already."""
    with pytest.raises(MessageError, match="cannot come into being"):
        central.file(make_request(status=status))
    assert central.item() == {}


def messages(request: Request) -> tuple[tuple[str, Message], ...]:
    """Return one message of every kind about a request, with the topic where it has its place."""
    at = datetime.now(UTC)
    ids: dict[str, Any] = {"request_id": request.request_id, "digest": request.digest}
    place: dict[str, Any] = {"account": request.account, "region": request.region}
    return (
        ("securityGroupChange", RequestMessage(request=request)),
        ("securityGroupChange", AppliedMessage(**ids, **place, applied_at=at)),
        ("errorHandlerSecurityGroupChange", ErrorMessage(**ids, **place, code="X", reason="x", failed_at=at)),
        ("denySecurityGroupChange", DenyMessage(**ids)),
        ("applySecurityGroupChange", ApplyMessage(**ids, approver_id=APPROVER, approver_name="", approved_at=at)),
    )


def test_no_message_of_any_kind_on_any_topic_decides_a_pending_request(central: Central) -> None:
    """Whatever is published by whoever: a request that waits is decided by a click, or by time."""
    request = central.file()
    before, posts = central.item(), len(central.slack.posts)
    for topic in ("securityGroupChange", "errorHandlerSecurityGroupChange", "denySecurityGroupChange"):
        for _, message in messages(request):
            try:
                central.deliver(message, to=topic)
            except RuntimeError:  # on a topic where it has no place, or about a request that is not approved
                continue
    assert central.item() == before
    assert len(central.slack.posts) == posts
    assert central.sent("applySecurityGroupChange") == []


@pytest.mark.parametrize("forged", [{"account": "999999999999"}, {"region": "us-east-1"}, {"digest": "0" * 64}])
def test_no_account_ends_the_request_of_another(central: Central, forged: dict[str, Any]) -> None:
    """Success and failure are taken from the request's own account, region and digest alone."""
    request = central.file()
    central.click(request)
    before = central.item()
    for topic, message in messages(request)[1:3]:
        with pytest.raises(MessageRefusedError):
            central.deliver(replace(message, **forged), to=topic)  # type: ignore[type-var]  # dataclasses, all of them
    assert central.item() == before


def test_a_time_to_come_does_not_keep_a_request_from_expiring(central: Central) -> None:
    """The clock of a member account is not trusted: what was made tomorrow is counted from today."""
    central.file(make_request(event_time=datetime.now(UTC) + timedelta(days=4000)))
    central.sweep(hours=73)
    assert central.status() == "expired"


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_an_impossible_time_stops_nothing_else(central: Central, moment: datetime) -> None:
    """A request from the ends of the calendar is stored, shown and swept, and the next one too."""
    central.file(make_request("at-the-end-of-time", event_time=moment))
    request = central.file()
    central.sweep(minutes=6)
    central.click(request)
    assert central.status() == "approved"


def test_the_same_request_many_times_asks_once(central: Central) -> None:
    """Who repeats a message floods nobody: a known id costs a refused write and no post."""
    request = central.file()
    posts = len(central.slack.posts)
    for _ in range(50):
        central.file(request)
    assert len(central.slack.posts) == posts
    assert central.item()["region"] == REGION
