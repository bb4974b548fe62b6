"""Something puts its rule back each time it is reverted: one question stands for all of it, and nothing is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend

from central.chalicelib.requests.duplicates_table import Duplicates
from central.chalicelib.requests.table import TABLE
from central.chalicelib.sweep import SweepError
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.wire.messages import AppliedMessage, ApplyMessage, ErrorMessage, RequestMessage
from tests.support.central_account import ADA, Central, fail_once, make_request, make_table
from tests.support.slack_stand_in import APPROVAL, MONITORING, Post, Reply

PIPELINE = replace(ADA, arn="arn:aws:sts::123456789012:assumed-role/ci/build", principal_arn="arn:aws:iam::1:role/ci")
DOWN = Reply(status=503)


def repeat(number: int, **values: Any) -> Request:
    """Return the same change of the same pipeline, made for so many times."""
    session = replace(PIPELINE, arn=f"{PIPELINE.arn}-{number}")
    return make_request(f"r-{number}", **({"requester": session} | values))


def fight(central: Central, times: int, begin: int = 1) -> list[Request]:
    """File the same change again and again."""
    return [central.file(repeat(number)) for number in range(begin, begin + times)]


def about(posts: list[Post], request: Request) -> list[Post]:
    """Return the messages about a request."""
    return [post for post in posts if f"Request {request.request_id}." in post.payload["text"]]


def ended_by_sweep(central: Central, requests: list[Request]) -> list[tuple[str, str, str]]:
    """Run the sweep without a word to Slack; return status, actor and note of each request's last move."""
    posts = len(central.slack.posts)
    central.sweep()
    assert len(central.slack.posts) == posts
    items = [central.item(one.request_id) for one in requests]
    assert all(item["tasks"] == {} for item in items)
    return [(item["status"], item["history"][-1]["by"], item["history"][-1].get("note", "")) for item in items]


# -- one question ------------------------------------------------------------------------------------------------------


def test_somebody_who_tries_once_more_is_asked_about_twice(central: Central) -> None:
    """A rule vanished, so somebody adds it again: two requests, two questions, as for any others."""
    for request in fight(central, 2):
        assert (len(about(central.approval, request)), len(about(central.monitoring, request))) == (1, 1)
        assert '"approve"' in about(central.approval, request)[0].text


def test_a_fight_is_a_handful_of_messages_with_a_number_and_advice(central: Central) -> None:
    """Of 25 times the first two are asked, and the first again at the 3rd and 20th; every one is stored."""
    requests = fight(central, 25)
    for posts in (central.approval, central.monitoring):
        assert [len(about(posts, one)) for one in requests] == [3, 1, *[0] * 23]
    third, twentieth = about(central.approval, requests[0])[1:]
    assert "Security group change made 3 times needs approval" in third.text
    assert "made this change 20 times" in twentieth.text
    assert "exempt.principals" in twentieth.text
    assert '"approve"' in twentieth.text
    assert "made 20 times waits for approval" in about(central.monitoring, requests[0])[-1].text
    items = [central.item(one.request_id) for one in requests]
    assert [item.get("duplicateOf", "") for item in items] == ["", "", *["r-1"] * 23]
    assert (items[0]["duplicates"], items[0]["duplicatesShown"]) == (24, 20)
    assert {(item["status"], len(item["tasks"])) for item in items} == {("pending", 0)}
    assert len({item["digest"] for item in items}) == 25


def test_a_repeat_costs_a_query_a_transaction_and_a_look_at_the_first(central: Central, calls: list[str]) -> None:
    """However long the fight goes on: nothing more, and nothing to Slack."""
    fight(central, 4)
    calls.clear()
    fight(central, 1, begin=5)
    assert calls == ["dynamodb.Query", "dynamodb.TransactWriteItems", "dynamodb.GetItem"]


def test_a_repeat_delivered_again_is_counted_once(central: Central) -> None:
    """SNS delivers at least once, and redriven messages come days later."""
    requests = fight(central, 4)
    posts = len(central.slack.posts)
    for request in requests * 2:
        central.deliver(RequestMessage(request=request))
    assert central.item("r-1")["duplicates"] == 3
    assert len(central.slack.posts) == posts


def test_equal_requests_of_different_people_stay_questions_of_their_own(central: Central) -> None:
    """Ada, Bob and Eve each open the same port: three people to answer."""
    people = [replace(ADA, arn=ADA.arn.replace("ada", name)) for name in ("ada", "bob", "eve")]
    for number, person in enumerate(people * 2):
        request = central.file(make_request(f"r-{number}", requester=person))
        assert len(about(central.approval, request)) == 1


def test_another_rule_of_the_same_pipeline_is_another_question(central: Central) -> None:
    """A stack of many rules is many questions; only the very same change is a repeat."""
    fight(central, 3)
    (rule,) = make_request().change.added
    other = central.file(repeat(99, change=make_change(added=[replace(rule, description="another")])))
    assert len(about(central.approval, other)) == 1


