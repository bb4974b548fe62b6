"""What was allowed and approved leads to the same rules, in whatever order it is heard of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

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
    course_of,
    rules_of,
    settled,
    with_entry,
)
from shared.domain.rule import Rule
from tests.support.examples import NOON, tcp

WEB, SSH, ALT = tcp(443, "sgr-1", description="web"), tcp(22, "sgr-2", description="ssh"), tcp(8080)
START = History(origin=(SSH, WEB))


def at(seconds: float, *deeds: Deed, call: str = "") -> Entry:
    """What was done some seconds after noon; a call, unless ``call`` is ``-``."""
    name = call or f"call-{seconds}-{deeds[0]!r}"
    return Entry(moment=NOON + timedelta(seconds=seconds), deeds=deeds, call="" if call == "-" else name)


def heard(*entries: Entry, live: tuple[Rule, ...] = (), start: History = START) -> Course:
    """The course of a history with these entries, heard in this order."""
    history = start
    for entry in entries:
        history = with_entry(history, entry, live)
    return Course(history)


def facts(rules: Iterable[Rule]) -> set[tuple[str, str, str | None]]:
    """Identity, description and id of rules."""
    return {(one.identity, one.description, one.rule_id) for one in rules}


# -- any order ---------------------------------------------------------------------------------------------------------


@dataclass
class Pipeline:
    """Somebody who may do as they please, and the group they see."""

    live: dict[str, Rule] = field(default_factory=lambda: {"sgr-1": WEB, "sgr-2": SSH})
    done: list[Entry] = field(default_factory=list)

    def does(self, kind: str, number: int, port: int, text: str) -> None:
        """Do something that EC2 does not refuse, a second after the last; nothing where it would."""
        taken = {one.from_port: one for one in self.live.values()}
        chosen = sorted(self.live)[number % len(self.live)] if self.live else ""
        deed: Deed | None = None
        if kind == "make" and port not in taken:
            made = tcp(port, f"sgr-{len(self.done) + 10}", description=text)
            self.live[made.rule_id or ""] = made
            deed = Made(rule=made)
        elif kind == "edit" and chosen and taken.get(port, self.live[chosen]) == self.live[chosen]:
            self.live[chosen] = tcp(port, chosen, description=text)
            deed = Edited(rule=self.live[chosen])
        elif kind == "describe" and chosen:
            before = self.live[chosen]
            self.live[chosen] = replace(before, description=text)
            deed = Described(rule=replace(before, rule_id=None), description=text)
        elif kind == "remove" and chosen:
            deed = Removed(rule_id=chosen, rule=self.live.pop(chosen))
        if deed is not None:
            self.done.append(at(len(self.done), deed))


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["make", "edit", "describe", "remove"]),
            st.integers(0, 5),
            st.sampled_from([22, 80, 443, 8080]),
            st.sampled_from(["", "one", "two"]),
        ),
        max_size=12,
    ),
    data=st.data(),
)
def test_calls_heard_in_any_order_and_twice_lead_to_what_was_done(
    steps: list[tuple[str, int, int, str]], data: st.DataObject
) -> None:
    """Rules move into each other's places, are removed and made anew; the end is the group as it is."""
    pipeline = Pipeline()
    for step in steps:
        pipeline.does(*step)
    order = data.draw(st.permutations(pipeline.done))
    twice = data.draw(st.lists(st.sampled_from(order), max_size=4)) if order else []
    live = tuple(pipeline.live.values())
    assert facts(heard(*order, *twice, live=live).rules) == facts(live)


# -- ids in the course of time -----------------------------------------------------------------------------------------


def test_an_id_stands_for_the_rule_it_had_when_it_was_named() -> None:
    """A restored rule has a new id, and the old one may become another rule's."""
    course = heard(
        at(1, Seen(rule=SSH, rule_id="sgr-7"), call="-"),
        at(2, Seen(rule=WEB, rule_id="sgr-2"), call="-"),
    )
    assert facts(course.rules) == {(SSH.identity, "ssh", "sgr-7"), (WEB.identity, "web", "sgr-2")}
    assert course.by_id("sgr-2", NOON) == SSH
    assert course.by_id("sgr-2", NOON + timedelta(seconds=2)) == WEB
    assert course.by_id("sgr-2") == WEB
    assert course.by_id("sgr-1") == WEB
    assert course.by_id("sgr-7", NOON) == SSH, "an id that nothing else ever had"
    assert course.by_id("sgr-9") is None
    assert (course.first_id(SSH), course.first_id(WEB)) == ("sgr-2", "sgr-1")


