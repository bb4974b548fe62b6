"""Approvals: exactly what was shown is applied, once, never by halves; what stands in the way is told with its code."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from member.chalicelib import context
from member.chalicelib.apply import RaceLostError
from member.chalicelib.ec2.security_groups import Ec2Error
from member.chalicelib.state.items import LedgerEntry
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.domain.rule import Rule, group
from shared.wire.messages import AppliedMessage, ApplyMessage, ErrorMessage, MessageError, write_message
from tests.support.faults import Faults, deliver_as_lambda
from tests.support.member_account import ACCOUNT, REGION, Member, Person, at, exact, rule, with_description

OPEN = rule(22, "0.0.0.0/0", "open")
WEB = rule(443, "10.0.0.0/8", "web")
BLUE = rule(1, "10.0.0.0/8", "blue", tags=[("colour", "blue")])
RED = rule(2, "10.0.0.0/8", "red", tags=[("colour", "red")])


def asked(member: Member, *events: Any) -> Request:
    """Deliver one event and return the request that comes of it."""
    member.deliver(*events)
    return member.told_request()


def combined(member: Member, request: Request, *rules: Rule) -> Request:
    """Put a request with more rules than one call can add into the ledger: two tags, so two calls to EC2."""
    wanted = Request(
        **{name: getattr(request, name) for name in Request.__dataclass_fields__ if name != "change"},
        change=make_change(added=rules),
    )
    member.dynamodb.delete_item(TableName="securityGroupState", Key={"id": {"S": f"request#{request.request_id}"}})
    context.begin(REGION).table.add_entry(LedgerEntry(request=wanted, outcome="reverted"))
    return wanted


@pytest.fixture
def two_calls(member: Member, ada: Person) -> Request:
    """A request whose two rules have different tags and therefore take two calls."""
    member.snapshot()
    return combined(member, asked(member, ada.opens(BLUE)), BLUE, RED)


def test_an_approval_of_an_unknown_request_applies_nothing(member: Member, ada: Person) -> None:
    """What is not in this account's ledger was not reverted here; the answer says so."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    forged = Request(
        **{name: getattr(request, name) for name in Request.__dataclass_fields__ if name != "request_id"},
        request_id="00000000-0000-0000-0000-000000000000",
    )
    member.approve(forged)
    error = member.told_error()
    assert (error.code, error.request_id) == ("UnknownRequest", forged.request_id)
    assert "ledger" in error.reason
    assert member.state() == []


def test_an_approval_with_another_digest_applies_nothing(member: Member, ada: Person) -> None:
    """Approved was something else than what this account reverted."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    member.approve(request, digest="0" * 64)
    assert member.told_error().code == "DigestMismatch"
    assert (member.state(), member.outcome(request.request_id)) == ([], "reverted")
    member.approve(request)
    member.told_applied()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("not json", "message"),
        ('{"version": 2, "type": "apply"}', "version"),
        ('{"version": 1, "type": "apply", "requestId": "x"}', "digest"),
        ('{"version": 1, "type": "deny", "requestId": "x", "digest": "y"}', "message.type"),
        ('{"zlib": "!!!"}', "message"),
    ],
)
def test_a_message_that_is_no_approval_names_the_field(member: Member, text: str, path: str) -> None:
    """An unreadable message is an error for the dead-letter queue, and applies nothing."""
    with pytest.raises(MessageError) as caught:
        member.deliver_message(text)
    assert path in str(caught.value)
    assert member.told() == []


def test_rules_in_the_message_are_not_looked_at(member: Member, ada: Person) -> None:
    """The message carries id and digest; whatever else somebody writes into it changes nothing."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    body = {
        "version": 1,
        "type": "apply",
        "requestId": request.request_id,
        "digest": request.digest,
        "approverId": "U1",
        "approvedAt": at(datetime.now(UTC)),
        "groupId": "sg-0",
        "change": {"added": [{"protocol": "-1"}]},
    }
    member.deliver_message(json.dumps(body))
    assert member.state() == exact([OPEN])


