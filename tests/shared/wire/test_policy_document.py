"""The policy file: every key is read, and every mistake is named by its key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import shared
from shared.domain.policy import Policies, Policy
from shared.wire.policy_document import PolicyError, parse_policies

WHOLE = """
mode = "observe"
directions = ["ingress", "egress"]
guard = ["add", "modify"]
require_description = true
expire_after_hours = 24
remind_after_hours = 0.5
drift = "report"
drift_grace_minutes = 30
gather_seconds = 30
offer_hours = [72, 8, 8.0]
ask_by_dry_run = true
ask_by_refusal = ["arn:aws:iam::*:role/dev-*"]
require_denial_reason = true
keep_days = 0
approvers = ["U061F7AUR", "W012A3CDE", "S0614TZR7"]
allow_self_approval = false

[people]
"arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com" = "U061F7AUR"
"arn:aws:iam::*:user/bob" = "W012A3CDE"

[exempt]
principals = ["arn:aws:iam::*:role/deploy"]
groups = ["sg-0a*"]
service_linked_roles = ["elasticloadbalancing"]
"""


def test_every_key_is_read() -> None:
    """Each key of the file ends in the attribute of its name."""
    assert parse_policies(WHOLE) == Policies(
        general=Policy(
            mode="observe",
            directions=("ingress", "egress"),
            guard=("add", "modify"),
            require_description=True,
            expire_after_hours=24,
            remind_after_hours=0.5,
            drift="report",
            drift_grace_minutes=30,
            gather_seconds=30,
            offer_hours=(8, 72),
            ask_by_dry_run=True,
            ask_by_refusal=("arn:aws:iam::*:role/dev-*",),
            require_denial_reason=True,
            keep_days=0,
            approvers=("U061F7AUR", "W012A3CDE", "S0614TZR7"),
            allow_self_approval=False,
            people=(
                ("arn:aws:sts::*:assumed-role/AWSReservedSSO_*/ada@example.com", "U061F7AUR"),
                ("arn:aws:iam::*:user/bob", "W012A3CDE"),
            ),
            exempt_principals=("arn:aws:iam::*:role/deploy",),
            exempt_groups=("sg-0a*",),
            exempt_service_linked_roles=("elasticloadbalancing",),
        )
    )


def test_times_are_durations() -> None:
    """In the units of their keys' names."""
    policy = parse_policies(WHOLE).general
    assert policy.gathers_for == timedelta(seconds=30)
    assert policy.drift_grace == timedelta(minutes=30)
    assert (policy.expires_after, policy.reminds_after) == (timedelta(hours=24), timedelta(minutes=30))


def test_an_empty_file_is_the_default_policy() -> None:
    """Every key has a default, and the default enforces."""
    assert parse_policies("") == Policies(general=Policy())
    assert parse_policies("").general.mode == "enforce"


