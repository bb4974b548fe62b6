"""Mistakes in ``[[rules]]`` and about approvers: contradictions are errors, what never matches is a warning."""

from __future__ import annotations

import pytest

from shared.policy.cli.checks import find_mistakes
from shared.policy.cli.finding import Finding
from shared.wire.policy_document import parse_policies

ADA, BOB, EVE, TEAM = "U061F7AUR", "U0BOB0BOB", "U0EVE0EVE", "S0614TZR7"
ADA_IS_KNOWN = f'"arn:aws:iam::*:user/ada" = "{ADA}"\n'
BOB_IS_KNOWN = f'"arn:aws:iam::*:user/bob" = "{BOB}"\n'
NO_SELF_APPROVAL = f"allow_self_approval = false\n[people]\n{ADA_IS_KNOWN}"


OFFERS = "offer_hours = [8, 72]\n"


def mistakes(text: str, *, has_bot_token: bool = False) -> tuple[Finding, ...]:
    """What is wrong with a policy file."""
    return find_mistakes(parse_policies(text), has_bot_token=has_bot_token)


def only(text: str) -> Finding:
    """The one thing that is wrong with a policy file."""
    (finding,) = mistakes(text)
    return finding


def entry(match: str = "", rest: str = "") -> str:
    """An entry of ``[[rules]]``."""
    return f"[[rules]]\nmatch = {{ {match} }}\n{rest}\n"


def ids(*names: str) -> str:
    """A list of Slack ids."""
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


@pytest.mark.parametrize(
    ("text", "key", "meaning"),
    [
        (entry("", "approvals = 0\ndeny = 'Never.'"), "rules[0].approvals", "contradict each other"),
        (entry('source = ["public"]', "approvals = 0"), "rules[0].match.source", "never hold for public sources"),
        (entry('source = ["internet", "prefix_list"]', "approvals = 0"), "rules[0].match.source", "never hold"),
        (entry("", f"approvals = 2\napprovers = {ids(ADA)}"), "rules[0].approvals", "nobody can satisfy"),
        (f"approvers = {ids(ADA)}\n{entry('', 'approvals = 2')}", "rules[0].approvals", "1 (U061F7AUR) is in the pol"),
        (f"approvers = {ids(ADA)}\n{entry('', f'approvers = {ids(BOB)}')}", "rules[0].approvals", "0 (nobody) are in"),
        (OFFERS + entry("", "max_hours = 8"), "offer_hours", "72 hours are never offered"),
        (
            OFFERS + entry('kinds = ["add", "modify"], directions = ["ingress"]', "max_hours = 4"),
            "offer_hours",
            "8, 72 hours are never offered, because an entry of [[rules]] limits every change to 4 hours",
        ),
        ('ask_by_refusal = ["arn:aws:iam::*:role/dev-*"]', "ask_by_refusal", "approvers is empty"),
        (f"approvers = {ids(ADA)}\nask_by_dry_run = true", "approvers", "nobody can approve what is asked first"),
        (f"approvers = {ids(ADA)}\n{NO_SELF_APPROVAL}", "approvers", "nobody can approve the changes of U061F7AUR"),
        (
            f"approvers = {ids(ADA, BOB)}\n{NO_SELF_APPROVAL}{entry('', 'approvals = 2')}",
            "rules[0].approvals",
            "nobody can approve the changes of U061F7AUR",
        ),
    ],
)
def test_a_contradiction_is_an_error(text: str, key: str, meaning: str) -> None:
    """With its key, and what to do."""
    found = only(text)
    assert (found.severity, found.key) == ("error", key)
    assert meaning in found.meaning
    assert found.remedy.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        entry("", f"approvals = 2\napprovers = {ids(ADA, BOB)}"),
        entry('source = ["public", "private"]', "approvals = 0"),
        entry('source = ["internet"], cidrs = ["203.0.113.0/24"]', "approvals = 0"),
        entry('source = ["group"]', "approvals = 0"),
        entry('source = ["private"]', "approvals = 0\nmax_hours = 4"),
        entry("", "deny = 'Never.'"),
        OFFERS + entry('source = ["internet"]', "max_hours = 8"),
        f"offer_hours = [4, 8]\n{entry('', 'max_hours = 8')}",
        OFFERS + entry('ports = ["22"]', "max_hours = 8"),
        OFFERS + entry('accounts = ["222222222222"]', "max_hours = 8"),
        OFFERS + entry("", 'deny = "Never."'),
        f'approvers = {ids(ADA, BOB)}\nask_by_refusal = ["*"]\nask_by_dry_run = true',
        f"approvers = {ids(ADA, BOB, EVE)}\n{NO_SELF_APPROVAL}{entry('', 'approvals = 2')}",
        f"{NO_SELF_APPROVAL}{entry('', 'approvals = 9')}",
    ],
)
def test_what_only_looks_like_a_contradiction_is_fine(text: str) -> None:
    """Each of them can be decided as it says."""
    assert mistakes(text) == ()


