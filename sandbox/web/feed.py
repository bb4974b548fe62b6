"""What the page hears live: the timeline's entries in words and the changes they make up, from any place on.

Each start afresh begins a new epoch; whoever was listening to an earlier one is told so and gets everything anew.
Each feed has a name of its own, by which a page learns that the sandbox behind its address is another one by now.
"""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.timeline import Entry, ItemWritten, Timeline
from sandbox.web.changes import Changes
from sandbox.web.words import line_of

Json = dict[str, Any]


class Feed:
    """Listens to a timeline; safe to use from any thread."""

    def __init__(self, timeline: Timeline) -> None:
        """Prepare; nothing is heard before :meth:`begin`."""
        self._lock = threading.Lock()
        self._run = uuid.uuid4().hex
        self._entries: list[Json] = []
        self._changes = Changes()
        self._statuses: dict[str, str] = {}
        self._epoch = 0
        self._open = False
        self._wakers: set[Callable[[], None]] = set()
        timeline.listen(self._hear)

    def begin(self) -> None:
        """Forget everything and begin a new epoch."""
        with self._lock:
            self._entries, self._changes, self._statuses = [], Changes(), {}
            self._epoch += 1
            self._open = True
        self.wake()

    def pause(self) -> None:
        """Hear nothing until :meth:`begin`."""
        with self._lock:
            self._open = False

    def wake(self) -> None:
        """Let everybody who listens look again."""
        with self._lock:
            wakers = list(self._wakers)
        for waker in wakers:
            waker()

    def subscribe(self, waker: Callable[[], None]) -> Callable[[], None]:
        """Call ``waker`` whenever there is news; the result ends that."""
        with self._lock:
            self._wakers.add(waker)

        def stop() -> None:
            with self._lock:
                self._wakers.discard(waker)

        return stop

    def since(self, epoch: str, place: int) -> Json | None:
        """Return what came after a place of an epoch, ``None`` when nothing did.

        The result has ``run`` (the sandbox's), ``epoch``, ``place`` (to ask from next), ``afresh`` (forget what you
        have), ``entries``, and ``changes``: those that the entries belong to.
        """
        with self._lock:
            current = f"{self._run}.{self._epoch}"
            afresh = epoch != current
            begin = 0 if afresh else min(place, len(self._entries))
            entries = self._entries[begin:]
            if not entries and not afresh:
                return None
            touched = {entry["about"] for entry in entries if entry["about"]}
            return {
                "run": self._run,
                "epoch": current,
                "place": len(self._entries),
                "afresh": afresh,
                "entries": entries,
                "changes": [self._changes.by_id[about].shown() for about in sorted(touched)],
            }

    def _hear(self, entry: Entry) -> None:
        with self._lock:
            if not self._open:
                return
            about = self._changes.read(entry)
            line = line_of(entry.event)
            if isinstance(entry.event, ItemWritten):
                if self._statuses.get(entry.event.key) == entry.event.status:
                    line = replace(line, level="detail")
                self._statuses[entry.event.key] = entry.event.status
            self._entries.append(
                {
                    "number": entry.number,
                    "ms": entry.ms,
                    "at": entry.at,
                    "kind": type(entry.event).__name__,
                    "about": about,
                    "part": line.part,
                    "who": line.who,
                    "what": line.what,
                    "level": line.level,
                    "durationMs": line.duration_ms,
                }
            )
        self.wake()
