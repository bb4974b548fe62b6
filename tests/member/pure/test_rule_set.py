"""Finding one rule among many: the same answer as looking through all of them, and no index is made twice."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.assessment.rule_index import RuleIndex, index_of
from member.chalicelib.state.baseline import find_like
from shared.domain.rule import Rule, cidr, group, make_rule
from tests.support.strategies import rules as any_rules


def by_looking(rules: tuple[Rule, ...], wanted: Rule) -> Rule | None:
    """What ``find_like`` promises, in so many words."""
    loosely = None
    for rule in rules:
        if rule.identity == wanted.identity:
            return rule
        if rule.source.kind == "group" and rule.source.value == wanted.source.value:
            filled = replace(wanted, source=replace(wanted.source, account=rule.source.account))
            loosely = rule if rule.identity == filled.identity else loosely
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
def test_an_index_finds_what_looking_through_all_rules_finds(rules: tuple[Rule, ...], wanted: Rule) -> None:
    """Exactly, else a group whose owner the event left out or has wrong."""
    assert find_like(rules, wanted) is by_looking(rules, wanted)
    assert find_like(list(rules), wanted) is by_looking(rules, wanted)


def test_of_several_rules_the_first_counts() -> None:
    """Identities and ids are unique in EC2; should they not be, the answer is still always the same."""
    rule = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("10.0.0.0/8"))
    rules = tuple(replace(rule, rule_id="sgr-1", description=text) for text in ("one", "two"))
    index = RuleIndex(rules)
    assert index.with_id("sgr-1") is index.with_identity(rule.identity) is rules[0]
    assert (index.with_id(None), index.with_id("sgr-2"), index.with_identity(None)) == (None, None, None)


def test_the_index_of_the_same_rules_is_made_once() -> None:
    """Of the very same tuple: equal ones may differ in ids and tags, which are no part of equality."""
    rule = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("10.0.0.0/8"))
    rules, others = (replace(rule, rule_id="sgr-1"),), (replace(rule, rule_id="sgr-2"),)
    assert rules == others
    assert index_of(rules) is index_of(rules) is not index_of(others)
    for number in range(20):
        index_of((replace(rule, rule_id=f"sgr-{number}"),))
    assert index_of(rules).rules is rules
