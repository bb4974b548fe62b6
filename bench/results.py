"""Where measured figures are kept: one JSON file in git, from which tables, plots and the cost model are made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import instructions, shares
from bench.servers import LATENCY_MS
from bench.shipped import versions
from deploy.names import ROOT

FILE: Final = ROOT / "bench" / "results" / "latest.json"

GROWTH_PLOT: Final = "performance-growth.svg"
MEMORY_PLOT: Final = "performance-memory.svg"
"""In ``docs/images``."""

Results = dict[str, Any]


def load(path: Path = FILE) -> Results:
    """Return what was measured; empty when nothing was."""
    found: Results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def save(results: Results, path: Path = FILE) -> None:
    """Write results; tables show things in the order in which they stand there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def about(*, quick: bool, runs: dict[str, int]) -> Results:
    """Say where and how a run was made."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "quick": quick,
        "runs": runs,
        "latency_ms": dict(LATENCY_MS),
        "versions": versions(),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "slowed_by": shares.means(),
        "instructions_by": instructions.means()[0] or "nothing",
    }


def _commit() -> str:
    """Return the commit, and whether something was changed since."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
