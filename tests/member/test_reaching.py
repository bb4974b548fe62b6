"""A question says what its change reaches; where that cannot be looked up it says so, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from moto.ec2.models import ec2_backends

from member.chalicelib import context
from member.chalicelib.ec2.surroundings import Surroundings
from shared.aws.clients import client
from shared.domain.reach import Interfaces, Manager, Reach
from shared.domain.request import Request
from shared.domain.rule import prefix_list
from tests.support.faults import KINDS, Faults, Kind, deliver_as_lambda
from tests.support.member_account import ACCOUNT, REGION, Json, Member, Person, at, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

OPEN = rule(22, "10.1.0.0/16", "open")
WIDE = rule(22, "10.0.0.0/8", "wide")
Failing = dict[str, Exception]
REACHED = ("DescribeNetworkInterfaces", "DescribeSecurityGroups")


@pytest.fixture
def attached(member: Member) -> None:
    """Attach the group to two interfaces, one of them with a public address, and say who manages it."""
    subnet = member.ec2.create_subnet(VpcId=member.vpc_id, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    made = [member.ec2.create_network_interface(SubnetId=subnet, Groups=[member.group_id]) for _ in range(2)]
    member.ec2.create_network_interface(SubnetId=subnet, Groups=[member.new_group()])
    interface = made[0]["NetworkInterface"]["NetworkInterfaceId"]
    ec2_backends[ACCOUNT][REGION].enis[interface].public_ip = "192.0.2.1"
    member.ec2.create_tags(Resources=[member.group_id], Tags=[{"Key": "ManagedBy", "Value": "terraform"}])


@pytest.fixture
def offices(member: Member) -> str:
    """A managed prefix list of this account."""
    made = member.ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "192.0.2.0/24"}]
    )
    return str(made["PrefixList"]["PrefixListId"])


@pytest.fixture
def failing() -> Iterator[Failing]:
    """Operations of which every call fails, and how."""
    errors: dict[str, Exception] = {}
    original = BaseClient._make_api_call

    def call(made: BaseClient, operation: str, parameters: Json) -> Any:
        if operation in errors:
            raise errors[operation]
        return original(made, operation, parameters)

    with mock.patch.object(BaseClient, "_make_api_call", call):
        yield errors


def reach(request: Request) -> Reach:
    """Return what a request says that it reaches."""
    assert request.reach is not None
    return request.reach


def denied(operation: str, code: str = "UnauthorizedOperation", status: int = 403) -> ClientError:
    """Return EC2's refusal."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]


@pytest.mark.usefixtures("attached")
def test_an_addition_says_what_it_reaches(member: Member, ada: Person) -> None:
    """Interfaces with their public addresses, who manages the group, what covers it, how long it was in force."""
    member.holds(WIDE)
    member.snapshot()
    made_at = datetime.now(UTC) - timedelta(seconds=5)
    member.deliver(ada.opens(OPEN, eventTime=at(made_at)))
    request = member.told_request()
    found = reach(request)
    assert found.interfaces is not None
    assert (found.interfaces.count, found.interfaces.public) == (2, ("192.0.2.1",))
    assert found.manager == Manager(name="terraform", is_tagged=True)
    assert [one.identity for one in found.covered_by] == [WIDE.identity]
    assert found.in_force_seconds in (5, 6)
    member.approve(request)
    member.told_applied()


def test_what_was_shown_is_what_is_approved(member: Member, ada: Person) -> None:
    """A request that says something else of its reach has another digest, and applies nothing."""
    member.snapshot()
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    for other in (None, Reach(), replace(reach(request), interfaces=Interfaces(count=7))):
        altered = replace(request, reach=other)
        assert altered.digest != request.digest
        member.approve(altered)
        assert member.told_error().code == "DigestMismatch"
    assert member.state() == []


