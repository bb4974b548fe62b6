"""The two pages and the arithmetic of cost, over the committed figures."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bench import cost, pages
from bench.cost import Line, idle_month, metrics_month, per_request, total
from bench.path import custom_metrics
from bench.shipped import _metrics_of, _minutes
from deploy.names import ROOT


@pytest.fixture
def results() -> dict[str, Any]:
    """The committed figures; a test may change its copy."""
    return pages.load()


def _amount(lines: list[Line], what: str) -> float:
    return next(line.amount for line in lines if line.what == what)


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_committed_page_shows_the_committed_figures(name: str, results: dict[str, Any]) -> None:
    """Nobody edits a page by hand: `make bench` or `make cost` writes it."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages.render(name, results)


def test_figures_of_an_earlier_run_are_marked(results: dict[str, Any]) -> None:
    """After `--only` the page says which sections are older."""
    results["about"]["at"] = "2030-01-01 00:00 UTC"
    results["measured"]["warm"]["at"] = "2030-01-01 00:00 UTC"
    page = pages.render("performance.md", results)
    assert "Measured earlier: cold" in page
    assert "Measured earlier: warm" not in page


def test_an_amount_costs_its_price() -> None:
    """A line is amount times price, a bill the sum of its lines."""
    lines = [Line(what="Lambda, requests", amount=1_000_000), Line(what="Alarms", amount=3)]
    assert [line.usd for line in lines] == pytest.approx([0.20, 0.30])
    assert total(lines) == pytest.approx(0.50)


def test_a_request_costs_what_its_steps_do(results: dict[str, Any]) -> None:
    """Duration is billed per function at its size, in whole milliseconds."""
    for step in results["path"]["steps"].values():
        step["ms"]["median"] = 99.2
    for facts in results["package"].values():
        facts["functions"] = dict.fromkeys(facts["functions"], 2048)
    lines = per_request(results, cold=False, number=1)
    assert _amount(lines, "Lambda, arm64") == pytest.approx(5 * 0.1 * 2)
    assert _amount(lines, "Lambda, requests") == 5


def test_cold_starts_and_groups_cost_more(results: dict[str, Any]) -> None:
    """Loading is billed, and a snapshot of more groups takes longer."""
    results["cold"]["revert"]["ms"]["median"] = results["warm"]["reverts"]["one rule"]["ms"]["median"] + 300
    warm, cold = (_amount(per_request(results, cold=is_cold), "Lambda, arm64") for is_cold in (False, True))
    assert cold >= warm + 1000 * 2 * 0.3 * 1769 / 1024
    assert total(idle_month(results, "member", groups=2000)) > total(idle_month(results, "member"))


def test_an_idle_month_has_every_run_of_the_schedule(results: dict[str, Any]) -> None:
    """Six times an hour in a month of 730 hours; the event of each hour's probe comes on top."""
    results["package"]["member"]["schedules_minutes"] = {"snapshotSecurityGroups": 10}
    assert _amount(idle_month(results, "member"), "Lambda, requests") == cost.HOURS_PER_MONTH * 7 == 5110


def test_an_example_adds_up(results: dict[str, Any]) -> None:
    """A month of many places is what each of them costs, and metrics are billed by the hour."""
    one, two = cost.example(results, 1, 1, 730), cost.example(results, 2, 1, 730)
    assert two["requests"] == pytest.approx(2 * one["requests"])
    assert two["metrics"] - one["metrics"] == pytest.approx(metrics_month(results, "member").usd)
    assert one["month"] == pytest.approx(one["fixed"] + one["metrics"] + one["requests"])


def test_each_metric_is_counted_once_per_set_of_dimensions() -> None:
    """CloudWatch bills a metric for each combination of its dimensions' values."""
    line = (
        '{"_aws": {"CloudWatchMetrics": [{"Dimensions": [["service", "call"]], "Metrics": [{"Name": "Seconds"}]}]},'
        ' "service": "s", "call": "%s"}'
    )
    log = "\n".join([line % "Authorize", line % "Revoke", line % "Authorize", '{"message": "no metric"}', "START"])
    assert custom_metrics(log) == ["Seconds call=Authorize", "Seconds call=Revoke"]


def test_a_template_says_what_is_billed() -> None:
    """An alarm of an expression is billed for each metric in it; schedules are read in minutes."""
    assert _metrics_of({"MetricName": "Errors"}) == 1
    assert _metrics_of({"Metrics": [{"Expression": "SUM(METRICS())"}, {"MetricStat": {}}, {"MetricStat": {}}]}) == 2
    assert [_minutes(rate) for rate in ("rate(1 minute)", "rate(10 minutes)", "rate(2 hours)")] == [1, 10, 120]


def test_numbers_read_well() -> None:
    """Three significant digits, commas, and calls by number."""
    assert [pages.number(value) for value in (0.123, 12.34, 1234.5, 7)] == ["0.12", "12.3", "1,234", "7"]
    assert [pages.usd(value) for value in (0.01234, 12.345, 0)] == ["0.0123", "12.35", "0.00"]
    assert pages.calls({"GetItem": 2, "Publish": 1}) == "2 `GetItem`, `Publish`"


def test_results_are_not_shared_between_renderings(results: dict[str, Any]) -> None:
    """Rendering changes no figure."""
    before = copy.deepcopy(results)
    for name in pages.PAGES:
        pages.render(name, results)
    assert results == before
