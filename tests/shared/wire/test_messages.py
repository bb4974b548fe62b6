"""The SNS messages: each comes back as it was written, and anything else is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.request import FIRST_STATUSES, MOVES, Approver, Request, Status
from shared.wire.messages import (
    AdoptedMessage,
    AppliedMessage,
    ApplyBatchMessage,
    ApplyMessage,
    DenyMessage,
    EndedMessage,
    ErrorMessage,
    Message,
    MessageError,
    RequestMessage,
    read_message,
    write_message,
)
from tests.support import strategies
from tests.support.central_account import make_request

AT = datetime(2026, 3, 2, 9, 15, 27, 123000, tzinfo=UTC)
PLACE = {"request_id": "r-1", "digest": "d" * 64, "account": "222222222222", "region": "eu-west-1"}
OPTIONAL = {"approverName", "accountName", "notStored", "approvals", "validUntil"}
APPROVERS = (Approver(by="U061F7AUR", by_name="Ada", at=AT, hours=8), Approver(by="U0BOB0BOB", at=AT))
SMALL: list[Message] = [
    AppliedMessage(**PLACE, applied_at=AT),
    ErrorMessage(**PLACE, code="InvalidPermission.Duplicate", reason="The rule is already there.", failed_at=AT),
    ApplyMessage(request_id="r-1", digest="d" * 64, approver_id="U061F7AUR", approver_name="Ada", approved_at=AT),
    ApplyMessage(
        request_id="r-1",
        digest="d" * 64,
        approver_id="U061F7AUR",
        approver_name="Ada",
        approved_at=AT,
        approvals=APPROVERS,
        valid_until=AT,
    ),
    ApplyBatchMessage(
        batch_id="batch#1",
        digest="d" * 64,
        requests=(("r-1", "e" * 64), ("r-2", "f" * 64)),
        approvals=APPROVERS,
        approved_at=AT,
        valid_until=AT,
    ),
    EndedMessage(**PLACE, ended_at=AT, reason="It had been removed before."),
    DenyMessage(request_id="r-1", digest="d" * 64),
    AdoptedMessage(
        account="222222222222",
        account_name="shop",
        region="eu-west-1",
        adopted_at=(("egress", AT), ("ingress", AT)),
        groups=12,
        not_stored=("sg-1",),
    ),
]


def test_an_adoption_of_an_unknown_direction_is_refused() -> None:
    """The error names the direction."""
    text = write_message(SMALL[-1]).replace("egress", "sideways")
    with pytest.raises(MessageError, match=r"adoptedAt: 'sideways' is not a direction"):
        read_message(text)


@pytest.mark.parametrize("message", SMALL, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_written(message: Message) -> None:
    """Every attribute of every kind."""
    assert read_message(write_message(message)) == message


@given(strategies.requests())
def test_a_request_comes_back_as_it_was_written(request: Request) -> None:
    """With its digest, whatever its rules are."""
    assert read_message(write_message(RequestMessage(request=request))) == RequestMessage(request=request)


def test_a_request_arrives_with_what_approval_will_be_compared_with() -> None:
    """Its digest is that of what was sent."""
    message = RequestMessage(request=make_request(event_time=AT))
    assert read_message(write_message(message)) == message


@pytest.mark.parametrize("status", ["approved", "ended", "expired", "error"])
def test_a_request_that_says_it_is_decided_is_refused(status: Status) -> None:
    """Only the central account decides; the error names the status."""
    with pytest.raises(MessageError, match=f"cannot come into being as '{status}'"):
        read_message(write_message(RequestMessage(request=make_request(status=status))))


@pytest.mark.parametrize("message", SMALL, ids=lambda message: type(message).__name__)
def test_every_field_of_a_message_is_needed(message: Message) -> None:
    """Without one of them (names and empty lists excepted) the message is refused, and the error names the field."""
    document = json.loads(write_message(message))
    optional = OPTIONAL | ({"reason"} if isinstance(message, EndedMessage) else set())
    for key in document.keys() - optional:
        damaged = {name: value for name, value in document.items() if name != key}
        with pytest.raises(MessageError) as caught:
            read_message(json.dumps(damaged))
        assert caught.value.path == f"message.{key}"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": 2}, "message.version"),
        ({"version": "x"}, "message.version"),
        ({"type": "surprise"}, "message.type"),
        ({"approvedAt": "soon"}, "message.approvedAt"),
        ({"requestId": ["r-1"]}, "message.requestId"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], path: str) -> None:
    """Versions and types of tomorrow are refused rather than guessed at."""
    document = {**json.loads(write_message(SMALL[2])), **change}
    if change == {"type": "surprise"}:
        document |= {"account": "222222222222", "region": "eu-west-1"}
    with pytest.raises(MessageError) as caught:
        read_message(json.dumps(document))
    assert caught.value.path == path
    assert str(caught.value).count(path) == 1


@given(strategies.requests(), st.sampled_from(sorted(MOVES.keys() - FIRST_STATUSES)))
def test_a_request_cannot_arrive_decided(request: Request, status: Status) -> None:
    """A member account cannot say that its request was approved already."""
    with pytest.raises(MessageError, match=rf"message\.request\.status: .*{status}"):
        read_message(write_message(RequestMessage(request=replace(request, status=status))))


@given(st.text() | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text whatever makes another error than MessageError."""
    with pytest.raises(MessageError):
        read_message(text)


def test_a_batch_without_requests_is_refused() -> None:
    """It would apply nothing, and report nothing."""
    empty = ApplyBatchMessage(batch_id="batch#1", digest="d" * 64, requests=(), approvals=APPROVERS, approved_at=AT)
    with pytest.raises(MessageError, match=r"message.requests: names no request"):
        read_message(write_message(empty))


@pytest.mark.parametrize("hours", ["0", "-1", "x", "1e3", "0.0000001"])
def test_hours_that_are_no_number_above_zero_are_refused(hours: str) -> None:
    """An unreadable limit must not become none."""
    text = write_message(SMALL[3]).replace('"hours":"8"', f'"hours":"{hours}"')
    with pytest.raises(MessageError, match=r"approvals\[0\].hours"):
        read_message(text)
