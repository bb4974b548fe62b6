"""Groups of other accounts, which a shared VPC shows, are not ours: no baseline, no request, no revert."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.ec2.models import ec2_backends

from tests.attack.member.attacks import identities, look_twice, names, requests, without
from tests.support.member_account import ACCOUNT, REGION, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

FOREIGN = "210987654321"
THEIRS, WIDE = rule(1521, "10.0.0.0/8", "theirs"), rule(1522, "0.0.0.0/0", "theirs too")


@pytest.fixture
def shared(member: Member) -> Iterator[str]:
    """A participant's group in a VPC of ours."""
    group_id = member.new_group("participant")
    member.holds(THEIRS, group_id=group_id)
    _own(group_id, FOREIGN)
    yield group_id
    _own(group_id, ACCOUNT)


def _own(group_id: str, account: str) -> None:
    backend = ec2_backends[ACCOUNT][REGION]
    for groups in backend.groups.values():
        if group_id in groups:
            groups[group_id].owner_id = account


@pytest.mark.parametrize("is_omitted", [True, False])
def test_a_foreign_group_is_neither_adopted_nor_compared(member: Member, shared: str, is_omitted: bool) -> None:
    """Whatever happens in it, and whatever a call without details makes us compare."""
    member.snapshot()
    assert member.baseline(shared) is None
    member.holds(WIDE, group_id=shared)
    event = Person(member).event("AuthorizeSecurityGroupIngress", {}, {"_return": True})
    member.deliver(without(event) if is_omitted else event)
    look_twice(member)
    assert identities(member, shared) == names(THEIRS, WIDE)
    assert [one for one in requests(member) if one.group_id == shared] == []


def test_a_call_on_a_foreign_group_asks_nothing(member: Member, shared: str) -> None:
    """Also one that names the group: its rules are not ours to decide."""
    member.snapshot()
    event = without(Person(member, group_id=shared).closes(THEIRS), "responseElements")
    member.deliver(event)
    look_twice(member)
    assert identities(member, shared) == set()
    assert requests(member) == []


def test_an_old_baseline_of_a_foreign_group_is_dropped(member: Member, shared: str) -> None:
    """It was ours by mistake of an earlier version, or has been moved."""
    _own(shared, ACCOUNT)
    member.snapshot()
    assert member.baseline(shared) is not None
    _own(shared, FOREIGN)
    look_twice(member)
    assert member.baseline(shared) is None
    assert requests(member) == []
