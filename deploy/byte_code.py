"""Adds byte code to a zip, so that a new container need not compile what it imports: half of a cold start.

The byte code is of the kind ``unchecked-hash``: the default kind compares the time of the source, and every file of the
zip has the same time (https://docs.python.org/3/reference/import.html#pyc-invalidation). The same sources give the same
bytes: they are compiled in a separate process, with fixed hashes, under the path that they have in Lambda.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from deploy.errors import DeployError

TASK: Final = "/var/task"
"""Where Lambda unpacks a zip; tracebacks name files below it."""


def add_byte_code(path: Path) -> None:
    """Add byte code of every module to a zip; a zip that has it already is not changed.

    Raises:
        DeployError: when a module cannot be compiled.
    """
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        if any(name.endswith(".pyc") for name in archive.namelist()):
            return
        archive.extractall(folder)
        _compile(Path(folder))
        whole = path.with_suffix(".tmp")
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as target:
            for info in archive.infolist():
                target.writestr(info, archive.read(info))
                if info.filename.endswith(".py"):
                    name = cache_from_source(info.filename)
                    copy = zipfile.ZipInfo(name, info.date_time)
                    copy.external_attr, copy.compress_type = info.external_attr, zipfile.ZIP_DEFLATED
                    target.writestr(copy, (Path(folder) / name).read_bytes())
    whole.replace(path)


def _compile(folder: Path) -> None:
    options = ["-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK]
    process = subprocess.run(
        [sys.executable, "-m", "compileall", *options, str(folder)],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise DeployError(f"A module of the package cannot be compiled:\n{process.stdout}{process.stderr}")
