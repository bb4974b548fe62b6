"""``explain``: which entries matched, what the request would need, who could approve it, and what it would ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.rule import cidr as block
from shared.domain.rule import make_rule
from shared.policy.cli.explanation import Explanation, explain, to_json
from shared.policy.cli.main import main
from shared.wire.policy_document import parse_policies
from tests.support import events

SSH = events.example("authorize_flat")
RULES = """
[[rules]]
match = { source = ["internet"], ports = ["22", "3389"], protocols = ["tcp"] }
approvals = 2
max_hours = 8
approvers = ["U1", "U2", "U3"]
mention = ["S9"]
[[rules]]
match = { source = ["private"], ports = ["443"] }
approvals = 0
max_hours = 4
[[rules]]
match = { ports = ["23"] }
deny = "Never."
"""
EVERYBODY = "everybody who can click in the approval channel"


def told(policy: str, event: events.Json, **fields: Any) -> Explanation:
    """What is said of an event, with other fields of its record."""
    return explain(parse_policies(policy), {**event, "detail": {**event["detail"], **fields}})


def opened(cidr: str, port: int) -> events.Json:
    """An addition of one rule by ada, an IAM user."""
    rule = make_rule(direction="ingress", protocol="tcp", from_port=port, source=block(cidr), rule_id="sgr-1")
    return events.authorized([rule], identity=SSH["detail"]["userIdentity"])


def test_the_strictest_entry_says_what_is_needed() -> None:
    """Which entry matched and why; approvals, hours, who is named; who could approve."""
    found = told(f'approvers = ["U1", "U2"]\n{RULES}', SSH)
    assert found.needs is not None
    assert (found.needs.approvals, found.needs.max_hours) == (2, 8)
    assert list(found.sentences)[2:] == [
        "It would be reverted at once: not approved yet.",
        "rules[0] overlaps add ingress/tcp/22-22/ipv4/0.0.0.0/0.",
        "It needs approvals by 2 different people, for at most 8 hours.",
        "The question names S9.",
        "Calls by arn:aws:iam::222222222222:user/ada in account 222222222222, eu-west-1 within 60 seconds of each "
        "other would be asked as one question.",
        "It could be approved by 2 of U1, U2 (policy key approvers).",
    ]
    assert to_json(found)["needs"]["entries"][0]["entry"] == "rules[0]"
    assert to_json(found)["batch"] == {
        "requester": "arn:aws:iam::222222222222:user/ada",
        "account": "222222222222",
        "region": "eu-west-1",
    }


def test_zero_approvals_stay_in_force() -> None:
    """Nobody is asked, and nothing is gathered."""
    found = told(RULES, opened("10.1.0.0/16", 443))
    assert found.needs is not None
    assert (found.needs.approvals, found.deciders, found.gathered) == (0, "", "")
    assert list(found.sentences)[2:] == [
        "It would stay in force, without a question, and become part of what is approved.",
        "rules[1] contains add ingress/tcp/443-443/ipv4/10.1.0.0/16.",
        "It needs 0 approvals, and is told in monitoring, for at most 4 hours.",
    ]
    assert "would be reverted at once" in " ".join(told("", opened("10.1.0.0/16", 443)).sentences)


def test_a_denial_has_its_sentence() -> None:
    """Nobody could approve it, and it is asked with no other."""
    found = told(RULES, opened("10.1.0.0/16", 23))
    assert (found.denied, found.deciders, found.gathered) == ("Never.", "", "")
    assert found.sentences[-1] == "It would be denied at once, and nobody asked: Never."


def test_without_a_description_it_is_denied() -> None:
    """By the policy's own key, whatever the entries say."""
    found = told(f"require_description = true\n{RULES}", SSH)
    assert found.sentences[-1].startswith("Nobody would be asked: denied by policy: added rules need a description")


def test_an_edit_with_0_approvals_depends_on_its_old_values() -> None:
    """Which the event lacks, as it lacks the direction; the strictest of both counts."""
    edit = events.edit("sgr-1", IpProtocol="tcp", FromPort=443, ToPort=443, CidrIpv4="10.1.0.0/16")
    found = told(RULES, events.modified([edit]))
    assert found.needs is not None
    assert found.needs.approvals == 1
    assert "It needs 0 approvals if the old values, which the event lacks, are inside such an entry, too" in (
        " ".join(found.sentences)
    )
    assert found.sentences[-1] == f"It could be approved by {EVERYBODY}."
    outbound = 'directions = ["ingress", "egress"]\n[[rules]]\nmatch = { directions = ["egress"] }\napprovals = 3'
    assert "3 different people" in " ".join(told(outbound, events.modified([edit])).sentences)


