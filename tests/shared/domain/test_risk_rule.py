"""What one entry of ``[[rules]]`` matches: overlap for most, containment for those with 0 approvals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.exposure import exposure
from shared.domain.risk_rule import (
    Opening,
    RequestFacts,
    RiskRule,
    concerns,
    contains,
    may_have_let_through,
    opening_of,
    overlaps,
    reaches_let_through,
    reaches_of,
)
from shared.domain.rule import Rule, group, make_rule, prefix_list
from tests.support.risk import ACCOUNT, GROUP, PRINCIPAL, REGION, entry, facts, opened

FACTS = facts()
SSH_TO_ALL = opened("0.0.0.0/0")
EVERYTHING = opened("0.0.0.0/0", None, protocol="-1")
PING = opened("10.0.0.0/8", 8, 0, protocol="icmp")
ESP = opened("10.0.0.0/8", None, protocol="50")
PUBLIC = opened("203.0.113.0/24")
PRIVATE = opened("10.0.0.0/8")
MIXED = opened("10.0.0.0/7")
IPV6 = opened("2001:db8::/32")
OWN_GROUP = make_rule(direction="ingress", protocol="tcp", from_port=22, source=group("sg-1", account=ACCOUNT))
OTHER_GROUP = make_rule(direction="ingress", protocol="tcp", from_port=22, source=group("sg-1", account="333333333333"))
UNKNOWN_GROUP = make_rule(direction="ingress", protocol="tcp", from_port=22, source=group("sg-1"))
LIST = make_rule(direction="ingress", protocol="tcp", from_port=22, source=prefix_list("pl-1"))
AWS_LISTS = replace(FACTS, aws_prefix_lists=frozenset({"pl-1"}))


def overlapped(one: RiskRule, rule: Rule, kind: Any = "add", about: RequestFacts = FACTS) -> bool:
    """Whether the entry overlaps the rule, which is alone in its request."""
    opening: Opening = opening_of(kind, rule)
    return overlaps(one, opening, about, exposure(list(reaches_of([opening])), one.cidrs))


def contained(one: RiskRule, rule: Rule, kind: Any = "add", about: RequestFacts = FACTS) -> bool:
    """Whether the entry, which is a lenient one, contains the rule."""
    return contains(one, opening_of(kind, rule), about)


@pytest.mark.parametrize(
    ("one", "rule", "expected"),
    [
        (entry(), SSH_TO_ALL, True),
        (entry(ports=[(22, 22)]), SSH_TO_ALL, True),
        (entry(ports=[(80, 90)]), SSH_TO_ALL, False),
        (entry(ports=[(80, 90)]), opened("10.0.0.0/8", 90, 100), True),
        (entry(ports=[(80, 90)]), EVERYTHING, True),
        (entry(ports=[(8, 8)]), PING, False),
        (entry(), PING, True),
        (entry(ports=[(22, 22)]), ESP, True),
        (entry(protocols=("udp",)), SSH_TO_ALL, False),
        (entry(protocols=("udp",)), EVERYTHING, True),
        (entry(protocols=("-1",)), SSH_TO_ALL, True),
        (entry(directions=("egress",)), SSH_TO_ALL, False),
        (entry(kinds=("remove",)), SSH_TO_ALL, False),
        (entry(sources=("internet",)), SSH_TO_ALL, True),
        (entry(sources=("internet",)), PUBLIC, False),
        (entry(sources=("internet",)), PRIVATE, False),
        (entry(sources=("internet",)), MIXED, True),
        (entry(sources=("internet",)), opened("::/0"), True),
        (entry(sources=("internet",), protocols=("udp",)), EVERYTHING, True),
        (entry(sources=("internet",), cidrs=["10.0.0.0/8"]), SSH_TO_ALL, False),
        (entry(sources=("public",)), PUBLIC, True),
        (entry(sources=("public",)), SSH_TO_ALL, True),
        (entry(sources=("public",)), MIXED, True),
        (entry(sources=("public",)), PRIVATE, False),
        (entry(sources=("private",)), PRIVATE, True),
        (entry(sources=("private",)), MIXED, False),
        (entry(sources=("private",)), PUBLIC, False),
        (entry(sources=("private", "public")), MIXED, True),
        (entry(cidrs=["203.0.113.128/25"]), PUBLIC, True),
        (entry(cidrs=["203.0.112.0/20"]), PUBLIC, True),
        (entry(cidrs=["203.0.114.0/24"]), PUBLIC, False),
        (entry(cidrs=["::/0"]), PUBLIC, False),
        (entry(cidrs=["::/0"]), IPV6, True),
        (entry(sources=("public",), cidrs=["10.0.0.0/8"]), MIXED, False),
        (entry(sources=("private",), cidrs=["10.0.0.0/8"]), MIXED, True),
        (entry(sources=("group",)), OWN_GROUP, True),
        (entry(sources=("group",)), OTHER_GROUP, True),
        (entry(sources=("group",)), PRIVATE, False),
        (entry(sources=("private",)), OWN_GROUP, False),
        (entry(sources=("group",), cidrs=["10.0.0.0/8"]), OWN_GROUP, False),
        (entry(), OWN_GROUP, True),
        (entry(sources=("internet",)), LIST, True),
        (entry(sources=("private",), cidrs=["10.0.0.0/8"]), LIST, True),
        (entry(sources=("group",)), LIST, True),
        (entry(ports=[(80, 80)]), LIST, False),
    ],
)
def test_an_entry_matches_what_overlaps_it(one: RiskRule, rule: Rule, expected: bool) -> None:
    """All keys together; a prefix list that AWS does not own may hold any range."""
    assert overlapped(one, rule) is expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (entry(sources=("prefix_list",)), True),
        (entry(), True),
        (entry(sources=("internet",)), False),
        (entry(cidrs=["0.0.0.0/0"]), False),
    ],
)
def test_a_prefix_list_of_aws_is_nothing_but_a_prefix_list(one: RiskRule, expected: bool) -> None:
    """AWS alone changes what is in it."""
    assert overlapped(one, LIST, about=AWS_LISTS) is expected


def lenient(**values: Any) -> RiskRule:
    """An entry with 0 approvals."""
    return entry(approvals=0, **values)


@pytest.mark.parametrize(
    ("one", "rule", "expected"),
    [
        (lenient(), PRIVATE, True),
        (lenient(), PUBLIC, False),
        (lenient(), MIXED, False),
        (lenient(), LIST, False),
        (lenient(), OWN_GROUP, True),
        (lenient(), OTHER_GROUP, False),
        (lenient(), UNKNOWN_GROUP, False),
        (lenient(), PING, True),
        (lenient(sources=("private",)), PRIVATE, True),
        (lenient(sources=("private",)), OWN_GROUP, False),
        (lenient(sources=("private",)), PUBLIC, False),
        (lenient(sources=("group",)), OWN_GROUP, True),
        (lenient(sources=("group",)), PRIVATE, False),
        (lenient(sources=("group",), cidrs=["10.0.0.0/8"]), OWN_GROUP, False),
        (lenient(sources=("prefix_list",)), LIST, False),
        (lenient(sources=("public",)), PUBLIC, False),
        (lenient(cidrs=["203.0.113.0/24"]), PUBLIC, True),
        (lenient(cidrs=["203.0.113.0/25", "203.0.113.128/25"]), PUBLIC, True),
        (lenient(cidrs=["203.0.113.0/25"]), PUBLIC, False),
        (lenient(cidrs=["10.0.0.0/9"]), PRIVATE, False),
        (lenient(cidrs=["10.0.0.0/7"]), MIXED, True),
        (lenient(sources=("internet",), cidrs=["0.0.0.0/0"]), SSH_TO_ALL, True),
        (lenient(sources=("internet",), cidrs=["0.0.0.0/0"]), PUBLIC, True),
        (lenient(sources=("public",), cidrs=["203.0.113.0/24"]), PUBLIC, True),
        (lenient(sources=("internet",), cidrs=["0.0.0.0/0"]), PRIVATE, False),
        (lenient(sources=("public", "private"), cidrs=["0.0.0.0/0"]), PRIVATE, True),
        (lenient(sources=("private",), cidrs=["0.0.0.0/0"]), PUBLIC, False),
        (lenient(sources=("private",), cidrs=["0.0.0.0/0"]), PRIVATE, True),
        (lenient(ports=[(22, 22)]), PRIVATE, True),
        (lenient(ports=[(22, 22)]), opened("10.0.0.0/8", 22, 23), False),
        (lenient(ports=[(22, 23)]), opened("10.0.0.0/8", 22, 23), True),
        (lenient(ports=[(0, 65535)]), ESP, False),
        (lenient(ports=[(0, 65535)]), PING, False),
        (lenient(ports=[(0, 65535)]), opened("10.0.0.0/8", None, protocol="-1"), False),
        (lenient(protocols=("tcp",)), PRIVATE, True),
        (lenient(protocols=("udp",)), PRIVATE, False),
        (lenient(protocols=("tcp",)), opened("10.0.0.0/8", None, protocol="-1"), False),
        (lenient(protocols=("-1",)), opened("10.0.0.0/8", None, protocol="-1"), True),
        (lenient(kinds=("modify",)), PRIVATE, False),
        (lenient(directions=("egress",)), PRIVATE, False),
    ],
)
def test_a_lenient_entry_matches_what_lies_wholly_inside(one: RiskRule, rule: Rule, expected: bool) -> None:
    """Never a public range it does not name, a prefix list, or a group of another account."""
    assert contained(one, rule) is expected


def test_a_group_is_own_only_where_the_account_is_known() -> None:
    """Two unknown accounts are not the same one."""
    assert not contained(lenient(), UNKNOWN_GROUP, about=replace(FACTS, account=""))


def test_removals_match_by_what_they_would_close() -> None:
    """An entry for removals matches those, and no addition of the same rule."""
    one = entry(kinds=("remove",), ports=[(22, 22)])
    assert overlapped(one, SSH_TO_ALL, "remove")
    assert not overlapped(one, SSH_TO_ALL, "add")
    assert not overlapped(one, opened("0.0.0.0/0", 80), "remove")
    assert overlapped(entry(), SSH_TO_ALL, "remove")


@pytest.mark.parametrize(
    ("key", "matching", "other", "unknown"),
    [
        ("accounts", ACCOUNT, "333333333333", {"account": ""}),
        ("regions", "eu-*", "us-*", {"region": ""}),
        ("regions", REGION, "eu-west-2", {"region": ""}),
        ("groups", "sg-0a*", "sg-1*", {"group_id": ""}),
        ("groups", GROUP, "sg-2", {"group_id": ""}),
        ("principals", "*:role/dep*", "*:user/*", {"principal_arn": ""}),
        ("principals", PRINCIPAL, "arn:aws:iam::222222222222:role/Deploy", {"principal_arn": ""}),
    ],
)
def test_an_entry_concerns_the_places_and_people_it_names(
    key: str, matching: str, other: str, unknown: dict[str, str]
) -> None:
    """What is unknown concerns every entry but a lenient one."""
    assert concerns(entry(**{key: (other, matching)}), FACTS)
    assert not concerns(entry(**{key: (other,)}), FACTS)
    assert concerns(lenient(**{key: (other, matching)}), FACTS)
    assert concerns(entry(**{key: (matching,)}), replace(FACTS, **unknown))  # type: ignore[arg-type]
    assert not concerns(lenient(**{key: (matching,)}), replace(FACTS, **unknown))  # type: ignore[arg-type]


def test_an_entry_that_denies_is_not_lenient() -> None:
    """Of a contradiction the stricter reading holds."""
    assert lenient().is_lenient
    assert not lenient(deny="Never.").is_lenient
    assert not entry(approvals=1).is_lenient


def test_a_lenient_entry_may_have_let_its_ranges_through() -> None:
    """Each of its ranges, at its ports, by its protocols, in its directions."""
    every = list(reaches_let_through(lenient(cidrs=["203.0.113.0/24"])))
    assert {(one.direction, one.protocol, one.span) for one in every} == {
        ("ingress", "-1", (0, 65535)),
        ("egress", "-1", (0, 65535)),
    }
    one = lenient(
        cidrs=["203.0.113.0/24", "::/1"], ports=[(22, 22), (80, 80)], protocols=("tcp",), directions=("ingress",)
    )
    assert len(list(reaches_let_through(one))) == 4
    assert list(reaches_let_through(lenient())) == []
    assert list(reaches_let_through(lenient(cidrs=["0.0.0.0/0"], kinds=("remove",)))) == []
    assert len(list(reaches_let_through(lenient(cidrs=["0.0.0.0/0"], kinds=("remove", "modify"))))) == 2


def test_whoever_called_before_may_have_been_let_through() -> None:
    """In the same group, or in one that may be the same; a principal changes nothing."""
    assert may_have_let_through(lenient(principals=("*:user/*",)), FACTS)
    assert may_have_let_through(lenient(groups=("sg-1", GROUP), accounts=(ACCOUNT,), regions=("eu-*",)), FACTS)
    assert may_have_let_through(lenient(groups=("sg-1",)), replace(FACTS, group_id=""))
    for values in ({"groups": ("sg-1",)}, {"accounts": ("333333333333",)}, {"regions": ("us-*",)}):
        assert not may_have_let_through(lenient(**values), FACTS)
    assert not may_have_let_through(entry(), FACTS)


def test_groups_and_prefix_lists_have_no_addresses() -> None:
    """They add nothing to what ranges are together."""
    assert list(reaches_of([opening_of("add", OWN_GROUP), opening_of("add", LIST)])) == []
