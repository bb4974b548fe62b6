"""The pieces figures are measured with. No test measures a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import events, shares
from bench.container import Answer, Container, ContainerError, Function
from bench.far_side.groups import Groups
from bench.far_side.server import Bucket
from bench.far_side.tables import Requests, Tables
from bench.measuring import Measured, summary, the_only
from bench.path import custom_metrics
from bench.servers import Call, FarSide
from bench.shares import limited, share_of
from bench.shipped import _metrics_of, _minutes
from member.chalicelib.cloudtrail.event import created_rule_ids, read_head, read_rules
from member.chalicelib.ec2.security_groups import Ec2Error, SecurityGroups
from member.chalicelib.state.baseline import Baseline, learn
from member.chalicelib.state.table import StateTable
from shared.aws import clients

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measurements are made on Linux, as Lambda is")

HANDLER = """
import os, sys
def handler(event, context):
    print("working for", context.function_name)
    if event == "fail":
        raise ValueError("as asked")
    return {"statusCode": 200, "path": sys.path[0]}
"""


@pytest.fixture
def function(tmp_path: Path) -> Function:
    """A function of three lines, unpacked like a zip."""
    (tmp_path / "tiny.py").write_text(HANDLER, encoding="utf-8")
    return Function(
        name="tiny",
        physical_name="member-prod-eu-west-1-tiny",
        folder=tmp_path,
        runtime=tmp_path / "runtime",
        handler="tiny.handler",
        memory_mb=512,
        timeout_seconds=3,
        environment={},
    )


ENVIRONMENT = {"AWS_REGION": "eu-west-1", "BENCH_ACCOUNT": "123456789012"}


@pytest.fixture(scope="module")
def far() -> Iterator[FarSide]:
    """The far side that answers from memory."""
    with FarSide() as one:
        yield one


@pytest.fixture
def adapters(far: FarSide, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SecurityGroups, StateTable]]:
    """The product's own adapters, calling the far side."""
    for name, value in {
        "AWS_ENDPOINT_URL": far.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    clients.forget()
    far.tell("forget")
    far.take()
    yield SecurityGroups("eu-west-1", "123456789012"), StateTable("eu-west-1")
    clients.forget()


def test_a_container_is_started_cold_and_invoked_warm(function: Function) -> None:
    """The first event is there before the process is; each answer has its own part of the log."""
    with Container(function, ENVIRONMENT, event={}) as container:
        again = container.invoke({})
        assert container.first is not None
        assert (container.first.status, again.status) == (200, 200)
        assert container.first.begun < container.first.ended < again.begun
        assert again.log_bytes == container.first.log_bytes == len("working for member-prod-eu-west-1-tiny\n")
        assert again.peak_kb > 0


def test_a_function_that_fails_makes_no_figure(function: Function) -> None:
    """A flow that raises is shown with its error and log, and the process goes on."""
    with Container(function, ENVIRONMENT) as container:
        with pytest.raises(ContainerError, match="as asked"):
            container.invoke("fail")
        container.send_at_once([{}, "fail", {}])
        answers, _ = container.answers_at_once()
    assert [answer.error for answer in answers] == ["", "ValueError: as asked", ""]


def test_a_container_sees_nothing_but_the_zip(function: Function, tmp_path: Path) -> None:
    """What is installed for developers is not on the path: a library that does not ship would be missed in Lambda."""
    (tmp_path / "tiny.py").write_text("import pytest\n", encoding="utf-8")
    with pytest.raises(ContainerError, match="No module named 'pytest'"):
        Container(function, ENVIRONMENT)


def test_shares_are_lambdas() -> None:
    """One CPU at 1,769 MB, less in proportion, never more."""
    assert [share_of(size) for size in (1769, 3000)] == [1.0, 1.0]
    assert share_of(128) == pytest.approx(128 / 1769)


def test_a_slowed_process_leaves_nothing_behind(function: Function) -> None:
    """Whichever way processes are slowed here, the function answers, and its control group is gone afterwards."""
    with limited(0.5) as group:
        assert group is None or group.exists()
    assert group is None or not group.exists()
    with Container(function, ENVIRONMENT, event={}, share=0.5) as container:
        assert container.first is not None
        assert container.first.status == 200


def test_a_process_is_slowed_without_control_groups_too(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be made, it is stopped and continued in turn, and ends like any other."""
    monkeypatch.setattr(shares, "_root", lambda: None)
    assert shares.means() == "stopping and continuing in turn"
    with Container(function, ENVIRONMENT, event={}, share=0.5) as container:
        assert container.invoke({}).status == 200


def test_the_adapters_understand_what_is_answered_from_memory(
    far: FarSide, adapters: tuple[SecurityGroups, StateTable]
) -> None:
    """Rules are read page by page, revoked all or nothing, and baselines are written once per version."""
    groups, table = adapters
    far.tell("groups", ids=["sg-1"])
    ids = far.tell(
        "rules", group="sg-1", cidrs=[f"10.{index // 250}.{index % 250}.0/24" for index in range(1200)], port=22
    )
    assert len(groups.rules("sg-1")) == 1201  # with the outbound rule that every group has
    with pytest.raises(Ec2Error, match="NotFound"):
        groups.revoke_ids("sg-1", "ingress", (ids[0], "sgr-unknown"))
    groups.revoke_ids("sg-1", "ingress", tuple(ids[1:]))
    left = [rule for rule in groups.rules("sg-1") if rule.direction == "ingress"]
    assert [rule.rule_id for rule in left] == ids[:1]
    assert groups.group("sg-2") is None
    fresh = _baseline("sg-1")
    assert table.save(fresh) is not None
    assert table.save(fresh) is None
    table.learn([fresh, _baseline("sg-2")])
    assert table.baselines(["sg-1", "sg-2", "sg-3"]).keys() == {"sg-1", "sg-2"}
    pages = [call for call in far.take() if call.operation == "DescribeSecurityGroupRules"]
    assert len(pages) == 3


def _baseline(group_id: str) -> Baseline:
    return learn(
        region="eu-west-1", group_id=group_id, group_name="x", rules=(), directions=("ingress",), at=events._now()
    )


def test_what_the_memory_does_not_know_is_refused() -> None:
    """An expression or operation that is not one of the product's own fails instead of being answered wrongly."""
    tables = Tables()
    put = b'{"TableName": "securityGroupState", "Item": {"id": {"S": "x"}}, "ConditionExpression": "a = :b"}'
    assert tables.answer("PutItem", put)[0] == 400
    assert tables.answer("Scan", b"{}")[0] == 501
    assert Groups().answer("CreateSecurityGroup", {})[0] == 501


def test_a_large_table_is_listed_in_pages_of_a_megabyte() -> None:
    """A query reads the requests since a time, a megabyte a page counted before the filter, until there are no more."""
    template = {"status": {"S": "applied"}, "tasks": {"M": {}}, "body": {"S": "x" * 1000}}
    table = Requests(10_000, template, days=10)
    question: dict[str, Any] = {"ExpressionAttributeValues": {":status": {"S": "applied"}}, "FilterExpression": "tasks"}
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


def test_a_bucket_refuses_when_it_is_empty() -> None:
    """So many requests at once, and no more before it fills again."""
    bucket = Bucket(3, 0)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_figure_is_free_of_what_a_stand_in_was_late() -> None:
    """Of 300 ms, 40 were the stand-in's own and 210 AWS and Slack: 90 remain as the function's own."""
    common: dict[str, Any] = {"status": 200, "sent_bytes": 0, "parameters": {}}
    calls = [
        Call(service="ec2", operation="Revoke", arrived=1.01, answered=1.07, late_ms=10, **common),
        Call(service="slack", operation="/x", arrived=1.1, answered=1.25, late_ms=30, **common),
    ]
    answer = Answer(begun=1.0, ended=1.3, cpu_ms=1, peak_kb=1, log_bytes=0)
    measured = Measured(answer=answer, calls=calls)
    assert measured.ms == pytest.approx(260)
    assert measured.own_ms == pytest.approx(90)
    assert measured.slack_ms == pytest.approx(120)
    assert measured.arrival("Revoke", answer.begun) == pytest.approx(10)
    assert (measured.operations, measured.posts, measured.calls_before("/x")) == (["Revoke"], 1, 1)


def test_figures_are_medians_of_runs_that_made_the_same_calls() -> None:
    """Calls that differ from run to run mean that there is no such figure; their order alone may differ."""
    assert summary([3, 1, 2, 100]) == {"n": 4, "median": 2.5, "p90": 100, "min": 1, "max": 100}
    assert the_only([["a", "b"], ["b", "a"]]) == ["a", "b"]
    with pytest.raises(ValueError, match="different calls"):
        the_only([["a"], ["a", "b"]])


def test_the_product_reads_the_events() -> None:
    """An event of the bench is one of CloudTrail's as far as the product can tell."""
    common = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rules = [
        {"SecurityGroupRuleId": "sgr-1", "CidrIpv4": "0.0.0.0/0", "Description": "x", **common},
        {"SecurityGroupRuleId": "sgr-2", "ReferencedGroupInfo": {"GroupId": "sg-2"}, **common},
    ]
    event = events.opened("sg-1", rules)
    call = read_rules(event, read_head(event))
    assert created_rule_ids(event) == ("sgr-1", "sgr-2")
    assert call.resulting is not None
    assert {rule.identity for rule in call.resulting} == {rule.identity for rule in call.requested}


def test_each_metric_is_counted_once_per_set_of_dimensions() -> None:
    """CloudWatch bills a metric for each combination of its dimensions' values."""
    line = (
        '{"_aws": {"CloudWatchMetrics": [{"Dimensions": [["service", "call"]], "Metrics": [{"Name": "Seconds"}]}]},'
        ' "service": "s", "call": "%s"}'
    )
    log = "\n".join([line % "Authorize", line % "Revoke", line % "Authorize", '{"message": "no metric"}', "START"])
    assert custom_metrics(log) == ["Seconds call=Authorize", "Seconds call=Revoke"]


def test_a_template_says_what_is_billed() -> None:
    """An alarm of an expression is billed for each metric in it; schedules are read in minutes."""
    assert _metrics_of({"MetricName": "Errors"}) == 1
    assert _metrics_of({"Metrics": [{"Expression": "SUM(METRICS())"}, {"MetricStat": {}}, {"MetricStat": {}}]}) == 2
    assert [_minutes(rate) for rate in ("rate(1 minute)", "rate(10 minutes)", "rate(2 hours)")] == [1, 10, 120]


def test_the_cpus_of_the_machine_are_all_allowed_again(function: Function) -> None:
    """Starting a process on one CPU leaves this one on all of them."""
    allowed = os.sched_getaffinity(0)
    with Container(function, ENVIRONMENT, event={}, cpus=frozenset(sorted(allowed)[-1:])):
        assert os.sched_getaffinity(0) == allowed
