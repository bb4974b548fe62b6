"""Whether two rules have traffic in common."""

from __future__ import annotations

import pytest

from member.chalicelib.assessment.overlap import overlap
from shared.domain.rule import Rule, group, prefix_list
from tests.support.member_account import rule

SSH = rule(22, "10.0.0.0/8")


@pytest.mark.parametrize(
    ("other", "is_overlapping"),
    [
        (rule(22, "10.1.0.0/16"), True),
        (rule(22, "0.0.0.0/0"), True),
        (rule((20, 30), "10.0.0.0/8"), True),
        (rule(None, "10.0.0.0/8", protocol="-1"), True),
        (rule(22, prefix_list("pl-1")), True),
        (rule(23, "10.0.0.0/8"), False),
        (rule(22, "11.0.0.0/8"), False),
        (rule(22, "::/0"), False),
        (rule(22, "10.0.0.0/8", protocol="udp"), False),
        (rule(22, "10.0.0.0/8", direction="egress"), False),
        (rule(22, group("sg-1")), False),
    ],
)
def test_ports_protocols_sources_and_directions_decide(other: Rule, is_overlapping: bool) -> None:
    """Either way round, and beside rules that overlap nothing."""
    far = rule(1, "192.168.0.0/16")
    assert overlap([SSH], [other]) == overlap([other], [SSH]) == overlap([far, SSH], [other]) == is_overlapping


def test_a_group_overlaps_itself() -> None:
    """What addresses it has, nobody knows."""
    assert overlap([rule(22, group("sg-1"))], [rule(None, group("sg-1"), protocol="-1")])
    assert not overlap([rule(22, group("sg-1"))], [rule(22, group("sg-2"))])
    assert not overlap([], [SSH])
