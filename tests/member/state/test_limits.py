"""Approvals for a time: where they stand, what closes them, and what their end does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from member.chalicelib.cloudtrail.call import RuleEdit
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state import limits
from member.chalicelib.state.baseline import Baseline, accept_call, accept_change
from member.chalicelib.state.items import baseline_from_item, baseline_to_item
from member.chalicelib.state.limits import (
    Ending,
    accept_approved,
    begin,
    ended,
    ending,
    going,
    has_room,
    is_asked,
    limits_of,
    told,
    without_old,
)
from member.chalicelib.state.register import CREATED, moment
from member.chalicelib.state.timed import Timed
from shared.domain.change import Change, Modification, apply, make_change
from shared.domain.rule import Rule, cidr, group
from tests.support.examples import LATER, NOON, adopted, call, tcp

HOUR = timedelta(hours=1)
WEB, SSH = tcp(443, "sgr-1", description="web"), tcp(22, "sgr-2", description="ssh")
NEW = tcp(80, "sgr-3", description="new")
MOVED = tcp(444, "sgr-1", description="web")
FOR_8_HOURS = Timed(key="r", until=NOON + 8 * HOUR, requests=("r",))
SHORTER = Timed(key="s", until=NOON + 2 * HOUR, requests=("s",))


def given(
    known: Baseline, change: Change, *live: Rule, timed: Timed | None = FOR_8_HOURS, at: datetime = NOON
) -> Baseline:
    """A baseline after a change was approved and applied."""
    return accept_approved(known, change, RuleSet(live), at, timed)


def edited(before: Rule, after: Rule) -> Change:
    """An edit of one rule."""
    return make_change(modified=[Modification(before=before, after=after)])


def over(known: Baseline, *live: Rule, key: str = "r", left: Iterable[str] = (), at: datetime = LATER) -> Baseline:
    """A baseline after the end of an approval, done in EC2 but for what is left."""
    done = ending(known, key, RuleSet(live))
    after = apply(make_change(), live) if left else tuple(_carried_out(done, live))
    return ended(known, key, done, set(left), RuleSet(after), at)


def _carried_out(done: Ending, live: Iterable[Rule]) -> list[Rule]:
    gone = {rule.identity for rule in done.undo.removed} | {edit.before.identity for edit in done.undo.modified}
    return [
        *(rule for rule in live if rule.identity not in gone),
        *(edit.after for edit in done.undo.modified),
        *done.undo.added,
    ]


def shown(known: Baseline) -> set[tuple[str, str]]:
    """Identities and descriptions of what is approved."""
    return {(one.identity, one.description) for one in known.rules}


def texts(*rules: Rule) -> set[tuple[str, str]]:
    """The same of rules."""
    return {(one.identity, one.description) for one in rules}


def test_it_stands_with_each_rule_that_was_added_or_edited() -> None:
    """A removal has no time; what the approval does not touch has none either."""
    known = given(
        adopted(WEB, SSH), make_change(added=[NEW], removed=[SSH], modified=edited(WEB, MOVED).modified), NEW, MOVED
    )
    assert known.timed == (FOR_8_HOURS,)
    until = FOR_8_HOURS.until
    assert limits_of(known, make_change(removed=[NEW, SSH])) == ((NEW.identity, until),)
    assert limits_of(known, edited(MOVED, WEB)) == ((MOVED.identity, until),)
    assert limits_of(known, make_change(added=[NEW])) == limits_of(adopted(WEB), edited(WEB, MOVED)) == ()


def test_the_shortest_of_several_is_shown() -> None:
    """And none that has ended."""
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    known = given(known, edited(MOVED, WEB), WEB, timed=SHORTER, at=NOON + HOUR)
    assert limits_of(known, edited(WEB, MOVED)) == ((WEB.identity, SHORTER.until),)
    known = over(known, WEB, key="s")
    assert limits_of(known, edited(MOVED, WEB)) == ((MOVED.identity, FOR_8_HOURS.until),)


def test_beginning_again_changes_nothing() -> None:
    """While it holds, and after its end."""
    change = make_change(added=[NEW])
    known = given(adopted(), change, NEW)
    at = moment(NOON, CREATED)
    assert begin(known, change, RuleSet([NEW]), at, FOR_8_HOURS).timed == known.timed
    closed = over(known, NEW)
    assert begin(closed, change, RuleSet([NEW]), at, FOR_8_HOURS) == closed


def test_a_rule_that_cannot_be_found_has_no_limit() -> None:
    """That the approval ends is remembered nevertheless."""
    known = begin(adopted(), make_change(added=[tcp(80)]), RuleSet(), moment(NOON, CREATED), FOR_8_HOURS)
    assert (known.timed, known.approvals.entries) == ((FOR_8_HOURS,), ())


def test_a_rule_without_an_id_is_found_by_its_place() -> None:
    """As a rule is that nobody has named by an id so far."""
    known = given(adopted(tcp(443, description="web")), edited(tcp(443), tcp(444)), tcp(444))
    assert shown(over(known, tcp(444))) == texts(tcp(443))


def test_an_added_rule_goes() -> None:
    """With whatever id and description it has."""
    known = given(adopted(WEB), make_change(added=[NEW]), WEB, NEW)
    now = replace(NEW, rule_id="sgr-9", description="other")
    done = ending(known, "r", RuleSet([WEB, now]))
    assert [one.rule_id for one in done.undo.removed] == ["sgr-9"]
    assert (done.becomes, done.places) == ({NEW.identity: None}, {NEW.identity})
    after = over(known, WEB, now)
    assert shown(after) == texts(WEB)
    assert (after.timed[0].ended_at, after.timed[0].note) == (LATER, "")
    gone = over(known, WEB)
    assert (ending(known, "r", RuleSet([WEB])).undo.is_empty, shown(gone)) == (True, texts(WEB))


def test_an_end_is_later_than_what_it_ends() -> None:
    """Also where this account's clock is behind CloudTrail's."""
    known = given(adopted(WEB), make_change(added=[NEW]), WEB, NEW, at=LATER)
    assert shown(over(known, WEB, NEW, at=NOON)) == texts(WEB)


def test_an_edited_rule_is_edited_back() -> None:
    """In place, with its description of before; where it is missing, it is made again."""
    after = tcp(444, "sgr-1", description="other")
    known = given(adopted(WEB), edited(WEB, after), after)
    done = ending(known, "r", RuleSet([after]))
    assert [(one.before.rule_id, one.after.rule_id, one.after) for one in done.undo.modified] == [
        ("sgr-1", "sgr-1", WEB)
    ]
    assert shown(over(known, after)) == texts(WEB)
    assert ending(known, "r", RuleSet()).undo == make_change(added=[WEB])
    assert shown(over(known)) == texts(WEB)


def test_a_description_is_set_back_unless_it_is_another_one_by_now() -> None:
    """Nothing but that was approved for a time."""
    other = tcp(443, "sgr-1", description="other")
    known = given(adopted(WEB), edited(WEB, other), other)
    assert shown(over(known, other)) == texts(WEB)
    third = tcp(443, "sgr-1", description="third")
    described = accept_change(known, edited(other, third), RuleSet([third]), NOON + timedelta(minutes=5))
    after = over(described, third)
    assert shown(after) == texts(third)
    assert "Nothing was left" in after.timed[0].note


def test_an_edit_that_is_allowed_since_makes_it_go() -> None:
    """Also one that led back."""
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    away = tcp(445, "sgr-1", description="web")
    edits = [
        call("modify", edits=(RuleEdit(rule_id="sgr-1", after=away, description="web"),), event_time=NOON + HOUR),
        call("modify", edits=(RuleEdit(rule_id="sgr-1", after=MOVED, description="web"),), event_time=NOON + 2 * HOUR),
    ]
    first = accept_call(known, edits[0], RuleSet([away]))
    assert shown(over(first, away, at=NOON + 8 * HOUR)) == set()
    back = accept_call(first, edits[1], RuleSet([MOVED]))
    assert shown(over(back, MOVED, at=NOON + 8 * HOUR)) == set()


@pytest.mark.parametrize("is_removed", [False, True])
def test_its_former_place_may_be_taken_or_closed(is_removed: bool) -> None:
    """By an allowed call since: then it goes."""
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    other = tcp(443, "sgr-9", description="other")
    live = [MOVED, other]
    known = accept_call(known, call("add", resulting=(other,), event_time=NOON + HOUR), RuleSet(live))
    if is_removed:
        live = [MOVED]
        removal = call("remove", resulting=(other,), event_time=NOON + 2 * HOUR)
        known = accept_call(known, removal, RuleSet(live))
    assert shown(over(known, *live, at=NOON + 8 * HOUR)) == (set() if is_removed else texts(other))


def test_its_former_place_may_be_taken_without_approval() -> None:
    """Then it goes too; the other one is a difference."""
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    assert shown(over(known, MOVED, tcp(443, "sgr-9"))) == set()


def test_rules_that_changed_places_change_back() -> None:
    """One approval: each leaves the place of the other."""
    first, second = tcp(22, "sgr-1", description="ssh"), tcp(443, "sgr-2", description="web")
    change = make_change(modified=[Modification(before=WEB, after=first), Modification(before=SSH, after=second)])
    known = given(adopted(WEB, SSH), change, first, second)
    assert shown(over(known, first, second)) == texts(WEB, SSH)


def test_a_chain_is_blocked_as_far_as_its_end_is() -> None:
    """One cannot go back, so it goes, and who waits for its place can."""
    first, second = tcp(22, "sgr-1", description="ssh"), tcp(25, "sgr-2", description="ssh")
    change = make_change(modified=[Modification(before=WEB, after=first), Modification(before=SSH, after=second)])
    known = given(adopted(WEB, SSH), change, first, second)
    taken = tcp(443, "sgr-9", description="taken")
    known = accept_call(known, call("add", resulting=(taken,), event_time=NOON + HOUR), RuleSet([taken]))
    # The rule in the place of SSH goes, so nobody has to be edited there: it stays where it is, for good.
    assert shown(over(known, first, second, taken, at=NOON + 8 * HOUR)) == texts(first, taken)


def test_one_added_in_the_place_that_another_left_stays_for_good() -> None:
    """Both were approved together: afterwards the place is filled as before, and nothing else is."""
    added = tcp(443, "sgr-9", description="web")
    change = make_change(added=[added], modified=edited(WEB, MOVED).modified)
    known = given(adopted(WEB), change, added, MOVED)
    after = over(known, added, MOVED)
    assert shown(after) == texts(WEB)
    assert after.timed[0].ended_at == LATER


def test_shorter_ones_leave_the_longer_as_they_were() -> None:
    """An edit for two hours of one for eight."""
    third = tcp(445, "sgr-1", description="web")
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    known = given(known, edited(MOVED, third), third, timed=SHORTER, at=NOON + HOUR)
    known = over(known, third, key="s", at=NOON + 2 * HOUR)
    assert shown(known) == texts(MOVED)
    assert shown(over(known, MOVED, at=NOON + 8 * HOUR)) == texts(WEB)


def test_an_approval_for_good_closes_it_unless_it_is_a_description() -> None:
    """Other values, or the rule added anew."""
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    described = tcp(444, "sgr-1", description="other")
    text = given(known, edited(MOVED, described), described, timed=None, at=NOON + HOUR)
    assert limits_of(text, make_change(removed=[described])) != ()
    third = tcp(445, "sgr-1", description="web")
    good = given(known, edited(MOVED, third), third, timed=None, at=NOON + HOUR)
    assert limits_of(good, make_change(removed=[third])) == ()
    after = over(good, third)
    assert (shown(after), "Nothing was left" in after.timed[0].note) == (texts(third), True)
    again = given(known, make_change(added=[MOVED]), MOVED, timed=None, at=NOON + HOUR)
    assert limits_of(again, make_change(removed=[MOVED])) == ()


def test_what_is_refused_stays_limited() -> None:
    """And so does what was changed while the end was carried out; the next snapshot ends it."""
    known = given(adopted(), make_change(added=[NEW, MOVED]), NEW, MOVED)
    half = over(known, NEW, MOVED, left=[NEW.identity])
    assert (shown(half), half.timed[0].ended_at) == (texts(NEW), None)
    assert over(half, NEW).timed[0].ended_at == LATER
    done = ending(known, "r", RuleSet([NEW, MOVED]))
    elsewhere = tcp(81, "sgr-3", description="new")
    moved = accept_call(
        known,
        call("modify", edits=(RuleEdit(rule_id="sgr-3", after=elsewhere, description="new"),), event_time=NOON + HOUR),
        RuleSet([elsewhere, MOVED]),
    )
    rest = ended(moved, "r", done, set(), RuleSet([elsewhere]), LATER)
    assert (shown(rest), rest.timed[0].ended_at) == (texts(elsewhere), None)
    edit = given(adopted(WEB), edited(WEB, MOVED), MOVED)
    assert shown(over(edit, MOVED, left=[WEB.identity])) == texts(MOVED)


def test_what_can_never_be_as_before_goes() -> None:
    """It referred to a group that is gone; others are edited back."""
    peer = tcp(22, "sgr-2", source=group("sg-9", account="222222222222"))
    other = tcp(23, "sgr-2", source=group("sg-9", account="222222222222"))
    change = make_change(modified=[*edited(WEB, MOVED).modified, *edited(peer, other).modified])
    known = given(adopted(WEB, peer), change, MOVED, other)
    done = ending(known, "r", RuleSet([MOVED, other]))
    left = going(done, [peer])
    assert left.becomes == {MOVED.identity: WEB, other.identity: None}
    assert (left.undo.removed, left.undo.modified) == ((other,), edited(MOVED, WEB).modified)
    missing = going(ending(known, "r", RuleSet([MOVED])), [peer])
    assert (missing.undo.added, missing.undo.removed) == ((), ())


# -- what was let through ----------------------------------------------------------------------------------------------


def test_what_was_let_through_is_asked_until_a_day_after_its_end() -> None:
    """Whatever overlaps it; approvals of people lock nothing."""
    emergency = replace(FOR_8_HOURS, let_through=(NEW,))
    known = given(adopted(), make_change(added=[NEW]), NEW, timed=emergency)
    inside = tcp(80, source=cidr("10.1.0.0/16"))
    assert is_asked(known, [inside], NOON + 100 * HOUR)
    assert not is_asked(known, [SSH], NOON)
    after = over(known, NEW, at=LATER)
    assert [is_asked(after, [inside], LATER + hours * HOUR) for hours in (1, 23, 24)] == [True, True, False]
    assert not is_asked(given(adopted(), make_change(added=[NEW]), NEW), [inside], NOON)


def test_what_is_over_and_told_is_forgotten() -> None:
    """What was let through a day later, everything else at once; what is not told never."""
    people = over(given(adopted(), make_change(added=[NEW]), NEW), NEW)
    assert without_old(people, LATER) is people
    assert without_old(told(people, "r"), LATER).timed == ()
    assert told(people, "other") == people
    emergency = replace(FOR_8_HOURS, let_through=(NEW,))
    known = told(over(given(adopted(), make_change(added=[NEW]), NEW, timed=emergency), NEW), "r")
    assert without_old(known, LATER + 23 * HOUR) is known
    assert without_old(known, LATER + 24 * HOUR).timed == ()


def test_a_time_is_due_until_its_end_is_told() -> None:
    """Not a moment before."""
    until = FOR_8_HOURS.until
    assert [FOR_8_HOURS.is_due(until + step) for step in (-HOUR, 0 * HOUR, HOUR)] == [False, True, True]
    assert not replace(FOR_8_HOURS, is_told=True).is_due(until)


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many approvals, and how many rules that were let through; the same one again needs no more room."""
    known = given(adopted(), make_change(added=[NEW]), NEW)
    monkeypatch.setattr(limits, "MOST_TIMED", 1)
    assert has_room(known, FOR_8_HOURS)
    assert not has_room(known, SHORTER)
    monkeypatch.setattr(limits, "MOST_LET_THROUGH", 1)
    assert has_room(adopted(), replace(SHORTER, let_through=(NEW,)))
    assert not has_room(adopted(), replace(SHORTER, let_through=(NEW, SSH)))


def test_it_is_stored_and_read_again() -> None:
    """With everything; the item says when the next one ends, as long as one does."""
    emergency = replace(FOR_8_HOURS, let_through=(NEW,))
    known = given(adopted(WEB), make_change(added=[NEW], modified=edited(WEB, MOVED).modified), NEW, MOVED)
    known = given(known, edited(MOVED, WEB), WEB, timed=replace(SHORTER, let_through=(WEB,)), at=NOON + HOUR)
    item = baseline_to_item(known)
    assert (baseline_from_item(item), item["endsAt"]) == (known, "2026-10-01T14:00:00.000Z")
    over_now = told(over(given(adopted(), make_change(added=[NEW]), NEW, timed=emergency), NEW), "r")
    item = baseline_to_item(over_now)
    assert (baseline_from_item(item), "endsAt" in item) == (over_now, False)


def test_an_approval_for_good_is_accepted_as_ever_where_nothing_is_timed() -> None:
    """No limit is looked for."""
    known = given(adopted(WEB), edited(WEB, MOVED), MOVED, timed=None)
    assert (shown(known), known.timed) == (texts(MOVED), ())
