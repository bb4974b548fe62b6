"""Makes documents fit: plain JSON when small, compressed when large.

A request of a thousand rules with long descriptions exceeds SNS's 256 KB and DynamoDB's 400 KB as plain JSON; rules
resemble each other and compress well. What is too large even then is split (``member.chalicelib.splitting``).

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html (256 KB),
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (400 KB)
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from shared.wire.fields import Field

COMPRESS_ABOVE: Final = 16 * 1024
"""Bytes of plain JSON above which a document is compressed: small ones stay readable in consoles and logs."""

_LARGEST: Final = 8 * 1024 * 1024
"""Bytes a document may have when unpacked; twenty times the largest real one, far below a function's memory."""


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the document as compact JSON in UTF-8, or that compressed by zlib when it is large."""
    plain = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return plain if len(plain) <= COMPRESS_ABOVE else zlib.compress(plain, level=9)


def from_bytes(data: bytes, path: str = "") -> Field:
    """Read what :func:`to_bytes` wrote.

    Args:
        data: plain or compressed JSON.
        path: how errors name the document.

    Raises:
        FieldError: when the bytes are damaged or unpack to more than 8 MiB.
    """
    field = Field(None, path)
    plain = data if data[:1] == b"{" else _inflate(data, field)
    try:
        return Field(json.loads(plain), path)
    except (ValueError, RecursionError) as error:
        raise field.error(f"cannot be read as JSON: {error}") from error


def to_text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON text, or as ``{"zlib": "<base85>"}`` when it is large."""
    data = to_bytes(document)
    if data[:1] == b"{":
        return data.decode()
    return json.dumps({"zlib": base64.b85encode(data).decode()})


def from_text(text: str, path: str = "") -> Field:
    """Read what :func:`to_text` wrote.

    Raises:
        FieldError: when the text is not JSON, damaged, or unpacks to more than 8 MiB.
    """
    # Half a surrogate pair cannot be written in UTF-8. It is let through here; Field.text() refuses it by name.
    field = from_bytes(text.encode(errors="surrogatepass"), path)
    packed = field["zlib"]
    if packed.is_missing:
        return field
    encoded = packed.text()
    try:
        data = base64.b85decode(encoded)
    except ValueError as error:
        raise packed.error(f"is no base85: {error}") from error
    return from_bytes(data, path)


def _inflate(data: bytes, field: Field) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, _LARGEST)
    except zlib.error as error:
        raise field.error(f"is neither JSON nor compressed JSON: {error}") from error
    if not inflater.eof:
        is_cut = len(plain) < _LARGEST
        raise field.error("is cut off" if is_cut else f"unpacks to more than {_LARGEST} bytes")
    return plain
