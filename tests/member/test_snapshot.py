"""Snapshots: groups seen first are learned, differences are never accepted, and nothing about them is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from moto.ec2.models import ec2_backends

from member.chalicelib.ec2.forms import permissions
from member.chalicelib.ec2.security_groups import Ec2Error
from member.chalicelib.snapshot import SnapshotError
from shared.wire.messages import RequestMessage
from tests.support.events import Json, iam_user
from tests.support.faults import Faults
from tests.support.member_account import ACCOUNT, Member, Person, exact, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule(22, "0.0.0.0/0", "open")
WEB = rule(443, "10.0.0.0/8", "web", tags=[("team", "shop")])
EDITED = rule(80, "10.0.0.0/8", "http", tags=[("team", "shop")])
LATER = timedelta(minutes=16)
MUCH_LATER = timedelta(minutes=40)


def drift(member: Member) -> None:
    """See a difference, and see to it after the grace period."""
    member.snapshot()
    member.snapshot(after=LATER)


def test_the_first_snapshot_adopts_every_group_as_it_is(member: Member) -> None:
    """Whatever stands in a group when the product comes is its baseline."""
    member.holds(WEB, tags=WEB.tags)
    member.snapshot()
    assert member.approved() == exact([WEB])
    assert member.told() == []
    baseline = member.baseline()
    assert baseline is not None
    assert (baseline.group_name, [one for one, _ in baseline.adopted]) == ("web", ["ingress"])


def test_a_difference_is_never_added_to_the_baseline(member: Member) -> None:
    """However often it is seen within the grace period, the baseline stays what was approved."""
    member.snapshot()
    member.holds(OPEN)
    for minutes in (0, 1, 14):
        member.snapshot(after=timedelta(minutes=minutes))
        assert (member.approved(), member.state()) == ([], exact([OPEN]))
    assert member.told() == []


@pytest.mark.parametrize("kind", ["add", "remove", "modify", "describe"])
def test_each_kind_of_difference_is_reverted_and_becomes_a_request(member: Member, ada: Person, kind: str) -> None:
    """Found without an author: reverted after the grace period, asked for, and applied like any other request."""
    member.holds(WEB, tags=WEB.tags)
    member.snapshot()
    rule_id = member.id_of(WEB)
    wanted = {
        "add": [WEB, OPEN],
        "remove": [],
        "modify": [EDITED],
        "describe": [with_description(WEB, "http")],
    }[kind]
    {
        "add": lambda: ada.opens(OPEN),
        "remove": lambda: ada.closes(WEB),
        "modify": lambda: ada.edits((WEB, EDITED)),
        "describe": lambda: ada.describes(*wanted),
    }[kind]()
    drift(member)
    assert member.state() == exact([WEB])
    assert (member.id_of(WEB) == rule_id) == (kind != "remove")
    request = member.told_request()
    assert (request.origin, request.requester, request.status) == ("snapshot", None, "pending")
    assert (request.event_name, request.group_name, request.account) == ("", "web", ACCOUNT)
    assert "found by the snapshot" in request.reason
    member.snapshot(after=MUCH_LATER)
    assert member.told() == []
    member.approve(request)
    member.told_applied()
    assert member.state() == member.approved() == exact(wanted)
    member.snapshot(after=2 * MUCH_LATER)
    assert member.told() == []


def test_a_late_event_comes_first(member: Member, ada: Person) -> None:
    """Within the grace period the event takes the change back, with its author; the snapshot has nothing to add."""
    member.snapshot()
    event = ada.opens(OPEN)
    member.snapshot()
    member.deliver(event)
    request = member.told_request()
    assert request.requester is not None
    member.snapshot(after=LATER)
    assert (member.told(), member.state()) == ([], [])


def test_an_event_after_the_snapshot_took_the_change_back_files_its_own_request(member: Member, ada: Person) -> None:
    """Too late to close anything, but who did it is told."""
    member.snapshot()
    event = ada.opens(OPEN)
    drift(member)
    assert member.told_request().requester is None
    member.deliver(event)
    request = member.told_request()
    assert request.requester is not None
    assert request.requester.name == "ada"
    assert member.state() == []


def test_an_edit_of_a_rule_the_snapshot_restored_is_known(member: Member, ada: Person) -> None:
    """A restored rule has a new id, and the baseline knows it at once."""
    member.holds(WEB, tags=WEB.tags)
    member.snapshot()
    ada.closes(WEB)
    drift(member)
    member.told()
    member.deliver(ada.edits((WEB, EDITED)))
    assert member.state() == exact([WEB])
    assert len(member.told_request().change.modified) == 1


def test_each_difference_has_its_own_time(member: Member) -> None:
    """A rule that comes later, whoever makes it and why, does not delay the one that was there before."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    member.holds(WEB)
    member.snapshot(after=timedelta(minutes=14))
    member.snapshot(after=timedelta(minutes=20))
    assert member.told_request().change.added == (OPEN,)
    member.snapshot(after=timedelta(minutes=30))
    assert [one.identity for one in member.told_request().change.added] == [WEB.identity]
    assert member.state() == []


