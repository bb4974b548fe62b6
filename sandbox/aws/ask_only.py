"""Somebody who may only ask: AWS refuses every call of theirs that changes a rule, as a service control policy does.

The call fails and is recorded like any other, so the product makes a question of it (docs/zero-exposure.md).
"""

from sandbox.aws.request import ApiRequest, Caller

#: The IAM user, in each member account. In Slack it is Linus, so he may not approve what he asks for.
ASKER = "linus"
ASKER_ARN = f"arn:aws:iam::*:user/{ASKER}"

GUARDED_ACTIONS = frozenset(
    {
        "AuthorizeSecurityGroupIngress",
        "RevokeSecurityGroupIngress",
        "ModifySecurityGroupRules",
        "UpdateSecurityGroupRuleDescriptionsIngress",
    }
)


def refuse(request: ApiRequest, caller: Caller) -> tuple[str, str] | None:
    """Refuse a guarded call of the one who may only ask, in AWS's words."""
    if request.service != "ec2" or request.action not in GUARDED_ACTIONS:
        return None
    if caller.kind != "IAMUser" or caller.name != ASKER:
        return None
    group = request.parameters.get("GroupId", "*")
    resource = f"arn:aws:ec2:{request.region}:{caller.account}:security-group/{group}"
    return (
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. User: {caller.arn} is not authorized to perform: "
        f"ec2:{request.action} on resource: {resource} with an explicit deny in a service control policy",
    )
