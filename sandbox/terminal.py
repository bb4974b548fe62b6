"""Plain, readable lines for a terminal; colour only on a terminal, and not with NO_COLOR."""

import os
import sys
import textwrap
from collections.abc import Iterable
from typing import TextIO

from sandbox.narration import Line

WIDTH = 100
_CODES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "orange": "33", "blue": "34"}
_BAR_COLOURS = {"(orange) ": "orange", "(green) ": "green", "(red) ": "red"}


class Terminal:
    """Writes to a stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to ``stream``, by default standard output."""
        self._stream = stream or sys.stdout
        self._colour = self._stream.isatty() and not os.environ.get("NO_COLOR")

    def blank(self) -> None:
        """Write an empty line."""
        self._write("")

    def title(self, text: str) -> None:
        """Write the title of a whole run."""
        self._write(self._paint(text, "bold"))

    def heading(self, number: int, text: str) -> None:
        """Write the heading of a step."""
        self._write("")
        self._write(self._paint(f"{number}  {text}", "bold"))

    def say(self, text: str) -> None:
        """Write a paragraph, wrapped."""
        for line in textwrap.wrap(text, WIDTH - 3):
            self._write(f"   {line}")

    def line(self, ms: float, line: Line) -> None:
        """Write a step of the timeline with its time; details are left out."""
        if line.level != "detail":
            words = f"{line.who:<24} {line.what} {line.subject}".rstrip()
            self._write(f"   {self._paint(f'{ms:>8,.0f} ms', 'dim')}  {words}")

    def message(self, title: str, lines: Iterable[str]) -> None:
        """Write a Slack message, its colour bar in colour on a terminal with colours."""
        self._write("")
        self._write(f"      {self._paint(title, 'blue')}")
        for line in lines:
            bar, shown = self._bar(line)
            pieces = textwrap.wrap(shown, WIDTH - 10, subsequent_indent="  ") or [""]
            for piece in pieces:
                self._write(f"      {self._paint('│', bar)} {piece}")
        self._write("")

    def passed(self, text: str) -> None:
        """Write that a check passed."""
        self._write(f"   {self._paint('✓', 'green')} {text}")

    def failed(self, text: str, *, expected: object, seen: object) -> None:
        """Write that a check failed: what was expected and what was seen."""
        self._write(f"   {self._paint('✗', 'red')} {text}")
        self._write(f"       expected: {expected}")
        self._write(f"       seen:     {seen}")

    def code(self, lines: Iterable[str]) -> None:
        """Write lines to copy."""
        for line in lines:
            self._write(f"      {line}")

    def _bar(self, line: str) -> tuple[str, str]:
        for word, colour in _BAR_COLOURS.items():
            if line.startswith(word):
                return colour, line.removeprefix(word) if self._colour else line
        return "dim", line

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._colour else text

    def _write(self, line: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()
