"""The product's own calls are known by exact role, whichever way Chalice hands out roles."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from member.chalicelib import context
from shared.domain.caller import Caller

ACCOUNT = "222222222222"


def caller(role: str, *, account: str = ACCOUNT) -> Caller:
    """A session of a role."""
    return Caller(
        type="AssumedRole",
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{role}/session",
        principal_arn=f"arn:aws:iam::{account}:role/{role}",
        name=f"session ({role})",
    )


def run_as(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    """Let STS say that this function runs under a role."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/member-dev-revertSecurityGroup"
    monkeypatch.setattr(context, "_own_session_arn", lambda *_: arn)


@pytest.mark.parametrize("function", context.OWN_FUNCTIONS)
@pytest.mark.parametrize("name", ["", "member-dev-revertSecurityGroup"], ids=["elsewhere", "in Lambda"])
def test_the_roles_of_all_functions_are_own(monkeypatch: pytest.MonkeyPatch, function: str, name: str) -> None:
    """What the apply function changes is not reverted, although Chalice gave it another role."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", name)
    run_as(monkeypatch, "member-dev-revertSecurityGroup")
    assert context.is_own(caller(f"member-dev-{function}"), "eu-west-1")


@pytest.mark.parametrize(
    "role",
    [
        "member-prod-applySecurityGroupChange",
        "member-dev-applySecurityGroupChange2",
        "xmember-dev-applySecurityGroupChange",
        "applySecurityGroupChange",
        "member-dev",
    ],
)
def test_a_role_that_only_resembles_one_is_not_own(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    """Another stage's role, a longer or a shorter name gets no pass."""
    run_as(monkeypatch, "member-dev-revertSecurityGroup")
    assert not context.is_own(caller(role), "eu-west-1")


def test_the_same_role_name_in_another_account_is_not_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role is account and name."""
    run_as(monkeypatch, "member-dev-revertSecurityGroup")
    stranger = caller("member-dev-applySecurityGroupChange", account="999999999999")
    assert not context.is_own(stranger, "eu-west-1")


def test_one_role_for_all_functions_is_own_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a shared role only that one passes."""
    run_as(monkeypatch, "security-groups")
    assert context.is_own(caller("security-groups"), "eu-west-1")
    assert not context.is_own(caller("security-applySecurityGroupChange"), "eu-west-1")


def test_each_credentials_own_role_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that serves a second account takes no other account's role for its own."""

    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            account = context.optional("AWS_ACCESS_KEY_ID")
            return {"Arn": f"arn:aws:sts::{account}:assumed-role/member/fn"}

    monkeypatch.setattr(context, "client", lambda *_, **__: Sts())
    context._own_session_arn.cache_clear()
    for account in (ACCOUNT, "333333333333"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
        assert context.is_own(caller("member", account=account), "eu-west-1")
    assert not context.is_own(caller("member"), "eu-west-1")
    context._own_session_arn.cache_clear()


@pytest.mark.parametrize(
    "session", ["member-dev-applySecurityGroupChange", "member-ApplySecurityGroupChange-1A2B3C4D5E6F"]
)
def test_without_sts_a_session_that_may_be_our_own_waits(monkeypatch: pytest.MonkeyPatch, session: str) -> None:
    """However the function was named: Chalice ends with the trigger's name, CloudFormation adds a random end."""

    def fail(*_: object) -> str:
        raise EndpointConnectionError(endpoint_url="https://sts.eu-west-1.amazonaws.com")

    monkeypatch.setattr(context, "_own_session_arn", fail)
    own = replace(caller("member"), arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/member/{session}")
    with pytest.raises(context.OwnRoleError):
        context.is_own(own, "eu-west-1")
    assert not context.is_own(caller("member"), "eu-west-1")


@pytest.mark.parametrize("function", ["guard", "member-dev-applySecurityGroupChange"])
def test_a_shared_role_that_is_called_like_a_function_has_no_siblings(
    monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """The function is called otherwise, so these are not Chalice's roles, and anybody may make the others."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    run_as(monkeypatch, "team-revertSecurityGroup")
    assert context.is_own(caller("team-revertSecurityGroup"), "eu-west-1")
    assert not context.is_own(caller("team-applySecurityGroupChange"), "eu-west-1")


def refuse(*_: object) -> Any:
    """Stand in the place of STS where nobody may ask."""
    raise AssertionError("STS was asked")


def test_a_deployed_role_is_known_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deploys says which role it is: no port stays open until STS has answered."""
    monkeypatch.setattr(context, "_own_session_arn", refuse)
    monkeypatch.setenv(context.OWN_ROLE_SETTING, f"arn:aws:iam::{ACCOUNT}:role/some/path/member-role")
    context.find_own_role("eu-west-1")
    assert context.is_own(caller("member-role"), "eu-west-1")
    for stranger in (caller("member-role-2"), caller("member"), caller("member-role", account="999999999999")):
        assert not context.is_own(stranger, "eu-west-1")


@pytest.mark.parametrize("value", ["", "member-role", "arn:aws:iam::222222222222:user/ada", "set by: python -m deploy"])
def test_where_no_role_is_set_sts_is_asked(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A malformed setting exempts nobody and hides nobody."""
    run_as(monkeypatch, "security-groups")
    monkeypatch.setenv(context.OWN_ROLE_SETTING, value)
    assert context.is_own(caller("security-groups"), "eu-west-1")
    assert not context.is_own(caller("member-role"), "eu-west-1")
