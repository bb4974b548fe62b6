"""The apps' requirements, downloaded once for all builds of a test run: Chalice asks pip anew for every package."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.names import APPS, ROOT

_LAMBDA: Final = ["--platform=manylinux2014_aarch64", "--only-binary=:all:", "--no-deps"]
"""What Chalice asks for where this machine's wheel does not run in Lambda."""


def offline_pip(factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which pip finds the requirements on this machine.

    Args:
        factory: says where this test run keeps its files; its processes share what is downloaded.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "wheels"
    with (shared / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _download(folder)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}


def _download(folder: Path) -> None:
    wanted = [f"--requirement={ROOT / app / 'requirements.txt'}" for app in APPS]
    for more in ([], _LAMBDA):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", f"--dest={folder}", *more, *wanted], check=True
        )
    (folder / "complete").touch()
