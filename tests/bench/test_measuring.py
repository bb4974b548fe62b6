"""What is read off an invocation."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.container import Answer
from bench.fake_endpoints.calls import Call
from bench.measuring import REVOKE, Measured, ratio, summary, the_only


def test_a_figure_does_not_count_what_moto_was_late() -> None:
    """Of 300 ms, 40 were moto's and 210 the calls': 90 remain as the function's own."""
    calls = [
        Call(service="dynamodb", operation="GetItem", body="", arrived=1.005, answered=1.005),
        Call(service="ec2", operation=REVOKE, body="", arrived=1.01, answered=1.07, late_ms=10),
        Call(service="slack", operation="/x", body="", arrived=1.1, answered=1.25, late_ms=30),
    ]
    answer = Answer(begun=1.0, ended=1.3, cpu_ms=1, peak_kb=1, log_bytes=0, status=200, error="")
    measured = Measured(answer=answer, calls=calls)
    assert measured.ms == pytest.approx(260)
    assert measured.own_ms == pytest.approx(90)
    assert measured.request_ms == pytest.approx(10)
    assert (measured.operations, len(measured.posts), measured.calls_before) == (["GetItem", REVOKE], 1, 1)


def test_figures_are_medians() -> None:
    """One slow run does not change a figure much, and is shown."""
    assert summary([3, 1, 2, 100]) == {"median": 2.5, "max": 100}
    assert ratio(summary([3]), summary([2])) == 1.5


def test_runs_with_different_calls_make_no_figure() -> None:
    """Counts of calls do not vary; their order may."""
    assert the_only([Counter("ab"), Counter("ba")]) == Counter("ab")
    with pytest.raises(ValueError, match="differ"):
        the_only([Counter("a"), Counter("ab")])
