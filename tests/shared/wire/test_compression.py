"""Packing: what goes in comes out, large documents fit, and damaged ones are refused."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire.compression import COMPRESS_ABOVE, from_bytes, from_text, to_bytes, to_text
from shared.wire.fields import Field, FieldError

documents = st.dictionaries(
    st.text(max_size=5).filter(lambda key: key != "zlib"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=50),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


@given(documents, st.integers(0, 3))
def test_what_is_packed_can_be_unpacked(document: dict[str, object], copies: int) -> None:
    """Small or large, as bytes or as text, the same document comes back."""
    large = {**document, "padding": "ü" * COMPRESS_ABOVE * copies}
    assert from_bytes(to_bytes(large)).value == large
    assert from_text(to_text(large)).value == large


def test_small_documents_stay_readable() -> None:
    """Up to the threshold an operator sees plain JSON, as text and as bytes."""
    room = COMPRESS_ABOVE - len('{"a":""}')
    document = {"a": "x" * room}
    assert to_text(document) == json.dumps(document, separators=(",", ":"))
    assert to_bytes(document) == to_text(document).encode()
    assert set(json.loads(to_text({"a": "x" * (room + 1)}))) == {"zlib"}


def test_text_that_is_packed_is_plain_ascii() -> None:
    """Whatever the document holds, SNS gets characters that no service changes on the way."""
    text = to_text({"a": "ü🚪" * COMPRESS_ABOVE})
    assert text.isascii()
    assert text.isprintable()


def packed(data: bytes) -> str:
    """Packed text with these bytes in it."""
    return json.dumps({"zlib": base64.b85encode(data).decode()})


BOMB = zlib.compress(b'{"a":"' + b"x" * (9 * 1024 * 1024) + b'"}')
WHOLE = to_bytes({"a": "x" * 2 * COMPRESS_ABOVE})


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("", "message", "is cut off"),
        ("hello", "message", "neither JSON nor compressed"),
        ('{"a":', "message", "cannot be read as JSON"),
        ('{"a":"\ud800"}x', "message", "cannot be read as JSON"),
        ('{"a":' * 100_000, "message", "cannot be read as JSON"),
        ('{"zlib": 5}', "message.zlib", "expected text"),
        ('{"zlib": "ü"}', "message.zlib", "no base85"),
        ('{"zlib": "a b"}', "message.zlib", "no base85"),
        (packed(b"hello"), "message", "neither JSON nor compressed"),
        (packed(WHOLE[:-20]), "message", "is cut off"),
        (packed(WHOLE[:-1]), "message", "is cut off"),
        (packed(zlib.compress(b"hello")), "message", "cannot be read as JSON"),
        (packed(zlib.compress(b'{"a":"\xff"}')), "message", "cannot be read as JSON"),
        (packed(BOMB), "message", "unpacks to more than"),
    ],
)
def test_damaged_documents_are_refused(text: str, path: str, problem: str) -> None:
    """Never a half document, never more memory than a request can need, never another error."""
    with pytest.raises(FieldError) as caught:
        from_text(text, "message")
    assert caught.value.path == path
    assert caught.value.problem.count("message") == 0
    assert problem in caught.value.problem


def test_half_a_surrogate_pair_is_refused_where_it_is_read() -> None:
    """Such text cannot be stored or sent on; the field that has it is named."""
    for text in ('{"a":"\ud800"}', '{"a":"\\ud800"}'):
        with pytest.raises(FieldError, match=r"^a: is no valid Unicode"):
            from_text(text)["a"].text()


def test_a_document_that_is_no_object_is_refused() -> None:
    """A compressed list is JSON, but nothing of ours."""
    data = zlib.compress(b"[]")
    assert from_bytes(data).value == []
    with pytest.raises(FieldError, match="expected an object"):
        from_text(packed(data))["a"].text()


@given(st.binary(max_size=200) | st.binary(max_size=200).map(zlib.compress))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes whatever make another error than FieldError."""
    outcomes: list[object] = []
    try:
        outcomes.append(from_bytes(data, "here"))
    except FieldError as error:
        outcomes.append(error)
    assert isinstance(outcomes[0], Field | FieldError)
