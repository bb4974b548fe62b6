"""The approved rules that a request carries: enough to compose it, and to judge what it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.assessment.approved import approved_with
from shared.domain.change import Change, Modification, make_change
from shared.domain.needs import needs
from shared.domain.operations import Edited, Removed
from shared.domain.rule import Rule, cidr, prefix_list
from tests.support.examples import tcp
from tests.support.risk import entry, facts, opened

TAGS = (("team", "core"),)
HALF, OTHER_HALF = opened("0.0.0.0/1"), opened("128.0.0.0/1")


def test_touched_rules_are_carried_without_tags() -> None:
    """By identity and by id, with description and id; others that do not count are not."""
    ssh, web, other = (replace(tcp(port, f"sgr-{port}", description="x"), tags=TAGS) for port in (22, 443, 80))
    change = make_change(removed=[ssh])
    found = approved_with(change, [Removed(rule_id="sgr-443")], [ssh, web, other])
    assert found == (ssh, web)
    assert [(one.rule_id, one.tags) for one in found] == [("sgr-22", ()), ("sgr-443", ())]


def test_what_a_change_says_to_have_been_there_counts_as_approved() -> None:
    """Of a group whose approved rules nobody knows."""
    before, after, gone = tcp(22), tcp(23), tcp(80)
    change = make_change(removed=[gone], modified=[Modification(before=before, after=after)])
    assert approved_with(change, (), ()) == (before, gone)


def test_public_ranges_on_the_same_ports_are_carried() -> None:
    """With their range and ports alone: together they may be the internet."""
    held = replace(OTHER_HALF, description="x", rule_id="sgr-1", tags=TAGS)
    (found,) = approved_with(make_change(added=[HALF]), (), [held])
    assert found == OTHER_HALF
    assert (found.description, found.rule_id, found.tags) == ("", None, ())


def test_ranges_count_with_what_operations_open() -> None:
    """The net change may open what the change of no request says: an edit of a rule that was gone."""
    assert approved_with(Change(), [Edited(rule_id="sgr-1", after=HALF, was_gone=True)], [OTHER_HALF]) == (OTHER_HALF,)
    assert approved_with(Change(), [Removed(rule_id="sgr-1")], [OTHER_HALF]) == ()


@pytest.mark.parametrize(
    ("held", "is_carried"),
    [
        (opened("128.0.0.0/1", 20, 30), True),
        (opened("128.0.0.0/1", 23, 30), False),
        (opened("128.0.0.0/1", None, protocol="-1"), True),
        (opened("128.0.0.0/1", protocol="udp"), False),
        (opened("128.0.0.0/1", direction="egress"), False),
        (opened("8000::/1"), False),
        (opened("10.0.0.0/8"), False),
        (replace(HALF, source=prefix_list("pl-1")), False),
    ],
)
def test_only_public_ranges_that_count_are_carried(held: Rule, is_carried: bool) -> None:
    """Of the same direction, IP version and protocol family, on overlapping ports."""
    assert approved_with(make_change(added=[HALF]), (), [held]) == ((held,) if is_carried else ())
    assert approved_with(make_change(added=[held]), (), [HALF]) == ((HALF,) if is_carried else ())


def test_private_rules_count_with_nothing() -> None:
    """They are never the internet."""
    assert approved_with(make_change(added=[tcp(22)]), (), [HALF]) == ()


BLOCKS = st.sampled_from(["0.0.0.0/1", "128.0.0.0/1", "1.0.0.0/9", "1.128.0.0/9", "10.0.0.0/8", "::/1", "2000::/17"])
RULES = st.builds(
    lambda block, ports, protocol, direction: opened(
        block, ports[0] if protocol in ("tcp", "udp") else None, ports[1], protocol=protocol, direction=direction
    ),
    BLOCKS,
    st.sampled_from([(22, 22), (22, 25), (25, 30), (0, 65535)]),
    st.sampled_from(["tcp", "udp", "-1", "50"]),
    st.sampled_from(["ingress", "egress"]),
)
ENTRIES = st.builds(
    lambda ports, protocols: entry(sources=("internet",), approvals=2, ports=ports, protocols=protocols),
    st.sampled_from([[], [(22, 22)], [(24, 40)]]),
    st.sampled_from([(), ("tcp",), ("udp", "50")]),
)


@given(st.lists(ENTRIES, min_size=1, max_size=2), st.lists(RULES, min_size=1, max_size=3), st.lists(RULES, max_size=6))
def test_a_request_needs_the_same_by_what_it_carries(
    entries: list[object], changed: list[Rule], approved: list[Rule]
) -> None:
    """Central, which has no baseline, comes to what the member comes to with all approved rules."""
    change = make_change(added={one.identity: one for one in changed}.values())
    carried = approved_with(change, (), approved)
    expected = needs(entries, facts(change=change), approved)  # type: ignore[arg-type]  # as hypothesis types them
    assert needs(entries, facts(change=change), carried) == expected  # type: ignore[arg-type]  # as above
    removal = make_change(removed=change.added)
    carried = approved_with(removal, (), approved)
    expected = needs(entries, facts(change=removal), approved)  # type: ignore[arg-type]  # as above
    assert needs(entries, facts(change=removal), carried) == expected  # type: ignore[arg-type]  # as above


def test_a_thousand_ranges_are_carried() -> None:
    """As many as EC2 lets a group have; each counts."""
    held = [replace(HALF, source=cidr(f"52.{number // 256}.{number % 256}.1/32")) for number in range(1000)]
    assert len(approved_with(make_change(added=[HALF]), (), held)) == 1000
