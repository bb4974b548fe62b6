"""Starts the fake endpoints, and asks them what was called."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

import boto3

from bench.cpus import for_servers
from bench.fake_endpoints.calls import SETUP_KEY, Call
from bench.names import REGION
from deploy.names import ROOT

LATENCY_MS: Final[Mapping[str, float]] = {
    "ec2": 60.0, "sns": 15.0, "dynamodb": 6.0, "sts": 15.0, "ssm": 15.0, "slack": 150.0,
}  # fmt: skip
"""What each call takes, the network included. Assumed; STS and SSM like SNS."""


class FakeEndpoints:
    """The process of the fake endpoints, as a context manager."""

    def __init__(self) -> None:
        """Start it, on the CPUs that measured functions do not use."""
        command = [sys.executable, "-m", "bench.fake_endpoints"]
        with for_servers():
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self._port}"
        self.ask("latency", **LATENCY_MS)

    def take(self) -> list[Call]:
        """Return the calls since the last time."""
        return [Call(**one) for one in self.ask("take")]

    @contextmanager
    def without_latency(self) -> Iterator[None]:
        """Answer at once while the context is open, and forget the calls made meanwhile."""
        self.ask("latency")
        yield
        self.ask("latency", **LATENCY_MS)
        self.take()

    def ask(self, verb: str, **given: Any) -> Any:
        """Ask for something; the verbs stand in ``__main__.py``."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request("POST", f"/_bench/{verb}", json.dumps(given))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def client(self, service: str) -> Any:
        """Return a client for setting things up: no latency, not recorded."""
        return boto3.client(  # type: ignore[call-overload]  # any service
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=SETUP_KEY,
            aws_secret_access_key="testing",
        )

    def __enter__(self) -> Self:
        """Return the endpoints; the process ends with the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.communicate()
