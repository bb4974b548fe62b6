"""Writes ``docs/performance.md`` from results: tables here, prose in ``bench/documents/performance.md``.

Every figure was measured; every sentence holds for any figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

from bench import choosing
from bench.choosing import CLICK_CASE, REVERT_CASE
from bench.cold import WHOLE_CPU
from bench.growth_tables import crowd_texts, growth_texts
from bench.measuring import SLACK, ratio
from bench.path import IDLE_GROUPS
from bench.results import GROWTH_PLOT, MEMORY_PLOT
from bench.tables import calls, megabytes, ms, number, table, times
from deploy.names import ROOT

FILE: Final = ROOT / "docs" / "performance.md"
DOCUMENTS: Final = Path(__file__).with_name("documents")
QUICK: Final = " **That was a quick run with few repetitions: its figures only show that everything works.**"
_USER, _VALUE = "revert, caller an IAM user", "click, secrets by value"
_FLOOR_OF: Final = {_USER: "floor of the revert", _VALUE: "floor of the click"}

Figures = Mapping[str, Any]


def write(results: Figures, path: Path = FILE) -> Path:
    """Write the document."""
    path.write_text(performance(results), encoding="utf-8")
    return path


def performance(results: Figures) -> str:
    """Return the document."""
    about, click = results["about"], results["warm"]["click"]
    sizes = results["cold"]["sizes"]
    texts = {
        **about_texts(results),
        "short": short(results),
        "latency": ", ".join(f"{name} {number(value)} ms" for name, value in about["latency_ms"].items()),
        "warm_runs": about["runs"]["warm"],
        "cold_runs": about["runs"]["cold"],
        "whole_mb": f"{WHOLE_CPU:,}",
        "warm": _warm(results["warm"]),
        "revert_calls": calls(results["warm"]["reverts"]["one rule"]["calls"]),
        "click_calls": calls(click["calls"]),
        "click_posts": click["posts"],
        "cold_whole": _cold(results["cold"]["whole"]),
        "cold_shipped": _cold(results["cold"]["shipped"]),
        "zips": _zips(results["package"]),
        "memory_plot": MEMORY_PLOT,
        "growth_plot": GROWTH_PLOT,
        "sizes_revert": _sizes(sizes[REVERT_CASE]),
        "sizes_click": _sizes(sizes[CLICK_CASE]),
        "architectures": " and ".join(results["package"]["member"]["architectures"]),
        "chosen": _chosen(results),
        "path": _path(results["path"]["steps"]),
        "idle": table(_STEP_HEAD, [_step(name, row) for name, row in results["path"]["idle"].items()]),
        "idle_groups": IDLE_GROUPS,
        "tls": _tls(results["tls"]),
        "instructions": _instructions(results["instructions"]),
        **growth_texts(results["growth"]),
        **crowd_texts(results["crowds"]),
    }
    return Template((DOCUMENTS / "performance.md").read_text(encoding="utf-8")).substitute(texts)


def about_texts(results: Figures) -> dict[str, str]:
    """Return what is said of the run."""
    about = results["about"]
    return {
        "at": about["at"],
        "commit": about["commit"],
        "machine": about["machine"],
        "kind": about["machine"].rpartition(" ")[2],
        "cpus": str(about["cpus"]),
        "python": about["versions"]["python"],
        "boto3": about["versions"]["boto3"],
        "load": str(about["load"]),
        "slowed_by": about["slowed_by"],
        "quick": remarks(results),
    }


def remarks(results: Figures) -> str:
    """Return what a reader has to know before trusting the figures."""
    about = results["about"]
    others = [
        f"{name} ({section['at']}, `{section['commit']}`{', quick' if section['quick'] else ''})"
        for name, section in results["sections"].items()
        if section["at"] != about["at"]
    ]
    earlier = f" Measured before, in other runs: {', '.join(others)}." if others else ""
    return (QUICK if about["quick"] else "") + earlier


def short(results: Figures) -> str:
    """Return the table of goals."""
    about, warm, cold = results["about"], results["warm"], results["cold"]
    steps = list(results["path"]["steps"].values())
    cases = ("one rule", "one group reference", "60 group references")
    one, reference, sixty = (warm["reverts"][name]["request"] for name in cases)
    rows = [
        _against("warm: invoke → revert request", one, "≤ 2 ×"),
        _against("warm: the same with one group reference", reference, "≤ 2 ×"),
        _against("warm: the same with 60 group references", sixty, "≤ 2 ×"),
        _against("warm: whole revert handler", warm["reverts"]["one rule"]["handler"], ""),
        _against("warm: click → answer", warm["click"]["answer"], ""),
        _against("warm: click → answer, without Slack's own time", warm["click"]["without_slack"], ""),
    ]
    for kind, place, goal in (("whole", "a whole CPU", ""), ("shipped", "the shipped size", "≤ 0.65 ×")):
        for case, what in ((_USER, "start → revert request"), (_VALUE, "start → answer to a click")):
            own, floor = cold[kind][case], cold[kind][_FLOOR_OF[case]]
            pair = {"product": own["ms"], "floor": floor["ms"], "ratio": own["ratio"]}
            rows.append(_against(f"cold, {place}: {what}", pair, goal))
        name = f"cold, {place}: start → answer to a click, without Slack's own time"
        rows.append(_against(name, _without_slack(cold[kind], about["latency_ms"][SLACK]), goal))
    slowest = cold["shipped"][CLICK_CASE]["ms"]["max"]
    counts = {
        "AWS calls before the revert request, warm": (warm["reverts"]["one rule"]["calls_before"], "0"),
        "AWS calls of the whole approve path": (sum(len(step["calls"]) for step in steps), ""),
        "posts to Slack of the whole approve path": (sum(step["posts"] for step in steps), ""),
    }
    rows.append(
        (
            "cold, the shipped size: slowest answer to a click, secrets in SSM",
            f"{slowest:,.0f} ms",
            "",
            "",
            "≤ 3,000 ms",
        )
    )
    rows += [(name, str(value), "", "", goal) for name, (value, goal) in counts.items()]
    return table(("", "product", "floor", "ratio", "goal"), rows)


def _without_slack(cases: Figures, latency_ms: float) -> dict[str, Any]:
    """Return a cold click and its floor, which posts nothing; what Slack was late is taken off already."""
    own, floor = cases[_VALUE], cases[_FLOOR_OF[_VALUE]]["ms"]
    waited = latency_ms * sum(call.startswith(f"/{SLACK}/") for call in own["calls"])
    product = {"median": own["ms"]["median"] - waited}
    return {"product": product, "floor": floor, "ratio": ratio(product, floor)}


def _against(name: str, row: Figures, goal: str) -> tuple[str, ...]:
    return (name, ms(row["product"]), ms(row["floor"]), times(row["ratio"]), goal)


def _warm(warm: Figures) -> str:
    rows = []
    for name, row in warm["reverts"].items():
        request = row["request"]
        first = f"revert, {name}", ms(request["product"]), times(request["ratio"]), ms(row["handler"]["product"])
        rows.append((*first, *_own(row)))
    click = warm["click"]
    rows.append(("click", "", "", ms(click["answer"]["product"]), *_own(click)))
    head = (
        "",
        "until the revert request",
        "to the floor",
        "whole handler",
        "of it its own",
        "processor",
        "peak memory",
    )
    return table(head, rows)


def _own(row: Figures) -> tuple[str, ...]:
    return ms(row["own_ms"]["product"]), ms(row["cpu_ms"]["product"]), f"{row['peak_mb']} MB"


def _cold(cases: Figures) -> str:
    rows = []
    for name, row in cases.items():
        before = "" if row["calls_before"] is None else str(row["calls_before"])
        ratio = times(row["ratio"]) if "ratio" in row else "1"
        first = name, ms(row["ms"]), f"{row['ms']['max']:,.0f} ms", ratio
        rows.append((*first, ms(row["init_ms"]), ms(row["cpu_ms"]), before, f"{row['peak_mb']} MB"))
    head = ("", "start → end", "slowest", "to the floor", "loading", "processor", "calls before", "peak memory")
    return table(head, rows)


def _zips(package: Figures) -> str:
    rows = [
        (app, megabytes(facts["zip_bytes"]), megabytes(facts["unpacked_bytes"]), *_counts(facts))
        for app, facts in package.items()
    ]
    return table(("zip", "size", "unpacked", "files", "of them compiled"), rows)


def _counts(facts: Figures) -> tuple[str, str]:
    return f"{facts['files']:,}", f"{facts['compiled_files']:,}"


def _sizes(sizes: Figures) -> str:
    rows = []
    for size, row in sorted(sizes.items(), key=lambda pair: int(pair[0])):
        cold = f"{int(size):,} MB", ms(row["cold"]), f"{row['cold']['max']:,.0f} ms", ms(row["cold_billed_ms"])
        rows.append((*cold, ms(row["warm_ms"]), f"{row['peak_mb']} MB"))
    return table(("", "cold", "slowest", "cold, billed", "warm, billed", "peak memory"), rows)


def _chosen(results: Figures) -> str:
    shipped = {name: size for facts in results["package"].values() for name, size in facts["functions"].items()}
    rows = [
        (f"`{one.function}`", f"{one.memory_mb:,} MB", f"{shipped[one.function]:,} MB", one.reason)
        for one in choosing.choose(results)
    ]
    return table(("function", "by the figures", "shipped", "because"), rows)


_STEP_HEAD: Final = ("", "billed", "processor", "AWS calls", "posts", "log bytes", "peak memory")


def _path(steps: Figures) -> str:
    rows = [_step(name, row) for name, row in steps.items()]
    billed, cpu, logged = (
        sum(row[key]["median"] for row in steps.values()) for key in ("billed_ms", "cpu_ms", "log_bytes")
    )
    made, posts = sum(len(row["calls"]) for row in steps.values()), sum(row["posts"] for row in steps.values())
    together = f"{billed:,.0f} ms", f"{number(cpu)} ms", str(made), str(posts), f"{logged:,.0f}", ""
    return table(_STEP_HEAD, [*rows, ("**together**", *together)])


def _step(name: str, row: Figures) -> tuple[str, ...]:
    times_of = f"{row['billed_ms']['median']:,.0f} ms", ms(row["cpu_ms"])
    return (
        name,
        *times_of,
        str(len(row["calls"])),
        str(row["posts"]),
        f"{row['log_bytes']['median']:,.0f}",
        f"{row['peak_mb']} MB",
    )


def _tls(found: Figures) -> str:
    rows = []
    for name, row in found.items():
        cold = (f"{number(row[kind]['cold_cpu_ms'])} ms" for kind in ("plain", "tls"))
        warm = (ms(row[kind]["warm_cpu_ms"]) for kind in ("plain", "tls"))
        rows.append((name, *cold, *warm))
    return table(("processor time", "cold, HTTP", "cold, TLS", "warm, HTTP", "warm, TLS"), rows)


def _instructions(found: Figures) -> str:
    if not found["means"]:
        return "Neither `perf` nor valgrind can count instructions on the machine of this run."
    rows = [
        (name, f"{number(row['cold_millions'])} M", f"{number(row['warm_millions'])} M")
        for name, row in found["rows"].items()
    ]
    return (
        f"Counted by {found['means']}; they hardly depend on how busy the machine is.\n\n"
        f"{table(('', 'cold start', 'one more invocation'), rows)}"
    )
