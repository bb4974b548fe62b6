"""A failed call read as the call it would have been."""

from __future__ import annotations

import pytest

from member.chalicelib.cloudtrail.asks import asked_call, asked_head
from member.chalicelib.cloudtrail.call import Call
from member.chalicelib.cloudtrail.event import read_head
from tests.support import events


def read(event: events.Json) -> Call:
    """Return the call that an event asks for."""
    return asked_call(event, asked_head(event, read_head(event)))


@pytest.mark.parametrize("name", ["authorize_dry_run", "authorize_refused"])
def test_captured_failed_calls_have_group_and_rules(name: str) -> None:
    """CloudTrail writes the whole parameters."""
    event = events.example(name)
    call = read(event)
    assert (call.group_id, call.error_code) == (events.GROUP, event["detail"]["errorCode"])
    assert [rule.identity for rule in call.requested] == ["ingress/tcp/22-22/ipv4/0.0.0.0/0"]
    assert (call.resulting, call.omitted, call.unreadable) == (None, False, "")


def test_parameters_that_are_text_are_unreadable() -> None:
    """As some failed calls have them."""
    event = events.event("AuthorizeSecurityGroupIngress", None, None, errorCode="Client.UnauthorizedOperation")
    event["detail"]["requestParameters"] = ""
    call = read(event)
    assert (call.group_id, call.requested, call.omitted) == ("", (), True)
    assert call.unreadable


def test_an_answer_of_a_failed_call_is_left_aside() -> None:
    """It cannot have one."""
    event = events.example("authorize_refused")
    event["detail"]["responseElements"] = events.example("authorize_several_kinds")["detail"]["responseElements"]
    assert read(event).resulting is None
