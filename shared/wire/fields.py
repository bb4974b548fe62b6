"""A cursor over foreign JSON that knows where it is, so that an unreadable field is named by its path.

Everything that enters the product (CloudTrail events, SNS messages, Slack clicks, stored items, the policy file) is
read through a :class:`Field`. Reading checks the type; nothing is checked a second time later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal


class FieldError(ValueError):
    """A field is missing or has the wrong form.

    Attributes:
        path: where it stands, e.g. ``requestParameters.ipPermissions.items[1].fromPort``.
        problem: what is wrong there, without the path.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'document'}: {problem}")
        self.path = path
        self.problem = problem


class Field:
    """One value in a foreign document and the path that leads to it; that is put together where it is asked for."""

    __slots__ = ("_parent", "_step", "value")

    def __init__(self, value: object, path: str | int = "", *, parent: Field | None = None) -> None:
        self.value = value
        self._step = path
        self._parent = parent

    @property
    def path(self) -> str:
        """Where the value stands, e.g. ``message.rules[3].source``."""
        before = self._parent.path if self._parent is not None else ""
        if isinstance(self._step, int):
            return f"{before}[{self._step}]"
        return f"{before}.{self._step}" if before else self._step

    def error(self, problem: str) -> FieldError:
        """Return the error that names this field."""
        return FieldError(self.path, problem)

    @property
    def is_missing(self) -> bool:
        """True for an absent key and for ``null``."""
        return self.value is None

    def mapping(self) -> Mapping[str, object]:
        """Return the value as an object, an absent one as empty."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict | Mapping):  # a dict is told quickly
            raise self.error(f"expected an object, found {_kind(self.value)}")
        return self.value

    def __getitem__(self, key: str) -> Field:
        """Return the member ``key``; a missing one is a field whose value is ``None``."""
        members = self.value if type(self.value) is dict else self.mapping()  # nearly all are, and this is quick
        return Field(members.get(key), key, parent=self)

    def either(self, *keys: str) -> Field:
        """Return the first of several spellings that is present (the first one when none is)."""
        for key in keys:
            member = self[key]
            if not member.is_missing:
                return member
        return self[keys[0]]

    def elements(self) -> Iterator[Field]:
        """Yield the elements of a list; an absent list is empty."""
        if self.value is None:
            return
        if not isinstance(self.value, list | tuple):
            raise self.error(f"expected a list, found {_kind(self.value)}")
        for index, value in enumerate(self.value):
            yield Field(value, index, parent=self)

    def members(self) -> Iterator[tuple[str, Field]]:
        """Yield key and field of each member of an object."""
        for key in self.mapping():
            if not _is_unicode(key):
                raise self.error("has a key that is no valid Unicode text (half a surrogate pair)")
            yield key, self[key]

    def text(self) -> str:
        """Return the value as non-empty text.

        Raises:
            FieldError: when it is missing, empty or no text.
        """
        if self.value is None:
            raise self.error("is missing")
        if not isinstance(self.value, str):
            raise self.error(f"expected text, found {_kind(self.value)}")
        if not self.value:
            raise self.error("is empty")
        if not _is_unicode(self.value):
            raise self.error("is no valid Unicode text (half a surrogate pair)")
        return self.value

    def optional_text(self) -> str:
        """Return the value as text, an absent one as ``""``."""
        return "" if self.value is None or self.value == "" else self.text()

    def integer(self) -> int:
        """Return the value as a whole number; CloudTrail sometimes writes numbers as text, DynamoDB returns decimals.

        Raises:
            FieldError: when it is missing or no whole number.
        """
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, float) and self.value.is_integer():
            return int(self.value)
        if isinstance(self.value, Decimal) and self.value.is_finite() and self.value == int(self.value):
            return int(self.value)
        if isinstance(self.value, str):
            try:
                return int(self.value)
            except ValueError:
                raise self.error(f"expected a whole number, found {self.value[:40]!r}") from None
        raise self.error("is missing" if self.value is None else f"expected a whole number, found {_kind(self.value)}")

    def optional_integer(self) -> int | None:
        """Return the value as a whole number, an absent one as ``None``."""
        return None if self.value is None or self.value == "" else self.integer()

    def flag(self) -> bool:
        """Return the value as a boolean, an absent one as ``False``."""
        if self.value is None:
            return False
        if isinstance(self.value, bool):
            return self.value
        if self.value in ("true", "false"):
            return self.value == "true"
        raise self.error(f"expected true or false, found {_kind(self.value)}")

    def time(self) -> datetime:
        """Return the value as a UTC time; the form is ISO 8601, e.g. ``2026-10-01T12:00:00Z``.

        Raises:
            FieldError: when it is missing, no ISO 8601 time, or has no offset.
        """
        text = self.text()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.error(f"expected an ISO 8601 time, found {text[:40]!r}") from None
        if moment.tzinfo is None:
            raise self.error(f"expected a time with an offset such as Z, found {text!r}")
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # a moment of year 1 or 9999 that lies outside of them in UTC
            raise self.error(f"expected a time within the years 1 to 9999 in UTC, found {text!r}") from None


def _is_unicode(text: str) -> bool:
    """Say whether the text can be written in UTF-8; JSON's ``\\ud800`` escapes can make text that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Mapping):
        return "an object"
    names = {str: "text", int: "a number", float: "a number", list: "a list", type(None): "nothing"}
    return names.get(type(value), type(value).__name__)
