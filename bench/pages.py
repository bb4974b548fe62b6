"""Writes ``docs/performance.md`` and ``docs/cost.md`` from the results; the texts are templates in ``documents``.

Every figure was measured; every sentence holds for any figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import bursts, cost, heartbeats
from bench.path import IDLE_GROUPS
from bench.prices import AS_OF, PRICES
from bench.shipped import WHOLE_CPU_MB
from deploy.names import ROOT

RESULTS: Final = ROOT / "bench" / "results" / "latest.json"
DOCUMENTS: Final = Path(__file__).with_name("documents")
PAGES: Final = ("performance.md", "cost.md")


def load() -> dict[str, Any]:
    """Return the last results."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def write(results: Mapping[str, Any]) -> list[Path]:
    """Write both pages."""
    paths = [ROOT / "docs" / name for name in PAGES]
    for path in paths:
        path.write_text(render(path.name, results), encoding="utf-8")
    return paths


def render(name: str, results: Mapping[str, Any]) -> str:
    """Return a page."""
    environment = Environment(  # noqa: S701 - Markdown of our own figures
        loader=FileSystemLoader(DOCUMENTS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"n": number, "ms": milliseconds, "calls": calls, "usd": usd}
    earlier = {key: one for key, one in results["measured"].items() if one["at"] != results["about"]["at"]}
    return environment.get_template(name).render(
        **results,
        bursts_module=bursts,
        cost=cost,
        heartbeats=heartbeats,
        earlier=earlier,
        idle_groups=IDLE_GROUPS,
        prices=PRICES,
        prices_as_of=AS_OF,
        memory_mb=cost.memory_of(results),
        whole_cpu_mb=WHOLE_CPU_MB,
        results=results,
    )


def number(value: float) -> str:
    """Return a number with three significant digits, and commas."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def milliseconds(figures: Mapping[str, float]) -> str:
    """Return a median in ms."""
    return f"{number(figures['median'])} ms"


def calls(made: Mapping[str, int]) -> str:
    """Return calls by name, with their number where there are several."""
    return ", ".join(f"{count} `{name}`" if count > 1 else f"`{name}`" for name, count in made.items())


def usd(value: float) -> str:
    """Return an amount of money, small ones with four decimals."""
    return f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.4f}"
