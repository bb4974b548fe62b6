"""Identities: every type that CloudTrail writes is read, and the person behind it is named."""

from __future__ import annotations

from typing import Any

import pytest

from member.chalicelib.cloudtrail.identity import read_caller
from shared.domain.caller import Caller
from shared.wire.fields import Field
from tests.support import events

SSO_ROLE = "AWSReservedSSO_Admin_0123456789abcdef"


def caller(identity: events.Json) -> Caller:
    """What the product makes of a ``userIdentity``."""
    return read_caller(Field(identity, "userIdentity"))


def test_an_iam_user_is_named_by_user_name() -> None:
    """The policy judges the user's ARN, path included."""
    assert caller(events.iam_user("ada", path="/people/")) == Caller(
        type="IAMUser",
        account="222222222222",
        arn="arn:aws:iam::222222222222:user/people/ada",
        principal_arn="arn:aws:iam::222222222222:user/people/ada",
        name="ada",
    )


@pytest.mark.parametrize("context", [{}, {"sessionIssuer": {}}, {"sessionIssuer": {}, "webIdFederationData": {}}, None])
def test_a_user_may_have_an_empty_session_context(context: object) -> None:
    """CloudTrail writes ``sessionContext: {}`` for some users; that hides nobody."""
    assert caller({**events.iam_user("ada"), "sessionContext": context}) == caller(events.iam_user("ada"))


def test_a_role_session_is_named_by_session_and_role() -> None:
    """The policy judges the role, with its path; people see the session."""
    found = caller(events.assumed_role("deploy", "build-7", path="/ci/"))
    assert found.principal_arn == "arn:aws:iam::222222222222:role/ci/deploy"
    assert found.arn == "arn:aws:sts::222222222222:assumed-role/deploy/build-7"
    assert found.name == "build-7 (deploy)"


def test_a_person_of_identity_center_is_named() -> None:
    """The person stands in the session's name."""
    found = caller(events.identity_center("ada@example.com", "Admin"))
    assert found.name == f"ada@example.com ({SSO_ROLE})"
    assert found.principal_arn.endswith(f":role/aws-reserved/sso.amazonaws.com/eu-west-1/{SSO_ROLE}")


def test_a_session_without_arn_is_named_by_its_principal() -> None:
    """The person stands after the colon of ``principalId`` too."""
    identity = events.identity_center("ada@example.com")
    del identity["arn"]
    assert caller(identity).name == f"ada@example.com ({SSO_ROLE})"


def test_a_session_without_issuer_has_no_principal() -> None:
    """Its ARN ends in a name the caller chose, so no policy may match it."""
    found = caller({**events.assumed_role("deploy", "ada"), "sessionContext": {}})
    assert found.principal_arn == ""
    assert found.name == "ada"


def test_an_issuer_without_name_is_named_by_its_arn() -> None:
    """``sessionIssuer.userName`` may be missing."""
    identity = events.assumed_role("deploy", "build-7", path="/ci/")
    del identity["sessionContext"]["sessionIssuer"]["userName"]
    assert caller(identity).name == "build-7 (deploy)"


def test_root_is_named_with_its_account() -> None:
    """Nobody mistakes it for a user."""
    found = caller(events.root())
    assert (found.type, found.name) == ("Root", "root of account 222222222222")
    assert found.principal_arn == "arn:aws:iam::222222222222:root"
    assert caller({"type": "Root"}).name == "root of account unknown"


def test_a_federated_user_is_named_with_the_user_who_asked_for_the_token() -> None:
    """GetFederationToken: the issuer is an IAM user, and it is the issuer that policy judges."""
    found = caller(
        {
            "type": "FederatedUser",
            "principalId": "222222222222:guest",
            "arn": "arn:aws:sts::222222222222:federated-user/guest",
            "accountId": "222222222222",
            "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {
                "attributes": {"creationDate": "2026-03-02T08:50:11Z", "mfaAuthenticated": "false"},
                "sessionIssuer": {
                    "type": "IAMUser",
                    "principalId": "AIDAEXAMPLEEXAMPLE001",
                    "arn": "arn:aws:iam::222222222222:user/ada",
                    "accountId": "222222222222",
                    "userName": "ada",
                },
            },
        }
    )
    assert found.name == "guest (ada)"
    assert found.principal_arn == "arn:aws:iam::222222222222:user/ada"


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (
            {
                "type": "WebIdentityUser",
                "principalId": "accounts.google.com:app-1.apps.googleusercontent.com:1234567890",
                "userName": "1234567890",
                "identityProvider": "accounts.google.com",
            },
            "1234567890",
        ),
        (
            {
                "type": "SAMLUser",
                "principalId": "2Zkf0xyzEXAMPLE=:ada@example.com",
                "userName": "ada@example.com",
                "identityProvider": "2Zkf0xyzEXAMPLE=",
            },
            "ada@example.com",
        ),
        (
            {
                "type": "IdentityCenterUser",
                "accountId": "222222222222",
                "onBehalfOf": {
                    "userId": "94482488-3041-7066-1234-56789abcdef0",
                    "identityStoreArn": "arn:aws:identitystore::111111111111:identitystore/d-9067642ac7",
                },
                "credentialId": "EXAMPLEVHULjJdTUdPJfofVa1sufHDoj7aYcOYcxFVllWR_Whr1fEXAMPLE",
            },
            "94482488-3041-7066-1234-56789abcdef0",
        ),
        ({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"),
        (
            {"type": "AWSAccount", "principalId": "AIDAEXAMPLEEXAMPLE009", "accountId": "444444444444"},
            "account 444444444444",
        ),
        (
            {"type": "AWSAccount", "accountId": "444444444444", "invokedBy": "cloudformation.amazonaws.com"},
            "account 444444444444",
        ),
        ({"type": "AWSAccount"}, "account unknown"),
        ({"type": "Unknown", "principalId": "AROAX"}, "AROAX"),
        ({"type": "Directory"}, "Directory"),
        ({"invokedBy": "AWS Internal"}, "AWS Internal"),
        ({}, "unknown"),
    ],
    ids=lambda value: str(value.get("type", "nothing")) if isinstance(value, dict) else "",
)
def test_other_identities_are_named_as_well_as_they_can_be(identity: events.Json, name: str) -> None:
    """There is no list of types that are let in; each has a name and none has a principal that policy could match."""
    found = caller(identity)
    assert found.name == name
    assert found.type == identity.get("type", "unknown")
    assert found.principal_arn == ""


def test_cloudformation_keeps_the_identity_of_who_started_it() -> None:
    """``invokedBy`` stands beside the person and replaces nothing."""
    found = caller({**events.identity_center(), "invokedBy": "cloudformation.amazonaws.com"})
    assert found.name == f"ada@example.com ({SSO_ROLE})"
    assert found.invoked_by == "cloudformation.amazonaws.com"


def test_no_identity_at_all_is_an_unknown_one() -> None:
    """A change stays a change when CloudTrail does not say whose."""
    assert read_caller(Field(None)) == Caller(type="unknown", name="unknown")


@pytest.mark.parametrize(
    "identity",
    [[], {"type": 5}, {"arn": {}}, {"sessionContext": "x"}, {"sessionContext": {"sessionIssuer": {"arn": 1}}}],
)
def test_what_cannot_be_read_counts_as_missing(identity: Any) -> None:
    """Nobody is exempt by that, and no port stays open for it."""
    assert caller(identity) == Caller(type="unknown", name="unknown")


def test_the_rest_of_an_odd_identity_is_read() -> None:
    """The type is odd, the user is named."""
    assert caller({**events.iam_user("ada"), "type": []}).name == "ada"
