"""Who gets a pass and who does not: the product's own role, service-linked roles, and everybody who looks like them."""

from __future__ import annotations

from collections.abc import Callable

import boto3
import pytest

from member.chalicelib import context
from shared.aws import clients
from tests.support import events
from tests.support.faults import Faults
from tests.support.member_account import ACCOUNT, REGION, Member, Person, exact, rule

OPEN = rule(22, "0.0.0.0/0", "open")
OTHER_ACCOUNT = "210987654321"
OWN_ROLE = "member-dev"


@pytest.fixture
def own_role(member: Member, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: ARG001 - the account comes first
    """Run the app with a session of its role, as Lambda does; STS says who that is."""
    found = boto3.client("sts", REGION).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{OWN_ROLE}", RoleSessionName="member-dev-revertSecurityGroup"
    )["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", found["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", found["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", found["SessionToken"])
    clients.forget()
    return OWN_ROLE


def by(member: Member, identity: events.Json) -> Person:
    """Somebody with this identity."""
    return Person(member, identity=identity)


def test_the_products_own_calls_never_loop(member: Member, own_role: str) -> None:
    """What the product does under its own role is neither reverted nor told, whatever the session is called."""
    member.snapshot()
    for session in ("member-dev-applySecurityGroupChange", "anything"):
        person = by(member, events.assumed_role(own_role, session, account=ACCOUNT))
        member.deliver(person.opens(OPEN))
        assert member.state() == exact([OPEN])
        member.deliver(person.closes(OPEN))
        assert member.state() == []
    assert member.told() == []


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(events.assumed_role("other", OWN_ROLE, account=ACCOUNT), id="session named like the role"),
        pytest.param(
            events.assumed_role("other", "member-dev-revertSecurityGroup", account=ACCOUNT),
            id="session named like the function's",
        ),
        pytest.param(events.assumed_role(OWN_ROLE, "x1", account=OTHER_ACCOUNT), id="role of another account"),
        pytest.param(events.assumed_role(f"x-{OWN_ROLE}", account=ACCOUNT), id="longer name"),
        pytest.param(events.assumed_role(OWN_ROLE.upper(), account=ACCOUNT), id="other case"),
        pytest.param(events.iam_user(OWN_ROLE, account=ACCOUNT), id="user named like the role"),
        pytest.param(
            {**events.assumed_role(OWN_ROLE, account=ACCOUNT), "type": "FederatedUser"}, id="another type of identity"
        ),
        pytest.param(
            {**events.iam_user("x", account=ACCOUNT), "invokedBy": "lambda.amazonaws.com"}, id="invoked by a service"
        ),
        pytest.param(
            events.assumed_role("AWSServiceRoleForElasticLoadBalancing", account=ACCOUNT),
            id="service-linked role's name without its path",
        ),
        pytest.param(
            events.assumed_role("AWSServiceRoleForX", account=ACCOUNT, path="/x/aws-service-role/x.amazonaws.com/"),
            id="service-linked path inside another path",
        ),
        pytest.param(events.service_linked(account=OTHER_ACCOUNT), id="service-linked role of another account"),
        pytest.param(
            {**events.service_linked(account=ACCOUNT), "type": "IAMUser"}, id="service-linked issuer on a user"
        ),
        pytest.param(events.root(account=ACCOUNT), id="root"),
        pytest.param({"type": "AWSService", "invokedBy": "elasticloadbalancing.amazonaws.com"}, id="AWS service"),
        pytest.param({"type": "Unheard"}, id="a type nobody has heard of"),
        pytest.param({}, id="no identity at all"),
        pytest.param(events.identity_center(account=ACCOUNT), id="Identity Center"),
    ],
)
def test_nobody_else_gets_a_pass(member: Member, own_role: str, identity: events.Json) -> None:  # noqa: ARG001
    """A role, session, user or service that merely looks like an exempt one is reverted like everybody."""
    member.snapshot()
    member.deliver(by(member, identity).opens(OPEN, userAgent="member-dev aws-internal/3 lambda.amazonaws.com"))
    assert member.state() == []
    assert member.told_request().status == "pending"


