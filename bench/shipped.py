"""Builds what ships, and says what each function of it is: from the zip and the template, not from the sources.

What does not belong here: running any of it (``container.py``).
"""

from __future__ import annotations

import compileall
import importlib.util
import json
import os
import shutil
import time
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench.container import Function
from bench.names import CLICK, REGION, REVERT
from deploy import packaging
from deploy.names import APPS, ROOT, App

BUILD: Final = ROOT / "build" / "bench"
FLOORS: Final = Path(__file__).with_name("floors")
WHOLE_CPU_MB: Final = 1769
"""The memory size at which Lambda gives one whole CPU.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

Resources = Mapping[str, Mapping[str, Any]]

_LAMBDA_HAS: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""What Lambda's runtime brings: boto3 and what it needs.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """The two apps as they ship.

    Attributes:
        functions: every function by the product's name for it.
        floors: the floors by name.
        facts: of each app, what its zip and template hold that figures and cost depend on.
    """

    functions: Mapping[str, Function]
    floors: Mapping[str, Function]
    facts: Mapping[str, Mapping[str, Any]]


def build(*, anew: bool) -> Shipped:
    """Package both apps, unpack them, and read their templates.

    Args:
        anew: package even when an earlier package is there.
    """
    packages = BUILD / "package"
    if anew:
        shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True, exist_ok=True)
    runtime = _runtime()
    functions: dict[str, Function] = {}
    facts: dict[str, dict[str, Any]] = {}
    for app in APPS:
        template, code = _packaged(app, packages)
        folder = _unpacked(app, code)
        resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
        own = _functions(resources, folder, runtime)
        facts[app] = _zip_facts(code) | _template_facts(resources, own)
        functions |= own
    return Shipped(functions=functions, floors=_floors(functions), facts=facts)


def _packaged(app: App, packages: Path) -> tuple[Path, Path]:
    template, codes = packages / f"{app}.template.json", sorted(packages.glob(f"{app}-*.zip"))
    if template.exists() and len(codes) == 1:
        return template, codes[0]
    return packaging.package(app, packages, dict(os.environ))


def _unpacked(app: App, code: Path) -> Path:
    """Unpack a zip as Lambda does, with the times of its files: they say whether a compiled one is still good."""
    folder = BUILD / f"task-{app}"
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(code) as archive:
        archive.extractall(folder)
        for one in archive.infolist():
            moment = time.mktime((*one.date_time, 0, 0, -1))
            os.utime(folder / one.filename, (moment, moment))
    return folder


def _runtime() -> Path:
    """Make a folder with what Lambda's runtime brings, compiled as it is there."""
    folder = BUILD / "runtime"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _LAMBDA_HAS:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise RuntimeError(f"{name} is not installed: `make venv`")
        origin = Path(found.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, folder / name)
        else:
            shutil.copy(origin, folder)
    compileall.compile_dir(str(folder), quiet=2)
    return folder


def _functions(resources: Resources, folder: Path, runtime: Path) -> dict[str, Function]:
    found = {}
    for resource in resources.values():
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        properties = resource["Properties"]
        physical = properties["FunctionName"]["Fn::Sub"].replace("${Stage}", "prod").replace("${AWS::Region}", REGION)
        # The route's function is the only one whose name ends with the region.
        name = physical.rpartition(f"{REGION}-")[2] if not physical.endswith(REGION) else CLICK
        variables = properties.get("Environment", {}).get("Variables", {})
        found[name] = Function(
            name=name,
            physical_name=physical,
            folder=folder,
            runtime=runtime,
            handler=properties["Handler"],
            memory_mb=properties["MemorySize"],
            timeout_seconds=properties["Timeout"],
            # What the template takes from a parameter, the harness sets. Lambda unpacks the zip into /var/task.
            environment={
                key: value.replace("/var/task", str(folder))
                for key, value in variables.items()
                if isinstance(value, str) and value
            },
        )
    return found


def _floors(functions: Mapping[str, Function]) -> dict[str, Function]:
    """Return the floors, in the sizes of what they are compared with."""
    compileall.compile_dir(str(FLOORS), quiet=2)
    floors = {}
    for name, model in {"revert": REVERT, "click": CLICK}.items():
        if functions[model].memory_mb < WHOLE_CPU_MB:
            raise ValueError(f"{model} has {functions[model].memory_mb} MB: it is measured with a whole CPU only")
        floors[name] = replace(functions[model], folder=FLOORS, handler=f"{name}.handler", environment={})
    return floors


def _zip_facts(code: Path) -> dict[str, Any]:
    with zipfile.ZipFile(code) as archive:
        unpacked = sum(one.file_size for one in archive.infolist())
    return {"zip_bytes": code.stat().st_size, "unpacked_bytes": unpacked}


def _template_facts(resources: Resources, functions: Mapping[str, Function]) -> dict[str, Any]:
    """Return what the template makes that costs something."""
    of_type: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for resource in resources.values():
        of_type[resource["Type"]].append(resource.get("Properties", {}))
    lambdas = of_type["AWS::Lambda::Function"]
    rates = {
        str(rule["Name"].get("Fn::Sub", "")).removesuffix("-event").rpartition("-")[2]: rule["ScheduleExpression"]
        for rule in of_type["AWS::Events::Rule"]
        if "ScheduleExpression" in rule
    }
    return {
        "functions": {name: function.memory_mb for name, function in sorted(functions.items())},
        "traced": any(one.get("TracingConfig", {}).get("Mode") == "Active" for one in lambdas),
        "alarm_metrics": sum(_metrics_of(alarm) for alarm in of_type["AWS::CloudWatch::Alarm"]),
        "alarm_metrics_few": sum(
            _metrics_of(one.get("Properties", {}))
            for one in resources.values()
            if one["Type"] == "AWS::CloudWatch::Alarm" and "Condition" not in one
        ),
        "dashboards": len(of_type["AWS::CloudWatch::Dashboard"]),
        "schedules_minutes": {name: _minutes(rate) for name, rate in sorted(rates.items())},
    }


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """Return the metrics an alarm is billed for: one, or those its expression works with.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_billing.html
    """
    return max(1, sum("MetricStat" in one for one in alarm.get("Metrics", [])))


def _minutes(rate: str) -> int:
    """Return the minutes of e.g. ``rate(10 minutes)``."""
    number, unit = rate.removeprefix("rate(").removesuffix(")").split()
    return int(number) * (60 if unit.startswith("hour") else 1)
