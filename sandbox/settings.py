"""The settings of a sandbox: accounts, regions, people, and the environment variables of each app.

Values only; ``system.py`` starts what they describe.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.aws.ask_only import ASKER_ARN
from sandbox.slack.workspace import TEAM_ID, SlackUser
from shared.policy.loading import read_policy_file

REPOSITORY = Path(__file__).parent.parent
STAGE = "dev"

APPROVAL_CHANNEL = "secgroup_approve"
MONITORING_CHANNEL = "secgroup_monitoring"

CHANGE_TOPIC = "securityGroupChange"
ERROR_TOPIC = "errorHandlerSecurityGroupChange"
DENY_TOPIC = "denySecurityGroupChange"
APPLY_TOPIC = "applySecurityGroupChange"

APPROVER = SlackUser(id="U0APPROVER", username="grace", name="Grace", is_approver=True)
SECOND_APPROVER = SlackUser(id="U0APPROVE2", username="linus", name="Linus", is_approver=True)
OUTSIDER = SlackUser(id="U0OUTSIDER", username="mallory", name="Mallory")

#: Events arrive at once here, so a difference counts as drift after seconds.
DRIFT_GRACE_MINUTES = 0.05

EXEMPT_ROLE = "ci-deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAccount:
    """A member account: its number, what people call it, and the policy's mode for it."""

    id: str
    name: str
    mode: str = "enforce"


SHOP = MemberAccount(id="222222222222", name="shop")
LABS = MemberAccount(id="333333333333", name="labs", mode="observe")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Everything that can be chosen before the start; the defaults are the full sandbox."""

    central_account: str = "111111111111"
    central_region: str = "us-east-1"
    members: tuple[MemberAccount, ...] = (SHOP, LABS)
    regions: tuple[str, ...] = ("us-east-1", "eu-west-1")
    """Regions in which the member accounts are guarded."""
    users: tuple[SlackUser, ...] = (APPROVER, SECOND_APPROVER, OUTSIDER)
    aws_port: int = 5000
    """0 takes a free port."""
    central_app: Path = REPOSITORY / "central"
    member_app: Path = REPOSITORY / "member"
    concurrency: int = 2
    """How many invocations of one app, account and region run at once."""
    function_timeout_seconds: float = 20.0
    """Functions use the time they have to wait for Slack; shorter than in AWS, so that faults play faster."""
    retry_delays_seconds: tuple[float, ...] = (0.5, 1.0)
    """Lambda waits one and two minutes before its two retries; here they come sooner."""
    schedules_run_by_themselves: bool = True
    """Run scheduled functions by the clock; otherwise only ``run_schedule`` runs them."""
    signing_secret: str = "sandbox-signing-secret"
    verification_token: str = "sandbox-verification-token"
    policy: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the policy that differ from the sandbox's own, e.g. ``{"require_description": True}``."""
    policy_rules: str = ""
    """The policy's ``[[rules]]``, as TOML."""
    policy_file: Path | None = None
    """A policy file to use instead of the sandbox's own policy; the apps read it again when it changes."""

    def central_environment(self, *, approval_hook: str, monitoring_hook: str) -> dict[str, str]:
        """Return central's settings by the names that operators know."""
        return {
            "slackChannel": APPROVAL_CHANNEL,
            "approvalHookUrl": approval_hook,
            "monitoringHookUrl": monitoring_hook,
            "slackSigningSecret": self.signing_secret,
            "expectedToken": self.verification_token,
            "slackTeamId": TEAM_ID,
        }

    def member_environment(self, member: MemberAccount) -> dict[str, str]:
        """Return a member app's settings by the names that operators know."""
        return {
            "centralAccountId": self.central_account,
            "centralRegion": self.central_region,
            "accountName": member.name,
        }

    def publishers(self) -> dict[str, frozenset[str]]:
        """Say which accounts may publish on which topic (by ARN), as ``deploy/`` writes it into the policies."""
        members = frozenset(member.id for member in self.members)
        central = frozenset({self.central_account})
        own = f"arn:aws:sns:{self.central_region}:{self.central_account}:"
        publishers = {own + CHANGE_TOPIC: members, own + ERROR_TOPIC: members, own + DENY_TOPIC: central}
        for member in self.members:
            for region in self.regions:
                publishers[f"arn:aws:sns:{region}:{member.id}:{APPLY_TOPIC}"] = central
        return publishers

    def policy_text(self) -> str:
        """Write the policy file: the sandbox's approvers, its exempt role, and the mode of each account."""
        keys: dict[str, Any] = {
            "mode": "enforce",
            "approvers": [user.id for user in self.users if user.is_approver],
            "drift_grace_minutes": DRIFT_GRACE_MINUTES,
            "gather_seconds": 0,
            "ask_by_dry_run": True,
            "ask_by_refusal": [ASKER_ARN],
            **self.policy,
        }
        exempt = f"arn:aws:iam::*:role/{EXEMPT_ROLE}"
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        lines += ["", "[exempt]", f"principals = {json.dumps([exempt])}"]
        lines += ["", "[people]", f"{json.dumps(ASKER_ARN)} = {json.dumps(SECOND_APPROVER.id)}"]
        for member in self.members:
            if member.mode != keys["mode"]:
                lines += ["", f'[accounts."{member.id}"]', f"mode = {json.dumps(member.mode)}"]
        return "\n".join([*lines, "", self.policy_rules]).rstrip() + "\n"

    def mode_of(self, member: MemberAccount) -> str:
        """Return the policy's mode for a member account: of ``policy_file``, where one is given."""
        if self.policy_file is None:
            return member.mode
        return read_policy_file(self.policy_file).for_account(member.id).mode


def role_of(folder: Path, app: str, function: str) -> str:
    """Name the IAM role that Chalice gives a function, from the app's ``.chalice/config.json``.

    With ``autogen_policy: false`` each function has a role of its own, otherwise the whole app has one; with
    ``manage_iam_role: false`` it is the role that the configuration names, ``<app>-role`` where that is only filled
    in by the deploy. (What stands above all stages stops a deployment of a stage that nobody configured.)
    https://aws.github.io/chalice/topics/configfile.html
    """
    file = folder / ".chalice" / "config.json"
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    stage: dict[str, Any] = config.get("stages", {}).get(STAGE, {})
    of_stage = {**stage, **stage.get("lambda_functions", {}).get(function, {})}
    scoped = {**config, **of_stage}
    arn = str(scoped.get("iam_role_arn", ""))
    if scoped.get("manage_iam_role") is False and (arn.startswith("arn:") or "manage_iam_role" in of_stage):
        return arn.rpartition("/")[2] if arn.startswith("arn:") else f"{app}-role"
    if scoped.get("autogen_policy") is False:
        return f"{app}-{STAGE}-{function}"
    return f"{app}-{STAGE}"
