"""A requester withdraws a request that nobody has decided; nobody else can, and what is decided stays so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from central.chalicelib.requests.table import RequestsTable
from tests.central.test_denial import ephemerals, finish, replaced
from tests.support.central_account import APPROVER, Central, aged, make_request

ADA = "U0ADA"
PEOPLE = f'[people]\n"arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com" = "{ADA}"'


def test_a_withdrawn_request_has_expired_and_both_channels_are_told(
    central: Central, policy: Callable[[str], None]
) -> None:
    """The message loses its buttons, and no later click decides."""
    policy(PEOPLE)
    request = central.file()
    central.slack.forget()
    assert central.click(request, "withdraw", ADA).status == 200
    item = central.item()
    assert (item["status"], item["history"][-1]["by"], item["history"][-1]["note"]) == ("expired", ADA, "withdrawn")
    assert "decidedBy" not in item
    assert "withdrawn" in replaced(central)
    assert '"actions"' not in replaced(central)
    finish(central)
    assert ["withdrawn" in post.text for post in (*central.approval, *central.monitoring)] == [True, True]
    assert central.item()["tasks"] == {}
    central.click(request, "approve")
    assert (central.status(), central.sent("applySecurityGroupChange")) == ("expired", [])


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        (PEOPLE, "only the requester can withdraw this"),
        ("", "the policy does not say who the requester is"),
        ("nonsense = 1", "the policy that says who is who cannot be used"),
    ],
)
def test_nobody_else_withdraws(central: Central, policy: Callable[[str], None], people: str, sentence: str) -> None:
    """Whoever clicks is told why not, and nothing changes."""
    policy(people)
    request = central.file()
    before = central.item()
    central.click(request, "withdraw", APPROVER)
    assert sentence in ephemerals(central)[-1]
    assert (central.item(), central.sent("denySecurityGroupChange")) == (before, [])


def test_what_is_decided_is_not_withdrawn(central: Central, policy: Callable[[str], None]) -> None:
    """The requester is told who decided, and the message shows it."""
    policy(PEOPLE)
    request = central.file()
    central.click(request, "approve")
    before = central.item()
    central.click(request, "withdraw", ADA)
    assert "Approved by grace" in ephemerals(central)[-1]
    assert central.item() == before


def test_another_digest_or_id_withdraws_nothing(central: Central, policy: Callable[[str], None]) -> None:
    """The button's value counts only if the stored request agrees."""
    policy(PEOPLE)
    central.file()
    before = central.item()
    central.click(make_request(group_id="sg-00000000000000000"), "withdraw", ADA)
    assert "does not belong to the request as it is stored" in ephemerals(central)[-1]
    central.click(make_request("unknown"), "withdraw", ADA)
    assert "not known here" in ephemerals(central)[-1]
    assert central.item() == before


def test_a_request_of_nobody_known_is_withdrawn_by_nobody(central: Central, policy: Callable[[str], None]) -> None:
    """Drift has no requester."""
    policy(PEOPLE)
    request = central.file(make_request(requester=None))
    central.click(request, "withdraw", ADA)
    assert "does not say who the requester is" in ephemerals(central)[-1]
    assert central.status() == "pending"


def test_what_has_expired_is_not_called_withdrawn(central: Central, policy: Callable[[str], None]) -> None:
    """A withdrawal after the time is over finds the request expired."""
    policy(PEOPLE)
    request = central.file(aged(make_request(), hours=73))
    central.click(request, "withdraw", ADA)
    assert (central.status(), central.item()["history"][-1]["note"]) == ("expired", "clicked too late")


def test_a_decision_that_comes_first_wins(
    central: Central, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading and writing somebody approves."""
    policy(PEOPLE)
    request = central.file()
    get = RequestsTable.get

    def overtaken(table: RequestsTable, request_id: str) -> object:
        found = get(table, request_id)
        monkeypatch.setattr(RequestsTable, "get", get)
        central.click(request, "approve")
        return found

    monkeypatch.setattr(RequestsTable, "get", overtaken)
    central.click(request, "withdraw", ADA)
    assert central.status() == "approved"
    assert "Approved by grace" in ephemerals(central)[-1]
