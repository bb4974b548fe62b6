"""What the page gets live: the timeline's lines and the changes they belong to, from any place on.

Each reset begins a new epoch; a page that listened to an earlier one learns so and gets everything again.
Each feed has its own name, by which a page learns that another sandbox is running at its address.
"""

import threading
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.narration import Narrator
from sandbox.timeline import Entry, Timeline

Json = dict[str, Any]


class Feed:
    """Listens to a timeline; safe to use from any thread."""

    def __init__(self, timeline: Timeline) -> None:
        """Prepare; steps are ignored until :meth:`begin`."""
        self._lock = threading.Lock()
        self._run = uuid.uuid4().hex
        self._entries: list[Json] = []
        self._narrator = Narrator()
        self._epoch = 0
        self._open = False
        self._wakers: set[Callable[[], None]] = set()
        timeline.listen(self._hear)

    def begin(self) -> None:
        """Forget everything and begin a new epoch."""
        with self._lock:
            self._entries, self._narrator = [], Narrator()
            self._epoch += 1
            self._open = True
        self.wake()

    def pause(self) -> None:
        """Ignore steps until :meth:`begin`."""
        with self._lock:
            self._open = False

    def wake(self) -> None:
        """Let all subscribers look again."""
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
                "changes": [self._narrator.changes[about].shown() for about in sorted(touched)],
            }

    def _hear(self, entry: Entry) -> None:
        with self._lock:
            if not self._open:
                return
            line = self._narrator.read(entry)
            self._entries.append(
                {
                    "number": entry.number,
                    "ms": entry.ms,
                    "at": entry.at,
                    "kind": type(entry.step).__name__,
                    "about": line.about,
                    "part": line.part,
                    "who": line.who,
                    "what": line.what,
                    "level": line.level,
                    "durationMs": line.duration_ms,
                }
            )
        self.wake()