@pytest.mark.parametrize(
    ("text", "key", "meaning"),
    [
        (entry('directions = ["egress"]', "approvals = 2"), "rules[0].match.directions", "egress rules are not guard"),
        (
            'guard = ["add", "modify"]\n' + entry('kinds = ["remove"]'),
            "rules[0].match.kinds",
            "remove are not reverted",
        ),
        (entry('regions = ["eu-west-1", "eu-wset-1"]'), "rules[0].match.regions[1]", '"eu-wset-1" matches no region'),
        (entry('groups = ["web-*"]'), "rules[0].match.groups[0]", "can never match"),
        (entry('principals = ["arn:aws:iam::1:role/x"]'), "rules[0].match.principals[0]", "can never match"),
        (
            entry('groups = ["sg-0a1*"]') + '[exempt]\ngroups = ["sg-0a*"]',
            "rules[0].match.groups[0]",
            "is exempt (exempt.groups)",
        ),
        (
            entry('principals = ["arn:aws:iam::*:role/ci"]') + '[exempt]\nprincipals = ["arn:aws:iam::*:role/ci"]',
            "rules[0].match.principals[0]",
            "is exempt (exempt.principals)",
        ),
        (entry('kinds = ["add"]', "approvals = 2"), "rules[0].match.kinds", "an edit can open the same"),
        (entry('kinds = ["remove"]', "max_hours = 8"), "rules[0].max_hours", "removals only"),
        (entry('source = ["private", "prefix_list"]', "approvals = 0"), "rules[0].match.source", "prefix lists"),
        (entry("", "approvals = 0") + entry("", "approvals = 2"), "rules[0].approvals", "nothing is ever allowed"),
        (
            entry('cidrs = ["11.0.0.0/8"]', "approvals = 0") + entry('source = ["internet"]', "approvals = 2"),
            "rules[0].approvals",
            "nothing is ever allowed at once",
        ),
        (
            entry('protocols = ["icmp"], principals = ["*:role/a"]', "approvals = 0")
            + entry('protocols = ["icmp"], principals = ["*:role/b", "*:role/a"]', "approvals = 1"),
            "rules[0].approvals",
            "nothing is ever allowed at once",
        ),
        (
            entry('ports = ["22"]', f"approvers = {ids(ADA)}")
            + entry('source = ["internet"]', f"approvers = {ids(BOB)}"),
            "rules[1].approvers",
            "nobody can approve a change that rules[0] matches, too: 1 person has",
        ),
        (entry("", f"approvers = {ids('USLACKBOT')}"), "rules[0].approvers[0]", "is not the id of a person"),
        (entry("", f"approvers = {ids(TEAM)}"), "rules[0].approvers[0]", "without a bot token"),
        (f"approvers = {ids(ADA, TEAM)}", "approvers[1]", "without a bot token, nobody counts"),
        ("require_denial_reason = true", "require_denial_reason", "without a bot token this key is ignored"),
        (
            f'approvers = {ids(ADA, BOB)}\nask_by_refusal = ["arn:aws:sts::*:assumed-role/dev/*"]',
            "ask_by_refusal[0]",
            "can never match",
        ),
        (
            f"approvers = {ids(ADA)}\nask_by_dry_run = true\n[people]\n{BOB_IS_KNOWN}",
            "approvers",
            "nobody can approve what is asked first by U061F7AUR",
        ),
        (
            f"approvers = {ids(ADA, BOB)}\n{NO_SELF_APPROVAL}"
            + f'"arn:aws:iam::*:user/eve" = "{EVE}"\n{entry("", "approvals = 2")}',
            "rules[0].approvals",
            "the changes of U061F7AUR",
        ),
        ("expire_after_hours = 0.05\nremind_after_hours = 0.01", "expire_after_hours", "a batch may expire before"),
    ],
)
def test_what_never_matches_or_never_holds_is_a_warning(text: str, key: str, meaning: str) -> None:
    """The policy is still valid; its author meant something else."""
    found = [one for one in mistakes(text) if one.key != "drift_grace_minutes"]
    assert [(one.severity, one.key) for one in found] == [("warning", key)]
    assert meaning in found[0].meaning
    assert found[0].remedy.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        entry('directions = ["ingress", "egress"], kinds = ["add", "modify"], regions = ["eu-*", "us-gov-*", "cn-*"]'),
        entry('groups = ["sg-0a*"], principals = ["arn:aws:iam::*:role/ci-*", "*"]'),
        entry('source = ["private"], kinds = ["add"]', "approvals = 0"),
        entry('source = ["private"]', "approvals = 0") + entry('source = ["internet"]', "approvals = 2"),
        entry('source = ["private"], ports = ["443"]', "approvals = 0") + entry('ports = ["22"]', "approvals = 2"),
        entry("", "approvals = 0") + entry('principals = ["*:role/ci"]', "approvals = 2"),
        entry("", "approvals = 0") + entry('groups = ["sg-0a*"]', "approvals = 2"),
        entry('protocols = ["icmp"]', "approvals = 0"),
        entry('protocols = ["-1"]', "approvals = 0"),
        entry('cidrs = ["2001:db8::/48"]', "approvals = 0"),
        entry('ports = ["22"]', f"approvers = {ids(ADA)}") + entry('ports = ["443"]', f"approvers = {ids(BOB)}"),
        entry('ports = ["22"]', f"approvers = {ids(ADA)}") + entry('ports = ["22"]', f"approvers = {ids(ADA, BOB)}"),
        entry('regions = ["eu-*"]', f"approvers = {ids(ADA)}") + entry('regions = ["us-*"]', f"approvers = {ids(BOB)}"),
        entry('cidrs = ["10.0.0.0/9"]', f"approvers = {ids(ADA)}")
        + entry('cidrs = ["10.128.0.0/9"]', f"approvers = {ids(BOB)}"),
    ],
)
def test_what_can_match_and_hold_is_fine(text: str) -> None:
    """No word about it."""
    assert mistakes(text) == ()