def test_the_shipped_file_is_the_default_policy() -> None:
    """What the comments of policy.toml explain is what holds without it."""
    shipped = Path(shared.__file__).parent / "policy.toml"
    assert parse_policies(shipped.read_text(encoding="utf-8")) == Policies(general=Policy())


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        ('mode = "enforce"', {"mode": "enforce"}),
        ('directions = ["egress"]', {"directions": ("egress",)}),
        ('guard = ["remove"]', {"guard": ("remove",)}),
        ("require_description = false", {"require_description": False}),
        ("expire_after_hours = 1", {"expire_after_hours": 1}),
        ("remind_after_hours = 8", {"remind_after_hours": 8}),
        ('drift = "revert"', {"drift": "revert"}),
        ("drift_grace_minutes = 1", {"drift_grace_minutes": 1}),
        ("drift_grace_minutes = 0", {"drift_grace_minutes": 0}),
        ("approvers = []", {"approvers": ()}),
        ("allow_self_approval = true", {"allow_self_approval": True}),
        ('people = { "*" = "U1" }', {"people": (("*", "U1"),)}),
        ('exempt = { principals = ["*"] }', {"exempt_principals": ("*",)}),
        ("exempt = { groups = [] }", {"exempt_groups": ()}),
        ("exempt = { service_linked_roles = [] }", {"exempt_service_linked_roles": ()}),
    ],
)
def test_an_account_replaces_any_key_and_keeps_the_others(lines: str, changed: dict[str, object]) -> None:
    """Only what the account's section says is different there."""
    policies = parse_policies(f'{WHOLE}\n[accounts."222222222222"]\n{lines}\n')
    special, general = policies.for_account("222222222222"), policies.for_account("333333333333")
    assert general == parse_policies(WHOLE).general
    different = {name for name in Policy.__dataclass_fields__ if getattr(special, name) != getattr(general, name)}
    assert different == set(changed)
    assert all(getattr(special, name) == value for name, value in changed.items())


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('modus = "enforce"', "modus"),
        ("[exempt]\nroles = []", "exempt.roles"),
        ('[accounts."222222222222"]\nmodus = 1', "accounts.222222222222.modus"),
        ('[accounts."222222222222".accounts."333333333333"]', "accounts.222222222222.accounts"),
        ('[accounts."222222222222".exempt]\nusers = []', "accounts.222222222222.exempt.users"),
        ('mode = "Enforce"', "mode"),
        ("mode = true", "mode"),
        ('mode = ["enforce"]', "mode"),
        ('directions = "ingress"', "directions"),
        ('directions = ["ingress", "sideways"]', "directions[1]"),
        ('guard = ["describe"]', "guard[0]"),
        ('require_description = "yes"', "require_description"),
        ("require_description = 1", "require_description"),
        ("allow_self_approval = 0", "allow_self_approval"),
        ('expire_after_hours = "72"', "expire_after_hours"),
        ("expire_after_hours = 0", "expire_after_hours"),
        ("expire_after_hours = 8761", "expire_after_hours"),
        ("expire_after_hours = true", "expire_after_hours"),
        ("remind_after_hours = -1", "remind_after_hours"),
        ("remind_after_hours = nan", "remind_after_hours"),
        ("remind_after_hours = inf", "remind_after_hours"),
        ("drift_grace_minutes = 525601", "drift_grace_minutes"),
        ("drift_grace_minutes = -1", "drift_grace_minutes"),
        ("gather_seconds = 121", "gather_seconds"),
        ("gather_seconds = -1", "gather_seconds"),
        ("offer_hours = 8", "offer_hours"),
        ("offer_hours = [8, 0]", "offer_hours[1]"),
        ("offer_hours = [8761]", "offer_hours[0]"),
        ("offer_hours = [1, 2, 3, 4]", "offer_hours"),
        ('ask_by_dry_run = "yes"', "ask_by_dry_run"),
        ('ask_by_refusal = "*"', "ask_by_refusal"),
        ("require_denial_reason = 1", "require_denial_reason"),
        ("keep_days = 29", "keep_days"),
        ("keep_days = -1", "keep_days"),
        ("keep_days = 36501", "keep_days"),
        ("drift = 5", "drift"),
        ('drift = "ignore"', "drift"),
        ('approvers = "U061F7AUR"', "approvers"),
        ('approvers = ["ada"]', "approvers[0]"),
        ('approvers = ["U061F7AUR", "@bob"]', "approvers[1]"),
        ('people = ["U061F7AUR"]', "people"),
        ('[people]\nada = "ada"', "people.ada"),
        ("[people]\nada = 5", "people.ada"),
        ("exempt = []", "exempt"),
        ("[exempt]\nprincipals = [5]", "exempt.principals[0]"),
        ('[exempt]\nprincipals = "*"', "exempt.principals"),
        ('[exempt]\ngroups = [""]', "exempt.groups[0]"),
        ("[exempt]\nservice_linked_roles = true", "exempt.service_linked_roles"),
        ("accounts = 5", "accounts"),
        ('[accounts."2222"]', "accounts.2222"),
        ('[accounts.shop]\nmode = "observe"', "accounts.shop"),
        ('[accounts."222222222222"]\nmode = "off"', "accounts.222222222222.mode"),
        ('accounts = { "222222222222" = "observe" }', "accounts.222222222222"),
    ],
)
def test_a_mistake_is_named_by_its_key(text: str, path: str) -> None:
    """A policy that does not say what its author meant is refused, and the message starts with the key."""
    with pytest.raises(PolicyError) as caught:
        parse_policies(text)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    """A typing error is found without the documentation."""
    with pytest.raises(PolicyError, match=r"known here: .*expire_after_hours.*remind_after_hours"):
        parse_policies("expire_hours = 5")


@pytest.mark.parametrize("text", ["mode =", "mode = 'enforce'\nmode = 'observe'", "[exempt", "\x00"])
def test_what_is_no_toml_is_refused(text: str) -> None:
    """With the line and column that the TOML reader found."""
    with pytest.raises(PolicyError, match=r"is not valid TOML: .*"):
        parse_policies(text)


@pytest.mark.parametrize("text", [f"expire_after_hours = {'9' * 5000}", f"approvers = {'[' * 100_000}"])
def test_a_number_without_end_and_brackets_without_end_are_no_policy(text: str) -> None:
    """What the TOML reader itself stumbles over is an invalid policy like any other."""
    with pytest.raises(PolicyError, match="not valid TOML"):
        parse_policies(text)


def test_a_long_wrong_value_is_shortened_in_the_error() -> None:
    """Approvers read the error in Slack, which refuses messages that are too long."""
    for text in (f"mode = '{'x' * 10_000}'", f"approvers = ['{'x' * 10_000}']", f"drift_grace_minutes = {[0] * 5000}"):
        with pytest.raises(PolicyError) as caught:
            parse_policies(text)
        assert len(str(caught.value)) < 200
