"""Who gets the pass of AWS itself and of the product's own role: exactly they, and nobody who looks like them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from member.chalicelib.cloudtrail.identity import read_caller
from shared.domain.caller import Caller, is_role_arn, is_service_linked_role, is_session_of
from shared.wire.fields import Field
from tests.support import events

OWN = "arn:aws:sts::222222222222:assumed-role/member-eu-west-1/member-eu-west-1-revertSecurityGroup"


def caller(identity: events.Json) -> Caller:
    """What the product makes of a ``userIdentity``."""
    return read_caller(Field(identity))


def test_a_session_of_a_service_linked_role_is_recognised() -> None:
    """Its role lies below the path that IAM keeps for AWS."""
    assert is_service_linked_role(caller(events.service_linked()))


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
def test_a_look_alike_of_a_service_linked_role_gets_no_pass(identity: events.Json) -> None:
    """Names, sessions, other paths, accounts and invokedBy can be chosen by the caller and decide nothing."""
    assert not is_service_linked_role(caller(identity))


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
        ("arn:aws-us-gov:iam::222222222222:role/product/team/member", True),
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
