"""A measured function's process. No test measures a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.container import Container, ContainerError, Function

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measurements are made on Linux, as Lambda is")

HANDLER = """
def handler(event, context):
    print("working for", context.function_name)
    if event == "fail":
        raise ValueError("as asked")
    return {"statusCode": 500 if event == "refuse" else 200}
"""
ENVIRONMENT = {"AWS_REGION": "eu-west-1", "BENCH_ACCOUNT": "123456789012"}


@pytest.fixture
def function(tmp_path: Path) -> Function:
    """A function of a few lines, unpacked like a zip."""
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


def test_a_container_is_started_cold_and_invoked_warm(function: Function) -> None:
    """The first event is there before the process is; each answer has its own part of the log."""
    with Container(function, ENVIRONMENT, event={}) as container:
        again = container.invoke({})
        assert container.first is not None
        assert (container.first.status, again.status) == (200, 200)
        assert container.started < container.ready < container.first.begun < container.first.ended < again.begun
        assert again.log_bytes == container.first.log_bytes == len("working for member-prod-eu-west-1-tiny\n")
        assert again.peak_kb > 0


def test_a_function_that_fails_makes_no_figure(function: Function) -> None:
    """A flow that raises or refuses is shown with its log, and the process goes on."""
    with Container(function, ENVIRONMENT) as container:
        with pytest.raises(ContainerError, match="as asked"):
            container.invoke("fail")
        with pytest.raises(ContainerError, match="500"):
            container.invoke("refuse")
        container.send([{}, "fail", {}])
        assert [answer.error for answer in container.receive()] == ["", "ValueError: as asked", ""]


def test_a_container_sees_nothing_but_the_zip(function: Function, tmp_path: Path) -> None:
    """What is installed for developers is not on the path: a library that does not ship is missed, as in Lambda."""
    (tmp_path / "tiny.py").write_text("import pytest\n", encoding="utf-8")
    with pytest.raises(ContainerError, match="No module named 'pytest'"):
        Container(function, ENVIRONMENT)


def test_this_process_keeps_all_cpus(function: Function) -> None:
    """Starting a process on one CPU leaves this one on all of them."""
    allowed = os.sched_getaffinity(0)
    with Container(function, ENVIRONMENT, event={}):
        assert os.sched_getaffinity(0) == allowed
