"""The service control policy for zero exposure: it refuses the guarded calls, so that each of them becomes a question.

It is written from the policy file and denies the guarded calls to everybody but the product's roles and
``exempt.principals``. It is attached by hand; ``doctor`` only compares (``deploy/doctor/organization.py``).

What does not belong here: ``scp.json``, which keeps people from switching the product off.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from botocore.session import Session

from deploy.errors import DeployError
from deploy.names import PROJECT, is_stage
from shared.domain.policy import Policies, Policy
from shared.policy.cli.globs import DIGIT, LETTERS, PATH_AND_NAME, Form, can_match, form
from shared.policy.loading import VENDORED_POLICY_FILE, PolicyFileError, read_policy_file

NAME: Final = f"{PROJECT}-ask"
"""What the policy is called in AWS; doctor looks for names that begin like this."""

LARGEST: Final = 10_240
"""Characters of a service control policy, white space included.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""

TAG_KEY: Final = "aws:ResourceTag/"

_ADD: Final = {"ingress": "ec2:AuthorizeSecurityGroupIngress", "egress": "ec2:AuthorizeSecurityGroupEgress"}
_REMOVE: Final = {"ingress": "ec2:RevokeSecurityGroupIngress", "egress": "ec2:RevokeSecurityGroupEgress"}
_DESCRIBE: Final = {
    "ingress": "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    "egress": "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
}
_MODIFY: Final = "ec2:ModifySecurityGroupRules"
"""It takes rules of both directions, and no condition tells them apart."""

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
_TAG: Final = re.compile(r"(?P<key>[\w .:/+\-@]{1,128})=(?P<value>[\w .:/=+\-@]{1,256})")
_ANYBODY: Final = ("role/q7", "user/Zk/w_9", "role/0.x@y")

Json = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--ask", action="store_true", required=True, help="the one that makes refused calls ask")
    parser.add_argument("--only-tag", metavar="KEY=VALUE", default="", help="only groups with this tag")
    parser.add_argument("--policy", type=Path, default=VENDORED_POLICY_FILE, metavar="FILE", help="shared/policy.toml")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it; standard output otherwise")
    # Not `stage`: this verb works in no account.
    parser.add_argument("--stage", dest="of_stage", default="prod", help="of the member apps")


def write_scp(
    target: None,  # noqa: ARG001 - it works in no account
    *,
    ask: bool,  # noqa: ARG001 - the only one there is
    only_tag: str,
    policy: Path,
    out: Path | None,
    of_stage: str,
) -> int:
    """Write the service control policy.

    Raises:
        DeployError: when the policy file cannot be used, guards nothing, or exempts nobody.
    """
    policies = read_policies(policy)
    text = as_text(service_control_policy(policies, stage=of_stage, only_tag=only_tag))
    for line in warnings(policies):
        print(f"  · {line}", file=sys.stderr)
    if out is None:
        print(text, end="")
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DeployError(f"{out} cannot be written: {error.strerror or error}.") from error
    print(f"  ✓ {out} is written ({len(text)} of {LARGEST} characters); docs/zero-exposure.md says how to attach it")
    return 0


def read_policies(path: Path) -> Policies:
    """Read a policy file.

    Raises:
        DeployError: when it cannot be used.
    """
    try:
        return read_policy_file(path)
    except PolicyFileError as error:
        raise DeployError(str(error)) from error


def service_control_policy(policies: Policies, *, stage: str, only_tag: str = "") -> Json:
    """Return the service control policy that fits a policy file.

    Accounts whose section guards other calls, or exempts others, have a statement of their own.

    Args:
        policies: of the file.
        stage: of the member apps, e.g. ``prod``; their roles are named after it.
        only_tag: limits it to groups with this tag, e.g. ``env=prod``.

    Raises:
        DeployError: when it would deny nothing, or leave nobody to repair things by hand.
    """
    if not is_stage(stage):
        raise DeployError(f"The stage {stage!r} is not valid: use up to nine lower-case letters and digits.")
    tag = _tag(only_tag)
    others: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    general = _kind(policies.general)
    for account, policy in policies.accounts:
        if _kind(policy) != general:
            others.setdefault(_kind(policy), []).append(account)
    special = sorted(account for accounts in others.values() for account in accounts)
    statements = [_statement("AskFirst", policies.general, stage, _without_accounts(special), tag)]
    for number, accounts in enumerate(others.values(), start=2):
        policy = policies.for_account(accounts[0])
        where = {"StringEquals": {"aws:PrincipalAccount": sorted(accounts)}}
        statements.append(_statement(f"AskFirst{number}", policy, stage, where, tag, accounts=accounts))
    kept = [statement for statement in statements if statement["Action"]]
    if not kept:
        raise DeployError("The policy guards nothing (policy keys guard, directions), so there is nothing to deny.")
    return {"Version": "2012-10-17", "Statement": kept}


