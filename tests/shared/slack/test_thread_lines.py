"""What is said in the thread of a question."""

from __future__ import annotations

from shared.domain.approval import Terms
from shared.domain.policy import Policy
from shared.slack.thread_lines import thread_line, thread_reminder

SHOWN = {
    "text": "in words",
    "blocks": [{"type": "actions"}],
    "attachments": [{"color": "#29a52d", "blocks": [{"type": "section", "text": "*Approved*"}]}],
}


def test_the_history_is_the_status_line_alone() -> None:
    """Nothing to press: only the question itself has buttons."""
    assert thread_line(SHOWN) == {"text": "in words", "blocks": [{"type": "section", "text": "*Approved*"}]}


def test_a_reminder_names_people_and_groups_who_may_approve() -> None:
    """At most ten, and nobody where anybody may."""
    terms = Terms(policy=Policy(approvers=("U061F7AUR", "S0614TZR7", *(f"U{index:08}" for index in range(20)))))
    (block,) = thread_reminder(SHOWN, terms)["blocks"]
    assert block["text"]["text"].startswith("<@U061F7AUR> <!subteam^S0614TZR7> <@U00000000>")
    assert block["text"]["text"].count("<") == 10
    for anybody in (None, Terms()):
        (block,) = thread_reminder(SHOWN, anybody)["blocks"]
        assert block["text"]["text"] == "This request still waits."
