"""Assessments: whatever was done to a group, in whatever form the event says it, the revert restores the group."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.cloudtrail.call import Call
from member.chalicelib.cloudtrail.event import read_head, read_rules
from member.chalicelib.ec2.plan import make_plan
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, with_tags_seen
from shared.domain.change import apply, by_identity
from shared.domain.rule import Rule, group, make_rule
from tests.support import events, strategies
from tests.support.examples import LATER, adopted, assessed, call, tcp
from tests.support.group_model import GroupModel

Rules = tuple[Rule, ...]
OMITTED = {"omitted": True, "originalSize": 204800, "reason": "too large"}

groups = strategies.rule_sets(direction="ingress", with_id=True, max_size=6)


def read(event: events.Json) -> Call:
    """The call as the member app reads it."""
    return read_rules(event, read_head(event, LATER))


def known(rules: Rules) -> Baseline:
    """The baseline of a group that was adopted before the events, and seen by a snapshot since."""
    return with_tags_seen(adopted(*rules, at=datetime(2026, 1, 1, tzinfo=UTC)), RuleSet(rules))


def assert_reverted(made: Call, before: Rules, after: Rules) -> None:
    """Undo the call: the group is as it was, nothing is left to do, and approval would do what the call did."""
    baseline = known(before)
    found = assessed(made, baseline, after)
    group = GroupModel(after)
    group.run(make_plan(found.undo))
    assert group.rules == before
    assert not found.is_unknown
    assert assessed(made, baseline, group.rules).undo.is_empty
    assert by_identity(apply(found.change, before)) == by_identity(after)


@given(groups, st.data())
def test_added_rules_are_removed(before: Rules, data: st.DataObject) -> None:
    """With the answer, without it, and with the request or the answer left out."""
    known = {name for rule in before for name in (rule.identity, rule.rule_id)}
    drawn = data.draw(groups)
    come = tuple(rule for rule in drawn if rule.identity not in known and rule.rule_id not in known)
    event = events.authorized(come)
    form = data.draw(st.sampled_from(["whole", "old answer", "no request", "no answer", "nothing"]))
    if form in ("no request", "nothing"):
        event["detail"]["requestParameters"] = {"groupId": events.GROUP, "ipPermissions": OMITTED}
    if form == "old answer":
        event["detail"]["responseElements"] = {"_return": True}
    if form in ("no answer", "nothing"):
        event["detail"]["responseElements"] = OMITTED
    assert_reverted(read(event), before, strategies.sort_rules([*before, *come]))


@given(groups, st.data())
def test_removed_rules_are_put_back(before: Rules, data: st.DataObject) -> None:
    """By permission and by rule id, with the answer of 2026, the old one, or parts left out."""
    gone = tuple(rule for rule in before if data.draw(st.booleans()))
    form = data.draw(st.sampled_from(["whole", "old answer", "ids", "ids, old answer", "no request, old answer"]))
    event = events.revoked(gone, with_answer="old" not in form)
    if form.startswith("ids"):
        ids = [{"securityGroupRuleId": rule.rule_id} for rule in gone]
        event["detail"]["requestParameters"] |= {"ipPermissions": {}, "securityGroupRuleIds": {"items": ids}}
    if form.startswith("no request"):
        event["detail"]["requestParameters"] = {"groupId": events.GROUP, "ipPermissions": OMITTED}
    after = tuple(rule for rule in before if rule not in gone)
    made = read(event)
    assert_reverted(made, before, after)
    restored = by_identity(assessed(made, known(before), after).undo.added)
    assert all(restored[rule.identity].tags == rule.tags for rule in gone)
    assert all(restored[rule.identity].description == rule.description for rule in gone)


def form_of_edit(rule: Rule) -> events.Json:
    """The edit of ModifySecurityGroupRules that makes a rule this one."""
    key = {"ipv4": "CidrIpv4", "ipv6": "CidrIpv6", "prefix_list": "PrefixListId", "group": "ReferencedGroupId"}
    values: dict[str, Any] = {
        "IpProtocol": rule.protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        key[rule.source.kind]: rule.source.value,
        "Description": rule.description,
    }
    return events.edit(rule.rule_id or "", **values)


@given(groups, st.data())
def test_edited_rules_are_edited_back_in_place(before: Rules, data: st.DataObject) -> None:
    """New ports, protocols and descriptions of any rules: the rule ids stay."""
    after: list[Rule] = []
    edits = []
    taken = {rule.identity for rule in before}
    for rule in before:
        edited = replace(rule, description=data.draw(strategies.descriptions))
        if data.draw(st.booleans()):
            protocol, (first, last) = data.draw(strategies.protocols_and_ports)
            edited = make_rule(
                direction="ingress",
                protocol=protocol,
                from_port=first,
                to_port=last,
                source=rule.source,
                description=edited.description,
                rule_id=rule.rule_id,
            )
        if edited.identity in taken - {rule.identity} or not data.draw(st.booleans()):
            after.append(rule)
            continue
        taken.add(edited.identity)
        after.append(edited)
        edits.append(form_of_edit(edited))
    made = read(events.modified(edits))
    assert_reverted(made, before, strategies.sort_rules(after))
    undo = assessed(made, known(before), strategies.sort_rules(after)).undo
    assert not undo.added
    assert not undo.removed


@given(groups, st.data())
def test_new_descriptions_are_undone(before: Rules, data: st.DataObject) -> None:
    """By permission, as the command line sends them, and by rule id."""
    after = tuple(
        replace(rule, description=data.draw(strategies.descriptions)) if data.draw(st.booleans()) else rule
        for rule in before
    )
    name = "UpdateSecurityGroupRuleDescriptionsIngress"
    if data.draw(st.booleans()):
        request: dict[str, Any] = {"IpPermissions": [events.permission_of(rule) for rule in after]}
    else:
        request = {
            "SecurityGroupRuleDescription": [
                {"SecurityGroupRuleId": rule.rule_id, "Description": rule.description} for rule in after
            ]
        }
    event = events.event(name, {f"{name}Request": {"GroupId": events.GROUP, **request}}, None)
    assert_reverted(read(event), before, after)


def test_an_edit_to_the_group_of_a_peered_account_shows_its_owner() -> None:
    """A modify call names a group without its account; the approver sees whose group the live rule refers to."""
    old = make_rule(
        direction="ingress", protocol="tcp", from_port=22, to_port=22, source=group("sg-2", account=events.ACCOUNT)
    )
    old = replace(old, rule_id="sgr-1")
    new = replace(old, source=group("sg-3", account="333333333333", peering="pcx-1"))
    edit = events.edit("sgr-1", IpProtocol="tcp", FromPort=22, ToPort=22, ReferencedGroupId="sg-3")
    (found,) = assessed(read(events.modified([edit])), adopted(old), (new,)).change.modified
    assert (found.after.source, found.after.source.peering) == (new.source, "pcx-1")


def test_an_edit_of_a_rule_nobody_knows_any_more_says_so() -> None:
    """Neither live nor approved: nothing of it is in force, and the reason names the rule and its values."""
    edit = events.edit("sgr-9", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIpv4="0.0.0.0/0")
    found = assessed(read(events.modified([edit])), adopted(), ())
    assert found.change.is_empty
    assert "sgr-9 to tcp/22-22/ipv4/0.0.0.0/0 no longer exists" in found.reason


def test_an_edit_into_an_approved_rules_place_leaves_that_rule_where_its_own_place_is_taken() -> None:
    """The edited rule holds another approved one by now, and its own values are in force elsewhere: all is well."""
    first, second = tcp(22, "sgr-1"), tcp(80, "sgr-2")
    live = (tcp(80, "sgr-1"), tcp(22, "sgr-3"))
    edit = events.edit("sgr-1", IpProtocol="tcp", FromPort=80, ToPort=80, CidrIpv4="10.0.0.0/8")
    found = assessed(read(events.modified([edit])), adopted(first, second), live)
    assert found.undo.is_empty


def test_the_whole_group_is_compared_when_details_were_left_out() -> None:
    """The event may be about any of its rules; what it does say counts once."""
    baseline = adopted(tcp(22, "sgr-1"), tcp(80, "sgr-2"), tcp(443, "sgr-3"))
    live = (tcp(23, "sgr-1"), tcp(443, "sgr-3"), tcp(8080, "sgr-4"))
    made = call("add", resulting=None, requested=(tcp(8080),), omitted=True)
    found = assessed(made, baseline, live)
    assert found.change.added == (tcp(8080),)
    assert found.change.removed == (tcp(80),)
    assert [(one.before, one.after) for one in found.change.modified] == [(tcp(22), tcp(23))]
    assert (found.undo.removed, found.undo.added) == ((tcp(8080),), (tcp(80),))
    same = assessed(made, adopted(tcp(8080)), (tcp(8080),))
    assert (same.reason, same.undo.is_empty) == ("the rules are approved already", True)
