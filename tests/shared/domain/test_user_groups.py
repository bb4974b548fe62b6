"""User groups among the approvers: their members stand beside those who are listed."""

from __future__ import annotations

from shared.domain.policy import Policy
from shared.domain.risk_rule import RiskRule
from shared.domain.user_groups import user_groups_of, with_members

TEAM, OTHERS = "S0614TZR7", "S0999TZR7"


def test_every_list_of_approvers_may_name_groups() -> None:
    """The general one and those of the entries."""
    policy = Policy(approvers=("U1", TEAM), rules=(RiskRule(approvers=(OTHERS, "W2")), RiskRule()))
    assert user_groups_of(policy) == {TEAM, OTHERS}
    assert user_groups_of(Policy(approvers=("U1",))) == frozenset()


def test_members_are_named_beside_their_group() -> None:
    """Each once; the group stays, so that a list never becomes empty, which would mean everybody."""
    policy = Policy(approvers=("U1", TEAM), rules=(RiskRule(approvers=(OTHERS,)), RiskRule()))
    named = with_members(policy, {TEAM: {"U3", "U1"}})
    assert named.approvers == ("U1", TEAM, "U3")
    assert [entry.approvers for entry in named.rules] == [(OTHERS,), ()]
    assert with_members(policy, {OTHERS: {"U9"}}).rules[0].approvers == (OTHERS, "U9")
