"""What each message says, and to whom it gives buttons."""

from __future__ import annotations

import json

import pytest

from shared.domain.change import Change, Modification, make_change
from shared.domain.request import Status
from shared.slack import limits
from shared.slack.messages import (
    as_replacement,
    ephemeral,
    outcome,
    outcome_replacement,
    question,
)
from tests.shared.slack.examples import (
    ADA,
    MARKUP,
    NOON,
    buttons,
    make_request,
    make_view,
    many,
    rule_texts,
    tcp,
    texts,
)
from tests.support import slack_limits

ADD = make_change(added=[tcp(22, "0.0.0.0/0", description="office vpn")])
REMOVE = make_change(removed=[tcp(22)])
MODIFY = make_change(modified=[Modification(before=tcp(22), after=tcp(22, description="new"))])
MIXED = make_change(added=[tcp(80)], removed=[tcp(22)])


def test_a_question_shows_the_whole_request() -> None:
    """What opens, to whom, where and by whom comes in this order; the small print has the exact identity."""
    caller = type(ADA)(type=ADA.type, name=ADA.name, arn=ADA.arn, invoked_by="cloudformation.amazonaws.com")
    (payload,) = question(make_view(make_request(ADD, reason="found late", requester=caller)))
    assert texts(payload) == [
        "Security group change needs approval",
        "⚠️ *Open to the whole internet:* 1 rule",
        "What it reaches: not known",
        "Reason: found late",
        "*Add 1 inbound rule*",
        "• TCP 22 (SSH) from 0.0.0.0/0 (the whole internet)\n    Description: office vpn",
        *("*Group*", "web (sg-0123456789abcdef0)"),
        *("*Account*", "production (222222222222)"),
        *("*Region*", "eu-west-1"),
        *("*Requester*", "ada@example.com (AWSReservedSSO_Admin_1a2b)"),
        *("*Time*", "<!date^1790856000^{date_short_pretty} at {time_secs}|2026-10-01 12:00:00 UTC>"),
        "Request 59dbff89-35bd-4eac-99ed-be587ed825a1",
        "Call AuthorizeSecurityGroupIngress",
        f"Identity {ADA.arn}",
        "Through cloudformation.amazonaws.com",
        "*Pending* since <!date^1790856000^{date_short_pretty} at {time_secs}|2026-10-01 12:00:00 UTC>. "
        "*Reverted* until somebody approves it.",
    ]


def test_the_top_level_text_is_the_request_in_a_sentence() -> None:
    """Notifications and screen readers get the same as the eye."""
    (payload,) = question(make_view(make_request(ADD)))
    assert payload["text"] == (
        "Security group change needs approval: add TCP 22 (SSH) from 0.0.0.0/0 (the whole internet), "
        "description office vpn in group web (sg-0123456789abcdef0), account production (222222222222), "
        "region eu-west-1, by ada@example.com (AWSReservedSSO_Admin_1a2b), 2026-10-01 12:00:00 UTC. "
        "Pending. Reverted until somebody approves it. "
        "Request 59dbff89-35bd-4eac-99ed-be587ed825a1."
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, ", description dd"), (10, "; and 4 more rules in group"), (60, "; and 54 more rules in group")],
)
def test_the_sentence_counts_the_rules_it_cannot_hold(number: int, said: str) -> None:
    """It never pretends to be complete."""
    rules = [tcp(22, f"10.0.{index}.0/24", description="d" * 100) for index in range(number)]
    assert said in question(make_view(make_request(make_change(added=rules))))[0]["text"]


def test_a_rule_too_long_for_the_sentence_is_counted() -> None:
    """Even the first rule may be too long to be read aloud."""
    record = make_view(make_request(many(1), group_name="g" * 255))
    assert ": 1 rule in group" in question(record)[0]["text"]


@pytest.mark.parametrize(
    ("change", "label", "shown"),
    [
        (ADD, "Approve Add", ["*Add 1 inbound rule*"]),
        (REMOVE, "Approve Remove", ["*Remove 1 inbound rule*"]),
        (MODIFY, "Approve Change", ["*Change 1 inbound rule*"]),
        (MIXED, "Approve Change", ["*Add 1 inbound rule*", "*Remove 1 inbound rule*"]),
        (Change(), "Approve Change", ["This request names no rule."]),
    ],
)
def test_the_buttons_say_what_they_do(change: Change, label: str, shown: list[str]) -> None:
    """The kind of change stands on the button, in the headings, and once more in the dialog."""
    request = make_request(change)
    (payload,) = question(make_view(request))
    approve, deny = buttons(payload)
    assert (approve["text"]["text"], approve["action_id"], approve["style"]) == (label, "approve", "primary")
    assert (deny["text"]["text"], deny["action_id"], deny["style"]) == ("Deny", "deny", "danger")
    assert (approve["confirm"]["title"]["text"], approve["confirm"]["confirm"]["text"]) == (f"{label}?", label)
    assert "confirm" not in deny
    assert json.loads(approve["value"]) == {"requestId": request.request_id, "digest": request.digest}
    assert deny["value"] == approve["value"]
    assert [text for text in texts(payload) if text in shown] == shown


