"""Approvals, one example each: what is remembered of a rule, and what decides where orders are possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.approvals import IDS_KEPT, REMOVED_KEPT, Approvals, Editor, compacted, placed_rules
from member.chalicelib.state.register import (
    ADOPTED,
    APPLIED,
    CREATED,
    EDITED,
    REMOVED,
    VALUES_KEPT,
    Moment,
    Register,
    moment,
)
from shared.domain.rule import Rule
from tests.support.examples import NOON, tcp


def at(seconds: float, rank: int = EDITED) -> Moment:
    """A moment some seconds after noon."""
    return moment(NOON + timedelta(seconds=seconds), rank)


def edited(*steps: Callable[[Editor], None], live: Iterable[Rule] = (), start: Approvals | None = None) -> Approvals:
    """What is approved after these steps, each an event of its own."""
    approvals = start or Approvals()
    for step in steps:
        editor = Editor(approvals, RuleSet(live))
        step(editor)
        approvals = editor.result()
    return approvals


def rules(approvals: Approvals) -> set[tuple[str, str, str | None]]:
    """Identity, description and id of what is approved."""
    return {(one.identity, one.description, one.rule_id) for one in placed_rules(approvals.entries).values()}


def facts(*some: Rule) -> set[tuple[str, str, str | None]]:
    """The same of rules."""
    return {(one.identity, one.description, one.rule_id) for one in some}


def added(rule: Rule, seconds: float = 0) -> Callable[[Editor], None]:
    """The creation of a rule."""
    return lambda editor: editor.add(rule, at(seconds, CREATED))


def test_the_newest_value_counts_whenever_it_is_heard() -> None:
    """A value given twice at one moment is one."""
    register: Register[str] = Register()
    assert register.newest is None
    for seconds, value in ((2, "b"), (1, "a"), (2, "b")):
        register = register.put(at(seconds), value)
    assert [one.value for one in register.versions] == ["a", "b"]
    assert register.newest is not None
    assert register.newest.value == "b"


def test_of_values_of_one_moment_the_live_one_counts() -> None:
    """Where the group shows none of them, the one before stays: nothing is guessed."""
    empty: Register[str] = Register()
    before = empty.put(at(1), "a")
    for live, expected in (("b", "b"), ("c", "c"), ("d", "a"), (None, "a")):
        newest = before.put(at(2), "b", live).put(at(2), "c", live).newest
        assert newest is not None
        assert newest.value == expected
    assert empty.put(at(2), "b").put(at(2), "c").newest is None


def test_only_the_newest_values_are_kept() -> None:
    """Events are late by minutes."""
    register: Register[int] = Register()
    for number in range(10):
        register = register.put(at(number), number)
    assert [one.value for one in register.versions] == list(range(10 - VALUES_KEPT, 10))


def test_a_rule_pushes_out_the_one_that_was_in_its_place() -> None:
    """EC2 has no two rules of one identity, so the other one had left, whether or not anybody has heard how."""
    assert rules(edited(added(tcp(22, "sgr-1")), added(tcp(22, "sgr-2"), 1))) == facts(tcp(22, "sgr-2"))


def test_a_removal_by_a_new_id_removes_the_rule_that_was_restored() -> None:
    """No snapshot has seen the id it was restored with; a rule of a later call stays."""
    removed = lambda editor: editor.remove("sgr-2", tcp(22), at(5, REMOVED))  # noqa: E731 - one step
    known = edited(added(tcp(22, "sgr-1")), removed)
    assert rules(known) == set()
    assert rules(edited(added(tcp(22, "sgr-3"), 5), start=known)) == facts(tcp(22, "sgr-3"))


def test_a_rule_without_an_id_stands_for_its_place() -> None:
    """Added, described and removed by values; added again, it is approved again."""
    describe = lambda editor: editor.describe(None, tcp(22), "office", at(1))  # noqa: E731 - one step
    remove = lambda editor: editor.remove(None, tcp(22), at(2, REMOVED))  # noqa: E731 - one step
    assert rules(edited(added(tcp(22)), describe)) == facts(tcp(22, description="office"))
    assert rules(edited(describe, remove, added(tcp(22)))) == set()
    assert rules(edited(remove, added(tcp(22)), added(tcp(22), 3))) == facts(tcp(22))


def test_an_approved_edit_of_a_rule_without_an_id_moves_it() -> None:
    """Its old place is free for another rule without an id."""
    move = lambda editor: editor.replace(tcp(22), tcp(80), at(1, APPLIED))  # noqa: E731 - one step
    known = edited(added(tcp(22)), move)
    assert rules(known) == facts(tcp(80))
    assert rules(edited(added(tcp(22), 2), start=known)) == facts(tcp(22), tcp(80))


def test_an_approved_removal_of_an_unknown_rule_is_remembered() -> None:
    """An older addition that is heard later does not count."""
    remove = lambda editor: editor.remove_approved(tcp(22), at(2, APPLIED))  # noqa: E731 - one step
    assert rules(edited(remove, added(tcp(22, "sgr-1"), 1))) == set()


def test_an_id_is_one_rules_at_a_time() -> None:
    """A rule whose id another one got stays approved, and has no id until it is seen again."""
    move = lambda editor: editor.replace(tcp(443, "sgr-1"), tcp(80, "sgr-2"), at(1, APPLIED))  # noqa: E731 - one step
    known = edited(added(tcp(443, "sgr-1")), added(tcp(22, "sgr-2")), move)
    assert rules(known) == facts(tcp(80, "sgr-2"), tcp(22))


def test_the_first_id_of_an_approved_rule_stays_with_it_wherever_it_is_seen() -> None:
    """Somebody edited it into another approved rule and made this one anew; an allowed edit of it may be on its way."""
    known = edited(added(tcp(22, "sgr-1")), added(tcp(80, "sgr-2")))
    live = RuleSet([tcp(80, "sgr-1"), tcp(22, "sgr-3")])
    known = edited(lambda editor: editor.see(live), start=known)
    moved = edited(lambda editor: editor.edit("sgr-1", tcp(443), None, at(1)), start=known)
    assert {rule.identity for rule in placed_rules(moved.entries).values()} == {tcp(443).identity, tcp(80).identity}


def test_of_many_ids_the_first_and_the_newest_are_kept() -> None:
    """Restoring a rule gives it a new one."""
    known = edited(added(tcp(22, "sgr-0")))
    for number in range(1, 30):
        live = RuleSet([tcp(22, f"sgr-{number}")])
        known = edited(lambda editor, live=live: editor.see(live), start=known)  # type: ignore[misc]  # bound now
    (entry,) = known.entries
    assert entry.ids == ("sgr-0", *(f"sgr-{number}" for number in range(31 - IDS_KEPT, 30)))


def test_the_oldest_removed_rules_are_forgotten() -> None:
    """What was called before that does not count where it is about an unknown rule: its removal may be forgotten."""

    def many(editor: Editor) -> None:
        for number in range(REMOVED_KEPT + 10):
            editor.remove(f"sgr-{number}", tcp(number), at(number, REMOVED))

    known = edited(many)
    assert len(known.entries) == REMOVED_KEPT
    assert known.forgotten_until == NOON + timedelta(seconds=9)
    late = edited(
        added(tcp(9, "sgr-9"), 9),
        lambda editor: editor.edit("sgr-8", tcp(8), "ingress", at(9)),
        added(tcp(10, "sgr-x"), 11),
        start=known,
    )
    assert rules(late) == facts(tcp(10, "sgr-x"))


def test_descriptions_by_values_of_approved_rules_are_not_forgotten() -> None:
    """However many rules have been removed since."""

    def many(editor: Editor) -> None:
        for number in range(REMOVED_KEPT + 10):
            editor.remove(f"sgr-{number}", None, at(number + 9, REMOVED))

    describe = lambda editor: editor.describe(None, tcp(22), "office", at(1))  # noqa: E731 - one step
    assert rules(edited(added(tcp(22, "sgr-x")), describe, many)) == facts(tcp(22, "sgr-x", description="office"))


def test_compacted_approvals_are_the_same_rules() -> None:
    """What was before is forgotten; edits that could not be ordered stay in doubt."""
    known = edited(
        added(tcp(22, "sgr-1")),
        lambda editor: editor.describe(None, tcp(22), "office", at(1)),
        added(tcp(80, "sgr-2")),
        lambda editor: editor.remove("sgr-2", None, at(2, REMOVED)),
        *(
            lambda editor, port=port: editor.edit("sgr-1", tcp(port, description="office"), None, at(3))
            for port in (23, 24)
        ),  # type: ignore[misc]  # bound now
    )
    small = compacted(known)
    assert rules(small) == rules(known) == facts(tcp(22, "sgr-1", description="office"))
    assert len(small.entries) == 1
    assert small.forgotten_until == NOON + timedelta(seconds=2)
    later = lambda editor: editor.edit("sgr-1", tcp(25), None, at(4))  # noqa: E731 - one step
    assert rules(edited(later, start=small)) == facts(tcp(25, "sgr-1"))


def test_only_what_was_adopted_is_dropped_as_adopted() -> None:
    """By id or by place; a rule that a call has given values since is more than that."""

    def begin(editor: Editor) -> None:
        for port in (1, 2, 3):
            editor.add(tcp(port, f"sgr-{port}"), at(0, ADOPTED), is_adopted=True)

    known = edited(begin, lambda editor: editor.edit("sgr-3", tcp(3), None, at(1)))
    dropped = edited(lambda editor: editor.drop_adopted(["sgr-1", "sgr-3", None], [tcp(2), tcp(9)]), start=known)
    assert rules(dropped) == facts(tcp(3, "sgr-3"))


def test_the_creation_of_a_rule_whose_id_was_seen_in_an_approved_ones_place_is_a_rule_of_its_own() -> None:
    """An edit had led it there before its creation was heard; an id that the approved rule was made with is its own."""
    known = edited(added(tcp(22, "sgr-1")))
    known = edited(lambda editor: editor.see(RuleSet([tcp(22, "sgr-7")])), start=known)
    known = edited(added(tcp(443, "sgr-7"), 1), start=known)
    assert {identity for identity, _, _ in rules(known)} == {tcp(22).identity, tcp(443).identity}
    known = edited(added(tcp(80, "sgr-1"), 2), start=known)
    assert {identity for identity, _, _ in rules(known)} == {tcp(80).identity, tcp(443).identity}


def test_of_what_was_added_without_approval_and_without_an_id_the_first_time_is_remembered() -> None:
    """A removal after that restores nothing, however often the rule was added since."""
    known = edited(
        lambda editor: editor.reject(tcp(22), NOON + timedelta(seconds=1)),
        lambda editor: editor.reject(tcp(22), NOON + timedelta(seconds=2)),
        lambda editor: editor.reject(tcp(22), NOON),
    )
    (entry,) = known.entries
    assert entry.removed is not None
    assert entry.removed[0] == NOON
    assert rules(known) == set()


def test_what_was_done_by_the_id_of_another_rule_is_that_rules() -> None:
    """The id was seen in the place of an approved rule; when its creation is heard, edits and removals move to it."""
    start = edited(lambda editor: editor.add(tcp(22, "sgr-1"), at(0, ADOPTED), is_adopted=True))
    seen = edited(lambda editor: editor.see(RuleSet([tcp(22, "sgr-2")])), start=start)
    created = lambda editor: editor.add(tcp(80, "sgr-2"), at(1, CREATED))  # noqa: E731 - one step
    edit = lambda editor: editor.edit("sgr-2", tcp(443, description="b"), "ingress", at(2))  # noqa: E731 - one step
    remove = lambda editor: editor.remove("sgr-2", None, at(3, REMOVED))  # noqa: E731 - one step
    both = edited(edit, created, start=seen)
    assert rules(both) == facts(tcp(22), tcp(443, "sgr-2", description="b"))
    assert [one.is_adopted for one in both.entries] == [True, False]
    assert rules(edited(edit, remove, start=seen)) == set()
    assert rules(edited(edit, remove, created, start=seen)) == facts(tcp(22))
    assert rules(edited(created, start=seen)) == facts(tcp(22), tcp(80, "sgr-2"))


def test_an_approved_edit_of_a_rule_whose_creation_is_heard_later_is_of_that_rule() -> None:
    """It stood in the place of an approved one, which had gone from there."""
    start = edited(lambda editor: editor.add(tcp(22, "sgr-1"), at(0, ADOPTED), is_adopted=True))
    known = edited(
        lambda editor: editor.see(RuleSet([tcp(22, "sgr-2")])),
        lambda editor: editor.replace(tcp(22), tcp(443, "sgr-2"), at(5, APPLIED)),
        lambda editor: editor.add(tcp(22, "sgr-2"), at(1, CREATED)),
        start=start,
    )
    assert rules(known) == facts(tcp(443, "sgr-2"))


def test_an_older_rule_is_not_taken_for_a_new_one_in_its_place() -> None:
    """Nobody has said the new one's id, and the rule that is there now is older: it was edited into the place."""
    start = edited(lambda editor: editor.add(tcp(22, "sgr-1"), at(0, ADOPTED), is_adopted=True))
    moved = lambda editor: editor.add(tcp(80, "sgr-1"), at(1, CREATED), is_id_seen=True)  # noqa: E731 - one step
    assert edited(moved, start=start) == start
    same = lambda editor: editor.add(tcp(80, "sgr-2"), at(1, CREATED), is_id_seen=True)  # noqa: E731 - one step
    assert rules(edited(same, same, start=start)) == facts(tcp(22, "sgr-1"), tcp(80, "sgr-2"))


