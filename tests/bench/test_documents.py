"""What is written from measured figures: documents in git, and the arithmetic of cost."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bench import choosing, cost, cost_model, report, results
from bench.cost_model import Line, idle_month, lambda_usd, per_request, total
from bench.prices import PRICES
from bench.tables import calls, number, table


@pytest.fixture(scope="module")
def found() -> results.Results:
    """The committed figures."""
    return results.load()


def test_the_committed_documents_are_those_of_the_committed_figures(found: results.Results) -> None:
    """Nobody edits them by hand, and no figure is of another run: `make bench` or `make cost` writes them anew."""
    assert report.FILE.read_text(encoding="utf-8") == report.performance(found)
    assert cost.FILE.read_text(encoding="utf-8") == cost.document(found)


def test_an_amount_costs_its_price() -> None:
    """A line is amount times price, a bill the sum of its lines."""
    lines = [Line(what="Lambda, requests", amount=1_000_000), Line(what="Alarms", amount=3)]
    assert [line.usd for line in lines] == pytest.approx([0.20, 0.30])
    assert total(lines) == pytest.approx(0.50)


def test_a_request_costs_what_its_steps_do(found: results.Results) -> None:
    """Duration is billed per function at its size: a second of 2 GB costs twice a second of 1 GB."""
    figures: dict[str, Any] = copy.deepcopy(found)
    for step in figures["path"]["steps"].values():
        step["billed_ms"]["median"] = 100.0
    for facts in figures["package"].values():
        facts["functions"] = dict.fromkeys(facts["functions"], 2048)
    (duration,) = (line for line in per_request(figures, cold=False) if line.what == "Lambda, arm64")
    assert duration.amount == pytest.approx(5 * 0.1 * 2)
    (invocations,) = (line for line in per_request(figures, cold=False) if line.what == "Lambda, requests")
    assert invocations.amount == 5


def test_cold_starts_and_groups_cost_more(found: results.Results) -> None:
    """Loading is billed, and a snapshot of more groups takes longer."""
    assert total(per_request(found, cold=True)) > total(per_request(found, cold=False))
    assert total(idle_month(found, "member", groups=2000)) > total(idle_month(found, "member"))
    assert lambda_usd(found, choosing.REVERT_CASE, 1769, cold=True) > 1000 * PRICES["Lambda, requests"].usd


def test_an_idle_month_has_every_run_of_the_schedule(found: results.Results) -> None:
    """A schedule of ten minutes runs 4,380 times in a month of 730 hours."""
    figures: dict[str, Any] = copy.deepcopy(found)
    figures["package"]["member"]["schedules_minutes"] = {"snapshotSecurityGroups": 10}
    (runs,) = (line for line in idle_month(figures, "member") if line.what == "Lambda, requests")
    assert runs.amount == cost_model.HOURS_PER_MONTH * 6 == 4380


def test_sizes_are_chosen_by_their_rules(found: results.Results) -> None:
    """Revert and click take what still helps, messages what is soon enough, and what nobody waits for what has room."""
    figures: dict[str, Any] = copy.deepcopy(found)

    def rows(*cold_ms: float) -> dict[str, Any]:
        sizes = ("128", "256", "512", "1024", "1769")
        return {size: {"cold": {"median": ms, "max": ms}} for size, ms in zip(sizes, cold_ms, strict=True)}

    figures["cold"]["sizes"] = {
        choosing.REVERT_CASE: rows(8000, 4000, 2000, 1000, 950),
        choosing.CLICK_CASE: rows(6000, 3000, 1400, 800, 600),
    }
    chosen = {one.function: one.memory_mb for one in choosing.choose(figures)}
    assert chosen["revertSecurityGroup"] == 1024
    assert chosen["buttonClick"] == 1769
    assert chosen["applySecurityGroupChange"] == 1024
    assert chosen["securityGroupChange"] == chosen["denySecurityGroupChange"] == 512
    assert chosen["snapshotSecurityGroups"] == 256


def test_every_function_gets_a_size(found: results.Results) -> None:
    """A new function would otherwise be left out silently."""
    assert {one.function for one in choosing.choose(found)} == cost_model.memory_of(found).keys()


def test_tables_and_numbers_read_well() -> None:
    """Three digits that count, commas, and calls by number."""
    assert [number(value) for value in (0.123, 12.34, 1234.5, 7)] == ["0.12", "12.3", "1,234", "7"]
    assert calls(["GetItem", "Publish", "GetItem"]) == "2 `GetItem`, `Publish`"
    assert calls([]) == "none"
    assert table(("", "n"), [("a", "1")]) == "|  | n |\n|---|---:|\n| a | 1 |"
