"""What each message says about where its request stands, and what is to be done."""

from __future__ import annotations

import pytest

from shared.domain.caller import Caller
from shared.domain.change import make_change
from shared.domain.request import Status
from shared.slack.messages import outcome, outcome_replacement, processing, question
from shared.slack.status_view import click_sentence
from tests.shared.slack.examples import ADA, buttons, make_request, make_view, rule_texts, tcp, texts

ADD = make_change(added=[tcp(22, "0.0.0.0/0", description="office vpn")])
REMOVE = make_change(removed=[tcp(22)])

ORANGE, GREEN, RED = "#f98c3e", "#29a52d", "#f71818"


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
            "*Denied* by policy. The change stays reverted.",
        ),
        ("expired", {}, RED, "Security group change request expired", "*Expired.* Nobody decided in time."),
        (
            *("expired", {"is_withdrawn": True}, ORANGE, "Security group change withdrawn by its requester"),
            "*Withdrawn* by its requester. The change stays reverted.",
        ),
        (
            *("error", {}, RED, "Approved security group change could not be applied"),
            "*Error.* Approved by <@U061F7AUR>, <!date^1790856300^",
        ),
        (
            *("unreverted", {}, RED, "Unapproved security group change could not be reverted"),
            "*Not reverted.* Nobody approved this change",
        ),
        ("observed", {}, ORANGE, "Security group change observed", "*Observed.* The change is in force."),
    ],
)
def test_every_status_has_headline_colour_and_line(
    status: Status, values: dict[str, str], colour: str, headline: str, line: str
) -> None:
    """One attachment carries the colour bar and says where the request stands; there are no buttons."""
    record = make_view(make_request(ADD), status, **values)
    for payload in (*outcome(record), outcome_replacement(record)):
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
    (payload,) = outcome(make_view(make_request(ADD), status))
    assert "*Added 1 inbound rule*" in texts(payload)
    assert ": added TCP 22" in payload["text"]


def test_an_error_says_what_happened_and_what_to_do() -> None:
    """Code, sentence and advice stand near the top; an unknown code gets the general advice."""
    (payload,) = outcome(make_view(make_request(REMOVE), "error"))
    note = texts(payload)[1]
    assert note.startswith(
        "Error: InvalidPermission.Duplicate: the specified rule already exists\nWhat to do: Such a rule"
    )
    (payload,) = outcome(make_view(make_request(REMOVE), "error", error_code="Client.InvalidGroup.NotFound"))
    assert "What to do: The group, or a group" in texts(payload)[1]
    (payload,) = outcome(make_view(make_request(REMOVE), "error", error_code="", error_reason=""))
    assert texts(payload)[1].startswith(
        "Error: Unknown: no reason was given\nWhat to do: The log of applySecurityGroupChange"
    )


@pytest.mark.parametrize(
    ("requester", "beginning"), [(ADA, "The same requester made this change"), (None, "This change was made")]
)
def test_a_change_that_is_made_again_and_again_says_how_often(requester: Caller | None, beginning: str) -> None:
    """The first time included, and whether anybody is known to make it."""
    request = make_request(ADD, requester=requester)
    (payload, *_) = outcome(make_view(request, "denied", times_made=5))
    assert [text for text in texts(payload) if f"Made again: {beginning} 5 times" in text]
    assert not [text for text in texts(outcome(make_view(request, "denied"))[0]) if "Made again" in text]


def test_an_unreverted_change_says_what_is_still_in_force_first() -> None:
    """What is open, what is missing, why, and what to do come before what was changed."""
    open_rule, gone = tcp(22, "0.0.0.0/0"), tcp(443)
    change = make_change(added=[open_rule, tcp(80)], removed=[gone])
    request = make_request(change, status="unreverted", reason="EC2 refused", remaining=(open_rule, gone))
    (payload,) = outcome(make_view(request, "unreverted"))
    assert texts(payload)[1:8] == [
        "⚠️ *Open to the whole internet:* 1 rule",
        "What to do: Action needed: correct these rules by hand, or accept them. This cannot be done from Slack.",
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
    assert "⚠️ *Open to the whole internet:* 1 rule" in texts(outcome(make_view(added, "unreverted"))[0])
    removed = make_request(make_change(removed=[rule]), remaining=(rule,))
    assert not [text for text in texts(outcome(make_view(removed, "unreverted"))[0]) if "Open to" in text]


@pytest.mark.parametrize(("approving", "verb"), [(True, "Approved"), (False, "Denied")])
def test_processing_stands_over_the_buttons(*, approving: bool, verb: str) -> None:
    """Who clicked and the whole request stay in view; nothing can be clicked any more."""
    record = make_view(make_request(ADD), "approved" if approving else "denied")
    (payload,) = processing(record, approving=approving)
    (asked,) = question(make_view(make_request(ADD)))
    assert texts(payload)[0] == "Security group change: processing…"
    assert texts(payload)[-1].startswith(f"*Processing…* {verb} by <@U061F7AUR>, <!date^")
    assert payload["attachments"][0]["color"] == ORANGE
    assert not buttons(payload)
    assert rule_texts(payload) == rule_texts(asked)
    assert f"{verb} by grace on 2026-10-01 at 12:05 UTC." in payload["text"]


def test_who_decided_is_always_named() -> None:
    """A decider without a Slack id stands in plain text; one without any name is still told of."""
    record = make_view(make_request(REMOVE), "denied", decided_by="someone *else*", decided_by_name="grace")
    assert texts(outcome(record)[0])[1] == "Decided by: grace someone *else*"
    nobody = make_view(make_request(REMOVE), "approved", decided_by="", decided_by_name="", decided_at=None)
    assert texts(outcome(nobody)[0])[-1] == "*Approved* by an approver. It is being applied."
    assert " Approved. It is being applied." in outcome(nobody)[0]["text"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pending", "Pending. Reverted until somebody approves it."),
        ("approved", "Approved by grace on 2026-10-01 at 12:05 UTC. It is being applied."),
        ("applied", "Approved by grace on 2026-10-01 at 12:05 UTC. It is applied and in force."),
        ("denied", "Denied by grace on 2026-10-01 at 12:05 UTC. The change stays reverted."),
        ("expired", "Expired. Nobody decided in time."),
        ("error", "It could not be applied (InvalidPermission.Duplicate)."),
        ("unreverted", "it could not be reverted"),
        ("observed", "Observed. The change is in force."),
    ],
)
def test_a_late_click_is_answered_with_the_status(status: Status, words: str) -> None:
    """Whatever happened, the clicker reads who decided and when, and that the click changed nothing."""
    sentence = click_sentence(make_view(make_request(ADD), status))
    assert sentence.startswith("Your click changed nothing. ")
    assert words in sentence


