"""``python -m shared.policy``: ``check`` validates a file and warns of mistakes, ``explain`` says what it would do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.policy.cli.main import main
from tests.support import events

ROOT = Path(__file__).parents[4]
Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], str]:
    """Write the test's policy file and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "policy.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the command in this process; return exit status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["check", *arguments])
        written = capsys.readouterr()
        return status, written.out, written.err

    return run


def example(name: str) -> str:
    """The path of a whole event."""
    return str(events.DATA / f"{name}.json")


def event_lines(out: str) -> list[str]:
    """The lines about the events, without the summary of the policy."""
    return out.split("\n\n", 1)[1].splitlines()[1:]


def test_events_may_follow_the_policy_file(check: Check, policy: Callable[[str], str]) -> None:
    """The shortest way to ask: the policy and an event, nothing else."""
    path = policy('mode = "observe"')
    named = check(path, "--event", example("modify_one_rule"))
    assert check(path, example("modify_one_rule")) == named
    assert "observe mode" in named[1]


def test_the_shipped_policy_is_valid() -> None:
    """The verb runs as a process, without any file named, and says what holds."""
    command = [sys.executable, "-m", "shared.policy", "check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith("shared/policy.toml is valid.")
    assert done.stdout.splitlines()[1:] == [
        "In general:",
        "- Reverted until somebody approves: added, modified and removed inbound rules.",
        "- May approve and deny: everybody who can click in the approval channel, the requester included.",
        "- An approval holds for good, unless an entry of [[rules]] limits it.",
        "- Exempt (neither reverted, asked nor reported): nobody.",
        "- AWS services whose service-linked roles may change rules without asking (reported in monitoring): all.",
        "- Calls of one requester that follow each other within 60 seconds are asked as one question.",
        "- A request that nobody decides is asked again after 4 hours and expires after 72 hours.",
        "- Ended requests are kept for 400 days.",
        "- Differences that no event explains are reverted and asked after 15 minutes.",
    ]


def test_an_invalid_policy_fails_with_the_key_on_standard_error(policy: Callable[[str], str]) -> None:
    """Exit status 1, as a pipeline needs it; nothing on standard output."""
    path = policy("expire_after_hours = 0")
    command = [sys.executable, "-m", "shared.policy", "check", path, "--event", example("authorize_flat")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"{path}:1: error: expire_after_hours: expected a number above 0, at most 8760, found 0 (line 1)\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [[], ["chek"], ["check", "--events", "x"], ["check", "--event"], ["check", "--own-role", "member"], ["explain"]],
    ids=["no verb", "wrong verb", "wrong option", "no event", "not an ARN", "nothing to explain"],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is shown on standard error."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m shared.policy" in capsys.readouterr().err


def test_the_file_of_the_setting_is_checked(
    policy: Callable[[str], str], check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file named, it is the one the apps would read."""
    monkeypatch.setenv("policyFile", policy('mode = "observe"\ndirections = []\nguard = []'))
    status, out, _ = check()
    assert status == 0
    assert "- Reverted: nothing." in out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'mode = "observe"',
            "nothing (mode observe). In mode enforce it would be added, modified and removed inbound",
        ),
        ('guard = ["add"]\ndirections = ["ingress", "egress"]', "approves: added inbound and outbound rules."),
        ("require_description = true", "Added rules without a description are denied at once."),
        (
            'approvers = ["U061F7AUR", "U0BOB0BOB"]',
            "approve and deny: U061F7AUR, U0BOB0BOB, the requester included.",
        ),
        (
            'allow_self_approval = false\npeople = { "*:user/ada" = "U061F7AUR" }',
            "approval channel; but nobody approves a change of their own. A change by somebody who is not listed under "
            "[people] (1 listed), or whose maker is not known, needs two different people.",
        ),
        (
            '[exempt]\nprincipals = ["*:role/ci"]\ngroups = ["sg-0a1*"]',
            "Exempt (neither reverted, asked nor reported): *:role/ci, changes in group sg-0a1*.",
        ),
        ("exempt = { service_linked_roles = [] }", "without asking (reported in monitoring): none."),
        ('exempt = { service_linked_roles = ["ecs", "eks"] }', "(reported in monitoring): ecs, eks."),
        ("require_denial_reason = true", "A denial needs a reason (with a bot token)."),
        ("offer_hours = [8, 72]", "An approval holds for good, or for 8 hours, or for 72 hours, unless an entry"),
        ("gather_seconds = 0", "Every call is asked alone."),
        ("keep_days = 0", "Ended requests are kept for ever."),
        (
            'approvers = ["U1"]\nask_by_dry_run = true\nask_by_refusal = ["*:role/dev"]',
            "Ask first, without changing anything: calls with --dry-run and refused calls by *:role/dev; nobody",
        ),
        ("[[rules]]\napprovals = 2", "- rules[0]: anything to anybody needs 2 different people"),
        (
            'drift = "report"\ndrift_grace_minutes = 5',
            "that no event explains are reported after 5 minutes.",
        ),
    ],
)
def test_the_summary_says_what_holds(text: str, sentence: str, policy: Callable[[str], str], check: Check) -> None:
    """Whoever reviews a policy reads what is reverted, who may decide and who is exempt."""
    assert sentence in check(policy(text))[1]


def test_an_account_is_summed_up_by_what_differs(policy: Callable[[str], str], check: Check) -> None:
    """What is as in general is not repeated."""
    text = '[accounts."222222222222"]\napprovers = ["U061F7AUR"]\n[accounts."333333333333"]\nmode = "enforce"'
    _, out, _ = check(policy(text))
    assert out.splitlines()[11:] == [
        "In account 222222222222, instead:",
        "- May approve and deny: U061F7AUR, the requester included.",
        "In account 333333333333: the same.",
    ]


def test_entries_are_summed_up_where_they_hold(policy: Callable[[str], str], check: Check) -> None:
    """By the approvers of that account; one for a certain account stands with it."""
    text = """
approvers = ["U061F7AUR"]
[[rules]]
match = { ports = ["22"] }
[[rules]]
match = { ports = ["443"], accounts = ["222222222222"] }
[accounts."222222222222"]
approvers = ["U0BOB0BOB"]
"""
    lines = check(policy(text))[1].splitlines()
    assert [line for line in lines if line.startswith("- rules[")] == [
        "- rules[0]: SSH (22) to anybody needs 1 of U061F7AUR.",
        "- rules[0]: SSH (22) to anybody needs 1 of U0BOB0BOB.",
        "- rules[1]: HTTPS (443) to anybody in account 222222222222 needs 1 of U0BOB0BOB.",
    ]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (
            '[[rules]]\n[[rules]]\n# never\ndeny = "No."\napprovals = 0',
            ":5: error: rules[1].approvals: 0 approvals and",
        ),
        ('approvers = ["U061F7AUR"]\n\n[[rules]]\napprovals = 2', ":4: error: rules[0].approvals: nobody can satisfy"),
        ('approvers = ["U061F7AUR"]\n[[rules]]\napprovers = ["U0BOB0BOB"]', ":2: error: rules[0].approvals: nobody"),
        ("offer_hours = [8, 72]\n[[rules]]\nmax_hours = 8", ":1: error: offer_hours: 72 hours are never offered"),
        ("[[rules]]\nmax_hours = 9999", ":2: error: rules[0].max_hours: expected a number above 0, at most 8760"),
        ('\nask_by_refusal = ["*"]', ":2: error: ask_by_refusal: refused calls ask nothing"),
        ('[[rules]]\nmatch = { accounts = ["2"] }', ":2: error: rules[0].match.accounts[0]: expected a 12-digit"),
    ],
)
def test_a_contradiction_is_refused_with_its_line(
    text: str, start: str, policy: Callable[[str], str], check: Check
) -> None:
    """Exit status 1; of a key that is not written down, the line of its entry."""
    path = policy(text)
    status, _, err = check(path)
    assert status == 1
    assert err.startswith(f"{path}{start}")


def test_a_bot_token_silences_what_needs_one(policy: Callable[[str], str], check: Check) -> None:
    """So that a pipeline may fail on warnings."""
    path = policy('approvers = ["S0614TZR7"]\nrequire_denial_reason = true')
    assert check("--strict", path)[0] == 1
    assert check("--strict", "--bot-token", path)[0] == 0


MATCHES_NOBODY = """\
[exempt]
principals = [
  "arn:aws:iam::222222222222:role/deploy",
  "alice",
]
[accounts."222222222222"]
guard = []
"""


def test_a_warning_names_line_key_meaning_and_remedy(policy: Callable[[str], str], check: Check) -> None:
    """The file is still valid; in a pipeline ``--strict`` makes it fail."""
    path = policy(MATCHES_NOBODY)
    status, out, err = check(path)
    assert status == 0
    assert "is valid" in out
    first, second = err.splitlines()
    assert first.startswith(f'{path}:4: warning: exempt.principals[1]: "alice" can never match, because')
    assert first.endswith('Write the whole ARN, such as "arn:aws:iam::222222222222:role/deploy".')
    assert second.startswith(f"{path}:7: warning: accounts.222222222222.guard: in account 222222222222, nothing")
    assert check("--strict", path)[0] == 1
    assert check("--strict", policy(""))[0] == 0


def test_a_policy_by_which_nobody_can_approve_fails(policy: Callable[[str], str], check: Check) -> None:
    """It is as bad as an invalid one; events are explained nevertheless."""
    path = policy('mode = "enforce"\nallow_self_approval = false\napprovers = ["U061F7AUR"]')
    status, out, err = check(path, example("authorize_flat"))
    assert status == 1
    assert err.startswith(f"{path}:2: error: allow_self_approval: nobody can approve anything")
    assert "has errors" in out
    assert "It would be reverted at once" in out


def test_a_mistake_of_an_account_in_a_general_key_has_the_sections_line(
    policy: Callable[[str], str], check: Check
) -> None:
    """The account's section made it a mistake."""
    people = '[people]\n"*:user/ada" = "U061F7AUR"\n'
    path = policy(f'allow_self_approval = false\n{people}[accounts."222222222222"]\npeople = {{}}')
    assert check(path)[2].startswith(f"{path}:4: warning: accounts.222222222222.allow_self_approval")
    people = '[people]\n"*:role/a.b" = "U061F7AUR"\n'
    path = policy(f'{people}[accounts."222222222222"]\nallow_self_approval = false')
    assert f"{path}:3: error: accounts.222222222222.people.*:role/a.b" in check(path)[2]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("\n\nmodus = 1", ":3: error: modus: is not a policy key"),
        ("[exempt]\nprincipals = [\n'x',\n5]", ":4: error: exempt.principals[1]: expected text"),
        ('[people]\n"arn:aws:iam::*:user/a.b" = 5', ":2: error: people.arn:aws:iam::*:user/a.b: expected text"),
        ("mode = ", ": error: document: is not valid TOML: "),
    ],
)
def test_an_invalid_policy_is_named_with_its_line(
    text: str, start: str, policy: Callable[[str], str], check: Check
) -> None:
    """Where TOML itself is broken, its reader says the line."""
    path = policy(text)
    status, out, err = check(path)
    assert (status, out) == (1, "")
    assert err.startswith(f"{path}{start}")


def test_a_missing_policy_is_said(check: Check, tmp_path: Path) -> None:
    """With the words of the operating system."""
    assert check(str(tmp_path / "none.toml")) == (
        1,
        "",
        f"Policy file {tmp_path / 'none.toml'} cannot be read: No such file or directory.\n",
    )


def test_explain_says_the_same_of_events_alone(
    policy: Callable[[str], str], check: Check, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``explain EVENT…`` with the file that ``--policy`` or the setting names; without warnings and summary."""
    path, event = policy('mode = "observe"'), example("authorize_flat")
    _, out, _ = check(path, event)
    assert main(["explain", "--policy", path, event]) == 0
    first = capsys.readouterr()
    monkeypatch.setenv("policyFile", path)
    assert main(["explain", event]) == 0
    assert capsys.readouterr() == first
    assert out.endswith(f"\n\n{first.out}")
    assert first.err == ""
    assert main(["explain", "--json", event]) == 0
    assert json.loads(capsys.readouterr().out)["events"][0]["decision"] == "report"


def test_a_change_is_explained_in_sentences(policy: Callable[[str], str], check: Check) -> None:
    """Who did what where, every rule, the decision with its reason, and who could approve."""
    status, out, err = check(policy(""), "--event", example("authorize_several_kinds"))
    assert (status, err) == (0, "")
    lines = event_lines(out)
    assert lines[0] == (
        "AuthorizeSecurityGroupIngress by ada@example.com (AWSReservedSSO_NetworkAdmin_0123456789abcdef) on group "
        "sg-0a1b2c3d4e5f60718 (account 222222222222, eu-west-1) at 2026-03-02T09:15:27.000Z."
    )
    assert len([line for line in lines if line.startswith("- ")]) == 7
    assert "- TCP 22 (SSH) from 0.0.0.0/0 (the whole internet), without description" in lines
    assert '- TCP 22 (SSH) from 203.0.113.7/32, described as "office"' in lines
    assert lines[-4:] == [
        "It would be reverted at once: not approved yet.",
        "It needs 1 approval.",
        "Calls by arn:aws:sts::222222222222:assumed-role/AWSReservedSSO_NetworkAdmin_0123456789abcdef/ada@example.com "
        "in account 222222222222, eu-west-1 within 60 seconds of each other would be asked as one question.",
        "It could be approved by everybody who can click in the approval channel.",
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "modify_one_rule",
            "- rule sgr-0aaaaaaaaaaaaaaa1, from now on TCP 443 (HTTPS), 0.0.0.0/0 (the whole internet)",
        ),
        ("describe_by_rule_ids", '- rule sgr-0aaaaaaaaaaaaaaa1, from now on described as "new words"'),
        ("describe_by_rule_ids", "- rule sgr-0aaaaaaaaaaaaaaa2, from now on without description"),
        ("revoke_by_rule_ids", "- TCP 5432 (PostgreSQL) from group sg-0cccccccccccccccc, without description"),
        ("authorize_omitted_request", "- and perhaps more: CloudTrail left out a part of this event"),
        (
            "authorize_by_group_name_old_answer",
            "AuthorizeSecurityGroupIngress by root of account 222222222222 on group legacy-web",
        ),
        (
            "authorize_refused",
            "It would be ignored: the call failed (Client.UnauthorizedOperation), so nothing changed.",
        ),
        ("authorize_egress", "It would be ignored: egress rules are not guarded (policy key directions)."),
        ("create_group", "It would stay in force and become part of what is approved"),
    ],
)
def test_each_form_of_event_is_explained(name: str, line: str, policy: Callable[[str], str], check: Check) -> None:
    """What the event does not say is not guessed."""
    _, out, _ = check(policy(""), "--event", example(name))
    assert any(one.startswith(line) for one in event_lines(out))


def test_rules_known_by_id_alone_are_named_by_id(policy: Callable[[str], str], check: Check, tmp_path: Path) -> None:
    """A removal by rule ids with the old answer says nothing of the rules' values."""
    event = events.example("revoke_by_rule_ids")
    event["detail"]["responseElements"] = {"_return": True}
    (tmp_path / "event.json").write_text(json.dumps(event), encoding="utf-8")
    _, out, _ = check(policy(""), "--event", str(tmp_path / "event.json"))
    assert "- rule sgr-0aaaaaaaaaaaaaaa1, whose values are known in the account only" in event_lines(out)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('mode = "observe"', "observe mode: this would have been reverted (policy key mode)."),
        ('guard = ["remove"]', "are allowed and reported (policy key guard)."),
        ('exempt = { principals = ["*:user/ada"] }', "is exempt (policy key exempt.principals: *:user/ada)."),
        ('exempt = { groups = ["*"] }', "is exempt (policy key exempt.groups: *)."),
        ("require_description = true", "(policy key require_description): ingress/tcp/22-22/ipv4/0.0.0.0/0."),
        ('approvers = ["U1A", "U2B"]', "It could be approved by U1A, U2B (policy key approvers)."),
        ("allow_self_approval = false", "the requester is not listed under [people]."),
        (
            'allow_self_approval = false\npeople = { "*:user/ada" = "U1A" }',
            "but not U1A, who made it (policy key allow_self_approval).",
        ),
        (
            'allow_self_approval = false\napprovers = ["U1A", "U2B"]\npeople = { "*:user/ada" = "U1A" }',
            "It could be approved by U2B (policy key approvers).",
        ),
        (
            'allow_self_approval = false\napprovers = ["U1A"]\npeople = { "*:user/ada" = "U1A" }',
            "the only approver is the requester (policy keys approvers, allow_self_approval).",
        ),
    ],
)
def test_the_reason_names_the_policy_key(text: str, last: str, policy: Callable[[str], str], check: Check) -> None:
    """An operator sees which key to change."""
    _, out, _ = check(policy(text), "--event", example("authorize_flat"))
    assert any(line.endswith(last) for line in event_lines(out))


