"""Plans against EC2: reverts go on after a refusal, approved changes stop at the first one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from member.chalicelib.ec2.execution import Outcome, run
from member.chalicelib.ec2.plan import Authorize, Describe, Modify, Revoke, Step
from member.chalicelib.ec2.refusal import Ec2Error, Refusal
from member.chalicelib.ec2.revoke_by_id import revoke_by_id, revoke_one_by_one
from shared.domain.change import Modification
from shared.domain.rule import Rule, cidr, make_rule

GONE = Ec2Error(Refusal(code="InvalidSecurityGroupRuleId.NotFound", reason="gone", is_temporary=False))
DENIED = Ec2Error(Refusal(code="UnauthorizedOperation", reason="no", is_temporary=False))
SLOW = Ec2Error(Refusal(code="RequestLimitExceeded", reason="slow down", is_temporary=True))
NO_GROUP = Ec2Error(Refusal(code="InvalidGroup.NotFound", reason="no group", is_temporary=False))


def rule(port: int, rule_id: str | None = None) -> Rule:
    """A rule of one port."""
    return make_rule(
        direction="ingress", protocol="tcp", from_port=port, to_port=port, source=cidr("10.0.0.0/8"), rule_id=rule_id
    )


A, B, C = rule(1, "sgr-1"), rule(2, "sgr-2"), rule(3, "sgr-3")


@dataclass
class Groups:
    """EC2 that refuses calls by what they are about: a rule id, or a port; its own behaviour is in tests/member."""

    refuses: dict[Any, Ec2Error] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def _call(self, *about: Any) -> None:
        self.calls.append(about)
        for one in about:
            if one in self.refuses:
                raise self.refuses[one]

    def revoke_ids(self, _group: str, _direction: str, ids: Iterable[str]) -> None:
        """Revoke by id."""
        self._call(*ids)

    def revoke(self, _group: str, step: Revoke) -> None:
        """Revoke."""
        self._call(*(one.from_port for one in step.rules))

    authorize = revoke

    def modify(self, _group: str, step: Modify) -> None:
        """Edit one."""
        self._call(step.rule_id)

    def describe(self, _group: str, step: Describe) -> None:
        """Describe some."""
        self._call(*(edit.after.from_port for edit in step.edits))


def test_revoking_by_id_takes_one_call_for_all() -> None:
    """The shortest way from an event to a closed port."""
    groups: Any = Groups()
    assert revoke_by_id(groups, "sg-1", "ingress", ("sgr-1", "sgr-2")) is None
    assert groups.calls == [("sgr-1", "sgr-2")]


def test_a_refusal_is_returned_and_throttling_raised() -> None:
    """A refusal is the caller's to look into; a throttled event is delivered again."""
    groups: Any = Groups({"sgr-2": GONE})
    assert revoke_by_id(groups, "sg-1", "ingress", ("sgr-1", "sgr-2")) is GONE.refusal
    groups = Groups({"sgr-2": SLOW})
    with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
        revoke_by_id(groups, "sg-1", "ingress", ("sgr-1", "sgr-2"))
    assert len(groups.calls) == 1


def test_revoking_one_by_one_goes_through_all_and_raises_what_is_temporary() -> None:
    """No rule stays open because another one could not be revoked."""
    groups: Any = Groups({"sgr-1": SLOW, "sgr-2": DENIED})
    with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
        revoke_one_by_one(groups, "sg-1", "ingress", ("sgr-1", "sgr-2", "sgr-3"))
    assert groups.calls == [("sgr-1",), ("sgr-2",), ("sgr-3",)]


def test_revoking_one_by_one_stops_when_the_group_is_gone() -> None:
    """Its rules are gone with it."""
    groups: Any = Groups({"sgr-1": NO_GROUP})
    revoke_one_by_one(groups, "sg-1", "ingress", ("sgr-1", "sgr-2"))
    assert groups.calls == [("sgr-1",)]


def reverted(groups: Any, *plan: Step) -> list[tuple[Rule | None, Refusal]]:
    """Run a plan rule by rule; return what was refused, with its rule apart."""
    return [(one.rule, replace(one, rule=None)) for one in run(groups, "sg-1", plan, per_rule=True).refusals]


def test_a_refused_call_is_split_and_its_rules_are_named() -> None:
    """One by one, each with EC2's own reason."""
    groups: Any = Groups({2: DENIED})
    assert reverted(groups, Revoke(direction="ingress", rules=(A, B, C))) == [(B, DENIED.refusal)]
    assert groups.calls == [(1, 2, 3), (1,), (2,), (3,)]


def test_a_revert_goes_on_with_the_next_step() -> None:
    """A refused step says nothing about the others."""
    groups: Any = Groups({1: DENIED, "sgr-9": DENIED})
    refused = reverted(
        groups,
        Revoke(direction="ingress", rules=(A,)),
        Modify(rule_id="sgr-9", edit=Modification(before=B, after=C)),
        Describe(direction="ingress", edits=(Modification(before=B, after=B),)),
        Authorize(direction="ingress", rules=(C,)),
    )
    assert [rule for rule, _ in refused] == [A, B]
    assert groups.calls == [(1,), ("sgr-9",), (2,), (3,)]


def test_refused_descriptions_are_split_too() -> None:
    """One description EC2 refuses does not keep the others wrong."""
    groups: Any = Groups({2: DENIED})
    edits = tuple(Modification(before=one, after=one) for one in (A, B))
    assert reverted(groups, Describe(direction="ingress", edits=edits)) == [(B, DENIED.refusal)]


def test_refused_additions_are_split_too() -> None:
    """One rule EC2 has no room for does not keep the others out."""
    groups: Any = Groups({2: DENIED})
    assert reverted(groups, Authorize(direction="ingress", rules=(A, B))) == [(B, DENIED.refusal)]


def test_what_is_already_so_is_not_refused() -> None:
    """A rule to revoke that is gone, whose id is noted, and a rule to authorize that is there."""
    there = Ec2Error(Refusal(code="InvalidPermission.Duplicate", reason="there"))
    groups: Any = Groups({1: GONE, 2: there, 3: GONE})
    unnamed = replace(C, rule_id=None)
    plan = (*(Revoke(direction="ingress", rules=(one,)) for one in (A, unnamed)),)
    outcome = run(groups, "sg-1", (*plan, Authorize(direction="ingress", rules=(B,))), per_rule=True)
    assert outcome == Outcome(gone=frozenset({"sgr-1"}))


def test_a_throttled_call_of_many_rules_is_not_split() -> None:
    """It says nothing about its rules; each of them is reported, to be tried again."""
    groups: Any = Groups({1: SLOW})
    refused = reverted(groups, Authorize(direction="ingress", rules=(A, B)))
    assert refused == [(A, SLOW.refusal), (B, SLOW.refusal)]
    assert groups.calls == [(1, 2)]


def test_an_approved_change_stops_at_the_first_refusal() -> None:
    """What was done so far is the caller's to roll back."""
    groups: Any = Groups({2: DENIED})
    plan = tuple(Authorize(direction="ingress", rules=(one,)) for one in (A, B, C))
    outcome = run(groups, "sg-1", plan, per_rule=False)
    assert outcome.refusals == (DENIED.refusal.about(B),)
    assert groups.calls == [(1,), (2,)]


def test_an_approved_change_that_fits_is_run_to_its_end() -> None:
    """Nothing is refused, nothing is gone."""
    groups: Any = Groups()
    plan = tuple(Authorize(direction="ingress", rules=(one,)) for one in (A, B))
    assert run(groups, "sg-1", plan, per_rule=False) == Outcome()
