"""What a call that asks would change, one example each."""

from __future__ import annotations

from typing import Any

import pytest

from member.chalicelib.assessment.asks import Asked, Reference, assess_ask
from member.chalicelib.cloudtrail.call import CallKind, RuleEdit
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline
from shared.domain.change import Modification, make_change
from shared.domain.rule import Rule, group, group_by_name
from tests.support.examples import ACCOUNT, adopted, call, ids, tcp

FRIEND = group("sg-2", account="999999999999")


def asked(kind: CallKind, baseline: Baseline | None, *live: Rule, **values: Any) -> Asked:
    """Return what a call asks for."""
    return assess_ask(call(kind, **values), Reference(baseline, RuleSet(live)))


def edit(rule_id: str, after: Rule | None = None, description: str = "") -> RuleEdit:
    """Return new values for one rule."""
    return RuleEdit(rule_id=rule_id, after=after, description=description)


def test_rules_that_are_not_approved_are_added_once() -> None:
    """What is approved already is left out; what is live without approval is asked for."""
    found = asked("add", adopted(tcp(22)), tcp(80, "sgr-9"), requested=(tcp(22), tcp(80), tcp(80), tcp(443)))
    assert found == Asked(change=make_change(added=[tcp(80), tcp(443)]))


def test_the_owner_of_a_referenced_group_is_the_callers_account_or_as_live_rules_say() -> None:
    """An event often leaves it out."""
    wanted = (tcp(1, source=group("sg-2")), tcp(2, source=group("sg-3")))
    found = asked("add", adopted(), tcp(1, source=FRIEND), requested=wanted)
    assert {one.from_port: one.source for one in found.change.added} == {1: FRIEND, 2: group("sg-3", account=ACCOUNT)}


def test_an_approved_rule_with_another_description_is_edited() -> None:
    """It keeps everything else."""
    found = asked("add", adopted(tcp(22, "sgr-1", description="a")), requested=(tcp(22, description="b"),))
    (change,) = found.change.modified
    assert (change.before.description, change.after.description, change.after.rule_id) == ("a", "b", "sgr-1")


@pytest.mark.parametrize("values", [{"rule_ids": ("sgr-1",)}, {"requested": (tcp(22), tcp(23))}])
def test_an_approved_rule_is_removed_by_id_or_by_values(values: dict[str, Any]) -> None:
    """With the values and the id that are approved."""
    found = asked("remove", adopted(tcp(22, "sgr-1")), **values)
    assert ids(*found.change.removed) == ids(tcp(22, "sgr-1"))


def test_rules_of_a_direction_nobody_knows_are_taken_from_the_live_group() -> None:
    """Not guarded, or not adopted yet."""
    out = tcp(22, "sgr-1", direction="egress")
    for baseline in (adopted(), None):
        for named in ({"rule_ids": ("sgr-1",)}, {"requested": (tcp(22, direction="egress"),)}):
            found = asked("remove", baseline, out, direction="egress", **named)
            assert ids(*found.change.removed) == ids(out)


def test_an_edit_of_an_approved_rule_has_its_direction_tags_and_id() -> None:
    """The event has none of them."""
    found = asked("modify", adopted(tcp(22, "sgr-1")), edits=(edit("sgr-1", tcp(23)),))
    assert found.change == make_change(modified=[Modification(before=tcp(22), after=tcp(23))])
    assert found.change.modified[0].after.rule_id == "sgr-1"


def test_new_descriptions_by_id_and_by_values_are_edits() -> None:
    """They change nothing else."""
    by_id = asked("describe", adopted(tcp(22, "sgr-1")), edits=(edit("sgr-1", description="new"),))
    by_values = asked("describe", adopted(tcp(22, "sgr-1")), requested=(tcp(22, description="new"),))
    assert by_id == by_values
    assert by_id.change.modified[0].after == tcp(22, description="new")


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("add", {"omitted": True}, "CloudTrail left out parameters of the call, or they cannot be read"),
        ("add", {"unreadable": "a: is odd", "omitted": True}, "or they cannot be read: a: is odd"),
        ("add", {"requested": (tcp(1, source=group_by_name("db")),)}, "no security group is named db"),
        ("modify", {"edits": (edit("sgr-1", tcp(1, source=group_by_name("db"))),)}, "is named db"),
        ("add", {"requested": (tcp(22),)}, "it would change nothing"),
        ("remove", {"requested": (tcp(23),)}, "it would change nothing"),
        ("modify", {"edits": (edit("sgr-1", tcp(22)),)}, "it would change nothing"),
        ("remove", {"rule_ids": ("sgr-1", "sgr-7")}, "the group has no rule sgr-7"),
        ("remove", {"rule_ids": ("sgr-1",), "direction": "egress"}, "the group has no rule sgr-1"),
        ("remove", {"rule_ids": ("sgr-9",)}, "the group has no rule sgr-9"),
        ("remove", {"rule_ids": ("a", "b", "c", "d")}, "the group has no rule a, b, c …"),
        ("modify", {"edits": (edit("sgr-7", tcp(1)),)}, "the group has no rule sgr-7"),
        ("describe", {"edits": (edit("sgr-1"),), "direction": "egress"}, "the group has no rule sgr-1"),
        ("describe", {"requested": (tcp(23),)}, "the group has no rule ingress/tcp/23-23/ipv4/10.0.0.0/8"),
        ("modify", {"edits": (edit("sgr-1", tcp(1)), edit("sgr-1", tcp(2)))}, "it names a rule twice"),
    ],
)
def test_what_asks_nothing_has_a_reason(kind: CallKind, values: dict[str, Any], reason: str) -> None:
    """A group with one approved rule, and one that nobody approved."""
    found = asked(kind, adopted(tcp(22, "sgr-1")), tcp(22, "sgr-1"), tcp(9, "sgr-9"), **values)
    assert found.change.is_empty
    assert reason in found.reason
