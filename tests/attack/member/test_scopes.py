"""A slice of the small scopes (``tests/attack/scopes.py``); ``make scopes`` goes through all of them."""

from __future__ import annotations

from tests.attack.scopes import play


def test_every_crash_and_a_slice_of_all_orders_end_as_approved() -> None:
    """Crashes at every call of every flow; of the orders, every 200th."""
    orders, crashes, broken = play(step=211)
    assert orders > 200
    assert crashes > 200
    assert broken == []
