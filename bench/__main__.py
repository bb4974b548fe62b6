"""The command line: ``python -m bench``; ``make bench`` calls it. Measures, then writes the two pages."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import boto3

from bench import bursts, cold, growth, pages, path, shipped, warm
from bench.fake_endpoints.client import LATENCY_MS
from bench.world import World
from deploy.names import ROOT

_RUNS: Final = {"warm": 30, "cold": 10, "path": 10, "growth": 5, "bursts": 1000}
_QUICK_RUNS: Final = {"warm": 3, "cold": 1, "path": 2, "growth": 1, "bursts": 60}
"""Measured invocations; of bursts, the most events at once."""
_SECTIONS: Final[dict[str, Callable[[World, int], dict[str, Any]]]] = {
    "warm": warm.measure, "cold": cold.measure, "path": path.measure, "growth": growth.measure,
    "bursts": bursts.measure,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit code."""
    options = _parser().parse_args(arguments)
    results = pages.load() if options.only or options.pages else {}
    if not options.pages:
        _measure(results, options)
        pages.RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for written in pages.write(results):
        print(written)
    return 0


def _measure(results: dict[str, Any], options: argparse.Namespace) -> None:
    runs = _QUICK_RUNS if options.quick else _RUNS
    results["about"] = about = _about(runs, quick=options.quick)
    ready = shipped.build(anew=not options.keep)
    results["package"] = dict(ready.facts)
    with World(ready) as world:
        for name in options.only or _SECTIONS:
            begun = time.monotonic()
            print(f"{name} …", end=" ", flush=True)
            world.forget()
            results[name] = _SECTIONS[name](world, runs[name])
            results.setdefault("measured", {})[name] = {key: about[key] for key in ("at", "commit", "quick")}
            print(f"{time.monotonic() - begun:.0f} s", flush=True)


def _about(runs: dict[str, int], *, quick: bool) -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit.stdout.strip(),
        "quick": quick,
        "runs": runs,
        "latency_ms": dict(LATENCY_MS),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "versions": f"Python {platform.python_version()}, boto3 {boto3.__version__}",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the product as it ships.")
    parser.add_argument("--quick", action="store_true", help="few runs, to see whether everything works")
    parser.add_argument("--only", nargs="+", choices=_SECTIONS, metavar="SECTION", help=f"of {', '.join(_SECTIONS)}")
    parser.add_argument("--keep", action="store_true", help="use the package of the last run")
    parser.add_argument("--pages", action="store_true", help="measure nothing; write the pages from the last results")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