def test_the_policy_of_the_account_decides(policy: Callable[[str], str], check: Check) -> None:
    """The event's account has its own mode."""
    _, out, _ = check(policy('[accounts."222222222222"]\nmode = "observe"'), "--event", example("authorize_flat"))
    lines = event_lines(out)
    assert lines[-4].endswith("observe mode: this would have been reverted (policy key mode).")
    assert lines[-3:-1] == ["In enforce mode:", "It needs 1 approval."]


@pytest.mark.parametrize(
    ("arn", "is_own"),
    [
        ("arn:aws:iam::222222222222:role/deploy", True),
        ("arn:aws:iam::222222222222:role/some/path/deploy", True),
        ("arn:aws:sts::222222222222:assumed-role/deploy/anything", True),
        ("arn:aws:iam::333333333333:role/deploy", False),
        ("arn:aws:iam::222222222222:role/deployer", False),
    ],
)
def test_the_own_role_is_ignored(arn: str, is_own: bool, policy: Callable[[str], str], check: Check) -> None:
    """With the member app's role named, its own calls are known, and no others."""
    _, out, _ = check(policy(""), "--event", example("authorize_omitted_request"), "--own-role", arn)
    assert ("It would be ignored: the product made this call itself." in event_lines(out)) == is_own


def test_a_bare_record_and_a_log_file_are_read(policy: Callable[[str], str], check: Check, tmp_path: Path) -> None:
    """As copied from CloudTrail's event history, or as CloudTrail wrote it to S3; other calls in it are left out."""
    flat, modify = events.example("authorize_flat"), events.example("modify_one_rule")
    record, log = tmp_path / "record.json", tmp_path / "log.json"
    record.write_text(json.dumps(flat["detail"]), encoding="utf-8")
    other = {**flat["detail"], "eventName": "RunInstances"}
    log.write_text(json.dumps({"Records": [other, flat["detail"], modify]}), encoding="utf-8")
    status, out, _ = check(policy(""), "--event", str(record), str(log))
    assert status == 0
    assert out.count("It would be reverted at once") == 3
    assert out.count("AuthorizeSecurityGroupIngress by ada") == 2


