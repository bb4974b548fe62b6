"""Plans against EC2: taking back goes on after a refusal, applying stops at the first, nobody is flooded with calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from member.chalicelib.ec2.execution import carry_out, replacing, take_back
from member.chalicelib.ec2.plan import Authorize, Describe, Modify, Revoke
from member.chalicelib.ec2.revoke_by_id import close, close_singly
from member.chalicelib.ec2.security_groups import Ec2Error
from shared.domain.change import Modification
from shared.domain.rule import Rule, cidr, make_rule

GONE = Ec2Error("InvalidSecurityGroupRuleId.NotFound", "gone", is_transient=False)
DENIED = Ec2Error("UnauthorizedOperation", "no", is_transient=False)
SLOW = Ec2Error("RequestLimitExceeded", "slow down", is_transient=True)
NO_GROUP = Ec2Error("InvalidGroup.NotFound", "no group", is_transient=False)


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


def test_closing_takes_one_call_for_all() -> None:
    """The shortest way from an event to closed ports."""
    groups: Any = Groups()
    assert close(groups, "sg-1", "ingress", ("sgr-1", "sgr-2")) is None
    assert groups.calls == [("sgr-1", "sgr-2")]


def test_a_refused_closing_is_returned_and_a_throttled_one_raised() -> None:
    """A refusal is looked into by the caller; not being heard means being delivered again."""
    groups: Any = Groups({"sgr-2": GONE})
    assert close(groups, "sg-1", "ingress", ("sgr-1", "sgr-2")) is GONE
    groups = Groups({"sgr-2": SLOW})
    with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
        close(groups, "sg-1", "ingress", ("sgr-1", "sgr-2"))
    assert len(groups.calls) == 1


def test_closing_singly_goes_through_all_and_raises_what_may_pass() -> None:
    """No rule stays open because another one could not be closed."""
    groups: Any = Groups({"sgr-1": SLOW, "sgr-2": DENIED})
    with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
        close_singly(groups, "sg-1", "ingress", ("sgr-1", "sgr-2", "sgr-3"))
    assert groups.calls == [("sgr-1",), ("sgr-2",), ("sgr-3",)]


def test_closing_singly_stops_when_the_group_is_gone() -> None:
    """Its rules are gone with it."""
    groups: Any = Groups({"sgr-1": NO_GROUP})
    close_singly(groups, "sg-1", "ingress", ("sgr-1", "sgr-2"))
    assert groups.calls == [("sgr-1",)]


def test_taking_back_splits_a_refused_call_and_names_the_rules_it_failed_for() -> None:
    """One by one, each with EC2's own reason."""
    groups: Any = Groups({2: DENIED})
    failures = take_back(groups, "sg-1", (Revoke(direction="ingress", rules=(A, B, C)),))
    assert [(one.rule, one.error) for one in failures] == [(B, DENIED)]
    assert groups.calls == [(1, 2, 3), (1,), (2,), (3,)]


def test_taking_back_goes_on_with_the_next_step() -> None:
    """A refused step says nothing about the others."""
    groups: Any = Groups({1: DENIED, "sgr-9": DENIED})
    plan = (
        Revoke(direction="ingress", rules=(A,)),
        Modify(rule_id="sgr-9", edit=Modification(before=B, after=C)),
        Describe(direction="ingress", edits=(Modification(before=B, after=B),)),
        Authorize(direction="ingress", rules=(C,)),
    )
    assert [one.rule for one in take_back(groups, "sg-1", plan)] == [A, B]
    assert groups.calls == [(1,), ("sgr-9",), (2,), (3,)]


def test_taking_back_splits_refused_descriptions_too() -> None:
    """One description EC2 refuses does not keep the others wrong."""
    groups: Any = Groups({2: DENIED})
    edits = tuple(Modification(before=one, after=one) for one in (A, B))
    failures = take_back(groups, "sg-1", (Describe(direction="ingress", edits=edits),))
    assert [one.rule for one in failures] == [B]


def test_what_is_already_so_is_no_failure() -> None:
    """A rule to revoke that is gone, a rule to authorize that is there."""
    duplicate = Ec2Error("InvalidPermission.Duplicate", "there", is_transient=False)
    groups: Any = Groups({1: GONE, 2: duplicate})
    plan = (Revoke(direction="ingress", rules=(A,)), Authorize(direction="ingress", rules=(B,)))
    assert take_back(groups, "sg-1", plan) == ()


def test_a_throttled_call_of_many_rules_is_not_split() -> None:
    """It says nothing about its rules; each of them is reported, to be tried again."""
    groups: Any = Groups({1: SLOW})
    failures = take_back(groups, "sg-1", (Authorize(direction="ingress", rules=(A, B)),))
    assert [(one.rule, one.error) for one in failures] == [(A, SLOW), (B, SLOW)]
    assert groups.calls == [(1, 2)]


def test_applying_stops_at_the_first_refusal() -> None:
    """What was done so far is the caller's to take back."""
    groups: Any = Groups({2: DENIED})
    plan = tuple(Authorize(direction="ingress", rules=(one,)) for one in (A, B, C))
    with pytest.raises(Ec2Error, match="UnauthorizedOperation"):
        carry_out(groups, "sg-1", plan)
    assert groups.calls == [(1,), (2,)]


def test_replacing_closes_before_it_opens() -> None:
    """For edits that had no effect in place."""
    plan = replacing([Modification(before=A, after=B)])
    assert plan == (Revoke(direction="ingress", rules=(A,)), Authorize(direction="ingress", rules=(B,)))