def test_a_ledger_entry_that_was_altered_is_not_applied(member: Member, ada: Person) -> None:
    """The digest of the stored request has to be the one of its contents."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    item = member.ledger(request.request_id)
    assert item is not None
    item["body"]["B"] = item["body"]["B"].replace(b'"fromPort":22,"toPort":22', b'"fromPort":0,"toPort":65535')
    member.dynamodb.put_item(TableName="securityGroupState", Item=item)
    with pytest.raises(ValueError, match="altered"):
        member.approve(request)
    assert member.state() == []


def test_observed_and_unreverted_requests_cannot_be_applied(member: Member, ada: Person) -> None:
    """Only what was reverted, or failed to be applied, can be applied."""
    event = ada.opens(OPEN)
    event["detail"]["requestParameters"] = event["detail"]["responseElements"] = {"omitted": True}
    event["detail"]["requestParameters"] = {"groupId": member.group_id, "ipPermissions": {"omitted": True}}
    unreverted = asked(member, event)
    assert unreverted.status == "unreverted"
    member.approve(unreverted)
    error = member.told_error()
    assert (error.code, member.state()) == ("NotApplicable", exact([OPEN]))
    assert "unreverted" in error.reason


def test_an_approval_of_long_ago_opens_nothing(member: Member, ada: Person) -> None:
    """A message that was held back, or kept by somebody, is an error once the policy's time is over."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    member.approve(request, at=datetime.now(UTC) - timedelta(hours=73))
    assert (member.told_error().code, member.state()) == ("ApprovalExpired", [])


def test_an_approval_delivered_again_tells_again_and_applies_once(member: Member, ada: Person) -> None:
    """Redelivery after success is a success, also after the rule has been changed again."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    for _ in range(3):
        member.approve(request)
        assert member.told_applied().request_id == request.request_id
    assert member.state() == exact([OPEN])
    removal = asked(member, ada.closes(OPEN))
    member.approve(removal)
    member.told_applied()
    member.approve(request)
    member.told_applied()
    assert member.state() == []


def test_a_rule_that_is_there_already_is_a_duplicate(member: Member, ada: Person) -> None:
    """Somebody else's rule of the same identity is not taken for ours: code and sentence say what is in the way."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    member.holds(with_description(OPEN, "somebody else's"))
    member.approve(request)
    error = member.told_error()
    assert (error.code, member.outcome(request.request_id)) == ("InvalidPermission.Duplicate", "error")
    assert "ingress/tcp/22-22/ipv4/0.0.0.0/0 already exists" in error.reason
    assert member.state() == exact([with_description(OPEN, "somebody else's")])


def test_a_rule_to_remove_that_is_gone_is_not_found(member: Member, ada: Person) -> None:
    """An approved removal of a rule that is not there any more has failed, and says so."""
    member.holds(WEB)
    member.snapshot()
    request = asked(member, ada.closes(WEB))
    ada.closes(WEB)
    member.approve(request)
    error = member.told_error()
    assert error.code == "InvalidPermission.NotFound"
    assert "not in the group any more" in error.reason


@pytest.mark.parametrize("change", ["values", "description"])
def test_a_rule_to_edit_that_has_changed_since_is_left_alone(member: Member, ada: Person, change: str) -> None:
    """Shown was another rule than the one there now; nobody approved that edit."""
    member.holds(WEB)
    member.snapshot()
    request = asked(member, ada.edits((WEB, OPEN)))
    other = rule(444, "10.0.0.0/8", "web") if change == "values" else with_description(WEB, "web 2")
    ada.edits((WEB, other))
    member.approve(request)
    error = member.told_error()
    assert error.code == "InvalidPermission.NotFound"
    assert "no longer as it was shown" in error.reason
    assert member.state() == exact([other])


def test_an_edit_into_a_rule_that_exists_is_a_duplicate(member: Member, ada: Person) -> None:
    """EC2 never lets two rules be equal."""
    member.holds(WEB)
    member.snapshot()
    request = asked(member, ada.edits((WEB, OPEN)))
    member.holds(OPEN)
    member.approve(request)
    assert member.told_error().code == "InvalidPermission.Duplicate"
    assert member.state() == exact([OPEN, WEB])


def test_a_group_that_is_gone_is_told_with_its_code(member: Member) -> None:
    """The approver learns that there is nothing left to change."""
    made = member.new_group()
    member.snapshot()
    request = asked(member, Person(member, group_id=made).opens(OPEN))
    member.ec2.delete_security_group(GroupId=made)
    member.approve(request)
    error = member.told_error()
    assert error.code == "InvalidGroup.NotFound"
    assert made in error.reason