def test_a_log_file_of_other_calls_says_so(policy: Callable[[str], str], check: Check, tmp_path: Path) -> None:
    """Silence would look like approval."""
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"Records": [{"eventName": "RunInstances"}]}), encoding="utf-8")
    status, out, _ = check(policy(""), "--event", str(path))
    assert status == 0
    assert "No security group call in this file." in out


def damaged() -> dict[str, Any]:
    """An event with a CIDR that is none."""
    event = events.example("authorize_several_kinds")
    event["detail"]["requestParameters"]["ipPermissions"]["items"][1]["ipRanges"]["items"][0]["cidrIp"] = "10.0.0.0/99"
    return event


CIDR = "requestParameters.ipPermissions.items[1].ipRanges.items[0].cidrIp: '10.0.0.0/99' is not an IPv4 or IPv6 CIDR"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        ("[]", "is not a CloudTrail event: expected a JSON object"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "eventName: is missing"),
        ('{"Records": ["x"]}', "Records[0].detail: expected an object, found text"),
        (json.dumps(damaged()), f"event.json: {CIDR}"),
        (json.dumps({"Records": [damaged()["detail"]]}), f"event.json: Records[0].{CIDR}"),
    ],
    ids=[
        "missing",
        "list",
        "not JSON",
        "too deep",
        "empty",
        "not a record",
        "wrong field",
        "wrong field in a log file",
    ],
)
def test_an_event_that_cannot_be_read_fails_with_the_field(
    content: str | None, problem: str, policy: Callable[[str], str], check: Check, tmp_path: Path
) -> None:
    """Exit status 1, file and field on standard error; the other events are explained nevertheless."""
    path = tmp_path / "event.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status, out, err = check(policy(""), "--event", str(path), example("authorize_flat"))
    assert status == 1
    assert problem in err
    assert str(path) in err
    assert "It would be reverted at once" in out


