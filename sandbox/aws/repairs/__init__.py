"""Corrects moto where it differs from AWS in ways that the product would notice.

Each repair names the AWS behaviour it restores, and has a test of its own. The repairs replace attributes of
moto's classes while :func:`repaired` is open, and put the originals back afterwards, so that other users of
moto in the same process see it unchanged. Nothing here knows of accounts, of CloudTrail or of the product.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core import serialize
from moto.ec2.models import security_groups as models
from moto.ec2.responses.security_groups import SecurityGroups

from sandbox.aws.repairs import calls, limits
from sandbox.aws.repairs.requests import RequestContext
from sandbox.aws.repairs.rules import AwsRule, grouped_rules

__all__ = ["AwsRule", "repaired"]

#: What is replaced: the owner (a class or a module), the attribute's name, and its replacement.
REPAIRS: tuple[tuple[Any, str, Any], ...] = (
    (serialize, "SerializationContext", RequestContext),
    (models, "SecurityGroupRule", AwsRule),
    (models.SecurityGroup, "_flattened_rules", grouped_rules),
    (SecurityGroups, "create_security_group", limits.create_security_group),
    (SecurityGroups, "authorize_security_group_ingress", calls.authorize_ingress),
    (SecurityGroups, "authorize_security_group_egress", calls.authorize_egress),
    (SecurityGroups, "revoke_security_group_ingress", calls.revoke_ingress),
    (SecurityGroups, "revoke_security_group_egress", calls.revoke_egress),
    (SecurityGroups, "modify_security_group_rules", calls.modify),
    (SecurityGroups, "update_security_group_rule_descriptions_ingress", calls.describe_ingress),
    (SecurityGroups, "update_security_group_rule_descriptions_egress", calls.describe_egress),
)


@contextmanager
def repaired() -> Iterator[None]:
    """Keep every repair in force while the context is open."""
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in REPAIRS]
    for owner, name, replacement in REPAIRS:
        setattr(owner, name, replacement)
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