def as_text(document: Json) -> str:
    """Return the policy as a file, without line breaks where it is too large with them.

    Raises:
        DeployError: when it is too large without them, too.
    """
    text = json.dumps(document, indent=2) + "\n"
    if len(text) > LARGEST:
        text = json.dumps(document, separators=(",", ":"))
    if len(text) > LARGEST:
        raise DeployError(
            f"The service control policy has {len(text)} characters, AWS takes {LARGEST}: list fewer principals under "
            "exempt.principals, e.g. by a path that they share (arn:*:iam::*:role/pipelines/*)."
        )
    return text


def warnings(policies: Policies) -> list[str]:
    """Return what is wrong with refusing calls under this policy: refused calls that ask nothing are only refused."""
    found = []
    for name, policy in (("", policies.general), *policies.accounts):
        where = f" in account {name}" if name else ""
        if not policy.ask_by_refusal:
            found.append(f"Refused calls ask nothing{where}: policy key ask_by_refusal is empty.")
        elif not policy.approvers:
            found.append(f"Refused calls ask nothing{where}: ask_by_refusal needs approvers.")
    return found


def _kind(policy: Policy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(_actions(policy)), policy.exempt_principals


def _actions(policy: Policy) -> list[str]:
    kinds = {"add": [_ADD], "remove": [_REMOVE], "modify": [_DESCRIBE]}
    listed = [action[direction] for kind in policy.guard for action in kinds[kind] for direction in policy.directions]
    return sorted([*listed, *([_MODIFY] if "modify" in policy.guard and policy.directions else [])])


def _statement(
    sid: str, policy: Policy, stage: str, where: Json, tag: Json, *, accounts: list[str] | None = None
) -> Json:
    """Return the statement of one kind of account; where its policy guards nothing, one without actions."""
    actions = _actions(policy)
    if actions:
        _check_exempt(policy.exempt_principals, accounts or [])
    own = f"arn:*:iam::*:role/{PROJECT}-member-{stage}-*"
    # Not ArnNotLike, which compares part by part: a glob of the policy may stand for several parts.
    condition = {"StringNotLike": {"aws:PrincipalArn": [own, *policy.exempt_principals]}, **where}
    if tag:
        condition["StringEquals"] = {**condition.get("StringEquals", {}), **tag}
    return {"Sid": sid, "Effect": "Deny", "Action": actions, "Resource": "*", "Condition": condition}


def _without_accounts(accounts: list[str]) -> Json:
    return {"StringNotEquals": {"aws:PrincipalAccount": accounts}} if accounts else {}


def _check_exempt(principals: tuple[str, ...], accounts: list[str]) -> None:
    where = f" in account {accounts[0]}" if accounts else ""
    account_arns = [
        f"arn:{partition}:iam::{(accounts or ['0' * 12])[0]}:" for partition in Session().get_available_partitions()
    ]
    for pattern in principals:
        if "[" in pattern or "${" in pattern:
            raise DeployError(
                f'exempt.principals "{pattern}"{where}: write it without [ and $, which AWS does not know.'
            )
        if any(all(fnmatchcase(f"{arn}{name}", pattern) for name in _ANYBODY) for arn in account_arns):
            raise DeployError(f'exempt.principals "{pattern}" exempts everybody{where}, so nothing would be denied.')
    for account in accounts or [""]:
        if not any(can_match(pattern, one) for pattern in principals for one in _principals_of(account)):
            raise DeployError(
                f"Nobody could repair a group by hand{f' in account {account}' if account else ''} while the "
                "product is down: list a break-glass role under exempt.principals first, e.g. "
                '"arn:*:iam::*:role/break-glass" (docs/zero-exposure.md).'
            )


def _principals_of(account: str) -> tuple[Form, ...]:
    """Return the forms of principals that may be exempt, of one account or of any."""
    start = ("arn:aws", LETTERS, ":iam::", *((account,) if account else (DIGIT,) * 12))
    return (form(*start, ":role/", PATH_AND_NAME), form(*start, ":user/", PATH_AND_NAME), form(*start, ":root"))


def _tag(text: str) -> Json:
    if not text:
        return {}
    found = _TAG.fullmatch(text)
    if found is None:
        raise DeployError(f"--only-tag {text!r} is not a tag: write KEY=VALUE, e.g. env=prod.")
    return {f"{TAG_KEY}{found['key']}": found["value"]}


def tag_of(document: Mapping[str, Any]) -> str:
    """Return the tag that a service control policy of this kind is limited to, as ``--only-tag`` takes it."""
    for statement in document.get("Statement", ()):
        for key, value in statement.get("Condition", {}).get("StringEquals", {}).items():
            if key.startswith(TAG_KEY):
                return f"{key.removeprefix(TAG_KEY)}={value}"
    return ""
