"""The fake endpoints, asked by real clients. No test measures a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from bench.fake_endpoints.bucket import Bucket
from bench.fake_endpoints.client import LATENCY_MS, FakeEndpoints
from bench.fake_endpoints.ended_requests import EndedRequests
from bench.names import REGION, REQUESTS_TABLE
from bench.shipped import Shipped
from bench.world import World, cidrs
from member.chalicelib.cloudtrail.event import created_rule_ids, read_head, read_rules


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An account without functions."""
    with World(Shipped(functions={}, floors={}, facts={})) as one:
        yield one


def _client(endpoints: FakeEndpoints, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # any service
        service,
        region_name=REGION,
        endpoint_url=endpoints.url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def test_a_call_is_recorded_with_its_times(world: World) -> None:
    """It is answered no sooner than its latency says; what the set-up calls is not recorded."""
    world.endpoints.take()
    world.endpoints.client("dynamodb").describe_table(TableName=REQUESTS_TABLE)
    _client(world.endpoints, "dynamodb").describe_table(TableName=REQUESTS_TABLE)
    (call,) = world.endpoints.take()
    assert (call.service, call.operation, call.status) == ("dynamodb", "DescribeTable", 200)
    assert 1000 * (call.answered - call.arrived) == pytest.approx(LATENCY_MS["dynamodb"] + call.late_ms)
    assert call.late_ms >= 0


def test_rules_come_in_pages_without_a_limit(world: World) -> None:
    """A group may have more than moto's sixty rules, and EC2's pages have a thousand."""
    (group_id,) = world.groups(1, cidrs=cidrs(1200))
    pages = (
        _client(world.endpoints, "ec2")
        .get_paginator("describe_security_group_rules")
        .paginate(Filters=[{"Name": "group-id", "Values": [group_id]}], PaginationConfig={"PageSize": 1000})
    )
    assert [len(page["SecurityGroupRules"]) for page in pages] == [1000, 201]  # with the outbound rule


def test_the_product_reads_the_event_of_an_opened_port(world: World) -> None:
    """The event names the rules that EC2 made, whatever their sources."""
    group_id, other = world.groups(2)
    for opened in (world.open(group_id), world.open(group_id, references=[other])):
        call = read_rules(opened.event, read_head(opened.event))
        assert list(created_rule_ids(opened.event)) == opened.bare["rules"]
        assert call.resulting is not None
        assert {rule.identity for rule in call.resulting} == {rule.identity for rule in call.requested}


def test_a_limit_refuses_what_is_too_much(world: World) -> None:
    """EC2's error code is the one that makes clients try again."""
    world.endpoints.ask("limits", DescribeVpcs=(1, 0))
    ec2 = _client(world.endpoints, "ec2")
    ec2.meta.events.register("needs-retry.*", lambda **_: None, unique_id="retry-config-ec2")
    ec2.describe_vpcs()
    with pytest.raises(ec2.exceptions.ClientError, match="RequestLimitExceeded"):
        ec2.describe_vpcs()
    world.endpoints.ask("limits")


def test_a_large_table_is_listed_in_pages_of_a_megabyte() -> None:
    """A query reads a megabyte a page, counted before the filter, until there are no more."""
    table = EndedRequests({"status": {"S": "applied"}, "tasks": {"L": []}, "x": {"S": "x" * 1000}}, 10_000, days=10)
    question: dict[str, Any] = {
        "ExpressionAttributeNames": {"#tasks": "tasks"},
        "ExpressionAttributeValues": {":status": {"S": "applied"}, ":none": {"N": "0"}},
        "FilterExpression": "size(#tasks) > :none",
    }
    seen, pages = 0, 0
    while True:
        answer = table.query(question)
        seen, pages = seen + answer["ScannedCount"], pages + 1
        assert answer["Items"] == []
        if "LastEvaluatedKey" not in answer:
            break
        question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    assert seen == 10_000
    assert pages > 10


def test_a_query_lists_what_its_filter_lets_through() -> None:
    """Without a filter, or with one that holds, items are listed; of another status there are none."""
    table = EndedRequests({"status": {"S": "applied"}}, 10, days=1)
    values = {":status": {"S": "applied"}}
    everything = table.query({"ExpressionAttributeValues": values})
    assert len({item["requestId"]["S"] for item in everything["Items"]}) == everything["Count"] == 10
    assert table.query({"ExpressionAttributeValues": {**values, ":since": {"S": "9999"}}})["Count"] == 0
    assert table.query({"ExpressionAttributeValues": {":status": {"S": "denied"}}})["Count"] == 0


def test_a_bucket_refuses_when_it_is_empty_and_fills_again() -> None:
    """So many requests at once, and then so many per second, never more than its size."""
    bucket = Bucket(2, 1, now=0)
    assert [bucket.take(now) for now in (0, 0, 0, 1, 1, 99, 99, 99)] == [
        True,
        True,
        False,
        True,
        False,
        True,
        True,
        False,
    ]
