"""Draws how figures grow, from results; nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from bench.choosing import CLICK_CASE, REVERT_CASE
from bench.results import GROWTH_PLOT, MEMORY_PLOT
from deploy.names import ROOT

FOLDER: Final = ROOT / "docs" / "images"
_SLACK_MS: Final = 3000


def draw(results: Mapping[str, Any], folder: Path = FOLDER) -> list[Path]:
    """Write the plots; the same results give the same files."""
    # Text stays text, ids are derived and no date is written: two runs of the same figures are the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / GROWTH_PLOT, folder / MEMORY_PLOT
    for path, figure in zip(paths, (_growth(results), _memory(results)), strict=True):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        text = path.read_text(encoding="utf-8")
        path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")
    return list(paths)


def _growth(results: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    grown, crowds = results["growth"], results["crowds"]["crowds"]
    first, second, third, fourth = figure.subplots(2, 2).flat
    _lines(first, grown["rules"], {"request": "until the revert request", "cpu_ms": "processor, whole handler"})
    _label(first, "One call that added many rules", "rules of the call", "ms")
    _lines(second, grown["baseline"], {"request": "until the revert request", "cpu_ms": "processor, whole handler"})
    _label(second, "One new rule in a large group", "approved rules of the group", "ms")
    regions = grown["groups"]
    for kind, label in (("first", "first snapshot"), ("quiet", "quiet snapshot"), ("changed", "ten groups changed")):
        counts = [sum(row[kind]["calls"].values()) for row in regions.values()]
        third.plot([int(number) for number in regions], counts, marker="o", label=label)
    _label(third, "Snapshots", "groups of the region", "AWS calls")
    numbers = [int(number) for number in crowds]
    fourth.plot(numbers, [row["calls_per_event"] for row in crowds.values()], marker="o", label="calls per event")
    _label(fourth, "Events at once", "events", "AWS calls per event")
    fourth.set_yscale("linear")
    fourth.set_ylim(bottom=0)
    return figure


def _lines(axes: Axes, rows: Mapping[str, Any], what: Mapping[str, str]) -> None:
    for key, label in what.items():
        numbers = [int(number) for number in rows]
        axes.plot(numbers, [row[key]["median"] for row in rows.values()], marker="o", label=label)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    """Name the axes; sizes stand below where something was measured."""
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.set_xscale("symlog", linthresh=1)
    measured = sorted({float(number) for line in axes.lines for number in np.asarray(line.get_xdata())})
    axes.set_xticks(measured, [f"{number:,.0f}" for number in measured])
    axes.minorticks_off()
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _memory(results: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for case, label in ((REVERT_CASE, "start → revert request"), (CLICK_CASE, "start → answer to a click")):
        rows = results["cold"]["sizes"][case]
        sizes = sorted(rows, key=int)
        axes.plot([int(size) for size in sizes], [rows[size]["cold"]["median"] for size in sizes], "o-", label=label)
    axes.axhline(_SLACK_MS, color="tab:red", linestyle="--", label="Slack's three seconds")
    axes.set(title="Cold starts by memory size", xlabel="memory in MB", ylabel="ms")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return figure
