"""Byte code in a zip: for every module, taken without a look at the source, the same everywhere."""

from __future__ import annotations

import marshal
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from deploy.byte_code import add_byte_code
from deploy.errors import DeployError

SOURCE = 'def known(name: str) -> bool:\n    """Look it up."""\n    return name in {"x", "y", "z", "w"}\n'


def zipped(path: Path, **files: str) -> Path:
    """Write a zip of modules."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"package/{name}.py", (1980, 1, 1, 0, 0, 0)), text)
    return path


def test_every_module_gets_byte_code_that_is_not_compared_with_its_source(tmp_path: Path) -> None:
    """All files of a zip have the same time, so a comparison would find every one out of date."""
    path = zipped(tmp_path / "code.zip", one=SOURCE, two="")
    add_byte_code(path)
    with zipfile.ZipFile(path) as archive:
        found = {info.filename: info for info in archive.infolist()}
        (name, _) = sorted(one for one in found if one.endswith(".pyc"))
        code = archive.read(name)
    assert len(found) == 4
    assert {info.date_time for info in found.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert code[:4] == MAGIC_NUMBER
    assert int.from_bytes(code[4:8], "little") == 0b01  # by hash, unchecked: PEP 552
    assert marshal.loads(code[16:]).co_filename == "/var/task/package/one.py"  # noqa: S302 - our own


def test_two_builds_give_the_same_bytes_and_a_second_pass_none(tmp_path: Path) -> None:
    """Sets of texts are written in the order of their hashes, which differ from process to process otherwise."""
    paths = [zipped(tmp_path / f"{number}.zip", one=SOURCE) for number in (1, 2)]
    for path in paths:
        add_byte_code(path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    add_byte_code(paths[0])
    assert paths[0].read_bytes() == first


def test_a_module_that_is_none_stops_the_build(tmp_path: Path) -> None:
    """Better here than in a new container."""
    with pytest.raises(DeployError, match=r"cannot be compiled"):
        add_byte_code(zipped(tmp_path / "code.zip", one="def :"))
