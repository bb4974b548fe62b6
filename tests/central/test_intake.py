"""A member account files a request: it is stored once, asked once, and nothing that Slack refuses is lost."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib.outbox.channels import Channels
from central.chalicelib.outbox.outbox import UnpostedError
from central.chalicelib.outcome import MessageRefusedError
from central.chalicelib.requests.table import DifferentRequestError
from central.chalicelib.triggers import WrongTopicError
from shared.domain.change import make_change
from shared.domain.rule import cidr, group, make_rule, prefix_list
from shared.wire.messages import ApplyMessage, DenyMessage, MessageError, RequestMessage, write_message
from tests.support.central_account import Central, make_request
from tests.support.slack_stand_in import APPROVAL, MONITORING, Reply


def buttons(post: Any) -> list[str]:
    """Return the action ids of a message's buttons."""
    blocks = [block for block in post.payload["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for block in blocks for element in block["elements"]]


def test_a_reverted_change_is_stored_and_asked_in_both_channels(central: Central) -> None:
    """The approval channel gets the question with buttons, monitoring the same without; nothing is pending then."""
    request = central.file()
    item = central.item()
    assert (item["status"], item["digest"], item["tasks"], item["leases"]) == ("pending", request.digest, {}, {})
    assert [buttons(post) for post in central.approval] == [["approve", "deny"]]
    assert [buttons(post) for post in central.monitoring] == [[]]


def test_the_question_comes_before_the_announcement(central: Central) -> None:
    """Those who can decide see the request first."""
    central.file()
    assert [post.path for post in central.slack.posts] == [APPROVAL, MONITORING]


def test_a_handler_called_without_a_context_still_asks(central: Central) -> None:
    """Whoever redrives a message by hand has no Lambda context to give."""
    from central.app import securityGroupChange

    message = write_message(RequestMessage(request=make_request()))
    sns = {"TopicArn": "", "Message": message, "Subject": "", "MessageId": "1", "MessageAttributes": {}}
    event = {"Records": [{"EventSource": "aws:sns", "Sns": sns}]}
    securityGroupChange(event, None)
    assert [post.path for post in central.slack.posts] == [APPROVAL, MONITORING]


def test_asking_makes_two_queries_one_transaction_and_one_write_per_message(central: Central, calls: list[str]) -> None:
    """One query looks for duplicates, one for what has been overtaken; one transaction stores it with its batch."""
    central.file()
    stored = ["dynamodb.Query", "dynamodb.GetItem", "dynamodb.TransactWriteItems"]
    compared = ["dynamodb.GetItem", "dynamodb.Query"]
    assert calls == [*stored, *compared, "dynamodb.UpdateItem", "dynamodb.UpdateItem"]


def test_the_same_request_delivered_again_is_neither_stored_nor_asked_again(central: Central) -> None:
    """SNS delivers at least once; people are asked once."""
    request = central.file()
    before = central.item()
    central.file(request)
    assert central.item() == before
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


def test_a_request_that_could_not_be_reverted_is_shown_in_both_channels_without_buttons(central: Central) -> None:
    """A person has to act: both channels see the reason, nobody is offered a button."""
    central.file(make_request(status="unreverted", reason="EC2 answered UnauthorizedOperation"))
    assert central.status() == "unreverted"
    for post in (*central.approval, *central.monitoring):
        assert "UnauthorizedOperation" in post.text
        assert buttons(post) == []
    assert (len(central.approval), len(central.monitoring)) == (1, 1)


def test_an_observed_change_is_shown_in_monitoring_alone(central: Central) -> None:
    """In observe mode nobody is asked."""
    central.file(make_request(status="observed", reason="observe mode"))
    assert central.status() == "observed"
    assert (len(central.approval), len(central.monitoring)) == (0, 1)
    assert central.item()["tasks"] == {}


def test_a_change_denied_by_policy_is_shown_in_monitoring_as_policys_decision(central: Central) -> None:
    """Nobody is asked; the item says that policy decided."""
    central.file(make_request(status="denied", reason="added rules need a description"))
    item = central.item()
    assert (item["status"], item["decidedBy"], item["history"][0]["by"]) == ("denied", "policy", "policy")
    assert (len(central.approval), len(central.monitoring)) == (0, 1)
    assert "denied by policy" in central.monitoring[0].text


def test_another_request_under_a_stored_id_is_refused_and_told_to_operators(
    central: Central, capsys: pytest.CaptureFixture[str]
) -> None:
    """Altered rules under a known id change nothing, ask nothing, and end in an error and a metric."""
    request = central.file()
    before = central.item()
    opened = make_rule(direction="ingress", protocol="-1", source=cidr("0.0.0.0/0"))
    with pytest.raises(DifferentRequestError, match=request.request_id):
        central.file(replace(request, change=make_change(added=[opened])))
    assert central.item() == before
    assert len(central.approval) == 1
    assert '"MessagesRefused"' in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"version": 2, "type": "request"}',
        '{"version": 1, "type": "thanks", "requestId": "r", "digest": "d"}',
        '{"version": 1, "type": "request", "request": {}}',
        '{"zlib": "!!!"}',
    ],
)
def test_a_message_that_cannot_be_read_raises(central: Central, text: str) -> None:
    """A poison message goes through Lambda's retries to the dead-letter queue; it is not swallowed."""
    with pytest.raises(MessageError, match=r"message"):
        central.deliver_text(text)


