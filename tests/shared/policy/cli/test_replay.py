"""``python -m shared.policy replay``: what a policy would have asked, let through and denied."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.domain.rule import Rule, cidr, make_rule
from shared.policy.cli import replay as replay_module
from shared.policy.cli.main import main
from shared.policy.cli.replay import Replay, Tally
from shared.policy.cli.replay_report import in_words, suggested_entries, suggested_exemptions, to_json
from shared.wire.policy_document import parse_policies
from tests.support import events
from tests.support.events import Json

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
RULES = """
[[rules]]
match = { source = ["internet"] }
approvals = 2
[[rules]]
match = { source = ["private"] }
approvals = 0
[[rules]]
match = { ports = ["3389"], kinds = ["add"] }
deny = "No RDP."
"""
CI = events.assumed_role("ci")


def tcp(port: int, source: str, rule_id: str = "sgr-1", description: str = "") -> Rule:
    """A rule for one port, with the id that EC2 gave it."""
    return make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=port,
        source=cidr(source),
        rule_id=rule_id,
        description=description,
    )


def at(seconds: float) -> str:
    """A time after the first call."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def added(rule: Rule, seconds: float = 0, **fields: Any) -> Json:
    """The record of an addition."""
    record: Json = events.authorized([rule], eventTime=at(seconds), **fields)["detail"]
    return record


def played(policy: str, *records: Json, gather_seconds: float = 60, **options: Any) -> Tally:
    """What was counted."""
    replay = Replay(parse_policies(policy), gather_seconds=gather_seconds, **options)
    for record in records:
        replay.take(record)
    return replay.tally


def questions(*records: Json, gather_seconds: float = 60) -> int:
    """How many questions the records are."""
    return sum(played("", *records, gather_seconds=gather_seconds).questions.values())


OFFICE = tcp(443, "203.0.113.0/24")


def test_other_calls_are_only_counted() -> None:
    """A trail has the calls of every service."""
    tally = played("", {"eventName": "RunInstances"}, {}, added(OFFICE))
    assert (tally.records, tally.calls, tally.asked) == (3, 1, 1)


def test_calls_are_decided_as_the_member_decides() -> None:
    """Asked, exempt, observed, failed, the product's own; with the same verbs."""
    policy = '[exempt]\nprincipals = ["*:role/ci"]\n[accounts."333333333333"]\nmode = "observe"\n'
    own = "arn:aws:sts::222222222222:assumed-role/member/fn"
    tally = played(
        policy,
        added(OFFICE),
        added(OFFICE, identity=CI),
        added(OFFICE, recipientAccountId="333333333333"),
        added(OFFICE, errorCode="Client.UnauthorizedOperation"),
        added(OFFICE, identity=events.assumed_role("member", "fn")),
        own_session=own,
    )
    assert tally.verbs == {"revert": 1, "allow": 1, "report": 1, "ignore": 2}
    assert tally.asked == 1


def test_entries_catch_let_through_deny_and_observe() -> None:
    """Each entry is counted for what became of the call."""
    tally = played(
        RULES + '[accounts."333333333333"]\nmode = "observe"\n',
        added(tcp(22, "0.0.0.0/0")),
        added(tcp(22, "10.0.0.0/8")),
        added(tcp(3389, "10.0.0.0/8")),
        added(tcp(22, "0.0.0.0/0"), recipientAccountId="333333333333"),
        added(OFFICE),
    )
    assert (tally.asked, tally.let_through, tally.denied) == (2, 1, 1)
    assert tally.approvals == {1: 1, 2: 1}
    assert tally.entries == {
        "rules[0]": {"caught": 1, "observed": 1},
        "rules[1]": {"let through": 1, "denied": 1},
        "rules[2]": {"denied": 1},
    }


def test_rules_without_description_are_denied() -> None:
    """By the policy's own key, which is no entry."""
    tally = played(
        "require_description = true\n" + RULES, added(tcp(22, "0.0.0.0/0")), added(replace(OFFICE, description="ours"))
    )
    assert (tally.asked, tally.denied) == (1, 1)
    assert tally.entries["rules[0]"] == {"caught": 1}


def test_edits_and_removals_have_the_values_of_earlier_calls() -> None:
    """What was made before the files begin has none, and no entry matches it."""
    edit = events.edit("sgr-1", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIpv4="0.0.0.0/0")
    modified = events.modified([edit], eventTime=at(500))["detail"]
    assert played(RULES, modified).unknown_values == 1
    tally = played(RULES, added(tcp(22, "10.0.0.0/8")), modified)
    assert (tally.unknown_values, tally.let_through, tally.approvals) == (0, 1, {2: 1})