def test_what_a_refused_call_of_several_rules_did_apply_is_reverted(member: Member, ada: Person) -> None:
    """A full group takes no more. moto adds what fits (EC2 would not): nothing of it stays, until there is room."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN, WEB))
    full = [rule(number, "10.9.0.0/16") for number in range(59)]
    member.holds(*full)
    member.approve(request)
    error = member.told_error()
    assert error.code == "RulesPerSecurityGroupLimitExceeded"
    assert member.state() == exact(full)
    ada.closes(full[0])
    member.approve(request)
    member.told_applied()
    assert member.outcome(request.request_id) == "applied"
    assert {OPEN.identity, WEB.identity} <= {one.identity for one in member.live()}


def test_what_a_failed_change_did_apply_is_reverted(member: Member, ada: Person, two_calls: Request) -> None:
    """Two calls, the second refused: the rule of the first is closed again, and the error is the second's."""
    full = [rule(number, "10.9.0.0/16") for number in range(59)]
    member.holds(*full)
    member.approve(two_calls)
    assert member.told_error().code == "RulesPerSecurityGroupLimitExceeded"
    assert member.state() == exact(full)
    ada.closes(full[0])
    member.approve(two_calls)
    member.told_applied()
    assert {BLUE.identity, RED.identity} <= {one.identity for one in member.live()}


def test_a_rule_whose_description_is_not_kept_is_in_force_and_known(member: Member, ada: Person) -> None:
    """moto keeps no description of a referenced group (EC2 does): what decides about traffic is there, and stays."""
    wanted = rule(22, group(member.new_group(), account=ACCOUNT), "ssh from the jump hosts")
    member.snapshot()
    request = asked(member, ada.opens(wanted))
    member.approve(request)
    member.told_applied()
    assert member.state() == member.approved() == exact([with_description(wanted, "")])
    assert asked(member, ada.closes(wanted)).status == "pending"
    assert member.state() == exact([with_description(wanted, "")])


def test_nothing_stays_half_done_when_reverting_is_throttled(member: Member, two_calls: Request) -> None:
    """The revert of a failed change is not given up: the message is delivered again until nothing of it is left."""
    full = [rule(number, "10.9.0.0/16") for number in range(59)]
    member.holds(*full)
    faults = Faults(kind="throttled")
    original = faults._break

    def throttle_the_revert(client: Any, operation: str, run: Any) -> Any:
        faults.at = len(faults.calls) if operation == "RevokeSecurityGroupIngress" else 0
        return original(client, operation, run)

    faults._break = throttle_the_revert  # type: ignore[method-assign]  # the one call that matters here
    with faults.watching():
        with pytest.raises(Ec2Error, match="RequestLimitExceeded"):
            member.approve(two_calls)
        assert BLUE.identity in [one.identity for one in member.live()]
        member.approve(two_calls)
    assert member.told_error().code == "RulesPerSecurityGroupLimitExceeded"
    assert member.state() == exact(full)


