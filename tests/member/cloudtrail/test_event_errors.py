"""Events that cannot be read: one error, which names the field; and the head never depends on a rule's values."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.cloudtrail.event import EventError, created_rule_ids, read_head, read_rules
from shared.domain.change import by_identity
from shared.domain.rule import Rule
from tests.support import events, strategies

NOW = datetime(2026, 10, 1, tzinfo=UTC)
EXAMPLES = sorted(path.stem for path in events.DATA.glob("*.json"))
Detail = dict[str, Any]


def rule_item(detail: Detail, index: int = 0) -> Detail:
    """One rule of the answer."""
    item: Detail = detail["responseElements"]["securityGroupRuleSet"]["items"][index]
    return item


def permission(detail: Detail) -> Detail:
    """The first permission of the request."""
    item: Detail = detail["requestParameters"]["ipPermissions"]["items"][0]
    return item


def source(detail: Detail, kind: str, index: int = 0) -> Detail:
    """One source of the first permission."""
    item: Detail = permission(detail)[kind]["items"][index]
    return item


@pytest.mark.parametrize("name", [None, 7, [], "AuthorizeDBSecurityGroupIngress"])
def test_only_an_unknown_event_name_is_refused(name: object) -> None:
    """Nothing can be known of such a call; the error names the field."""
    event = events.example("authorize_several_kinds")
    event["detail"]["eventName"] = name
    with pytest.raises(EventError) as caught:
        read_head(event, NOW)
    assert caught.value.path == "eventName"


def test_what_the_record_does_not_say_is_taken_from_the_envelope() -> None:
    """Time, account, region and id: nothing odd in a field keeps a port open."""
    event = events.example("authorize_several_kinds")
    odd = {"eventTime": "noon", "recipientAccountId": 7, "awsRegion": "evil.example/#", "requestID": [], "eventID": {}}
    event["detail"].update(odd)
    event |= {"time": "2026-03-02T09:15:28Z", "account": "444444444444", "region": "eusc-de-east-1", "id": "e-1"}
    head = read_head(event, NOW)
    assert head.event_time == datetime(2026, 3, 2, 9, 15, 28, tzinfo=UTC)
    assert (head.account, head.region, head.request_id) == ("444444444444", "eusc-de-east-1", "e-1")
    assert head.group_id == events.GROUP


def test_a_head_without_anything_is_still_read() -> None:
    """The time is the one of reading; the id is a hash, so that a second delivery has the same."""
    bare: events.Json = {"detail": {"eventName": "AuthorizeSecurityGroupIngress", "requestParameters": ""}}
    head = read_head(bare, NOW)
    assert (head.event_time, head.account, head.region, head.group_id, head.caller.name) == (NOW, "", "", "", "unknown")
    assert head.request_id.startswith("event-")
    assert read_head(copy.deepcopy(bare), NOW) == head
    assert read_head({**bare, "source": "aws.ec2"}, NOW).request_id != head.request_id


@pytest.mark.parametrize("answer", [{"securityGroupRuleSet": "x"}, {"securityGroupRuleSet": {"items": ["x"]}}])
def test_an_answer_that_cannot_be_read_names_no_group(answer: object) -> None:
    """Where the request has none either, the group is unknown."""
    event = events.example("authorize_several_kinds")
    event["detail"] |= {"requestParameters": None, "responseElements": answer}
    assert read_head(event, NOW).group_id == ""
    assert created_rule_ids(event) == ()


def test_parameters_that_are_no_object_are_named() -> None:
    """What the answer says is read nevertheless."""
    event = events.example("authorize_several_kinds")
    event["detail"]["requestParameters"] = "none"
    found = read_rules(event, read_head(event, NOW))
    assert "requestParameters: expected an object" in found.unreadable
    assert found.resulting


PERMISSION = "requestParameters.ipPermissions.items[0]"
ANSWERED = "responseElements.securityGroupRuleSet.items"


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        (lambda detail: permission(detail).pop("ipProtocol"), f"{PERMISSION}.ipProtocol"),
        (lambda detail: permission(detail).update(ipProtocol="sctp"), PERMISSION),
        (lambda detail: permission(detail).update(ipProtocol="--5"), PERMISSION),
        (lambda detail: permission(detail).update(ipProtocol=True), f"{PERMISSION}.ipProtocol"),
        (lambda detail: permission(detail).update(fromPort="ssh"), f"{PERMISSION}.fromPort"),
        (lambda detail: permission(detail).update(toPort=70000), PERMISSION),
        (lambda detail: source(detail, "ipRanges", 1).update(cidrIp="any"), f"{PERMISSION}.ipRanges.items[1].cidrIp"),
        (lambda detail: source(detail, "ipv6Ranges").clear(), f"{PERMISSION}.ipv6Ranges.items[0].cidrIpv6"),
        (lambda detail: source(detail, "groups", 1).pop("groupId"), f"{PERMISSION}.groups.items[1].groupName"),
        (lambda detail: permission(detail).update(groups="sg-1"), f"{PERMISSION}.groups"),
        (
            lambda detail: source(detail, "ipRanges").update(description=1),
            f"{PERMISSION}.ipRanges.items[0].description",
        ),
        (lambda detail: rule_item(detail).pop("referencedGroupInfo"), f"{ANSWERED}[0]"),
        (lambda detail: rule_item(detail, 3).update(cidrIpv4="0.0.0.0/33"), f"{ANSWERED}[3].cidrIpv4"),
        (lambda detail: rule_item(detail, 1).update(isEgress="maybe"), f"{ANSWERED}[1].isEgress"),
        (lambda detail: rule_item(detail, 2).update(tagSet=[{"value": "x"}]), f"{ANSWERED}[2].tagSet[0].key"),
        (lambda detail: rule_item(detail, 2).update(securityGroupRuleId=7), f"{ANSWERED}[2].securityGroupRuleId"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named_by_path(damage: Callable[[Detail], object], path: str) -> None:
    """The head is read nevertheless, so that the change can still be reverted by rule ids."""
    event = events.example("authorize_several_kinds")
    whole = read_head(event, NOW)
    damage(event["detail"])
    head = read_head(event, NOW)
    assert head == whole
    call = read_rules(event, head)
    assert call.unreadable.startswith(f"{path}: ")
    assert call.omitted


@pytest.mark.parametrize("event", [None, {"detail": "x"}, {}, {"detail": {"responseElements": "x"}}])
def test_what_is_not_an_event_is_refused(event: Any) -> None:
    """The message has the path once."""
    with pytest.raises(EventError) as caught:
        read_head(event, NOW)
    assert str(caught.value).count(caught.value.path or "document") == 1
    assert created_rule_ids(event) == ()


def test_a_rule_without_id_means_the_ids_are_not_known() -> None:
    """All or nothing: half of the ids would leave the other half open."""
    event = events.example("authorize_several_kinds")
    assert len(created_rule_ids(event)) == 7
    rule_item(event["detail"], 4).pop("securityGroupRuleId")
    assert created_rule_ids(event) == ()
    rule_item(event["detail"], 4)["securityGroupRuleId"] = 5
    assert created_rule_ids(event) == ()


def test_depth_is_no_problem() -> None:
    """A thousand objects inside each other are searched for omissions without running out of stack."""
    event = events.example("authorize_flat")
    nested: Any = {}
    for _ in range(5000):
        nested = {"x": [nested]}
    event["detail"]["requestParameters"]["unknown"] = nested
    assert not read_rules(event, read_head(event, NOW)).omitted


# -- laws --------------------------------------------------------------------------------------------------------------


@given(strategies.rule_sets(direction="ingress", with_id=True), st.randoms(use_true_random=False))
def test_grouping_and_order_of_permissions_do_not_matter(rules: tuple[Rule, ...], chance: random.Random) -> None:
    """However rules are split over permissions, and in whatever order, the same set is read from request and answer."""
    permissions: list[events.Json] = []
    for rule in chance.sample(rules, len(rules)):
        same = [one for one in permissions if is_same_range(one, rule)]
        if same and chance.random() < 0.7:
            merge(chance.choice(same), events.permission_of(rule))
        else:
            permissions.append(events.permission_of(rule))
    answered = [events.answered_rule(rule) for rule in chance.sample(rules, len(rules))]
    event = events.authorize(permissions, answered)
    call = read_rules(event, read_head(event, NOW))
    assert call.resulting is not None
    assert by_identity(call.requested) == by_identity(rules)
    assert by_identity(call.resulting) == by_identity(rules)
    assert {(rule.rule_id, rule.tags) for rule in call.resulting} == {(rule.rule_id, rule.tags) for rule in rules}
    assert {rule.source.peering for rule in call.resulting} == {rule.source.peering for rule in rules}


def is_same_range(document: events.Json, rule: Rule) -> bool:
    """Say whether a rule could stand in this permission."""
    return (document["ipProtocol"], document.get("fromPort"), document.get("toPort")) == (
        rule.protocol,
        rule.from_port,
        rule.to_port,
    )


def merge(into: events.Json, other: events.Json) -> None:
    """Add the sources of one permission to another."""
    for key in ("groups", "ipRanges", "ipv6Ranges", "prefixListIds"):
        if other[key]:
            into[key] = {"items": [*into[key].get("items", []), *other[key]["items"]]}


@given(strategies.rule_sets(direction="egress", with_id=True))
def test_what_was_revoked_is_what_is_read(rules: tuple[Rule, ...]) -> None:
    """Request and answer of a revoke give the same rules; the owner of a group is taken from the request."""
    event = events.revoked(rules, direction="Egress")
    call = read_rules(event, read_head(event, NOW))
    assert call.resulting is not None
    assert by_identity(call.requested) == by_identity(rules)
    assert by_identity(call.resulting) == by_identity(rules)


garbage = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.sampled_from(["", "-1", "--1", "0.0.0.0/0", "tcp", "٦", "\ud800", [], {}, {"items": []}, {"omitted": True}]),
    st.sampled_from([["x"], {"items": "x"}, {"items": {"x": 1}}, [[]], [None], {"a": {"b": ["c"]}}]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, as the keys that lead there."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from places(member, (*path, key))


def put(document: Any, path: tuple[Any, ...], value: Any, *, remove: bool) -> None:
    """Replace or remove what stands at a place; a place that is gone already is left."""
    try:
        for key in path[:-1]:
            document = document[key]
        if remove:
            del document[path[-1]]
        else:
            document[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_damaged_event_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """Whatever stands wherever in an event: it is read, or it is an EventError that names a field."""
    event = events.example(name)
    for path in data.draw(st.lists(st.sampled_from(list(places(event["detail"]))), min_size=1, max_size=4)):
        put(event["detail"], path, copy.deepcopy(data.draw(garbage)), remove=data.draw(st.booleans()))
    assert isinstance(created_rule_ids(event), tuple)
    refusals = []
    try:
        read_rules(event, read_head(event, NOW))
    except EventError as error:
        refusals.append(error)
    assert all(error.path and not error.path.startswith("detail.") for error in refusals)


RULE_FREE = {"groupId", "GroupId", "groupName", "GroupName"}


@given(st.sampled_from(EXAMPLES), st.data())
def test_the_head_does_not_depend_on_the_values_of_rules(name: str, data: st.DataObject) -> None:
    """Damage done inside of permissions and rules leaves the head as it was: no description can keep a port open."""
    event = events.example(name)
    whole = read_head(event, NOW)
    for part in ("requestParameters", "responseElements"):
        inner = [
            path
            for path in places(event["detail"][part])
            if sum(isinstance(key, int) for key in path) >= 1 and path[-1] not in RULE_FREE
        ]
        inner = [path for path in inner if not isinstance(path[-1], int)]
        for path in data.draw(st.lists(st.sampled_from(inner), max_size=4)) if inner else []:
            put(event["detail"][part], path, copy.deepcopy(data.draw(garbage)), remove=data.draw(st.booleans()))
    assert read_head(event, NOW) == whole
