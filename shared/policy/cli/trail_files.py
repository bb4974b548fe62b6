"""Reads the log files of a CloudTrail trail, one at a time: ``.json`` or ``.json.gz``, or whole folders of them.

What does not belong here: what the records mean.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

Record = Mapping[str, Any]

_SUFFIXES: Final = (".json", ".json.gz")
_DIGESTS: Final = "CloudTrail-Digest"
# AccountID_CloudTrail_RegionName_YYYYMMDDTHHmmZ_UniqueString.json.gz
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
_TIME: Final = re.compile(r"_(\d{8}T\d{4}Z)_")


class TrailFileError(RuntimeError):
    """A file is not a log file of CloudTrail; the message names the file."""


def find_trail_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and the log files below each folder, in the order in which CloudTrail wrote them.

    Raises:
        TrailFileError: when a path does not exist.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(one for one in path.rglob("*") if one.name.endswith(_SUFFIXES) and _DIGESTS not in one.parts)
        elif path.exists():
            found.add(path)
        else:
            raise TrailFileError(f"{path} does not exist.")
    return sorted(found, key=lambda path: (_written_at(path), str(path)))


def read_records(path: Path) -> list[Record]:
    """Return the records of a file, oldest first; of an EventBridge event, its only one.

    Raises:
        TrailFileError: when the file cannot be read, or has no CloudTrail records.
    """
    try:
        content = path.read_bytes()
        document = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, EOFError, zlib.error) as error:
        raise TrailFileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except (ValueError, RecursionError) as error:
        raise TrailFileError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise TrailFileError(f"{path} is not a CloudTrail log file: expected a JSON object.")
    records = document.get("Records", [document])
    if not isinstance(records, list):
        raise TrailFileError(f"{path} is not a CloudTrail log file: Records is not a list.")
    details = [record.get("detail", record) for record in records if isinstance(record, dict)]
    return sorted(
        (detail for detail in details if isinstance(detail, dict)), key=lambda detail: str(detail.get("eventTime"))
    )


def _written_at(path: Path) -> str:
    match = _TIME.search(path.name)
    return match[1] if match else ""