def test_a_change_without_effect_is_an_error(member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 may report success and change nothing: the group is read back, and the silence is told."""
    member.holds(WEB)
    member.snapshot()
    request = asked(member, ada.closes(WEB))
    original = BaseClient._make_api_call

    def silent(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "RevokeSecurityGroupIngress":
            return {"Return": True}
        return original(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", silent)
    member.approve(request)
    error = member.told_error()
    assert (error.code, member.outcome(request.request_id)) == ("NotInForce", "error")
    assert "did not change" in error.reason


def test_an_edit_without_effect_is_made_by_replacing_the_rule(member: Member, ada: Person) -> None:
    """moto takes an edit of an IPv6 source for done and does nothing: once approved, the rule is replaced."""
    old, new = rule(22, "2001:db8::/32", "a"), rule(22, "2001:db9::/32", "a")
    member.holds(old)
    member.snapshot()
    event = ada.edits((old, new))
    assert member.state() == exact([old])
    request = asked(member, event)
    member.approve(request)
    member.told_applied()
    assert member.state() == member.approved() == exact([new])


def test_refused_permissions_are_told_and_the_request_can_be_redriven(member: Member, ada: Person) -> None:
    """Without the right to look at the group the approver hears of it at once, not a dead-letter queue."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    original = BaseClient._make_api_call

    def refuse(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "DescribeSecurityGroupRules":
            raise client.exceptions.from_code("x")(
                {"Error": {"Code": "UnauthorizedOperation", "Message": "You are not authorized."}}, operation
            )
        return original(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", refuse)
        member.approve(request)
    error = member.told_error()
    assert (error.code, error.reason) == ("UnauthorizedOperation", "You are not authorized.")
    member.approve(request)
    member.told_applied()


def test_every_message_of_one_delivery_is_handled(member: Member, ada: Person) -> None:
    """One that cannot be read fails the delivery, and keeps no other from being applied."""
    member.snapshot()
    texts = ["{}"]
    for one in (OPEN, WEB):
        request = asked(member, ada.opens(one))
        message = ApplyMessage(
            request_id=request.request_id,
            digest=request.digest,
            approver_id="U061F7AUR",
            approver_name="ada",
            approved_at=request.event_time,
        )
        texts.append(write_message(message))
    records = [{"Sns": {"Message": text, "Subject": "", "MessageAttributes": {}}} for text in texts]
    with pytest.raises(MessageError):
        member.run("applySecurityGroupChange", {"Records": records})
    assert member.state() == exact([OPEN, WEB])


def test_two_deliveries_at_once_apply_once(member: Member, ada: Person) -> None:
    """The second delivery begins while the first is in the middle of its calls: one rule, and nobody hears an error."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    original = BaseClient._make_api_call
    inside: list[str] = []

    def with_another_in_between(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "AuthorizeSecurityGroupIngress" and not inside:
            inside.append(operation)
            member.approve(request)
        return original(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", with_another_in_between)
        member.approve(request)
    assert all(isinstance(message, AppliedMessage) for message in member.told())
    assert member.state() == member.approved() == exact([OPEN])
    assert member.outcome(request.request_id) == "applied"


def test_the_slower_of_two_deliveries_steps_back(member: Member, ada: Person) -> None:
    """Between reading the ledger and writing its intent another delivery began: this one comes again later."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    original = BaseClient._make_api_call
    inside: list[str] = []

    def with_another_in_between(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "UpdateItem" and not inside:
            inside.append(operation)
            member.approve(request)
        return original(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", with_another_in_between)
        with pytest.raises(RaceLostError, match="another invocation"):
            member.approve(request)
    member.approve(request)
    assert [type(message) for message in member.told()] == [AppliedMessage, AppliedMessage]
    assert member.state() == exact([OPEN])


def test_an_apply_and_a_revert_at_the_same_time_end_with_what_is_approved(member: Member, ada: Person) -> None:
    """A revert that read the old baseline restores a rule whose removal is being applied: it goes again.

    Whoever writes to EC2 looks at the baseline afterwards, whoever writes the baseline looks at EC2 afterwards.
    """
    for strike_at in ("BatchGetItem", "AuthorizeSecurityGroupIngress"):
        member.holds(WEB)
        member.adopt()
        member.told()
        request = asked(member, ada.closes(WEB))
        again = ada.closes(WEB)
        original = BaseClient._make_api_call
        calls: list[str] = []

        def apply_in_between(
            client: BaseClient,
            operation: str,
            parameters: dict[str, Any],
            original: Any = original,
            calls: list[str] = calls,
            strike_at: str = strike_at,
            request: Request = request,
        ) -> Any:
            answer = original(client, operation, parameters)
            calls.append(operation)
            if operation == strike_at and calls.count(operation) == 1:
                calls.extend([strike_at] * 5)
                deliver_as_lambda(lambda: member.approve(request))
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", apply_in_between)
            member.deliver(again)
        told = member.told()
        outcome = member.outcome(request.request_id)
        assert member.state() == member.approved(), (strike_at, told)
        assert outcome in ("applied", "error")
        assert member.state() == ([] if outcome == "applied" else exact([WEB]))
        for one in member.live():
            ada.closes(one)


def test_a_change_reverted_while_it_was_applied_is_applied_again(member: Member, ada: Person) -> None:
    """Somebody closes the rule between the read-back and the baseline: the message comes again and ends it."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    original = BaseClient._make_api_call
    struck: list[str] = []

    def close_in_between(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        answer = original(client, operation, parameters)
        if operation == "PutItem" and not struck:
            struck.append(operation)
            ada.closes(OPEN)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", close_in_between)
        assert deliver_as_lambda(lambda: member.approve(request))
    assert struck
    assert [type(message) for message in member.told()] == [AppliedMessage]
    assert member.state() == member.approved() == exact([OPEN])


def test_an_intent_without_effect_is_finished_by_the_next_delivery(member: Member, ada: Person) -> None:
    """The function died right after its intent; then somebody took the rule's place: that is still an error."""
    member.snapshot()
    request = asked(member, ada.opens(OPEN))
    faults = Faults(kind="killed_after", at=3)
    with faults.watching():
        assert not deliver_as_lambda(lambda: member.approve(request), deliveries=1)
    assert (faults.operations[2], member.outcome(request.request_id)) == ("UpdateItem", "applying")
    member.holds(with_description(OPEN, "somebody else's"))
    member.approve(request)
    (error,) = member.told()
    assert isinstance(error, ErrorMessage)
    assert error.code == "InvalidPermission.Duplicate"
    assert member.state() == exact([with_description(OPEN, "somebody else's")])
