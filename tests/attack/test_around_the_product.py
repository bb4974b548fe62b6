"""What stands around the two apps: the policy that keeps people's hands off, and reports read in a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.reporting import lines
from tests.support.central_account import ADA, make_record, make_request

SCP = json.loads((Path(__file__).parents[2] / "deploy" / "scp.json").read_text(encoding="utf-8"))["Statement"]


def test_a_report_cannot_act_on_the_terminal_it_is_read_in() -> None:
    """Names and reasons come from whoever changed a group; what cannot be seen is written as an escape."""
    text = "\x1b]0;x\x07\x1b[2J\n\u202e"
    request = make_request(account_name=text, reason=text, requester=replace(ADA, name=text))
    assert all(line.isprintable() for line in lines([make_record(request)]))


def exempt(statement: dict[str, Any]) -> set[str]:
    """Return the roles a statement does not bind, as patterns of their ARNs."""
    return set(statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"])


@pytest.mark.parametrize("pattern", sorted(set().union(*(exempt(one) for one in SCP))))
def test_nobody_may_make_a_role_that_the_service_control_policy_does_not_bind(pattern: str) -> None:
    """A name is all it takes to be exempt, so making or changing a role of such a name is denied to everybody else."""
    (keeping,) = [one for one in SCP if one["Sid"] == "KeepRole"]
    assert {"iam:CreateRole", "iam:UpdateAssumeRolePolicy"} <= set(keeping["Action"])
    kept = [one.removesuffix("*") for one in keeping["Resource"]]
    assert any(pattern.startswith(one) for one in kept), pattern
