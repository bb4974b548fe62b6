"""A click on a batch decides all of it, on exactly what was shown; whoever loses the race is told who won."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from central.chalicelib.batches.batch import batch_id
from central.chalicelib.requests.table import TABLE
from shared.domain.change import make_change
from shared.domain.net_change import digest_of
from shared.domain.operations import Added
from shared.domain.request import Request
from shared.wire.messages import ApplyBatchMessage, DenyMessage, RequestMessage
from tests.support.batches import (
    BEGUN,
    adds,
    buttons,
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
from tests.support.central_account import Central, fail_once, meet_transactions
from tests.support.slack_stand_in import Post

APPLY, DENY = "applySecurityGroupChange", "denySecurityGroupChange"
APPROVED = rule(22, description="ops", rule_id="sgr-1")
TWO = '[[rules]]\nmatch = { kinds = ["add"] }\napprovals = 2\n'


def asked(central: Central, *requests: Request) -> Post:
    """File requests as a batch, have it asked, and return the question."""
    file_batch(central, *(requests or (adds(1), adds(2), adds(3))))
    central.sweep()
    return question(central)


# -- the first one's own question --------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_the_first_questions_buttons_change_nothing(central: Central, action: str) -> None:
    """From the second request on: whoever clicks is told when the question for all is asked."""
    first = adds(1)
    central.file(first)
    own = question(central)
    central.file(adds(2))
    assert press(central, own, action).status == 200
    assert statuses(central, 1, 2) == ["pending", "pending"]
    told, shown = central.responses
    assert "one question for all of them replaces this one. It is asked by" in told.text
    assert buttons(shown) == {}
    assert (central.sent(APPLY), central.sent(DENY)) == ([], [])


def test_approvals_given_to_the_first_question_do_not_count(central: Central, policy: Callable[[str], None]) -> None:
    """They were given to another question."""
    policy(TWO)
    central.file(adds(1))
    press(central, question(central), "approve", by="U1AAA")
    assert len(record(central, 1).approvals) == 1
    central.file(adds(2))
    assert record(central, 1).approvals == ()


# -- approve, deny -----------------------------------------------------------------------------------------------------


def test_approve_all_sends_one_message_to_the_member(central: Central) -> None:
    """With every request, in the order of their calls, and the digest of the question."""
    post = asked(central)
    press(central, post, "approve")
    assert statuses(central, 1, 2, 3) == ["approved"] * 3
    (message,) = central.sent(APPLY)
    assert isinstance(message, ApplyBatchMessage)
    assert message.batch_id == batch_id("r-1")
    assert message.digest == value_of(post)["digest"]
    assert message.requests == tuple((f"r-{one}", record(central, one).request.digest) for one in (1, 2, 3))
    assert [one.by for one in message.approvals] == ["U061F7AUR"]
    assert "*Processing…* Approved by <@U061F7AUR>" in central.responses[-1].text
    assert buttons(central.responses[-1]) == {}
    for one in (1, 2, 3):
        assert record(central, one).decision is not None
        assert record(central, one).history[-1].by == "U061F7AUR"


def test_the_member_gets_the_calls_that_ask_nothing_too(central: Central) -> None:
    """What the others mean depends on them."""
    put_back = Added(rule=APPROVED)
    post = asked(
        central,
        removes(1, APPROVED),
        adds(2, APPROVED, status="observed", change=make_change(), operations=(put_back,)),
        adds(3),
    )
    press(central, post, "approve")
    (message,) = central.sent(APPLY)
    assert isinstance(message, ApplyBatchMessage)
    assert [one for one, _ in message.requests] == ["r-1", "r-2", "r-3"]
    assert statuses(central, 1, 2, 3) == ["expired", "observed", "approved"]


def test_approve_all_for_some_hours(central: Central, policy: Callable[[str], None]) -> None:
    """The limit is in the message, and in each request."""
    policy("offer_hours = [8]")
    press(central, asked(central), "approve_for_8")
    (message,) = central.sent(APPLY)
    assert isinstance(message, ApplyBatchMessage)
    assert message.valid_until is not None
    assert {record(central, one).valid_until for one in (1, 2, 3)} == {message.valid_until}


def test_hours_that_were_not_offered_are_refused(central: Central) -> None:
    """An altered button."""
    post = asked(central)
    value = json.dumps(value_of(post) | {"hours": 9})
    press(central, post, "approve", actions=[{"action_id": "approve_for_9", "type": "button", "value": value}])
    assert statuses(central, 1, 2, 3) == ["pending"] * 3
    assert "It cannot be approved for 9 h" in central.responses[0].text


def test_deny_all(central: Central) -> None:
    """Everything stays reverted, and both channels hear of it once."""
    press(central, asked(central), "deny")
    assert statuses(central, 1, 2, 3) == ["denied"] * 3
    (message,) = central.sent(DENY)
    assert isinstance(message, DenyMessage)
    central.deliver(message, to=DENY)
    central.deliver(message, to=DENY)
    assert "3 calls denied" in central.responses[-1].text
    assert len(central.monitoring) == 3
    assert {record(central, one).tasks for one in (1, 2, 3)} == {()}
    posts = len(central.slack.posts)
    central.sweep(minutes=10)
    assert len(central.slack.posts) == posts


def test_a_denial_whose_publish_failed_is_told_by_the_sweep(central: Central) -> None:
    """The decision is stored; nothing else is needed."""
    post = asked(central)
    central.break_topic(DENY)
    press(central, post, "deny")
    central.sweep(minutes=1)
    assert "3 calls denied" in central.monitoring[-1].text
    assert {record(central, one).tasks for one in (1, 2, 3)} == {()}


def test_an_approval_whose_publish_failed_is_dispatched_by_the_sweep(central: Central) -> None:
    """After five minutes."""
    post = asked(central)
    central.break_topic(APPLY)
    press(central, post, "approve")
    central.make_topic(APPLY)
    central.sweep(minutes=6)
    assert len(central.sent(APPLY)) == 1
    central.sweep(minutes=7)
    assert central.sent(APPLY) == []


# -- one by one --------------------------------------------------------------------------------------------------------


def test_ask_one_by_one(central: Central) -> None:
    """The next sweep asks each; they are never gathered again."""
    press(central, asked(central), "one_by_one")
    assert statuses(central, 1, 2, 3) == ["pending"] * 3
    assert "one by one" in central.responses[-1].text
    posts = len(central.monitoring)
    for minutes in (1, 2, 10):
        central.sweep(minutes=minutes)
    own = [value_of(post)["requestId"] for post in central.approval if buttons(post)]
    assert own == ["r-1", batch_id("r-1"), "r-1", "r-2", "r-3"]
    assert len(central.monitoring) == posts
    press(central, question(central), "approve")
    assert statuses(central, 1, 2, 3) == ["pending", "pending", "approved"]
    assert {record(central, one).asked_in for one in (1, 2, 3)} == {""}


def test_a_removal_that_was_put_back_is_not_asked_alone(central: Central) -> None:
    """It is superseded: the later request carries the edit, and both channels hear of it."""
    now = replace(APPROVED, description="on call", rule_id="sgr-2")
    edit = edits(2, APPROVED, now, APPROVED, operations=(Added(rule=now),))
    press(central, asked(central, removes(1, APPROVED), edit, adds(3)), "one_by_one")
    central.sweep(minutes=1)
    assert record(central, 1).is_superseded
    assert statuses(central, 2, 3) == ["pending", "pending"]
    assert [value_of(post)["requestId"] for post in central.approval if buttons(post)][-2:] == ["r-2", "r-3"]
    for posts in (central.approval, central.monitoring):
        assert "cancelled by its requester" in posts[-1].text
        assert "description" in posts[-1].text.lower()


def test_what_only_fits_together_is_asked_together(central: Central) -> None:
    """A chain of edits of which only a part is overtaken."""
    first, second = replace(APPROVED, from_port=23, to_port=23), replace(APPROVED, from_port=24, to_port=24)
    other = rule(443, rule_id="sgr-2")
    two = edits(1, APPROVED, first, APPROVED)
    mixed = replace(two, change=replace(two.change, added=(other,)), operations=(*two.operations, Added(rule=other)))
    press(central, asked(central, mixed, edits(2, first, second, APPROVED), adds(3)), "one_by_one")
    central.sweep(minutes=1)
    last = [value_of(post)["requestId"] for post in central.approval if buttons(post)][2:]
    assert len(last) == 2
    assert "r-3" in last
    together = next(one for one in last if one != "r-3")
    assert together.startswith("batch#")
    post = next(post for post in central.approval if buttons(post) and value_of(post)["requestId"] == together)
    press(central, post, "approve")
    assert statuses(central, 1, 2, 3) == ["approved", "approved", "pending"]


# -- who, and on what --------------------------------------------------------------------------------------------------


def test_two_people_approve_where_two_are_needed(central: Central, policy: Callable[[str], None]) -> None:
    """The approvals are the batch's; the same person counts once."""
    policy(TWO)
    post = asked(central)
    press(central, post, "approve", by="U1AAA")
    assert "*1 of 2 approvals*" in central.responses[-1].text
    assert "approve" in buttons(central.responses[-1])
    press(central, post, "approve", by="U1AAA")
    assert statuses(central, 1, 2, 3) == ["pending"] * 3
    assert "You have approved this already" in central.responses[1].text
    press(central, post, "approve", by="U2AAA")
    assert statuses(central, 1, 2, 3) == ["approved"] * 3
    (message,) = central.sent(APPLY)
    assert isinstance(message, ApplyBatchMessage)
    assert [one.by for one in message.approvals] == ["U1AAA", "U2AAA"]