def test_ranges_that_were_made_before_count_as_approved() -> None:
    """The second half of the internet needs what the internet needs; a denied change was never made."""
    halves = [tcp(22, "11.0.0.0/9"), tcp(22, "11.128.0.0/9", "sgr-2")]
    assert played(RULES, *map(added, halves)).approvals == {1: 1, 2: 1}
    denying = '[[rules]]\nmatch = { cidrs = ["11.0.0.0/9"] }\ndeny = "No."\n' + RULES
    assert played(denying, *map(added, halves)).approvals == {1: 1}


def test_a_call_whose_rules_cannot_be_read_is_asked() -> None:
    """Nothing is let through because of values that nobody has."""
    record = added(tcp(22, "10.0.0.0/8"))
    record["responseElements"]["securityGroupRuleSet"]["items"][0]["cidrIpv4"] = "10.0.0.0/99"
    tally = played(RULES, record)
    assert (tally.unreadable, tally.unknown_values, tally.asked) == (0, 1, 1)


def test_unreadable_and_repeated_records_are_counted_apart() -> None:
    """A record without an account cannot be judged; one that two trails have is one call."""
    record = added(OFFICE)
    tally = played("", {"eventName": "AuthorizeSecurityGroupIngress"}, record, record)
    assert (tally.calls, tally.unreadable, tally.duplicates, tally.asked) == (3, 1, 1, 1)


def test_calls_that_follow_each_other_are_one_question() -> None:
    """Of one requester, account and region, within gather_seconds of the one before."""
    stack = [added(OFFICE, seconds) for seconds in (0, 50, 100)]
    assert questions(*stack) == 1
    assert questions(*stack, gather_seconds=49) == 3
    assert questions(*stack, gather_seconds=0) == 3
    assert questions(*stack, added(OFFICE, 161)) == 2
    assert questions(*stack, added(OFFICE, 100, identity=CI)) == 2
    assert questions(*stack, added(OFFICE, 100, awsRegion="us-east-1")) == 2
    assert questions(*stack, added(OFFICE, 100, recipientAccountId="333333333333")) == 2


def test_a_batch_closes_after_two_minutes_or_sixty_calls() -> None:
    """Then another one begins."""
    assert questions(*(added(OFFICE, 40 * number) for number in range(5))) == 2
    tally = played("", *(added(OFFICE, number) for number in range(61)))
    assert (sum(tally.questions.values()), tally.largest_batch) == (2, 60)


def test_people_of_identity_center_are_asked_about_one_by_one() -> None:
    """Sessions of other roles are the role's, whose names are the caller's choice."""
    people = [added(OFFICE, identity=events.identity_center(name)) for name in ("ada@example.com", "bob@example.com")]
    assert questions(*people) == 2
    assert questions(*(added(OFFICE, identity=events.assumed_role("ci", name)) for name in ("a", "b"))) == 1


def test_the_same_change_again_is_counted() -> None:
    """A controller that makes its change again and again would be asked about without end."""
    tally = played("", added(OFFICE), added(OFFICE, 900), added(OFFICE, 1800), added(tcp(80, "10.0.0.0/8"), 1900))
    assert list(tally.repeats.values()) == [2]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest request ids are forgotten."""
    monkeypatch.setattr(replay_module, "_REMEMBERED", 1)
    one, other = added(OFFICE), added(OFFICE)
    assert played("", one, one, other, one).duplicates == 1


def test_calls_are_gathered_as_the_policy_says() -> None:
    """For each account, unless another number of seconds is tried."""
    text = 'gather_seconds = 10\n[accounts."333333333333"]\ngather_seconds = 0\n'
    replay = Replay(parse_policies(text))
    for seconds in (0, 9, 30):
        replay.take(added(OFFICE, seconds))
        replay.take(added(OFFICE, seconds, recipientAccountId="333333333333"))
    tally = replay.tally
    assert sum(tally.questions.values()) == 2 + 3
    assert (tally.batches, tally.batched, tally.largest_batch) == (1, 2, 2)


def test_calls_that_change_nothing_ask_where_policy_says_so() -> None:
    """They need somebody else's approval at least, and leave nothing behind."""
    dry, refused = {"errorCode": "Client.DryRunOperation"}, {"errorCode": "Client.UnauthorizedOperation"}
    asks = 'approvers = ["U1", "U2"]\nask_by_dry_run = true\nask_by_refusal = ["*:role/ci"]\n'
    records = [
        added(OFFICE, **dry),
        added(OFFICE, 1, identity=CI, **refused),
        added(OFFICE, 2, **refused),
        added(OFFICE, 3, errorCode="Client.InvalidPermission.Duplicate"),
        {**added(OFFICE, 4, **dry), "requestParameters": None},
        added(tcp(22, "11.0.0.0/9"), 5, **dry),
        added(tcp(22, "11.128.0.0/9"), 6, **dry),
    ]
    tally = played(asks + RULES, *records)
    assert tally.verbs == {"ask": 4, "ignore": 3}
    assert (tally.asked, tally.approvals) == (4, {2: 4})
    assert "rules[0]" not in {place for place, counts in tally.entries.items() if counts}
    denied = played(asks + RULES, added(tcp(3389, "10.0.0.0/8"), **dry))
    assert (denied.denied, denied.asked, denied.entries["rules[2]"]) == (1, 0, {"denied": 1})
    assert played(asks, added(tcp(22, "10.0.0.0/8"), **dry), unknown_edit(dry)).unknown_values == 1
    assert played("require_description = true\n" + asks, added(OFFICE, **dry)).denied == 1


