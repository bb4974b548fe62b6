"""What a request needs: the strictest of all entries that match any of its rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.change import Change, Modification, make_change
from shared.domain.exposure import Span
from shared.domain.needs import Match, Needs, can_anybody_satisfy, is_approver, needs, needs_zero, strictest
from shared.domain.networks import range_of
from shared.domain.risk_rule import RiskRule
from shared.domain.rule import Rule, group, make_rule
from tests.support.risk import ACCOUNT, entry, facts, opened

INTERNET = entry(place="internet", sources=("internet",), approvals=2)
PRIVATE_FREE = entry(place="private", sources=("private",), approvals=0)
OFFICE_FREE = entry(place="office", cidrs=["203.0.113.0/24"], approvals=0)
SSH_TO_ALL = opened("0.0.0.0/0")
PRIVATE = opened("10.0.0.0/8")
OFFICE = opened("203.0.113.0/24")


def approvals(entries: list[RiskRule], *added: Rule, approved: tuple[Rule, ...] = ()) -> int:
    """How many approvals it needs to add these rules."""
    return needs(entries, facts(*added), approved).approvals


def test_without_entries_one_approval_is_needed() -> None:
    """Whatever is added."""
    assert needs([], facts(SSH_TO_ALL)) == Needs(approvals=1)


def test_the_strictest_of_all_matching_entries_counts() -> None:
    """Most approvals, shortest hours, every list of approvers, every sentence and mention; in any order."""
    entries = [
        entry(place="one", approvals=2, approvers=("U2", "U1", "U1"), max_hours=8, mention=("U9",)),
        entry(place="two", approvals=3, approvers=("U1", "S1"), max_hours=4, deny="Never."),
        entry(place="three", deny="Ask the network team.", approvers=("U1", "U2"), mention=("U8", "U9")),
        entry(place="four", ports=[(80, 80)], approvals=5, max_hours=1),
    ]
    expected = Needs(
        approvals=3,
        approvers=(("S1", "U1"), ("U1", "U2")),
        max_hours=4,
        deny="Ask the network team. Never.",
        mention=("U8", "U9"),
    )
    for order in (entries, entries[::-1]):
        found = needs(order, facts(SSH_TO_ALL))
        assert replace(found, matches=()) == expected
        assert {match.place for match in found.matches} == {"one", "two", "three"}


def test_a_match_names_the_entry_and_the_first_rule() -> None:
    """So that explain can say why."""
    assert needs([INTERNET], facts(PRIVATE, SSH_TO_ALL)).matches == (
        Match(place="internet", why="internet overlaps add ingress/tcp/22-22/ipv4/0.0.0.0/0"),
    )
    assert needs([PRIVATE_FREE], facts(PRIVATE)).matches == (
        Match(place="private", why="private contains add ingress/tcp/22-22/ipv4/10.0.0.0/8"),
    )


def test_zero_holds_where_every_rule_is_inside_an_entry() -> None:
    """Each in its own, and no other entry matches."""
    assert approvals([PRIVATE_FREE], PRIVATE) == 0
    assert approvals([PRIVATE_FREE, OFFICE_FREE], PRIVATE, OFFICE) == 0
    assert approvals([PRIVATE_FREE], PRIVATE, OFFICE) == 1
    assert approvals([PRIVATE_FREE, INTERNET], PRIVATE) == 0
    assert approvals([PRIVATE_FREE, INTERNET], PRIVATE, SSH_TO_ALL) == 2


@pytest.mark.parametrize("other", [entry(), entry(max_hours=8), entry(mention=("U1",)), entry(ports=[(22, 22)])])
def test_any_other_matching_entry_makes_it_one(other: RiskRule) -> None:
    """Also one that asks for nothing but hours or a mention."""
    assert approvals([PRIVATE_FREE, other], PRIVATE) == 1


def test_hours_of_a_lenient_entry_hold_with_zero_approvals() -> None:
    """Break-glass: at once, but not for good; also when another rule makes it one approval."""
    break_glass = replace(PRIVATE_FREE, max_hours=4)
    assert replace(needs([break_glass], facts(PRIVATE)), matches=()) == Needs(approvals=0, max_hours=4)
    assert replace(needs([break_glass], facts(PRIVATE, OFFICE)), matches=()) == Needs(approvals=1, max_hours=4)


def test_an_entry_that_denies_wins_over_its_zero_approvals() -> None:
    """The parser refuses such an entry; here the stricter reading holds."""
    found = needs([replace(PRIVATE_FREE, deny="Never.")], facts(PRIVATE))
    assert (found.approvals, found.deny) == (1, "Never.")


@pytest.mark.parametrize("change", [None, make_change()])
def test_what_cannot_be_read_is_not_let_through(change: Change | None) -> None:
    """No values, or none that change anything: one approval."""
    about = replace(facts(), change=change)
    assert needs([entry(approvals=0), entry(approvals=0, cidrs=["0.0.0.0/0"])], about) == Needs()
    assert not needs_zero([entry(approvals=0)], about)


def test_an_edit_counts_by_its_new_values_and_for_zero_by_the_old_ones_too() -> None:
    """Closing the internet needs what the new values need, but not nothing."""
    narrowed = facts(change=make_change(modified=[Modification(before=SSH_TO_ALL, after=PRIVATE)]))
    assert needs([PRIVATE_FREE, INTERNET], narrowed).approvals == 1
    widened = facts(change=make_change(modified=[Modification(before=PRIVATE, after=SSH_TO_ALL)]))
    assert needs([PRIVATE_FREE, INTERNET], widened).approvals == 2
    moved = facts(change=make_change(modified=[Modification(before=PRIVATE, after=opened("10.0.0.0/9"))]))
    assert needs([PRIVATE_FREE, INTERNET], moved).approvals == 0
    assert needs_zero([PRIVATE_FREE, INTERNET], moved)


def test_removals_match_by_what_they_would_close() -> None:
    """An entry for removals holds for those alone."""
    entries = [entry(kinds=("remove",), ports=[(22, 22)], approvals=3)]
    assert needs(entries, facts(change=make_change(removed=[PRIVATE]))).approvals == 3
    assert needs(entries, facts(change=make_change(added=[PRIVATE]))).approvals == 1


def test_halves_of_the_internet_are_the_internet() -> None:
    """In one request, or with what is approved."""
    low, high = opened("11.0.0.0/9"), opened("11.128.0.0/9")
    assert approvals([INTERNET], low) == 1
    assert approvals([INTERNET], low, high) == 2
    assert approvals([INTERNET], low, approved=(high,)) == 2
    assert approvals([INTERNET], low, approved=(opened("11.128.0.0/9", 443),)) == 1
    assert approvals([INTERNET], low, approved=(opened("11.128.0.0/9", direction="egress"),)) == 1
    assert approvals([INTERNET], PRIVATE, approved=(low, high)) == 1


def test_ports_that_were_split_match_where_the_whole_does() -> None:
    """An entry counts where its own ports are exposed, not where others of the rule are."""
    ssh = replace(INTERNET, ports=(Span(22, 22),))
    approved = (opened("11.128.0.0/9", 80),)
    assert approvals([ssh], opened("11.0.0.0/9", 1, 100), approved=approved) == 1
    assert approvals([ssh], opened("11.0.0.0/9", 1, 100), opened("11.128.0.0/9", 20, 30)) == 2


def test_parts_of_a_range_that_no_entry_contains_are_not_let_through() -> None:
    """Two entries with a half each: neither the whole nor its halves."""
    halves = [
        entry(place="low", cidrs=["10.0.0.0/9"], approvals=0),
        entry(place="high", cidrs=["10.128.0.0/9"], approvals=0),
    ]
    low, high = opened("10.0.0.0/9"), opened("10.128.0.0/9")
    assert approvals(halves, PRIVATE) == 1
    assert approvals(halves, low, high) == 1
    assert approvals(halves, low) == 0
    assert approvals(halves, high) == 0
    assert approvals(halves, low, opened("10.128.0.0/9", 80)) == 0
    assert approvals(halves, low, opened("10.128.0.0/9", protocol="udp")) == 0
    assert approvals([*halves, entry(place="both", cidrs=["10.0.0.0/8"], approvals=0)], low, high) == 0


def test_ports_of_one_group_that_were_split_are_one_range_too() -> None:
    """A group is its own neighbour, and no other group's."""
    halves = [entry(ports=[(20, 21)], approvals=0), entry(ports=[(22, 23)], approvals=0)]

    def of(group_id: str, port: int) -> Rule:
        return make_rule(direction="ingress", protocol="tcp", from_port=port, source=group(group_id, account=ACCOUNT))

    assert approvals(halves, of("sg-1", 21), of("sg-1", 22)) == 1
    assert approvals(halves, of("sg-1", 21), of("sg-2", 22)) == 0
    assert approvals(halves, of("sg-1", 21), opened("10.0.0.0/8", 22)) == 0


