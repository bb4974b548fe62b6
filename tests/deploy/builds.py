"""What builds share in a test run: the downloaded requirements, and each app's zip."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from deploy import running_chalice
from deploy.names import APPS, ROOT

_LAMBDA: Final = ["--platform=manylinux2014_aarch64", "--only-binary=:all:", "--no-deps"]
"""What Chalice asks for where this machine's wheel does not run in Lambda."""


def offline_pip(factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which pip finds the requirements on this machine.

    Args:
        factory: says where this test run keeps its files; its processes share what is downloaded.
    """
    folder = _shared_folder(factory) / "wheels"
    with _locked(folder):
        if not (folder / "complete").exists():
            _download(folder)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}


def reusing_zips(factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Return a stand-in for `running_chalice.chalice` that builds the zip of each app once.

    Every place gets the same zip. Chalice reuses one that it finds in its project; this puts it there.

    Args:
        factory: says where this test run keeps its files; its processes share the zips.
    """
    run = running_chalice.chalice

    def chalice(project: Path, arguments: list[str], environment: dict[str, str], **more: Any) -> None:
        app = project.name.partition("-")[0]
        zips = _shared_folder(factory) / f"zips-{app}"
        built = project / ".chalice" / "deployments"
        with _locked(zips):
            if zips.exists():
                shutil.copytree(zips, built, dirs_exist_ok=True)
            elif arguments[0] == "deploy":
                try:
                    return run(project, arguments, environment, **more)
                finally:
                    if built.exists():
                        shutil.copytree(built, zips)
        return run(project, arguments, environment, **more)

    return chalice


def _shared_folder(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(folder: Path) -> None:
    wanted = [f"--requirement={ROOT / app / 'requirements.txt'}" for app in APPS]
    for more in ([], _LAMBDA):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", f"--dest={folder}", *more, *wanted], check=True
        )
    (folder / "complete").touch()
