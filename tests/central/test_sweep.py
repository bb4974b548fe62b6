"""The sweep: what Slack refused, a publish lost or a dead function left undone is done later, and once."""

from __future__ import annotations

import io
import itertools
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib import context, sweep
from central.chalicelib.intake import _first_record
from central.chalicelib.outbox import Channels, Outbox
from central.chalicelib.requests.table import TABLE
from central.chalicelib.sweep import SweepError
from shared.domain.change import make_change
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import APPLY, AppliedMessage, ApplyMessage
from tests.support.central_account import ACCOUNT, REGION, Central, aged, make_request, make_table
from tests.support.slack_stand_in import APPROVAL, MONITORING, RESPONSE, Reply

APPLY_TOPIC = "applySecurityGroupChange"
DOWN = Reply(status=503)


def slack_is_down(central: Central) -> None:
    """Let every address of Slack answer 503."""
    central.slack.always |= dict.fromkeys((APPROVAL, MONITORING, RESPONSE), DOWN)


def file_in_vain(central: Central, request: Any = None) -> Any:
    """File a request while Slack is down."""
    request = request or make_request()
    central.file(request)
    return request


class Context:
    """Lambda's context of an invocation of its own."""

    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:central-dev-sweepRequests"

    def __init__(self, name: str = "invocation-1") -> None:
        self.aws_request_id = name

    def get_remaining_time_in_millis(self) -> float:
        """Return a minute."""
        return 60_000


# -- questions ---------------------------------------------------------------------------------------------------------


def test_a_sweep_with_nothing_to_do_asks_the_index_and_no_more(central: Central, calls: list[str]) -> None:
    """One query per status, and one for the members; no scan, no message."""
    central.file()
    posts = len(central.slack.posts)
    calls.clear()
    central.sweep(minutes=30)
    assert calls == ["dynamodb.Query"] * 10
    assert len(central.slack.posts) == posts


def test_a_question_that_slack_refused_is_asked_later(central: Central) -> None:
    """After five minutes, and not before, the sweep posts what is pending, once."""
    slack_is_down(central)
    file_in_vain(central)
    central.slack.always.clear()
    central.sweep(minutes=4)
    assert central.slack.posts == []
    for _ in range(2):
        central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (1, 1)
    assert '"approve"' in central.approval[0].text
    assert central.item()["tasks"] == {}


def test_an_outage_of_a_day_loses_nothing(central: Central, logs: io.StringIO) -> None:
    """While Slack is down every sweep says so; afterwards every request of that day is asked, once each."""
    slack_is_down(central)
    names = [f"r-{number}" for number in range(5)]
    for name in names:
        file_in_vain(central, make_request(name, group_id=f"sg-{name}"))
    for hours in (1, 6, 12, 23):
        central.sweep(hours=hours)
        assert "Slack answered 503" in logs.getvalue()
    central.slack.always.clear()
    central.sweep(hours=24)
    for posts in (central.approval, central.monitoring):
        assert sorted(name for name in names for post in posts if f"Request {name}" in post.payload["text"]) == names
    assert all(central.item(name)["tasks"] == {} for name in names)


def test_posting_to_a_channel_stops_after_a_failure(central: Central) -> None:
    """Once Slack has refused in a sweep, the other requests wait for the next one, and decisions are dispatched."""
    slack_is_down(central)
    for number in range(5):
        file_in_vain(central, make_request(f"r-{number}", group_id=f"sg-{number}"))
    tries: list[str] = []
    noted = Reply(status=404, body="no_service", before=lambda: tries.append("try"))
    central.slack.always |= dict.fromkeys((APPROVAL, MONITORING), noted)
    with pytest.raises(SweepError, match="no_service"):
        central.sweep(minutes=6)
    assert len(tries) == 2, "one for each channel"


def test_a_function_that_died_before_asking_loses_nothing(central: Central) -> None:
    """Stored and not posted, with the tasks in a dead function's hands: the sweep takes over."""
    run = context.begin(Context())
    run.table.store(_first_record(run, make_request()))
    assert set(central.item()["leases"]) == {"ask", "announce"}
    central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