@pytest.mark.parametrize(
    "error",
    [
        denied("DescribeNetworkInterfaces"),
        denied("DescribeNetworkInterfaces", "RequestLimitExceeded", 503),
        ReadTimeoutError(endpoint_url="https://ec2"),
        ConnectTimeoutError(endpoint_url="https://ec2"),
    ],
)
def test_what_cannot_be_looked_up_is_not_known(member: Member, ada: Person, failing: Failing, error: Exception) -> None:
    """The change is reverted, asked, approved and applied as ever."""
    member.snapshot()
    failing["DescribeNetworkInterfaces"] = error
    member.deliver(ada.opens(OPEN))
    request = member.told_request()
    is_denied = isinstance(error, ClientError) and error.response["Error"]["Code"] == "UnauthorizedOperation"
    assert reach(request).interfaces is None
    assert reach(request).manager == (Manager() if is_denied else None)
    assert (request.status, member.state()) == ("pending", [])
    member.approve(request)
    member.told_applied()


def test_an_answer_that_nobody_understands_is_not_known(member: Member, ada: Person) -> None:
    """Whatever EC2 says, the question is asked."""
    member.snapshot()
    original = BaseClient._make_api_call

    def call(made: BaseClient, operation: str, parameters: Json) -> Any:
        return {} if operation in REACHED else original(made, operation, parameters)

    with mock.patch.object(BaseClient, "_make_api_call", call):
        member.deliver(ada.opens(OPEN))
    found = reach(member.told_request())
    assert (found.interfaces, found.manager) == (None, None)


