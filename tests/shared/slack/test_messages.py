"""What each message says, and to whom it gives buttons."""

from __future__ import annotations

import json

import pytest

from shared.domain.change import Change, Modification, make_change
from shared.domain.request import Status
from shared.slack import limits
from shared.slack.messages import (
    announcement,
    as_replacement,
    outcome,
    outcome_replacement,
    processing,
    question,
    whisper,
)
from tests.shared.slack.examples import (
    ADA,
    MARKUP,
    NOON,
    buttons,
    make_record,
    make_request,
    many,
    rule_texts,
    tcp,
    texts,
)

ADD = make_change(added=[tcp(22, "0.0.0.0/0", description="office vpn")])
REMOVE = make_change(removed=[tcp(22)])
MODIFY = make_change(modified=[Modification(before=tcp(22), after=tcp(22, description="new"))])
MIXED = make_change(added=[tcp(80)], removed=[tcp(22)])

ORANGE, GREEN, RED = "#f98c3e", "#29a52d", "#f71818"


def test_a_question_shows_the_whole_request() -> None:
    """What opens, to whom, where and by whom comes in this order; the small print has the exact identity."""
    caller = type(ADA)(type=ADA.type, name=ADA.name, arn=ADA.arn, invoked_by="cloudformation.amazonaws.com")
    (payload,) = question(make_record(make_request(ADD, reason="found late", requester=caller)))
    assert texts(payload) == [
        "Security group change needs approval",
        "⚠️ *Open to the whole internet:* 1 rule",
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
        "The change was taken back until somebody approves it.",
    ]


def test_the_top_level_text_is_the_request_in_a_sentence() -> None:
    """Notifications and screen readers get the same as the eye."""
    (payload,) = question(make_record(make_request(ADD)))
    assert payload["text"] == (
        "Security group change needs approval: add TCP 22 (SSH) from 0.0.0.0/0 (the whole internet), "
        "description office vpn in group web (sg-0123456789abcdef0), account production (222222222222), "
        "region eu-west-1, by ada@example.com (AWSReservedSSO_Admin_1a2b), 2026-10-01 12:00:00 UTC. "
        "Pending. The change was taken back until somebody approves it. "
        "Request 59dbff89-35bd-4eac-99ed-be587ed825a1."
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, ", description dd"), (10, "; and 4 more rules in group"), (60, "; and 54 more rules in group")],
)
def test_the_sentence_counts_the_rules_it_cannot_hold(number: int, said: str) -> None:
    """It never pretends to be complete."""
    rules = [tcp(22, f"10.0.{index}.0/24", description="d" * 100) for index in range(number)]
    assert said in question(make_record(make_request(make_change(added=rules))))[0]["text"]


def test_a_rule_too_long_for_the_sentence_is_counted() -> None:
    """Even the first rule may be too long to be read aloud."""
    record = make_record(make_request(many(1), group_name="g" * 255))
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
    (payload,) = question(make_record(request))
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
    (payload,) = question(make_record(make_request(MODIFY)))
    assert rule_texts(payload) == [
        "• Before: TCP 22 (SSH) from 10.0.0.0/8\n    No description\n"
        "    After: TCP 22 (SSH) from 10.0.0.0/8\n    Description: new"
    ]


def confirm_text(change: Change, **values: str) -> str:
    """Return what the dialog on approve says."""
    text = buttons(question(make_record(make_request(change, **values)))[-1])[0]["confirm"]["text"]
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
    shown = texts(question(make_record(make_request(change)))[0])
    assert [text for text in shown if "Open to" in text] == ([remark] if remark else [])
    if remark:
        assert shown[1] == remark


