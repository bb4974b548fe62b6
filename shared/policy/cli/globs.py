"""Answers whether a glob of the policy can match anything of a given form at all, e.g. the ARN of any role.

A pattern that cannot is a mistake of its author: it was meant to exempt or name somebody, and never will.

What does not belong here: which form which key expects (``shared.policy.cli.checks``).
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

_ASCII: Final = frozenset(map(chr, range(128)))  # ARNs, ids and service names have nothing else
_GLOB_TOKEN: Final = re.compile(r"\*|\[!?\]?[^\]]*\]|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """One character out of a set, or (``repeats``) any number of them."""

    chars: frozenset[str]
    repeats: bool = False


Form = tuple[Token, ...]
"""What texts of one kind look like, character by character."""

LETTERS: Final = Token(frozenset(string.ascii_lowercase + "-"), repeats=True)
DIGIT: Final = Token(frozenset(string.digits))
SERVICE: Final = Token(frozenset(string.ascii_lowercase + string.digits + ".-"), repeats=True)
HEX: Final = Token(frozenset(string.digits + "abcdef"), repeats=True)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
NAME_CHARACTER: Final = Token(frozenset(string.ascii_letters + string.digits + "_+=,.@-"))
NAME: Final = Token(NAME_CHARACTER.chars, repeats=True)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-friendly-names
# IAM takes colons in paths, too; nobody uses them, and without them a "*" for the account stands for the account alone.
PATH_AND_NAME: Final = Token(frozenset(map(chr, range(0x21, 0x7F))) - {":"}, repeats=True)


def form(*parts: str | Token) -> Form:
    """Build a form from literal texts and tokens."""
    return tuple(token for part in parts for token in _tokens_of(part))


def can_match(glob: str, wanted: Form) -> bool:
    """True when some text has the form and matches the glob.

    Args:
        glob: as :func:`fnmatch.fnmatchcase` takes it.
        wanted: the form.
    """
    pattern = tuple(_read(glob))
    seen: set[tuple[int, int]] = set()
    pending = [(0, 0)]  # how much of the glob, and how much of the form, a text so far has used
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        used, made = place
        if used == len(pattern) and made == len(wanted):
            return True
        one = pattern[used] if used < len(pattern) else None
        other = wanted[made] if made < len(wanted) else None
        if one and one.repeats:
            pending.append((used + 1, made))
        if other and other.repeats:
            pending.append((used, made + 1))
        if one and other and one.chars & other.chars:
            pending.append((used + (not one.repeats), made + (not other.repeats)))
    return False


def _tokens_of(part: str | Token) -> Iterator[Token]:
    if isinstance(part, Token):
        yield part
    else:
        yield from (Token(frozenset(character)) for character in part)


def _read(glob: str) -> Iterator[Token]:
    for text in _GLOB_TOKEN.findall(glob):
        if text == "*":
            yield Token(_ASCII, repeats=True)
        else:
            yield Token(frozenset(character for character in _ASCII if fnmatchcase(character, text)))
