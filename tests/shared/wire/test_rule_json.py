"""Our own JSON of rules, changes, callers and requests: nothing is lost, and what was altered is refused."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from shared.domain.caller import Caller
from shared.domain.change import Change
from shared.domain.request import Request
from shared.domain.rule import Rule, cidr, group, make_rule
from shared.wire.fields import Field, FieldError
from shared.wire.request_json import caller_from_json, caller_to_json, request_from_json, request_to_json
from shared.wire.rule_json import change_from_json, change_to_json, rule_from_json, rule_to_json, time_to_text
from tests.support import strategies


def through_json(document: Any, path: str = "") -> Field:
    """The document as the other side reads it."""
    return Field(json.loads(json.dumps(document)), path)


def everything(rule: Rule) -> tuple[object, ...]:
    """All of a rule, what ``==`` leaves out included."""
    return rule, rule.tags, rule.rule_id, rule.source.peering


@given(strategies.rules())
def test_a_rule_comes_back_whole(rule: Rule) -> None:
    """Tags, rule id and peering too, which ``==`` does not compare."""
    assert everything(rule_from_json(through_json(rule_to_json(rule)))) == everything(rule)


@given(strategies.changes())
def test_a_change_comes_back_whole(change: Change) -> None:
    """Both sides of each edit, in the same order."""
    again = change_from_json(through_json(change_to_json(change)))
    assert again == change
    assert [everything(rule) for rule in again.rules] == [everything(rule) for rule in change.rules]


@given(strategies.callers())
def test_a_caller_comes_back_whole(caller: Caller) -> None:
    """Empty attributes are left out and come back empty."""
    document = caller_to_json(caller)
    assert all(document.values())
    assert caller_from_json(through_json(document)) == caller


@given(strategies.requests())
def test_a_request_comes_back_whole(request: Request) -> None:
    """With the same digest."""
    again = request_from_json(through_json(request_to_json(request)))
    assert again == request
    assert again.digest == request.digest


def test_a_rule_looks_like_this() -> None:
    """The form that docs/contracts.md describes."""
    rule = make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=22,
        to_port=22,
        source=group("sg-1", account="333333333333", peering="pcx-1"),
        description="bastion",
        tags=[("team", "a")],
        rule_id="sgr-1",
    )
    assert rule_to_json(rule) == {
        "direction": "ingress",
        "protocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "source": {"kind": "group", "value": "sg-1", "account": "333333333333", "peering": "pcx-1"},
        "description": "bastion",
        "tags": {"team": "a"},
        "ruleId": "sgr-1",
    }
    bare = make_rule(direction="egress", protocol="-1", source=cidr("0.0.0.0/0"))
    assert rule_to_json(bare) == {
        "direction": "egress",
        "protocol": "-1",
        "source": {"kind": "ipv4", "value": "0.0.0.0/0"},
    }


GOOD = rule_to_json(make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8")))


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        ({"direction": "sideways"}, "rule.direction"),
        ({"direction": None}, "rule.direction"),
        ({"direction": ["ingress"]}, "rule.direction"),
        ({"protocol": ""}, "rule.protocol"),
        ({"protocol": "sctp"}, "rule"),
        ({"fromPort": "x"}, "rule.fromPort"),
        ({"fromPort": 5, "toPort": 4}, "rule"),
        ({"source": None}, "rule.source.kind"),
        ({"source": {"kind": "moon", "value": "x"}}, "rule.source.kind"),
        ({"source": {"kind": "ipv4"}}, "rule.source.value"),
        ({"source": {"kind": "ipv4", "value": "::/0"}}, "rule.source.value"),
        ({"source": {"kind": "ipv6", "value": "nonsense"}}, "rule.source.value"),
        ({"source": {"kind": "group", "value": "sg-1", "account": 5}}, "rule.source.account"),
        ({"description": 5}, "rule.description"),
        ({"tags": ["a"]}, "rule.tags"),
        ({"tags": {"a": 5}}, "rule.tags.a"),
        ({"ruleId": 5}, "rule.ruleId"),
    ],
)
def test_a_wrong_rule_is_refused_by_path(damage: dict[str, Any], path: str) -> None:
    """Nothing unread gets into the domain."""
    with pytest.raises(FieldError) as caught:
        rule_from_json(Field({**GOOD, **damage}, "rule"))
    assert caught.value.path == path


REQUEST = Request(
    request_id="r-1",
    account="222222222222",
    account_name="shop",
    region="eu-west-1",
    group_id="sg-1",
    group_name="web",
    requester=Caller(type="Root", name="root of account 222222222222"),
    event_name="AuthorizeSecurityGroupIngress",
    event_time=datetime(2026, 3, 2, tzinfo=UTC),
    change=Change(added=(make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8")),)),
)


@pytest.mark.parametrize(
    "path",
    [
        ("requestId",),
        ("account",),
        ("region",),
        ("groupId",),
        ("digest",),
        ("change", "added", 0, "description"),
        ("change", "added", 0, "source", "value"),
    ],
)
def test_an_altered_request_is_refused(path: tuple[Any, ...]) -> None:
    """The digest is checked when a request is read, wherever it comes from."""
    document = copy.deepcopy(request_to_json(REQUEST))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = "11.0.0.0/8"
    with pytest.raises(FieldError) as caught:
        request_from_json(Field(document))
    assert caught.value.path == "digest"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requestId", ""),
        ("account", None),
        ("eventTime", "now"),
        ("origin", "rumour"),
        ("status", "open"),
        ("digest", None),
        ("requester", {"type": "Root"}),
        ("change", {"added": {}}),
        ("change", {"modified": [{"before": {}}]}),
        ("remaining", [{}]),
    ],
)
def test_a_wrong_request_is_refused_by_path(key: str, value: object) -> None:
    """The error names the field, or what is missing below it."""
    with pytest.raises(FieldError) as caught:
        request_from_json(Field({**request_to_json(REQUEST), key: value}))
    assert caught.value.path.startswith(key)


def test_times_are_utc_and_sort_as_text() -> None:
    """Milliseconds always stand there, so that the table's index sorts."""
    east = timezone(timedelta(hours=2))
    assert time_to_text(datetime(2026, 3, 2, 11, 15, 27, tzinfo=east)) == "2026-03-02T09:15:27.000Z"
    assert time_to_text(datetime(2026, 3, 2, 9, 15, 27, 999_999, tzinfo=UTC)) == "2026-03-02T09:15:27.999Z"


@given(strategies.moments, strategies.moments)
def test_the_order_of_times_is_the_order_of_their_texts(one: datetime, other: datetime) -> None:
    """Comparing texts is comparing times, and reading gives the same time back."""
    assert (time_to_text(one) < time_to_text(other)) == (one < other)
    assert Field(time_to_text(one)).time() == one
