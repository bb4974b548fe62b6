"""Nothing a user writes can hide, mention, link or format anything, and no message breaks Slack's limits."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from slack_sdk.models.blocks import Block

from central.chalicelib.requests.record import Record
from shared.domain.caller import Caller
from shared.domain.change import Modification, make_change
from shared.domain.request import Status
from shared.domain.rule import Rule, group_by_name
from shared.slack import limits
from shared.slack.blocks import Payload
from shared.slack.messages import outcome
from shared.slack.messages_details import TEXT_ROOM
from shared.slack.status_view import NOTES_ROOM
from tests.shared.slack.examples import (
    MARKUP,
    STATUSES,
    all_blocks,
    every_message,
    make_request,
    make_view,
    many,
    tcp,
    text_objects,
    views,
)
from tests.support import slack_limits

DATE: Final = re.compile(r"<!date\^\d+\^\{date_short_pretty\} at \{time_secs\}\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC>")
MENTION: Final = re.compile(r"<@[UW][A-Z0-9]+>")
FLAGS: Final = {"mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}


def assert_sound(payload: Payload) -> None:
    """Check a payload against our limits, and against the SDK's opinion of each block."""
    slack_limits.check(payload)
    for block in all_blocks(payload):
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()


def assert_inert(payload: Payload) -> None:
    """Check that Slack has nothing to act on but our own markup, and that everything can be seen."""
    assert FLAGS.items() <= payload.items()
    assert not set("<>") & set(payload["text"])
    assert html.unescape(payload["text"]).isprintable() or payload.get("response_type") == "ephemeral"
    for text in text_objects([payload["blocks"], payload.get("attachments", [])]):
        assert all(line.isprintable() for line in text["text"].split("\n"))
        if text["type"] == "plain_text":
            assert text["emoji"] is False
        else:
            assert text["verbatim"] is True
            own = MENTION.sub("", DATE.sub("", text["text"]))
            assert re.fullmatch(r"[A-Za-z0-9 ,.:;…*()⚠️⏳\n]*", own), own


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(views)
def test_every_message_of_any_record_is_sound_and_inert(record: Record) -> None:
    """Whatever stands in a request, in whatever status it is: Slack takes the message and acts on nothing in it."""
    for payload in every_message(record):
        assert_sound(payload)
        assert_inert(payload)


def hostile_rule(port: int) -> Rule:
    """Return a rule whose every text is markup."""
    rule = tcp(port, description=(MARKUP * 3)[:255], tags=[(MARKUP, MARKUP), ("k" * 128, "&" * 256)])
    return replace(rule, source=group_by_name(MARKUP, account="111111111111"))


@pytest.mark.parametrize("status", STATUSES)
def test_user_text_stands_in_plain_text_alone(status: Status) -> None:
    """Markup in names, descriptions, tags, reasons and errors is shown as it was written, and nowhere as markup."""
    change = make_change(
        added=[hostile_rule(22)],
        removed=[hostile_rule(80)],
        modified=[Modification(before=hostile_rule(1), after=hostile_rule(2))],
    )
    names = dict.fromkeys(("group_name", "account_name", "region", "group_id", "event_name", "reason"), MARKUP)
    request = make_request(change, **names, remaining=(hostile_rule(22),))
    caller = replace(request.requester, name=MARKUP, arn=MARKUP, invoked_by=MARKUP) if request.requester else None
    record = make_view(
        replace(request, requester=caller),
        status,
        decided_by=MARKUP,
        decided_by_name=MARKUP,
        error_code=MARKUP,
        error_reason=MARKUP,
    )
    for payload in every_message(record):
        assert_sound(payload)
        assert_inert(payload)
    shown = [text["text"] for payload in every_message(record) for text in text_objects(payload["blocks"])]
    assert [text for text in shown if MARKUP in text]


@pytest.mark.parametrize(
    ("number", "status"),
    [*((number, status) for number in (1, 10, 60) for status in STATUSES), (1000, "error")],
)
def test_large_requests_stay_within_the_limits(number: int, status: Status) -> None:
    """Up to a thousand rules with descriptions of 255 characters of markup, the longest names, ids and ARNs."""
    request = make_request(many(number), request_id="r" * 512, group_name="&" * 255, reason="why <!here> " * 100)
    assert request.requester is not None
    requester = replace(request.requester, arn=f"arn:aws:sts::222222222222:assumed-role/{'r' * 2009}", name="n" * 2000)
    record = make_view(replace(request, requester=requester), status, error_reason="because " * 500)
    for payload in every_message(record) if number < 1000 else outcome(record):
        assert_sound(payload)


@pytest.mark.parametrize("status", STATUSES)
def test_everything_at_its_longest_at_once_fits(status: Status) -> None:
    """What stands around the rules leaves room for them even when every value is as long as it can be shown."""
    longest = dict.fromkeys(("account_name", "region", "group_id", "event_name", "reason", "group_name"), "&" * 2000)
    rules = [tcp(port, "0.0.0.0/0", description="&" * 255) for port in range(5)]
    change = make_change(added=rules, removed=[tcp(80)], modified=[Modification(before=tcp(90), after=tcp(91))])
    request = make_request(change, request_id="r" * 512, origin="snapshot", remaining=tuple(rules), **longest)
    caller = Caller(type="AssumedRole", name="&" * 2000, arn="&" * 2000, invoked_by="&" * 2000)
    record = make_view(
        replace(request, requester=caller),
        status,
        decided_by="&" * 2000,
        decided_by_name="&" * 2000,
        error_code="&" * 2000,
        error_reason="&" * 2000,
    )
    for payload in every_message(record):
        assert_sound(payload)
        assert_inert(payload)


def test_the_longest_names_ec2_takes_are_shown_in_full() -> None:
    """A group name of 255 characters and an ARN of 2048 are not shortened, even where each counts most."""
    request = make_request(make_change(added=[tcp(22)]), group_name="&" * 255)
    assert request.requester is not None
    arn = f"arn:aws:sts::222222222222:assumed-role/{'r' * 2009}"
    record = make_view(replace(request, requester=replace(request.requester, arn=arn)))
    for payload in every_message(record):
        shown = [text["text"] for text in text_objects(payload["blocks"])]
        assert payload.get("response_type") or f"{'&' * 255} (sg-0123456789abcdef0)" in shown
        assert payload.get("response_type") or f"Identity {arn}" in shown


def test_each_piece_keeps_to_the_room_set_aside_for_it() -> None:
    """The parts' room for rules is what the others leave, so text and notes at their longest keep to their share."""
    request = make_request(many(60), group_name="&" * 2000, account_name="&" * 2000, request_id="&" * 512)
    long = dict.fromkeys(("decided_by", "decided_by_name", "error_code", "error_reason"), "&" * 2000)
    for code in (long["error_code"], "InvalidPermission.Duplicate"):
        for payload in outcome(make_view(request, "error", **(long | {"error_code": code}))):
            assert limits.size(payload["text"]) <= TEXT_ROOM
            (notes,) = (block for block in payload["blocks"] if "Error: " in block.get("text", {}).get("text", ""))
            assert limits.size(notes) <= NOTES_ROOM
