"""The service control policy for zero exposure: whom it refuses what, and doctor's comparison with the policy file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from deploy import __main__ as command
from deploy import ask_scp
from deploy.ask_scp import LARGEST, NAME, service_control_policy
from deploy.doctor import checks, organization
from deploy.names import Place
from deploy.target import Target
from shared.wire.policy_document import parse_policies

BREAK_GLASS = '[exempt]\nprincipals = ["arn:aws:iam::*:role/break-glass"]'
ASKING = 'ask_by_refusal = ["*"]\napprovers = ["U061F7AUR"]'
GOOD = f"{ASKING}\n{BREAK_GLASS}"
PLACE = Place(app="member", stage="prod", partition="aws", account="222222222222", region="eu-west-1")
ADD, EGRESS = "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"
ADA = "arn:aws:iam::222222222222:user/ada"


def refuses(document: dict[str, Any], principal: str, action: str, **tags: str) -> bool:
    """Judge a call as AWS does, as far as these policies go."""
    context = {"aws:PrincipalArn": principal, "aws:PrincipalAccount": principal.split(":")[4]}
    context |= {f"aws:ResourceTag/{key}": value for key, value in tags.items()}

    def holds(operator: str, key: str, wanted: Any) -> bool:
        listed = [wanted] if isinstance(wanted, str) else wanted
        match = fnmatchcase if operator.endswith("Like") else str.__eq__
        found = key in context and any(match(context[key], one) for one in listed)
        return not found if "Not" in operator else found

    def applies(statement: dict[str, Any]) -> bool:
        condition = statement["Condition"].items()
        return all(holds(operator, key, one) for operator, keys in condition for key, one in keys.items())

    return any(action in one["Action"] and applies(one) for one in document["Statement"])


def made(text: str, **options: str) -> dict[str, Any]:
    """Return the policy for a policy file."""
    return service_control_policy(parse_policies(text), stage="prod", **options)


def test_it_refuses_everybody_but_the_product_and_who_is_exempt() -> None:
    """Users, roles, roots and people of Identity Center; not the member app's role of any account and region."""
    document = made(GOOD)
    for who in ("user/ada", "role/admin", "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1", "root"):
        assert refuses(document, f"arn:aws:iam::222222222222:{who}", ADD)
    for who in ("security-group-approval-member-prod-eu-west-1", "break-glass"):
        assert not refuses(document, f"arn:aws:iam::333333333333:role/{who}", ADD)
    for who in ("security-group-approval-member-test-eu-west-1", "security-group-approval-deployer", "break-glass2"):
        assert refuses(document, f"arn:aws:iam::333333333333:role/{who}", ADD)


@pytest.mark.parametrize(
    ("keys", "actions"),
    [
        ('guard = ["add"]', {ADD}),
        ('guard = ["remove"]', {"ec2:RevokeSecurityGroupIngress"}),
        ('guard = ["modify"]', {"ec2:ModifySecurityGroupRules", "ec2:UpdateSecurityGroupRuleDescriptionsIngress"}),
        ('guard = ["add"]\ndirections = ["egress"]', {EGRESS}),
        ('guard = ["add"]\ndirections = ["ingress", "egress"]', {ADD, EGRESS}),
    ],
)
def test_it_refuses_what_is_guarded_and_nothing_else(keys: str, actions: set[str]) -> None:
    """Kinds and directions of the policy; an edit may be of either direction."""
    (statement,) = made(f"{keys}\n{GOOD}")["Statement"]
    assert set(statement["Action"]) == actions
    assert len(made(f'directions = ["ingress", "egress"]\n{GOOD}')["Statement"][0]["Action"]) == 7


def test_only_groups_with_the_tag_are_meant() -> None:
    """Everybody else's go on as before: made, reverted, asked."""
    document = made(GOOD, only_tag="env=prod=eu")
    assert refuses(document, ADA, ADD, env="prod=eu")
    assert not refuses(document, ADA, ADD, env="test")
    assert not refuses(document, ADA, ADD)
    assert ask_scp.tag_of(document) == "env=prod=eu"