@pytest.mark.parametrize("projection", ["KEYS_ONLY", "ALL"])
def test_any_projection_of_the_index_will_do(central: Central, projection: str) -> None:
    """What the index does not list is read from the table."""
    central.dynamodb.delete_table(TableName=TABLE)
    make_table(central.dynamodb, projection)
    fight(central, 4)
    assert central.item("r-4")["duplicateOf"] == "r-1"
    assert central.item("r-1")["duplicates"] == 3


def test_a_fight_against_policy_does_not_flood_the_monitoring_channel(central: Central) -> None:
    """Denied at once each time: the first is shown again with the number, and nobody is asked."""
    requests = [repeat(number, status="denied", reason="needs a description") for number in range(1, 6)]
    for request in requests:
        central.file(request)
    assert central.approval == []
    assert [len(about(central.monitoring, one)) for one in requests] == [2, 1, 0, 0, 0]
    assert "made this change 3 times" in about(central.monitoring, requests[0])[-1].text
    assert {central.item(one.request_id)["status"] for one in requests} == {"denied"}


def test_after_a_day_the_question_is_asked_anew(central: Central) -> None:
    """No question stands for what came days later; so each day of a fight has one."""
    fight(central, 3)
    for name in ("r-1", "r-2"):
        central.edit(name, requestedAt="2026-01-01T00:00:00.000Z")
    requests = fight(central, 3, begin=4)
    assert [central.item(one.request_id).get("duplicateOf", "") for one in requests] == ["", "", "r-4"]


# -- nothing is lost ---------------------------------------------------------------------------------------------------


def test_what_slack_refused_is_shown_with_its_number_later(central: Central) -> None:
    """During an outage the fight goes on; afterwards its questions are asked once, with the number."""
    central.slack.always |= {APPROVAL: DOWN, MONITORING: DOWN}
    requests = fight(central, 6)
    central.slack.always.clear()
    central.sweep(minutes=6)
    assert [len(about(central.approval, one)) for one in requests] == [1, 1, 0, 0, 0, 0]
    assert "made this change 6 times" in about(central.approval, requests[0])[0].text


@pytest.mark.parametrize("after", [False, True])
def test_a_count_that_dynamodb_refuses_or_forgets_to_confirm_loses_nothing(
    central: Central, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """The request is stored, and is a repeat or has a question of its own."""
    fight(central, 2)
    fail_once(monkeypatch, "transact_write_items", after=after)
    (request,) = fight(central, 1, begin=3)
    item = central.item("r-3")
    assert item.get("duplicateOf") == "r-1" or about(central.approval, request)
    assert central.item("r-1")["duplicates"] == 2


def test_a_lookup_that_fails_leaves_the_request_a_question_of_its_own(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Knowing about others is a nicety; asking is not."""
    fight(central, 2)

    def refuse(*_arguments: Any, **_more: Any) -> Any:
        raise JsonRESTError("ResourceNotFoundException", "injected by a test")

    monkeypatch.setattr(DynamoDBBackend, "query", refuse)
    (request,) = fight(central, 1, begin=3)
    assert len(about(central.approval, request)) == 1


def test_a_policy_that_cannot_be_read_keeps_no_request_from_being_asked(
    central: Central, policy: Callable[[str], None]
) -> None:
    """Storing and asking need no policy."""
    policy("[nonsense")
    (request,) = fight(central, 1)
    assert len(about(central.approval, request)) == 1


def test_duplicates_filed_at_the_same_moment_are_counted_in_the_end(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB cancels one of two transactions on the same item: it is tried again."""
    fight(central, 2)
    left = [2]
    real = Duplicates.store

    def conflicting(self: Duplicates, *args: Any, **kwargs: Any) -> Any:
        client: Any = self._table.client
        write = client.transact_write_items

        def once_in_a_while(**request: Any) -> Any:
            if left:
                left.pop()
                raise client.exceptions.TransactionCanceledException(
                    {
                        "Error": {"Code": "TransactionCanceledException", "Message": "injected"},
                        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
                    },
                    "TransactWriteItems",
                )
            return write(**request)

        monkeypatch.setattr(client, "transact_write_items", once_in_a_while)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Duplicates, "store", conflicting)
    fight(central, 1, begin=3)
    assert central.item("r-3")["duplicateOf"] == "r-1"


# -- decisions ---------------------------------------------------------------------------------------------------------


def test_a_denial_holds_for_all_of_it(central: Central) -> None:
    """The sweep ends the repeats in the name of who denied the first one; channels heard of that one alone."""
    first, _, *repeats = fight(central, 5)
    central.click(first, "deny")
    central.deliver(*denials(central), to="denySecurityGroupChange")
    assert ended_by_sweep(central, repeats) == [("denied", "U061F7AUR", "decided with request r-1")] * 3
    item = central.item("r-3")
    assert (item["decidedBy"], item["decidedByName"]) == ("U061F7AUR", "grace")
    assert [entry["status"] for entry in item["history"]] == ["pending", "denied"]
    assert central.status("r-2") == "pending"


def denials(central: Central) -> list[Any]:
    """Return what was published to tell of a denial."""
    return central.sent("denySecurityGroupChange")


def test_an_approval_that_was_applied_ends_the_repeats(central: Central) -> None:
    """They wait while it is being applied; then the rule is in force, and there is nothing left to decide."""
    first, _, *repeats = fight(central, 4)
    central.click(first, "approve")
    assert {status for status, _, _ in ended_by_sweep(central, repeats)} == {"pending"}
    central.deliver(applied(first))
    assert ended_by_sweep(central, repeats) == [("expired", "sweep", "decided with request r-1")] * 2


def applied(request: Request) -> AppliedMessage:
    """Return the report that an approval is in force."""
    return AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        applied_at=request.event_time,
    )