def unknown_edit(fields: dict[str, Any]) -> Json:
    """An edit of a rule that is not known, which changed nothing."""
    edit = events.edit("sgr-9", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIpv4="10.0.0.0/8")
    record: Json = events.modified([edit], eventTime=at(1), **fields)["detail"]
    return record


def test_where_self_approval_is_off_somebody_unknown_needs_two() -> None:
    """As central judges it."""
    policy = 'allow_self_approval = false\npeople = { "*:user/ada" = "U1" }\n'
    ada = {
        "type": "IAMUser",
        "arn": "arn:aws:iam::222222222222:user/ada",
        "accountId": "222222222222",
        "userName": "ada",
    }
    assert played(policy, added(OFFICE, identity=ada), added(OFFICE, identity=CI)).approvals == {1: 1, 2: 1}


def test_the_end_of_what_was_allowed_for_a_time_is_a_question() -> None:
    """On the day on which it ends."""
    break_glass = '[[rules]]\nmatch = { source = ["private"] }\napprovals = 0\nmax_hours = 24\n'
    tally = played(break_glass, added(tcp(22, "10.0.0.0/8")))
    assert (tally.let_through, tally.asked, tally.ended) == (1, 0, 1)
    assert tally.days == {"2026-10-02": 1}
    assert "1 of the questions follow the end" in "\n".join(in_words(tally, 9))


def test_entries_are_suggested_for_callers_that_open_private_addresses() -> None:
    """With their ports, where these are few; such an entry is valid, and lets their calls through."""
    mine = [added(tcp(port, "10.0.0.0/8", f"sgr-{port}"), port, identity=CI) for port in (22, 443)]
    others = [added(OFFICE, 900 + number) for number in range(3)]
    tally = played("", *mine, *others)
    (entry,) = suggested_entries(tally)
    assert 'ports = ["22", "443"]' in entry
    assert "\n".join(in_words(tally, 9)).count(entry) == 1
    assert played(entry, *mine).let_through == 2
    assert suggested_entries(played("", *others)) == []
    many = [added(tcp(port, "10.0.0.0/8", f"sgr-{port}"), port, identity=CI) for port in range(1, 20)]
    (entry,) = suggested_entries(played("", *many, *mine))
    assert "ports" not in entry
    mixed = [*mine, *(added(OFFICE, 900 + number, identity=CI) for number in range(3))]
    assert suggested_entries(played("", *mixed)) == []


# -- the report --------------------------------------------------------------------------------------------------------


def test_noisy_roles_are_suggested_and_people_are_not() -> None:
    """A role of several accounts by one pattern; users, people and quiet roles not at all."""
    noisy = [
        added(OFFICE, identity=events.assumed_role("ci", account=account), recipientAccountId=account)
        for account in ("222222222222", "333333333333")
    ]
    single = [added(OFFICE, identity=events.assumed_role("deploy", path="/tools/")) for _ in range(3)]
    others = [added(OFFICE), added(OFFICE, identity=events.identity_center()), added(OFFICE, identity=events.root())]
    assert suggested_exemptions(played("", *noisy, *single, *others)) == [
        "arn:aws:iam::222222222222:role/tools/deploy",
        "arn:aws:iam::*:role/ci",
    ]
    quiet = [added(OFFICE, identity=CI)]
    assert suggested_exemptions(played("", *quiet, *(added(OFFICE) for _ in range(10)))) == []


