"""Requests that ask first: at most twenty are open for a role or user, and their texts say that nothing was changed."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.chalicelib import asks
from central.chalicelib.requests import open_asks
from central.chalicelib.requests.open_asks import MOST_OPEN, key_of
from central.chalicelib.requests.table import TABLE, DifferentRequestError
from shared.aws.attributes import to_attributes
from shared.domain.caller import Caller
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import AppliedMessage, ErrorMessage, MessageError
from shared.wire.rule_json import time_to_text
from tests.support.central_account import ACCOUNT, ADA, APPROVER, REGION, Central, make_request

ROLE = Caller(
    type="AssumedRole",
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/developer/bob",
    principal_arn=f"arn:aws:iam::{ACCOUNT}:role/developer",
    name="bob (developer)",
)


FEW = 3


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a requester have few open asks, which are faster to file."""
    for module in (asks, open_asks):
        monkeypatch.setattr(module, "MOST_OPEN", FEW)


def ask(number: int, requester: Caller = ROLE, **values: Any) -> Request:
    """Return an ask that opens a port of its own."""
    opened = make_rule(direction="ingress", protocol="tcp", from_port=number, to_port=number, source=cidr("10.0.0.0/8"))
    defaults: dict[str, Any] = {"requester": requester, "change": make_change(added=[opened]), "origin": "ask"}
    return make_request(f"ask-{number}", **(defaults | values))


def fill(central: Central, most: int = FEW) -> list[Request]:
    """File as many asks as a requester may have open, each session under another name."""
    made = []
    for number in range(1, most + 1):
        session = replace(ROLE, arn=f"{ROLE.arn}-{number}", name=f"bob-{number} (developer)")
        made.append(central.file(ask(number, session)))
    return made


def approve(central: Central, request: Request) -> None:
    """Let two people approve a request: nobody knows who its requester is."""
    for person in (APPROVER, "U0SECOND1"):
        central.click(request, by=person)


def is_stored(central: Central, request: Request) -> bool:
    """Say whether a request was stored."""
    return bool(central.item(request.request_id))


def notices(central: Central) -> list[str]:
    """Return the texts of the notices about too many asks."""
    return [post.text for post in central.monitoring if "Too many open questions" in post.text]


def end(central: Central, request: Request, status: str = "denied") -> None:
    """Let a request end, by whatever way."""
    central.edit(request.request_id, status=status)


# -- the question ------------------------------------------------------------------------------------------------------


def test_an_ask_is_a_question_that_says_nothing_was_changed(central: Central) -> None:
    """In both channels."""
    central.file(ask(22))
    (question,), (announced,) = central.approval, central.monitoring
    for post in (question, announced):
        assert "Asks first: the call changed nothing" in post.text
    assert central.item("ask-22")["origin"] == "ask"


@pytest.mark.parametrize("status", ["unreverted", "observed", "applied"])
def test_an_ask_that_claims_to_be_something_else_is_refused(central: Central, status: Any) -> None:
    """It has changed nothing, so it cannot be in force."""
    with pytest.raises(MessageError, match=r"request\.status"):
        central.file(ask(1, status=status))
    assert not is_stored(central, ask(1))


def test_the_same_ask_again_is_a_duplicate(central: Central) -> None:
    """Already the second one: its question stands for both, and it takes no room."""
    central.file(ask(22))
    again = central.file(replace(ask(22), request_id="again"))
    assert central.item(again.request_id)["duplicateOf"] == "ask-22"
    assert (len(central.approval), central.item("ask-22")["duplicates"]) == (1, 1)
    assert list(central.item(key_of(again))["open"]) == ["ask-22"]
    central.file(again)  # delivered again
    assert list(central.item(key_of(again))["open"]) == ["ask-22"]
    third = central.file(replace(ask(22), request_id="third"))
    assert "asked for this 3 times" in central.approval[-1].text
    assert central.item(third.request_id)["status"] == "pending"


def test_an_ask_is_no_duplicate_of_a_reverted_change(central: Central) -> None:
    """One changed something, the other did not."""
    call = replace(ask(22), origin="call", request_id="call")
    central.file(call)
    central.file(ask(22))
    assert "duplicateOf" not in central.item("ask-22")


# -- how many ----------------------------------------------------------------------------------------------------------


def test_the_21st_open_ask_of_a_role_is_not_asked_and_one_notice_says_so(central: Central) -> None:
    """However many follow, and whatever the sessions are called; others ask on."""
    made = fill(central, MOST_OPEN)
    posts = len(central.approval)
    for number in (21, 22, 23):
        request = central.file(ask(number, replace(ROLE, arn=f"{ROLE.arn}-{number}")))
        assert not is_stored(central, request)
    assert [is_stored(central, one) for one in made] == [True] * MOST_OPEN
    assert len(central.approval) == posts
    (notice,) = notices(central)
    assert "role/developer" in notice
    assert "20 open questions" in notice
    assert is_stored(central, central.file(ask(24, replace(ROLE, principal_arn=f"{ROLE.principal_arn}2"))))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("status", ["approved", "applied", "denied", "expired", "error"])
