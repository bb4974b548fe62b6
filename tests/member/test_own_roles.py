"""The product's own calls are known by exact role, whichever way Chalice hands out roles."""

import pytest

from member.chalicelib import runtime
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
    monkeypatch.setattr(runtime, "_own_session_arn", lambda _region: arn)


@pytest.mark.parametrize("function", runtime.OWN_FUNCTIONS)
def test_the_roles_of_all_functions_are_own(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """What the apply function changes is not taken back, although it runs under another role."""
    run_as(monkeypatch, "member-dev-revertSecurityGroup")
    assert runtime.is_own(caller(f"member-dev-{function}"), "eu-west-1")


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
    assert not runtime.is_own(caller(role), "eu-west-1")


def test_the_same_role_name_in_another_account_is_not_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role is account and name."""
    run_as(monkeypatch, "member-dev-revertSecurityGroup")
    stranger = caller("member-dev-applySecurityGroupChange", account="999999999999")
    assert not runtime.is_own(stranger, "eu-west-1")


def test_one_role_for_all_functions_is_own_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a shared role only that one passes."""
    run_as(monkeypatch, "security-groups")
    assert runtime.is_own(caller("security-groups"), "eu-west-1")
    assert not runtime.is_own(caller("security-applySecurityGroupChange"), "eu-west-1")
