"""Starts and ends the processes around a measured function, and talks to the far side."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from deploy.names import ROOT

LATENCY_MS: Final[Mapping[str, float]] = {
    "ec2": 60.0, "sns": 15.0, "dynamodb": 6.0, "sts": 15.0, "ssm": 15.0, "slack": 150.0,
}  # fmt: skip
"""What each call takes, the network included: EC2, SNS, DynamoDB and Slack as the project's reference figures have it,
STS and SSM like SNS."""

NO_LATENCY: Final[Mapping[str, float]] = {}
_START_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as the far side saw it; see ``bench.far_side.calls``."""

    service: str
    operation: str
    arrived: float
    answered: float
    late_ms: float
    status: int
    sent_bytes: int
    parameters: Mapping[str, str]


def cpus_for_measuring() -> frozenset[int]:
    """Return the last CPU, which the servers leave alone; nothing where there is only one."""
    all_cpus = sorted(os.sched_getaffinity(0))
    return frozenset(all_cpus[-1:]) if len(all_cpus) > 1 else frozenset()


class Moto:
    """moto's server, as it comes."""

    def __init__(self) -> None:
        """Start it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = _start(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError("moto did not start")

    @property
    def url(self) -> str:
        """Its address, without any latency."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> Self:
        """Return the server; it is ended in the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


class FarSide:
    """The far side's process."""

    def __init__(self, moto: Moto | None = None, certificate: Path | None = None) -> None:
        """Start it, before moto if there is one; with a certificate it speaks TLS too."""
        arguments = [sys.executable, "-m", "bench.far_side"]
        arguments += ["--moto", str(moto.port)] if moto is not None else []
        arguments += ["--certificate", str(certificate)] if certificate is not None else []
        self._process = _start(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self._port: int = ports[0]
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.tls_url = f"https://localhost:{ports[1]}" if len(ports) > 1 else ""

    def take(self) -> list[Call]:
        """Return the calls since the last time."""
        return [Call(**one) for one in self.tell("take")]

    def set_latency(self, latency_ms: Mapping[str, float]) -> None:
        """Answer calls of each service no sooner than this."""
        self.tell("latency", **latency_ms)

    def tell(self, verb: str, **given: Any) -> Any:
        """Ask the far side for something; the verbs stand in ``bench.far_side.server``."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", f"/_bench/{verb}", json.dumps(given))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Return the far side; it is ended in the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


def _start(arguments: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    """Start a server on the CPUs that measured functions don't use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, (allowed - cpus_for_measuring()) or allowed)
    try:
        return subprocess.Popen(arguments, cwd=ROOT, **streams)
    finally:
        os.sched_setaffinity(0, allowed)