def test_what_lenient_entries_let_through_adds_up() -> None:
    """A wide range cannot be opened call by call where the internet needs two people."""
    wide = entry(place="wide", cidrs=["11.0.0.0/8"], approvals=0)
    part = facts(opened("11.1.0.0/16"))
    assert needs_zero([wide], part)
    assert not needs_zero([wide, INTERNET], part)
    assert needs([wide, INTERNET], part).approvals == 1
    assert needs_zero([wide, replace(INTERNET, ports=(Span(443, 443),))], part)


def test_what_other_principals_were_let_through_adds_up_too() -> None:
    """Two callers cannot open a half of the internet each, nor one of them in groups that are not known."""
    low = entry(place="low", cidrs=["11.0.0.0/9"], approvals=0, principals=("*:role/deploy",))
    high = entry(place="high", cidrs=["11.128.0.0/9"], approvals=0, principals=("*:role/other",))
    part = facts(opened("11.0.0.0/9"))
    assert needs_zero([low, high], part)
    assert needs_zero([low, INTERNET], part)
    assert not needs_zero([low, high, INTERNET], part)
    assert needs([low, high, INTERNET], part).approvals == 1
    elsewhere = replace(high, groups=("sg-other",))
    assert needs_zero([low, elsewhere, INTERNET], part)
    assert not needs_zero([low, elsewhere, INTERNET], replace(part, group_id=""))


