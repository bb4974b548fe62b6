"""What later calls of its requester have overtaken is neither asked nor applied, also where nothing is gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from central.chalicelib.batches.batch import batch_id, gathering_key
from central.chalicelib.batches.deciding import Batches
from central.chalicelib.requests.table import TABLE
from shared.domain.change import make_change
from shared.domain.operations import Added, Removed
from shared.domain.request import Request
from shared.wire.messages import RequestMessage
from tests.support.batches import (
    adds,
    buttons,
    call,
    edits,
    file_batch,
    press,
    question,
    record,
    removes,
    rule,
    statuses,
    value_of,
)
from tests.support.central_account import ADA, Central, fail_once, make_table

APPROVED = rule(22, description="ops", rule_id="sgr-1")
NOW = replace(APPROVED, description="on call", rule_id="sgr-2")
ALONE = "gather_seconds = 0\n"


def puts_back(number: int) -> Request:
    """Return the call that adds the approved rule again, with another description."""
    return edits(number, APPROVED, NOW, APPROVED, operations=(Added(rule=NOW),))


@pytest.fixture
def alone(policy: Callable[[str], None]) -> None:
    """Nothing is gathered."""
    policy(ALONE)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_removal_whose_rule_was_put_back_is_superseded(central: Central, order: tuple[int, int]) -> None:
    """The later request carries the edit, in whatever order the two arrive."""
    requests = {1: removes(1, APPROVED), 2: puts_back(2)}
    for number in order:
        central.file(requests[number])
    assert record(central, 1).is_superseded
    assert statuses(central, 2) == ["pending"]
    for posts in (central.approval, central.monitoring):
        assert any("cancelled by its requester" in post.text for post in posts)
    assert value_of(question(central))["requestId"] == "r-2"
    assert '"requestId":"r-1"' not in question(central).text


@pytest.mark.usefixtures("alone")
def test_the_superseded_question_decides_nothing(central: Central) -> None:
    """Its buttons are old."""
    central.file(removes(1, APPROVED))
    post = question(central)
    central.file(puts_back(2))
    press(central, post, "approve")
    assert record(central, 1).is_superseded
    assert central.sent("applySecurityGroupChange") == []


@pytest.mark.usefixtures("alone")
def test_an_addition_that_was_removed_before_the_revert_is_superseded(central: Central) -> None:
    """The removal asks nothing, and says what the requester wants."""
    added = rule(22, rule_id="sgr-9")
    central.file(adds(1, added))
    gone = (Removed(rule_id="sgr-9", rule=added),)
    central.file(adds(2, status="observed", change=make_change(), operations=gone))
    assert record(central, 1).is_superseded


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "later",
    [
        adds(2, rule(23)),
        replace(puts_back(2), group_id="sg-other"),
        replace(puts_back(2), requester=replace(ADA, arn=ADA.arn.replace("ada", "bob"))),
    ],
)
def test_other_rules_groups_and_people_overtake_nothing(central: Central, later: Request) -> None:
    """Both are asked."""
    central.file(removes(1, APPROVED))
    central.file(later)
    assert statuses(central, 1, 2) == ["pending", "pending"]
    assert len([post for post in central.approval if buttons(post)]) == 2


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("projection", ["KEYS_ONLY", "ALL"])
def test_older_requests_are_found_by_the_index(central: Central, projection: str) -> None:
    """However long ago; any projection will do."""
    central.dynamodb.delete_table(TableName=TABLE)
    make_table(central.dynamodb, projection)
    central.file(removes(1, APPROVED))
    central.dynamodb.delete_item(TableName=TABLE, Key={"requestId": {"S": gathering_key(call(1))}})
    central.file(puts_back(2))
    assert record(central, 1).is_superseded


@pytest.mark.usefixtures("alone")
def test_recent_requests_are_found_without_the_index(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lags."""
    monkeypatch.setattr(Batches, "pending_of_group", lambda *_, **__: [])
    central.file(removes(1, APPROVED))
    central.file(adds(2, rule(23)))
    central.file(puts_back(3))
    assert record(central, 1).is_superseded


