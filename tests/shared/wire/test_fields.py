"""Fields: foreign values are read once, and a wrong one is named by its path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire.fields import Field, FieldError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def test_a_path_leads_through_objects_and_lists() -> None:
    """The path is written as an operator would write it."""
    field = Field({"requestParameters": {"ipPermissions": {"items": [{}, {"fromPort": "x"}]}}})
    items = list(field["requestParameters"]["ipPermissions"]["items"].elements())
    with pytest.raises(FieldError) as caught:
        items[1]["fromPort"].integer()
    assert caught.value.path == "requestParameters.ipPermissions.items[1].fromPort"
    assert str(caught.value) == f"{caught.value.path}: expected a whole number, found 'x'"
    assert caught.value.problem == "expected a whole number, found 'x'"


def test_an_error_of_the_whole_document_says_so() -> None:
    """Without a path the error still has a subject."""
    with pytest.raises(FieldError, match=r"^document: expected an object, found a list$"):
        Field([])["a"].text()


@pytest.mark.parametrize(
    ("read", "value", "problem"),
    [
        (Field.text, None, "is missing"),
        (Field.text, "", "is empty"),
        (Field.text, 5, "expected text, found a number"),
        (Field.text, {}, "expected text, found an object"),
        (Field.text, "\ud800", "is no valid Unicode text"),
        (Field.optional_text, True, "expected text, found true or false"),
        (Field.mapping, [], "expected an object, found a list"),
        (Field.mapping, "x", "expected an object, found text"),
        (Field.integer, None, "is missing"),
        (Field.integer, True, "found true or false"),
        (Field.integer, 1.5, "found a number"),
        (Field.integer, float("inf"), "found a number"),
        (Field.integer, Decimal("1.5"), "found Decimal"),
        (Field.integer, Decimal("NaN"), "found Decimal"),
        (Field.integer, "1.5", "expected a whole number, found '1.5'"),
        (Field.integer, b"1", "found bytes"),
        (Field.integer, "9" * 5000, "expected a whole number"),
        (Field.optional_integer, [], "found a list"),
        (Field.flag, "yes", "expected true or false, found text"),
        (Field.flag, [], "expected true or false, found a list"),
        (Field.time, "yesterday", "expected an ISO 8601 time"),
        (Field.time, "2026-03-02T09:15:27", "with an offset"),
        (Field.time, "0001-01-01T00:00:00+14:00", "within the years 1 to 9999"),
        (Field.time, "9999-12-31T23:59:59-01:00", "within the years 1 to 9999"),
        (lambda field: list(field.elements()), {}, "expected a list, found an object"),
        (lambda field: list(field.members()), {"\udfff": 1}, "has a key that is no valid Unicode text"),
    ],
)
def test_a_wrong_value_is_refused_in_words(read: Callable[[Field], Any], value: object, problem: str) -> None:
    """The error says what stands there and what should, and where."""
    with pytest.raises(FieldError) as caught:
        read(Field(value, "here"))
    assert caught.value.path == "here"
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("read", "value", "result"),
    [
        (Field.text, "x", "x"),
        (Field.optional_text, None, ""),
        (Field.optional_text, "", ""),
        (Field.mapping, None, {}),
        (Field.integer, 22, 22),
        (Field.integer, 22.0, 22),
        (Field.integer, Decimal(22), 22),
        (Field.integer, "22", 22),
        (Field.integer, "-1", -1),
        (Field.optional_integer, None, None),
        (Field.optional_integer, "", None),
        (Field.optional_integer, "0", 0),
        (Field.flag, None, False),
        (Field.flag, True, True),
        (Field.flag, "true", True),
        (Field.flag, "false", False),
        (Field.time, "2026-03-02T10:15:27+01:00", datetime(2026, 3, 2, 9, 15, 27, tzinfo=UTC)),
        (Field.time, "2026-03-02T09:15:27.25Z", datetime(2026, 3, 2, 9, 15, 27, 250000, tzinfo=UTC)),
        (lambda field: list(field.elements()), None, []),
        (lambda field: [one.value for one in field.elements()], (1, 2), [1, 2]),
        (lambda field: [(key, one.value) for key, one in field.members()], {"a": 1}, [("a", 1)]),
    ],
)
def test_a_right_value_is_read(read: Callable[[Field], Any], value: object, result: object) -> None:
    """Numbers and flags may arrive as text; what is absent is empty where it may be."""
    found = read(Field(value))
    assert found == result
    assert type(found) is type(result)


def test_the_first_spelling_that_is_present_counts() -> None:
    """Where none is, the first one is named as missing."""
    field = Field({"Group": None, "GroupId": "sg-1"})
    assert field.either("groupId", "Group", "GroupId").text() == "sg-1"
    assert field.either("name", "Name").path == "name"


@given(json_values, st.sampled_from([Field.text, Field.integer, Field.flag, Field.time, Field.mapping]))
def test_any_value_is_read_or_refused_by_path(value: object, read: Callable[[Field], Any]) -> None:
    """No value whatever makes another error than FieldError."""
    paths = []
    try:
        read(Field(value, "here"))
    except FieldError as error:
        paths.append(error.path)
    assert paths in ([], ["here"])
