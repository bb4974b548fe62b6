"""Once a batch has closed, one question shows all that is pending of it, and one announcement the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from central.chalicelib.batches.batch import batch_id, gathering_key
from central.chalicelib.requests.table import TABLE
from shared.domain.change import make_change
from shared.domain.operations import Added, Removed
from tests.support.batches import (
    BEGUN,
    adds,
    buttons,
    close,
    edits,
    file_batch,
    question,
    record,
    removes,
    rule,
    statuses,
    value_of,
)
from tests.support.bot import APPROVAL_ID, has_buttons, messages_in, updates, use_bot
from tests.support.central_account import Central, fail_once, make_table
from tests.support.slack_limits import check
from tests.support.slack_stand_in import APPROVAL, MONITORING, Reply

DOWN = Reply(status=503)
APPROVED = rule(22, description="ops", rule_id="sgr-1")
TWO_FOR_ADDING = """
[[rules]]
match = { kinds = ["add"] }
approvals = 2
"""


def test_one_question_replaces_those_of_all_calls(central: Central) -> None:
    """It has the buttons for all; monitoring sees the same without them."""
    name = file_batch(central, *(adds(number) for number in range(1, 6)))
    central.sweep()
    assert (len(central.approval), len(central.monitoring)) == (2, 2)
    assert list(buttons(question(central))) == ["approve", "deny", "one_by_one"]
    labels = [one["text"]["text"] for one in buttons(question(central)).values()]
    assert labels == ["Approve All", "Deny All", "Ask One by One"]
    assert value_of(question(central)) == {"requestId": name, "digest": central.item(name)["digest"]}
    assert buttons(central.monitoring[-1]) == {}
    for post in (central.approval[-1], central.monitoring[-1]):
        check(post.payload)
        for number in range(1, 6):
            assert f"TCP {1000 + number} from 10.0.0.0/8" in post.text
            assert f"Request r-{number}" in post.text
    assert {record(central, number).tasks for number in range(1, 6)} == {()}
    assert central.item(name)["tasks"] == {}
    assert "status" not in central.item(name)


def test_nothing_is_asked_while_the_batch_is_open(central: Central) -> None:
    """Nor by a sweep that comes meanwhile."""
    for number in (1, 2):
        central.file(adds(number))
    central.sweep()
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


def test_a_batch_is_asked_once(central: Central) -> None:
    """However often the sweep comes by."""
    file_batch(central, adds(1), adds(2))
    for minutes in (0, 1, 6, 30):
        central.sweep(minutes=minutes)
    assert (len(central.approval), len(central.monitoring)) == (2, 2)


def test_one_call_alone_is_not_asked_again(central: Central) -> None:
    """Its own question says it all."""
    central.file(adds(1))
    close(central, adds(1))
    central.sweep()
    assert len(central.approval) == 1
    assert record(central, 1).asked_in == ""


def test_several_groups_are_one_question(central: Central) -> None:
    """With the net change of each."""
    file_batch(central, *(adds(number, group_id=f"sg-{number % 3}") for number in range(1, 7)))
    central.sweep()
    text = central.approval[-1].text
    for number in range(3):
        assert f"Security group {number + 1} of 3" in text
    assert text.count("Add 2 inbound rules") == 3


def test_fifty_calls_are_two_messages_with_every_rule(central: Central) -> None:
    """Parts not counted; no rule is dropped from view."""
    file_batch(central, *(adds(number, group_id=f"sg-{number % 5}") for number in range(1, 51)))
    central.sweep()
    texts = [post.text for post in central.approval[1:]]
    assert len({value_of(post)["digest"] for post in central.approval[1:] if buttons(post)}) == 1
    for number in range(1, 51):
        assert any(f"TCP {1000 + number} from" in text for text in texts)
    for post in (*central.approval, *central.monitoring):
        check(post.payload)
    assert [bool(buttons(post)) for post in central.approval[1:]] == [*[False] * (len(texts) - 1), True]


# -- the net change ----------------------------------------------------------------------------------------------------


def test_a_rule_removed_and_added_again_is_one_edit(central: Central) -> None:
    """Terraform's in-line rules: Revoke, then Authorize with another description."""
    now = replace(APPROVED, description="on call", rule_id="sgr-2")
    file_batch(
        central,
        removes(1, APPROVED),
        edits(2, APPROVED, now, APPROVED, operations=(Added(rule=now),)),
    )
    central.sweep()
    text = question(central).text
    assert "Change 1 inbound rule" in text
    assert "Remove 1 inbound rule" not in text
    assert statuses(central, 1, 2) == ["pending", "pending"]


