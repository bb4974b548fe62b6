"""The habits of CloudTrail's JSON that hold for every field of it: lists in three forms, and parts left out.

What does not belong here: what any particular field means (``cloudtrail.event``, ``cloudtrail.rules``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shared.wire.fields import Field, FieldError

_TRUE: Final = (True, "true")
_SCALARS: Final = (str, int, float, type(None))


def is_omitted(field: Field) -> bool:
    """Say whether CloudTrail left this very field out because of its size."""
    return isinstance(field.value, Mapping) and field.value.get("omitted") in _TRUE


def anything_omitted(field: Field) -> bool:
    """Say whether CloudTrail left anything out below this field, however deep (and without recursion, however deep)."""
    waiting: list[object] = [field.value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            if value.get("omitted") in _TRUE:
                return True
            value = value.values()
        elif not isinstance(value, list | tuple):
            continue
        # Most of it is text and numbers, and a port stays open while a thousand rules are looked through.
        waiting.extend([one for one in value if not isinstance(one, _SCALARS)])
    return False


def items(field: Field) -> Iterator[Field]:
    """Yield the elements of a list, of ``{"items": […]}``, or an object in their place; none that was left out."""
    if isinstance(field.value, Mapping) and "items" in field.value:
        field = field["items"]
    is_object = isinstance(field.value, Mapping)
    elements = iter((field,) if field.value else ()) if is_object else field.elements()
    yield from (element for element in elements if not is_omitted(element))


def soft_mapping(field: Field) -> Field:
    """Return an object; in the place of anything else an empty one."""
    return field if isinstance(field.value, Mapping) else Field({}, field.path)


def soft_text(field: Field) -> str:
    """Return text; of anything else nothing."""
    try:
        return field.optional_text()
    except FieldError:
        return ""
