"""The real aws command line against the sandbox's endpoint: whatever form a change has, the loop runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.settings import SHOP, SandboxSettings
from sandbox.slack.workspace import Message
from sandbox.system import Sandbox
from sandbox.web.stage import make_groups, shell_lines

pytestmark = [pytest.mark.aws_cli, pytest.mark.slow]

AWS = Path(sys.executable).parent / "aws"
REGION = "us-east-1"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The real apps in one account, with the groups of the page."""
    if not AWS.exists():
        pytest.skip(f"no aws command line beside {sys.executable} (awscli of requirements.txt)")
    settings = SandboxSettings(members=(SHOP,), regions=(REGION,), aws_port=0, schedules_run_by_themselves=False)
    with Sandbox(settings) as sandbox:
        make_groups(sandbox)
        yield sandbox


def environment(sandbox: Sandbox, who: str) -> dict[str, str]:
    """Return the environment that pasting the printed lines makes."""
    made = {"PATH": os.environ["PATH"], "HOME": os.devnull, "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": ""}
    for line in shell_lines(sandbox.aws_url, sandbox.aws.credentials(SHOP.id, who)):
        command, _, rest = line.partition(" ")
        name, _, value = rest.partition("=")
        if command == "export":
            made[name] = value
    return made


def aws(sandbox: Sandbox, *arguments: str, who: str = "user") -> Any:
    """Run an aws ec2 command as somebody and wait until all that it causes has happened."""
    done = subprocess.run(
        [AWS, "ec2", *arguments, "--output", "json"],
        env=environment(sandbox, who),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sandbox.wait_until_idle()
    return json.loads(done.stdout) if done.stdout.strip() else {}


def group_id(sandbox: Sandbox, name: str) -> str:
    """Find a group by its name."""
    found = sandbox.aws.ec2(SHOP).describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    (group,) = found["SecurityGroups"]
    return str(group["GroupId"])


def rules(sandbox: Sandbox, group: str) -> dict[str, dict[str, Any]]:
    """Return the inbound rules of a group by id."""
    return {rule["SecurityGroupRuleId"]: rule for rule in sandbox.aws.rules(SHOP, group)}


def approve(sandbox: Sandbox, button: str) -> Message:
    """Click the newest question's button as an approver; returns the question."""
    question = [m for m in sandbox.slack.messages("secgroup_approve") if button in m.button_texts()][-1]
    assert sandbox.click(sandbox.slack.user("grace"), question, button).in_time
    sandbox.wait_until_idle()
    return question


def test_authorize_by_the_flat_form(sandbox: Sandbox) -> None:
    """--protocol, --port and --cidr: reverted, asked, and applied after the approval."""
    group = group_id(sandbox, "batch")
    authorize = ["authorize-security-group-ingress", "--group-id", group]
    answer = aws(sandbox, *authorize, "--protocol", "tcp", "--port", "22", "--cidr", "203.0.113.7/32")
    assert answer["Return"] is True
    assert rules(sandbox, group) == {}
    question = approve(sandbox, "Approve Add")
    assert "203.0.113.7/32" in question.text
    listed = aws(sandbox, "describe-security-group-rules", "--filters", f"Name=group-id,Values={group}")
    (rule,) = [rule for rule in listed["SecurityGroupRules"] if not rule["IsEgress"]]
    assert (rule["FromPort"], rule["CidrIpv4"]) == (22, "203.0.113.7/32")


def test_authorize_of_several_kinds_by_ip_permissions(sandbox: Sandbox) -> None:
    """IPv4, IPv6, a group, a prefix list and ICMP in one call of a role session: all vanish, all come back."""
    ec2 = sandbox.aws.ec2(SHOP, who="ci")
    group = ec2.create_security_group(GroupName="kinds", Description="x")["GroupId"]
    offices = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=1, AddressFamily="IPv4", Entries=[{"Cidr": "10.9.0.0/16"}]
    )["PrefixList"]["PrefixListId"]
    web = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 444,
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "intern"}, {"CidrIp": "0.0.0.0/0"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
        "UserIdGroupPairs": [{"GroupId": group}],
        "PrefixListIds": [{"PrefixListId": offices, "Description": "all offices"}],
    }
    ping = {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    permissions = json.dumps([web, ping, everything])
    asked = aws(
        sandbox, "authorize-security-group-ingress", "--group-id", group, "--ip-permissions", permissions, who="sso"
    )
    assert len(asked["SecurityGroupRules"]) == 7
    assert rules(sandbox, group) == {}
    approve(sandbox, "Approve Add")
    assert {shown(rule) for rule in rules(sandbox, group).values()} == {
        shown(rule) for rule in asked["SecurityGroupRules"]
    }


def test_revoke_by_rule_ids(sandbox: Sandbox) -> None:
    """--security-group-rule-ids: the rules are restored, and gone once that is approved."""
    group = group_id(sandbox, "backend")
    known = rules(sandbox, group)
    before, ids = {shown(rule) for rule in known.values()}, list(known)
    revoke = ["revoke-security-group-ingress", "--group-id", group, "--security-group-rule-ids"]
    aws(sandbox, *revoke, *ids)
    assert {shown(rule) for rule in rules(sandbox, group).values()} == before
    approve(sandbox, "Approve Remove")
    assert rules(sandbox, group) == {}


def test_modify_in_place(sandbox: Sandbox) -> None:
    """modify-security-group-rules: edited back, and edited again after the approval, under the same id."""
    group = group_id(sandbox, "frontend")
    (rule_id, rule) = next((key, rule) for key, rule in rules(sandbox, group).items() if rule["FromPort"] == 80)
    values = "{IpProtocol=tcp,FromPort=8080,ToPort=8080,CidrIpv4=10.0.0.0/8,Description=moved}"
    change = f"SecurityGroupRuleId={rule_id},SecurityGroupRule={values}"
    aws(sandbox, "modify-security-group-rules", "--group-id", group, "--security-group-rules", change, who="sso")
    assert shown(rules(sandbox, group)[rule_id]) == shown(rule)
    approve(sandbox, "Approve Change")
    assert shown(rules(sandbox, group)[rule_id])[1:] == (8080, 8080, "10.0.0.0/8", "moved")


def shown(rule: dict[str, Any]) -> tuple[Any, ...]:
    """Return what makes a rule: protocol, ports, source, description; not its id."""
    reference = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    source = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or reference
    # Without ports, one answer of moto says -1 and another one says nothing.
    return rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1), source, rule.get("Description", "")
