"""Attacks on asking first: who may only ask must get no more than a question, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.caller import Caller
from shared.domain.request import Request
from tests.support.central_account import ACCOUNT, Central, make_request

EVE, GRACE, MALLORY = "U0EVE0001", "U0GRACE01", "U0MALLORY"
POLICY = f"""
allow_self_approval = true
ask_by_dry_run = true
approvers = ["{EVE}", "{GRACE}", "{MALLORY}"]
[people]
"arn:aws:iam::*:user/eve" = "{EVE}"
"arn:aws:sts::*:assumed-role/AWSReservedSSO_*/grace@example.com" = "{GRACE}"
"""
EVES = Caller(
    type="IAMUser",
    account=ACCOUNT,
    arn=f"arn:aws:iam::{ACCOUNT}:user/eve",
    principal_arn=f"arn:aws:iam::{ACCOUNT}:user/eve",
    name="eve",
)


@pytest.fixture(autouse=True)
def asks(policy: Callable[[str], None]) -> None:
    """Everybody may approve their own changes; what they ask for first, nobody."""
    policy(POLICY)


def ask(requester: Caller | None, request_id: str = "ask-1", **values: Any) -> Request:
    """Return an ask of somebody."""
    return make_request(request_id, requester=requester, **({"origin": "ask"} | values))


def test_nobody_approves_what_they_asked_for_themselves(central: Central) -> None:
    """Also where self-approval is allowed; one may deny one's own, and one approval of another is enough."""
    request = central.file(ask(EVES))
    central.click(request, by=EVE)
    assert central.status(request.request_id) == "pending"
    assert central.sent("applySecurityGroupChange") == []
    central.click(request, by=GRACE)
    assert central.status(request.request_id) == "approved"
    own = central.file(ask(EVES, "ask-2", group_id="sg-2"))
    central.click(own, "deny", by=EVE)
    assert central.status(own.request_id) == "denied"


def test_a_reverted_change_of_ones_own_may_still_be_approved(central: Central) -> None:
    """Otherwise the first test would say nothing about asks."""
    request = central.file(ask(EVES, origin="call"))
    central.click(request, by=EVE)
    assert central.status(request.request_id) == "approved"


@pytest.mark.parametrize(
    "requester",
    [
        None,
        replace(EVES, type="AssumedRole", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/grace@example.com"),
        replace(
            EVES,
            type="AssumedRole",
            arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_1/grace@example.com",
            principal_arn=f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Admin_1",
        ),
        replace(EVES, arn=f"arn:aws:iam::{ACCOUNT}:user/x/eve", principal_arn=f"arn:aws:iam::{ACCOUNT}:user/x/eve"),
    ],
    ids=["nobody", "session name", "role outside of the path of Identity Center", "user of another path"],
)
def test_under_somebody_elses_name_two_people_have_to_approve(central: Central, requester: Caller | None) -> None:
    """A name that Eve may choose says nothing; one of two people is not her."""
    request = central.file(ask(requester))
    central.click(request, by=EVE)
    central.click(request, by=EVE)
    assert central.status(request.request_id) == "pending"
    central.click(request, by=MALLORY)
    assert central.status(request.request_id) == "approved"


def test_an_ask_cannot_be_turned_into_a_change_that_may_be_approved_by_its_maker(central: Central) -> None:
    """The origin is part of the digest, so the button of one does nothing to the other."""
    request = central.file(ask(EVES))
    central.click(replace(request, origin="call"), by=EVE)
    assert central.status(request.request_id) == "pending"