def test_a_clock_that_ran_ahead_does_not_delay_a_difference_for_ever(member: Member) -> None:
    """A first sight in the future starts anew as soon as time is behind it."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot(after=timedelta(days=365))
    drift(member)
    assert member.told_request().status == "pending"
    assert member.state() == []


def test_observe_mode_accepts_what_it_shows(member: Member, policy: Callable[[str], None]) -> None:
    """A difference shown in observe mode is allowed by policy, and stays allowed when enforcing begins."""
    policy('mode = "observe"')
    member.snapshot()
    member.holds(OPEN)
    drift(member)
    assert member.told_request().status == "observed"
    policy('mode = "enforce"')
    member.snapshot(after=LATER)
    member.snapshot(after=2 * LATER)
    assert (member.told(), member.state(), member.approved()) == ([], exact([OPEN]), exact([OPEN]))


def test_observe_mode_accepts_nothing_that_a_request_stands_for(member: Member, policy: Callable[[str], None]) -> None:
    """What could not be reverted before stays a difference, and is reverted once enforcing begins again."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    with refusing("RevokeSecurityGroupIngress"):
        member.snapshot(after=LATER)
    assert member.told_request().status == "unreverted"
    policy('mode = "observe"')
    member.snapshot(after=2 * LATER)
    assert (member.told(), member.approved()) == ([], [])
    policy('mode = "enforce"')
    member.snapshot(after=3 * LATER)
    assert member.state() == []


def test_unguarded_kinds_are_shown_and_accepted(member: Member, ada: Person, policy: Callable[[str], None]) -> None:
    """`guard` counts for drift too: what is not guarded is shown and accepted, what is guarded is reverted."""
    policy('guard = ["add"]')
    member.holds(WEB, tags=WEB.tags)
    member.snapshot()
    member.holds(OPEN)
    ada.closes(WEB)
    drift(member)
    asked = {one.request.status: one.request for one in member.told() if isinstance(one, RequestMessage)}
    assert asked["pending"].change.added == (OPEN,)
    assert asked["observed"].change.removed == (WEB,)
    assert member.state() == member.approved() == []


def test_drift_without_description_is_denied_where_policy_demands_one(
    member: Member, policy: Callable[[str], None]
) -> None:
    """`require_description` holds for additions found by the snapshot."""
    policy("require_description = true")
    member.snapshot()
    member.holds(rule(22))
    drift(member)
    assert (member.told_request().status, member.state()) == ("denied", [])


def test_an_exempt_groups_differences_are_taken_into_its_baseline(
    member: Member, policy: Callable[[str], None]
) -> None:
    """`exempt.groups`: nobody is asked about them, and taking the exemption away does not undo them."""
    policy(f'[exempt]\ngroups = ["{member.group_id}"]')
    member.snapshot()
    member.holds(OPEN)
    drift(member)
    assert (member.told(), member.approved()) == ([], exact([OPEN]))


def test_a_new_group_starts_with_the_rules_that_aws_gives_it(member: Member) -> None:
    """After adoption nothing is accepted because a snapshot showed it; a group that is gone is left out."""
    gone = member.new_group()
    member.snapshot()
    member.ec2.delete_security_group(GroupId=gone)
    made = member.new_group()
    member.holds(OPEN, group_id=made)
    drift(member)
    assert (member.told_request().change.added, member.approved(made), member.state(made)) == ((OPEN,), [], [])


def test_what_is_reverted_during_the_adoption_is_not_adopted(member: Member, ada: Person) -> None:
    """An event that is handled while the groups are read wins."""
    event = ada.opens(OPEN)
    member.holds(WEB)
    during(member, "DescribeSecurityGroupRules", lambda: member.deliver(event), member.snapshot)
    assert [one[0] for one in member.approved()] == [one[0] for one in member.state()] == [WEB.identity]