def test_an_id_that_was_only_seen_may_be_that_of_a_restored_rule() -> None:
    """A new rule without an id, in the place of an approved one, is that one, unless it never was in this place."""
    start = edited(
        lambda editor: editor.add(tcp(22, "sgr-1"), at(0, CREATED)),
        lambda editor: editor.see(RuleSet([tcp(22, "sgr-2")])),
    )
    again = lambda editor: editor.add(tcp(22, "sgr-2"), at(1, CREATED), is_id_seen=True)  # noqa: E731 - one step
    other = lambda editor: editor.add(tcp(80, "sgr-2"), at(1, CREATED), is_id_seen=True)  # noqa: E731 - one step
    assert len(edited(again, start=start).entries) == 1
    assert len(edited(other, start=start).entries) == 2


def test_a_removed_rule_empties_the_place_where_it_was_found() -> None:
    """Not the one it had before an edit that nobody heard of, where another rule may be by now."""
    known = edited(
        lambda editor: editor.add(tcp(22, "sgr-1"), at(0, CREATED)),
        added(tcp(22, "sgr-2"), 5),
        lambda editor: editor.remove("sgr-1", tcp(80, "sgr-1"), at(9, REMOVED)),
    )
    assert rules(known) == facts(tcp(22, "sgr-2"))


