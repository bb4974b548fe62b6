"""The net change of a batch against what is approved now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from member.chalicelib.assessment.batches import is_accepted, is_as_shown, on_touched_rules, with_approved_tags
from member.chalicelib.rule_set import RuleSet
from shared.domain.change import Modification, make_change
from shared.domain.composition import Composition, compose
from shared.domain.operations import Added, Edited, Removed
from shared.domain.replay import Call
from shared.domain.rule import Rule
from tests.support.examples import NOON, tcp

SSH = tcp(22, "sgr-22", description="office")
TAGS = (("team", "core"),)


def composed(*approved: Rule) -> Composition:
    """SSH edited to another port, 443 removed, 80 added, over these approved rules."""
    made = (Edited(rule_id="sgr-22", rule=tcp(22), after=tcp(23)), Removed(rule=tcp(443)), Added(rule=tcp(80)))
    return compose([Call(request_id="a", event_time=NOON, operations=made)], approved)


SHOWN = composed(SSH, tcp(443))
AFTER = (tcp(23), tcp(80))


@pytest.mark.parametrize(
    ("approved", "is_same"),
    [
        ((SSH, tcp(443)), True),
        ((replace(SSH, rule_id="sgr-9", tags=TAGS), replace(tcp(443), tags=TAGS), tcp(8)), True),
        ((replace(SSH, description="x"), tcp(443)), False),
        ((SSH, replace(tcp(443), description="x")), False),
        ((SSH,), False),
        ((SSH, tcp(443), tcp(80)), False),
        (AFTER, False),
    ],
)
def test_whether_calls_come_to_what_was_shown(approved: tuple[Rule, ...], is_same: bool) -> None:
    """Ids and tags may change without asking, and so may rules that the calls do not touch."""
    assert is_as_shown("sg-1", SHOWN, composed(*approved)) == is_same


@pytest.mark.parametrize(
    ("held", "is_done"),
    [
        (AFTER, True),
        ((*AFTER, tcp(8)), True),
        ((tcp(23),), False),
        ((SSH, tcp(443)), False),
        ((replace(tcp(23), description="x"), tcp(80)), False),
    ],
)
def test_whether_the_baseline_has_taken_a_net_change(held: tuple[Rule, ...], is_done: bool) -> None:
    """At each identity that it touches."""
    assert is_accepted(SHOWN, (SSH, tcp(443)), held) == is_done


def test_a_net_change_that_does_not_fit_is_not_accepted() -> None:
    """It removes a rule that was not shown."""
    assert not is_accepted(SHOWN, (), AFTER)


def test_approved_rules_get_their_tags_and_ids_back() -> None:
    """So that a rule that has to be replaced keeps its tags; one that nobody knows stays as it is."""
    held = replace(SSH, rule_id="sgr-9", tags=TAGS)
    change = make_change(removed=[tcp(443)], modified=[Modification(before=SSH, after=tcp(23))], added=[tcp(80)])
    found = with_approved_tags(change, [held])
    assert found == change
    (edit,) = found.modified
    assert (edit.before.tags, edit.before.rule_id, edit.after.tags) == (TAGS, "sgr-9", TAGS)
    assert found.removed[0].tags == ()


def test_touched_rules_are_brought_to_what_is_approved_now() -> None:
    """Whatever was made of them; others are left alone."""
    live = RuleSet([tcp(23, "sgr-1"), tcp(80, "sgr-2"), replace(tcp(443), description="x"), tcp(8)])
    left = on_touched_rules(SHOWN, [SSH, tcp(443), tcp(80)], live)
    assert left == make_change(
        added=[SSH],
        removed=[tcp(23)],
        modified=[Modification(before=replace(tcp(443), description="x"), after=tcp(443))],
    )
