"""Runs Chalice for a place, and keeps its record of what it made in the account itself.

Chalice records what it created in a file of the project, and without that file it would make a second REST API, whose
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

from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.names import ROOT, ROUTE, Place
from deploy.target import Target, code_of

_LAST_LINES: Final = 15
_ERROR: Final = re.compile(r"[\w.]+(Error|Exception): ")


def chalice(project: Path, arguments: list[str], environment: dict[str, str], *, answer: str = "") -> str:
    """Run Chalice in a project and return what it said.

    Args:
        project: the folder.
        arguments: e.g. ``["deploy", "--stage", "prod-eu-west-1"]``.
        environment: of the process; credentials and region come from there.
        answer: typed at each of its questions.

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
            f"`chalice {' '.join(arguments)}` failed; run the verb again when its cause is gone:\n    "
            + "\n    ".join(_end(process.stdout))
        )
    return process.stdout


def _end(output: str) -> list[str]:
    """Return the end of what Chalice said, without the traceback before its error."""
    lines = output.strip().splitlines()
    errors = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    return lines[errors[-1] if errors else 0 :][-_LAST_LINES:]


def deploy(target: Target, project: Path) -> dict[str, Any]:
    """Deploy a project; return Chalice's record by resource name."""
    _fetch_record(target, project)
    try:
        chalice(project, ["deploy", "--stage", target.place.chalice_stage], target.environment())
    finally:
        _store_record(target, project)
    return read_record(project, target.place)


def delete(target: Target, project: Path) -> None:
    """Delete what Chalice recorded, and the record."""
    _fetch_record(target, project)
    if _record_file(project, target.place).exists():
        chalice(project, ["delete", "--stage", target.place.chalice_stage], target.environment(), answer="y\n" * 20)
        _record_file(project, target.place).unlink(missing_ok=True)
    try:
        target.client("ssm").delete_parameter(Name=target.place.state_parameter)
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise


def read_record(project: Path, place: Place) -> dict[str, Any]:
    """Return what Chalice recorded, by resource name."""
    path = _record_file(project, place)
    if not path.exists():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    return {resource["name"]: resource for resource in record["resources"]}


def stored_record(target: Target) -> dict[str, Any]:
    """Return the record kept in the account, as Chalice wrote it; empty when there is none."""
    try:
        value = target.client("ssm").get_parameter(Name=target.place.state_parameter)["Parameter"]["Value"]
    except ClientError as error:
        if code_of(error) == "ParameterNotFound":
            return {}
        raise
    record: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(value)))
    return record


def _record_file(project: Path, place: Place) -> Path:
    return project / ".chalice" / "deployed" / f"{place.chalice_stage}.json"


def _fetch_record(target: Target, project: Path) -> None:
    """Put the record of the account where Chalice looks; what the account says counts, not what "
    "lies on this machine."""
    record = stored_record(target) or _found(target)
    path = _record_file(project, target.place)
    path.unlink(missing_ok=True)
    if record:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=2), encoding="utf-8")


def _store_record(target: Target, project: Path) -> None:
    path = _record_file(project, target.place)
    if not path.exists():
        return
    plain = json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":")).encode()
    target.client("ssm").put_parameter(
        Name=target.place.state_parameter,
        Description="What Chalice deployed; kept here so that any machine can deploy the next time.",
        Value=base64.b64encode(zlib.compress(plain, level=9)).decode(),
        Type="String",
        Overwrite=True,
    )


def _found(target: Target) -> dict[str, Any]:
    """Return a record of the REST API of a deployment that was interrupted before Chalice wrote one."""
    if target.place.app != "central":
        return {}
    api_id = find_rest_api(target)
    if not api_id:
        return {}
    place = target.place
    suffix = "amazonaws.com.cn" if place.partition == "aws-cn" else "amazonaws.com"
    resource = {
        "name": "rest_api",
        "resource_type": "rest_api",
        "rest_api_id": api_id,
        "rest_api_url": f"https://{api_id}.execute-api.{place.region}.{suffix}/prod/",
    }
    return {"resources": [resource], "schema_version": "2.0", "backend": "api"}


def find_rest_api(target: Target) -> str:
    """Return the id of the REST API whose method calls the route's function; ``""`` when there is none."""
    client = target.client("apigateway")
    wanted = f"function:{target.place.function(ROUTE)}/invocations"
    for page in client.get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            if api["name"] != target.place.app:
                continue
            resources = client.get_resources(restApiId=api["id"], embed=["methods"])["items"]
            methods = [method for one in resources for method in one.get("resourceMethods", {}).values()]
            if any(str(method.get("methodIntegration", {}).get("uri", "")).endswith(wanted) for method in methods):
                return str(api["id"])
    return ""
