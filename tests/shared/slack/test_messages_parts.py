"""A request too large for one message is told in parts, and no rule is ever left out."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings

from shared.domain.change import Change, make_change
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.slack import limits
from shared.slack.blocks import Payload
from shared.slack.messages import outcome, outcome_replacement, processing, question
from shared.slack.text import visible
from tests.shared.slack.examples import (
    STATUSES,
    buttons,
    make_request,
    make_view,
    many,
    requests,
    rule_texts,
    tcp,
    texts,
)
from tests.support import slack_limits


def shown_rules(parts: list[Payload]) -> list[list[str]]:
    """Return the lines under each bullet, over all parts."""
    lines = [line for part in parts for text in rule_texts(part) for line in text.split("\n")]
    rules: list[list[str]] = []
    for line in lines:
        if line.startswith("• "):
            rules.append([line.removeprefix("• ")])
        else:
            rules[-1].append(line.strip())
    return rules


def assert_shows(lines: list[str], rule: Rule) -> None:
    """Check that these lines say where from, which ports and the whole description of a rule."""
    assert rule.source.value in lines[0]
    assert f" {rule.from_port} " in lines[0]
    assert lines[1] == f"Description: {rule.description}"


@pytest.mark.parametrize("number", [1, 10, 60, 1000])
def test_no_rule_is_dropped(number: int) -> None:
    """Every rule stands in exactly one part, with source, ports and whole description."""
    change = many(number)
    parts = question(make_view(make_request(change)))
    shown = shown_rules(parts)
    assert len(shown) == number
    for lines, rule in zip(shown, change.added, strict=True):
        assert_shows(lines, rule)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(requests)
def test_no_text_of_any_rule_is_dropped(request: Request) -> None:
    """Whatever the rules are: joined over all parts, every description and tag is there in full."""
    parts = question(make_view(request))
    joined = "".join(text.replace("\n", "").replace("    ", "") for part in parts for text in rule_texts(part))
    for rule in (*request.change.rules, *request.remaining):
        for text in (rule.description, *(text for tag in rule.tags for text in tag)):
            assert visible(text).replace("    ", "") in joined


def test_sixty_ordinary_rules_fit_in_one_message() -> None:
    """What people really ask for is not torn apart."""
    rules = [tcp(8000 + index, f"10.1.{index}.0/24", description="service of the payments team") for index in range(60)]
    assert len(question(make_view(make_request(make_change(added=rules))))) == 1


@pytest.mark.parametrize("number", [60, 1000])
def test_parts_are_numbered_and_the_last_one_has_the_buttons(number: int) -> None:
    """Whoever approves has scrolled past every rule; each part says whose change it is and where."""
    request = make_request(many(number))
    parts = question(make_view(request))
    assert len(parts) > 1
    for index, part in enumerate(parts, start=1):
        shown = texts(part)
        assert shown[0] == f"Security group change needs approval (part {index} of {len(parts)})"
        assert part["text"].startswith(f"(part {index} of {len(parts)}) Security group change needs approval: ")
        assert "web (sg-0123456789abcdef0)" in shown
        assert "production (222222222222)" in shown
        assert f"Request {request.request_id}" in shown
        assert len(buttons(part)) == (2 if index == len(parts) else 0)
    assert f"*Add {number} inbound rules*" in texts(parts[0])
    assert f"*Add {number} inbound rules* (continued)" in texts(parts[1])


@pytest.mark.parametrize("request_id", ["x", "a" * 512, "é" * 512])
def test_a_button_carries_id_and_digest_of_any_request(request_id: str) -> None:
    """The value is what the store is asked with, and stays below Slack's limit."""
    request = make_request(many(60), request_id=request_id)
    for button in buttons(question(make_view(request))[-1]):
        assert json.loads(button["value"]) == {"requestId": request_id, "digest": request.digest}
        assert limits.length(button["value"]) < slack_limits.BUTTON_VALUE


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("number", [1, 60, 150])
def test_a_replacement_shows_the_rules_that_its_question_showed(status: Status, number: int) -> None:
    """The last part is replaced and the others stay, so each must hold the same rules in every status."""
    request = make_request(many(number), reason="r" * 500)
    asked = question(make_view(request))
    decided = make_view(request, status, error_reason="because " * 300, decided_by="no id at all" * 20)
    for told in (outcome(decided),):
        assert [rule_texts(part) for part in told] == [rule_texts(part) for part in asked]
    assert outcome_replacement(decided) == outcome(decided)[-1]
    for approving in (True, False):
        (over_buttons,) = processing(decided, approving=approving)
        assert rule_texts(over_buttons) == rule_texts(asked[-1])


def test_groups_of_rules_follow_each_other_across_parts() -> None:
    """Where one kind of change ends in the middle of a part, the next begins there under its own heading."""
    rules = many(66).added
    parts = question(make_view(make_request(Change(added=rules[:36], removed=rules[36:]))))
    headings = [text for part in parts for text in texts(part, "mrkdwn") if text.startswith(("*Add ", "*Remove "))]
    kinds = list(dict.fromkeys(text.removesuffix(" (continued)") for text in headings))
    assert kinds == ["*Add 36 inbound rules*", "*Remove 30 inbound rules*"]
    assert headings.count("*Add 36 inbound rules*") == headings.count("*Remove 30 inbound rules*") == 1
    assert any("*Remove 30 inbound rules*" in texts(part) and any("*Add" in t for t in texts(part)) for part in parts)


def test_a_rule_longer_than_a_message_goes_on_in_the_next() -> None:
    """Fifty tags of the greatest length do not fit in one message, and are all shown."""
    tags = [(f"{index:02d}" + "k" * 126, "\u202e" * 256) for index in range(50)]
    rule = tcp(22, description="d" * 255, tags=tags)
    parts = question(make_view(make_request(make_change(added=[rule, tcp(80)]))))
    assert len(parts) > 1
    for part in parts:
        slack_limits.check(part)
    joined = "".join(text.replace("\n", "").replace("    ", "") for part in parts for text in rule_texts(part))
    for key, value in tags:
        assert f"{key} = {visible(value)}" in joined
