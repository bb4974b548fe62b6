"""``[[rules]]``: every key is read, and every mistake and contradiction is named by its key."""

from __future__ import annotations

import tomllib

import pytest

from shared.domain.exposure import Span
from shared.domain.needs import needs, needs_zero
from shared.domain.networks import range_of
from shared.domain.risk_rule import RiskRule
from shared.wire.fields import Field, FieldError
from shared.wire.policy_document import PolicyError, parse_policies
from shared.wire.policy_rules import read_risk_rules
from tests.support.risk import facts, opened

WHOLE = """
[[rules]]
match = { source = ["internet", "prefix_list"], ports = ["22", "8000-8100", "8101"], protocols = ["TCP", "17"], \
kinds = ["add", "modify"], directions = ["ingress"], groups = ["sg-0a*"], accounts = ["222222222222"], \
regions = ["eu-*"], principals = ["arn:aws:iam::*:role/ci-*", "*"], cidrs = ["11.0.0.0/9", "11.128.0.0/9", "::/0"] }
approvals = 2
approvers = ["U061F7AUR", "W012A3CDE", "S0614TZR7"]
max_hours = 8
deny = " Ask the network team. "
mention = ["S0614TZR7"]

[[rules]]
"""


def rules(text: str) -> Field:
    """The list below the key ``rules``."""
    return Field(tomllib.loads(text))["rules"]


def read(text: str) -> tuple[RiskRule, ...]:
    """The entries of a document."""
    return read_risk_rules(rules(text))


def entry(match: str = "", rest: str = "") -> str:
    """A document of one entry."""
    return f"[[rules]]\nmatch = {{ {match} }}\n{rest}\n"


def test_every_key_is_read() -> None:
    """Ranges and ports that follow each other are merged; an entry without keys matches everything."""
    assert read(WHOLE) == (
        RiskRule(
            place="rules[0]",
            sources=("internet", "prefix_list"),
            ports=(Span(22, 22), Span(8000, 8101)),
            protocols=("tcp", "udp"),
            kinds=("add", "modify"),
            directions=("ingress",),
            groups=("sg-0a*",),
            accounts=("222222222222",),
            regions=("eu-*",),
            principals=("arn:aws:iam::*:role/ci-*", "*"),
            cidrs=(range_of("11.0.0.0/8"), range_of("::/0")),
            approvals=2,
            approvers=("U061F7AUR", "W012A3CDE", "S0614TZR7"),
            max_hours=8,
            deny="Ask the network team.",
            mention=("S0614TZR7",),
        ),
        RiskRule(place="rules[1]"),
    )