@pytest.mark.parametrize(
    ("status", "values", "colour", "headline", "line"),
    [
        ("pending", {}, ORANGE, "Security group change waits for approval", "*Pending* since "),
        ("approved", {}, GREEN, "Security group change approved", "*Approved* by <@U061F7AUR>, <!date^1790856300^"),
        (
            *("applied", {}, GREEN, "Security group change approved and applied"),
            "*Approved* by <@U061F7AUR>, <!date^1790856300^",
        ),
        ("denied", {}, RED, "Security group change denied", "*Denied* by <@U061F7AUR>, <!date^1790856300^"),
        (
            *("denied", {"decided_by": "policy"}, RED, "Security group change denied by policy"),
            "*Denied* by policy. The change stays taken back.",
        ),
        ("expired", {}, RED, "Security group change request expired", "*Expired.* Nobody decided in time."),
        (
            *("error", {}, RED, "Approved security group change could not be applied"),
            "*Error.* Approved by <@U061F7AUR>, <!date^1790856300^",
        ),
        (
            *("unreverted", {}, RED, "Unapproved security group change could not be taken back"),
            "*Not taken back.* Nobody approved this change",
        ),
        ("observed", {}, ORANGE, "Security group change observed", "*Observed.* The change is in force."),
    ],
)
def test_every_status_has_headline_colour_and_line(
    status: Status, values: dict[str, str], colour: str, headline: str, line: str
) -> None:
    """One attachment carries the colour bar and says where the request stands; there are no buttons."""
    record = make_record(make_request(ADD), status, **values)
    for payload in (*announcement(record), *outcome(record), outcome_replacement(record)):
        (attachment,) = payload["attachments"]
        assert attachment["color"] == colour
        assert texts(payload)[0] == headline
        assert texts(payload)[-1].startswith(line)
        assert payload["text"].startswith(f"{headline}: ")
        assert not buttons(payload)
        assert "replace_original" not in payload


@pytest.mark.parametrize("status", ["observed", "unreverted", "applied"])
def test_what_is_in_force_is_told_as_a_fact(status: Status) -> None:
    """A rule that was added is not asked for any more."""
    (payload,) = outcome(make_record(make_request(ADD), status))
    assert "*Added 1 inbound rule*" in texts(payload)
    assert ": added TCP 22" in payload["text"]


def test_an_error_says_what_happened_and_what_to_do() -> None:
    """Code, sentence and advice stand near the top; an unknown code gets the general advice."""
    (payload,) = outcome(make_record(make_request(REMOVE), "error"))
    note = texts(payload)[1]
    assert note.startswith(
        "Error: InvalidPermission.Duplicate: the specified rule already exists\nWhat to do: Such a rule"
    )
    (payload,) = outcome(make_record(make_request(REMOVE), "error", error_code="Client.InvalidGroup.NotFound"))
    assert "What to do: The group, or a group" in texts(payload)[1]
    (payload,) = outcome(make_record(make_request(REMOVE), "error", error_code="", error_reason=""))
    assert texts(payload)[1].startswith(
        "Error: Unknown: no reason was given\nWhat to do: The log of applySecurityGroupChange"
    )


def test_an_unreverted_change_says_what_is_still_in_force_first() -> None:
    """What is open, what is missing, why, and what to do come before what was changed."""
    open_rule, gone = tcp(22, "0.0.0.0/0"), tcp(443)
    change = make_change(added=[open_rule, tcp(80)], removed=[gone])
    request = make_request(change, status="unreverted", reason="EC2 refused", remaining=(open_rule, gone))
    (payload,) = announcement(make_record(request, "unreverted"))
    assert texts(payload)[1:8] == [
        "⚠️ *Open to the whole internet:* 1 rule",
        "What to do: Somebody has to look at this group now: put the rules right by hand, or keep them knowingly. "
        "No button can do it.",
        "Reason: EC2 refused",
        "*Still in force, approved by nobody: 1 inbound rule*",
        "• TCP 22 (SSH) from 0.0.0.0/0 (the whole internet)\n    No description",
        "*Still missing, removal approved by nobody: 1 inbound rule*",
        "• TCP 443 (HTTPS) from 10.0.0.0/8\n    No description",
    ]
    assert ": still in force: TCP 22 (SSH)" in payload["text"]
    assert "; still missing: TCP 443 (HTTPS)" in payload["text"]


