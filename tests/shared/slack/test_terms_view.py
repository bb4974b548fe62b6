"""What a question says of what its request needs, and what the buttons offer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.approval import Terms
from shared.domain.change import Change, Modification, make_change
from shared.domain.needs import Match, Needs
from shared.domain.policy import Policy
from shared.domain.request import Approver, Status
from shared.slack import limits, messages
from shared.slack.messages import ephemeral, outcome, outcome_replacement, question
from shared.slack.status_view import NEEDS_ROOM
from shared.slack.terms_view import limits_text, named_ids, needs_text
from tests.shared.slack.examples import (
    ADA,
    NOON,
    STATUSES,
    buttons,
    every_message,
    make_request,
    make_view,
    many,
    rule_texts,
    tcp,
    texts,
)
from tests.support import slack_limits

ADD = make_change(added=[tcp(22)])
MATCHES = tuple(Match(place=f"rules[{n}]", why=f"rules[{n}] overlaps add ingress/tcp/22-22") for n in range(3))
GRACE = Approver(by="U061F7AUR", by_name="grace", at=NOON)
HOPPER = Approver(by="U0HOPPER1", by_name="hopper", at=NOON)
TWO = Terms(needs=Needs(approvals=2))
OFFERS = Terms(policy=Policy(offer_hours=(8, 72)), takes_hours=True)
LONGEST_ID = "U" + "A" * 40
LONGEST = Terms(
    policy=Policy(offer_hours=(1234.123451, 1234.123452, 1234.123453)),
    needs=Needs(
        approvals=10,
        approvers=(tuple(f"{LONGEST_ID[:-2]}{n:02}" for n in range(20)),),
        mention=(LONGEST_ID, "S" + "A" * 40) * 20,
        matches=(Match(place="rules[0]", why="&" * 2000),) * 20,
    ),
    takes_hours=True,
)
CROWD = tuple(Approver(by=f"{LONGEST_ID[:-2]}{n:02}", by_name="&" * 80, at=NOON) for n in range(9))


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        (Terms(), ""),
        (TWO, "2 approvals by different people (it is not known whose change this is)"),
        (Terms(needs=Needs(approvals=2, matches=MATCHES[:1])), f"2 approvals by different people ({MATCHES[0].why})"),
        (
            Terms(needs=Needs(approvers=(("U1",),), matches=MATCHES)),
            f"1 approval, only by certain approvers ({MATCHES[0].why}, and 2 others)",
        ),
        (
            Terms(needs=Needs(max_hours=0.5, matches=MATCHES[:2]), takes_hours=True),
            f"1 approval, for at most 0.5 h ({MATCHES[0].why}, and 1 other)",
        ),
        (Terms(needs=Needs(max_hours=8, matches=MATCHES)), ""),
        (
            Terms(policy=Policy(approvers=("U1", "U2")), needs=Needs(approvals=3, matches=MATCHES[:1])),
            "Too few people may approve this; the policy has to be corrected. "
            f"3 approvals by different people ({MATCHES[0].why})",
        ),
    ],
)
def test_what_a_request_needs_is_said_in_short(terms: Terms, text: str) -> None:
    """How many, by whom, for how long, and the first entry that says so; nothing of what is usual."""
    assert needs_text(terms) == text
    (payload,) = question(make_view(make_request(ADD), terms=terms))
    assert [one for one in texts(payload) if one.startswith("Needs: ")] == ([f"Needs: {text}"] if text else [])


def test_ids_are_named_up_to_five() -> None:
    """People and user groups; what is no Slack id never becomes markup."""
    assert named_ids(["U061F7AUR", "S061F7AUR", "<!channel>", ""]) == "<@U061F7AUR> <!subteam^S061F7AUR>"
    assert named_ids([f"U0{n}X" for n in range(7)]).endswith("<@U04X> and 2 more")


def test_rules_that_end_say_when() -> None:
    """Of a change that touches what is approved for a time only."""
    eight, nine = NOON + timedelta(hours=8), NOON + timedelta(hours=9)
    assert limits_text([]) == ""
    assert limits_text([("a", eight), ("b", eight)]).endswith("2026-10-01 20:00:00 UTC>:* 2 rules of this change")
    assert " to <!date^" in limits_text([("a", nine), ("b", eight)])
    (payload,) = question(make_view(make_request(ADD, limits=(("a", eight),))))
    assert any(text.startswith("⏳ *Open until <!date^") for text in texts(payload))


@pytest.mark.parametrize(
    ("change", "terms", "labels"),
    [
        (ADD, OFFERS, ["Approve Add", "Approve Add for 8 h", "Approve Add for 72 h", "Deny"]),
        (
            make_change(modified=[Modification(before=tcp(22), after=tcp(23))]),
            replace(OFFERS, needs=Needs(max_hours=24)),
            ["Approve Change for 8 h", "Approve Change for 24 h", "Deny"],
        ),
        (ADD, Terms(needs=Needs(max_hours=0.5), takes_hours=True), ["Approve Add for 0.5 h", "Deny"]),
        (make_change(removed=[tcp(22)]), Terms(needs=Needs(max_hours=8)), ["Approve Remove", "Deny"]),
    ],
)
def test_a_button_for_each_time_that_is_offered(change: Change, terms: Terms, labels: list[str]) -> None:
    """Each with its own name, its hours in the value, and a dialog that says what happens afterwards."""
    request = make_request(change)
    (payload,) = question(make_view(request, terms=terms))
    shown = buttons(payload)
    assert [button["text"]["text"] for button in shown] == labels
    assert len({button["action_id"] for button in shown}) == len(shown)
    for button in shown:
        value = json.loads(button["value"])
        hours = value.pop("hours", None)
        assert value == {"requestId": request.request_id, "digest": request.digest}
        assert (hours is not None) == (" for " in button["text"]["text"])
        if hours is not None:
            assert button["action_id"] == f"approve_for_{hours:g}"
            assert f"reverted after {hours} h" in button["confirm"]["text"]["text"]
    slack_limits.check(payload)


@pytest.mark.parametrize(
    ("terms", "approvals", "headline", "line"),
    [
        (TWO, (), "Security group change needs 2 approvals", "*0 of 2* approvals. *Reverted* until 2 people"),
        (TWO, (GRACE,), "Security group change needs another approval", "*1 of 2* approvals, by <@U061F7AUR>."),
        (Terms(), (GRACE,), "Security group change needs approval", "*1 of 1* approvals, by <@U061F7AUR>."),
    ],
)
def test_a_question_says_how_many_have_approved(
    terms: Terms, approvals: tuple[Approver, ...], headline: str, line: str
) -> None:
    """In the headline what is missing, in the status line who has approved."""
    (payload,) = question(make_view(make_request(ADD), terms=terms, approvals=approvals))
    assert texts(payload)[0] == headline
    assert line in texts(payload)[-1]
    assert f"{len(approvals)} of {terms.needs.approvals} approvals" in payload["text"]


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("call", "*Reverted* until somebody approves it."),
        ("ask", "*Not made* yet; it is made once somebody approves it."),
        ("ended", "Its time is over, so it is *reverted* until somebody approves it."),
    ],
)
def test_a_question_says_what_has_happened_to_the_change(origin: str, words: str) -> None:
    """An ask has changed nothing, so nothing was reverted; nor does anything stay reverted when it is denied."""
    request = make_request(ADD, origin=origin)
    assert words in texts(question(make_view(request))[0])[-1]
    rests = "Nothing was changed" if origin == "ask" else "The change stays reverted"
    statuses: tuple[Status, ...] = ("denied", "expired")
    for status in statuses:
        assert rests in texts(outcome(make_view(request, status))[0])[-1]


def test_whoever_approved_is_named() -> None:
    """Everybody, the last one last; and until when."""
    values: dict[str, Any] = {"approvals": (HOPPER, GRACE), "valid_until": NOON + timedelta(hours=8)}
    statuses: tuple[Status, ...] = ("approved", "applied")
    for status in statuses:
        (payload,) = outcome(make_view(make_request(ADD), status, **values))
        assert "*Approved* by <@U0HOPPER1> <@U061F7AUR>, <!date^" in texts(payload)[-1]
        assert "2026-10-01 20:00:00 UTC>" in texts(payload)[-1]
        assert "Approved by grace and 1 other on 2026-10-01" in payload["text"]
        assert "until 2026-10-01 at 20:00 UTC" in payload["text"]
    (denied,) = outcome(make_view(make_request(ADD), "denied", **values))
    assert "*Denied* by <@U061F7AUR>" in texts(denied)[-1]


def test_a_request_that_lacked_an_approval_did_not_go_unanswered() -> None:
    """It expired although somebody approved."""
    (payload,) = outcome(make_view(make_request(ADD), "expired", approvals=(GRACE,)))
    assert "Not enough people approved in time." in texts(payload)[-1]


@pytest.mark.parametrize(
    ("status", "by", "headline", "line"),
    [
        ("applied", "policy", "Security group change allowed by policy", "*Allowed* by policy, without an approval."),
        (
            *("ended", "policy", "Time of a security group change allowed by policy is over"),
            "allowed by policy for a time until",
        ),
        ("ended", "U061F7AUR", "Time of a security group change approved is over", "approved for a time until"),
    ],
)
def test_what_policy_allowed_is_not_said_to_be_approved(status: Status, by: str, headline: str, line: str) -> None:
    """Nobody approved it."""
    view = make_view(make_request(ADD), status, decided_by=by, decided_by_name="", valid_until=NOON)
    (payload,) = outcome(view)
    assert texts(payload)[0] == headline
    assert line in texts(payload)[-1]
    assert buttons(payload) == []


def test_who_may_is_named_to_the_clicker_alone() -> None:
    """In a line of its own; without anybody to name there is none."""
    shown = texts(ephemeral("You may not.", people=("U061F7AUR", "S061F7AUR")))
    assert shown == ["You may not.", "*Who may:* <@U061F7AUR> <!subteam^S061F7AUR>"]
    assert texts(ephemeral("You may not.")) == ["You may not."]


# -- room --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [None, TWO, OFFERS, LONGEST])
@pytest.mark.parametrize("number", [1, 40, 60])
def test_how_rules_fall_into_parts_depends_on_no_policy(terms: Terms | None, number: int) -> None:
    """A question that is replaced under another policy, or by its outcome, shows the same rules."""
    request = make_request(many(number), origin="call")
    plain = question(make_view(request))
    asked = question(make_view(request, terms=terms, approvals=(GRACE,)))
    assert [rule_texts(part) for part in asked] == [rule_texts(part) for part in plain]
    told = outcome_replacement(make_view(request, "approved", approvals=(GRACE, HOPPER)))
    assert rule_texts(told) == rule_texts(asked[-1])


@pytest.mark.parametrize("status", STATUSES)
def test_everything_at_its_longest_fits(status: Status) -> None:
    """All buttons, all that is needed, whoever is named, and the longest id and names around them."""
    request = make_request(
        many(60),
        request_id="r" * 255,
        group_name="&" * 255,
        reason="&" * 2000,
        requester=replace(ADA, arn="&" * 2000, name="&" * 2000, invoked_by="&" * 2000),
        limits=tuple((f"rule-{n}", NOON + timedelta(hours=n)) for n in range(60)),
    )
    view = make_view(request, status, terms=LONGEST, approvals=CROWD, valid_until=NOON, times_made=1000)
    for payload in every_message(view):
        slack_limits.check(payload)


def test_what_is_needed_keeps_to_its_room() -> None:
    """Remarks and note at their longest."""
    request = make_request(ADD, limits=(("a", NOON), ("b", NOON + timedelta(hours=1))))
    (bare,) = question(make_view(make_request(ADD)))
    (payload,) = question(make_view(request, terms=LONGEST))
    around = limits.size(payload["blocks"]) - limits.size(bare["blocks"])
    extra = limits.size(messages._buttons(request, LONGEST)) - limits.size(messages._buttons(request, Terms()))
    assert around - extra <= NEEDS_ROOM
    assert limits.size(messages._buttons(request, LONGEST)) <= messages._room_for_buttons(request)


def test_a_request_that_later_calls_cancelled_says_so() -> None:
    """It was not too late for anybody, so nobody is told to make it again."""
    line = texts(outcome(make_view(make_request(ADD), "expired", is_superseded=True))[0])[-1]
    assert "Later calls of the requester cancelled it. The change stays reverted, and nobody is asked." in line


def test_an_ask_made_again_says_how_often() -> None:
    """It was asked again, not made again."""
    shown = texts(question(make_view(make_request(ADD, origin="ask"), times_made=3))[0])
    assert any("asked for this 3 times" in text for text in shown)
