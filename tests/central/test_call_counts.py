"""How many calls to AWS and Slack each flow makes, and in which order. Counts are exact, so they are asserted.

The bench and the cost model rely on these figures.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.wire.messages import AppliedMessage, DenyMessage, ErrorMessage
from tests.support.central_account import Central, make_request
from tests.support.slack_stand_in import APPROVAL, MONITORING, RESPONSE, Reply

READ, WRITE, QUERY, TELL = "dynamodb.GetItem", "dynamodb.UpdateItem", "dynamodb.Query", "sns.Publish"
TRANSACT = "dynamodb.TransactWriteItems"


@pytest.fixture
def calls(central: Central, calls: list[str]) -> list[str]:
    """Every call to AWS, and every message Slack takes, in their order."""
    for path in (APPROVAL, MONITORING, RESPONSE):
        central.slack.always[path] = Reply(status=200, body="ok", before=lambda path=path: calls.append(path))
    return calls


def test_a_request(central: Central, calls: list[str]) -> None:
    """Looked up among its like, stored with its batch, compared, asked and announced, each message completed."""
    central.file()
    stored, compared = [READ, TRANSACT], [READ, QUERY]
    assert calls == [QUERY, *stored, *compared, APPROVAL, WRITE, MONITORING, WRITE]


def test_a_click(central: Central, calls: list[str]) -> None:
    """One conditional write, the bounded post and one publish, in this order; then the answer."""
    request = central.file()
    calls.clear()
    assert central.click(request).status == 200
    assert calls == [WRITE, RESPONSE, TELL]


def test_a_second_click(central: Central, calls: list[str]) -> None:
    """The write that is refused says who won: the clicker is told, the message refreshed, and nothing else is asked."""
    request = central.file()
    central.click(request, "deny")
    calls.clear()
    central.click(request)
    assert calls == [WRITE, RESPONSE, RESPONSE]


def test_a_request_that_is_not_from_slack(central: Central, calls: list[str]) -> None:
    """It costs nothing but a signature."""
    request = central.file()
    calls.clear()
    assert central.post(b"payload=%7B%7D", **{"X-Slack-Signature": "v0=" + "0" * 64}).status == 401
    assert calls == []
    assert central.status(request.request_id) == "pending"


def test_outcomes(central: Central, calls: list[str]) -> None:
    """The move gives back what is told; each of the two messages is completed."""
    now = datetime.now(UTC)
    for number, action in enumerate(("approve", "approve", "deny")):
        request = central.file(make_request(f"request-{number}"))
        central.click(request, action)
        about = {"request_id": request.request_id, "digest": request.digest}
        place = {"account": request.account, "region": request.region}
        calls.clear()
        match number:
            case 0:
                central.deliver(AppliedMessage(**about, **place, applied_at=now))
            case 1:
                error = ErrorMessage(**about, **place, code="InvalidGroup.NotFound", reason="gone", failed_at=now)
                central.deliver(error, to="errorHandlerSecurityGroupChange")
            case _:
                central.deliver(DenyMessage(**about), to="denySecurityGroupChange")
        assert calls == [WRITE, RESPONSE, WRITE, MONITORING, WRITE]
