"""A trail's log files: found in folders, read in the order in which calls were made."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from shared.policy.cli.trail_files import TrailFileError, find_trail_files, read_records


def write(path: Path, document: Any) -> Path:
    """Write JSON, compressed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(document).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def test_files_of_folders_come_in_the_order_they_were_written(tmp_path: Path) -> None:
    """By the time in their name, whatever account and region stand before it; digests are left out."""
    late = write(tmp_path / "111/eu/111_CloudTrail_eu-west-1_20261002T0005Z_a.json.gz", {"Records": []})
    early = write(tmp_path / "222/us/222_CloudTrail_us-east-1_20261001T2355Z_z.json.gz", {"Records": []})
    other = write(tmp_path / "event.json", {})
    write(tmp_path / "CloudTrail-Digest/digest.json.gz", {})
    write(tmp_path / "notes.txt", {})
    assert find_trail_files([tmp_path]) == [other, early, late]
    assert find_trail_files([late, tmp_path / "111", early]) == [early, late]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """Rather than played as nothing."""
    with pytest.raises(TrailFileError, match=r"missing\.json does not exist"):
        find_trail_files([tmp_path / "missing.json"])


@pytest.mark.parametrize("name", ["log.json", "log.json.gz"])
def test_records_are_read_oldest_first(tmp_path: Path, name: str) -> None:
    """CloudTrail does not sort them; what is not an object is left out."""
    early, late = {"eventTime": "2026-10-01T12:00:00Z"}, {"eventTime": "2026-10-01T12:00:05Z"}
    assert read_records(write(tmp_path / name, {"Records": [late, 5, early, {"detail": 5}]})) == [early, late]


def test_a_single_event_is_a_record(tmp_path: Path) -> None:
    """As EventBridge delivers it, or as CloudTrail writes it."""
    record = {"eventName": "CreateSecurityGroup"}
    assert read_records(write(tmp_path / "event.json", {"detail": record})) == [record]
    assert read_records(write(tmp_path / "record.json", record)) == [record]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("log.json", b"{", "is not JSON"),
        ("log.json", b"\xff", "is not JSON"),
        ("log.json", b"[" * 100_000, "is not JSON"),
        ("log.json", b"[]", "expected a JSON object"),
        ("log.json", b'{"Records": 5}', "Records is not a list"),
        ("log.json.gz", b"{}", "cannot be read: Not a gzipped file"),
        ("log.json.gz", gzip.compress(b"{}", mtime=0)[:-5], "cannot be read"),
    ],
)
def test_a_file_that_is_no_log_file_is_named(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    """And what is wrong with it."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrailFileError, match=problem) as caught:
        read_records(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """With the reason of the operating system."""
    (tmp_path / "log.json").mkdir()
    with pytest.raises(TrailFileError, match="cannot be read: Is a directory"):
        read_records(tmp_path / "log.json")
