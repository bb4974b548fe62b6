"""Whether a glob can match anything of a form: exact in both directions."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.policy.cli.globs import DIGIT, LETTERS, NAME, Token, can_match, form

ROLE = form("arn:aws", LETTERS, ":iam::", *(DIGIT,) * 3, ":role/", NAME)


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*", True),
        ("arn:aws:iam::123:role/deploy", True),
        ("arn:aws-us-gov:iam::???:role/[!d]*", True),
        ("arn:*:role/*", True),
        ("arn:aws:iam::12[0-4]:role/d", True),
        ("alice", False),
        ("", False),
        ("arn:aws:iam::1234:role/deploy", False),
        ("arn:aws:iam::12x:role/deploy", False),
        ("arn:aws:iam::123:user/*", False),
        ("arn:aws:sts::123:assumed-role/deploy/*", False),
        ("ARN:*", False),
        ("*/é", False),
        ("*[", False),
    ],
)
def test_a_glob_of_a_role_can_match_or_not(glob: str, expected: bool) -> None:
    """What no role's ARN looks like can never match."""
    assert can_match(glob, ROLE) is expected


letters = st.text("ab]!", max_size=6)
globs = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[]a]", "[", "]", "!"]), max_size=6).map("".join)


@given(letters, globs)
def test_it_agrees_with_fnmatch_on_single_texts(text: str, glob: str) -> None:
    """The form of exactly one text is matched when that text is."""
    assert can_match(glob, form(text)) is fnmatchcase(text, glob)


@given(letters, globs)
def test_what_matches_one_text_can_match_a_form_with_it(text: str, glob: str) -> None:
    """A wider form never makes a pattern impossible."""
    wider = form(*(Token(frozenset("ab]!"), repeats=True) for _ in text), "")
    assert can_match(glob, wider) or not fnmatchcase(text, glob)