def test_an_expired_question_ends_the_repeats(central: Central) -> None:
    """Nobody decided, so nothing of it waits any longer."""
    first, second, *repeats = fight(central, 4)
    for one in (first, second):
        central.edit(one.request_id, requestedAt="2026-01-01T00:00:00.000Z")
    central.sweep()
    assert central.status("r-1") == "expired"
    assert ended_by_sweep(central, repeats) == [("expired", "sweep", "expired with request r-1")] * 2


@pytest.mark.parametrize("damage", [{"body": "{"}, None], ids=["damaged", "gone"])
def test_where_the_first_is_lost_one_of_the_repeats_is_asked_in_its_place(central: Central, damage: Any) -> None:
    """Nobody can decide a request that cannot be read, so its repeats do not wait for it."""
    *_, repeat = fight(central, 3)
    if damage is None:
        central.dynamodb.delete_item(TableName=TABLE, Key={"requestId": {"S": "r-1"}})
    else:
        central.edit("r-1", **damage)
    with contextlib.suppress(SweepError):
        central.sweep()
    assert len(about(central.approval, repeat)) == 1


def test_where_the_approval_failed_one_of_the_repeats_is_asked_in_its_place(central: Central) -> None:
    """A request that was forged ahead of the genuine ones cannot take these with it."""
    first, _, *repeats = fight(central, 5)
    central.click(first, "approve")
    central.deliver(failed(first), to="errorHandlerSecurityGroupChange")
    central.sweep()
    assert [central.status(one.request_id) for one in repeats] == ["pending", "expired", "expired"]
    assert len(about(central.approval, repeats[0])) == 1
    assert '"approve"' in about(central.approval, repeats[0])[0].text
    assert central.item("r-4")["history"][-1]["note"] == "asked with request r-3"
    assert "duplicateOf" not in central.item("r-3")


def failed(request: Request) -> ErrorMessage:
    """Return the report that an approval could not be applied."""
    return ErrorMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        code="UnknownRequest",
        reason="unknown",
        failed_at=request.event_time,
    )


def test_a_repeat_can_be_decided_on_its_own(central: Central) -> None:
    """It is a request like all others: its own digest, one decision, told in both channels."""
    *_, request = fight(central, 3)
    assert central.click(request, "approve").status == 200
    (message,) = central.sent("applySecurityGroupChange")
    assert isinstance(message, ApplyMessage)
    assert (message.request_id, message.digest) == ("r-3", request.digest)
    central.deliver(applied(request))
    assert central.status("r-3") == "applied"
    assert len(about(central.monitoring, request)) == 1
    assert central.status("r-1") == "pending"


def test_the_next_one_after_a_decision_is_asked_again(central: Central) -> None:
    """The first one is decided, and what comes afterwards is news."""
    first, *_ = fight(central, 4)
    central.click(first, "deny")
    (request,) = fight(central, 1, begin=5)
    assert len(about(central.approval, request)) == 1


def test_a_reminder_says_how_often(central: Central) -> None:
    """Duplicates have no reminders of their own."""
    fight(central, 5)
    posts = len(central.approval)
    central.sweep(hours=5)
    reminders = central.approval[posts:]
    assert len(reminders) == 2, "the first one's, and that of the second, which was asked singly"
    assert "Reminder: security group change made 5 times still needs approval" in reminders[0].text


def test_a_number_that_a_dying_function_did_not_show_is_shown_with_the_next_one(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting and showing are two steps; the second one catches up."""
    fight(central, 2)
    with monkeypatch.context() as broken:
        broken.setattr("central.chalicelib.intake.show_again", lambda *_: None)
        fight(central, 1, begin=3)
    assert "duplicatesShown" not in central.item("r-1")
    fight(central, 1, begin=4)
    assert central.item("r-1")["duplicatesShown"] == 3
    assert "made this change 4 times" in about(central.approval, repeat(1))[-1].text