def test_what_is_dropped_twice_is_dropped_once() -> None:
    """A call may drop what was restored of it, and what it added: the rest stays where it was."""

    def drop(editor: Editor) -> None:
        editor.drop_adopted((), [tcp(22)])
        editor.drop_adopted((), [tcp(22), tcp(443)])

    start = edited(*(added_at_adoption(tcp(port, f"sgr-{port}")) for port in (22, 80, 443)))
    assert rules(edited(drop, start=start)) == facts(tcp(80, "sgr-80"))


def added_at_adoption(rule: Rule) -> Callable[[Editor], None]:
    """A rule that was there when the region was adopted."""
    return lambda editor: editor.add(rule, at(0, ADOPTED), is_adopted=True)


def test_an_older_removal_that_is_heard_later_changes_nothing() -> None:
    """The newest one says where the rule was."""
    steps = [added(tcp(22, "sgr-1"))]
    steps += [lambda editor, n=n: editor.remove("sgr-1", tcp(n, "sgr-1"), at(n, REMOVED)) for n in (80, 23)]
    (one,) = edited(*steps).entries
    assert (one.removed, one.removed_place) == (at(80, REMOVED), tcp(80).identity)


def test_an_approved_edit_leaves_its_place_empty() -> None:
    """A rule that was made there before, and heard of later, has gone with it; two that change places have not."""
    edit = lambda editor: editor.replace(tcp(22), tcp(80, "sgr-1"), at(5, APPLIED))  # noqa: E731 - one step
    start = edited(added(tcp(22, "sgr-1")), edit)
    assert rules(edited(added(tcp(22, "sgr-2"), 3), start=start)) == facts(tcp(80, "sgr-1"))
    assert rules(edited(added(tcp(22, "sgr-2"), 9), start=start)) == facts(tcp(80, "sgr-1"), tcp(22, "sgr-2"))

    def swap(editor: Editor) -> None:
        editor.replace(tcp(22), tcp(80, "sgr-1"), at(5, APPLIED))
        editor.replace(tcp(80), tcp(22, "sgr-2"), at(5, APPLIED))

    both = edited(added(tcp(22, "sgr-1")), added(tcp(80, "sgr-2")), swap)
    assert rules(both) == facts(tcp(80, "sgr-1"), tcp(22, "sgr-2"))