def test_accounts_with_other_values_have_their_own_statement() -> None:
    """What is guarded and who is exempt there replaces the general values."""
    text = (
        f'{GOOD}\n[accounts."222222222222"]\nguard = ["remove"]\n[accounts."333333333333".exempt]\n'
        'principals = ["arn:aws:iam::333333333333:role/other"]\n[accounts."444444444444"]\nremind_after_hours = 1\n'
        '[accounts."555555555555"]\nguard = []'
    )
    document = made(text, only_tag="env=prod")
    assert len(document["Statement"]) == 3
    assert not refuses(document, ADA, ADD, env="prod")
    assert refuses(document, ADA, "ec2:RevokeSecurityGroupIngress", env="prod")
    assert refuses(document, "arn:aws:iam::333333333333:role/break-glass", ADD, env="prod")
    assert not refuses(document, "arn:aws:iam::333333333333:role/other", ADD, env="prod")
    assert refuses(document, "arn:aws:iam::444444444444:role/x", ADD, env="prod")
    assert not refuses(document, "arn:aws:iam::555555555555:role/x", ADD, env="prod")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (ASKING, [], "Nobody could repair a group by hand while the product is down"),
        (f'{ASKING}\n[exempt]\nprincipals = ["ada"]', [], "Nobody could repair"),
        (f'{GOOD}\n[accounts."222222222222".exempt]\nprincipals = []', [], "by hand in account 222222222222"),
        (
            f'{GOOD}\n[accounts."222222222222".exempt]\nprincipals = ["arn:aws:iam::333333333333:role/x"]',
            [],
            "by hand in account 222222222222",
        ),
        (f'{ASKING}\n[exempt]\nprincipals = ["*"]', [], "exempts everybody, so nothing would be denied"),
        (f'{ASKING}\n[exempt]\nprincipals = ["arn:aws:iam::*:role/[ab]"]', [], "without [ and $"),
        (f"guard = []\n{GOOD}", [], "guards nothing"),
        (f"directions = []\n{GOOD}", [], "guards nothing"),
        (GOOD, ["--only-tag", "env"], "is not a tag"),
        (GOOD, ["--only-tag", "env=${aws:username}"], "is not a tag"),
        (GOOD, ["--stage", "Prod!"], "is not valid"),
        ("mode = nonsense", [], "is not valid TOML"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, options: list[str], words: str
) -> None:
    """Above all a policy without a break-glass principal; nothing is written."""
    file, out = tmp_path / "policy.toml", tmp_path / "scp.json"
    file.write_text(text, encoding="utf-8")
    assert command.main(["scp", "--ask", "--policy", str(file), "--out", str(out), *options]) == 1
    assert words in capsys.readouterr().out
    assert not out.exists()


def test_the_verb_writes_a_file_or_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has the policy alone; what is odd about it goes to standard error."""
    file, out = tmp_path / "policy.toml", tmp_path / "scp.json"
    file.write_text(f'{BREAK_GLASS}\n[accounts."222222222222"]\nask_by_refusal = ["*"]', encoding="utf-8")
    arguments = ["scp", "--ask", "--policy", str(file)]
    assert command.main(arguments) == 0
    printed = capsys.readouterr()
    assert refuses(json.loads(printed.out), ADA, ADD)
    assert "Refused calls ask nothing: policy key ask_by_refusal is empty." in printed.err
    assert "Refused calls ask nothing in account 222222222222: ask_by_refusal needs approvers." in printed.err
    assert command.main([*arguments, "--out", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8")) == json.loads(printed.out)
    assert command.main([*arguments, "--out", str(tmp_path / "no" / "scp.json")]) == 1
    assert "cannot be written" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "is_one_line"), [(40, False), (150, True), (300, None)])
def test_the_file_is_never_larger_than_aws_takes(number: int, is_one_line: bool | None) -> None:
    """White space goes first; what is still too large is refused."""
    principals = json.dumps([f"arn:aws:iam::*:role/a-rather-long-name-of-a-role-{index:03}" for index in range(number)])
    document = made(f"{ASKING}\n[exempt]\nprincipals = {principals}")
    if is_one_line is None:
        with pytest.raises(Exception, match="AWS takes 10240"):
            ask_scp.as_text(document)
        return
    text = ask_scp.as_text(document)
    assert json.loads(text) == document
    assert (len(text) <= LARGEST, text.count("\n") == 0) == (True, is_one_line)


# -- doctor ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def target() -> Iterator[Target]:
    """The management account of an organization."""
    with mock_aws():
        session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-west-1")
        yield Target(place=PLACE, profile="", session=session)


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what writes the checkout's policy file."""
    file = tmp_path / "policy.toml"
    monkeypatch.setattr(organization, "VENDORED_POLICY_FILE", file)
    return lambda text: [file.write_text(text, encoding="utf-8")][0] and None