def test_with_a_bot_token_its_keys_are_fine() -> None:
    """User groups count their members, and a modal asks for the reason."""
    text = f"approvers = {ids(TEAM)}\nrequire_denial_reason = true\n" + entry("", f"approvers = {ids(TEAM)}")
    assert len(mistakes(text)) == 3
    assert mistakes(text, has_bot_token=True) == ()


def test_entries_are_checked_where_they_hold() -> None:
    """By the approvers and guarded kinds of each account; what is wrong everywhere is said once."""
    account = '[accounts."222222222222"]\n'
    limited = entry('accounts = ["222222222222"]', f"approvers = {ids(ADA)}")
    found = only(f"approvers = {ids(BOB)}\n{entry('', 'approvals = 2')}{account}mode = 'enforce'")
    assert found.key == "rules[0].approvals"
    assert "account" not in found.meaning
    assert mistakes(f"approvers = {ids(BOB)}\n{limited}{account}approvers = {ids(ADA)}") == ()
    found = only(f"{limited}{account}approvers = {ids(BOB)}")
    assert (found.severity, found.key) == ("error", "rules[0].approvals")
    assert found.meaning.startswith("in account 222222222222, nobody can satisfy")
    assert len(mistakes(f"approvers = {ids(BOB)}\n{limited}")) == 1
    general = entry("", f"approvals = 2\napprovers = {ids(ADA, BOB)}")
    found = only(f"{general}{account}approvers = {ids(ADA, EVE)}")
    assert found.meaning.startswith("in account 222222222222, ")
