"""Chalice's command line, changed so that its zips have the same bytes everywhere: ``python -m deploy.chalice_cli …``.

Chalice adds files to a zip in the order in which the file system lists them, and byte code if it is there. Here files
are sorted, byte code and unused parts of libraries are left out, and everything is compiled afterwards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chalice.cli import main
from chalice.deploy.packager import LambdaDeploymentPackager
from chalice.utils import OSUtils

from deploy.byte_code import add_byte_code

_LEFT_OUT: Final = ("__pycache__", "tests")
"""Byte code, and tests that some libraries contain."""

_POWERTOOLS: Final = "aws_lambda_powertools"
_USED_UTILITY: Final = "jmespath_utils"
"""The only one of powertools' utilities that its logger imports; the others and its web framework are two thirds."""


def _is_unused(folder: Path) -> bool:
    above = folder.parent.name, folder.parent.parent.name
    if above == ("utilities", _POWERTOOLS):
        return folder.name != _USED_UTILITY
    return above[0] == _POWERTOOLS and folder.name == "event_handler"


def _sorted_walk(_: OSUtils, path: str, followlinks: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, files in os.walk(path, followlinks=followlinks):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not _is_unused(Path(folder) / name))
        yield folder, folders, sorted(files)


_create_package = LambdaDeploymentPackager.create_deployment_package


def _create_compiled_package(self: LambdaDeploymentPackager, project_dir: str, python_version: str) -> str:
    path = _create_package(self, project_dir, python_version)
    add_byte_code(Path(path))
    return path


def run() -> Any:
    """Run Chalice with the arguments of this process."""
    sys.dont_write_bytecode = True
    OSUtils.walk = _sorted_walk  # type: ignore[assignment,method-assign]  # see above
    LambdaDeploymentPackager.create_deployment_package = _create_compiled_package  # type: ignore[method-assign]  # see above
    return main()


if __name__ == "__main__":
    sys.exit(run())
