"""The line of a mistake in ``[[rules]]``."""

from __future__ import annotations

import pytest

from shared.wire.policy_lines import line_of, with_line

TEXT = """# policy
mode = "enforce"
[[rules]]
match = { ports = ["22"] }
approvals = 2
  [[ "rules" ]] # second
match.ports = [
  "x"
]
[['rules']]
[accounts."222222222222"]
approvals = 9
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("rules[0].match.ports[0]", 4),
        ("rules[0].approvals", 5),
        ("rules[0].deny", 3),
        ("rules[0]", 3),
        ("rules[1].match.ports[0]", 7),
        ("rules[2].approvals", 10),
        ("rules[3]", None),
        ("rules", None),
        ("mode", None),
    ],
)
def test_the_line_of_a_key_is_found(path: str, line: int | None) -> None:
    """The key's own, else that of the entry it is missing from; other keys have none."""
    assert line_of(TEXT, path) == line


def test_an_entry_in_the_last_line_is_found() -> None:
    """Nothing follows its header."""
    assert line_of("[[rules]]", "rules[0].approvals") == 1


def test_a_problem_says_its_line_where_it_is_known() -> None:
    """At its end, after what is wrong."""
    assert with_line(TEXT, "rules[0].approvals", "is wrong") == "is wrong (line 5)"
    assert with_line(TEXT, "mode", "is wrong") == "is wrong"