def test_removing_without_asking_lets_nothing_through() -> None:
    """Whoever may close every port may open none by it."""
    closing = entry(place="closing", kinds=("remove",), cidrs=["0.0.0.0/0", "::/0"], approvals=0)
    opening = replace(INTERNET, kinds=("add", "modify"))
    assert needs_zero([closing, OFFICE_FREE, opening], facts(OFFICE))
    assert needs_zero([closing, opening], facts(change=make_change(removed=[SSH_TO_ALL])))


def test_an_entry_for_a_part_of_the_internet_holds_in_whatever_order_it_is_opened() -> None:
    """The part that it names first, as one of several ranges, does not get past it."""
    named = replace(INTERNET, cidrs=(range_of("11.0.0.0/16"),))
    first, second = opened("11.0.0.0/9"), opened("11.128.0.0/9")
    assert approvals([named], opened("11.0.0.0/8")) == 2
    assert approvals([named], first) == 1
    assert approvals([named], second, approved=(first,)) == 2
    assert approvals([named], second, approved=(opened("11.0.0.0/9", 80),)) == 1
    assert approvals([named], second, approved=(opened("12.0.0.0/8"),)) == 1


def test_zero_is_decided_from_the_event_alone() -> None:
    """It agrees with what the request needs where nothing is approved yet."""
    assert needs_zero([PRIVATE_FREE, INTERNET], facts(PRIVATE))
    assert needs_zero([OFFICE_FREE, INTERNET], facts(OFFICE))
    assert not needs_zero([PRIVATE_FREE, INTERNET], facts(PRIVATE, SSH_TO_ALL))
    assert not needs_zero([INTERNET], facts(SSH_TO_ALL))
    assert not needs_zero([], facts(PRIVATE))
    assert not needs_zero([replace(PRIVATE_FREE, principals=("*:user/*",))], facts(PRIVATE))


def test_zero_does_not_hold_where_approved_ranges_make_it_the_internet() -> None:
    """Whoever knows them asks again."""
    half = entry(place="half", cidrs=["11.128.0.0/9"], approvals=0)
    part = facts(opened("11.128.0.0/9"))
    assert needs_zero([half, INTERNET], part)
    assert not needs_zero([half, INTERNET], part, [opened("11.0.0.0/9")])
    assert needs_zero([half, INTERNET], part, [opened("11.0.0.0/9", 443)])


def test_a_batch_needs_the_strictest_of_its_requests() -> None:
    """Zero only where each of them needs nothing."""
    free = Needs(approvals=0, max_hours=8, matches=(Match(place="a", why="a"),))
    two = Needs(approvals=2, approvers=(("U1", "U2"),), matches=(Match(place="a", why="a"), Match(place="b", why="b")))
    assert strictest([free, free]) == free
    assert strictest([free, two]) == replace(two, max_hours=8)
    with pytest.raises(ValueError, match=r"."):
        strictest([])


def test_an_approver_has_to_be_in_every_list() -> None:
    """By user id, or by a user group."""
    required = Needs(approvers=(("U1", "U2"), ("S1",)))
    assert is_approver(required, {"U1", "S1"})
    assert not is_approver(required, {"U1"})
    assert is_approver(Needs(), {"U1"})


@pytest.mark.parametrize(
    ("required", "approvers", "excluded", "expected"),
    [
        (Needs(approvals=9), (), (), True),
        (Needs(approvals=2), ("U1", "U2"), (), True),
        (Needs(approvals=2), ("U1", "U2"), ("U2",), False),
        (Needs(approvals=3), ("U1", "U2"), (), False),
        (Needs(approvals=1, approvers=(("U1",), ("U2",))), (), (), False),
        (Needs(approvals=1, approvers=(("U1",), ("U1", "U2"))), ("U1", "U3"), (), True),
        (Needs(approvals=1, approvers=(("U1",),)), ("U2",), (), False),
        (Needs(approvals=5, approvers=(("U1", "S1"),)), (), (), True),
        (Needs(approvals=2, approvers=(("U1",), ("S1",))), (), (), False),
        (Needs(approvals=0), ("U1",), ("U1",), True),
    ],
)
def test_as_many_people_as_have_to_approve_must_exist(
    required: Needs, approvers: tuple[str, ...], excluded: tuple[str, ...], expected: bool
) -> None:
    """Of a user group anybody may be a member."""
    assert can_anybody_satisfy(required, approvers, excluded) is expected
