"""Lambda's containers: each function runs in a clean interpreter of its own, from the zip that was uploaded.

A container serves one function until its code or its configuration changes, as in Lambda; starting one for every event
would take most of the tests' time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import boto3

RUNTIME: Final = Path(__file__).parent / "lambda_runtime.py"
LAMBDA_HAS: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
"""What Lambda's Python brings along."""


@dataclass(frozen=True)
class Answer:
    """What came of one event.

    Attributes:
        text: JSON of what the handler returned, or of its error.
        failed: the handler raised, or the container died.
        calls: the AWS calls that were made: service, operation, params.
    """

    text: str
    failed: bool
    calls: list[dict[str, Any]]


@dataclass
class Container:
    """One running interpreter."""

    process: subprocess.Popen[str]
    answers: IO[str]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, event: Any) -> Answer:
        """Hand over an event and wait for what comes of it."""
        assert self.process.stdin is not None
        with self.lock:
            try:
                self.process.stdin.write(json.dumps(event) + "\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                return Answer('{"errorMessage": "the container could not start; see its log"}', True, [])
            line = self.answers.readline()
        if not line:
            return Answer('{"errorMessage": "the container died; see its log"}', True, [])
        said = json.loads(line)
        return Answer(said["answer"], said["failed"], said["calls"])

    def stop(self) -> None:
        """End it at once; it has nothing to tidy up."""
        assert self.process.stdin is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.answers.close()


@dataclass
class Containers:
    """All that run. What they write is in ``<folder>/<function>.log``."""

    folder: Path
    _running: dict[str, tuple[str, Container]] = field(default_factory=dict)

    def container(self, name: str, code: bytes, handler: str, environment: Mapping[str, str]) -> Container:
        """Return the function's container, a new one where its code or configuration changed.

        Args:
            name: of the function, with its region and account.
            code: the zip.
            handler: e.g. ``app.revertSecurityGroup``.
            environment: variables, without credentials.
        """
        digest = hashlib.sha256(code).hexdigest()
        configuration = json.dumps([digest, handler, dict(environment)])
        known = self._running.get(name)
        if known is not None and known[0] == configuration:
            return known[1]
        if known is not None:
            known[1].stop()
        container = self._start(name, self._unpacked(code, digest), handler, environment)
        self._running[name] = (configuration, container)
        return container

    def stop(self) -> None:
        """End all."""
        for _, container in self._running.values():
            container.stop()
        self._running.clear()

    def _start(self, name: str, task: Path, handler: str, environment: Mapping[str, str]) -> Container:
        reading, writing = os.pipe()
        with (self.folder / f"{name.replace(':', '_')}.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    "-B",
                    str(RUNTIME),
                    str(task),
                    str(self._libraries()),
                    handler,
                    str(writing),
                ],
                cwd=task,
                env={"PATH": os.environ["PATH"], **environment},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                text=True,
            )
        os.close(writing)
        return Container(process, os.fdopen(reading, encoding="utf-8"))

    def _unpacked(self, code: bytes, digest: str) -> Path:
        folder = self.folder / digest[:16]
        if not folder.exists():
            zipfile.ZipFile(io.BytesIO(code)).extractall(folder)
        return folder

    def _libraries(self) -> Path:
        folder = self.folder / "libraries"
        if not folder.exists():
            folder.mkdir()
            packages = Path(boto3.__file__).parents[1]
            for name in LAMBDA_HAS:
                (folder / name).symlink_to(packages / name)
        return folder