def test_who_may_not_decide_is_told_who_may(central: Central, policy: Callable[[str], None]) -> None:
    """Nothing is changed, by no button."""
    policy('approvers = ["U1AAA"]')
    post = asked(central)
    for action in ("approve", "deny", "one_by_one"):
        press(central, post, action, by="U9AAA")
    assert statuses(central, 1, 2, 3) == ["pending"] * 3
    assert central.item(batch_id("r-1")).get("outcome") is None
    assert "You are not one of the approvers" in central.responses[-1].text


@pytest.mark.parametrize("key", ["requestId", "digest"])
def test_an_altered_value_changes_nothing(central: Central, key: str) -> None:
    """Neither another digest nor another batch."""
    post = asked(central)
    value = value_of(post) | {key: "0" * 64 if key == "digest" else "batch#unknown"}
    action = {"action_id": "approve", "type": "button", "value": json.dumps(value)}
    assert press(central, post, "approve", actions=[action]).status == 200
    assert statuses(central, 1, 2, 3) == ["pending"] * 3
    assert "Nothing was changed" in central.responses[0].text or "changed nothing" in central.responses[0].text


def test_a_single_request_cannot_be_asked_one_by_one(central: Central) -> None:
    """There is no such button."""
    request = central.file(adds(1))
    assert central.click(request, "one_by_one").status == 400