def during(member: Member, operation: str, other: Callable[[], None], run: Callable[[], object]) -> None:  # noqa: ARG001
    """Let something else happen right after the first call of an operation."""
    original = BaseClient._make_api_call
    struck: list[str] = []

    def call(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
        answer = original(client, name, parameters)
        if name == operation and not struck:
            struck.append(name)
            other()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        run()
    assert struck


@pytest.mark.parametrize("operation", ["BatchGetItem", "DescribeSecurityGroupRules", "GetItem"])
def test_an_approval_during_the_snapshot_is_not_undone(member: Member, ada: Person, operation: str) -> None:
    """A difference that is approved while the snapshot looks is approved, wherever the snapshot stands."""
    member.snapshot()
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    member.holds(with_description(WEB, "drift"))
    member.snapshot()
    during(member, operation, lambda: member.approve(request), lambda: member.snapshot(after=LATER))
    member.snapshot(after=2 * LATER)
    member.snapshot(after=4 * LATER)
    assert member.state() == member.approved() == exact([OPEN])


def test_a_run_that_died_between_revert_and_publishing_is_finished(member: Member, faults: Faults) -> None:
    """The rule is closed, the ledger has the request: the next snapshot tells it, under the same id."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    with faults.watching():
        member.snapshot(after=LATER)
    told = member.told_request()
    last = len(faults.calls) - faults.operations[::-1].index("Publish")

    member.holds(WEB)
    member.snapshot(after=2 * LATER)
    with Faults(kind="killed_before", at=last).watching(), pytest.raises(BaseException, match="Publish"):
        member.snapshot(after=4 * LATER)
    assert (member.told(), member.state()) == ([], [])
    member.snapshot(after=5 * LATER)
    request = member.told_request()
    assert (request.status, [one.identity for one in request.change.added]) == ("pending", [WEB.identity])
    assert request.request_id != told.request_id
    member.snapshot(after=6 * LATER)
    assert member.told() == []
    member.approve(request)
    member.told_applied()


def test_a_difference_ec2_refuses_to_revert_is_told_as_such(member: Member) -> None:
    """A person has to act: the reason is EC2's own, and the rule is named as remaining."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    with refusing("RevokeSecurityGroupIngress"):
        member.snapshot(after=LATER)
    request = member.told_request()
    assert (request.status, request.remaining) == ("unreverted", (OPEN,))
    assert "UnauthorizedOperation" in request.reason
    member.approve(request)
    assert member.told_error().code == "NotApplicable"


def test_a_difference_ec2_does_not_revert_in_silence_is_told_as_such(member: Member) -> None:
    """In a default VPC a revoke may succeed and revoke nothing: the group is read back, and asked about only once."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    with refusing("RevokeSecurityGroupIngress", silently=True):
        member.snapshot(after=LATER)
        request = member.told_request()
        assert (request.status, request.remaining) == ("unreverted", (OPEN,))
        assert "did not change" in request.reason
        member.snapshot(after=2 * LATER)
    assert member.told() == []


def test_a_new_description_without_effect_is_reverted_by_replacing_the_rule(member: Member) -> None:
    """What does not work in place is made anew, as for a change that an event told of."""
    member.holds(OPEN)
    member.snapshot()
    member.ec2.update_security_group_rule_descriptions_ingress(
        GroupId=member.group_id, IpPermissions=permissions([with_description(OPEN, "mine")], with_descriptions=True)
    )
    member.snapshot()
    with refusing("UpdateSecurityGroupRuleDescriptionsIngress", silently=True):
        member.snapshot(after=LATER)
    assert member.state() == member.approved() == exact([OPEN])
    assert member.told_request().status == "pending"


def refusing(*operations: str, silently: bool = False) -> Any:
    """Let EC2 refuse these operations for good, or take them without doing anything."""
    original = BaseClient._make_api_call

    def call(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
        if name in operations and silently:
            return {"Return": True}
        if name in operations:
            error = {"Error": {"Code": "UnauthorizedOperation", "Message": "You are not authorized."}}
            raise client.exceptions.from_code("x")(error, name)
        return original(client, name, parameters)

    patch = pytest.MonkeyPatch()
    patch.setattr(BaseClient, "_make_api_call", call)

    class Undo:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            patch.undo()

    return Undo()


def test_one_bad_group_does_not_hide_the_others(member: Member) -> None:
    """A baseline that cannot be read is named in the error, after every other group has been looked at."""
    bad = member.new_group()
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    key = {"id": {"S": f"group#eu-west-1#{bad}"}}
    item = member.dynamodb.get_item(TableName="securityGroupState", Key=key)["Item"]
    member.dynamodb.put_item(TableName="securityGroupState", Item={**item, "body": {"B": b"broken"}})
    with pytest.raises(SnapshotError, match=bad):
        member.snapshot(after=LATER)
    assert (member.told_request().status, member.state()) == ("pending", [])


def test_one_odd_rule_does_not_hide_the_other_groups(member: Member) -> None:
    """A rule EC2 may learn to have one day is named with its group, and the others are looked at."""
    odd = member.new_group()
    member.holds(WEB, group_id=odd)
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    original = BaseClient._make_api_call

    def call(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
        answer = original(client, name, parameters)
        for one in answer.get("SecurityGroupRules", []):
            if one["GroupId"] == odd:
                one.pop("CidrIpv4", None)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        with pytest.raises(SnapshotError, match=odd):
            member.snapshot(after=LATER)
    assert (member.told_request().status, member.state()) == ("pending", [])


def test_a_throttled_group_does_not_hide_the_others(member: Member) -> None:
    """The others are seen to; the run fails, and the next one sees to the rest."""
    other = member.new_group()
    member.snapshot()
    member.holds(OPEN)
    member.holds(OPEN, group_id=other)
    member.snapshot()
    original, struck = BaseClient._make_api_call, list[str]()

    def call(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
        if name == "RevokeSecurityGroupIngress" and not struck:
            struck.append(parameters["GroupId"])
            error = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
            raise client.exceptions.from_code("x")(error, name)
        return original(client, name, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        with pytest.raises(SnapshotError, match="RequestLimitExceeded"):
            member.snapshot(after=LATER)
    assert len(member.told()) == 1
    member.snapshot(after=LATER)
    assert member.told_request().group_id == struck[0]
    assert member.state() == member.state(other) == []


def test_when_ec2_does_not_answer_the_snapshot_fails(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """No groups is something else than no answer."""
    monkeypatch.setenv("ownRoleArn", f"arn:aws:iam::{ACCOUNT}:role/member")
    with Faults(kind="unreachable", at=1).watching(), pytest.raises(Ec2Error, match="EndpointConnectionError"):
        member.snapshot()


def test_many_groups_take_few_calls(member: Member, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are read by the thousand, rules by three hundred, baselines by the hundred; only changes are written."""
    monkeypatch.setenv("ownRoleArn", f"arn:aws:iam::{ACCOUNT}:role/member")
    backend = ec2_backends[ACCOUNT]["eu-west-1"]  # so many calls would take longer than everything else here
    for number in range(205 - len(member.ec2.describe_security_groups()["SecurityGroups"])):
        backend.create_security_group(f"many-{number}", "x", vpc_id=member.vpc_id)
    with faults.watching():
        member.snapshot()
    reads = {"DescribeSecurityGroups": 1, "GetItem": 2, "BatchGetItem": 3, "DescribeSecurityGroupRules": 1}
    writes = {"PutItem": 3, "TransactWriteItems": 3, "Publish": 2}
    heartbeat = {"DescribeSecurityGroups": 2, "GetItem": 3, "AuthorizeSecurityGroupIngress": 1, "UpdateItem": 1}
    assert Counter(faults.operations) == {**reads, "DescribeSecurityGroupRules": 2, **writes, **heartbeat}
    sizes = [call.parameters["MaxResults"] for call in faults.calls if call.operation.startswith("Describe")]
    assert sizes == [1000, 300, 300, 1000]
    faults.calls.clear()
    member.holds(OPEN)
    with faults.watching():
        member.snapshot()
    assert Counter(faults.operations) == {**reads, "PutItem": 1}


# -- calls whose details CloudTrail left out ---------------------------------------------------------------------------

OMITTED = {"omitted": True, "originalSize": 123456, "reason": "requestParameters too large"}


def omitted(event: Json, *, request: bool = True, answer: bool = True) -> Json:
    """Leave out what CloudTrail leaves out of large calls."""
    if request:
        event["detail"]["requestParameters"] = OMITTED
    if answer:
        event["detail"]["responseElements"] = OMITTED
    return event


def test_an_omitted_request_is_undone_by_the_answers_ids(member: Member, ada: Person) -> None:
    """The answer says group and rules: closed by id, shown whole."""
    member.snapshot()
    member.deliver(omitted(ada.opens(OPEN, WEB), answer=False))
    assert member.state() == []
    assert len(member.told_request().change.added) == 2


def test_an_omitted_answer_is_undone_by_comparing(member: Member, ada: Person) -> None:
    """The request says the group and what was asked; the group says what is there."""
    member.snapshot()
    member.deliver(omitted(ada.opens(OPEN, WEB), request=False))
    assert member.state() == []
    assert len(member.told_request().change.added) == 2


def test_a_removal_whose_request_or_answer_was_omitted_is_restored(member: Member, ada: Person) -> None:
    """Baseline and group say what is missing."""
    for part in ({"answer": False}, {"request": False}):
        member.holds(OPEN, rule(80, "10.0.0.0/8"))
        member.adopt()
        member.deliver(omitted(ada.closes(OPEN, rule(80, "10.0.0.0/8")), **part))
        assert member.state() == exact([OPEN, rule(80, "10.0.0.0/8")])
        assert len(member.told_request().change.removed) == 2
        ada.closes(*member.live())


def test_edits_that_were_left_out_are_found_by_comparing(member: Member, ada: Person) -> None:
    """Four hundred edits in one call are more than CloudTrail writes down; what was edited, the group itself shows."""
    kept, edited, described = rule(22, "10.0.0.0/8", "a"), rule(80, "10.0.0.0/8", "b"), rule(443, "10.0.0.0/8", "c")
    member.holds(kept, edited, described)
    member.snapshot()
    rule_id = member.id_of(edited)
    wanted = [rule(80, "0.0.0.0/0", "b"), rule(443, "10.0.0.0/8", "other")]
    event = ada.edits((edited, wanted[0]), (described, wanted[1]))
    event["detail"]["requestParameters"]["ModifySecurityGroupRulesRequest"]["SecurityGroupRule"] = OMITTED
    member.deliver(event)
    assert member.state() == exact([kept, edited, described])
    assert member.id_of(edited) == rule_id
    request = member.told_request()
    assert (request.status, request.request_id) == ("pending", event["detail"]["requestID"])
    member.approve(request)
    member.told_applied()
    assert member.state() == exact([kept, *wanted])


def test_edits_that_were_left_out_of_a_group_never_seen_are_reported(member: Member, ada: Person) -> None:
    """Without a baseline there is nothing to compare with."""
    member.holds(OPEN)
    event = ada.edits((OPEN, rule(80, "0.0.0.0/0")))
    event["detail"]["requestParameters"]["ModifySecurityGroupRulesRequest"]["SecurityGroupRule"] = OMITTED
    member.deliver(event)
    assert member.told_request().status == "unreverted"


def test_a_call_without_any_details_makes_the_snapshot_look_at_every_group(member: Member, ada: Person) -> None:
    """Nobody gains by a call so large that CloudTrail says nothing of it: all differences go at once, none is lost."""
    other = member.new_group()
    member.holds(WEB, tags=WEB.tags)
    member.snapshot()
    member.holds(rule(1, "10.0.0.0/8", "somebody else's"), group_id=other)
    event = omitted(ada.opens(OPEN))
    member.deliver(event)
    assert (member.state(), member.state(other)) == (exact([WEB]), [])
    requests = [one.request for one in member.told() if isinstance(one, RequestMessage)]
    assert {one.group_id for one in requests} == {member.group_id, other}
    assert all("CloudTrail left out the details" in one.reason and "ada" in one.reason for one in requests)
    member.deliver(event)
    assert member.told() == []


def test_an_allowed_call_without_details_is_left_alone(
    member: Member, ada: Person, policy: Callable[[str], None]
) -> None:
    """An exempt caller's large call is not reverted at once; what the baseline does not know, the snapshot shows."""
    policy(f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:user/ada"]')
    member.snapshot()
    member.deliver(omitted(ada.opens(OPEN)))
    assert (member.state(), member.told()) == (exact([OPEN]), [])


def test_an_allowed_call_on_a_new_group_accepts_nobody_elses_change(
    member: Member, policy: Callable[[str], None]
) -> None:
    """Only what the exempt call itself did is approved, whatever else is in the group."""
    policy(f'[exempt]\nprincipals = ["arn:aws:iam::{ACCOUNT}:user/ada"]')
    member.snapshot()
    for full in (True, False):
        made = member.new_group()
        bob = Person(member, identity=iam_user("bob", account=ACCOUNT), group_id=made)
        ada = Person(member, group_id=made)
        theirs = bob.opens(OPEN, with_answer=full)
        member.deliver(ada.opens(WEB))
        assert [one[0] for one in member.approved(made)] == [WEB.identity]
        member.deliver(theirs)
        assert [one.identity for one in member.live(made)] == [WEB.identity]
        assert [one[0] for one in member.approved(made)] == [WEB.identity]