def store(target: Target, content: Any, *, attach: bool = True) -> None:
    """Put a service control policy into the organization, and attach it to its root."""
    client = target.client("organizations")
    client.create_organization(FeatureSet="ALL")
    text = content if isinstance(content, str) else json.dumps(content)
    made_policy = client.create_policy(Content=text, Description="x", Name=NAME, Type="SERVICE_CONTROL_POLICY")
    if attach:
        policy_id = made_policy["Policy"]["PolicySummary"]["Id"]
        client.attach_policy(PolicyId=policy_id, TargetId=client.list_roots()["Roots"][0]["Id"])


def found(target: Target) -> list[str]:
    """Return what doctor says."""
    return list(organization.ask_policy(target))


def test_doctor_finds_nothing_in_a_policy_that_fits(target: Target, policy: Callable[[str], None]) -> None:
    """Also one that is limited to a tag, and in another order."""
    policy(GOOD)
    document = made(GOOD, only_tag="env=prod")
    document["Statement"][0]["Action"].reverse()
    store(target, document)
    assert found(target) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'guard = ["add"]\n{GOOD}', "is not what the policy file would write"),
        (GOOD.replace("break-glass", "other"), "is not what the policy file would write"),
        (ASKING, "cannot be compared with the policy file: Nobody could repair"),
        (BREAK_GLASS, "refuses calls. Refused calls ask nothing"),
    ],
)
def test_doctor_says_what_does_not_fit(target: Target, policy: Callable[[str], None], text: str, words: str) -> None:
    """The file was changed since, or would refuse to be written."""
    policy(text)
    store(target, made(GOOD))
    assert [words in sentence for sentence in found(target)] == [True]


def test_doctor_says_when_it_is_attached_to_nothing(target: Target, policy: Callable[[str], None]) -> None:
    """It refuses nothing then."""
    policy(GOOD)
    store(target, made(GOOD), attach=False)
    (sentence,) = found(target)
    assert "attached to nothing" in sentence


def test_doctor_survives_a_policy_that_is_none(target: Target, policy: Callable[[str], None]) -> None:
    """Somebody else's under the same name."""
    policy(GOOD)
    store(target, '"text"')
    assert [("cannot be read" in sentence) for sentence in found(target)] == [True]


def test_doctor_says_nothing_where_there_is_no_such_policy(target: Target, policy: Callable[[str], None]) -> None:
    """Zero exposure is a choice."""
    policy(GOOD)
    target.client("organizations").create_organization(FeatureSet="ALL")
    assert found(target) == []


def test_doctor_says_why_it_could_not_look(
    target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No access and no network are no problem; every other refusal is one."""

    def answer(error: Exception) -> None:
        def fail(_target: Target) -> Iterator[Any]:
            raise error
            yield

        monkeypatch.setattr(organization, "_deployed", fail)

    answer(EndpointConnectionError(endpoint_url="x"))
    assert found(target) == []
    assert "cannot be reached" in capsys.readouterr().out
    answer(ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListPolicies"))
    assert found(target) == []
    assert "may not look" in capsys.readouterr().out
    answer(ClientError({"Error": {"Code": "ServiceException"}}, "ListPolicies"))
    assert list(checks._run((organization.ask_policy,), target)) == [
        "ListPolicies failed: An error occurred (ServiceException) when calling the ListPolicies operation: Unknown."
    ]
