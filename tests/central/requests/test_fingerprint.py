"""Which requests are the same change made again, and when people are told how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.chalicelib.requests.fingerprint import ASKED_SINGLY, asked_singly, fingerprint, shown_again_at
from shared.domain.caller import Caller
from shared.domain.change import Modification, make_change
from shared.domain.request import Request
from shared.domain.rule import cidr, make_rule
from tests.support.central_account import ADA, make_request

PIPELINE = Caller(
    type="AssumedRole",
    account="222222222222",
    arn="arn:aws:sts::222222222222:assumed-role/ci/build-7",
    principal_arn="arn:aws:iam::222222222222:role/ci",
    name="build-7 (ci)",
)
EVE = Caller(type="IAMUser", arn="arn:aws:iam::222222222222:user/eve", principal_arn="", name="eve")
RULE = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("10.0.0.0/8"))
OTHER = replace(RULE, description="ssh")


def again(request: Request, **values: Any) -> Request:
    """Return the request as a later call would make it."""
    later = request.event_time + timedelta(minutes=1)
    return replace(request, **({"request_id": "later", "event_time": later} | values))


def test_the_same_change_made_again_has_the_same_fingerprint_whatever_its_id_time_and_call() -> None:
    """A rule put back by another API call is the same rule."""
    first = make_request()
    assert fingerprint(again(first, event_name="ModifySecurityGroupRules", reason="because")) == fingerprint(first)


@pytest.mark.parametrize(
    "values",
    [
        {"account": "222222222222"},
        {"region": "us-east-1"},
        {"group_id": "sg-0000000000000000f"},
        {"status": "denied"},
        {"origin": "snapshot"},
        {"requester": None},
        {"requester": EVE},
        {"change": make_change(added=[RULE])},
        {"change": make_change(added=[OTHER])},
        {"change": make_change(removed=[RULE])},
        {"change": make_change(modified=[Modification(before=RULE, after=OTHER)])},
        {"change": make_change(added=[replace(RULE, tags=(("owner", "ada"),))])},
    ],
    ids=str,
)
def test_what_people_would_be_shown_otherwise_has_another_fingerprint(values: dict[str, Any]) -> None:
    """Another place, requester, rule, description or tag is another question."""
    first = make_request()
    assert fingerprint(again(first, **values)) != fingerprint(first)


def test_the_sessions_of_a_role_are_one_requester_but_people_are_not() -> None:
    """A pipeline has a new session for each run; people of Identity Center share a role, and their session says who."""
    first = make_request(requester=PIPELINE)
    next_run = replace(PIPELINE, arn=f"{PIPELINE.arn}8", name="build-78 (ci)")
    assert fingerprint(again(first, requester=next_run)) == fingerprint(first)
    first = make_request(requester=ADA)
    bob = replace(ADA, arn=ADA.arn.replace("ada", "bob"), name="bob@example.com")
    assert fingerprint(again(first, requester=bob)) != fingerprint(first)


def test_requesters_without_arns_are_told_apart_by_name() -> None:
    """An AWS service has neither user nor role."""
    config = Caller(type="AWSService", name="config.amazonaws.com")
    other = Caller(type="AWSService", name="fms.amazonaws.com")
    assert fingerprint(make_request(requester=config)) != fingerprint(make_request(requester=other))


@pytest.mark.parametrize(
    ("made", "shown"),
    [(1, 0), (2, 0), (3, 3), (19, 3), (20, 20), (99, 20), (100, 100), (499, 100), (500, 500), (2500, 2500)],
)
def test_a_question_is_shown_again_at_growing_numbers(made: int, shown: int) -> None:
    """The 3rd, 20th, 100th, 500th time and so on: a fight of a day is a handful of messages."""
    assert shown_again_at(made) == shown


@given(st.integers(1, 10**9))
def test_the_number_shown_never_runs_ahead_and_never_falls_back(made: int) -> None:
    """What was shown stays shown, and is at most what happened."""
    assert 0 <= shown_again_at(made) <= shown_again_at(made + 1) <= made + 1
    assert shown_again_at(ASKED_SINGLY) == 0


@pytest.mark.parametrize(("origin", "singly"), [("call", ASKED_SINGLY), ("ask", 1)])
def test_the_second_equal_ask_is_a_duplicate(origin: Any, singly: int) -> None:
    """Nothing disappears after an ask, so nobody tries again to see why."""
    assert asked_singly(make_request(origin=origin)) == singly