def test_json_says_the_same_for_programs(policy: Callable[[str], str], check: Check, tmp_path: Path) -> None:
    """One object, with an entry for each event, errors included."""
    broken = tmp_path / "event.json"
    broken.write_text(json.dumps(damaged()), encoding="utf-8")
    path = policy("require_description = true")
    status, out, err = check(path, "--json", "--event", example("authorize_flat"), str(broken), str(tmp_path / "none"))
    assert (status, err) == (1, "")
    report = json.loads(out)
    assert (report["policy"]["file"], report["policy"]["findings"]) == (path, [])
    assert "- Added rules without a description are denied at once." in report["policy"]["summary"]
    flat, bad, missing = report["events"]
    assert flat["decision"] == "revert"
    assert flat["deniedAtOnce"].startswith("denied by policy")
    assert flat["deciders"] == ""
    assert flat["group"] == events.GROUP
    assert flat["caller"]["principal"] == "arn:aws:iam::222222222222:user/ada"
    assert flat["rules"] == ["TCP 22 (SSH) from 0.0.0.0/0 (the whole internet), without description"]
    assert flat["sentences"][1] == f"- {flat['rules'][0]}"
    assert CIDR in bad["error"]
    assert "cannot be read" in missing["error"]


def test_json_of_an_invalid_policy_has_the_error(policy: Callable[[str], str], check: Check) -> None:
    """A program needs no second way to learn it."""
    path = policy('modus = "enforce"')
    status, out, err = check(path, "--json")
    assert (status, err) == (1, "")
    report = json.loads(out)
    assert report["events"] == []
    assert "modus: is not a policy key" in report["policy"]["error"]


def test_json_has_findings_with_their_lines(policy: Callable[[str], str], check: Check) -> None:
    """For pipelines that comment on a pull request."""
    _, out, _ = check(policy(MATCHES_NOBODY), "--json")
    first, second = json.loads(out)["policy"]["findings"]
    assert (first["severity"], first["key"], first["line"]) == ("warning", "exempt.principals[1]", 4)
    assert first["meaning"].startswith('"alice" can never match')
    assert first["remedy"].startswith("Write the whole ARN")
    assert second["line"] == 7