def test_a_rule_whose_id_another_one_got_stays_approved() -> None:
    """It only has no id of its own until it is seen again."""
    course = heard(at(1, Moved(before=WEB, rule=replace(ALT, rule_id="sgr-2")), call="-"))
    assert facts(course.rules) == {(ALT.identity, "", "sgr-2"), (SSH.identity, "ssh", None)}
    assert course.by_id("sgr-2", NOON) == SSH


def test_what_is_seen_of_a_rule_that_is_no_longer_approved_means_nothing() -> None:
    """The removal may be heard of after the look."""
    course = heard(at(2, Seen(rule=WEB, rule_id="sgr-5"), call="-"), at(1, Removed(rule_id="sgr-1", rule=WEB)))
    assert facts(course.rules) == facts([SSH])
    assert course.by_id("sgr-5") is None
    assert course.by_id("sgr-1") is None
    assert course.first_id(WEB) == "sgr-1", "of a rule that is not approved, its own"


# -- what each deed does -----------------------------------------------------------------------------------------------


def test_a_new_rule_in_the_place_of_another_leaves_that_one_to_be_heard_of() -> None:
    """EC2 does not let two rules be alike, so the old one was moved or removed before; when heard, it has moved."""
    new = tcp(443, "sgr-3", description="anew")
    assert facts(heard(at(2, Made(rule=new))).rules) == facts([new, SSH])
    moved = replace(ALT, rule_id="sgr-1")
    assert facts(heard(at(2, Made(rule=new)), at(1, Edited(rule=moved))).rules) == facts([new, SSH, moved])


def test_an_edit_of_an_id_that_nobody_knows_is_a_new_rule_unless_its_direction_is_unknown() -> None:
    """A guessed direction would approve what nobody did; once the rule is heard of, the edit of it counts."""
    edited = Edited(rule=replace(ALT, rule_id="sgr-3"))
    assert facts(heard(at(2, edited)).rules) == facts([SSH, WEB, edited.rule])
    unsure = at(2, replace(edited, is_of_known=True))
    assert facts(heard(unsure).rules) == facts([SSH, WEB])
    assert facts(heard(unsure, at(1, Made(rule=tcp(80, "sgr-3")))).rules) == facts([SSH, WEB, edited.rule])


def test_an_edit_keeps_what_an_event_does_not_say() -> None:
    """The direction and the tags of a rule are not in the event."""
    known = replace(WEB, tags=(("team", "shop"),))
    guessed = replace(ALT, rule_id="sgr-1", direction="egress")
    (now,) = heard(at(1, Edited(rule=guessed)), start=History(origin=(known,))).rules
    assert (now.direction, now.tags, now.from_port) == ("ingress", (("team", "shop"),), 8080)


@pytest.mark.parametrize("named", [Described(rule_id="sgr-1", description="x"), Described(rule=WEB, description="x")])
def test_a_description_is_given_to_the_rule_of_an_id_or_of_values(named: Described) -> None:
    """Of a rule that is not approved, it says nothing."""
    assert facts(heard(at(1, named)).rules) == facts([SSH, replace(WEB, description="x")])
    gone = at(0, Removed(rule_id="sgr-1"))
    assert facts(heard(gone, at(1, named)).rules) == facts([SSH])


def test_an_approved_edit_moves_the_rule_or_makes_it() -> None:
    """What it replaces may be gone by an allowed call that is heard of later; applied twice, it is applied once."""
    after = replace(ALT, rule_id="sgr-4")
    move = at(2, Moved(before=WEB, rule=after), call="-")
    assert facts(heard(move).rules) == facts([SSH, after])
    assert facts(heard(move, replace(move, moment=NOON + timedelta(seconds=9))).rules) == facts([SSH, after])
    away = at(1, Edited(rule=tcp(80, "sgr-1")))
    assert facts(heard(move, away).rules) == facts([SSH, after, tcp(80, "sgr-1")])