def test_the_remark_counts_a_rule_still_in_force_once() -> None:
    """A rule that was added and remains is one open rule; one that is missing opens nothing."""
    rule = tcp(22, "0.0.0.0/0")
    added = make_request(make_change(added=[rule]), remaining=(rule,))
    assert "⚠️ *Open to the whole internet:* 1 rule" in texts(announcement(make_record(added, "unreverted"))[0])
    removed = make_request(make_change(removed=[rule]), remaining=(rule,))
    assert not [text for text in texts(announcement(make_record(removed, "unreverted"))[0]) if "Open to" in text]


def test_drift_says_that_nobody_knows_who_did_it() -> None:
    """A difference found by the snapshot has no requester and no call."""
    request = make_request(ADD, requester=None, origin="snapshot", event_name="", group_name="", account_name="")
    shown = texts(question(make_record(request))[0])
    assert "unknown (found by comparing the group with its approved rules)" in shown
    assert "Found by the snapshot" in shown
    assert "sg-0123456789abcdef0" in shown
    assert "222222222222" in shown
    assert not [text for text in shown if text.startswith(("Call ", "Identity ", "Through "))]
    assert "unknown id" in texts(question(make_record(make_request(ADD, group_id="", group_name="")))[0])


def test_a_reminder_says_so_and_can_be_decided() -> None:
    """It is the question once more."""
    (payload,) = question(make_record(make_request(ADD)), reminder=True)
    assert texts(payload)[0] == "Reminder: security group change still needs approval"
    assert len(buttons(payload)) == 2


@pytest.mark.parametrize("status", ["approved", "applied", "denied", "expired", "error"])
def test_a_decided_request_is_never_asked_about(status: Status) -> None:
    """Whatever calls for a question then, the outcome is told instead."""
    record = make_record(make_request(ADD), status)
    assert question(record) == question(record, reminder=True) == outcome(record)


@pytest.mark.parametrize(("approving", "verb"), [(True, "Approved"), (False, "Denied")])
def test_processing_stands_over_the_buttons(*, approving: bool, verb: str) -> None:
    """Who clicked and the whole request stay in view; nothing can be clicked any more."""
    record = make_record(make_request(ADD), "approved" if approving else "denied")
    (payload,) = processing(record, approving=approving)
    (asked,) = question(make_record(make_request(ADD)))
    assert texts(payload)[0] == "Security group change: processing…"
    assert texts(payload)[-1].startswith(f"*Processing…* {verb} by <@U061F7AUR>, <!date^")
    assert payload["attachments"][0]["color"] == ORANGE
    assert not buttons(payload)
    assert rule_texts(payload) == rule_texts(asked)
    assert f"{verb} by grace." in payload["text"]


def test_who_decided_is_always_named() -> None:
    """A decider without a Slack id stands in plain text; one without any name is still told of."""
    record = make_record(make_request(REMOVE), "denied", decided_by="someone *else*", decided_by_name="grace")
    assert texts(outcome(record)[0])[1] == "Decided by: grace someone *else*"
    nobody = make_record(make_request(REMOVE), "approved", decided_by="", decided_by_name="", decided_at=None)
    assert texts(outcome(nobody)[0])[-1] == "*Approved* by an approver. It is being applied."
    assert " Approved. It is being applied." in outcome(nobody)[0]["text"]


def test_a_whisper_is_seen_by_one_person_and_replaces_nothing() -> None:
    """It keeps its lines, and nothing in it is active."""
    payload = whisper(f"You may not.\n{MARKUP}\u202e")
    assert payload["response_type"] == "ephemeral"
    assert payload["replace_original"] is False
    assert texts(payload) == [f"You may not.\n{MARKUP}\\u202e"]
    assert "<" not in payload["text"]
    limits.check(whisper("x" * 100_000))


def test_a_replacement_is_the_same_message_in_the_same_place() -> None:
    """Only the flag is added, and the payload it was made from stays as it is."""
    payload = outcome_replacement(make_record(make_request(ADD), "applied"))
    assert as_replacement(payload) == {**payload, "replace_original": True}
    assert "replace_original" not in payload


def test_times_are_those_of_the_request() -> None:
    """A request from last week does not look like today's."""
    later = make_record(make_request(ADD, event_time=NOON.replace(day=8)))
    assert "2026-10-08 12:00:00 UTC" in question(later)[0]["text"]
