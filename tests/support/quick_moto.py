"""moto computes some things anew for each call that cannot change; remembering them saves a fifth of the tests' time.

Pure functions only: what moto answers stays the same.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from moto.core import responses, serialize


def remember() -> None:
    """Remember methods of classes, service models and the names of attributes for the rest of this process.

    EC2 begins without its thousand machine images: nothing here starts an instance, and making them takes 0.1 s.
    """
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    if hasattr(responses.method_names_from_class, "cache_info"):
        return
    responses.method_names_from_class = lru_cache(None)(responses.method_names_from_class)
    responses.get_service_model = lru_cache(None)(responses.get_service_model)  # type: ignore[attr-defined]
    compute = serialize.XFormedAttributePicker.get_possible_keys

    def possible_keys(picker: Any, context: serialize.AttributePickerContext) -> Any:
        known = context.shape.__dict__.setdefault("_possible_keys", {})
        place = (type(picker), context.key, type(context.obj))
        if place not in known:
            known[place] = tuple(dict.fromkeys(compute(picker, context)))
        return known[place]

    serialize.XFormedAttributePicker.get_possible_keys = possible_keys  # type: ignore[method-assign]