def test_a_chain_of_edits_shows_first_and_last(central: Central) -> None:
    """A to B and B to C are A to C."""
    first, last = replace(APPROVED, from_port=23, to_port=23), replace(APPROVED, from_port=24, to_port=24)
    file_batch(central, edits(1, APPROVED, first, APPROVED), edits(2, first, last, APPROVED))
    central.sweep()
    (change,) = [block for block in question(central).payload["blocks"] if "After: " in str(block)][:1]
    assert "Before: TCP 22" in str(change)
    assert "After: TCP 24" in str(change)


def test_what_cancels_out_is_not_asked(central: Central) -> None:
    """Its requests expire as superseded, and are announced with their rules in both channels."""
    put_back = call_put_back(2)
    name = file_batch(central, removes(1, APPROVED), put_back, removes(3, APPROVED), call_put_back(4))
    central.sweep()
    assert central.item(name)["outcome"] == "superseded"
    assert [record(central, number).is_superseded for number in (1, 3)] == [True, True]
    assert statuses(central, 2, 4) == ["observed", "observed"]
    for posts in (central.approval, central.monitoring):
        assert "2 calls cancelled by their requester" in posts[-1].text
        assert "remove TCP 22 (SSH) from 10.0.0.0/8, description ops" in posts[-1].text
        assert buttons(posts[-1]) == {}
    count = len(central.slack.posts)
    central.sweep(minutes=10)
    assert len(central.slack.posts) == count
    assert {record(central, number).tasks for number in range(1, 5)} == {()}


def call_put_back(number: int) -> Any:
    """Return the call that adds the approved rule as it was: nothing is asked."""
    values = {"status": "observed", "change": make_change(), "approved": (APPROVED,)}
    return adds(number, APPROVED, **values)


def test_cancelled_calls_stand_below_what_is_asked(central: Central) -> None:
    """One question shows both."""
    file_batch(central, removes(1, APPROVED), call_put_back(2), adds(3), adds(4))
    central.sweep()
    assert statuses(central, 1, 3, 4) == ["expired", "pending", "pending"]
    assert "1 call cancelled by later ones" in question(central).text
    assert "2 security group calls of one requester need approval" in question(central).text


def test_a_removal_before_the_revert_cancels_an_addition(central: Central) -> None:
    """Authorize and Revoke of one rule: the second asks nothing, and the first is not wanted any more."""
    added = rule(22, rule_id="sgr-9")
    gone = (Removed(rule_id="sgr-9", rule=added),)
    file_batch(central, adds(1, added), adds(2, status="observed", change=make_change(), operations=gone))
    central.sweep()
    assert record(central, 1).is_superseded
    assert "cancelled by their requester" in central.approval[-1].text


def test_calls_whose_order_nobody_knows_are_asked_alone(central: Central) -> None:
    """Two edits of one rule within a second; the other calls are asked together."""
    one, two = replace(APPROVED, from_port=23, to_port=23), replace(APPROVED, from_port=24, to_port=24)
    file_batch(
        central,
        adds(1),
        edits(2, APPROVED, one, APPROVED, event_time=BEGUN),
        edits(3, APPROVED, two, APPROVED, event_time=BEGUN),
        adds(4),
    )
    central.sweep()
    assert [record(central, number).asked_in for number in (2, 3)] == ["", ""]
    assert record(central, 1).asked_in == record(central, 4).asked_in == batch_id("r-1")
    alone = [value_of(post)["requestId"] for post in central.approval if buttons(post)]
    assert alone == ["r-1", batch_id("r-1"), "r-2", "r-3"]