def test_no_lookup_begins_that_could_end_too_late(member: Member, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow first answer is taken, and the rest is not known: a second in all."""
    member.snapshot()
    original, clock, waited = BaseClient._make_api_call, context.now, [timedelta(0)]
    monkeypatch.setattr(context, "now", lambda: clock() + waited[0])

    def call(made: BaseClient, operation: str, parameters: Json) -> Any:
        if operation == "DescribeNetworkInterfaces":
            waited[0] = timedelta(seconds=0.5)
        return original(made, operation, parameters)

    with mock.patch.object(BaseClient, "_make_api_call", call):
        member.deliver(ada.opens(OPEN))
    found = reach(member.told_request())
    assert (found.interfaces, found.manager) == (Interfaces(), None)


def test_a_lookup_is_bounded_and_never_repeated() -> None:
    """One page, one try, less than a second."""
    config = client("ec2", REGION, retries="once").meta.config
    assert config.connect_timeout + config.read_timeout < 1
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_more_than_a_page_is_said(member: Member) -> None:
    """A hundred interfaces are counted, and that there are more."""
    surroundings = Surroundings(REGION, retries="once")
    answer = {"NetworkInterfaces": [{}] * 100, "NextToken": "x"}
    with mock.patch.object(BaseClient, "_make_api_call", return_value=answer) as made:
        assert surroundings.interfaces(member.group_id) == ([{}] * 100, True)
    assert made.call_args.args[1]["MaxResults"] == 100
    with mock.patch.object(BaseClient, "_make_api_call", return_value={"NetworkInterfaces": [{}] * 101}):
        assert surroundings.interfaces(member.group_id) == ([{}] * 100, True)
    assert surroundings.tags("sg-00000000000000000") is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_redelivered_event_publishes_what_was_shown_first(member: Member, ada: Person, kind: Kind) -> None:
    """Whichever call fails: all that is published has one digest, and approving it is applied."""
    member.snapshot()
    for number in range(3, 9):
        event = ada.opens(rule(number, "10.1.0.0/16", "open"))
        broken = Faults(kind=kind, at=number)
        with broken.watching():
            deliver_as_lambda(lambda event=event: member.deliver(event))
        member.deliver(event)
        told = member.told()
        requests = {one.request.digest: one.request for one in told}  # type: ignore[union-attr]
        assert len(requests) == 1, (number, broken.operations)
        (request,) = requests.values()
        member.approve(request)
        member.told_applied()


def test_without_a_ledger_nothing_is_looked_up_twice(
    member: Member, ada: Person, failing: Failing, faults: Faults
) -> None:
    """It is published without; the delivery that writes it finds the change reverted, and looks nothing up."""
    member.snapshot()
    event = ada.opens(OPEN)
    failing["PutItem"] = denied("PutItem", "InternalServerError", 500)
    with pytest.raises(ClientError):
        member.deliver(event)
    first = member.told_request()
    failing.clear()
    with faults.watching():
        member.deliver(event)
    assert not set(REACHED) & set(faults.operations)
    again = member.told_request()
    assert (first.reach, again.digest) == (None, first.digest)
    member.approve(first)
    member.told_applied()


def test_a_question_about_a_list_shows_the_list(member: Member, ada: Person, offices: str) -> None:
    """Owner, version and ranges are part of what is approved."""
    member.snapshot()
    member.deliver(ada.opens(rule(22, prefix_list(offices))))
    request = member.told_request()
    (shown,) = reach(request).prefix_lists
    assert (shown.list_id, shown.name, shown.version, shown.entries) == (offices, "offices", 1, ("192.0.2.0/24",))
    member.approve(request)
    member.told_applied()


def changed(member: Member, list_id: str) -> None:
    """Put one more range into a list."""
    entries = [{"Cidr": "198.51.100.0/24"}]
    member.ec2.modify_managed_prefix_list(PrefixListId=list_id, CurrentVersion=1, AddEntries=entries)


def test_another_version_of_a_list_is_not_applied(member: Member, ada: Person, offices: str) -> None:
    """Approved was a list that held less; the same for a list that is gone."""
    member.snapshot()
    member.deliver(ada.opens(rule(22, prefix_list(offices))))
    request = member.told_request()
    changed(member, offices)
    member.approve(request)
    error = member.told_error()
    assert (error.code, member.state()) == ("PrefixListChanged", [])
    assert "version 2 by now, not at version 1" in error.reason
    member.ec2.delete_managed_prefix_list(PrefixListId=offices)
    member.approve(request)
    error = member.told_error()
    assert error.code == "PrefixListChanged"


def test_a_batch_with_another_version_of_a_list_is_not_applied(member: Member, ada: Person, offices: str) -> None:
    """As for a single request."""
    member.snapshot()
    member.deliver(ada.opens(rule(22, prefix_list(offices))), ada.opens(OPEN))
    requests = [one.request for one in member.told()]  # type: ignore[union-attr]
    changed(member, offices)
    member.approve_batch(*requests)
    assert {one.code for one in member.told()} == {"PrefixListChanged"}  # type: ignore[union-attr]
    assert member.state() == []


def test_a_list_that_was_not_known_is_not_compared(member: Member, ada: Person, offices: str, failing: Failing) -> None:
    """The approver was told that it is not known, and approved."""
    member.snapshot()
    failing["DescribeManagedPrefixLists"] = denied("DescribeManagedPrefixLists")
    member.deliver(ada.opens(rule(22, prefix_list(offices))))
    request = member.told_request()
    assert reach(request).prefix_lists == ()
    member.approve(request)
    member.told_applied()


def test_a_removal_looks_at_no_version(member: Member, ada: Person, offices: str) -> None:
    """It opens nothing."""
    held = rule(22, prefix_list(offices))
    member.holds(held)
    member.snapshot()
    member.deliver(ada.closes(held))
    request = member.told_request()
    changed(member, offices)
    member.approve(request)
    member.told_applied()


@pytest.mark.usefixtures("attached")
def test_a_difference_says_what_it_reaches(member: Member) -> None:
    """What a snapshot found is asked like a call; how long it was in force nobody knows."""
    member.snapshot()
    member.holds(OPEN)
    member.snapshot()
    member.snapshot(after=timedelta(minutes=16))
    request = member.told_request()
    found = reach(request)
    assert found.interfaces is not None
    assert (found.interfaces.count, found.in_force_seconds) == (2, None)
    member.approve(request)
    member.told_applied()