def test_what_another_invocation_is_posting_is_left_to_it(central: Central) -> None:
    """A leased task is not done a second time, however long it is pending."""
    slack_is_down(central)
    request = file_in_vain(central)
    central.slack.always.clear()
    later = datetime.now(UTC) + timedelta(minutes=6)
    busy = context.begin(Context(), at=later)
    leased = busy.outbox.lease(request.request_id, ("ask",))
    assert leased is not None
    assert leased.tasks == {"ask"}
    central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (0, 1)


def test_sweeps_at_the_same_time_post_once(central: Central) -> None:
    """Four sweeps over the same tasks: each message once."""
    slack_is_down(central)
    for number in range(6):
        file_in_vain(central, make_request(f"r-{number}", group_id=f"sg-{number}"))
    central.slack.always.clear()
    start = threading.Barrier(4)

    def run_sweep(number: int) -> None:
        run = context.begin(Context(f"sweep-{number}"), at=datetime.now(UTC) + timedelta(minutes=6))
        start.wait(10)
        sweep.sweep_requests(run)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run_sweep, range(4)))
    assert (len(central.approval), len(central.monitoring)) == (6, 6)


def test_a_sweep_that_has_been_running_for_minutes_is_not_taken_for_dead(central: Central) -> None:
    """A lease counts from the moment it is taken; the next sweep, begun meanwhile, does nothing about it."""
    slack_is_down(central)
    file_in_vain(central)
    central.slack.always.clear()
    later = datetime.now(UTC) + timedelta(minutes=6)

    def next_sweep() -> None:
        sweep.sweep_requests(context.begin(Context("next"), at=later + timedelta(minutes=4)))

    central.slack.replies[APPROVAL].append(Reply(status=200, body="ok", before=next_sweep))
    run = context.begin(Context("first"), at=later)
    channels = Channels(until=math.inf, message_seconds=10)
    late = Outbox(run.table, channels, clock=lambda: run.clock() + timedelta(minutes=4))
    sweep.sweep_requests(replace(run, outbox=late))
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


def test_unreverted_and_observed_requests_are_told_later_too(central: Central) -> None:
    """Every kind of request keeps its tasks until Slack has taken the messages."""
    slack_is_down(central)
    for status in ("unreverted", "observed", "denied"):
        file_in_vain(central, make_request(status, status=status, reason="because"))
    central.slack.always.clear()
    central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (1, 3)