def test_two_approved_edits_into_each_others_places_are_made() -> None:
    """Neither is taken for the other's."""
    there, back = tcp(22, "sgr-1", description="was web"), tcp(443, "sgr-2", description="was ssh")
    course = heard(at(1, Moved(before=WEB, rule=there), Moved(before=SSH, rule=back), call="-"))
    assert facts(course.rules) == facts([there, back])


def test_a_removal_by_id_of_a_rule_whose_place_another_took_removes_that_one() -> None:
    """Somebody edited the first into the second's place meanwhile; who removed it saw the second's values."""
    new = tcp(443, "sgr-3", description="anew")
    removed = at(3, Removed(rule_id="sgr-1", rule=new))
    assert facts(heard(at(2, Made(rule=new)), removed).rules) == facts([SSH])
    assert facts(heard(removed).rules) == facts([SSH])
    assert facts(heard(at(3, Removed(rule_id="sgr-9"))).rules) == facts([SSH, WEB])


# -- one second --------------------------------------------------------------------------------------------------------


def test_in_one_second_what_fits_comes_first() -> None:
    """A rule is removed and made anew: EC2 refuses it the other way round."""
    anew = tcp(443, "sgr-3", description="anew")
    removed, made = at(1, Removed(rule_id="sgr-1", rule=WEB)), at(1, Made(rule=anew))
    for order in ((removed, made), (made, removed)):
        assert facts(heard(*order, live=(SSH, anew)).rules) == facts([SSH, anew])


def test_in_one_second_the_edit_that_the_group_agrees_with_came_last() -> None:
    """Whichever is heard of first."""
    first, last = at(1, Edited(rule=tcp(80, "sgr-1"))), at(1, Edited(rule=tcp(81, "sgr-1")))
    live = (SSH, tcp(81, "sgr-1"))
    for order in ((first, last), (last, first)):
        assert facts(heard(*order, live=live).rules) == facts(live)


def test_in_one_second_a_description_that_the_group_agrees_with_came_last() -> None:
    """It may have been given before or after an edit of the same rule."""
    a, b = tcp(443, "sgr-1", description="a"), tcp(443, "sgr-1", description="b")
    edit, text = at(1, Edited(rule=a)), at(1, Described(rule_id="sgr-1", description="b"))
    for live, order in (((b,), (text, edit)), ((a,), (edit, text))):
        assert facts(heard(*order, live=live, start=History(origin=(WEB,))).rules) == facts(live)


def test_in_one_second_a_call_on_a_rule_this_account_restored_comes_after_the_restoring() -> None:
    """Nobody can name an id that is not there yet."""
    restored = at(1.2, Seen(rule=WEB, rule_id="sgr-8"), call="-")
    edited = at(1, Edited(rule=tcp(80, "sgr-8")))
    for order in ((restored, edited), (edited, restored)):
        assert facts(heard(*order).rules) == facts([SSH, tcp(80, "sgr-8")])


def test_in_one_second_a_call_that_does_not_fit_is_true_all_the_same() -> None:
    """Somebody else, who has to ask, has removed the rule that is in its way."""
    into = at(1, Edited(rule=tcp(443, "sgr-2", description="was ssh")))
    later = at(1.5, Removed(rule=WEB), call="-")
    assert facts(heard(into, later).rules) == set()


# -- how much is remembered --------------------------------------------------------------------------------------------


def test_the_oldest_become_part_of_the_origin_when_there_are_too_many() -> None:
    """The rules stay, and so do the ids they had; a time tells how far the origin reaches."""
    entries = [at(number, Edited(rule=tcp(443, "sgr-1", description=str(number)))) for number in range(1, 1000)]
    history = START
    for entry in (at(0, Seen(rule=SSH, rule_id="sgr-5"), call="-"), *entries):
        history = with_entry(history, entry)
    assert len(history.entries) < len(entries) / 2
    assert history.settled_until is not None
    assert history.settled_until < history.entries[0].moment
    assert facts(Course(history).rules) == {(WEB.identity, "999", "sgr-1"), (SSH.identity, "ssh", "sgr-5")}
    assert Course(history).by_id("sgr-2") == SSH


