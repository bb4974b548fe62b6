"""Stored requests: what they still owe, and how often the change they stand for was made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.domain.record import Record
from tests.shared.slack.examples import make_record, make_request, many
from tests.support.examples import NOON

HOUR = timedelta(hours=1)


def owing() -> Record:
    """A request whose question is owed since noon, and whose answer is owed for an hour longer."""
    return make_record(make_request(many(1)), owed=(("question", NOON), ("result", NOON - HOUR)))


def test_a_debt_is_owed_until_it_is_paid() -> None:
    """What is not in the list has been paid, or was never owed."""
    assert [owing().owes(debt) for debt in ("question", "result", "dispatch")] == [True, True, False]
    assert not replace(owing(), owed=()).owes("question")


def test_only_what_is_owed_for_long_enough_is_due() -> None:
    """To the second."""
    assert owing().due(NOON) == ("question", "result")
    assert owing().due(NOON, owed_for=HOUR) == ("result",)
    assert owing().due(NOON - timedelta(seconds=1), owed_for=HOUR) == ()


def test_a_debt_that_somebody_is_paying_is_not_due_until_the_claim_is_over() -> None:
    """Who claimed it may have died."""
    claimed = replace(owing(), claimed=(("question", NOON + HOUR),))
    assert claimed.due(NOON) == ("result",)
    assert claimed.due(NOON + HOUR) == ("question", "result")


def test_a_request_stands_for_itself_and_its_repeats() -> None:
    """People are told how often the change was made, the first time included."""
    assert (owing().made, replace(owing(), repeats=4).made) == (1, 5)
