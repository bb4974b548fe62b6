"""Metrics are one line of JSON each, in CloudWatch's embedded format; every trigger logs with its Lambda context."""

from __future__ import annotations

import io
import json

import pytest
from chalice.app import Chalice
from chalice.test import Client

from shared import telemetry

REGION = "eu-west-1"


def test_a_count_is_one_line_in_embedded_metric_format(capsys: pytest.CaptureFixture[str]) -> None:
    """Name, unit, dimensions and namespace, so that CloudWatch makes a metric of it without a call."""
    telemetry.count("Decisions", outcome="approved")
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    (metric,) = document["_aws"]["CloudWatchMetrics"]
    assert metric["Namespace"] == "SecurityGroupApproval"
    assert metric["Metrics"] == [{"Name": "Decisions", "Unit": "Count"}]
    assert sorted(metric["Dimensions"][0]) == ["outcome", "service"]
    assert (document["outcome"], document["Decisions"]) == ("approved", [1.0])


def test_durations_are_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """The unit is in the name and in the metric."""
    telemetry.seconds("ExposureSeconds", 7.9, call="AuthorizeSecurityGroupIngress")
    document = json.loads(capsys.readouterr().out)
    assert document["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "ExposureSeconds", "Unit": "Seconds"}]
    assert document["ExposureSeconds"] == [7.9]


def test_metrics_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    """One metric's dimensions are not another's."""
    telemetry.count("One", a="1")
    telemetry.count("Two", b="2")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "b" not in first
    assert "a" not in second


def test_every_trigger_logs_with_its_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's name is in each record, and what one invocation added is gone in the next."""
    stream = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", stream)
    app = Chalice(app_name="x")
    telemetry.instrument(app)

    @app.on_cw_event({"source": ["x"]}, name="first")
    def first(event: object) -> None:  # noqa: ARG001 - Chalice's signature
        telemetry.logger.append_keys(request_id="r-1")
        telemetry.logger.info("one")

    @app.on_cw_event({"source": ["y"]}, name="second")
    def second(event: object) -> None:  # noqa: ARG001 - Chalice's signature
        telemetry.logger.info("two\n{}")

    with Client(app) as client:
        for name in ("first", "second"):
            client.lambda_.invoke(name, client.events.generate_cw_event("x", "X", {}, [], REGION))
    one, two = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (one["function_name"], two["function_name"]) == ("first", "second")
    assert one["request_id"] == "r-1"
    assert "request_id" not in two
    assert two["message"] == "two\n{}"


def test_a_handler_called_without_a_context_still_runs() -> None:
    """Logging never stops a trigger, whatever stands in for Lambda's context."""
    app, ran = Chalice(app_name="x"), []
    telemetry.instrument(app)

    @app.on_cw_event({"source": ["x"]}, name="first")
    def first(event: object) -> None:
        ran.append(event)

    event = {"version": "0", "id": "1", "detail-type": "X", "source": "x", "account": "1", "time": "t", "region": "r"}
    for context in (None, {}, object()):
        first({**event, "resources": [], "detail": {}}, context)
    assert len(ran) == 3


def test_no_switch_of_the_library_has_bodies_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole events hold signatures, tokens and addresses; even an operator in a hurry must not have them logged."""
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    stream = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", stream)
    app = Chalice(app_name="x")
    telemetry.instrument(app)

    @app.on_sns_message(topic="t", name="hears")
    def hears(event: object) -> None:  # noqa: ARG001 - Chalice's signature
        telemetry.logger.info("heard")

    with Client(app) as client:
        client.lambda_.invoke("hears", client.events.generate_sns_event("a whole body"))
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["heard"]