def test_values_that_the_event_lacks_are_said_to_be_missing() -> None:
    """By rule ids alone, or left out by CloudTrail; and approved ranges that would count."""
    removed = events.example("revoke_by_rule_ids")
    lacking = "The event lacks values that entries of [[rules]] are compared with; the account knows them."
    assert lacking in told(RULES, removed, responseElements={"_return": True}).sentences
    assert lacking in told(RULES, events.example("authorize_omitted_request")).sentences
    assert lacking not in told("", events.example("authorize_omitted_request")).sentences
    assert "rules[0] would match, too, if together with" in " ".join(told(RULES, opened("11.0.0.0/9", 22)).sentences)
    assert "would match, too" not in " ".join(told(RULES, opened("11.0.0.0/9", 80)).sentences)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'approvers = ["U1", "U2"]\nallow_self_approval = false\npeople = { "*:user/ada" = "U1" }\n',
            "Nobody could approve it: 2 different people have to, and these are in every list of approvers: U1, U2, "
            "without the requester U1.",
        ),
        (
            'approvers = ["U4"]\n',
            "Nobody could approve it: 2 different people have to, and these are in every list of approvers: nobody.",
        ),
        (
            'allow_self_approval = false\npeople = { "*:user/ada" = "U1" }\n',
            "It could be approved by 2 of U2, U3 (policy key approvers).",
        ),
        (
            'approvers = ["S1"]\nallow_self_approval = false\npeople = { "*:user/ada" = "U9" }\n',
            "It could be approved by 2 of S1 who are also in U1, U2, U3 (policy key approvers).",
        ),
        (
            "allow_self_approval = false\n",
            "It could be approved by 2 of U1, U2, U3: self-approval is off, and the requester is not listed under "
            "[people].",
        ),
    ],
)
def test_who_could_approve(text: str, sentence: str) -> None:
    """Whoever is in every list, and is not the requester where that is forbidden."""
    assert told(text + RULES, SSH).deciders == sentence


def test_one_person_of_an_entry_is_not_enough_for_oneself() -> None:
    """Where two entries name nobody in common, nobody could."""
    text = '[[rules]]\napprovers = ["U1"]\n[[rules]]\napprovers = ["U2"]'
    assert told(text, SSH).deciders.startswith("Nobody could approve it: 1 person has to, and these are in every list")


# -- asking first ------------------------------------------------------------------------------------------------------

ASKS = 'approvers = ["U1", "U2"]\nask_by_dry_run = true\nask_by_refusal = ["*:role/developer"]\n'
DRY_RUN, REFUSED = events.example("authorize_dry_run"), events.example("authorize_refused")


@pytest.mark.parametrize("event", [DRY_RUN, REFUSED], ids=["dry run", "refused"])
def test_a_call_that_asks_first_is_explained(event: events.Json) -> None:
    """It never needs less than an approval by somebody else; of somebody unknown, by two."""
    found = told(ASKS + '[[rules]]\nmatch = { cidrs = ["0.0.0.0/0"] }\napprovals = 0', event)
    assert found.asks
    assert found.needs is not None
    assert found.needs.approvals == 2
    text = " ".join(found.sentences)
    assert f"It changed nothing ({event['detail']['errorCode']}), and asks" in text
    assert "It needs approvals by 2 different people." in text
    assert "nobody approves what they ask first, and the requester is not listed under [people]" in text
    assert "would be asked as one question" in text


def test_the_requester_of_an_ask_is_never_its_approver() -> None:
    """Also where self-approval is allowed."""
    known = ASKS + 'people = { "*:user/ada" = "U1" }\n'
    assert told(known, DRY_RUN).deciders == "It could be approved by U2 (policy key approvers)."
    anybody = 'ask_by_dry_run = true\npeople = { "*:user/ada" = "U1" }\n'
    assert told(anybody, DRY_RUN).deciders == f"It could be approved by {EVERYBODY}, but not U1, who asks first."


@pytest.mark.parametrize(
    ("policy", "event", "reason"),
    [
        ("", DRY_RUN, "It would ask nothing: a dry run asks nothing (policy key ask_by_dry_run)."),
        (
            "",
            REFUSED,
            "It would ask nothing: a refused call of this principal asks nothing (policy key ask_by_refusal).",
        ),
        ('ask_by_refusal = ["*"]', REFUSED, "ask_by_refusal needs approvers"),
        (ASKS + 'exempt = { principals = ["*:user/ada"] }', DRY_RUN, "is exempt (policy key exempt.principals)"),
    ],
)
def test_a_call_that_asks_nothing_says_why(policy: str, event: events.Json, reason: str) -> None:
    """With the key to change."""
    found = told(policy, event)
    assert not found.asks
    assert found.needs is None
    assert reason in found.sentences[-1]


def test_an_ask_without_values_asks_nothing() -> None:
    """Parameters that are left out or cannot be read."""
    for parameters in ("", {"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "nonsense"}]}}):
        found = told(ASKS, DRY_RUN, requestParameters=parameters)
        assert not found.asks
        assert "are not all there, or cannot be read" in found.sentences[-1]


def test_an_ask_may_be_denied_by_policy() -> None:
    """By an entry, or for want of a description."""
    found = told(ASKS + '[[rules]]\ndeny = "Never."', DRY_RUN)
    assert (found.denied, found.deciders, found.gathered) == ("Never.", "", "")
    assert "nobody asked: Never." in found.sentences[-1]
    rule = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}
    bare = told(
        ASKS + "require_description = true",
        DRY_RUN,
        requestParameters={"groupId": "sg-1", "ipPermissions": {"items": [rule]}},
    )
    assert bare.sentences[-1].startswith("Nobody would be asked: denied by policy")


def test_the_command_line_explains_envelopes_and_bare_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same words."""
    policy, envelope, record = tmp_path / "policy.toml", tmp_path / "event.json", tmp_path / "record.json"
    policy.write_text(RULES)
    envelope.write_text(json.dumps(SSH))
    record.write_text(json.dumps(SSH["detail"]))
    assert main(["explain", "--policy", str(policy), str(envelope), str(record)]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert "It needs approvals by 2 different people, for at most 8 hours." in first
    assert first.strip().splitlines()[1:] == second.strip().splitlines()[1:]
