"""The member app's doors against arbitrary input: whatever arrives, no rule comes into being that nobody approved."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from member.chalicelib.cloudtrail.event import EventError
from member.chalicelib.ec2.security_groups import Ec2Error
from member.chalicelib.snapshot import SnapshotError
from shared.wire.messages import ApplyMessage, MessageError, write_message
from tests.attack.fuzzing import Record, fuzz, mutated
from tests.attack.test_fuzz_parsers import all_messages
from tests.support import events
from tests.support.central_account import make_request
from tests.support.member_account import ACCOUNT, REGION, Member, Person, rule

APPROVED = rule(443, "10.0.0.0/8", "approved")
WANTED = rule(22, "0.0.0.0/0", "wanted")


def test_events(member: Member, ada: Person, record_property: Record) -> None:
    """Events with something wrong in them are read or named as unreadable; of a known group, no rule ever comes."""
    member.holds(APPROVED)
    member.snapshot()
    kept = member.baseline()
    assert kept is not None
    approved = member.id_of(APPROVED)
    described = [
        ada.event(
            "AuthorizeSecurityGroupIngress", *_call(member, "securityGroupRuleSet", events.answered_rule(WANTED))
        ),
        ada.event(
            "RevokeSecurityGroupIngress", *_call(member, "revokedSecurityGroupRuleSet", events.revoked_rule(WANTED))
        ),
        ada.event("AuthorizeSecurityGroupIngress", _call(member, "", {})[0], {"_return": True}),
        ada.event("RevokeSecurityGroupIngress", _call(member, "", {})[0], {"_return": True}),
        _wrapped(
            ada, events.modified([events.edit(approved, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIpv4="::/0")])
        ),
        _wrapped(ada, events.modified([events.edit(approved, IpProtocol="-1", CidrIpv4="0.0.0.0/0", Description="x")])),
    ]

    def attack(event: Any) -> str:
        try:
            member.deliver({**described[0], "detail": event})  # the envelope is EventBridge's own
        except (EventError, Ec2Error, SnapshotError) as error:
            return type(error).__name__
        finally:
            assert {one.identity for one in member.live()} <= {APPROVED.identity}
        return "accepted"

    ends = fuzz(record_property, "revertSecurityGroup", mutated([one["detail"] for one in described]), attack)
    assert {"accepted", "EventError"} <= set(ends)


def _call(member: Member, answer: str, item: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    parameters = {"groupId": member.group_id, "ipPermissions": {"items": [events.permission_of(WANTED)]}}
    answered = {**item, "groupId": member.group_id, "securityGroupRuleId": "sgr-0123456789abcdef0"}
    return parameters, {"requestId": "r", "_return": True, answer: {"items": [answered]}}


def _wrapped(ada: Person, event: dict[str, Any]) -> dict[str, Any]:
    parameters = event["detail"]["requestParameters"]
    parameters["ModifySecurityGroupRulesRequest"]["GroupId"] = ada.group
    return ada.event("ModifySecurityGroupRules", parameters, event["detail"]["responseElements"])


def test_approvals(member: Member, ada: Person, record_property: Record) -> None:
    """Approvals with anything wrong in them open nothing: refused as unreadable, or answered with an error."""
    member.snapshot()
    member.deliver(ada.opens(WANTED))
    request = member.told_request()
    approval = ApplyMessage(
        request_id=request.request_id,
        digest=f"{int(request.digest[0], 16) ^ 1:x}{request.digest[1:]}",
        approver_id="U061F7AUR",
        approver_name="grace",
        approved_at=datetime(2026, 10, 1, 12, tzinfo=UTC),
    )
    others = [*all_messages(request)[:4], *all_messages(make_request("other"))]
    documents = [*[json.loads(write_message(approval))] * 9, *others]
    texts = st.one_of(mutated(documents).map(json.dumps), st.text(max_size=40))

    def attack(text: str) -> str:
        try:
            member.deliver_message(text)
        except MessageError:
            return "MessageError"
        finally:
            assert member.live() == ()
            assert member.outcome(request.request_id) == "reverted"
        return "answered"

    ends = fuzz(record_property, "applySecurityGroupChange", texts, attack)
    assert {"answered", "MessageError"} <= set(ends)
    assert {type(one).__name__ for one in member.told()} <= {"ErrorMessage"}
    assert (request.account, request.region) == (ACCOUNT, REGION)
