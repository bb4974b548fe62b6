"""Mistakes in a valid policy: each is found by its key, and says what it means and what to write instead."""

from __future__ import annotations

import pytest
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.caller import Caller
from shared.domain.policy import Policies, Policy, person_behind
from shared.policy.cli.checks import find_mistakes
from shared.policy.cli.finding import Finding
from shared.wire.policy_document import parse_policies
from tests.support import strategies

PERSON = '[people]\n"arn:aws:iam::*:user/ada" = "U061F7AUR"\n'


def mistakes(text: str) -> tuple[Finding, ...]:
    """What is wrong with a policy file."""
    return find_mistakes(parse_policies(text))


def only(text: str) -> Finding:
    """The one thing that is wrong with a policy file."""
    (finding,) = mistakes(text)
    return finding


@pytest.mark.parametrize(
    ("text", "key", "meaning"),
    [
        ('mode = "observe"', "mode", "nothing is reverted"),
        ("guard = []", "guard", "nothing is reverted"),
        ('guard = ["modify", "remove"]', "guard", "added rules stay in force"),
        ("directions = []", "directions", "nothing is reverted"),
        ('directions = ["egress"]', "directions", "inbound rules are not guarded"),
        ('exempt = { groups = ["*"] }', "exempt.groups[0]", "switches the product off"),
        ('exempt = { groups = ["sg-0", "sg-*"] }', "exempt.groups[1]", "switches the product off"),
    ],
)
def test_what_switches_the_product_off_is_found(text: str, key: str, meaning: str) -> None:
    """It is allowed, and nobody should do it without knowing."""
    found = only(text)
    assert (found.severity, found.key) == ("warning", key)
    assert meaning in found.meaning


@pytest.mark.parametrize(
    ("pattern", "whose"),
    [
        ("*", "everybody of every account"),
        ("arn:*", "everybody of every account"),
        ("arn:aws:iam::*", "everybody of every account"),
        ("*:222222222222:*", "everybody of account 222222222222"),
        ("arn:aws-cn:iam::222222222222:*", "everybody of account 222222222222"),
        ("arn:aws:iam::*:role/*", "every role of every account"),
        ("arn:aws-us-gov:iam::*:role/*", "every role of every account"),
        ("arn:aws:iam::222222222222:role/*", "every role of account 222222222222"),
        ("*:user/*", "every user of every account"),
    ],
)
def test_a_pattern_that_exempts_nearly_everybody_is_found(pattern: str, whose: str) -> None:
    """The message says who is exempt."""
    found = only(f'exempt = {{ principals = ["{pattern}"] }}')
    assert (found.severity, found.key) == ("warning", "exempt.principals[0]")
    assert f"exempts {whose}" in found.meaning


@pytest.mark.parametrize(
    "pattern",
    [
        "arn:aws:iam::222222222222:role/deploy",
        "arn:aws:iam::*:role/deploy-*",
        "arn:aws:iam::222222222222:user/ci/*",
        "arn:aws:iam::222222222222:root",
        "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Admin_0123456789abcdef",
        "*role/terraform",
        *(f"arn:{partition}:iam::222222222222:role/deploy" for partition in Session().get_available_partitions()),
    ],
)
def test_an_exempt_principal_that_can_match_is_fine(pattern: str) -> None:
    """Users, roles and root, in every partition."""
    assert mistakes(f'exempt = {{ principals = ["{pattern}"] }}') == ()


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("alice", "arn:aws:iam::222222222222:role/deploy"),
        ("deploy*", "arn:aws:iam::222222222222:role/deploy"),
        ("222222222222", "arn:aws:iam::222222222222:role/deploy"),
        ("arn:aws:iam::222222222222:group/admins", "arn:aws:iam::222222222222:role/deploy"),
        ("arn:aws:iam:222222222222:role/deploy", "arn:aws:iam::222222222222:role/deploy"),
        ("arn:aws:sts::222222222222:assumed-role/deploy/*", "arn:aws:iam::222222222222:role/deploy"),
        ("arn:aws-us-gov:sts::*:assumed-role/deploy", "arn:aws-us-gov:iam::*:role/deploy"),
        (
            "arn:aws:sts::222222222222:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ada@example.com",
            "arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Admin_0123456789abcdef",
        ),
        (
            "arn:aws:iam::333333333333:role/AWSReservedSSO_Admin_*",
            "arn:aws:iam::333333333333:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Admin_*",
        ),
    ],
)
def test_an_exempt_principal_that_can_never_match_is_found(pattern: str, remedy: str) -> None:
    """The remedy is the ARN that was meant, as far as it can be known."""
    found = only(f'exempt = {{ principals = ["{pattern}"] }}')
    assert (found.severity, found.key) == ("warning", "exempt.principals[0]")
    assert f'"{pattern}" can never match' in found.meaning
    assert f'"{remedy}"' in found.remedy


