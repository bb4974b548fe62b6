"""Why something could not be done to a rule or a group: EC2 said no, or our own check did.

One type for both, so that a code and its reason are written down once and shown everywhere in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.domain.rule import Rule

GROUP_GONE: Final = frozenset({"InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSecurityGroupID.NotFound"})
RULE_GONE: Final = frozenset({"InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"})
RULE_THERE: Final = frozenset({"InvalidPermission.Duplicate"})

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html: throttling and server errors pass.
_TEMPORARY: Final = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "RequestThrottled",
        "EC2ThrottledException",
        "TooManyRequestsException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ServiceUnavailable",
        "Unavailable",
        "RequestTimeout",
        "RequestExpired",
        "DependencyViolation.Retry",
    }
)
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A no, and why.

    Attributes:
        code: EC2's error code, e.g. ``InvalidPermission.Duplicate``, or one of ours, e.g. ``UnknownRequest``.
        reason: a sentence for people.
        is_temporary: trying again can help.
        rule: the rule it is about, where it is about one.
    """

    code: str
    reason: str
    is_temporary: bool = False
    rule: Rule | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"

    def about(self, rule: Rule) -> Refusal:
        """Return the refusal with the rule that it is about."""
        return replace(self, rule=rule)


def refusal_of(code: str, reason: str, status: int = 0) -> Refusal:
    """Return what an error that EC2 answered means.

    Args:
        code: EC2's error code.
        reason: its message.
        status: HTTP status of the answer, where it is known.
    """
    return Refusal(code=code, reason=reason, is_temporary=code in _TEMPORARY or status >= _SERVER_ERROR)


NOT_IN_FORCE: Final = Refusal(code="NotInForce", reason="EC2 reported success, but the group did not change.")


class Ec2Error(RuntimeError):
    """EC2 refused a call, or did not answer.

    Attributes:
        refusal: what it said.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal

    @property
    def is_temporary(self) -> bool:
        """True when trying again can help."""
        return self.refusal.is_temporary
