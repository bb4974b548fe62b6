"""What a trail says of a group: old values of edits, values of removals by id, approved ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from member.chalicelib.cloudtrail.call import Call, RuleEdit
from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Rule
from shared.policy.cli import replayed_groups
from shared.policy.cli.replayed_groups import ReplayedGroups
from tests.support.examples import call, tcp

SSH, WEB = tcp(22, "sgr-1"), tcp(443, "sgr-2")


def after(*rules: Rule) -> ReplayedGroups:
    """A group of which these additions are known."""
    groups = ReplayedGroups()
    made = call("add", resulting=rules)
    groups.apply(made, make_change(added=rules))
    return groups


def edited(after_: Rule | None, description: str = "", rule_id: str = "sgr-1") -> RuleEdit:
    """An edit by rule id."""
    return RuleEdit(rule_id=rule_id, after=after_, description=description)


def test_an_addition_is_what_was_answered_else_what_was_sent() -> None:
    """The answer has rule ids."""
    assert ReplayedGroups().change(call("add", requested=(SSH,), resulting=(WEB,))) == make_change(added=[WEB])
    assert ReplayedGroups().change(call("add", requested=(SSH,))) == make_change(added=[SSH])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"resulting": (SSH,)}, make_change(removed=[SSH])),
        ({"requested": (SSH,)}, make_change(removed=[SSH])),
        ({"rule_ids": ("sgr-1",)}, make_change(removed=[SSH])),
        ({"rule_ids": ("sgr-1", "sgr-9")}, None),
        ({"requested": (SSH,), "omitted": True}, None),
    ],
)
def test_a_removal_by_id_has_the_values_of_the_known_rule(values: dict[str, Any], expected: Change | None) -> None:
    """Of a rule that was made before the trail begins there are none."""
    assert after(SSH, WEB).change(call("remove", **values)) == expected


def test_an_edit_has_old_values_and_the_direction_of_the_known_rule() -> None:
    """The event has neither."""
    egress = tcp(22, "sgr-1", direction="egress")
    sent = tcp(80, "sgr-1")
    expected = make_change(modified=[Modification(before=egress, after=replace(sent, direction="egress"))])
    assert after(egress).change(call("modify", edits=(edited(sent),))) == expected
    assert ReplayedGroups().change(call("modify", edits=(edited(sent),))) is None


def test_a_description_is_an_edit() -> None:
    """By rule id or by the rule's values."""
    described = replace(SSH, description="ours")
    expected = make_change(modified=[Modification(before=SSH, after=described)])
    assert after(SSH).change(call("describe", edits=(edited(None, "ours"),))) == expected
    assert after(SSH).change(call("describe", requested=(described,))) == expected
    assert after(WEB).change(call("describe", requested=(described,))) is None


def test_what_was_made_is_known_until_it_is_removed() -> None:
    """Edits replace, removals and the group's end take away."""
    groups = after(SSH, WEB)
    here = call("add")
    groups.apply(here, make_change(modified=[Modification(before=SSH, after=tcp(80, "sgr-1"))]))
    assert list(groups.rules(here)) == [WEB, tcp(80)]
    groups.apply(here, make_change(removed=[WEB]))
    assert list(groups.rules(here)) == [tcp(80)]
    assert groups.change(call("create_group")) == groups.change(call("delete_group")) == make_change()
    groups.apply(call("delete_group"), make_change())
    assert list(groups.rules(here)) == []


def test_groups_are_kept_apart() -> None:
    """By account, region and id; one that is only named, by its name."""
    groups = after(SSH)

    def known(here: Call) -> int:
        return len(groups.rules(here))

    assert known(call("add")) == 1
    for other in ({"account": "333333333333"}, {"region": "us-east-1"}, {"group_id": "sg-2"}, {"group_id": ""}):
        assert known(call("add", **other)) == 0
    named = call("add", group_id="", group_name="web")
    groups.apply(named, make_change(added=[WEB]))
    assert known(named) == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups that nobody changed for longest are forgotten, and rules beyond what EC2 allows."""
    monkeypatch.setattr(replayed_groups, "_MOST_GROUPS", 2)
    monkeypatch.setattr(replayed_groups, "_MOST_RULES", 1)
    groups = ReplayedGroups()
    places = [call("add", group_id=f"sg-{number}") for number in range(3)]
    for here in (places[0], places[1], places[0], places[2]):
        groups.apply(here, make_change(added=[SSH, WEB]))
    assert [len(groups.rules(here)) for here in places] == [1, 0, 1]


def test_the_rules_of_all_groups_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after removals, and after the end of a group."""
    monkeypatch.setattr(replayed_groups, "_MOST_RULES_OF_ALL", 3)
    groups = ReplayedGroups()
    places = [call("add", group_id=f"sg-{number}") for number in range(3)]
    for here in places[:2]:
        groups.apply(here, make_change(added=[SSH]))
    groups.apply(places[0], make_change(removed=[SSH]))
    groups.apply(places[2], make_change(added=[SSH, WEB]))
    assert [len(groups.rules(here)) for here in places] == [0, 1, 2]
    groups.apply(call("delete_group", group_id="sg-2"), make_change())
    groups.apply(places[0], make_change(added=[SSH, WEB]))
    assert [len(groups.rules(here)) for here in places] == [2, 1, 0]
    groups.apply(places[2], make_change(added=[SSH]))
    assert [len(groups.rules(here)) for here in places] == [2, 0, 1]