def test_what_is_stored_otherwise_is_not_approved(central: Central) -> None:
    """The digest covers what the stored requests come to now."""
    post = asked(central)
    gone = central.item("r-2") | {"status": "expired", "askedIn": ""}
    central.edit("r-2", **gone)
    press(central, post, "approve")
    assert statuses(central, 1, 3) == ["pending", "pending"]
    assert "This question has changed since" in central.responses[0].text


def test_what_left_a_batch_has_the_rest_asked_anew(central: Central) -> None:
    """With another digest: the earlier question decides nothing."""
    post = asked(central)
    central.edit("r-2", status="expired", askedIn="")
    central.edit(batch_id("r-1"), isOutdated=True)
    central.sweep(minutes=1)
    anew = question(central)
    assert value_of(anew)["digest"] != value_of(post)["digest"]
    assert "2 security group calls of one requester need approval" in anew.text
    press(central, post, "approve")
    assert statuses(central, 1, 3) == ["pending", "pending"]
    press(central, anew, "approve")
    assert statuses(central, 1, 3) == ["approved", "approved"]


def test_a_click_after_the_end_is_told_who_decided(central: Central) -> None:
    """And the message is brought up to date."""
    post = asked(central)
    press(central, post, "deny", by="U1AAA")
    press(central, post, "approve", by="U2AAA")
    assert statuses(central, 1, 2, 3) == ["denied"] * 3
    assert "Your click changed nothing. Denied by grace" in central.responses[-2].text
    assert buttons(central.responses[-1]) == {}


