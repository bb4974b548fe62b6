"""Every EC2 call the product makes.

Callers see rules in and rules out, and :class:`Ec2Error` with EC2's code and whether trying again can help. EC2's forms
of rules (``ec2.forms``) are imported by the methods that need them: revoking a rule by its id does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.clients import client
from shared.telemetry import count, logger
from shared.wire.fields import FieldError

from .refusal import GROUP_GONE, Ec2Error, Refusal, refusal_of

if TYPE_CHECKING:
    from shared.aws.clients import RetryProfile
    from shared.domain.rule import Direction, Rule

    from ..rule_set import RuleSet
    from .plan import Authorize, Describe, Modify, Revoke

GROUPS_PER_PAGE: Final = 1000
RULES_PER_PAGE: Final = 300
"""EC2 allows 1000. A rule may carry 50 tags of 128 + 256 characters: a thousand of those are a page of 60 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """What EC2 says of a group itself."""

    group_id: str
    name: str
    owner: str


class SecurityGroups:
    """The security groups of one account in one region.

    Args:
        region: e.g. ``eu-west-1``.
        account: 12-digit account; the owner of referenced groups where EC2 does not name one.
        retries: timeouts and retries of its calls.
    """

    def __init__(self, region: str, account: str, *, retries: RetryProfile = "standard") -> None:
        self.region = region
        self.account = account
        self._client: Any = client("ec2", region, retries=retries)

    def rules(self, group_id: str) -> RuleSet:
        """Return all rules of a group, both directions; of a group that is gone, none.

        A rule that cannot be read is left out, logged and counted: it must not keep others in force.
        """
        from ..rule_set import RuleSet

        wanted = [{"Name": "group-id", "Values": [group_id]}]
        found = [rule for _, rule in self._rules(Filters=wanted)]
        unreadable = [rule for rule in found if isinstance(rule, FieldError)]
        if unreadable:
            count("UnreadableRules")
            logger.error("live rules unreadable", extra={"group": group_id, "problem": str(unreadable[0])})
        return RuleSet(rule for rule in found if not isinstance(rule, FieldError))

    def all_rules(self) -> Iterator[tuple[str, Rule | FieldError]]:
        """Yield (group id, rule) for every rule of the region, page by page.

        In the place of a rule that cannot be read stands its error: one odd rule must not hide all other groups.
        """
        return self._rules()

    def _rules(self, **selection: Any) -> Iterator[tuple[str, Rule | FieldError]]:
        from .forms import rule_from_api

        for item in self._pages("describe_security_group_rules", "SecurityGroupRules", RULES_PER_PAGE, **selection):
            try:
                rule: Rule | FieldError = rule_from_api(item, self.account)
            except FieldError as error:
                rule = FieldError(f"{item.get('SecurityGroupRuleId', 'rule')}.{error.path}", error.problem)
            yield str(item["GroupId"]), rule

    def all_groups(self) -> Iterator[GroupFacts]:
        """Yield every group of the region, page by page."""
        for item in self._pages("describe_security_groups", "SecurityGroups", GROUPS_PER_PAGE):
            yield GroupFacts(group_id=item["GroupId"], name=item["GroupName"], owner=item["OwnerId"])

    def group(self, group_id: str) -> GroupFacts | None:
        """Return a group, or ``None`` when it is gone."""
        return self._one_group(GroupIds=[group_id])

    def group_named(self, name: str) -> GroupFacts | None:
        """Return the group of the default VPC with this name: the only kind the API takes by name."""
        return self._one_group(GroupNames=[name])

    def revoke_ids(self, group_id: str, direction: Direction, rule_ids: tuple[str, ...]) -> None:
        """Revoke rules by id in one call.

        Raises:
            Ec2Error: ``RULE_GONE`` for a call of one rule means it is gone already.
        """
        call = self._of(direction, "revoke_security_group_ingress", "revoke_security_group_egress")
        self._run(call, GroupId=group_id, SecurityGroupRuleIds=list(rule_ids))

    def revoke(self, group_id: str, step: Revoke) -> None:
        """Carry out a revoke: by rule ids where all are known, otherwise by permission."""
        if step.rule_ids is not None:
            self.revoke_ids(group_id, step.direction, step.rule_ids)
            return
        from .forms import permissions

        call = self._of(step.direction, "revoke_security_group_ingress", "revoke_security_group_egress")
        self._run(call, GroupId=group_id, IpPermissions=permissions(step.rules, with_descriptions=False))

    def authorize(self, group_id: str, step: Authorize) -> None:
        """Carry out an authorize, with descriptions and tags."""
        from .forms import permissions, tag_specification

        call = self._of(step.direction, "authorize_security_group_ingress", "authorize_security_group_egress")
        tags = tag_specification(step.rules)
        more: dict[str, Any] = {"TagSpecifications": tags} if tags else {}
        self._run(call, GroupId=group_id, IpPermissions=permissions(step.rules, with_descriptions=True), **more)

    def dry_run(self, group_id: str, rule: Rule) -> str:
        """Ask whether a rule could be added, without adding it; return the code of EC2's answer.

        ``DryRunOperation`` says that it could be.

        Raises:
            Ec2Error: when EC2 could not be asked.
        """
        from .forms import permissions

        call = self._client.authorize_security_group_ingress
        try:
            self._run(call, GroupId=group_id, IpPermissions=permissions((rule,), with_descriptions=False), DryRun=True)
        except Ec2Error as error:
            if error.is_temporary:
                raise
            return error.refusal.code
        return ""

    def modify(self, group_id: str, step: Modify) -> None:
        """Edit one rule in place."""
        from .forms import rule_request

        update = {"SecurityGroupRuleId": step.rule_id, "SecurityGroupRule": rule_request(step.edit.after)}
        self._run(self._client.modify_security_group_rules, GroupId=group_id, SecurityGroupRules=[update])

    def describe(self, group_id: str, step: Describe) -> None:
        """Set the descriptions of rules, by permission."""
        from .forms import permissions

        call = self._of(
            step.direction,
            "update_security_group_rule_descriptions_ingress",
            "update_security_group_rule_descriptions_egress",
        )
        rules = tuple(edit.after for edit in step.edits)
        self._run(call, GroupId=group_id, IpPermissions=permissions(rules, with_descriptions=True))

    def _of(self, direction: Direction, ingress: str, egress: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self._client, ingress if direction == "ingress" else egress)
        return call

    def _one_group(self, **selection: Any) -> GroupFacts | None:
        try:
            found = self._run(self._client.describe_security_groups, **selection)["SecurityGroups"]
        except Ec2Error as error:
            if error.refusal.code in GROUP_GONE:
                return None
            raise
        facts = (GroupFacts(group_id=one["GroupId"], name=one["GroupName"], owner=one["OwnerId"]) for one in found)
        return next(facts, None)

    def _pages(self, operation: str, key: str, size: int, **arguments: Any) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **arguments)
        try:
            for page in pages:
                yield from page[key]
        except (ClientError, BotoCoreError) as error:
            raise translated(error) from error

    def _run(self, call: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return call(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise translated(error) from error


def translated(error: ClientError | BotoCoreError) -> Ec2Error:
    """Return what botocore raised as this app's own error."""
    if isinstance(error, ClientError):
        answer, status = error.response["Error"], error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return Ec2Error(refusal_of(answer.get("Code", "Unknown"), answer.get("Message", ""), status))
    # Connection and time-out errors; a wrong argument of ours (ParamValidationError) would fail again.
    code = type(error).__name__
    return Ec2Error(Refusal(code=code, reason=str(error), is_temporary=code != "ParamValidationError"))
