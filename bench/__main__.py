"""The command line: ``python -m bench``; ``make bench`` calls it. Measures, then writes results, plots and docs."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench import authority, cold, cost, crowds, growth, instructions, path, plots, report, results, shipped, tls, warm
from bench.world import World, around

_RUNS: Final = {"warm": 30, "cold": 10, "path": 10, "growth": 5, "crowd": 1000}
_QUICK_RUNS: Final = {"warm": 3, "cold": 1, "path": 2, "growth": 2, "crowd": 100}

Section = Callable[[World, dict[str, int]], dict[str, Any]]
_SECTIONS: Final[dict[str, Section]] = {
    "warm": lambda world, runs: warm.measure(world, runs["warm"]),
    "cold": lambda world, runs: cold.measure(world, runs["cold"]),
    "path": lambda world, runs: path.measure(world, runs["path"]),
    "growth": lambda world, runs: growth.measure(world, runs["growth"]),
    "crowds": lambda world, runs: crowds.measure(world, runs["crowd"]),
    "tls": lambda world, runs: tls.measure(world, runs["path"]),
    "instructions": lambda world, _: instructions.measure(world),
}


class DifferentCallsError(RuntimeError):
    """A flow made other calls against the far side's memory than against moto; figures from memory mean nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit code."""
    options = _parser().parse_args(arguments)
    found = results.load(options.results)
    if not options.draw:
        found = _measured(found, options)
        results.save(found, options.results)
        print(f"{options.results}")
    _compare(found)
    missing = [name for name in _SECTIONS if name not in found]
    if missing:
        print(f"Not measured yet, so there are no documents: {', '.join(missing)}.")
        return 0
    if options.write:
        for written in (*plots.draw(found), report.write(found), cost.write(found)):
            print(written)
    print(report.short(found))
    return 0


def _measured(found: results.Results, options: argparse.Namespace) -> results.Results:
    runs = _QUICK_RUNS if options.quick else _RUNS
    chosen = options.only or list(_SECTIONS)
    began = time.monotonic()
    ready = shipped.build(anew=not options.keep)
    bundle, certificate = authority.make(shipped.BUILD / "authority")
    about = results.about(quick=options.quick, runs=runs)
    found = {**found, "about": about, "package": dict(ready.facts), "sections": found.get("sections", {})}
    with around(ready, bundle, certificate) as world:
        for name in chosen:
            begun = time.monotonic()
            print(f"{name} …", end=" ", flush=True)
            found[name] = _SECTIONS[name](world, runs)
            found["sections"][name] = {key: about[key] for key in ("at", "commit", "quick")}
            print(f"{time.monotonic() - begun:.0f} s", flush=True)
    found["about"]["took_seconds"] = round(time.monotonic() - began)
    return found


def _compare(found: results.Results) -> None:
    """Check that what answers from memory is called exactly as moto is."""
    if "warm" not in found or "growth" not in found:
        return
    before_moto = Counter(found["warm"]["reverts"]["one rule"]["calls"])
    from_memory = Counter(found["growth"]["rules"]["1"]["calls"])
    if before_moto != from_memory:
        raise DifferentCallsError(f"against moto {dict(before_moto)}, from memory {dict(from_memory)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the product as it ships.")
    parser.add_argument("--quick", action="store_true", help="few runs, to see whether everything works")
    parser.add_argument(
        "--only", nargs="+", choices=list(_SECTIONS), metavar="SECTION", help=f"one or more of {', '.join(_SECTIONS)}"
    )
    parser.add_argument("--keep", action="store_true", help="use the package of the last run")
    parser.add_argument("--draw", action="store_true", help="measure nothing; only plots and docs, from the results")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave plots and docs as they are")
    parser.add_argument("--results", type=Path, default=results.FILE, help="where figures are kept")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
