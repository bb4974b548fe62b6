"""Measures ``python -m shared.policy replay`` on a generated trail: ``python -m bench.trails [--records 100000]``.

Every record is a security group call, which is the worst case: real trails have mostly others, which are skipped.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PER_FILE: Final = 2_000
_ACCOUNTS: Final = tuple(f"{number:012d}" for number in range(200000000000, 200000000020))
_REGIONS: Final = ("eu-west-1", "us-east-1", "ap-south-1")
_POLICY: Final = """
offer_hours = [8]
[[rules]]
match = { source = ["internet"], ports = ["22", "3389"], protocols = ["tcp"], kinds = ["add", "modify"] }
approvals = 2
max_hours = 8
[[rules]]
match = { source = ["internet"], ports = ["23"] }
deny = "Telnet is never opened to the internet."
[[rules]]
match = { source = ["private"], ports = ["443", "8000-8100"], protocols = ["tcp"] }
approvals = 0
[[rules]]
match = { source = ["public"], groups = ["sg-00*"] }
approvals = 2
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a trail, play it, and print time and peak memory; return the exit status of the verb."""
    parser = argparse.ArgumentParser(prog="python -m bench.trails", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="how many (default: %(default)s)")
    parser.add_argument("--groups", type=int, default=3_000, help="how many groups they change (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_trail(folder, options.records, groups=options.groups)
        (folder / "policy.toml").write_text(_POLICY)
        begun = time.monotonic()
        command = [sys.executable, "-m", "shared.policy", "replay", name, "--policy", str(folder / "policy.toml")]
        done = subprocess.run(command, check=False)
        seconds = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime
    memory = used.ru_maxrss / 1024
    print(
        f"\n{options.records:,} records: {seconds:.1f} s ({processor:.1f} s of a processor), {memory:.0f} MB at most."
    )
    return done.returncode


def write_trail(folder: Path, records: int, *, groups: int) -> None:
    """Write log files as CloudTrail names them.

    Args:
        folder: where.
        records: how many, in order of time.
        groups: how many groups they change.
    """
    trail = generated(records, groups=groups)
    number = 0
    while some := list(itertools.islice(trail, _PER_FILE)):  # this process stays small, so that memory is the verb's
        written = datetime.fromisoformat(some[0]["eventTime"])
        name = f"{_ACCOUNTS[0]}_CloudTrail_eu-west-1_{written:%Y%m%dT%H%MZ}_{number:016d}.json.gz"
        (folder / name).write_bytes(gzip.compress(json.dumps({"Records": some}).encode(), 1))
        number += 1


def generated(records: int, *, groups: int) -> Iterator[dict[str, Any]]:
    """Yield records of additions, removals and edits: people, pipelines, and a controller that repeats itself."""
    chance = random.Random(7)  # noqa: S311 - a trail that can be generated again
    made: list[tuple[str, str, str, dict[str, Any]]] = []
    moment = _START
    for number in range(records):
        moment += timedelta(seconds=chance.choice((0, 1, 5, 40, 300)))
        kind = chance.random()
        if made and kind < 0.2:
            account, region, group, rule = made.pop(chance.randrange(len(made)))
            yield _record(number, moment, account, region, chance, _removal(group, rule))
        elif made and kind < 0.3:
            account, region, group, rule = made[chance.randrange(len(made))]
            yield _record(number, moment, account, region, chance, _edit(group, rule, chance))
        else:
            at = chance.randrange(groups)
            account, region = _ACCOUNTS[at % len(_ACCOUNTS)], _REGIONS[at % len(_REGIONS)]
            group = f"sg-{at:017x}"
            rule = _rule(number, group, account, chance)
            made.append((account, region, group, rule))
            if len(made) > 10 * groups:
                made.pop(0)
            yield _record(number, moment, account, region, chance, _addition(group, rule))


def _rule(number: int, group: str, account: str, chance: random.Random) -> dict[str, Any]:
    port = chance.choice((22, 23, 80, 443, 3389, 5432, 8080))
    source = chance.choice(
        ("0.0.0.0/0", f"10.{chance.randrange(256)}.0.0/16", f"203.0.113.{chance.randrange(256)}/32", "11.0.0.0/9")
    )
    return {
        "groupId": group,
        "groupOwnerId": account,
        "securityGroupRuleId": f"sgr-{number:017x}",
        "isEgress": False,
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "cidrIpv4": source,
    }


def _addition(group: str, rule: dict[str, Any]) -> dict[str, Any]:
    permission = {
        "ipProtocol": "tcp",
        "fromPort": rule["fromPort"],
        "toPort": rule["toPort"],
        "ipRanges": {"items": [{"cidrIp": rule["cidrIpv4"]}]},
    }
    return {
        "eventName": "AuthorizeSecurityGroupIngress",
        "requestParameters": {"groupId": group, "ipPermissions": {"items": [permission]}},
        "responseElements": {"_return": True, "securityGroupRuleSet": {"items": [rule]}},
    }


def _removal(group: str, rule: dict[str, Any]) -> dict[str, Any]:
    ids = {"items": [{"securityGroupRuleId": rule["securityGroupRuleId"]}]}
    return {
        "eventName": "RevokeSecurityGroupIngress",
        "requestParameters": {"groupId": group, "securityGroupRuleIds": ids},
        "responseElements": {"_return": True},
    }


def _edit(group: str, rule: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    values = {
        "IpProtocol": "tcp",
        "FromPort": rule["fromPort"],
        "ToPort": rule["toPort"],
        "CidrIpv4": f"10.{chance.randrange(256)}.0.0/16",
        "Description": "edited",
    }
    edit = {"SecurityGroupRuleId": rule["securityGroupRuleId"], "SecurityGroupRule": values}
    parameters = {"GroupId": group, "SecurityGroupRule": edit}
    return {
        "eventName": "ModifySecurityGroupRules",
        "requestParameters": {"ModifySecurityGroupRulesRequest": parameters},
        "responseElements": {"ModifySecurityGroupRulesResponse": {"return": True}},
    }


def _record(
    number: int, moment: datetime, account: str, region: str, chance: random.Random, call: dict[str, Any]
) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": _identity(account, chance),
        "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "ec2.amazonaws.com",
        "awsRegion": region,
        "requestID": f"00000000-0000-4000-8000-{number:012d}",
        "eventID": f"10000000-0000-4000-8000-{number:012d}",
        "recipientAccountId": account,
        "eventCategory": "Management",
        **call,
    }


def _identity(account: str, chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.3:
        name = f"user-{chance.randrange(40)}"
        return {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/{name}", "accountId": account, "userName": name}
    role = chance.choice(("deploy", "terraform", "eks-controller"))
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "accountId": account, "userName": role}
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/session",
        "accountId": account,
        "sessionContext": {"sessionIssuer": issuer},
    }


if __name__ == "__main__":
    sys.exit(main())
