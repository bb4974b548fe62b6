"""A stored request that cannot be read, damaged by whoever may write to the table, is a problem operators hear of."""

from __future__ import annotations

import io
from typing import Any

import pytest

from central.chalicelib.requests.table import TABLE
from shared.aws.attributes import to_attributes
from tests.support.central_account import Central


def damaged(central: Central, **values: Any) -> None:
    """Give the stored item attributes no code of ours would write."""
    central.dynamodb.put_item(TableName=TABLE, Item=to_attributes(central.item() | values))


@pytest.mark.parametrize(
    "values",
    [
        {"body": b"\x00 no JSON"},
        {"body": "{}"},
        {"history": "none"},
        {"status": "pending", "requestedAt": "soon"},
    ],
)
def test_a_click_on_a_damaged_request_is_counted_as_failed(
    central: Central,
    logs: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, Any],
) -> None:
    """The clicker sees a warning and no trace of code; log and alarm say that clicks fail, and on which request."""
    request = central.file()
    damaged(central, **values)
    answer = central.click(request)
    assert answer.status == 503
    assert "Traceback" not in answer.body
    assert request.request_id not in answer.body
    assert '"ClicksFailed"' in capsys.readouterr().out
    assert "click failed" in logs.getvalue()
    assert central.sent("applySecurityGroupChange") == []


@pytest.mark.parametrize("values", [{"body": "{}"}, {"digest": "0" * 64}])
def test_a_click_on_a_request_whose_rules_were_exchanged_is_refused(central: Central, values: dict[str, Any]) -> None:
    """Body and digest have to agree, and both with the button: exchanging one of them approves nothing."""
    request = central.file()
    damaged(central, **values)
    central.click(request)
    assert central.sent("applySecurityGroupChange") == []
