"""Finding one rule among many: the same answer as looking through all of them, and sets are values."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.rule_set import RuleSet
from shared.domain.rule import DIRECTIONS, Rule, cidr, group, make_rule
from tests.support.strategies import rules as any_rules


def by_looking(rules: tuple[Rule, ...], wanted: Rule) -> Rule | None:
    """What ``RuleSet.like`` promises, in so many words."""
    loosely = None
    for rule in rules:
        if rule.identity == wanted.identity:
            return rule
        if rule.source.kind == "group" and rule.source.value == wanted.source.value:
            filled = replace(wanted, source=replace(wanted.source, account=rule.source.account))
            loosely = loosely or (rule if rule.identity == filled.identity else None)
    return loosely


few_sources = st.sampled_from(
    [cidr("10.0.0.0/8"), *(group(f"sg-{n}", account=owner) for n in (1, 2) for owner in ("", "1" * 12, "2" * 12))]
)
few_rules = st.builds(
    lambda port, source: make_rule(direction="ingress", protocol="tcp", from_port=port, to_port=port, source=source),
    st.sampled_from([22, 443]),
    few_sources,
)


@given(st.lists(st.one_of(few_rules, any_rules()), max_size=8).map(tuple), st.one_of(few_rules, any_rules()))
def test_a_set_finds_what_looking_through_all_rules_finds(rules: tuple[Rule, ...], wanted: Rule) -> None:
    """Exactly, else a group whose owner the event left out or has wrong."""
    assert RuleSet(rules).like(wanted) is by_looking(rules, wanted)


def test_of_several_rules_the_first_counts() -> None:
    """Identities and ids are unique in EC2; should they not be, the answer is still always the same."""
    rule = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("10.0.0.0/8"))
    one, two = (replace(rule, rule_id="sgr-1", description=text) for text in ("one", "two"))
    some = RuleSet([one, two])
    assert some.with_id("sgr-1") is some.with_identity(rule.identity) is one
    assert (some.with_id(None), some.with_id("sgr-2"), some.with_identity("")) == (None, None, None)


def test_sets_of_equal_rules_are_equal() -> None:
    """As tuples of them are; a set shows its rules by identity."""
    rule = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("10.0.0.0/8"))
    some = RuleSet([rule])
    assert (some, hash(some)) == (RuleSet([replace(rule, rule_id="sgr-1")]), hash(RuleSet([rule])))
    assert some != RuleSet()
    assert some != (rule,)
    assert repr(some) == "RuleSet(['ingress/tcp/22-22/ipv4/10.0.0.0/8'])"


def test_a_direction_of_a_set_is_a_set() -> None:
    """In the same order."""
    both = [make_rule(direction=one, protocol="tcp", source=cidr("10.0.0.0/8")) for one in DIRECTIONS]
    assert list(RuleSet(both).of(["egress"])) == both[1:]
    assert len(RuleSet(both).of(DIRECTIONS)) == 2
