"""The results of a batch: one message when all are in, or after five minutes, then once more when it is complete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from central.chalicelib.sweep import SweepError
from shared.domain.change import make_change
from shared.domain.operations import Added
from shared.domain.request import Request
from shared.wire.messages import AppliedMessage
from shared.wire.rule_json import time_to_text
from tests.support.batches import (
    adds,
    applied,
    buttons,
    failed,
    file_batch,
    press,
    question,
    record,
    removes,
    rule,
    statuses,
)
from tests.support.central_account import Central, fail_once
from tests.support.slack_stand_in import APPROVAL, MONITORING, RESPONSE, Reply

APPROVED = rule(22, description="ops", rule_id="sgr-1")


def approve(central: Central, *requests: Request) -> str:
    """File requests as a batch, have it asked, and approve it; return its id."""
    name = file_batch(central, *(requests or (adds(1), adds(2), adds(3))))
    central.sweep()
    press(central, question(central), "approve")
    return name


def results(central: Central) -> tuple[int, int]:
    """Return how often a result was shown: over the question, and in monitoring."""
    shown = [post for post in central.responses if "Processing" not in post.text]
    return len(shown), len(central.monitoring) - 2


def test_the_result_is_one_message_when_all_are_in(central: Central) -> None:
    """Over the question, and in monitoring."""
    name = approve(central)
    applied(central, 1, 2)
    assert results(central) == (0, 0)
    applied(central, 3)
    assert results(central) == (1, 1)
    for post in (central.responses[-1], central.monitoring[-1]):
        assert "3 calls approved and applied" in post.text
        assert buttons(post) == {}
    assert central.item(name)["tasks"] == {}
    assert "responseUrl" not in central.item(name)
    assert {record(central, one).tasks for one in (1, 2, 3)} == {()}
    for minutes in (1, 10, 60):
        central.sweep(minutes=minutes)
    assert results(central) == (1, 1)


def test_what_failed_is_named_with_its_reason(central: Central) -> None:
    """Everything is applied, or it is said why not."""
    approve(central)
    applied(central, 1, 3)
    failed(central, 2)
    text = central.monitoring[-1].text
    assert "1 of 3 approved calls could not be applied" in text
    assert "error InvalidPermission.Duplicate: It is there already." in text
    assert results(central) == (1, 1)


def test_after_five_minutes_the_result_is_shown_in_part(central: Central) -> None:
    """And once more when the rest has come: at most four messages in each channel."""
    approve(central)
    applied(central, 1)
    central.sweep(minutes=4)
    assert results(central) == (0, 0)
    for minutes in (6, 7, 20):
        central.sweep(minutes=minutes)
    assert results(central) == (1, 1)
    assert "Applied: 1, without an answer so far: 2" in central.monitoring[-1].text
    applied(central, 2, 3)
    assert results(central) == (2, 2)
    assert "3 calls approved and applied" in central.monitoring[-1].text
    assert len(central.monitoring) == 4


def test_fifty_calls_are_at_most_four_messages_in_each_channel(central: Central) -> None:
    """From the first question to the result, parts not counted."""
    requests = [adds(number, group_id=f"sg-{number % 5}") for number in range(1, 51)]
    approve(central, *requests)
    for minutes in (1, 2, 5):
        central.sweep(minutes=minutes)
    applied(central, *range(1, 50))
    central.sweep(minutes=6)
    failed(central, 50)
    for posts in (central.approval, central.monitoring):
        headlines = [post.payload["blocks"][0]["text"]["text"].partition(" (part ")[0] for post in posts]
        assert len(list(dict.fromkeys(headlines))) <= 4
    assert set(statuses(central, *range(1, 50))) == {"applied"}


def test_results_that_come_at_once_are_shown_once(central: Central) -> None:
    """Ten functions that know nothing of each other."""
    approve(central, *(adds(number) for number in range(1, 11)))
    start = Barrier(10)

    def report(number: int) -> None:
        start.wait(30)
        applied(central, number)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(report, range(1, 11)))
    central.sweep(minutes=6)
    assert results(central) == (1, 1)
    assert {record(central, one).tasks for one in range(1, 11)} == {()}


def test_a_redriven_message_shows_the_result_anew(central: Central) -> None:
    """What had failed is applied after all."""
    approve(central)
    applied(central, 1, 2)
    failed(central, 3)
    applied(central, 3)
    assert record(central, 3).status == "applied"
    assert "3 calls approved and applied" in central.monitoring[-1].text
    assert results(central)[1] == 2


def test_a_result_delivered_again_changes_nothing(central: Central) -> None:
    """SNS delivers at least once."""
    approve(central)
    applied(central, 1, 1, 2, 3, 3, 2)
    assert results(central) == (1, 1)


def test_results_wait_for_slack(central: Central) -> None:
    """An outage loses nothing."""
    approve(central)
    central.slack.always |= dict.fromkeys((APPROVAL, MONITORING, RESPONSE), Reply(status=503))
    applied(central, 1, 2, 3)
    central.slack.always.clear()
    central.sweep(minutes=6)
    assert "3 calls approved and applied" in central.monitoring[-1].text
    assert {record(central, one).tasks for one in (1, 2, 3)} == {()}


def test_a_dead_webhook_is_reported_and_tried_again(central: Central) -> None:
    """Operators see it; the other channel has its message."""
    file_batch(central, adds(1), adds(2))
    central.slack.always |= {MONITORING: Reply(status=404, body="no_service")}
    with pytest.raises(SweepError, match="no_service"):
        central.sweep()
    assert len(central.approval) == 2
    central.slack.always.clear()
    central.sweep(minutes=3)
    assert (len(central.approval), len(central.monitoring)) == (2, 2)


def test_after_half_an_hour_the_result_goes_in_the_thread(central: Central) -> None:
    """Slack's address for replacing the question is used up."""
    name = approve(central)
    half_an_hour_ago = datetime.now(UTC) - timedelta(minutes=30)
    central.edit(name, decidedAt=time_to_text(half_an_hour_ago), partlyShownAt=time_to_text(half_an_hour_ago))
    applied(central, 1, 2, 3)
    assert central.approval[-1].payload["thread_ts"] == "1727740800.000100"