def test_no_rules_are_no_entries() -> None:
    """The key may be missing or empty; so may every list."""
    assert read("") == ()
    assert read("rules = []") == ()
    assert read(entry("groups = [], cidrs = []", "approvers = []\nmention = []\ndeny = ''")) == (
        RiskRule(place="rules[0]"),
    )


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("rules = 5", "rules", "expected a list"),
        ("rules = [5]", "rules[0]", "expected an object"),
        (entry("", "approval = 2"), "rules[0].approval", "known here: approvals, approvers, deny, match"),
        (entry("sources = []"), "rules[0].match.sources", "known here: accounts, cidrs, .*source"),
        ("[[rules]]\nmatch = 5", "rules[0].match", "expected an object"),
        (entry('source = "internet"'), "rules[0].match.source", "expected a list"),
        (entry('source = ["internet", "world"]'), "rules[0].match.source[1]", "'internet', 'public', 'private'"),
        (entry("source = [5]"), "rules[0].match.source[0]", "found 5"),
        (entry('kinds = ["describe"]'), "rules[0].match.kinds[0]", "'add', 'modify', 'remove'"),
        (entry('directions = ["in"]'), "rules[0].match.directions[0]", "'ingress', 'egress'"),
        (entry("ports = [22]"), "rules[0].match.ports[0]", "expected text"),
        (entry('ports = ["ssh"]'), "rules[0].match.ports[0]", '"22" or "8000-8100"'),
        (entry('ports = ["30-20"]'), "rules[0].match.ports[0]", '"22" or "8000-8100"'),
        (entry('ports = ["65536"]'), "rules[0].match.ports[0]", '"22" or "8000-8100"'),
        (entry('ports = ["-1"]'), "rules[0].match.ports[0]", '"22" or "8000-8100"'),
        (entry('ports = ["٢٢"]'), "rules[0].match.ports[0]", '"22" or "8000-8100"'),
        (entry('protocols = ["http"]'), "rules[0].match.protocols[0]", "not one of tcp, udp"),
        (entry("protocols = [6]"), "rules[0].match.protocols[0]", "expected text"),
        (entry('cidrs = ["10.0.0.0/33"]'), "rules[0].match.cidrs[0]", "such as 203.0.113.0/24"),
        (entry('cidrs = ["10.0.0.1/8"]'), "rules[0].match.cidrs[0]", "host bits"),
        (entry("cidrs = [10]"), "rules[0].match.cidrs[0]", "expected text"),
        (entry('groups = ["web servers"]'), "rules[0].match.groups[0]", "a security group id"),
        (entry('accounts = ["2222"]'), "rules[0].match.accounts[0]", "12-digit account id"),
        (entry("accounts = [222222222222]"), "rules[0].match.accounts[0]", "expected text"),
        (entry('regions = ["EU"]'), "rules[0].match.regions[0]", "a region"),
        (entry('principals = ["alice"]'), "rules[0].match.principals[0]", "ARN of an IAM user or role"),
        (
            entry('principals = ["arn:aws:sts::222222222222:assumed-role/admin/ada"]'),
            "rules[0].match.principals[0]",
            "no session",
        ),
        (entry("", "approvals = -1"), "rules[0].approvals", "whole number from 0 to 10"),
        (entry("", "approvals = 11"), "rules[0].approvals", "whole number from 0 to 10"),
        (entry("", "approvals = 1.5"), "rules[0].approvals", "whole number from 0 to 10"),
        (entry("", "approvals = true"), "rules[0].approvals", "whole number from 0 to 10"),
        (entry("", 'approvers = ["ada"]'), "rules[0].approvers[0]", "Slack user id"),
        (entry("", 'mention = ["@ada"]'), "rules[0].mention[0]", "Slack user id"),
        (entry("", "max_hours = 0"), "rules[0].max_hours", "above 0, at most 8760"),
        (entry("", "max_hours = 8761"), "rules[0].max_hours", "above 0, at most 8760"),
        (entry("", "max_hours = true"), "rules[0].max_hours", "above 0, at most 8760"),
        (entry("", "max_hours = nan"), "rules[0].max_hours", "above 0, at most 8760"),
        (entry("", 'max_hours = "8"'), "rules[0].max_hours", "above 0, at most 8760"),
        (entry("", "deny = true"), "rules[0].deny", "expected text"),
        (entry("", f"deny = '{'x' * 501}'"), "rules[0].deny", "at most 500 characters, found 501"),
    ],
)
def test_a_mistake_is_named_by_its_key(text: str, path: str, problem: str) -> None:
    """And says what is allowed there."""
    with pytest.raises(FieldError, match=problem) as caught:
        read(text)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        (entry('protocols = ["icmp", "58"], ports = ["22"]'), "rules[0].match.ports", "matches nothing"),
        (entry('source = ["group"], cidrs = ["10.0.0.0/8"]'), "rules[0].match.cidrs", "matches nothing"),
        (entry('source = ["private"], cidrs = ["11.0.0.0/8"]'), "rules[0].match.cidrs", "none .* is private"),
        (entry('source = ["public", "group"], cidrs = ["10.1.0.0/16"]'), "rules[0].match.cidrs", "all .* private"),
    ],
)
def test_an_entry_that_no_rule_could_match_is_refused(text: str, path: str, problem: str) -> None:
    """Its author meant it to guard something."""
    with pytest.raises(FieldError, match=problem) as caught:
        read(text)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "text",
    [
        entry('protocols = ["icmp", "tcp"], ports = ["22"]'),
        entry('source = ["group", "private"], cidrs = ["10.0.0.0/8"]'),
        entry('source = ["private"], cidrs = ["0.0.0.0/0"]'),
        entry('source = ["internet"], cidrs = ["10.0.0.0/7"]', "approvals = 0"),
        entry("", "approvals = 0\nmax_hours = 4"),
    ],
)
def test_what_only_looks_as_if_it_matched_nothing_is_read(text: str) -> None:
    """Each of them can match."""
    assert len(read(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        entry("", "approvals = 0\ndeny = 'Never.'"),
        entry("", "approvals = 2\napprovers = ['U1', 'U1']"),
        entry('source = ["public"]', "approvals = 0"),
    ],
)
def test_a_contradiction_with_a_stricter_reading_is_read(text: str) -> None:
    """``check`` refuses it; an app that has it nevertheless goes on, and lets nothing through."""
    (one,) = parse_policies(text).general.rules
    office = facts(opened("203.0.113.0/24"))
    assert not needs_zero([one], office)
    assert needs([one], office).approvals >= 1


def test_entries_hold_for_every_account() -> None:
    """An account's section cannot change them."""
    text = WHOLE + '[accounts."222222222222"]\nmode = "observe"\n'
    policies = parse_policies(text)
    assert policies.general.rules == read(WHOLE)
    assert policies.for_account("222222222222").rules == read(WHOLE)
    assert policies.for_account("222222222222").mode == "observe"
    with pytest.raises(PolicyError, match=r"^accounts.222222222222.rules: is not a policy key"):
        parse_policies('[[accounts."222222222222".rules]]')


def test_an_entry_that_matches_nothing_names_key_and_line() -> None:
    """What ``check`` says; at run time the built-in policy holds, which is stricter."""
    with pytest.raises(PolicyError, match=r"^rules\[1\]\.match\.ports: icmp and .* \(line 6\)$"):
        parse_policies(
            'mode = "enforce"\n\n[[rules]]\nmax_hours = 4\n'
            '[[rules]]\nmatch = { ports = ["22"], protocols = ["icmp"] }\n',
        )
