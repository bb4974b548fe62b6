"""``Deny All`` by modal, and a batch that its requester withdraws: all of it, on exactly what was shown."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sandbox.slack.stand_in import API_PATH
from tests.central.test_denial import accept, ephemerals, finish, offer, replaced
from tests.support.batches import adds, buttons, file_batch, press, question, record, statuses, value_of
from tests.support.central_account import APPROVER, Central, make_request
from tests.support.denials import REFUSED, opened, refusal, submit, use_token
from tests.support.slack_stand_in import Post, SlackStandIn

ADA = "U0ADA"
PEOPLE = f'[people]\n"arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com" = "{ADA}"'


@pytest.fixture(autouse=True)
def _bot_token(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    use_token(slack, monkeypatch)


@pytest.fixture
def asked(central: Central) -> Post:
    """The question for three calls."""
    file_batch(central, adds(1), adds(2), adds(3))
    central.sweep()
    found = question(central)
    central.slack.forget()
    return found


def withdraw(central: Central, post: Post, by: str = ADA, **values: str) -> None:
    """Click Withdraw, with the value of the question's buttons; ``values`` replace parts of it."""
    value = json.dumps(value_of(post) | values)
    action = {"action_id": "withdraw", "type": "button", "value": value}
    assert central.click(make_request(), by=by, actions=[action]).status == 200


def test_all_calls_are_denied_with_one_reason(central: Central, asked: Post, calls: list[str]) -> None:
    """The button has no dialog of its own; each request keeps the reason, and the result shows it once."""
    assert "confirm" not in buttons(asked)["deny"]
    calls.clear()
    press(central, asked, "deny")
    assert calls == []
    assert opened(central)["title"]["text"] == "Deny all calls"
    assert refusal(submit(central, "not <!here>")) == ""
    assert statuses(central, 1, 2, 3) == ["denied"] * 3
    decisions = [record(central, number).decision for number in (1, 2, 3)]
    assert [one.reason for one in decisions if one] == ["not <!here>"] * 3
    finish(central)
    assert "Reason for the denial" in central.monitoring[-1].text
    assert "Reason for the denial" in replaced(central)


def test_a_reason_that_a_batch_requires_is_asked_for(
    central: Central, asked: Post, policy: Callable[[str], None]
) -> None:
    """Nothing is decided before."""
    policy("require_denial_reason = true")
    press(central, asked, "deny")
    assert "Please give a reason" in refusal(submit(central, None))
    assert statuses(central, 1, 2, 3) == ["pending"] * 3
    assert refusal(submit(central, "no")) == ""
    assert statuses(central, 1, 2, 3) == ["denied"] * 3


def test_all_can_be_denied_without_a_reason_where_the_modal_fails(central: Central, asked: Post) -> None:
    """By the button that is offered in its place."""
    central.slack.replies[f"{API_PATH}views.open"].append(REFUSED)
    press(central, asked, "deny")
    assert offer(central)["text"]["text"] == "Deny All"
    accept(central)
    assert statuses(central, 1, 2, 3) == ["denied"] * 3


def test_who_submits_late_is_told_who_decided(central: Central, asked: Post) -> None:
    """Somebody else has approved all of it meanwhile."""
    press(central, asked, "deny", "U0LATE")
    press(central, asked, "approve")
    assert "Your click changed nothing." in refusal(submit(central, "no", "U0LATE"))
    assert statuses(central, 1, 2, 3) == ["approved"] * 3


# -- withdrawing -------------------------------------------------------------------------------------------------------


def test_a_withdrawn_batch_ends_whole(central: Central, asked: Post, policy: Callable[[str], None]) -> None:
    """All its requests expire, both channels are told once, and no later click decides."""
    policy(PEOPLE)
    withdraw(central, asked)
    assert statuses(central, 1, 2, 3) == ["expired"] * 3
    assert all(record(central, number).is_withdrawn for number in (1, 2, 3))
    assert "3 calls withdrawn by their requester" in replaced(central)
    finish(central)
    assert ["withdrawn" in post.text for post in central.monitoring] == [True]
    press(central, asked, "approve")
    assert statuses(central, 1, 2, 3) == ["expired"] * 3
    assert central.sent("applySecurityGroupChange") == []


def test_one_request_of_a_batch_withdraws_all_of_it(
    central: Central, asked: Post, policy: Callable[[str], None]
) -> None:
    """A part alone cannot be withdrawn: the question is for all of them."""
    policy(PEOPLE)
    assert asked
    central.click(record(central, 2).request, "withdraw", ADA)
    assert statuses(central, 1, 2, 3) == ["expired"] * 3


def test_a_request_whose_batch_is_still_open_waits(central: Central, policy: Callable[[str], None]) -> None:
    """The question for all of them can be withdrawn as soon as it is asked."""
    policy(PEOPLE)
    central.file(adds(1))
    central.file(adds(2))
    central.click(record(central, 2).request, "withdraw", ADA)
    assert "one question for all of them replaces this one" in ephemerals(central)[-1]
    assert statuses(central, 1, 2) == ["pending", "pending"]


@pytest.mark.parametrize(
    ("by", "values", "sentence"),
    [
        (APPROVER, {}, "only the requester can withdraw this"),
        (ADA, {"digest": "0" * 64}, "has changed since"),
        (ADA, {"requestId": "batch#unknown"}, "This batch is not known here."),
    ],
)
def test_a_batch_is_not_withdrawn(
    central: Central, asked: Post, policy: Callable[[str], None], by: str, values: dict[str, str], sentence: str
) -> None:
    """By anybody else, or by a button that does not fit."""
    policy(PEOPLE)
    withdraw(central, asked, by, **values)
    assert sentence in ephemerals(central)[-1]
    assert statuses(central, 1, 2, 3) == ["pending"] * 3


def test_a_decided_batch_is_not_withdrawn(central: Central, asked: Post, policy: Callable[[str], None]) -> None:
    """The requester is told what was decided."""
    policy(PEOPLE)
    press(central, asked, "approve")
    withdraw(central, asked)
    assert "Your click changed nothing." in ephemerals(central)[-1]
    assert statuses(central, 1, 2, 3) == ["approved"] * 3
