"""Baselines: directions that come and go, and the ids of rules through time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from shared.domain.baseline import Baseline, learn, learn_direction, narrowed, with_current_ids
from shared.domain.rule import Direction, Rule, cidr, make_rule

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def rule(direction: Direction, rule_id: str) -> Rule:
    """A rule of one direction."""
    made = make_rule(direction=direction, protocol="tcp", from_port=443, to_port=443, source=cidr("10.0.0.0/8"))
    return replace(made, rule_id=rule_id)


def baseline(*rules: Rule) -> Baseline:
    """The baseline of a group whose inbound rules are guarded."""
    return learn(region="eu-west-1", group_id="sg-1", group_name="web", rules=rules, directions=["ingress"], at=NOON)


INBOUND, OUTBOUND = rule("ingress", "sgr-1"), rule("egress", "sgr-2")


def test_a_direction_that_is_guarded_from_now_on_is_learned_once() -> None:
    """Its rules are taken as they are; those of a direction known already are not."""
    both = learn_direction(baseline(INBOUND), "egress", (OUTBOUND,), NOON)
    assert both.directions == ("egress", "ingress")
    assert set(both.rules) == {INBOUND, OUTBOUND}
    assert learn_direction(both, "egress", (), NOON) is both


def test_a_direction_that_is_no_longer_guarded_is_forgotten() -> None:
    """Nobody follows what happens there; guarded again, it is learned anew."""
    both = learn_direction(baseline(INBOUND), "egress", (OUTBOUND,), NOON)
    left = narrowed(both, ["ingress"])
    assert (left.directions, left.rules, dict(left.learned)) == (("ingress",), (INBOUND,), {"ingress": NOON})
    assert narrowed(left, ["ingress"]) is left


def test_the_ids_a_rule_had_are_remembered() -> None:
    """A restored rule is known by the id it has now and by the one it had first."""
    known = with_current_ids(baseline(INBOUND), (replace(INBOUND, rule_id="sgr-7"),), NOON)
    (now,) = known.rules
    assert now.rule_id == "sgr-7"
    assert known.by_id("sgr-1") == known.by_id("sgr-7") == INBOUND
    assert known.first_id(now) == "sgr-1"
    assert baseline(INBOUND).first_id(INBOUND) == "sgr-1"


def test_an_unchanged_baseline_is_the_same_also_in_ids() -> None:
    """Equality of rules leaves ids out; what is written to the table must not."""
    one = baseline(INBOUND)
    assert one.is_same_as(baseline(INBOUND))
    assert not one.is_same_as(baseline(replace(INBOUND, rule_id="sgr-9")))
