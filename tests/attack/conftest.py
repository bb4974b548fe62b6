"""moto as quick as elsewhere; the table after ``make fuzz``: how many inputs each target got, and how they ended."""

from __future__ import annotations

import os

import pytest

from tests.support import quick_moto

quick_moto.remember()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table where somebody asked for a number of inputs."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows = [value for report in reports for key, value in report.user_properties if key == "fuzz"]
    if not rows or "FUZZ_INPUTS" not in os.environ:
        return
    terminalreporter.section("fuzz")
    terminalreporter.write_line(f"{'target':34} {'inputs':>8}  how they ended")
    for target, ends in sorted(rows):
        told = ", ".join(f"{end} {number}" for end, number in sorted(ends.items(), key=lambda pair: -pair[1]))
        terminalreporter.write_line(f"{target:34} {sum(ends.values()):>8}  {told}")
    total = sum(number for _, ends in rows for number in ends.values())
    failed = len(terminalreporter.getreports("failed"))
    terminalreporter.write_line(f"{total:,} inputs, {len(rows)} targets; {failed} ended in a way nobody declared")
