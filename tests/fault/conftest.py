"""What the fault tests share: both accounts in this process, made once, and begun anew for each run."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared.telemetry import logger
from tests.fault.world import Begin, worlds
from tests.support import quick_moto


@pytest.fixture(scope="module")
def begin() -> Iterator[Begin]:
    """Return a function that begins a new run; the apps' logs would only cost time."""
    quick_moto.remember()
    level = logger.log_level
    logger.setLevel(logging.CRITICAL)
    with worlds() as begin:
        yield begin
    logger.setLevel(level)
