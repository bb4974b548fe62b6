"""Calls around an adoption: what was opened and closed again, and what an event writes while it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.attack.member.attacks import identities, look_twice, without
from tests.support.member_account import Member, Person, at, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

WIDE = rule((0, 65535), "::/0", "everything")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_before_adoption_a_rule_whose_answer_was_left_out_is_not_restored(
    member: Member, ada: Person, order: tuple[int, int]
) -> None:
    """The ids of the rules are in no event of the addition; its values are enough."""
    happened = [without(ada.opens(WIDE), "responseElements"), ada.closes(WIDE)]
    for index in order:
        member.deliver(happened[index])
    assert identities(member) == set()
    member.snapshot()
    look_twice(member)
    assert identities(member) == set()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_after_adoption_an_older_rule_whose_answer_was_left_out_is_not_restored(
    member: Member, ada: Person, order: tuple[int, int]
) -> None:
    """It had been opened and closed before adoption; both events come later."""
    moment = datetime.now(UTC) - timedelta(seconds=40)
    happened = [
        without(ada.opens(WIDE, eventTime=at(moment)), "responseElements"),
        ada.closes(WIDE, eventTime=at(moment + timedelta(seconds=5))),
    ]
    member.snapshot()
    for index in order:
        member.deliver(happened[index])
    look_twice(member)
    assert identities(member) == set()