@pytest.mark.parametrize("pattern", ["web", "web-*", "launch-wizard-1", "eni-0123", "sg-web", "SG-0123"])
def test_an_exempt_group_by_name_is_found(pattern: str) -> None:
    """Ids are compared; a name could be given to any group."""
    found = only(f'exempt = {{ groups = ["{pattern}"] }}')
    assert (found.severity, found.key) == ("warning", "exempt.groups[0]")
    assert "can never match" in found.meaning


@pytest.mark.parametrize(
    "pattern", ["elasticloadbalancing.amazonaws.com", "AWSServiceRoleForECS", "arn:aws:iam::*:role/aws-service-role/*"]
)
def test_a_service_by_a_longer_name_is_found(pattern: str) -> None:
    """Short names are compared."""
    found = only(f'exempt = {{ service_linked_roles = ["{pattern}"] }}')
    assert (found.severity, found.key) == ("warning", "exempt.service_linked_roles[0]")
    assert "can never match" in found.meaning


@pytest.mark.parametrize("text", ["exempt = { service_linked_roles = [] }", 'exempt = { groups = ["sg-0a1*"] }'])
def test_other_exemptions_are_fine(text: str) -> None:
    """No service at all, a group by the beginning of its id."""
    assert mistakes(text) == ()
    assert mistakes('exempt = { service_linked_roles = ["*", "replication.dynamodb", "elastic*"] }') == ()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("remind_after_hours = 72", "remind_after_hours"),
        ("expire_after_hours = 3", "remind_after_hours"),
        ("drift_grace_minutes = 4321", "drift_grace_minutes"),
        ('approvers = ["U061F7AUR", "USLACKBOT"]', "approvers[1]"),
        ('approvers = ["U1"]', "approvers[0]"),
    ],
)
def test_what_never_happens_is_found(text: str, key: str) -> None:
    """A reminder after the expiry, a grace longer than a request lives, an approver who is nobody."""
    found = only(text)
    assert (found.severity, found.key) == ("warning", key)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('allow_self_approval = false\napprovers = ["U061F7AUR"]', "allow_self_approval"),
        (f'allow_self_approval = false\napprovers = ["U061F7AUR"]\n{PERSON}', "approvers"),
    ],
    ids=["nobody is known", "the only approver is the only requester"],
)
def test_a_policy_by_which_nobody_can_approve_is_an_error(text: str, key: str) -> None:
    """No request could ever be approved."""
    found = only(text)
    assert (found.severity, found.key) == ("error", key)
    assert "nobody can approve" in found.meaning


def test_where_nobody_is_known_every_change_needs_two_people() -> None:
    """That may be meant, so it is a warning."""
    for approvers in ("", 'approvers = ["U061F7AUR", "U0BOB0BOB"]'):
        found = only(f"allow_self_approval = false\n{approvers}")
        assert (found.severity, found.key) == ("warning", "allow_self_approval")
        assert "two different people" in found.meaning


