"""The modal for the reason of a denial, and what is offered where it cannot be opened."""

from __future__ import annotations

import json

import pytest

from sandbox.slack.validation import check_message
from shared.slack.denial_modal import (
    LONGEST_REASON,
    denial_modal,
    denial_not_offered,
    denial_offer,
    metadata_of,
    modal_errors,
)

VALUE = {"requestId": "r-1", "digest": "0" * 64}


@pytest.mark.parametrize(
    ("is_of_batch", "words"), [(False, ("Deny this change", "Deny")), (True, ("Deny all calls", "Deny All"))]
)
def test_the_modal_asks_for_one_text(is_of_batch: bool, words: tuple[str, str]) -> None:
    """Its parts keep Slack's limits: 24 characters of a title and of buttons."""
    view = denial_modal("{}", is_of_batch=is_of_batch, is_required=False)
    assert (view["title"]["text"], view["submit"]["text"]) == words
    assert all(len(view[key]["text"]) <= 24 for key in ("title", "submit", "close"))
    (block,) = view["blocks"]
    assert block["element"]["max_length"] == LONGEST_REASON
    assert (block["block_id"], block["element"]["action_id"]) == ("reason", "reason")


def test_the_label_says_whether_a_reason_is_needed() -> None:
    """Slack itself keeps the modal open while an obligatory input is empty."""
    optional, required = (denial_modal("", is_of_batch=False, is_required=one)["blocks"][0] for one in (False, True))
    assert (optional["optional"], required["optional"]) == (True, False)
    assert "may leave this empty" in optional["label"]["text"]
    assert required["label"]["text"] == "Reason"


def test_what_it_carries_says_what_was_clicked_and_where() -> None:
    """What is not known is left out."""
    carried = metadata_of(VALUE, channel="C1", ts="1.2", response_url="https://hooks.slack.com/x")
    address = {"channel": "C1", "ts": "1.2", "responseUrl": "https://hooks.slack.com/x"}
    assert json.loads(carried) == {**VALUE, **address}
    assert json.loads(metadata_of(VALUE, channel="", ts="", response_url="")) == VALUE


def test_an_address_without_room_is_left_out() -> None:
    """A button's value has 2,000 characters; the decision counts without the address."""
    carried = metadata_of(VALUE, channel="C1", ts="1.2", response_url="https://hooks.slack.com/" + "x" * 2000)
    assert json.loads(carried) == {**VALUE, "channel": "C1", "ts": "1.2"}


def test_an_error_stands_below_the_input() -> None:
    """By the id of its block."""
    assert modal_errors("Too late.") == {"response_action": "errors", "errors": {"reason": "Too late."}}


@pytest.mark.parametrize(("is_of_batch", "label"), [(False, "Deny"), (True, "Deny All")])
def test_the_offer_asks_once_more(is_of_batch: bool, label: str) -> None:
    """It is a message that Slack accepts, for the clicker alone, and says that no reason is given."""
    offer = denial_offer(json.dumps(VALUE), is_of_batch=is_of_batch)
    check_message(offer)
    (button,) = offer["blocks"][-1]["elements"]
    assert (button["text"]["text"], json.loads(button["value"])) == (label, VALUE)
    assert "No reason is given" in json.dumps(button["confirm"])
    assert (offer["response_type"], offer["replace_original"]) == ("ephemeral", False)


def test_without_an_offer_the_clicker_is_told() -> None:
    """Where a reason is required, only a new click helps."""
    told = denial_not_offered()
    check_message(told)
    assert "a denial needs a reason" in told["text"]
    assert not [block for block in told["blocks"] if block["type"] == "actions"]