def test_a_request_whose_digest_does_not_fit_its_rules_is_refused(central: Central) -> None:
    """Rules altered on the way don't have the digest any more that came with them."""
    from shared.wire.messages import write_message

    document = json.loads(write_message(RequestMessage(request=make_request())))
    document["request"]["change"]["added"][0]["source"]["value"] = "10.0.0.0/8"
    with pytest.raises(MessageError, match="digest"):
        central.deliver_text(json.dumps(document))
    assert central.item() == {}


@pytest.mark.parametrize(
    "values",
    [
        {"account": "1234"},
        {"account": "123456789012:x"},
        {"region": "eu-west-1:999999999999"},
        {"request_id": "r" * 300},
    ],
)
def test_a_request_with_an_impossible_account_region_or_id_is_refused(central: Central, values: dict[str, Any]) -> None:
    """Account and region become part of a topic's ARN, so they are checked before anything is stored."""
    with pytest.raises(MessageError, match=r"message\.request\."):
        central.file(replace(make_request(), **values))
    assert central.slack.posts == []


def test_a_message_on_the_wrong_topic_is_refused(central: Central) -> None:
    """Decisions have no place on securityGroupChange, requests none on the other two topics."""
    apply = ApplyMessage(request_id="r", digest="d", approver_id="U1", approver_name="", approved_at=datetime.now(UTC))
    with pytest.raises(WrongTopicError, match="ApplyMessage"):
        central.deliver(apply)
    for topic in ("denySecurityGroupChange", "errorHandlerSecurityGroupChange"):
        with pytest.raises(WrongTopicError, match="RequestMessage"):
            central.deliver(RequestMessage(request=make_request()), to=topic)
    assert central.item() == {}


def test_every_record_of_an_event_is_handled(central: Central) -> None:
    """Should Lambda ever deliver two messages in one event, both count."""
    from shared.wire.messages import write_message

    texts = [write_message(RequestMessage(request=make_request(name))) for name in ("r-1", "r-2")]
    events = [central.client.events.generate_sns_event(text, subject="s") for text in texts]
    both = {"Records": [event["Records"][0] for event in events]}
    central.client.lambda_.invoke("securityGroupChange", both)
    assert [central.status(name) for name in ("r-1", "r-2")] == ["pending", "pending"]


def test_a_time_to_come_does_not_keep_a_request_from_expiring(central: Central) -> None:
    """A request dated ahead is as old as its arrival."""
    central.file(make_request(event_time=datetime.now(UTC) + timedelta(days=3650)))
    assert central.item()["requestedAt"] <= datetime.now(UTC).isoformat()


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_every_source_of_a_permission_is_shown(central: Central) -> None:
    """Several kinds of source and several CIDRs in one change are all in the question: no hidden 0.0.0.0/0."""
    sources = [
        cidr("10.1.0.0/16"),
        cidr("10.2.0.0/16"),
        cidr("0.0.0.0/0"),
        cidr("2001:db8::/32"),
        prefix_list("pl-0123456789abcdef0"),
        group("sg-0fedcba9876543210", account="999999999999", peering="pcx-0123456789abcdef0"),
    ]
    rules = [make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=one) for one in sources]
    central.file(make_request(change=make_change(added=rules)))
    for post in (*central.approval, *central.monitoring):
        for source in (*[one.value for one in sources], "999999999999"):
            assert source in post.text


