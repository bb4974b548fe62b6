"""The floor of a revert: a client of EC2 made while the function is loaded, and one bare call."""

import os
from typing import Any

import boto3

_EC2 = boto3.client("ec2", region_name=os.environ["AWS_REGION"])


def handler(event: dict[str, Any], _context: object) -> None:
    """Revoke the rules, and nothing else."""
    _EC2.revoke_security_group_ingress(GroupId=event["group"], SecurityGroupRuleIds=event["rules"])
