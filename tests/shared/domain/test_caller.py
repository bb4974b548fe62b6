"""Who counts as an AWS service, a person, or the product itself: exactly they, and nobody who looks like them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botocore.session import Session

from member.chalicelib.cloudtrail.identity import read_caller
from shared.domain.caller import Caller, is_person, is_role_arn, is_session_of, linked_service
from shared.wire.fields import Field
from tests.support import events

PARTITIONS = Session().get_available_partitions()
OWN = "arn:aws:sts::222222222222:assumed-role/member-eu-west-1/member-eu-west-1-revertSecurityGroup"


def caller(identity: events.Json) -> Caller:
    """What the product makes of a ``userIdentity``."""
    return read_caller(Field(identity))


def in_partition(identity: events.Json, partition: str) -> events.Json:
    """The identity as it is in another partition."""
    text = json.dumps(identity).replace("arn:aws:", f"arn:{partition}:")
    changed: events.Json = json.loads(text)
    return changed


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_service_linked_role_names_its_service(partition: str) -> None:
    """Its role lies below the path that IAM keeps for AWS, in every partition."""
    assert linked_service(caller(in_partition(events.service_linked(), partition))) == "elasticloadbalancing"


@pytest.mark.parametrize(
    ("principal", "service"),
    [
        ("elasticloadbalancing.amazonaws.com", "elasticloadbalancing"),
        ("replication.dynamodb.amazonaws.com", "replication.dynamodb"),
        ("ops.emr-serverless.amazonaws.com", "ops.emr-serverless"),
        ("elasticloadbalancing.amazonaws.com.cn", "elasticloadbalancing"),
        ("elasticloadbalancing.amazonaws.eu", "elasticloadbalancing"),
        ("elasticloadbalancing.c2s.ic.gov", "elasticloadbalancing"),
    ],
)
def test_a_service_is_named_without_its_domain(principal: str, service: str) -> None:
    """What stands before the partition's domain; a service's own name may have dots."""
    role = events.assumed_role("AWSServiceRoleForX", "s", path=f"/aws-service-role/{principal}/")
    assert linked_service(caller(role)) == service


@pytest.mark.parametrize(
    "identity",
    [
        events.assumed_role("AWSServiceRoleForElasticLoadBalancing", "ElasticLoadBalancing"),
        events.assumed_role("AWSServiceRoleForX", "s", path="/x/aws-service-role/"),
        events.assumed_role("AWSServiceRoleForX", "s", path="/x/aws-service-role/elasticloadbalancing.amazonaws.com/"),
        events.assumed_role("AWSServiceRoleForX", "s", path="/aws-service-role-x/elasticloadbalancing.amazonaws.com/"),
        events.assumed_role("AWSServiceRoleForX", "s", path="/aws-service-role/"),
        events.assumed_role("deploy", "aws-service-role"),
        events.assumed_role("deploy", "AWSServiceRoleForElasticLoadBalancing"),
        {**events.assumed_role(), "invokedBy": "elasticloadbalancing.amazonaws.com"},
        {**events.iam_user(path="/aws-service-role/elasticloadbalancing.amazonaws.com/")},
        {**events.service_linked(), "type": "IAMUser"},
        {**events.service_linked(account="333333333333"), "accountId": "222222222222"},
        {**events.service_linked(), "sessionContext": {}},
        {"type": "AWSService", "invokedBy": "elasticloadbalancing.amazonaws.com"},
    ],
    ids=[
        "name of a service-linked role, no path",
        "path /x/aws-service-role/",
        "path /x/aws-service-role/service/",
        "path /aws-service-role-x/service/",
        "path without a service",
        "session name aws-service-role",
        "session name of a service-linked role",
        "invokedBy",
        "IAM user below that path",
        "another type",
        "role of another account",
        "no session issuer",
        "a service without a role",
    ],
)
def test_a_look_alike_of_a_service_linked_role_is_no_service(identity: events.Json) -> None:
    """Names, sessions, other paths, accounts and invokedBy can be chosen by the caller and decide nothing."""
    assert linked_service(caller(identity)) == ""


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize(
    "identity",
    [
        events.iam_user(),
        events.iam_user(path="/people/"),
        events.identity_center(),
        events.assumed_role("AWSReservedSSO_A_1", "ada", path="/aws-reserved/sso.amazonaws.com/"),
    ],
    ids=["IAM user", "IAM user with a path", "Identity Center", "Identity Center in its home region"],
)
def test_a_person_is_an_iam_user_or_a_session_of_identity_center(identity: events.Json, partition: str) -> None:
    """AWS itself wrote who it is, in every partition."""
    assert is_person(caller(in_partition(identity, partition)))


@pytest.mark.parametrize(
    "identity",
    [
        events.assumed_role("deploy", "ada@example.com"),
        events.assumed_role("AWSReservedSSO_Admin_0123456789abcdef", "ada@example.com"),
        events.assumed_role("AWSReservedSSO_A_1", "ada", path="/x/aws-reserved/sso.amazonaws.com/"),
        events.assumed_role("Admin", "ada", path="/aws-reserved/sso.amazonaws.com/"),
        {**events.identity_center(), "arn": events.assumed_role("deploy", "ada@example.com")["arn"]},
        {**events.identity_center(), "sessionContext": {}},
        {**events.assumed_role("deploy", "ada"), "type": "IAMUser"},
        {**events.root(), "type": "IAMUser"},
        {"type": "FederatedUser", "arn": "arn:aws:sts::222222222222:federated-user/ada", "accountId": "222222222222"},
        events.root(),
        events.service_linked(),
    ],
    ids=[
        "session of another role",
        "look-alike without the path",
        "look-alike below another path",
        "another name below the path",
        "role and session do not agree",
        "no session issuer",
        "another type",
        "root as a user",
        "federated user",
        "root",
        "AWS service",
    ],
)
def test_whoever_chooses_the_own_name_is_no_person(identity: events.Json) -> None:
    """A session name is the choice of who assumes the role; only Identity Center sets it itself."""
    assert not is_person(caller(identity))


@pytest.mark.parametrize("path", ["/", "/product/"])
def test_any_session_of_the_own_role_is_own(path: str) -> None:
    """All functions of the member app share one role; a session's ARN does not show the role's path."""
    session = events.assumed_role("member-eu-west-1", "member-eu-west-1-applySecurityGroupChange", path=path)
    assert is_session_of(caller(session), OWN)


@pytest.mark.parametrize(
    "identity",
    [
        events.assumed_role("member-eu-west-1", "s", account="333333333333"),
        events.assumed_role("member-eu-west-10", "s"),
        events.assumed_role("x-member-eu-west-1", "s"),
        events.assumed_role("deploy", "member-eu-west-1"),
        events.assumed_role("deploy", "member-eu-west-1-revertSecurityGroup"),
        events.iam_user("member-eu-west-1"),
        {**events.assumed_role("member-eu-west-1", "s"), "type": "IAMUser"},
        {**events.assumed_role("member-eu-west-1", "s"), "accountId": "333333333333"},
        {**events.assumed_role("member-eu-west-1", "s"), "sessionContext": {}},
        {**events.assumed_role("member-eu-west-1", "s"), "arn": events.assumed_role("deploy", "s")["arn"]},
        {**events.assumed_role("member-eu-west-1", "s"), "arn": events.iam_user("member-eu-west-1")["arn"]},
        events.root(),
    ],
    ids=[
        "same role name in another account",
        "longer role name",
        "role name with a prefix",
        "session named like the role",
        "session named like the function",
        "user named like the role",
        "another type",
        "another account",
        "no session issuer",
        "role and session do not agree",
        "role of a user",
        "root",
    ],
)
def test_a_look_alike_of_the_own_role_is_not_own(identity: events.Json) -> None:
    """Only AWS's own words about role and account count."""
    assert not is_session_of(caller(identity), OWN)


@pytest.mark.parametrize("own", ["", "arn:aws:iam::222222222222:user/ada", "arn:aws:iam::222222222222:root"])
def test_without_a_role_of_its_own_nothing_is_own(own: str) -> None:
    """A product that runs as a user (on a developer's machine) takes no call for its own."""
    assert not is_session_of(caller(events.assumed_role()), own)
    assert not is_session_of(replace(caller(events.iam_user()), arn=own), own)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arn:aws:iam::222222222222:role/member", True),
        *((f"arn:{partition}:iam::222222222222:role/product/team/member", True) for partition in PARTITIONS),
        ("arn:aws:iam::222222222222:user/member", False),
        ("arn:aws:iam::222222222222:role/", False),
        ("arn:aws:iam::2222:role/member", False),
        ("arn:aws:sts::222222222222:assumed-role/member/session", False),
        ("see arn:aws:iam::222222222222:role/member", False),
        ("", False),
    ],
)
def test_the_arn_of_a_role_is_told_from_other_texts(text: str, *, expected: bool) -> None:
    """A user, a session and a role without a name or account are none."""
    assert is_role_arn(text) is expected
