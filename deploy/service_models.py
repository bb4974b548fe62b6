"""Writes the part of botocore's data that the product uses: what a new container reads before its first call.

Of EC2's 800 operations the product calls a dozen, and reading the description of the others takes most of a cold start.
The operations are found in the code, so that a new call cannot be forgotten here. botocore finds in its own data what
the trimmed data does not have.

The format and the folders are botocore's, as for ``AWS_DATA_PATH``
(https://docs.aws.amazon.com/boto3/latest/guide/configuration.html); ``shared.aws.clients`` names the folder. The table
of endpoints has every partition and region, since ARNs need them (``shared.aws.clients.partition``). The rule sets for
endpoints are left out: they are small, and Lambda's botocore may be older than the one the data comes from.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from botocore import xform_name
from botocore.loaders import Loader

from deploy.errors import DeployError

DATA: Final = Path("shared") / "aws" / "data"
"""Where the data lies in a zip, beside the module that uses it."""

_PROSE: Final = frozenset({"documentation", "documentationUrl", "examples", "smithy", "alias"})
_CLIENT_FUNCTION: Final = "client"

Json = dict[str, Any]


def write_models(code: Iterable[Path], target: Path) -> dict[str, frozenset[str]]:
    """Write the data of every service that some code uses.

    Args:
        code: folders of Python files.
        target: the folder to make.

    Returns:
        The operations by service.

    Raises:
        DeployError: when a service is used, but none of its operations is found.
    """
    loader = Loader()
    used = operations(code, loader)
    for service, names in used.items():
        version = loader.determine_latest_version(service, "service-2")
        folder = target / service / version
        folder.mkdir(parents=True, exist_ok=True)
        model = loader.load_service_model(service, "service-2", version)
        _write(folder / "service-2.json", trimmed(model, names))
        pages = loader.load_service_model(service, "paginators-1", version)["pagination"]
        used_pages = {name: pages[name] for name in sorted(names) if name in pages}
        _write(folder / "paginators-1.json", {"pagination": used_pages})
    _write(target / "endpoints.json", _endpoints(loader.load_data("endpoints"), used))
    return used


def operations(code: Iterable[Path], loader: Loader | None = None) -> dict[str, frozenset[str]]:
    """Return the operations that some code may call, by service.

    A service is used when it is the first argument of a call of ``client``. Every name and every text in the code that
    is one of its methods counts as a call: one operation too many does no harm.

    Raises:
        DeployError: when a service is used, but none of its operations.
    """
    loader = loader or Loader()
    trees = [
        ast.parse(path.read_text(encoding="utf-8"), str(path))
        for folder in code
        for path in sorted(folder.rglob("*.py"))
    ]
    words = frozenset(word for tree in trees for word in _words(tree))
    found = {}
    for service in sorted({name for tree in trees for name in _services(tree)}):
        model = loader.load_service_model(service, "service-2")
        found[service] = frozenset(name for name in model["operations"] if xform_name(name) in words)
        if not found[service]:
            raise DeployError(f"The code makes a client of '{service}', but none of its operations is found there.")
    return found


def trimmed(model: Mapping[str, Any], names: Iterable[str]) -> Json:
    """Return a service's description with only these operations and the shapes they need."""
    kept = {name: _without_prose(model["operations"][name]) for name in sorted(names)}
    for name, operation in model["operations"].items():
        if operation.get("endpointoperation"):
            kept[name] = _without_prose(operation)
    shapes: Json = {}
    waiting = [shape for operation in kept.values() for shape in _references(operation)]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _without_prose(model["shapes"][name])
            waiting.extend(_references(shapes[name]))
    rest = {key: value for key, value in model.items() if key not in ("operations", "shapes", *_PROSE)}
    return {**rest, "operations": kept, "shapes": dict(sorted(shapes.items()))}


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _services(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == _CLIENT_FUNCTION and node.args:
            service = node.args[0]
            if isinstance(service, ast.Constant) and isinstance(service.value, str):
                yield service.value


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _references(document: object) -> Iterator[str]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(document, list):
        for one in document:
            yield from _references(one)


def _without_prose(document: Any) -> Any:
    """Return a part of a description without what only people read.

    The keys of ``members`` are kept: a member may be called ``documentation``.
    """
    if isinstance(document, list):
        return [_without_prose(one) for one in document]
    if not isinstance(document, Mapping):
        return document
    return {
        key: {name: _without_prose(one) for name, one in value.items()} if key == "members" else _without_prose(value)
        for key, value in document.items()
        if key not in _PROSE
    }


def _endpoints(document: Mapping[str, Any], services: Iterable[str]) -> Json:
    """Return the table of endpoints with only these services, but with every partition and region."""
    wanted = frozenset(services)
    partitions = [
        {**partition, "services": {name: one for name, one in partition["services"].items() if name in wanted}}
        for partition in document["partitions"]
    ]
    return {**document, "partitions": partitions}


def _write(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
