"""Runs Chalice for a place, and stores its record of what it created in the account itself.

Chalice records what it created in a file of the project. Without that file it would create a second REST API, whose
address Slack does not know. The file is on one machine; the record in SSM is where the resources are.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Final

from deploy.errors import DeployError
from deploy.names import ROOT, Place
from deploy.rest_api import find_rest_api, stage_url
from deploy.target import Target

_LAST_LINES: Final = 15
_ERROR: Final = re.compile(r"[\w.]+(Error|Exception): ")


def chalice(project: Path, arguments: list[str], environment: dict[str, str], *, answer: str = "") -> None:
    """Run Chalice in a project.

    Args:
        project: the folder.
        arguments: e.g. ``["deploy", "--stage", "prod-eu-west-1"]``.
        environment: of the process; credentials and region come from there.
        answer: the standard input of the process: answers to its questions.

    Raises:
        DeployError: when it fails, with the end of its output.
    """
    path = ":".join(part for part in (str(ROOT), environment.get("PYTHONPATH", "")) if part)
    process = subprocess.run(
        [sys.executable, "-m", "deploy.chalice_cli", *arguments],
        cwd=project,
        env={**environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        input=answer,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode:
        raise DeployError(
            f"`chalice {' '.join(arguments)}` failed; remove the cause and run the verb again:\n    "
            + "\n    ".join(_end(process.stdout))
        )


def deploy(target: Target, project: Path) -> dict[str, Any]:
    """Deploy a project; return Chalice's record by resource name."""
    fetch_record(target, project)
    try:
        chalice(project, ["deploy", "--stage", target.place.chalice_stage], target.environment())
    finally:
        store_record(target, project)
    record = json.loads(_record_file(project, target.place).read_text(encoding="utf-8"))
    return {resource["name"]: resource for resource in record["resources"]}


def delete(target: Target, project: Path) -> None:
    """Delete what Chalice recorded, and the record."""
    fetch_record(target, project)
    path = _record_file(project, target.place)
    if path.exists():
        chalice(project, ["delete", "--stage", target.place.chalice_stage], target.environment(), answer="y\n" * 20)
        path.unlink(missing_ok=True)
    target.find("ssm", "delete_parameter", Name=target.place.state_parameter)


def _end(output: str) -> list[str]:
    """Return the end of Chalice's output, without the traceback before its error."""
    lines = output.strip().splitlines()
    errors = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    return lines[errors[-1] if errors else 0 :][-_LAST_LINES:]


def _record_file(project: Path, place: Place) -> Path:
    return project / ".chalice" / "deployed" / f"{place.chalice_stage}.json"


def fetch_record(target: Target, project: Path) -> None:
    """Put the account's record where Chalice looks for it; a record on this machine does not count."""
    record = _stored_record(target) or _reconstructed_record(target)
    path = _record_file(project, target.place)
    path.unlink(missing_ok=True)
    if record:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=2), encoding="utf-8")


def _stored_record(target: Target) -> dict[str, Any]:
    found = target.find("ssm", "get_parameter", Name=target.place.state_parameter)
    if found is None:
        return {}
    record: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(found["Parameter"]["Value"])))
    return record


def store_record(target: Target, project: Path) -> None:
    """Store a project's record in the account; none when Chalice wrote none."""
    path = _record_file(project, target.place)
    if not path.exists():
        return
    compact = json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":")).encode()
    target.client("ssm").put_parameter(
        Name=target.place.state_parameter,
        Description="What Chalice deployed; stored here so that any machine can deploy the next time.",
        Value=base64.b64encode(zlib.compress(compact, level=9)).decode(),
        Type="String",
        Overwrite=True,
    )


def _reconstructed_record(target: Target) -> dict[str, Any]:
    """Return a record of the REST API of a deployment that was interrupted before Chalice wrote one."""
    if target.place.app != "central":
        return {}
    api_id = find_rest_api(target)
    if not api_id:
        return {}
    resource = {
        "name": "rest_api",
        "resource_type": "rest_api",
        "rest_api_id": api_id,
        "rest_api_url": stage_url(target.place.region, api_id),
    }
    return {"resources": [resource], "schema_version": "2.0", "backend": "api"}
