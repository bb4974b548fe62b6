"""What holds for every test: property tests are never failed for being slow on a busy machine; what coverage counts; a
policy to choose.

``pytest --hypothesis-profile=thorough`` looks twenty times longer for a counterexample.

Tracing doubles the time of what it traces, and a line that only a whole flow or a random example happens to run has no
test. So ``--cov`` traces the unit tests of pure code alone, unless ``--trace-everything`` stands beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=2000)
settings.load_profile("usual")

TESTS: Final = Path(__file__).parent
TRACED: Final = tuple(
    TESTS / area
    for area in (
        *("shared/domain", "shared/wire", "shared/slack", "central/requests"),
        *("member/assessment", "member/cloudtrail", "member/ec2", "member/state", "member/pure"),
    )
)
"""Where the unit tests of pure code are. Its examples, without its property tests, have to reach every branch of it
(``PURE`` in the Makefile)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``make coverage`` passes."""
    parser.addoption("--trace-everything", action="store_true", help="with --cov: trace all tests, at twice the time")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Pause coverage for all other tests, with their fixtures.

    pytest-cov's own ``no_cover`` leaves fixtures in; and in a process of pytest-xdist, where two coverages are running,
    one below the other, it pauses the upper one, which wakes the lower.
    """
    is_random = item.get_closest_marker("hypothesis") is not None
    is_traced = not is_random and any(item.path.is_relative_to(folder) for folder in TRACED)
    if is_traced or item.config.getoption("trace_everything"):
        return (yield)
    paused: list[Coverage] = []
    while (running := Coverage.current()) is not None:
        running.stop()
        paused.append(running)
    try:
        return (yield)
    finally:
        for coverage in reversed(paused):
            coverage.start()


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a policy file in force."""
    numbers = itertools.count()

    def use(text: str) -> None:
        path = tmp_path / f"policy-{next(numbers)}.toml"
        path.write_text(text)
        monkeypatch.setenv("policyFile", str(path))

    return use
