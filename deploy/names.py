"""The fixed names, listed once: what operators, templates, policies and the SCP agree on.

Topics and secrets are listed by the code that uses them; everything else in this package is derived from these lists.
Physical names are fixed because policies, alarms and the SCP name them; one account and region holds each app once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from shared.wire.messages import APPLY, DENY, ERROR_HANDLER, SECURITY_GROUP_CHANGE

App = Literal["central", "member"]
APPS: Final[tuple[App, ...]] = get_args(App)

ROOT: Final = Path(__file__).parent.parent
"""The repository."""
PROJECT: Final = "security-group-approval"
"""Prefix of everything that is not named after an app, and value of the tag ``project``."""

ROUTE: Final = "api_handler"
"""Chalice's name for the function behind the route ``buttonClick``; its physical name ends after the stage."""
REVERT: Final = "revertSecurityGroup"
SNAPSHOT: Final = "snapshotSecurityGroups"
SWEEP: Final = "sweepRequests"

TOPICS: Final[Mapping[App, tuple[str, ...]]] = {
    "central": (SECURITY_GROUP_CHANGE, DENY, ERROR_HANDLER),
    "member": (APPLY,),
}
"""Topics by the app that receives; each one feeds the function of its name."""
FROM_MEMBERS: Final = (SECURITY_GROUP_CHANGE, ERROR_HANDLER)
"""Topics of the central app that member apps publish on."""
RULES: Final[Mapping[App, tuple[str, ...]]] = {"central": (SWEEP,), "member": (REVERT, SNAPSHOT)}
"""Functions that an EventBridge rule feeds."""
FUNCTIONS: Final[Mapping[App, tuple[str, ...]]] = {
    "central": (ROUTE, *TOPICS["central"], *RULES["central"]),
    "member": (*RULES["member"], *TOPICS["member"]),
}
TABLES: Final[Mapping[App, str]] = {"central": "securityGroupRequests", "member": "securityGroupState"}

LONGEST_ROLE_NAME: Final = 64
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
_STAGE: Final = re.compile(r"[a-z][a-z0-9]{0,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One app in one account and region; in a template, CloudFormation's placeholders stand for the values.

    Attributes:
        app: ``central`` or ``member``.
        stage: e.g. ``prod``.
        partition: e.g. ``aws`` or ``aws-cn``.
        account: 12 digits.
        region: e.g. ``eu-west-1``.
    """

    app: App
    stage: str
    partition: str
    account: str
    region: str

    @property
    def chalice_stage(self) -> str:
        """Chalice's stage. It contains the region, because IAM roles are named after it and IAM is global."""
        return f"{self.stage}-{self.region}"

    @property
    def stack(self) -> str:
        """The CloudFormation stack of the foundation."""
        return f"{PROJECT}-{self.app}"

    @property
    def role(self) -> str:
        """The role that the member app's functions share."""
        return f"{PROJECT}-member-{self.chalice_stage}"

    @property
    def role_arn(self) -> str:
        """The ARN of that role."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

    @property
    def failures(self) -> str:
        """The dead-letter queue of events that a function failed on three times."""
        return f"{PROJECT}-{self.app}-failures"

    @property
    def undelivered(self) -> str:
        """The dead-letter queue of events that never reached a function."""
        return f"{PROJECT}-{self.app}-undelivered"

    @property
    def queues(self) -> tuple[str, str]:
        """Both dead-letter queues."""
        return self.failures, self.undelivered

    @property
    def state_parameter(self) -> str:
        """The SSM parameter that stores what Chalice recorded, so that any machine can deploy the next time."""
        return f"/{PROJECT}-deployments/{self.app}/{self.chalice_stage}"

    def function(self, name: str) -> str:
        """Return the physical name of a function, e.g. ``member-prod-eu-west-1-revertSecurityGroup``."""
        base = f"{self.app}-{self.chalice_stage}"
        return base if name == ROUTE else f"{base}-{name}"

    def function_arn(self, name: str) -> str:
        """Return the ARN of a function."""
        return self.arn("lambda", f"function:{self.function(name)}")

    def function_role(self, name: str) -> str:
        """Return the role of one of the central app's functions, e.g. ``central-prod-us-east-1-api_handler``."""
        return f"{self.app}-{self.chalice_stage}-{name}"

    def rule(self, name: str) -> str:
        """Return the physical name of the EventBridge rule that feeds a function."""
        return f"{self.function(name)}-event"

    def log_group(self, name: str) -> str:
        """Return the log group of a function."""
        return f"/aws/lambda/{self.function(name)}"

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def fits(self) -> bool:
        """True when every role name has at most IAM's 64 characters."""
        return max(len(self.function_role(name)) for name in FUNCTIONS["central"]) <= LONGEST_ROLE_NAME


def template_place(app: App) -> Place:
    """Return an app's place in a CloudFormation template, where every account and region is still possible."""
    return Place(
        app=app,
        stage="${Stage}",
        partition="${AWS::Partition}",
        account="${AWS::AccountId}",
        region="${AWS::Region}",
    )


def is_stage(text: str) -> bool:
    """True for a stage name: up to nine lower-case letters and digits, a letter first."""
    return _STAGE.fullmatch(text) is not None
