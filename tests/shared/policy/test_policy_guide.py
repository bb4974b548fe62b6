"""docs/policy.md and shared/policy.toml: their examples are valid, and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.domain.change import Modification, make_change
from shared.domain.needs import needs, needs_zero
from shared.domain.policy import Policies, Policy
from shared.domain.rule import Rule, group, make_rule, prefix_list
from shared.policy.cli.checks import find_mistakes
from shared.policy.cli.summary import summary
from shared.policy.loading import VENDORED_POLICY_FILE
from shared.wire.policy_document import parse_policies
from tests.support.risk import ACCOUNT, facts, opened

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
REMOTE_ACCESS, OWN_NETWORK, BREAK_GLASS = (parse_policies(text).general for text in EXAMPLES)
SHIPPED = VENDORED_POLICY_FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_have_no_mistakes(text: str) -> None:
    """``check --strict`` accepts each of them."""
    assert find_mistakes(parse_policies(text)) == ()


def approvals(policy: Policy, *added: Rule) -> int:
    """How many approvals it needs to add these rules."""
    return needs(policy.rules, facts(*added)).approvals


def test_remote_access_to_the_world_needs_two_people_and_at_most_eight_hours() -> None:
    """However it is split, and by an edit, too; closing it needs one."""
    whole = needs(REMOTE_ACCESS.rules, facts(opened("0.0.0.0/0", 22)))
    assert (whole.approvals, whole.max_hours, whole.mention) == (2, 8, ("U0EVE0EVE",))
    halves = [opened("0.0.0.0/1", 3389), opened("128.0.0.0/1", 3389)]
    assert approvals(REMOTE_ACCESS, *halves) == 2
    assert approvals(REMOTE_ACCESS, opened("::/0", None, protocol="-1")) == 2
    edit = make_change(modified=[Modification(before=opened("10.0.0.0/8"), after=opened("0.0.0.0/0"))])
    assert needs(REMOTE_ACCESS.rules, facts(change=edit)).approvals == 2
    closing = make_change(removed=[opened("0.0.0.0/0")])
    assert needs(REMOTE_ACCESS.rules, facts(change=closing)).approvals == 1
    assert approvals(REMOTE_ACCESS, opened("203.0.113.7/32", 22)) == 1
    assert approvals(REMOTE_ACCESS, opened("0.0.0.0/0", 443)) == 1


def test_telnet_is_denied() -> None:
    """Also as a part of a port range."""
    for rule in (opened("0.0.0.0/0", 23), opened("0.0.0.0/0", 20, 30)):
        assert needs(REMOTE_ACCESS.rules, facts(rule)).deny.startswith("Telnet is never opened")
    assert not needs(REMOTE_ACCESS.rules, facts(opened("10.0.0.0/8", 23))).deny


def test_the_own_network_needs_nobody() -> None:
    """Private addresses, own groups, and the office at its port; nothing else."""
    own = make_rule(direction="ingress", protocol="tcp", from_port=80, source=group("sg-1", account=ACCOUNT))
    other = make_rule(direction="ingress", protocol="tcp", from_port=80, source=group("sg-1", account="333333333333"))
    listed = make_rule(direction="ingress", protocol="tcp", from_port=80, source=prefix_list("pl-1"))
    office = opened("203.0.113.0/25", 443)
    for rule in (opened("10.1.0.0/16", 80), own, office, opened("2001:db8:7:1::/64", 443)):
        assert needs_zero(OWN_NETWORK.rules, facts(rule))
    for rule in (other, opened("203.0.113.0/25", 80), opened("203.0.112.0/23", 443), opened("0.0.0.0/0", 443)):
        assert approvals(OWN_NETWORK, rule) == 1
    assert approvals(OWN_NETWORK, listed) == 1
    assert approvals(OWN_NETWORK, office, opened("198.51.100.0/24", 443)) == 1


def test_the_database_is_a_question_and_closing_is_not() -> None:
    """The strictest entry holds."""
    found = needs(OWN_NETWORK.rules, facts(opened("10.1.0.0/16", 5432)))
    assert (found.approvals, found.approvers) == (1, (("U061F7AUR", "U0BOB0BOB"),))
    for rule in (opened("0.0.0.0/0", 5432), opened("10.0.0.0/8", 22)):
        assert needs_zero(OWN_NETWORK.rules, facts(change=make_change(removed=[rule])))


def test_break_glass_is_at_once_for_four_hours() -> None:
    """For that role alone, and for additions: everything else is asked."""
    rule, on_call = opened("203.0.113.7/32", 22), "arn:aws:iam::222222222222:role/on-call"
    found = needs(BREAK_GLASS.rules, facts(rule, principal_arn=on_call))
    assert (found.approvals, found.max_hours) == (0, 4)
    assert approvals(BREAK_GLASS, rule) == 1


KEYS = (
    *("mode", "directions", "guard", "require_description", "require_denial_reason", "expire_after_hours"),
    *("remind_after_hours", "gather_seconds", "offer_hours", "ask_by_dry_run", "ask_by_refusal", "approvers"),
    *("allow_self_approval", "drift", "drift_grace_minutes", "keep_days", "principals", "groups"),
    "service_linked_roles",
)


def test_the_shipped_policy_has_every_key_with_its_default() -> None:
    """A key that is deleted means the same."""
    assert parse_policies(SHIPPED) == Policies()
    written = re.findall(r"^(\w+) = ", SHIPPED, re.MULTILINE)
    assert sorted(written) == sorted(KEYS)


def test_the_commented_entries_of_the_shipped_policy_are_valid() -> None:
    """With their comment signs taken away they have no mistakes; every key of an entry is named."""
    start, end = SHIPPED.index("# [[rules]]\n"), SHIPPED.index("# -- Other values in one member account")
    policies = parse_policies(re.sub(r"^# ?", "", SHIPPED[start:end], flags=re.MULTILINE))
    assert len(policies.general.rules) == 3
    assert find_mistakes(policies) == ()
    assert any("is denied at once" in line for line in summary(policies))
    named = set(re.findall(r"^#   (\w+) = ", SHIPPED, re.MULTILINE))
    of_match = {"source", "ports", "protocols", "kinds", "directions", "groups", "accounts", "regions", "principals"}
    assert named >= of_match | {"cidrs", "approvals", "approvers", "max_hours", "deny", "mention"}
