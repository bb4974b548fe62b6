"""Instructions executed: a figure that does not depend on how busy the machine is.

Counted by ``perf`` where the processor's counters can be read (seldom in virtual machines), else by valgrind, which
runs the process some fifty times slower.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bench.cold import Case, cases
from bench.container import Container
from bench.servers import FarSide
from bench.world import World

_WARM: Final = 5
_TOTAL: Final = re.compile(r"I\s+refs:\s+([0-9,]+)|([0-9]+),[^,]*,instructions")

Counter = Callable[[str], list[str]]


def means() -> tuple[str, Counter | None]:
    """Return what counts here, and the command before a command that it counts, given the file for its result."""
    perf = shutil.which("perf")
    if perf is not None:
        probe = subprocess.run([perf, "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, check=False)
        if probe.returncode == 0 and b"not supported" not in probe.stderr and b"not counted" not in probe.stderr:
            return "perf", lambda result: [perf, "stat", "-x,", "-e", "instructions:u", "-o", result]
    valgrind = shutil.which("valgrind")
    if valgrind is not None:
        options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        return "valgrind", lambda result: [valgrind, *options, f"--log-file={result}"]
    return "", None


def measure(world: World) -> dict[str, Any]:
    """Return instructions of a cold start and of one more invocation, for revert, click and their floors."""
    name, counter = means()
    if counter is None:
        return {"means": ""}
    some = cases(world)
    names = ("floor of the revert", "revert, caller an IAM user", "floor of the click", "click, secrets by value")
    jobs = [(some[case], warm) for case in names for warm in (0, _WARM)]
    with ThreadPoolExecutor(2) as pool:  # counts are the same on a busy machine
        counts = list(pool.map(lambda job: _count(world, counter, *job), jobs))
    rows = {
        case: {
            "cold_millions": round(counts[2 * index] / 1e6, 1),
            "warm_millions": round((counts[2 * index + 1] - counts[2 * index]) / _WARM / 1e6, 2),
        }
        for index, case in enumerate(names)
    }
    return {"means": name, "rows": rows}


def _count(world: World, counter: Counter, case: Case, warm: int) -> int:
    with tempfile.TemporaryDirectory() as folder, FarSide(world.moto) as far:
        result = str(Path(folder) / "count")
        environment = world.environment(far=far, by_reference=case.by_reference)
        with Container(case.function, environment, event=case.event(far.url), prefix=counter(result)) as container:
            for _ in range(warm):
                container.invoke(case.event(far.url))
        found = _TOTAL.search(Path(result).read_text(encoding="utf-8"))
        if found is None:
            raise RuntimeError(f"no count in {Path(result).read_text(encoding='utf-8')!r}")
        return int((found[1] or found[2]).replace(",", ""))