def test_a_call_that_is_left_alone_keeps_its_question(central: Central) -> None:
    """What came with it asks nothing, and has nothing to do with it."""
    file_batch(central, adds(1), adds(2, status="observed", operations=()), adds(3, status="applied"))
    central.sweep()
    assert [value_of(post)["requestId"] for post in central.approval if buttons(post)] == ["r-1"]
    assert record(central, 1).asked_in == ""
    assert "1 call observed" in central.monitoring[-1].text


# -- what it needs -----------------------------------------------------------------------------------------------------


def test_a_batch_needs_the_strictest_of_its_requests(central: Central, policy: Callable[[str], None]) -> None:
    """Two people, for all of it."""
    policy(TWO_FOR_ADDING)
    file_batch(central, removes(1, APPROVED), adds(2))
    central.sweep()
    assert "0 of 2 approvals" in question(central).text


def test_hours_are_offered_where_the_net_change_only_adds(central: Central, policy: Callable[[str], None]) -> None:
    """A button for each."""
    policy("offer_hours = [8, 72]")
    file_batch(central, adds(1), adds(2))
    central.sweep()
    labels = [one["text"]["text"] for one in buttons(question(central)).values()]
    assert labels == ["Approve All", "Approve All for 8 h", "Approve All for 72 h", "Deny All", "Ask One by One"]
    assert value_of(question(central), "approve_for_8")["hours"] == 8


def test_hours_are_not_offered_where_something_is_removed(central: Central, policy: Callable[[str], None]) -> None:
    """A removal opens nothing."""
    policy("offer_hours = [8]")
    file_batch(central, adds(1), removes(2, APPROVED))
    central.sweep()
    assert list(buttons(question(central))) == ["approve", "deny", "one_by_one"]


@pytest.mark.parametrize(
    "text",
    [
        '[[rules]]\nmatch = { kinds = ["add"] }\nmax_hours = 8\n',
        '[[rules]]\nmatch = { kinds = ["add"] }\napprovers = ["U1AAA"]\n'
        '[[rules]]\nmatch = { kinds = ["remove"] }\napprovers = ["U2AAA"]\n',
    ],
)
def test_what_nobody_could_answer_for_all_is_asked_one_by_one(
    central: Central, policy: Callable[[str], None], text: str
) -> None:
    """Required hours that cannot be offered; lists of approvers with nobody in all of them."""
    policy(text)
    file_batch(central, adds(1), removes(2, APPROVED))
    central.sweep()
    assert [record(central, number).asked_in for number in (1, 2)] == ["", ""]
    assert [value_of(post, "deny")["requestId"] for post in central.approval if buttons(post)] == ["r-1", "r-1", "r-2"]


def test_the_dialog_names_number_of_rules_and_widest_source(central: Central) -> None:
    """Of all that is approved with one click."""
    file_batch(central, adds(1), adds(2, rule(22, "0.0.0.0/0")), adds(3, rule(23, "192.0.2.1/32")))
    central.sweep()
    text = buttons(question(central))["approve"]["confirm"]["text"]["text"]
    assert "3 rules in 1 group" in text
    assert "Widest source: 0.0.0.0/0 (the whole internet)" in text


# -- what is only announced --------------------------------------------------------------------------------------------


def test_what_is_only_announced_is_one_message(central: Central) -> None:
    """The first at once, the others together: in monitoring alone."""
    file_batch(central, *(adds(number, status="observed") for number in range(1, 21)))
    central.sweep()
    assert central.approval == []
    assert len(central.monitoring) == 2
    assert "19 calls observed" in central.monitoring[-1].text
    assert {record(central, number).tasks for number in range(1, 21)} == {()}
    central.sweep(minutes=10)
    assert len(central.monitoring) == 2


# -- crashes, conflicts, outages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("projection", ["KEYS_ONLY", "ALL"])
def test_any_projection_of_the_index_will_do(central: Central, projection: str) -> None:
    """What the index does not list is read from the table."""
    central.dynamodb.delete_table(TableName=TABLE)
    make_table(central.dynamodb, projection)
    file_batch(central, adds(1), adds(2))
    central.sweep()
    assert list(buttons(question(central))) == ["approve", "deny", "one_by_one"]