@pytest.mark.usefixtures("alone")
def test_what_only_fits_together_is_asked_together(central: Central) -> None:
    """A part of the first has been overtaken: one question shows what both come to."""
    first = replace(APPROVED, from_port=23, to_port=23)
    second, other = replace(APPROVED, from_port=24, to_port=24), rule(443, rule_id="sgr-3")
    one = edits(1, APPROVED, first, APPROVED)
    one = replace(one, change=replace(one.change, added=(other,)), operations=(*one.operations, Added(rule=other)))
    central.file(one)
    central.file(edits(2, first, second, APPROVED))
    central.sweep()
    together = value_of(question(central))["requestId"]
    assert together.startswith("batch#")
    assert {record(central, number).asked_in for number in (1, 2)} == {together}
    text = question(central).text
    assert "Before: TCP 22" in text
    assert "After: TCP 24" in text
    press(central, question(central), "approve")
    assert statuses(central, 1, 2) == ["approved", "approved"]
    posts = len(central.slack.posts)
    central.sweep(minutes=1)
    assert len(central.slack.posts) == posts


def test_a_later_call_takes_one_out_of_a_batch_that_waits(central: Central) -> None:
    """The rest is asked anew; the earlier question decides nothing."""
    file_batch(central, removes(1, APPROVED), adds(2), adds(3))
    central.sweep()
    post = question(central)
    central.file(puts_back(4))
    assert record(central, 1).is_superseded
    press(central, post, "approve")
    assert statuses(central, 2, 3, 4) == ["pending"] * 3
    central.sweep(minutes=1)
    anew = question(central)
    assert value_of(anew)["requestId"] == batch_id("r-1")
    assert "Remove" not in anew.text
    press(central, anew, "approve")
    assert statuses(central, 1, 2, 3, 4) == ["expired", "approved", "approved", "pending"]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_before_the_comparison_is_made_good(
    central: Central, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """By the message that is delivered again, or by the sweep."""
    central.file(removes(1, APPROVED))
    request = puts_back(2)
    fail_once(monkeypatch, "transact_write_items", after=after, number=2)
    central.deliver(RequestMessage(request=request))
    central.sweep(minutes=6)
    assert record(central, 1).is_superseded
    assert statuses(central, 2) == ["pending"]
    assert value_of(question(central))["requestId"] == "r-2"


@pytest.mark.usefixtures("alone")
def test_the_sweep_compares_what_nobody_has_compared(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function died after storing the request."""
    with monkeypatch.context() as patched:
        patched.setattr("central.chalicelib.intake.overtake", lambda *_: True)
        central.file(removes(1, APPROVED))
        central.file(puts_back(2))
    assert statuses(central, 1, 2) == ["pending", "pending"]
    central.sweep()
    assert record(central, 1).is_superseded


# -- duplicates --------------------------------------------------------------------------------------------------------


def again(number: int) -> Request:
    """Return the same addition by the same requester."""
    return adds(number, rule(22))


@pytest.mark.usefixtures("alone")
def test_what_the_requester_wanted_otherwise_meanwhile_is_no_duplicate(central: Central) -> None:
    """It equals an earlier wish, and not the latest one for that rule."""
    for number in (1, 2):
        central.file(again(number))
    central.file(adds(3, rule(22, description="other")))
    central.file(again(4))
    assert record(central, 4).duplicate_of == ""


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("cancelled_at", "status"), [(3.5, "expired"), (2.5, "pending")])
def test_a_duplicate_of_what_was_superseded_is_asked(central: Central, cancelled_at: float, status: str) -> None:
    """Unless the later call came after it, too."""
    for number in (1, 2, 3):
        central.file(again(number))
    assert record(central, 3).duplicate_of == "r-1"
    when = record(central, 1).request.event_time + timedelta(seconds=cancelled_at - 1)
    central.file(call(9, status="observed", change=make_change(), event_time=when))
    entry = central.item("r-1")["history"][-1] | {"status": "expired", "note": "superseded", "previous": "pending"}
    central.edit("r-1", status="expired", supersededBy="r-9", history=[*central.item("r-1")["history"], entry])
    central.sweep(minutes=1)
    assert record(central, 3).status == status
    assert record(central, 3).duplicate_of == ("" if status == "pending" else "r-1")
