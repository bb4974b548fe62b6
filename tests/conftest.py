"""What holds for every test: property tests are never failed for being slow on a busy machine; and a policy to choose.

``pytest --hypothesis-profile=thorough`` looks twenty times longer for a counterexample.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=2000)
settings.load_profile("usual")


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a policy file in force."""
    numbers = itertools.count()

    def use(text: str) -> None:
        path = tmp_path / f"policy-{next(numbers)}.toml"
        path.write_text(text)
        monkeypatch.setenv("policyFile", str(path))

    return use
