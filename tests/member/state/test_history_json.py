"""A baseline's history comes back from the table as it was written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.state.history import (
    Course,
    Deed,
    Described,
    Edited,
    Entry,
    History,
    Made,
    Moved,
    Removed,
    Seen,
    settled,
    with_entry,
)
from member.chalicelib.state.history_json import history_from_json, history_to_json
from shared.domain.rule import Rule
from shared.wire.fields import Field, FieldError
from tests.support.examples import LATER, NOON, tcp
from tests.support.strategies import descriptions, moments, request_ids, rule_ids, rules

deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(Made, rule=rules()),
    st.builds(Edited, rule=rules(), is_of_known=st.booleans()),
    st.builds(Described, description=descriptions, rule_id=rule_ids | st.none(), rule=rules() | st.none()),
    st.builds(Moved, before=rules(), rule=rules()),
    st.builds(Removed, rule_id=rule_ids | st.none(), rule=rules() | st.none()),
    st.builds(Seen, rule=rules(), rule_id=rule_ids),
)
entries = st.builds(Entry, moment=moments, deeds=st.lists(deeds, max_size=3).map(tuple), call=request_ids | st.just(""))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Histories as they come about: entry by entry, sometimes with the older ones settled."""
    origin = {one.identity: one for one in draw(st.lists(rules(), max_size=4))}
    former = [(draw(rule_ids), identity) for identity in origin if draw(st.booleans())]
    known = tuple(sorted(origin.values(), key=lambda one: one.identity))
    history = History(origin=known, former_ids=tuple(former))
    for number, entry in enumerate(draw(st.lists(entries, max_size=5))):
        history = with_entry(history, entry)
        if number == 2 and draw(st.booleans()):
            history = settled(history)
    return history


def _whole(some: tuple[Rule, ...]) -> list[tuple[Any, ...]]:
    """Rules with what ``==`` leaves out."""
    return [(one, one.rule_id, one.tags, one.source.peering) for one in some]


@given(histories())
def test_a_history_comes_back_as_it_was(history: History) -> None:
    """With its origin, of which only the difference to today's rules is written."""
    now = Course(history).rules
    read = history_from_json(Field(history_to_json(history, now)), now)
    assert read == history
    assert _whole(Course(read).rules) == _whole(now)
    assert Course(read).former_ids == Course(history).former_ids


EVERYTHING = (
    Made(rule=tcp(80, "sgr-3")),
    Edited(rule=tcp(81, "sgr-3"), is_of_known=True),
    Edited(rule=tcp(443, "sgr-1", description="web")),
    Described(rule_id="sgr-3", description="by id"),
    Described(rule=tcp(81), description=""),
    Moved(before=tcp(81), rule=tcp(82, "sgr-3")),
    Removed(rule_id="sgr-2"),
    Removed(rule=tcp(82)),
    Seen(rule=tcp(443), rule_id="sgr-9"),
)


def test_every_deed_comes_back_as_it_was() -> None:
    """Of calls, of approvals and of what was seen, with what had been settled before."""
    history = History(origin=(tcp(22, "sgr-2"), tcp(443, "sgr-1")), former_ids=(("sgr-0", tcp(443).identity),))
    call, approval = Entry(moment=NOON, deeds=EVERYTHING, call="r-1"), Entry(moment=LATER, deeds=EVERYTHING[-1:])
    for known in (history, replace(history, settled_until=NOON, settled_calls=("r-0",))):
        full = with_entry(with_entry(known, call), approval)
        now = Course(full).rules
        read = history_from_json(Field(history_to_json(full, now)), now)
        assert read == full
        assert _whole(Course(read).rules) == _whole(now)


def test_of_a_group_in_which_nothing_was_done_no_rule_is_written_twice() -> None:
    """Most groups are such."""
    document = history_to_json(History(), ())
    assert document == {"came": [], "went": [], "formerIds": [], "entries": []}
    assert history_from_json(Field(None), ()) == History()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"formerIds": [["sgr-1"]]}, "formerIds[0]"),
        ({"entries": [{"moment": "noon", "deeds": []}]}, "entries[0].moment"),
        ({"entries": [{"moment": "2026-10-01T12:00:00Z", "deeds": [{"verb": "blessed"}]}]}, "entries[0].deeds[0].verb"),
        ({"entries": [{"moment": "2026-10-01T12:00:00Z", "deeds": [{"verb": "made"}]}]}, "entries[0].deeds[0].rule"),
        ({"settledUntil": "2026"}, "settledUntil"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(document: dict[str, Any], path: str) -> None:
    """A damaged item must not be taken for an empty history."""
    with pytest.raises(FieldError) as caught:
        history_from_json(Field(document), ())
    assert caught.value.path.startswith(path)
