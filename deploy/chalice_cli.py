"""Chalice's command line, made to give the same bytes everywhere: ``python -m deploy.chalice_cli deploy …``.

Chalice adds files to a zip in the order the file system lists them, and importing the app beforehand leaves byte code
among them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, Final

from chalice.cli import main
from chalice.utils import OSUtils

_LEFT_OUT: Final = ("__pycache__", "tests")
"""Byte code, and the tests that some libraries bring along."""


def _sorted_walk(_: OSUtils, path: str, followlinks: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, files in os.walk(path, followlinks=followlinks):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        yield folder, folders, sorted(files)


def run() -> Any:
    """Run Chalice with the arguments of this process."""
    sys.dont_write_bytecode = True
    OSUtils.walk = _sorted_walk  # type: ignore[assignment,method-assign]  # see above
    return main()


if __name__ == "__main__":
    sys.exit(run())