def test_a_missing_setting_stops_only_its_own_channel(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep posts to the other channel and names the variable."""
    slack_is_down(central)
    file_in_vain(central)
    central.slack.always.clear()
    monkeypatch.delenv("monitoringHookUrl")
    with pytest.raises(SweepError, match="monitoringHookUrl is missing"):
        central.sweep(minutes=6)
    assert (len(central.approval), set(central.item()["tasks"])) == (1, {"announce"})


# -- decisions ---------------------------------------------------------------------------------------------------------


def test_an_approval_whose_publish_failed_is_dispatched_later(central: Central) -> None:
    """The member hears of it as soon as the topic works again; the history says so."""
    request = central.file()
    central.break_topic(APPLY_TOPIC)
    central.click(request)
    with pytest.raises(SweepError, match=request.request_id):
        central.sweep(minutes=6)
    central.sqs.delete_queue(QueueUrl=central.queues[APPLY_TOPIC])
    central.make_topic(APPLY_TOPIC)
    central.sweep(minutes=8)
    (message,) = central.sent(APPLY_TOPIC)
    assert isinstance(message, ApplyMessage)
    assert message.digest == request.digest
    entry = central.item()["history"][-1]
    assert (entry["status"], entry["by"], entry["note"]) == ("approved", "sweep", "dispatched again")


def test_a_denial_whose_publish_failed_is_told_later(central: Central) -> None:
    """The result is pending on the request, so the sweep tells it without any message."""
    request = central.file()
    central.break_topic("denySecurityGroupChange")
    central.click(request, "deny")
    central.slack.forget()
    central.sweep(minutes=6)
    assert (len(central.responses), len(central.monitoring)) == (1, 1)
    assert central.item()["tasks"] == {}


def test_an_approval_without_an_outcome_is_dispatched_less_and_less_often(central: Central, logs: io.StringIO) -> None:
    """A member that never answers is asked a few times an hour, then a few times a day, not at every sweep."""
    request = central.file()
    central.click(request)
    central.sent(APPLY_TOPIC)
    minutes = []
    for minute in range(0, 24 * 60, 20):
        central.sweep(minutes=minute)
        if central.sent(APPLY_TOPIC):
            minutes.append(minute)
    gaps = [after - before for before, after in itertools.pairwise(minutes)]
    assert minutes[0] == 20
    assert gaps == sorted(gaps)
    assert 6 <= len(minutes) <= 9
    assert max(gaps) <= 6 * 60 + 20
    assert "approved, but no outcome came" in logs.getvalue()
    central.deliver(
        AppliedMessage(
            request_id=request.request_id,
            digest=request.digest,
            account=ACCOUNT,
            region=REGION,
            applied_at=datetime.now(UTC),
        )
    )
    central.sweep(hours=48)
    assert central.sent(APPLY_TOPIC) == []


def test_a_result_that_nobody_told_is_told_later(central: Central) -> None:
    """After an outage during the outcome both channels learn it; by then in the thread, not over the buttons."""
    request = central.file()
    central.click(request)
    slack_is_down(central)
    report = AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=ACCOUNT,
        region=REGION,
        applied_at=datetime.now(UTC),
    )
    central.deliver(report)
    central.slack.always.clear()
    central.slack.forget()
    central.sweep(hours=20)
    assert [post.payload["thread_ts"] for post in central.approval] == ["1727740800.000100"]
    assert len(central.monitoring) == 1
    assert central.item()["tasks"] == {}


# -- reminders and expiry ----------------------------------------------------------------------------------------------


def test_a_request_nobody_decided_is_asked_once_more(central: Central) -> None:
    """After remind_after_hours the question comes again, with buttons, and never a third time."""
    central.file()
    central.sweep(hours=3, minutes=59)
    assert len(central.approval) == 1
    for hours in (4, 5, 30):
        central.sweep(hours=hours)
    assert len(central.approval) == 2
    assert "Reminder" in central.approval[1].text
    assert '"approve"' in central.approval[1].text
    assert len(central.monitoring) == 1
    item = central.item()
    assert (item["history"][-1]["note"], item["status"]) == ("asked again", "pending")


def test_a_reminder_can_be_clicked_and_the_first_question_then_tells(central: Central) -> None:
    """Both messages carry the same request: one decides, the other says what happened."""
    request = central.file()
    central.sweep(hours=5)
    central.click(request, "deny")
    central.slack.forget()
    central.click(request)
    assert central.status() == "denied"
    assert len(central.responses) == 2


def test_a_reminder_that_slack_refuses_comes_later(central: Central) -> None:
    """The reminder is pending like the question itself."""
    central.file()
    slack_is_down(central)
    central.sweep(hours=4)
    central.slack.always.clear()
    central.sweep(hours=4, minutes=10)
    assert "Reminder" in central.approval[-1].text
    assert len(central.approval) == 2


def test_a_question_that_comes_as_late_as_its_reminder_is_not_followed_by_one(central: Central) -> None:
    """After a long outage everybody is asked once, not twice within minutes."""
    slack_is_down(central)
    file_in_vain(central)
    central.slack.always.clear()
    for hours in (10, 11, 12):
        central.sweep(hours=hours)
    assert len(central.approval) == 1


def test_accounts_have_their_own_times(central: Central, policy: Callable[[str], None]) -> None:
    """remind_after_hours and expire_after_hours of the request's account count."""
    policy('remind_after_hours = 2\n[accounts."222222222222"]\nremind_after_hours = 6\nexpire_after_hours = 9\n')
    central.file(make_request("general"))
    central.file(make_request("special", account="222222222222"))
    central.sweep(hours=3)
    assert [bool(central.item(name).get("remindedAt")) for name in ("general", "special")] == [True, False]
    central.sweep(hours=10)
    assert [central.status(name) for name in ("general", "special")] == ["pending", "expired"]


def test_a_request_nobody_decided_expires_and_both_channels_are_told(central: Central) -> None:
    """After expire_after_hours the request ends; a click then is told so."""
    request = central.file(aged(make_request(), hours=71, minutes=58))
    central.sweep()
    assert central.status() == "pending"
    central.slack.forget()
    central.sweep(minutes=3)
    item = central.item()
    assert (item["status"], item["tasks"], item["history"][-1]["by"]) == ("expired", {}, "sweep")
    assert ["expired" in post.text for post in (*central.approval, *central.monitoring)] == [True, True]
    central.click(request)
    assert central.status() == "expired"
    assert central.sent(APPLY_TOPIC) == []


def test_an_expiry_that_slack_does_not_take_is_told_later(central: Central) -> None:
    """The end of a request is pending to both channels like any other result."""
    central.file(aged(make_request(), hours=73))
    slack_is_down(central)
    central.sweep()
    assert central.status() == "expired"
    central.slack.always.clear()
    central.slack.forget()
    central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


# -- robustness --------------------------------------------------------------------------------------------------------


def test_one_bad_request_does_not_stop_the_others(central: Central) -> None:
    """An item somebody damaged is named in the error; every other request gets its messages."""
    slack_is_down(central)
    for name in ("r-1", "r-2", "r-3"):
        file_in_vain(central, make_request(name, event_time=datetime.now(UTC) - timedelta(seconds=int(name[-1]))))
    central.slack.always.clear()
    central.edit("r-2", body="{}")
    with pytest.raises(SweepError, match=r"r-2: request r-2\.body"):
        central.sweep(minutes=6)
    assert [central.item(name)["tasks"] for name in ("r-1", "r-3")] == [{}, {}]


def test_a_message_that_slack_refuses_as_such_is_not_tried_at_every_sweep(central: Central) -> None:
    """invalid_blocks is no outage: other messages go on, and this one is tried less and less often."""
    slack_is_down(central)
    file_in_vain(central, make_request("bad"))
    file_in_vain(central, make_request("good"))
    central.slack.always.clear()
    central.slack.replies[APPROVAL].append(Reply(status=400, body="invalid_blocks"))
    with pytest.raises(SweepError, match="invalid_blocks"):
        central.sweep(minutes=6)
    assert len(central.approval) == 1
    central.sweep(minutes=8)
    assert len(central.approval) == 1
    central.sweep(minutes=20)
    assert len(central.approval) == 2


def test_a_broken_policy_stops_no_pending_task(central: Central, policy: Callable[[str], None]) -> None:
    """What the policy does not decide goes on; nothing expires by an unreadable one, and operators see it."""
    central.break_topic(APPLY)
    central.click(central.file(make_request("decided")))
    central.make_topic(APPLY)
    slack_is_down(central)
    file_in_vain(central, make_request("new"))
    central.slack.always.clear()
    policy("aprovers = []")
    for _ in range(2):
        with pytest.raises(SweepError, match="aprovers"):
            central.sweep(hours=100)
    assert [message.request_id for message in central.sent(APPLY)] == ["decided"]
    assert [post for post in central.approval if "Request new" in post.payload["text"]] == central.approval[-1:]
    assert central.status("new") == "pending"


def test_a_sweep_out_of_time_leaves_the_rest_to_the_next(central: Central, logs: io.StringIO) -> None:
    """Lambda's time is respected: what was not done is still pending, and that is no error."""
    slack_is_down(central)
    file_in_vain(central)
    central.slack.always.clear()
    run = context.begin(Context(), at=datetime.now(UTC) + timedelta(minutes=6))
    sweep.sweep_requests(replace(run, until=time.monotonic() - 1))
    assert central.slack.posts == []
    assert "out of time" in logs.getvalue()
    central.sweep(minutes=6)
    assert len(central.approval) == 1


def test_messages_keep_to_slacks_one_a_second(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a sweep a channel gets one message per second at most; the two channels don't wait for each other."""
    slack_is_down(central)
    for number in range(3):
        file_in_vain(central, make_request(f"r-{number}", group_id=f"sg-{number}"))
    central.slack.always.clear()
    slept: list[float] = []
    monkeypatch.setattr(
        "central.chalicelib.outbox.channels.SECONDS_BETWEEN_MESSAGES", 100.0
    )  # whatever the machine takes
    monkeypatch.setattr("central.chalicelib.outbox.channels.time.sleep", slept.append)
    central.sweep(minutes=6)
    assert len(central.approval) == 3
    assert len([seconds for seconds in slept if 50 < seconds <= 100]) == 4


def test_a_message_that_takes_longer_than_there_is_time_is_not_begun(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request of many parts is left to an invocation that can finish it, without showing half of it."""
    rules = [
        make_rule(
            direction="ingress",
            protocol="tcp",
            from_port=port,
            to_port=port,
            source=cidr("10.0.0.0/8"),
            description="d" * 200,
        )
        for port in range(2000, 2200)
    ]
    monkeypatch.setattr("central.chalicelib.outbox.channels.SECONDS_BETWEEN_MESSAGES", 60.0)
    central.file(make_request(change=make_change(added=rules)))
    assert central.slack.posts == []
    assert set(central.item()["tasks"]) == {"ask", "announce"}


def test_an_index_with_keys_alone_is_enough(central: Central) -> None:
    """With another projection of the index the sweep reads the table and does the same."""
    central.dynamodb.delete_table(TableName=TABLE)
    make_table(central.dynamodb, "KEYS_ONLY")
    slack_is_down(central)
    file_in_vain(central, make_request("r-1"))
    file_in_vain(central, make_request("r-2", status="observed", reason="because"))
    central.slack.always.clear()
    central.sweep(minutes=6)
    assert (len(central.approval), len(central.monitoring)) == (1, 2)


def test_a_schedule_that_is_delivered_late_does_not_turn_back_time(central: Central) -> None:
    """The later of the event's time and the clock counts."""
    central.file(aged(make_request(), hours=73))
    central.sweep(hours=-5)
    assert central.status() == "expired"


def test_what_ended_long_ago_is_not_read_any_more(central: Central, calls: list[str]) -> None:
    """The table may grow: a request that ended weeks ago costs a sweep nothing."""
    request = central.file()
    central.click(request, "deny")
    assert central.item()["tasks"]
    calls.clear()
    with suppress(SweepError):
        central.sweep(days=30)
    assert set(calls) == {"dynamodb.Query"}


def test_a_message_of_one_part_gets_its_try_even_when_the_time_is_up(central: Central) -> None:
    """What is left of an invocation is enough for one post."""
    Channels(until=time.monotonic() - 10, message_seconds=1).post("approval", [{"text": "x"}])
    assert len(central.approval) == 1


def test_a_request_that_is_gone_when_the_sweep_looks_is_no_error(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is a little behind the table; what it still lists may have been removed."""
    slack_is_down(central)
    file_in_vain(central)
    central.slack.always.clear()
    monkeypatch.setattr("central.chalicelib.requests.table.RequestsTable.read", lambda *_: None)
    central.sweep(minutes=6)
    assert central.slack.posts == []


def test_two_expiries_at_once_are_one(central: Central) -> None:
    """What the index still lists as pending may have been decided: the write notices, and nothing is told twice."""
    request = central.file(aged(make_request(), hours=73))
    run = context.begin(Context())
    (row,) = run.table.by_status("pending")
    central.click(request)
    central.sweep(minutes=6)
    central.slack.forget()
    sweep._expire(run, run.table.read(row) or pytest.fail("the listed request cannot be read"))
    assert [entry["status"] for entry in central.item()["history"]] == ["pending", "expired"]
    assert central.slack.posts == []


def test_expiries_during_an_outage_all_happen(central: Central) -> None:
    """A channel known to be down keeps no request from ending; the results are pending."""
    for number in range(3):
        central.file(aged(make_request(f"r-{number}", group_id=f"sg-{number}"), hours=73))
    slack_is_down(central)
    central.sweep()
    assert [central.status(f"r-{number}") for number in range(3)] == ["expired"] * 3
    assert set(central.item("r-2")["tasks"]) == {"notify", "notifyMonitoring"}


def test_a_schedule_without_a_readable_time_uses_the_clock(central: Central) -> None:
    """An event made by hand in the console may say anything."""
    central.file(aged(make_request(), hours=73))
    event = central.client.events.generate_cw_event(source="x", detail_type="x", detail={}, resources=[])
    central.client.lambda_.invoke("sweepRequests", {**event, "time": "now"})
    assert central.status() == "expired"