def test_service_linked_roles_are_not_reverted_but_reported(member: Member, own_role: str) -> None:  # noqa: ARG001
    """AWS services can go on working; their rules become part of what is approved, and monitoring is told."""
    member.snapshot()
    member.deliver(by(member, events.service_linked(account=ACCOUNT)).opens(OPEN))
    assert member.state() == member.approved() == exact([OPEN])
    assert member.told_request().status == "observed"


def test_sts_is_asked_once_per_container(member: Member, own_role: str, faults: Faults) -> None:
    """It says which account this is, and who the product itself is; the answer is kept."""
    member.snapshot()
    role = by(member, events.assumed_role("deploy", account=ACCOUNT))
    some = [by(member, events.iam_user(account=ACCOUNT)).opens(rule(port)) for port in (1, 2)]
    some += [role.opens(rule(port)) for port in (3, 4)]
    some += [by(member, events.assumed_role(own_role, account=ACCOUNT)).opens(rule(5))]
    context._own_session_arn.cache_clear()
    with faults.watching():
        member.deliver(*some)
    assert faults.operations.count("GetCallerIdentity") == 1


def test_without_sts_strangers_are_reverted_and_possibly_own_calls_wait(member: Member, own_role: str) -> None:
    """When STS does not answer, a stranger's rule is closed; a call that may be our own is delivered again."""
    member.snapshot()
    faults = Faults(kind="throttled", at=1, times=4)
    stranger = by(member, events.assumed_role("deploy", account=ACCOUNT)).opens(OPEN)
    own = by(member, events.assumed_role(own_role, "member-dev-applySecurityGroupChange", account=ACCOUNT))
    applied = own.opens(rule(80))
    context._own_session_arn.cache_clear()
    with faults.watching():
        member.deliver(stranger)
        with pytest.raises(context.OwnRoleError, match="STS did not say"):
            member.deliver(applied)
    assert member.state() == exact([rule(80)])
    member.deliver(applied)
    assert member.state() == exact([rule(80)])


def test_a_function_that_runs_as_a_user_takes_role_sessions_for_what_they_are(member: Member) -> None:
    """On somebody's own machine STS names a user, not a session; that is nobody's role."""
    member.snapshot()
    member.deliver(by(member, events.assumed_role("deploy", account=ACCOUNT)).opens(OPEN))
    assert member.state() == []


ROLE = f"arn:aws:iam::{ACCOUNT}:role/automation/deploy"


@pytest.mark.parametrize(
    ("pattern", "identity"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/admins/*", events.iam_user("root2", account=ACCOUNT, path="/admins/")),
        (ROLE, events.assumed_role("deploy", "any-session", account=ACCOUNT, path="/automation/")),
    ],
)
def test_policy_key_exempt_principals(
    member: Member, policy: Callable[[str], None], pattern: str, identity: events.Json
) -> None:
    """`exempt.principals`: their changes stay, become part of the baseline, and nobody is told."""
    policy(f'[exempt]\nprincipals = ["{pattern}"]')
    old = rule(443, "10.0.0.0/8", "web")
    member.holds(old)
    member.snapshot()
    person = by(member, identity)
    member.deliver(person.opens(OPEN))
    assert member.state() == member.approved() == exact([OPEN, old])
    edited = rule(444, "10.0.0.0/8", "web 2")
    member.deliver(person.edits((old, edited)))
    assert member.state() == member.approved() == exact([OPEN, edited])
    member.deliver(person.closes(OPEN))
    assert member.state() == member.approved() == exact([edited])
    assert member.told() == []


@pytest.mark.parametrize(
    "identity",
    [
        events.assumed_role("deploy", "any", account=ACCOUNT),
        events.assumed_role("deploy", "any", account=OTHER_ACCOUNT, path="/automation/"),
        events.assumed_role("other", "role/automation/deploy", account=ACCOUNT),
        events.iam_user("deploy", account=ACCOUNT, path="/automation/"),
    ],
)
def test_exempt_principals_are_matched_with_the_whole_arn_of_the_role(
    member: Member, policy: Callable[[str], None], identity: events.Json
) -> None:
    """`exempt.principals`: neither another path, another account, a session's name nor a user gets through."""
    policy(f'[exempt]\nprincipals = ["{ROLE}"]')
    member.snapshot()
    member.deliver(by(member, identity).opens(OPEN))
    assert member.state() == []
