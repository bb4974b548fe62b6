"""The line of a key, for messages that name it."""

from __future__ import annotations

import pytest

from shared.wire.policy_lines import line_of

TEXT = """\
# a comment with mode = "x"
mode = "enforce"
guard = [
  "add",  # one

  "remove",
]
exempt = { principals = ["*"] }

[people]
"arn:aws:iam::*:user/a.b" = "U1"

[accounts."222222222222"]
mode = "observe"
[accounts."333333333333".exempt]
groups = ["sg-1",
          "sg-2"]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("mode", 2),
        ("guard", 3),
        ("guard[0]", 4),
        ("guard[1]", 6),
        ("exempt.principals[0]", 8),
        ("people", 10),
        ("people.arn:aws:iam::*:user/a.b", 11),
        ("accounts.222222222222", 13),
        ("accounts.222222222222.mode", 14),
        ("accounts.333333333333.exempt.groups[0]", 16),
        ("accounts.333333333333.exempt.groups[1]", 17),
        ("guard[2]", None),
        ("mode.x", None),
        ("accounts.222222222222.guard", None),
        ("modus", None),
    ],
)
def test_a_path_has_its_line(path: str, line: int | None) -> None:
    """Elements of lists and keys with dots included; what is not there has none."""
    assert line_of(TEXT, path) == line


def test_a_value_of_many_lines_is_found() -> None:
    """A text of three lines does not end before its last one."""
    assert line_of('a = """\n]\n"""\nb = 1\n', "b") == 4


def test_a_line_end_that_is_none_in_toml_does_not_count() -> None:
    """Unicode's line separator may be part of a text; Windows' line ends are those of the file."""
    assert line_of('a = "\u2028"\r\nb = 1\r\n', "b") == 2


def test_a_long_file_is_searched_in_no_time() -> None:
    """A list of thousands of principals is no reason to wait."""
    text = "\n".join(["[exempt]", "principals = [", *(f'"p{number}",' for number in range(3000)), "]"])
    assert line_of(text, "exempt.principals[2999]") == 3002


def test_what_is_no_toml_has_no_lines() -> None:
    """However much of it is read."""
    assert line_of("= 1\n= 2\n", "a") is None