def test_a_batch_that_slack_refused_is_asked_later(central: Central) -> None:
    """The message stays a task of the batch."""
    file_batch(central, adds(1), adds(2))
    central.slack.always |= {APPROVAL: DOWN, MONITORING: DOWN}
    central.sweep()
    assert len(central.approval) == 1
    central.slack.always.clear()
    central.sweep(minutes=3)
    assert (len(central.approval), len(central.monitoring)) == (2, 2)


def test_an_outage_of_slack_loses_no_announcement(central: Central) -> None:
    """The announced requests lead to it until it is posted."""
    file_batch(central, *(adds(number, status="observed") for number in (1, 2, 3)))
    central.slack.always |= {MONITORING: DOWN}
    central.sweep()
    central.slack.always.clear()
    central.sweep(minutes=3)
    assert "2 calls observed" in central.monitoring[-1].text
    assert {record(central, number).tasks for number in (1, 2, 3)} == {()}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2])
def test_a_crash_at_any_write_is_made_good_by_the_next_sweep(
    central: Central, monkeypatch: pytest.MonkeyPatch, after: bool, call: int
) -> None:
    """Closing the batch, asking it."""
    file_batch(central, adds(1), adds(2))
    fail_once(monkeypatch, "transact_write_items", after=after, number=call)
    central.sweep()
    central.sweep(minutes=3)
    assert (len(central.approval), len(central.monitoring)) == (2, 2)


def test_an_earlier_batch_is_asked_after_a_later_one_has_begun(central: Central) -> None:
    """The later one has taken its place as the open batch."""
    file_batch(central, adds(1), adds(2))
    for number in (3, 4):
        central.file(adds(number))
    central.sweep()
    assert value_of(question(central))["requestId"] == batch_id("r-1")
    assert record(central, 4).asked_in == batch_id("r-3")


def test_a_batch_expires_with_its_first_request(central: Central) -> None:
    """All of it, with one message in each channel."""
    name = file_batch(central, adds(1), adds(2))
    central.sweep()
    central.sweep(hours=73)
    assert statuses(central, 1, 2) == ["expired", "expired"]
    assert central.item(name)["outcome"] == "expired"
    assert (len(central.approval), len(central.monitoring)) == (3, 3)
    assert "2 calls expired" in central.approval[-1].text
    central.sweep(hours=74)
    assert len(central.approval) == 3
    assert {record(central, number).tasks for number in (1, 2)} == {()}


def test_a_batch_is_asked_again_once(central: Central) -> None:
    """The reminder."""
    file_batch(central, adds(1), adds(2))
    central.sweep()
    for hours in (5, 6, 20):
        central.sweep(hours=hours)
    assert len(central.approval) == 3
    assert "Reminder: 2 security group calls" in central.approval[-1].text
    assert list(buttons(central.approval[-1])) == ["approve", "deny", "one_by_one"]


def test_a_batch_whose_item_is_lost_is_asked_nevertheless(central: Central) -> None:
    """Damage: each of its requests is found, and asked."""
    file_batch(central, adds(1), adds(2), adds(3), adds(4, status="observed"), adds(5, status="observed"))
    central.dynamodb.delete_item(TableName=TABLE, Key={"requestId": {"S": gathering_key(adds(1))}})
    central.sweep()
    central.sweep(minutes=1)
    asked = [value_of(post)["requestId"] for post in central.approval if buttons(post)]
    assert asked == ["r-1", "r-1", "r-2", "r-3"]
    assert "r-5" in "".join(post.text for post in central.monitoring)
    assert {record(central, number).tasks for number in range(1, 6)} == {()}


def test_the_question_of_the_first_call_loses_its_buttons_where_the_bot_posts(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question for all is a new message."""
    use_bot(central.slack, monkeypatch)
    file_batch(central, adds(1), adds(2))
    central.sweep()
    own = central.item("r-1")["approvalPost"].split("/")[1]
    (retired,) = [post for post in updates(central, APPROVAL_ID) if post.payload["ts"] == own]
    assert not has_buttons(retired)
    assert has_buttons(messages_in(central, APPROVAL_ID)[-1])
