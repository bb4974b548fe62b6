"""Rules that their remover has put back: noted, and found when the removal is applied."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from member.chalicelib.assessment.put_back import has_overtaken, keys_of_put_back, notes_about
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Difference
from shared.domain.caller import Caller
from shared.domain.change import Modification, make_change
from shared.domain.operations import Added, Removed
from tests.support.central_account import make_request
from tests.support.examples import ACCOUNT, ADA, NOON, tcp

SSH = tcp(22, "sgr-22", description="office")
KEY = f"put back: {SSH.identity}"
REMOVAL = make_request(request_id="a", change=make_change(removed=[SSH]), requester=ADA, event_time=NOON)
LATER = make_request(request_id="b", change=make_change(), requester=ADA, event_time=NOON)


def person(name: str) -> Caller:
    """Somebody of Identity Center."""
    role = "AWSReservedSSO_Admin_0123456789abcdef"
    return Caller(
        type="AssumedRole",
        account=ACCOUNT,
        arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
        principal_arn=f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{role}",
        name=name,
    )


def test_a_call_that_makes_an_approved_rule_leaves_a_note() -> None:
    """With another description or as it was; an edit or a new rule leaves none."""
    approved = RuleSet([SSH])
    again = replace(LATER, operations=(Added(rule=tcp(22, "sgr-9")), Added(rule=tcp(80)), Removed(rule=tcp(22))))
    assert keys_of_put_back(again, approved) == [KEY]
    edited = make_change(modified=[Modification(before=SSH, after=tcp(23))])
    assert keys_of_put_back(replace(LATER, change=edited), approved) == []
    assert keys_of_put_back(replace(LATER, change=make_change(added=[tcp(80)])), approved) == []


def test_notes_about_a_removal_are_found() -> None:
    """By the rules that it removes; its own is not one."""
    notes = [Difference(key=key, since=NOON, request_id=by) for key, by in ((KEY, "b"), (KEY, "a"), ("+ x", "b"))]
    assert notes_about(REMOVAL, notes) == notes[:1]
    assert notes_about(replace(REMOVAL, change=make_change(added=[SSH])), notes) == []


@pytest.mark.parametrize(
    ("later", "removal", "overtakes"),
    [
        (LATER, REMOVAL, True),
        (replace(LATER, event_time=NOON + timedelta(hours=1)), REMOVAL, True),
        (replace(LATER, event_time=NOON - timedelta(seconds=1)), REMOVAL, False),
        (replace(LATER, requester=None), REMOVAL, False),
        (LATER, replace(REMOVAL, requester=None), False),
        (LATER, replace(REMOVAL, requester=replace(ADA, arn="arn:x", principal_arn="arn:x")), False),
        (replace(LATER, requester=person("ada")), replace(REMOVAL, requester=person("ada")), True),
        (replace(LATER, requester=person("ada")), replace(REMOVAL, requester=person("bob")), False),
    ],
)
def test_only_the_same_requester_overtakes(later: object, removal: object, overtakes: bool) -> None:
    """Who does not want the removal any more; other people's rules are for approvers to compare."""
    assert has_overtaken(later, removal) == overtakes  # type: ignore[arg-type]  # requests, as pytest types them
