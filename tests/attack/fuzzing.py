"""What all fuzz targets share: documents with something wrong in them, and a count of what became of each input.

``make fuzz`` gives every target 10,000 inputs; the ordinary test run gives each some dozens. The number is the
environment variable ``FUZZ_INPUTS``.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INPUTS = int(os.environ.get("FUZZ_INPUTS", "60"))

Path = tuple[str | int, ...]
Record = Callable[[str, object], None]

NASTY: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    65536,
    10**400,
    -(2**63),
    1.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "0",
    "-1",
    "1_0",
    "١٢",
    "9" * 5000,
    "x" * 70_000,
    "\x00",
    "\ud800",
    "\u202e",
    "<!channel>",
    '"}],{"',
    "0.0.0.0/0",
    "::/0",
    "1.2.3.4/33",
    "fe80::1%eth0/64",
    "sg-0a1b2c3d4e5f60718",
    "name:x",
    "2026-13-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "arn:aws:iam::222222222222:role/aws-service-role/x/y",
    [],
    {},
    [[]],
    [None],
    {"items": None},
    {"items": {}},
    {"items": [{}]},
    {"omitted": True},
    {"omitted": "true", "items": [1]},
    {"zlib": "!"},
    {"": ""},
)
"""Values that have broken parsers before."""

anything = st.recursive(
    st.sampled_from(NASTY) | st.text(max_size=20) | st.integers() | st.floats() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
written = st.recursive(
    st.sampled_from(NASTY) | st.text(max_size=20) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
"""Like ``anything``, but what JSON can say."""


def paths(document: object, path: Path = ()) -> Iterator[Path]:
    """Yield the path to every value of a document, the document itself included."""
    yield path
    pairs: Any = ()
    if isinstance(document, dict):
        pairs = document.items()
    elif isinstance(document, list):
        pairs = enumerate(document)
    for key, value in pairs:
        yield from paths(value, (*path, key))


def at(document: Any, path: Path) -> Any:
    """Return the value a path leads to."""
    for key in path:
        document = document[key]
    return document


@st.composite
def mutated(draw: st.DrawFn, documents: Sequence[Any], values: st.SearchStrategy[Any] = written) -> Any:
    """One of the documents with up to four things in it replaced, left out, exchanged, repeated or wrapped."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(list(paths(document))))
        if path:
            _spoil(draw, document, path, values)
        elif draw(st.integers(0, 9)) == 0:
            return copy.deepcopy(draw(values))
    return document


def _spoil(draw: st.DrawFn, document: Any, path: Path, values: st.SearchStrategy[Any]) -> None:
    inner, key = at(document, path[:-1]), path[-1]
    match draw(st.sampled_from(("replace", "replace", "leave out", "exchange", "repeat", "wrap", "rename"))):
        case "leave out":
            del inner[key]
        case "exchange":
            inner[key] = copy.deepcopy(at(document, draw(st.sampled_from(list(paths(document))))))
        case "repeat":
            inner[key] = [inner[key]] * draw(st.integers(0, 3))
        case "wrap":
            inner[key] = {"items": inner[key]}
        case "rename" if isinstance(inner, dict):
            inner[draw(st.text(max_size=10))] = inner.pop(key)
        case _:
            inner[key] = copy.deepcopy(draw(values))  # values are shared, and may be spoilt next


def fuzz(record: Record, target: str, strategy: st.SearchStrategy[Any], attack: Callable[[Any], str]) -> Counter[str]:
    """Attack a target with every input; fail on the first that ends in another way than a declared one.

    Args:
        record: pytest's ``record_property``, which brings the counts to the table at the end of the run.
        target: what is attacked, for the table.
        strategy: the inputs.
        attack: takes one input; returns how it ended (``accepted`` or what refused it), and raises what nobody
            declared.
    """
    ends: Counter[str] = Counter()

    @settings(max_examples=INPUTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def each(one: Any) -> None:
        ends[attack(one)] += 1

    each()
    record("fuzz", [target, dict(ends)])
    return ends
