"""Events that cannot be read: one error, which names the field; and the head never depends on a rule's values."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.cloudtrail.event import EventError, created_rule_ids, read_head, read_rules
from shared.domain.change import by_identity
from shared.domain.rule import Rule
from tests.support import events, strategies

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


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        (lambda detail: detail.pop("eventName"), "eventName"),
        (lambda detail: detail.update(eventName="AuthorizeDBSecurityGroupIngress"), "eventName"),
        (lambda detail: detail.pop("awsRegion"), "awsRegion"),
        (lambda detail: detail.update(awsRegion="evil.example/#"), "awsRegion"),
        (lambda detail: detail.update(awsRegion="ada"), "awsRegion"),
        (lambda detail: detail.update(eventTime="noon"), "eventTime"),
        (lambda detail: detail.update(requestID=7), "requestID"),
        (lambda detail: (detail.pop("requestID"), detail.pop("eventID")), "eventID"),
        (lambda detail: detail.update(requestParameters="x"), "requestParameters"),
        (lambda detail: detail["requestParameters"].update(groupId=5), "requestParameters.groupId"),
        (lambda detail: detail.update(userIdentity=[]), "userIdentity"),
        (lambda detail: (detail.pop("recipientAccountId"), detail.pop("userIdentity")), "recipientAccountId"),
    ],
)
def test_a_head_that_cannot_be_read_is_named_by_path(damage: Callable[[Detail], object], path: str) -> None:
    """The path is the one of the CloudTrail record, as operators see it in CloudTrail."""
    event = events.example("authorize_several_kinds")
    damage(event["detail"])
    with pytest.raises(EventError) as caught:
        read_head(event)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


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
    """The head is read all the same, so that the change can still be taken back by rule ids."""
    event = events.example("authorize_several_kinds")
    whole = read_head(event)
    damage(event["detail"])
    head = read_head(event)
    assert head == whole
    with pytest.raises(EventError) as caught:
        read_rules(event, head)
    assert caught.value.path == path


@pytest.mark.parametrize("event", [[], "x", None, {"detail": "x"}, {}])
def test_what_is_no_event_is_refused(event: Any) -> None:
    """The message has the path once."""
    with pytest.raises(EventError) as caught:
        read_head(event)
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
    assert not read_rules(event, read_head(event)).omitted


# -- laws --------------------------------------------------------------------------------------------------------------


@given(strategies.rule_sets(direction="ingress", with_id=True), st.randoms(use_true_random=False))
def test_grouping_and_order_of_permissions_do_not_matter(rules: tuple[Rule, ...], chance: random.Random) -> None:
    """However rules are split over permissions, and in whatever order, the same set is read from request and answer."""
    permissions: list[events.Json] = []
    for rule in chance.sample(rules, len(rules)):
        alike = [one for one in permissions if is_same_range(one, rule)]
        if alike and chance.random() < 0.7:
            merge(chance.choice(alike), events.permission_of(rule))
        else:
            permissions.append(events.permission_of(rule))
    answered = [events.answered_rule(rule) for rule in chance.sample(rules, len(rules))]
    event = events.authorize(permissions, answered)
    call = read_rules(event, read_head(event))
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
    call = read_rules(event, read_head(event))
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
        read_rules(event, read_head(event))
    except EventError as error:
        refusals.append(error)
    assert all(error.path and not error.path.startswith("detail.") for error in refusals)


RULE_FREE = {"groupId", "GroupId", "groupName", "GroupName"}


@given(st.sampled_from(EXAMPLES), st.data())
def test_the_head_does_not_depend_on_the_values_of_rules(name: str, data: st.DataObject) -> None:
    """Damage done inside of permissions and rules leaves the head as it was: no description can keep a port open."""
    event = events.example(name)
    whole = read_head(event)
    for part in ("requestParameters", "responseElements"):
        inner = [
            path
            for path in places(event["detail"][part])
            if sum(isinstance(key, int) for key in path) >= 1 and path[-1] not in RULE_FREE
        ]
        inner = [path for path in inner if not isinstance(path[-1], int)]
        for path in data.draw(st.lists(st.sampled_from(inner), max_size=4)) if inner else []:
            put(event["detail"][part], path, copy.deepcopy(data.draw(garbage)), remove=data.draw(st.booleans()))
    assert read_head(event) == whole
