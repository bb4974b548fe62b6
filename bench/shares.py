"""Slows a process down to the share of a CPU that Lambda gives for a memory size.

Lambda gives one vCPU at 1,769 MB and less in proportion. Where control groups can be made (root, mostly) the kernel
hands out the share; elsewhere the process is stopped and continued in turn, which is coarser.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MB_PER_CPU: Final = 1769
_PERIOD_SECONDS: Final = 0.02
_V1: Final = Path("/sys/fs/cgroup/cpu")
_V2: Final = Path("/sys/fs/cgroup")


def share_of(memory_mb: int) -> float:
    """Return the part of one CPU that a function of this size gets, at most a whole one: it runs in one thread."""
    return min(1.0, memory_mb / MB_PER_CPU)


def means() -> str:
    """Say how processes are slowed on this machine."""
    return "control groups" if _root() is not None else "stopping and continuing in turn"


def command_prefix(group: Path | None) -> list[str]:
    """Return what has to stand before a command so that it starts in a control group."""
    return [] if group is None else ["/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]


@contextmanager
def limited(share: float) -> Iterator[Path | None]:
    """Keep a control group with this share while the context is open; ``None`` where there is none or no need."""
    root = _root() if share < 1 else None
    if root is None:
        yield None
        return
    group = root / f"bench-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    period = int(1_000_000 * _PERIOD_SECONDS)
    if root == _V1:
        (group / "cpu.cfs_period_us").write_text(str(period))
        (group / "cpu.cfs_quota_us").write_text(str(int(period * share)))
    else:
        (group / "cpu.max").write_text(f"{int(period * share)} {period}")
    try:
        yield group
    finally:
        # Its last process may take a moment to be gone.
        for _ in range(50):
            with suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.02)


@contextmanager
def duty_cycle(process_id: int, share: float) -> Iterator[None]:
    """Let a process run for its share of each period only, where there are no control groups."""
    if share >= 1 or _root() is not None:
        yield
        return
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.is_set():
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGCONT)
                time.sleep(_PERIOD_SECONDS * share)
                os.kill(process_id, signal.SIGSTOP)
            time.sleep(_PERIOD_SECONDS * (1 - share))
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _root() -> Path | None:
    """Return where control groups with a CPU limit can be made, ``None`` if nowhere."""
    if (_V1 / "cpu.cfs_quota_us").exists() and os.access(_V1, os.W_OK):
        return _V1
    controllers = _V2 / "cgroup.subtree_control"
    if controllers.exists() and "cpu" in controllers.read_text().split() and os.access(_V2, os.W_OK):
        return _V2
    return None