def test_a_modification_shows_before_and_after() -> None:
    """Both stand under one bullet."""
    (payload,) = question(make_view(make_request(MODIFY)))
    assert rule_texts(payload) == [
        "• Before: TCP 22 (SSH) from 10.0.0.0/8\n    No description\n"
        "    After: TCP 22 (SSH) from 10.0.0.0/8\n    Description: new"
    ]


def confirm_text(change: Change, **values: str) -> str:
    """Return what the dialog on approve says."""
    text = buttons(question(make_view(make_request(change, **values)))[-1])[0]["confirm"]["text"]
    assert text["type"] == "plain_text"
    return str(text["text"])


def test_the_dialog_repeats_what_will_happen() -> None:
    """The whole change where it fits: what, and where."""
    where = "Group web (sg-0123456789abcdef0), account production (222222222222), eu-west-1."
    assert confirm_text(ADD) == f"This will add TCP 22 (SSH) from 0.0.0.0/0 (the whole internet). {where}"
    assert confirm_text(MIXED) == (
        f"This will add TCP 80 (HTTP) from 10.0.0.0/8; remove TCP 22 (SSH) from 10.0.0.0/8. {where}"
    )


def test_the_dialog_counts_what_it_cannot_repeat() -> None:
    """Numbers, and the rules open to the internet, stand for what has no room; names are shortened last."""
    rules = [*many(20).added, tcp(22, "0.0.0.0/0"), tcp(22, "::/0"), tcp(22, "128.0.0.0/1")]
    change = make_change(added=rules, removed=[tcp(80)], modified=MODIFY.modified)
    assert confirm_text(change) == (
        "This will add 23 inbound rules, change 1 inbound rule, remove 1 inbound rule, as listed above in full. "
        "Open to the whole internet: 2 rules. Open to a large part of the internet: 1 rule. "
        "Group web (sg-0123456789abcdef0), account production (222222222222), eu-west-1."
    )
    assert limits.length(confirm_text(change, group_name="&" * 255, account_name="a" * 400)) <= limits.CONFIRM_TEXT
    assert confirm_text(many(1000)).startswith("This will add 1000 inbound rules, as listed above in full.")
    assert confirm_text(Change()).startswith("This will change no rule, ")


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (make_change(added=[tcp(22, "0.0.0.0/0"), tcp(22, "::/0")]), "⚠️ *Open to the whole internet:* 2 rules"),
        (
            make_change(modified=[Modification(before=tcp(22), after=tcp(22, "0.0.0.0/1"))]),
            "⚠️ *Open to a large part of the internet:* 1 rule",
        ),
        (make_change(removed=[tcp(22, "0.0.0.0/0")]), None),
        (make_change(added=[tcp(22)]), None),
    ],
)
def test_what_opens_to_the_internet_gets_a_remark(change: Change, remark: str | None) -> None:
    """Danger is said in plain words near the top; closing something is no danger."""
    shown = texts(question(make_view(make_request(change)))[0])
    assert [text for text in shown if "Open to" in text] == ([remark] if remark else [])
    if remark:
        assert shown[1] == remark


def test_drift_says_that_nobody_knows_who_did_it() -> None:
    """A difference found by the snapshot has no requester and no call."""
    request = make_request(ADD, requester=None, origin="snapshot", event_name="", group_name="", account_name="")
    shown = texts(question(make_view(request))[0])
    assert "unknown (found by comparing the group with its approved rules)" in shown
    assert "Found by the snapshot" in shown
    assert "sg-0123456789abcdef0" in shown
    assert "222222222222" in shown
    assert not [text for text in shown if text.startswith(("Call ", "Identity ", "Through "))]
    assert "unknown id" in texts(question(make_view(make_request(ADD, group_id="", group_name="")))[0])


def test_a_reminder_says_so_and_can_be_decided() -> None:
    """It is the question once more."""
    (payload,) = question(make_view(make_request(ADD)), reminder=True)
    assert texts(payload)[0] == "Reminder: security group change still needs approval"
    assert len(buttons(payload)) == 2


@pytest.mark.parametrize("status", ["approved", "applied", "denied", "expired", "error"])
def test_a_decided_request_is_never_asked_about(status: Status) -> None:
    """Whatever calls for a question then, the outcome is told instead."""
    record = make_view(make_request(ADD), status)
    assert question(record) == question(record, reminder=True) == outcome(record)


def test_an_ephemeral_message_is_seen_by_one_person_and_replaces_nothing() -> None:
    """It keeps its lines, and nothing in it is active."""
    payload = ephemeral(f"You may not.\n{MARKUP}\u202e")
    assert payload["response_type"] == "ephemeral"
    assert payload["replace_original"] is False
    assert texts(payload) == [f"You may not.\n{MARKUP}\\u202e"]
    assert "<" not in payload["text"]
    slack_limits.check(ephemeral("x" * 100_000))


def test_a_replacement_is_the_same_message_in_the_same_place() -> None:
    """Only the flag is added, and the payload it was made from stays as it is."""
    payload = outcome_replacement(make_view(make_request(ADD), "applied"))
    assert as_replacement(payload) == {**payload, "replace_original": True}
    assert "replace_original" not in payload


def test_times_are_those_of_the_request() -> None:
    """A request from last week does not look like today's."""
    later = make_view(make_request(ADD, event_time=NOON.replace(day=8)))
    assert "2026-10-08 12:00:00 UTC" in question(later)[0]["text"]
