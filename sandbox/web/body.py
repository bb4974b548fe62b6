"""Reads the JSON body of a request from the page into typed values; an error is one sentence."""

import re
from collections.abc import Mapping
from typing import Any

#: JSON's escapes can make halves of characters, which cannot be encoded.
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class BadRequestError(Exception):
    """The page asked for something impossible; the message says what."""


class Body:
    """A JSON object."""

    def __init__(self, value: Any, path: str = "") -> None:
        """Wrap a value; raises :class:`BadRequestError` unless it is an object."""
        if not isinstance(value, Mapping):
            raise BadRequestError(f"{path.rstrip('.') or 'The body'} must be a JSON object.")
        self._value = value
        self._path = path

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a value."""
        return name in self._value

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string, surrounding blanks removed."""
        value = self._value.get(name, default)
        if not _is_text(value):
            raise BadRequestError(f"{self._path}{name} must be text.")
        return str(value).strip()

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Return a string that is one of several."""
        value = self.text(name)
        if value not in allowed:
            raise BadRequestError(f"{self._path}{name} must be one of {', '.join(map(repr, allowed))}.")
        return value

    def number(self, name: str, *, least: float, most: float) -> float:
        """Return a number between two others."""
        value = self._value.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise BadRequestError(f"{self._path}{name} must be a number from {least:g} to {most:g}.")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise BadRequestError(f"{self._path}{name} must be true or false.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of strings that is not empty."""
        value = self._value.get(name)
        if not isinstance(value, list) or not value or not all(_is_text(item) for item in value):
            raise BadRequestError(f"{self._path}{name} must be a list of texts.")
        return value

    def bodies(self, name: str) -> list["Body"]:
        """Return a list of objects that is not empty."""
        value = self._value.get(name)
        if not isinstance(value, list) or not value:
            raise BadRequestError(f"{self._path}{name} must be a list of objects.")
        return [Body(item, f"{name}[{position}].") for position, item in enumerate(value)]

    def body(self, name: str) -> "Body":
        """Return an object."""
        return Body(self._value.get(name), f"{name}.")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _HALF_CHARACTER.search(value)