def test_an_outcome_of_a_call_that_asks_nothing_is_ignored(central: Central) -> None:
    """Members report every request of a batch."""
    put_back = adds(2, APPROVED, status="observed", change=make_change(), operations=(Added(rule=APPROVED),))
    approve(central, removes(1, APPROVED), put_back, adds(3))
    applied(central, 1, 2, 3)
    assert statuses(central, 1, 2, 3) == ["expired", "observed", "applied"]
    assert results(central)[0] == 1


def test_another_account_reports_nothing(central: Central) -> None:
    """Digest, account and region have to be the stored request's."""
    approve(central)
    request = record(central, 1).request
    forged = AppliedMessage(
        request_id="r-1",
        digest=request.digest,
        account="999999999999",
        region=request.region,
        applied_at=datetime.now(UTC),
    )
    with pytest.raises(RuntimeError, match="nothing was changed"):
        central.deliver(forged)
    assert record(central, 1).status == "approved"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_crash_at_any_write_of_the_result_is_made_good(
    central: Central, monkeypatch: pytest.MonkeyPatch, after: bool, number: int
) -> None:
    """The message is delivered again, or the sweep finishes; nothing stays pending."""
    name = approve(central)
    applied(central, 1, 2)
    fail_once(monkeypatch, "update_item", after=after, number=number)
    with suppress(Exception):  # whatever the function ends with, Lambda delivers the message again
        applied(central, 3)
    applied(central, 3)
    central.sweep(minutes=6)
    central.sweep(minutes=12)
    assert "3 calls approved and applied" in central.monitoring[-1].text
    assert {record(central, one).tasks for one in (1, 2, 3)} == {()}
    assert central.item(name)["tasks"] == {}
