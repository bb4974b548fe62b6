"""The net change of stored requests, and its digest: the same for everybody who has the requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.change import Change, Modification, make_change
from shared.domain.composition import OneByOne, compose
from shared.domain.net_change import approved_of, call_of, composition_of, compositions, digest_of, questions_of
from shared.domain.operations import Added, Edited, Removed
from shared.domain.request import Request
from shared.domain.rule import Rule
from tests.support.central_account import make_request
from tests.support.examples import NOON, tcp

SSH = tcp(22, "sgr-22", description="office")


def asked(request_id: str, second: int = 0, **values: Any) -> Request:
    """A request so many seconds after noon."""
    defaults: dict[str, Any] = {"change": Change(), "group_id": "sg-1", "event_time": NOON + timedelta(seconds=second)}
    return make_request(request_id=request_id, **(defaults | values))


REMOVED = asked("a", change=make_change(removed=[SSH]), approved=(SSH,))
PUT_BACK = asked(
    "b",
    change=make_change(modified=[Modification(before=SSH, after=replace(SSH, description="the office"))]),
    operations=(Added(rule=replace(SSH, description="the office", rule_id="sgr-9")),),
    approved=(SSH,),
)


def test_a_request_is_composed_by_its_operations_or_by_its_change() -> None:
    """And keeps what it asks for alone."""
    call = call_of(PUT_BACK)
    assert call is not None
    assert (call.request_id, call.event_time) == ("b", NOON)
    assert (call.operations, call.change) == (PUT_BACK.operations, PUT_BACK.change)
    assert compositions([REMOVED, PUT_BACK])["sg-1"].change == PUT_BACK.change


@pytest.mark.parametrize(
    ("values", "is_composed"),
    [
        ({"status": "pending"}, True),
        ({"status": "pending", "origin": "ask"}, True),
        ({"status": "pending", "origin": "snapshot", "requester": None}, False),
        ({"status": "observed"}, False),
        ({"status": "observed", "change": Change()}, False),
        ({"status": "observed", "change": Change(), "operations": (Removed(rule_id="sgr-1"),)}, True),
        ({"status": "observed", "operations": (Removed(rule_id="sgr-1"),)}, False),
        ({"status": "applied", "operations": (Removed(rule_id="sgr-1"),)}, False),
        ({"status": "denied"}, False),
        ({"status": "unreverted"}, False),
    ],
)
def test_which_requests_have_a_part_in_a_net_change(values: dict[str, Any], is_composed: bool) -> None:
    """What is asked, and what was heard of rules that had been reverted before; nothing that is in force."""
    request = replace(REMOVED, **values)
    assert (call_of(request) is not None) == is_composed
    assert bool(compositions([request])) == is_composed


def test_requests_that_ask_nothing_count() -> None:
    """Authorize, reverted, and then an edit of what had been reverted: the edit's values are asked for."""
    made = asked("a", change=make_change(added=[tcp(80, "sgr-80")]))
    edited = asked(
        "b", 1, status="observed", operations=(Edited(rule_id="sgr-80", after=tcp(81), was_gone=True),), reason="gone"
    )
    assert compositions([made, edited])["sg-1"].change == make_change(added=[tcp(81)])
    assert compositions([edited])["sg-1"].change.is_empty


def test_questions_are_asked_group_by_group() -> None:
    """A removal whose rule has been put back is superseded; the later request carries the edit."""
    other = replace(REMOVED, request_id="c", group_id="sg-2")
    assert questions_of([REMOVED, PUT_BACK, other, replace(REMOVED, status="denied")]) == {
        "sg-1": OneByOne(singly=("b",), superseded=("a",), together=()),
        "sg-2": OneByOne(singly=("c",), superseded=(), together=()),
    }


def test_groups_are_composed_each_for_itself() -> None:
    """Whatever the order of the requests."""
    other = replace(REMOVED, request_id="c", group_id="sg-2")
    found = compositions([other, PUT_BACK, REMOVED])
    assert list(found) == ["sg-1", "sg-2"]
    assert found["sg-2"].change == REMOVED.change
    assert digest_of([other, PUT_BACK, REMOVED]) == digest_of([REMOVED, other, PUT_BACK])


def test_the_latest_word_on_an_approved_rule_counts() -> None:
    """It was approved with another description between the two calls."""
    newer = replace(SSH, description="new")
    again = asked("b", 1, change=make_change(removed=[SSH]), approved=(newer,))
    for some in ([REMOVED, again], [again, REMOVED]):
        (found,) = approved_of(some)
        assert found.description == "new"


def test_what_only_counts_with_a_request_is_not_composed_over() -> None:
    """It has lost its description, which the digest covers."""
    bare = replace(SSH, description="", rule_id=None)
    counted = asked("b", 1, change=make_change(added=[tcp(443)]), approved=(bare,))
    assert [one.description for one in approved_of([REMOVED, counted])] == ["office"]


def test_a_digest_differs_where_request_or_approved_rule_differ() -> None:
    """And not by the ids or tags of approved rules, which may change without asking."""
    digest = digest_of([REMOVED, PUT_BACK])
    assert digest_of([replace(REMOVED, reason="x"), PUT_BACK]) != digest
    described = (replace(SSH, description="else"),)
    assert digest_of([replace(REMOVED, approved=described), replace(PUT_BACK, approved=described)]) != digest
    restored = (replace(SSH, rule_id="sgr-77", tags=(("a", "b"),)),)
    assert digest_of([replace(REMOVED, approved=restored), replace(PUT_BACK, approved=restored)]) == digest


def test_a_group_is_composed_over_the_rules_that_are_approved_now() -> None:
    """As the member does before it applies anything."""
    rules: list[Rule] = [SSH, tcp(443)]
    found = composition_of([REMOVED, PUT_BACK], rules)
    calls = [call for one in (REMOVED, PUT_BACK) if (call := call_of(one)) is not None]
    assert found == compose(calls, rules)


def test_an_id_that_a_revert_gave_to_an_approved_rule_means_nothing() -> None:
    """Removed, added again, both reverted, which restored the rule under another id; and removed by that id."""
    added = asked("b", 1, status="observed", operations=(Added(rule=replace(SSH, rule_id="sgr-2")),), reason="x")
    restored = replace(SSH, rule_id="sgr-3")
    again = asked("c", 2, change=make_change(removed=[restored]), approved=(restored,))
    (composed,) = compositions([REMOVED, added, again]).values()
    assert composed.change == make_change(removed=[SSH])