def test_an_ask_that_has_ended_gives_its_room_back(central: Central, status: str) -> None:
    """By whatever way it ended; then one more is asked, and the next refusal is told anew."""
    made = fill(central)
    central.file(ask(21))
    end(central, made[1], status)
    assert is_stored(central, central.file(ask(22)))
    assert not is_stored(central, central.file(ask(23)))
    assert len(notices(central)) <= 2
    assert len(central.item(key_of(ask(1)))["open"]) == FEW


@pytest.mark.usefixtures("few")
def test_an_ask_that_has_expired_gives_its_room_back_before_the_sweep(central: Central) -> None:
    """Nobody can approve it any more."""
    made = fill(central)
    central.edit(made[0].request_id, requestedAt=time_to_text(datetime.now(UTC) - timedelta(hours=73)))
    assert is_stored(central, central.file(ask(21)))


@pytest.mark.usefixtures("few")
def test_an_ask_that_was_never_stored_gives_its_room_back_later(central: Central) -> None:
    """Its function died after taking the place; for some minutes it may still be delivered again."""
    made = fill(central)
    central.dynamodb.delete_item(TableName=TABLE, Key=to_attributes({"requestId": made[0].request_id}))
    assert not is_stored(central, central.file(ask(21)))
    key = key_of(made[0])
    places = central.item(key)["open"] | {made[0].request_id: time_to_text(datetime.now(UTC) - timedelta(minutes=16))}
    central.edit(key, open=places)
    assert is_stored(central, central.file(ask(22)))
    assert not is_stored(central, central.file(made[0]))


@pytest.mark.usefixtures("few")
def test_an_ask_that_is_delivered_again_keeps_its_place(central: Central) -> None:
    """Also when there is no room any more, and after its end."""
    made = fill(central)
    central.file(made[0])
    end(central, made[1], "denied")
    central.file(made[1])
    assert notices(central) == []
    assert len(central.item(key_of(made[0]))["open"]) == FEW


@pytest.mark.usefixtures("few")
def test_people_of_identity_center_have_room_each(central: Central) -> None:
    """They share the role of their permission set, and only AWS names their sessions."""
    for number in range(1, FEW + 1):
        central.file(ask(number, ADA))
    assert not is_stored(central, central.file(ask(21, ADA)))
    grace = replace(ADA, arn=ADA.arn.replace("ada@", "grace@"), name="grace@example.com")
    assert is_stored(central, central.file(ask(22, grace)))


@pytest.mark.usefixtures("few")
def test_asks_that_policy_denies_take_no_room(central: Central) -> None:
    """Nobody has to decide them."""
    fill(central)
    assert is_stored(central, central.file(ask(21, status="denied", reason="needs a description")))


@pytest.mark.usefixtures("few")
def test_reverted_changes_are_never_too_many(central: Central) -> None:
    """They are reverted already; people have to hear of each."""
    fill(central)
    assert is_stored(central, central.file(replace(ask(21), origin="call")))


def test_of_thirty_asks_at_once_twenty_are_asked(central: Central) -> None:
    """Each write is conditional."""
    some = [ask(number) for number in range(1, 31)]

    def deliver(request: Request) -> None:
        for _ in range(5):  # as Lambda does: moto's own reads do not expect writes at the same time
            with contextlib.suppress(RuntimeError):
                central.file(request)
                return

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deliver, some))
    assert sum(is_stored(central, one) for one in some) == MOST_OPEN
    assert len(notices(central)) == 1


@pytest.mark.usefixtures("few")
def test_a_duplicate_is_asked_in_the_place_of_a_failed_ask_only_where_there_is_room(central: Central) -> None:
    """Otherwise it ends; it can be asked again."""
    made = fill(central)
    again = central.file(replace(made[0], request_id="again"))
    later = central.file(replace(made[1], request_id="later"))
    for one in made[:2]:
        approve(central, one)
        error = ErrorMessage(
            request_id=one.request_id,
            digest=one.digest,
            account=ACCOUNT,
            region=REGION,
            code="InvalidPermission.Duplicate",
            reason="exists",
            failed_at=datetime.now(UTC),
        )
        central.deliver(error, "errorHandlerSecurityGroupChange")
    central.file(ask(21))
    central.sweep()
    stored = sorted(central.status(one.request_id) for one in (again, later))
    assert stored == ["expired", "pending"]


def test_a_forged_ask_under_a_stored_id_takes_no_place(central: Central) -> None:
    """Whoever may publish could file it; the stored one is kept."""
    central.file(ask(1))
    forged = replace(ask(1), requester=replace(ROLE, principal_arn="arn:aws:iam::1:role/other"))
    with pytest.raises(DifferentRequestError):
        central.file(forged)
    assert central.item(key_of(forged)) == {}


def test_an_approved_ask_is_applied_like_any_other(central: Central) -> None:
    """The member reports it."""
    request = central.file(ask(1))
    approve(central, request)
    applied = AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=ACCOUNT,
        region=REGION,
        applied_at=datetime.now(UTC),
    )
    central.deliver(applied)
    assert central.status(request.request_id) == "applied"
