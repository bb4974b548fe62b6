"""``python -m tests.fault``: every flow with every fault at every call, and how many survived."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.fault.flows import FLOWS
from tests.fault.matrix import Cell, run_flow, table


def main(arguments: list[str]) -> int:
    """Run the matrix and print it; the result is the exit status: 1 when something did not survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--flow", action="append", help="only this flow; may be given several times")
    options = parser.parse_args(arguments)
    names = options.flow or [flow.name for flow in FLOWS]
    begun = time.monotonic()
    cells: list[Cell] = []
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for some in pool.map(run_flow, names):
            cells += some
            lost = sum(bool(cell.violations) for cell in some)
            _say(f"{some[0].flow}: survived {len(some) - lost} of {len(some)}")
    _say(table(cells))
    lost_cells = [cell for cell in cells if cell.violations]
    for cell in lost_cells:
        _say(f"\n{cell.name}\n  " + "\n  ".join(cell.violations))
    _say(f"\nsurvived {len(cells) - len(lost_cells)} of {len(cells)} ({time.monotonic() - begun:.0f} s)")
    return 1 if lost_cells else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
