"""The account in memory answers the calls of EC2 as moto with the sandbox's repairs does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.domain.rule import group, prefix_list
from tests.attack.stories import product
from tests.support.member_account import ACCOUNT, Member, Person, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

A, B = rule(22, "10.0.0.0/8", "a"), rule(23, "2001:db8::/32", "b")
C = rule(24, "0.0.0.0/0", "c")

CALLS: dict[str, Callable[[Person], Any]] = {
    "open": lambda one: one.opens(A, B, tags=[("team", "x")]),
    "open twice": lambda one: (one.opens(A), one.opens(A)),
    "open a reference to a missing group": lambda one: one.opens(rule(1, group("sg-0123456789abcdef0"))),
    "close by id": lambda one: (one.opens(A, B), one.closes(A)),
    "close by values": lambda one: (one.opens(A, C), one.closes(A, by_id=False)),
    "edit": lambda one: (one.opens(A), one.edits((A, C))),
    "edit into another": lambda one: (one.opens(A, C), one.edits((A, C))),
    "swap in one call": lambda one: (one.opens(A, C), one.edits((A, C), (C, A))),
    "edit to another kind of source": lambda one: (one.opens(A), one.edits((A, B))),
    "describe": lambda one: (one.opens(A), one.describes(with_description(A, "new"))),
    "describe by id": lambda one: (one.opens(A), one.describes_by_id(with_description(A, "new"))),
    "describe what is missing": lambda one: one.describes(with_description(C, "new")),
}


def outcome(member: Member, call: Callable[[Person], Any]) -> tuple[str, Any]:
    """Return EC2's error code, and the group afterwards."""
    try:
        call(Person(member))
    except ClientError as error:
        return error.response["Error"]["Code"], member.state()
    return "", member.state()


@pytest.mark.parametrize("name", CALLS)
def test_calls_end_as_in_moto(member: Member, name: str) -> None:
    """The same error, or none, and the same rules, descriptions and tags."""
    expected = outcome(member, CALLS[name])
    with product() as begin:
        made, account = begin()
        with account.installed():
            assert outcome(made, CALLS[name]) == expected


def test_ids_survive_edits_alone() -> None:
    """An edit keeps a rule's id; a rule made anew gets another one."""
    with product() as begin:
        member, account = begin()
        with account.installed():
            one = Person(member)
            one.opens(A, rule(5, prefix_list("pl-0123456789abcdef0")))
            before = member.id_of(A)
            one.edits((A, C))
            assert member.id_of(C) == before
            one.closes(C)
            one.opens(C)
            assert member.id_of(C) != before
            assert {source.source.account for source in member.live()} <= {"", ACCOUNT}
