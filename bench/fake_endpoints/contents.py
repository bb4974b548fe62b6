"""Puts many groups and rules into moto at once, and lifts moto's limits on them.

Through the API a thousand groups would take moto half a minute. Runs in the process of the fake endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.core.responses import ActionResult
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.ec2.models import ec2_backends
from moto.ec2.responses.security_groups import SecurityGroups

from bench.names import ACCOUNT, REGION, REQUESTS_TABLE, STATE_TABLE
from sandbox.aws.repairs import AwsRule, repaired

_LARGEST_PAGE: Final = 1000


@contextmanager
def moto_as_aws() -> Iterator[None]:
    """Keep moto's rule calls as EC2's while the context is open, in pages, and without a limit of rules per group."""
    with (
        repaired(),
        patch("sandbox.aws.repairs.calls.RULES_PER_GROUP", 1_000_000),
        # moto copies the whole table for each item of a transaction, to undo one that fails; none does here.
        patch.object(Table, "__deepcopy__", lambda table, _: table, create=True),
        _paged("describe_security_groups", "SecurityGroups"),
        _paged("describe_security_group_rules", "SecurityGroupRules"),
    ):
        yield


@contextmanager
def _paged(name: str, element: str) -> Iterator[None]:
    """Answer in pages, as EC2 does and moto does not.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html
    """
    whole = getattr(SecurityGroups, name)

    def page(response: SecurityGroups) -> ActionResult:
        found = whole(response).result[element]
        begin = int(response._get_param("NextToken") or 0)
        end = begin + int(response._get_param("MaxResults") or _LARGEST_PAGE)
        token = {"NextToken": str(end)} if end < len(found) else {}
        return ActionResult({element: found[begin:end], **token})

    with patch.object(SecurityGroups, name, page):
        yield


def add_groups(number: int, cidrs: Sequence[str], port: int) -> list[str]:
    """Make groups that open a port to some CIDR blocks each; return their ids."""
    backend = ec2_backends[ACCOUNT][REGION]
    vpc_id = backend.create_vpc("10.0.0.0/16").id
    backend.groups[vpc_id].clear()  # its default group would be one more
    groups = [backend.create_security_group("bench", "bench", vpc_id, force=True) for _ in range(number)]
    ids = [str(group.id) for group in groups]
    add_rules(ids, cidrs, port)
    return ids


def add_rules(group_ids: Sequence[str], cidrs: Sequence[str], port: int) -> None:
    """Open a port of each group to some CIDR blocks."""
    backend = ec2_backends[ACCOUNT][REGION]
    for group_id in group_ids:
        group: Any = backend.get_security_group_from_id(group_id)
        for cidr in cidrs:
            source = {"CidrIp": cidr, "Description": "bench"}
            group.ingress_rules.append(AwsRule(backend, "tcp", group_id, port, port, source, is_egress=False))


def forget() -> None:
    """Remove all groups, requests and what the member app knows."""
    for groups in ec2_backends[ACCOUNT][REGION].groups.values():
        groups.clear()
    for name in (REQUESTS_TABLE, STATE_TABLE):
        dynamodb_backends[ACCOUNT][REGION].get_table(name).items.clear()


def first_request() -> dict[str, Any]:
    """Return an item of central's table, as DynamoDB writes it."""
    table = dynamodb_backends[ACCOUNT][REGION].get_table(REQUESTS_TABLE)
    item: dict[str, Any] = table.all_items()[0].to_json()["Attributes"]
    return item


def largest_items() -> dict[str, int]:
    """Return the size in bytes of the largest item of each table, nearly as DynamoDB counts it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    tables = {name: dynamodb_backends[ACCOUNT][REGION].get_table(name) for name in (REQUESTS_TABLE, STATE_TABLE)}
    return {name: max(item.size() for item in table.all_items()) for name, table in tables.items()}
