"""What a change reaches, written and read again; each bound is held by the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.reach import Interfaces, Manager, Reach
from shared.wire.fields import Field, FieldError
from shared.wire.reach_json import reach_from_json, reach_to_json
from tests.shared.domain.test_reach import WHOLE


def read(document: Any) -> Reach | None:
    """Read what JSON keeps of a document."""
    return reach_from_json(Field(json.loads(json.dumps(document)), "reach"))


@pytest.mark.parametrize(
    "reach",
    [
        WHOLE,
        Reach(),
        Reach(interfaces=Interfaces(), manager=Manager(), in_force_seconds=0),
        Reach(interfaces=Interfaces(count=2, kinds=(("instance", 1), ("other", 1)))),
    ],
)
def test_what_is_written_is_read_again(reach: Reach) -> None:
    """What is not known stays apart from what is nothing."""
    assert read(reach_to_json(reach)) == reach


def test_the_order_of_a_copy_does_not_matter() -> None:
    """A store may sort the members of an object; the digest is the same."""
    document = {"interfaces": {"count": 2, "kinds": {"other": 1, "instance": 1}}}
    assert read(document) == Reach(interfaces=Interfaces(count=2, kinds=(("instance", 1), ("other", 1))))


def test_an_older_request_says_nothing_of_it() -> None:
    """Absent means not known."""
    assert read(None) is None


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"interfaces": {}}, "reach.interfaces.count"),
        ({"interfaces": {"count": 1001}}, "reach.interfaces.count"),
        ({"interfaces": {"count": -1}}, "reach.interfaces.count"),
        ({"interfaces": {"count": 1, "kinds": {"toaster": 1}}}, "reach.interfaces.kinds"),
        ({"interfaces": {"count": 1, "publicAddresses": ["<!here>"]}}, "reach.interfaces.publicAddresses[0]"),
        ({"interfaces": {"count": 1, "publicAddresses": ["192.0.2.1"] * 5}}, "reach.interfaces.publicAddresses"),
        ({"interfaces": {"count": 1, "morePublic": 10**9}}, "reach.interfaces.morePublic"),
        ({"managedBy": {"name": "x" * 301}}, "reach.managedBy.name"),
        ({"coveredBy": [{}] * 21}, "reach.coveredBy"),
        ({"inForceSeconds": 10**12}, "reach.inForceSeconds"),
        ({"prefixLists": [{}] * 11}, "reach.prefixLists"),
        ({"prefixLists": [{"id": "pl-1", "owner": "AWS", "entries": ["all"]}]}, "reach.prefixLists[0].entries[0]"),
    ],
)
def test_what_is_out_of_bounds_is_named(document: Any, path: str) -> None:
    """Whoever writes it: what is shown has its size."""
    with pytest.raises(FieldError) as caught:
        read(document)
    assert caught.value.path == path
