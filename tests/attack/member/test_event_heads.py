"""Whatever is odd in fields that are only shown must not keep a port open."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attack.member.attacks import added, identities, look_twice, names, requests
from tests.support.member_account import ACCOUNT, REGION, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

WIDE = rule(3306, "::/0", "database")
MISSING = object()

ODD: list[tuple[str, Any]] = [
    ("detail.eventTime", "2026-11-30 09:15:27"),
    ("detail.eventTime", MISSING),
    ("detail.eventTime", 1796058310),
    ("detail.userIdentity", "<HIDDEN>"),
    ("detail.userIdentity", MISSING),
    ("detail.userIdentity", []),
    ("detail.userIdentity.userName", {"first": "ada"}),
    ("detail.userIdentity.arn", None),
    ("detail.userIdentity.principalId", 42),
    ("detail.userIdentity.accountId", MISSING),
    ("detail.userIdentity.invokedBy", ["cloudformation.amazonaws.com"]),
    ("detail.userIdentity.sessionContext", ""),
    ("detail.userIdentity.sessionContext", {"sessionIssuer": ""}),
    ("detail.userIdentity.onBehalfOf", "nobody"),
    ("detail.recipientAccountId", MISSING),
    ("detail.awsRegion", MISSING),
    ("detail.requestID", MISSING),
    ("detail.requestID", {"id": 7}),
    ("detail.eventID", 7),
    ("detail.sourceIPAddress", None),
    ("detail.userAgent", {"a": "b"}),
    ("detail.eventVersion", 2),
    ("detail.requestParameters.groupName", {"value": "web"}),
    ("detail.requestParameters.ipPermissions", ""),
    ("detail.requestParameters", ""),
    ("detail.requestParameters", None),
    ("detail.errorCode", None),
    ("detail.errorCode", ""),
    ("time", "yesterday"),
    ("resources", "none"),
]


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Change one field of an event."""
    *folders, name = path.split(".")
    for folder in folders:
        document = document[folder]
    if value is MISSING:
        document.pop(name, None)
    else:
        document[name] = value


@pytest.mark.parametrize(("path", "value"), ODD, ids=[f"{path}={str(value)[:20]}" for path, value in ODD])
def test_an_odd_field_does_not_keep_a_port_open(member: Member, ada: Person, path: str, value: Any) -> None:
    """Group and rule ids can be read: revoked, and asked or told."""
    member.snapshot()
    event = ada.opens(WIDE)
    put(event, path, value)
    member.deliver(event)
    assert identities(member) == set()
    (asked,) = requests(member)
    assert added([asked]) == names(WIDE)
    assert (asked.account, asked.region) == (ACCOUNT, REGION)


def test_all_of_a_head_odd_at_once_is_reverted(member: Member, ada: Person) -> None:
    """Time, identity, account and region fall back to the envelope."""
    member.snapshot()
    event = ada.opens(WIDE)
    for path in ("eventTime", "userIdentity", "recipientAccountId", "awsRegion", "requestID"):
        put(event, f"detail.{path}", {"odd": [1]})
    member.deliver(event)
    assert identities(member) == set()
    assert added(requests(member)) == names(WIDE)


def test_without_recipient_the_callers_account_is_not_the_groups(member: Member) -> None:
    """A caller of another account changes a group of ours: it is judged here, and asked in our account's name."""
    member.snapshot()
    identity = {"type": "AWSAccount", "principalId": "AIDAODD", "accountId": "210987654321"}
    event = Person(member, identity=identity).opens(WIDE)
    del event["detail"]["recipientAccountId"]
    member.deliver(event)
    (asked,) = requests(member)
    assert asked.account == ACCOUNT
    assert identities(member) == set()


@pytest.mark.parametrize("value", ["", None, [], "text", {}])
def test_an_edit_whose_wrapper_is_empty_is_undone(member: Member, ada: Person, value: Any) -> None:
    """The event says neither group nor rule: the comparison finds what it did."""
    kept = rule(3307, "10.1.1.0/24", "kept")
    member.holds(kept)
    member.snapshot()
    event = ada.edits((kept, rule(3307, "0.0.0.0/0")))
    event["detail"]["requestParameters"] = {"ModifySecurityGroupRulesRequest": value}
    member.deliver(event)
    look_twice(member)
    assert identities(member) == names(kept)
    assert len(requests(member)) >= 1


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("kind", ["opens", "unanswered", "edits", "closes"])
def test_no_time_keeps_a_change_in_force(member: Member, ada: Person, time: str, kind: str) -> None:
    """The first and the last moment that there is are times like any other."""
    known = rule(443, "10.0.0.0/8", "https")
    member.holds(known)
    member.snapshot()
    match kind:
        case "opens":
            event = ada.opens(WIDE, eventTime=time)
        case "unanswered":
            event = ada.opens(WIDE, with_answer=False, eventTime=time)
        case "edits":
            event = ada.edits((known, rule(22, "0.0.0.0/0")), eventTime=time)
        case _:
            event = ada.closes(known, eventTime=time)
    member.deliver(event)
    assert identities(member) == {known.identity}