def test_the_report_says_what_was_counted() -> None:
    """Questions a day, by account and requester; what each entry did; repeats and suggestions."""
    day = 24 * 3600
    tally = played(
        RULES,
        *(added(tcp(22, "0.0.0.0/0"), number * 900, identity=CI) for number in range(3)),
        added(tcp(22, "10.0.0.0/8"), day),
        added(OFFICE, 2 * day),
        {"eventName": "AuthorizeSecurityGroupIngress"},
    )
    assert list(in_words(tally, 1)) == [
        "6 records, 6 security group calls, 2026-10-01 to 2026-10-03.",
        "1 calls cannot be read and are left out.",
        "Decisions: revert 5.",
        "Of the calls to revert: 4 asked, 1 allowed at once, 0 denied.",
        "",
        "Questions: 4 in 3 days, 1.3 a day; most on 2026-10-01: 3.",
        "Batches: 0 calls in 0 questions; the largest has 1 calls.",
        "Approvals: 1 need 1, 3 need 2.",
        "",
        "Questions by account:",
        "          4  222222222222",
        "",
        "Questions by requester:",
        "          3  arn:aws:iam::222222222222:role/ci",
        "          1  1 others",
        "",
        "Entries of [[rules]]:",
        "  rules[0]: caught 3",
        "  rules[1]: let through 1",
        "  rules[2]: matched nothing",
        "",
        "The same change made again, by requester (a controller may do so without end):",
        "          2  arn:aws:iam::222222222222:role/ci",
        "",
        "These roles make many of the calls that are asked. Whoever can use an exempt role can open ports without",
        "being asked, so exempt only roles that people cannot assume:",
        "[exempt]",
        "principals = [",
        '  "arn:aws:iam::222222222222:role/ci",',
        "]",
    ]


def test_a_report_of_nothing_says_so() -> None:
    """No calls, or none that anybody would be asked about."""
    assert list(in_words(played(""), 9)) == ["0 records, 0 security group calls."]
    record = added(OFFICE)
    unknown = events.modified([events.edit("sgr-9", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIpv4="10.0.0.0/8")])
    observed = played('mode = "observe"', record, record, unknown["detail"])
    assert list(in_words(observed, 9))[1:] == [
        "1 calls were recorded twice and counted once.",
        "1 calls have no values in these files, so no entry of [[rules]] matches them.",
        "Decisions: report 2.",
        "Of the calls to revert: 0 asked, 0 allowed at once, 0 denied.",
        "",
        "No questions.",
    ]


def test_the_counts_are_json() -> None:
    """For other programs, with the same numbers."""
    document = json.loads(json.dumps(to_json(played(RULES, added(OFFICE)))))
    assert (document["questions"], document["asked"], document["questionsByDay"]) == (1, 1, {"2026-10-01": 1})
    assert document["first"] == "2026-10-01T12:00:00+00:00"
    assert json.loads(json.dumps(to_json(played(""))))["first"] is None


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A folder with a log file of each form."""
    folder = tmp_path / "trail"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps({"Records": [added(OFFICE), {"eventName": "RunInstances"}]}))
    (folder / "two.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [added(OFFICE, 3600)]}).encode()))
    return folder


Replayed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def replayed(capsys: pytest.CaptureFixture[str]) -> Replayed:
    """Run the command in this process; return exit status, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main(["replay", *map(str, arguments)])
        written = capsys.readouterr()
        return status, written.out, written.err

    return run


def test_a_folder_is_played_through_the_policy_that_the_apps_read(replayed: Replayed, trail: Path) -> None:
    """Without a progress bar where nobody sits at a terminal."""
    status, out, err = replayed(trail)
    assert (status, err) == (0, "")
    assert out.startswith("3 records, 2 security group calls")
    assert "Questions: 2 in 1 days" in out


def test_another_policy_and_mode_can_be_tried(replayed: Replayed, trail: Path, tmp_path: Path) -> None:
    """A policy in observe mode is played as if it enforced."""
    policy = tmp_path / "policy.toml"
    policy.write_text('mode = "observe"\n')
    assert "No questions." in replayed(trail, "--policy", policy)[1]
    _, out, _ = replayed(trail, "--policy", policy, "--mode", "enforce", "--gather-seconds", "0", "--json")
    assert json.loads(out)["questions"] == 2


def test_the_products_own_calls_are_ignored(replayed: Replayed, tmp_path: Path) -> None:
    """Where its role is named."""
    file = tmp_path / "log.json"
    file.write_text(json.dumps({"Records": [added(OFFICE, identity=CI)]}))
    _, out, _ = replayed(file, "--own-role", "arn:aws:iam::222222222222:role/ci")
    assert "Decisions: ignore 1." in out


def test_a_file_that_cannot_be_read_does_not_stop_the_others(replayed: Replayed, trail: Path) -> None:
    """It is named, and the status says so."""
    (trail / "broken.json").write_text("{")
    status, out, err = replayed(trail)
    assert status == 1
    assert "broken.json is not JSON" in err
    assert "2 security group calls" in out


@pytest.mark.parametrize("arguments", [["missing.json"], [".", "--policy", "missing.toml"]])
def test_what_is_not_there_is_named(replayed: Replayed, arguments: list[str]) -> None:
    """A policy or a file; nothing is played."""
    status, out, err = replayed(*arguments)
    assert (status, out) == (1, "")
    assert "missing." in err