def test_a_call_of_a_thousand_rules_is_part_of_the_origin_at_once() -> None:
    """It would be kept twice, and an item of the table has its limit."""
    many = [Made(rule=tcp(port, f"sgr-{port}")) for port in range(1000, 2000)]
    history = with_entry(START, at(1, *many))
    assert history.entries == ()
    assert history.settled_until == NOON + timedelta(seconds=1)
    assert facts(history.origin) == facts([SSH, WEB, *(deed.rule for deed in many)])


def test_settling_what_is_settled_changes_nothing() -> None:
    """The time up to which it reaches stays, too."""
    once = settled(with_entry(START, at(1, Removed(rule_id="sgr-1"))))
    assert settled(once) == once
    assert once.settled_until == NOON + timedelta(seconds=1)
    assert settled(START) == START


def test_a_former_id_that_is_a_rules_own_by_now_is_its_own() -> None:
    """What stands in the origin goes before what was, and a rule that is not there has had no id."""
    history = History(origin=(WEB,), former_ids=(("sgr-1", WEB.identity), ("sgr-0", WEB.identity), ("sgr-9", "gone")))
    course = Course(history)
    assert course.former_ids == (("sgr-0", WEB.identity),)
    assert course.by_id("sgr-1") == course.by_id("sgr-0") == WEB
    assert course.by_id("sgr-9") is None


def test_the_same_history_is_played_once() -> None:
    """A call of a thousand rules looks each of them up."""
    history = with_entry(START, at(1, Removed(rule_id="sgr-1")))
    assert course_of(history) is course_of(history)
    assert course_of(START) is not course_of(history)


def test_a_rule_without_an_id_is_found_by_its_values_alone() -> None:
    """Old events do not say ids."""
    course = heard(at(1, Made(rule=ALT)), at(2, Described(rule=ALT, description="x")))
    assert facts(course.rules) == facts([SSH, WEB, replace(ALT, description="x")])
    assert course.first_id(ALT) is None


def test_the_rules_that_a_deed_names() -> None:
    """Of a removal by id, none."""
    assert rules_of(Moved(before=WEB, rule=ALT)) == (WEB, ALT)
    assert rules_of(Made(rule=WEB)) == (WEB,)
    assert rules_of(Removed(rule_id="sgr-1")) == ()


def test_what_was_done_in_one_second_is_settled_together() -> None:
    """A removal left alone would not know the rule it names, and take the new one that has its values."""
    anew = tcp(443, "sgr-3", description="anew")
    pair = (at(500, Made(rule=anew)), at(500, Removed(rule_id="sgr-1", rule=WEB)))
    for before in range(195, 205):
        others = [
            at(number, Described(rule_id="sgr-2", description="ssh"), call=f"c{number}") for number in range(before)
        ]
        later = [at(600 + number, Described(rule_id="sgr-2", description="ssh")) for number in range(250)]
        assert facts(heard(*others, *pair, *later).rules) == facts([SSH, anew])


def test_the_time_up_to_which_is_settled_never_goes_back() -> None:
    """A late call may be settled after newer ones."""
    newer = settled(with_entry(START, at(80, Removed(rule_id="sgr-1"))))
    older = settled(with_entry(newer, at(50, Described(rule_id="sgr-2", description="ssh"))))
    assert older.settled_until == NOON + timedelta(seconds=80)


def test_a_call_that_is_settled_is_known_when_it_is_heard_again() -> None:
    """Else a rule that was made, and removed since, would be made once more."""
    made = at(1, Made(rule=ALT), call="made")
    history = settled(with_entry(with_entry(START, made), at(2, Removed(rule=ALT), call="removed")))
    assert history.settled_calls == ("made", "removed")
    assert with_entry(history, made) is history
    assert settled(history).settled_calls == ("made", "removed")


def test_of_an_id_that_two_rules_had_the_last_one_is_remembered() -> None:
    """Whatever their values sort like."""
    history = START
    for second, (known, rule_id) in enumerate([(WEB, "sgr-5"), (SSH, "sgr-1"), (SSH, "sgr-8")], start=1):
        history = with_entry(history, at(second, Seen(rule=known, rule_id=rule_id), call="-"))
    for one in (history, settled(history)):
        assert course_of(one).by_id("sgr-1") == SSH
        assert course_of(one).former_ids == (("sgr-2", SSH.identity), ("sgr-1", SSH.identity))