def test_policy_and_people_without_a_name_are_named_to_a_late_clicker() -> None:
    """By the best name there is."""

    def decided(**values: str) -> str:
        return click_sentence(make_view(make_request(ADD), "denied", **values))

    assert "Denied by policy." in decided(decided_by="policy")
    assert "Denied by U061F7AUR on" in decided(decided_by_name="")
    assert "Denied." in decided(decided_by="", decided_by_name="")


@pytest.mark.parametrize(
    ("event_name", "headline", "colour"),
    [
        ("AdoptedAgain", "Warning: region adopted again", RED),
        ("StateDamaged", "Warning: stored state is damaged", RED),
        ("CallWithoutDetails", "Warning: a change without details", RED),
        ("Adopted", "Region adopted", ORANGE),
        ("AnythingElse", "Notice of the security group approval", ORANGE),
    ],
)
def test_a_notice_is_its_text_without_rules_or_buttons(event_name: str, headline: str, colour: str) -> None:
    """Short, with account and region; the group only if it is about one."""
    about = {"origin": "notice", "status": "observed", "reason": "Somebody <!here> should know.", "requester": None}
    request = make_request(make_change(), event_name=event_name, group_id="", group_name="", **about)
    (payload,) = outcome(make_view(request, "observed"))
    shown = texts(payload)
    assert shown[:2] == [headline, "Somebody <!here> should know."]
    assert payload["attachments"][0]["color"] == colour
    assert not buttons(payload)
    assert not {"*Group*", "*Requester*", "This request names no rule."} & set(shown)
    assert "*Account*" in shown
    assert payload["text"].startswith(f"{headline}: Somebody &lt;!here&gt; should know. Account production")
    (about_group,) = outcome(make_view(make_request(make_change(), event_name=event_name, **about), "observed"))
    assert "*Group*" in texts(about_group)
    assert f"Notice {request.request_id}" in shown
    assert not {f"Request {request.request_id}", f"Call {event_name}"} & set(shown), "nobody called or asked for it"


def test_a_notice_about_a_call_names_the_call() -> None:
    """Whoever made it is known, and its request is the one to look for in CloudTrail."""
    about = {"origin": "notice", "status": "observed", "reason": "It was not reverted."}
    request = make_request(make_change(), **about)
    (payload,) = outcome(make_view(request, "observed"))
    assert {f"Request {request.request_id}", f"Call {request.event_name}"} <= set(texts(payload))


@pytest.mark.parametrize(
    ("event_name", "headline"),
    [
        ("ModifyManagedPrefixList", "Prefix list changed"),
        ("RestoreManagedPrefixListVersion", "Prefix list changed"),
        ("AssociateSecurityGroupVpc", "Security group associated with another VPC"),
    ],
)
def test_an_indirect_change_says_what_it_is(event_name: str, headline: str) -> None:
    """It names no rule of its own; its reason says what it widens."""
    request = make_request(make_change(), event_name=event_name, status="observed", reason="It widens 2 rules.")
    (payload,) = outcome(make_view(request, "observed"))
    assert texts(payload)[:2] == [headline, "Reason: It widens 2 rules."]
    assert "This request names no rule." not in texts(payload)


def test_the_reason_of_a_denial_stands_in_full_as_somebodys_own_words() -> None:
    """As plain text; what cannot be seen is spelled out, and the longest one has room."""
    denied = make_view(make_request(ADD), "denied", denial_reason="ask <!here>\u202e " + "x" * 400)
    (payload,) = outcome(denied)
    plain = " ".join(texts(payload, "plain_text"))
    assert "Reason for the denial" in " ".join(texts(payload))
    assert "ask <!here>\\u202e " + "x" * 400 in plain
    assert "<!here>" not in " ".join(texts(payload, "mrkdwn"))
    assert "Reason for the denial" not in " ".join(texts(outcome(make_view(make_request(ADD), "denied"))[0]))