def test_a_group_name_of_255_characters_arrives(central: Central) -> None:
    """Long names lose nothing on the way through the table to Slack."""
    central.file(make_request(group_name="n" * 255))
    assert central.item()["groupName"] == "n" * 255
    assert "n" * 255 in central.approval[0].text


def test_a_large_request_is_split_and_its_buttons_stand_on_the_last_part(central: Central) -> None:
    """Two hundred rules with long descriptions come in several parts, in order, with every rule."""
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
    central.file(make_request(change=make_change(added=rules)))
    parts = central.approval
    assert len(parts) > 1
    assert [bool(buttons(post)) for post in parts] == [False] * (len(parts) - 1) + [True]
    everything = "".join(post.text for post in parts)
    assert all(f"TCP {port}" in everything for port in range(2000, 2200))
    assert isinstance(central.item()["body"], bytes)


# -- when Slack or a setting fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_slack_that_fails_after_the_revert_does_not_lose_the_request(
    central: Central, logs: io.StringIO, status: int
) -> None:
    """The request is stored, the question pending, and the log says why; a redelivery or the sweep asks."""
    central.slack.always[APPROVAL] = Reply(status=status)
    request = central.file()
    assert f"Slack answered {status}" in logs.getvalue()
    assert set(central.item()["tasks"]) == {"ask"}
    assert len(central.monitoring) == 1, "the other channel does not suffer"
    central.slack.always.clear()
    central.file(request)
    assert (len(central.approval), len(central.monitoring)) == (1, 1)
    assert central.item()["tasks"] == {}


def test_a_slack_that_is_busy_for_a_moment_is_asked_again_at_once(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One 429 with a short Retry-After costs no redelivery."""
    monkeypatch.setattr(Channels, "until", lambda _self, seconds: time.monotonic() + seconds)
    central.slack.replies[APPROVAL].append(Reply(status=429, headers={"Retry-After": "0"}))
    central.file()
    assert central.item()["tasks"] == {}


def test_a_dead_webhook_is_named_by_slacks_code(central: Central) -> None:
    """An operator reads which channel and why."""
    central.slack.always[APPROVAL] = Reply(status=404, body="no_service")
    with pytest.raises(UnpostedError, match=r"ask \(channel secgroup_approve\): .*404 no_service"):
        central.file()
    assert set(central.item()["tasks"]) == {"ask"}


@pytest.mark.parametrize(("name", "task"), [("approvalHookUrl", "ask"), ("monitoringHookUrl", "announce")])
def test_a_missing_webhook_stops_its_own_channel_only(
    central: Central, monkeypatch: pytest.MonkeyPatch, name: str, task: str
) -> None:
    """The other channel gets its message; the error names the variable, and the task stays."""
    monkeypatch.delenv(name)
    with pytest.raises(UnpostedError, match=f"{name} is missing"):
        central.file()
    assert set(central.item()["tasks"]) == {task}
    assert len(central.slack.posts) == 1


def test_all_parts_of_a_question_have_to_arrive(central: Central) -> None:
    """A question of which Slack took only the first part is still pending."""
    rules = [
        make_rule(
            direction="ingress",
            protocol="tcp",
            from_port=port,
            to_port=port,
            source=cidr("10.0.0.0/8"),
            description="d" * 250,
        )
        for port in range(2000, 2100)
    ]
    central.slack.replies[APPROVAL].extend([Reply(status=200, body="ok"), Reply(status=400, body="invalid_blocks")])
    with pytest.raises(UnpostedError, match="invalid_blocks"):
        central.file(make_request(change=make_change(added=rules)))
    assert "ask" in central.item()["tasks"]


def test_a_deny_message_about_nothing_is_refused(central: Central) -> None:
    """Ids that nobody stored, and digests of something else, are errors."""
    with pytest.raises(MessageRefusedError, match="no such request"):
        central.deliver(DenyMessage(request_id="r", digest="ab" * 32), to="denySecurityGroupChange")
    request = central.file()
    with pytest.raises(MessageRefusedError, match="digest"):
        central.deliver(DenyMessage(request_id=request.request_id, digest="ab" * 32), to="denySecurityGroupChange")
    assert central.status() == "pending"