def test_the_only_approver_cannot_approve_the_own_changes() -> None:
    """Others' changes can be approved, so it is no more than a warning."""
    people = f'{PERSON}"arn:aws:iam::*:user/bob" = "U0BOB0BOB"\n'
    found = only(f'allow_self_approval = false\napprovers = ["U061F7AUR"]\n{people}')
    assert (found.severity, found.key) == ("warning", "approvers")
    assert "U061F7AUR" in found.meaning
    assert mistakes(f'allow_self_approval = false\napprovers = ["U061F7AUR", "U0BOB0BOB"]\n{people}') == ()


@pytest.mark.parametrize(
    "pattern",
    [
        "arn:aws:iam::*:user/ada",
        "arn:aws:iam::*:user/people/ada@example.com",
        "*:user/ada",
        "arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com",
        "arn:aws-us-gov:sts::222222222222:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ada",
    ],
)
def test_people_are_users_and_sessions_of_identity_center(pattern: str) -> None:
    """AWS itself wrote these names."""
    assert mistakes(f'allow_self_approval = false\npeople = {{ "{pattern}" = "U061F7AUR" }}') == ()


@pytest.mark.parametrize(
    ("pattern", "meaning"),
    [
        ("ada@example.com", "never counts"),
        ("arn:aws:iam::*:role/ada", "never counts"),
        ("arn:aws:iam::222222222222:root", "never counts"),
        ("arn:aws:sts::*:assumed-role/developer/ada", "never counts"),
        ("arn:aws:sts::*:assumed-role/awsreservedsso_*/ada", "never counts"),
        ("arn:aws:sts::*:federated-user/ada", "never counts"),
        ("*", "also matches sessions of other roles"),
        ("arn:aws:sts::*:assumed-role/*/ada@example.com", "also matches sessions of other roles"),
        ("arn:aws:sts::*:assumed-role/AWS*/ada@example.com", "also matches sessions of other roles"),
    ],
)
def test_a_session_name_that_its_caller_chooses_is_refused(pattern: str, meaning: str) -> None:
    """Eve could call her session ada; where self-approval is off that is an error, elsewhere a warning."""
    people = f'people = {{ "{pattern}" = "U061F7AUR" }}'
    for self_approval, severity in (("false", "error"), ("true", "warning")):
        found = only(f"allow_self_approval = {self_approval}\n{people}")
        assert (found.severity, found.key) == (severity, f"people.{pattern}")
        assert meaning in found.meaning


def test_an_account_repeats_no_general_mistake() -> None:
    """What it has from the general part is said once."""
    text = 'drift_grace_minutes = 4321\n[accounts."222222222222"]\nmode = "observe"\n[accounts."333333333333"]\n'
    general, special = mistakes(text)
    assert general.key == "drift_grace_minutes"
    assert special.key == "accounts.222222222222.mode"
    assert "in account 222222222222" in special.meaning


def test_the_built_in_policy_has_no_mistakes() -> None:
    """An empty file is fine."""
    assert mistakes("") == ()


@given(strategies.callers(), st.data())
def test_what_matches_a_real_caller_is_never_called_impossible(caller: Caller, data: st.DataObject) -> None:
    """Patterns made of the ARNs of callers, with any part of them as a wildcard."""

    def pattern(arn: str) -> str:
        begin, end = sorted(data.draw(st.tuples(st.integers(0, len(arn)), st.integers(0, len(arn)))))
        return f"{arn[:begin]}*{arn[end:]}"

    principal, person = pattern(caller.principal_arn), pattern(caller.arn)
    policy = Policy(exempt_principals=(principal,), people=((person, "U061F7AUR"),))
    meanings = [finding.meaning for finding in find_mistakes(Policies(general=policy))]
    assert not [meaning for meaning in meanings if "can never match" in meaning]
    if person_behind(policy, caller):
        assert not [meaning for meaning in meanings if "never counts" in meaning]
