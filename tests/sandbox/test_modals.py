"""Modals of the Slack stand-in: opened as Slack opens them, refused by its words."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.slack import modals
from sandbox.slack.modals import Modals, check_view
from sandbox.slack.validation import PayloadError
from shared.slack.denial_modal import denial_modal


def view(**values: Any) -> dict[str, Any]:
    """Return a modal; ``values`` replace parts of it."""
    return {**denial_modal("{}", is_of_batch=False, is_required=True), **values}


def block(**values: Any) -> list[dict[str, Any]]:
    """Return the blocks of a modal whose input has other parts."""
    return [{**view()["blocks"][0], **values}]


def test_a_trigger_opens_one_modal_for_its_clicker() -> None:
    """It is shown to that person until it closes."""
    workspace = Modals()
    trigger = workspace.new_trigger("U1")
    assert workspace.open(trigger, view()).user == "U1"
    shown = workspace.of("U1")
    assert shown is not None
    assert shown.state("why")["values"]["reason"]["reason"]["value"] == "why"
    assert shown.state("")["values"]["reason"]["reason"]["value"] is None
    with pytest.raises(PayloadError) as again:
        workspace.open(trigger, view())
    assert again.value.word == "invalid_trigger_id"
    workspace.close("U1")
    assert workspace.of("U1") is None


def test_a_trigger_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three seconds."""
    monkeypatch.setattr(modals, "TRIGGER_SECONDS", -1.0)
    workspace = Modals()
    with pytest.raises(PayloadError) as caught:
        workspace.open(workspace.new_trigger("U1"), view())
    assert caught.value.word == "expired_trigger_id"


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "home"},
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"submit": {"type": "mrkdwn", "text": "x"}},
        {"close": None},
        {"private_metadata": "x" * 3001},
        {"colour": "red"},
        {"blocks": []},
        {"blocks": block(type="section")},
        {"blocks": block(label={"type": "plain_text", "text": ""})},
        {"blocks": block(hint="x")},
        {"blocks": block(element={"type": "plain_text_input", "max_length": 3001})},
        {"blocks": block(element={"type": "plain_text_input", "rows": 3})},
    ],
)
def test_what_slack_refuses_in_a_modal_is_refused(wrong: dict[str, Any]) -> None:
    """The product's own has nothing of it."""
    check_view(view())
    with pytest.raises(PayloadError):
        check_view(view(**wrong))
