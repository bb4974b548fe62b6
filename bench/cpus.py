"""Which CPU measured functions run on: the last one; the fake endpoints have the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def for_functions() -> Iterator[None]:
    """Start processes on the last CPU while the context is open."""
    with _on(set(sorted(os.sched_getaffinity(0))[-1:])):
        yield


@contextmanager
def for_servers() -> Iterator[None]:
    """Start processes on all CPUs but the last one while the context is open; on that one where it is the only one."""
    allowed = sorted(os.sched_getaffinity(0))
    with _on(set(allowed[:-1] or allowed)):
        yield


@contextmanager
def _on(cpus: set[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)  # of this thread; processes inherit it
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