def test_a_click_after_the_time_lets_the_batch_expire(central: Central) -> None:
    """Not only the sweep does."""
    post = asked(central)
    central.edit(batch_id("r-1"), firstAt="2026-01-01T00:00:00.000Z")
    press(central, post, "approve")
    assert statuses(central, 1, 2, 3) == ["expired"] * 3
    (message,) = central.sent(DENY)
    central.deliver(message, to=DENY)
    assert "3 calls expired" in central.monitoring[-1].text


# -- races and faults --------------------------------------------------------------------------------------------------


def test_a_hundred_clicks_at_once_are_one_decision(central: Central) -> None:
    """Some approve, some deny; one of them wins, and the others are told."""
    post = asked(central)
    start = Barrier(100)

    def click(number: int) -> int:
        start.wait(60)
        return press(central, post, "approve" if number % 2 else "deny", by=f"U{number:05d}").status

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(click, range(100)))
    assert set(answers) == {200}
    assert len(set(statuses(central, 1, 2, 3))) == 1
    deciders = {(item.decision.by if item.decision else "") for item in (record(central, one) for one in (1, 2, 3))}
    assert len(deciders) == 1
    assert len(central.sent(APPLY)) + len(central.sent(DENY)) == 1
    assert all(len(record(central, one).history) == 2 for one in (1, 2, 3))


@pytest.mark.parametrize("after", [False, True])
def test_a_write_that_dynamodb_does_not_confirm_decides_at_most_once(
    central: Central, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """The click is answered, or the clicker told to click again."""
    post = asked(central)
    fail_once(monkeypatch, "transact_write_items", after=after)
    press(central, post, "approve")
    press(central, post, "approve")
    assert statuses(central, 1, 2, 3) == ["approved"] * 3
    assert all(len(record(central, one).history) == 2 for one in (1, 2, 3))


def test_a_conflict_is_tried_again(central: Central) -> None:
    """Somebody else's transaction on one of the items."""
    post = asked(central)
    meet_transactions(central.dynamodb, "TransactWriteItems", 1)
    press(central, post, "approve")
    assert statuses(central, 1, 2, 3) == ["approved"] * 3


def test_the_largest_batch_is_one_transaction(central: Central) -> None:
    """Sixty requests and the batch's own item: DynamoDB takes a hundred."""
    requests = [adds(number, event_time=BEGUN) for number in range(1, 61)]
    post = asked(central, *requests)
    press(central, post, "approve")
    assert set(statuses(central, *range(1, 61))) == {"approved"}
    (message,) = central.sent(APPLY)
    assert isinstance(message, ApplyBatchMessage)
    assert len(message.requests) == 60


def test_a_request_filed_again_after_the_decision_changes_nothing(central: Central) -> None:
    """A redelivered message."""
    first = adds(1)
    post = asked(central, first, adds(2))
    press(central, post, "approve")
    central.deliver(RequestMessage(request=first))
    assert record(central, 1).status == "approved"
    assert central.dynamodb.scan(TableName=TABLE, Select="COUNT")["Count"] == 4


def test_the_rest_is_approved_while_others_are_asked_alone(central: Central) -> None:
    """What left before the question has no part in its digest, nor in the message to the member."""
    one, two = replace(APPROVED, from_port=23, to_port=23), replace(APPROVED, from_port=24, to_port=24)
    unsure = [edits(number, APPROVED, now, APPROVED, event_time=BEGUN) for number, now in ((2, one), (3, two))]
    file_batch(central, adds(1), *unsure, adds(4))
    central.sweep()
    post = next(post for post in central.approval if buttons(post) and "batch#" in value_of(post)["requestId"])
    press(central, post, "approve")
    assert statuses(central, 1, 2, 3, 4) == ["approved", "pending", "pending", "approved"]
    (message,) = central.sent(APPLY)
    assert isinstance(message, ApplyBatchMessage)
    assert [name for name, _ in message.requests] == ["r-1", "r-4"]
    assert message.digest == digest_of([record(central, number).request for number in (1, 4)])
