"""Our own JSON form of what a change reaches: in requests, beside their change. Reading holds every bound.

docs/contracts.md describes the form for people.
"""

from __future__ import annotations

import re
from typing import Final, get_args

from shared.domain.reach import (
    LONGEST_NAME,
    MOST_ADDRESSES,
    MOST_COVERING,
    MOST_ENTRIES,
    MOST_INTERFACES,
    MOST_LISTS,
    InterfaceKind,
    Interfaces,
    Manager,
    PrefixList,
    Reach,
)
from shared.wire.fields import Field
from shared.wire.rule_json import Json, rule_from_json, rule_to_json

_KINDS: Final[tuple[InterfaceKind, ...]] = get_args(InterfaceKind)
_ADDRESS: Final = re.compile(r"[0-9a-fA-F.:]{2,45}(/[0-9]{1,3})?\Z", re.ASCII)
_MOST_OF_A_LIST: Final = 100_000
_LONGEST_SECONDS: Final = 10 * 366 * 24 * 3600


def reach_to_json(reach: Reach) -> Json:
    """Return e.g. ``{"interfaces": {"count": 1, "kinds": {"instance": 1}}, "managedBy": {}}``.

    What is not known is left out; so is what is 0, false or empty within a part that is known.
    """
    document: Json = {}
    if reach.interfaces is not None:
        document["interfaces"] = _interfaces_to_json(reach.interfaces)
    if reach.manager is not None:
        document["managedBy"] = _given({"name": reach.manager.name, "isTagged": reach.manager.is_tagged})
    if reach.in_force_seconds is not None:
        document["inForceSeconds"] = reach.in_force_seconds
    more = {
        "coveredBy": [rule_to_json(rule) for rule in reach.covered_by],
        "prefixLists": [_list_to_json(one) for one in reach.prefix_lists],
    }
    return document | _given(more)


def reach_from_json(field: Field) -> Reach | None:
    """Read what a change reaches; ``None`` where nothing is known.

    Raises:
        FieldError: names the field that is wrong, or longer or larger than it can be.
    """
    if field.is_missing:
        return None
    seconds, interfaces, manager = field["inForceSeconds"], field["interfaces"], field["managedBy"]
    return Reach(
        interfaces=None if interfaces.is_missing else _interfaces(interfaces),
        manager=None
        if manager.is_missing
        else Manager(name=_name(manager["name"]), is_tagged=manager["isTagged"].flag()),
        covered_by=tuple(rule_from_json(one) for one in _elements(field["coveredBy"], MOST_COVERING)),
        in_force_seconds=None if seconds.is_missing else _number(seconds, _LONGEST_SECONDS),
        prefix_lists=tuple(_list(one) for one in _elements(field["prefixLists"], MOST_LISTS)),
    )


def _given(document: Json) -> Json:
    return {key: value for key, value in document.items() if value}


def _interfaces_to_json(interfaces: Interfaces) -> Json:
    more = {
        "isMore": interfaces.is_more,
        "kinds": dict(interfaces.kinds),
        "publicAddresses": list(interfaces.public),
        "morePublic": interfaces.more_public,
    }
    return {"count": interfaces.count, **_given(more)}


def _interfaces(field: Field) -> Interfaces:
    return Interfaces(
        count=_number(field["count"], MOST_INTERFACES),
        is_more=field["isMore"].flag(),
        kinds=_kinds(field["kinds"]),
        public=tuple(_address(one) for one in _elements(field["publicAddresses"], MOST_ADDRESSES)),
        more_public=_optional_number(field["morePublic"]),
    )


def _list_to_json(one: PrefixList) -> Json:
    more = {"name": one.name, "entries": list(one.entries), "moreEntries": one.more_entries}
    version: Json = {} if one.version is None else {"version": one.version}
    return {"id": one.list_id, "owner": one.owner, **version, **_given(more)}


def _list(field: Field) -> PrefixList:
    version = field["version"]
    return PrefixList(
        list_id=_name(field["id"]),
        owner=_name(field["owner"]),
        name=_name(field["name"]),
        version=None if version.is_missing else version.integer(),
        entries=tuple(_address(one) for one in _elements(field["entries"], MOST_ENTRIES)),
        more_entries=_optional_number(field["moreEntries"]),
    )


def _elements(field: Field, most: int) -> list[Field]:
    found = list(field.elements())
    if len(found) > most:
        raise field.error(f"expected at most {most}, found {len(found)}")
    return found


def _number(field: Field, most: int) -> int:
    number = field.integer()
    if not 0 <= number <= most:
        raise field.error(f"expected a number from 0 to {most}, found {number}")
    return number


def _optional_number(field: Field) -> int:
    return 0 if field.is_missing else _number(field, _MOST_OF_A_LIST)


def _kinds(field: Field) -> tuple[tuple[InterfaceKind, int], ...]:
    """Read how many interfaces there are of each kind, in the order of the kinds, whatever order a copy came in."""
    counts = dict(field.members())
    unknown = sorted(counts.keys() - set(_KINDS))
    if unknown:
        raise field.error(f"{unknown[0][:50]!r} is not one of {', '.join(_KINDS)}")
    return tuple((kind, _number(counts[kind], MOST_INTERFACES)) for kind in _KINDS if kind in counts)


def _name(field: Field) -> str:
    text = field.optional_text()
    if len(text) > LONGEST_NAME:
        raise field.error(f"expected at most {LONGEST_NAME} characters, found {len(text)}")
    return text


def _address(field: Field) -> str:
    text = field.text()
    if not _ADDRESS.match(text):
        raise field.error(f"expected an address or a range, found {text[:50]!r}")
    return text
