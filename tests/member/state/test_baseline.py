"""Baselines: how they begin, what calls and approvals make of them, and what differs from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import (
    Baseline,
    accept_call,
    accept_change,
    adopt,
    differences,
    has_accepted,
    joined,
    narrowed,
    shortfall,
    start,
    with_ids_seen,
    with_tags_seen,
    without_unapproved,
)
from shared.domain.change import Modification, make_change
from shared.domain.rule import DIRECTIONS, Rule, cidr, group, group_by_name, make_rule
from tests.support.examples import ACCOUNT, BEFORE, LATER, NOON, adopted, call, ids, tcp

WEB, SSH = tcp(443, "sgr-1", description="web"), tcp(22, "sgr-2", description="ssh")
OUTBOUND = tcp(443, "sgr-3", direction="egress")
PEER = group("sg-9", account="333333333333")


def facts(rules: Iterable[Rule]) -> set[tuple[str, str, str | None]]:
    """Identity, description and id of rules."""
    return {(one.identity, one.description, one.rule_id) for one in rules}


def after(known: Baseline, made: Call, *live: Rule) -> set[tuple[str, str, str | None]]:
    """What is approved after an allowed call, the group being as given."""
    return facts(accept_call(known, made, RuleSet(live)).rules)


def edit(rule_id: str, to: Rule | None, text: str = "") -> RuleEdit:
    """An edit as an event says it."""
    return RuleEdit(rule_id=rule_id, after=to, description=text)


# -- how a baseline begins ---------------------------------------------------------------------------------------------


def test_only_the_adopted_direction_is_known() -> None:
    """The other one is adopted later on, with its rules of then."""
    known = adopted(WEB, OUTBOUND)
    assert (facts(known.rules), known.knows("ingress"), known.knows("egress")) == (facts([WEB]), True, False)
    both = adopt(known, "egress", [tcp(80, "sgr-4"), OUTBOUND], NOON)
    assert facts(both.rules) == facts([WEB, OUTBOUND])
    assert both.adopted == (("egress", NOON), ("ingress", BEFORE))


def test_a_direction_that_is_no_longer_guarded_is_dropped() -> None:
    """Nobody follows what happens there; a baseline that has nothing to drop is the same one."""
    both = adopted(WEB, OUTBOUND, directions=DIRECTIONS)
    left = narrowed(both, ["ingress"])
    assert (facts(left.rules), left.adopted) == (facts([WEB]), (("ingress", BEFORE),))
    assert narrowed(left, ["ingress"]) is left


@pytest.mark.parametrize(
    ("name", "live", "expected"),
    [
        ("web", (), ["egress/-1/all/ipv4/0.0.0.0/0"]),
        (
            "default",
            (),
            [f"ingress/-1/all/group/{ACCOUNT}:sg-1", "egress/-1/all/ipv4/0.0.0.0/0"],
        ),
        (
            "web",
            (make_rule(direction="egress", protocol="-1", source=cidr("::/0"), rule_id="sgr-6"), WEB),
            ["egress/-1/all/ipv4/0.0.0.0/0", "egress/-1/all/ipv6/::/0"],
        ),
    ],
    ids=["a group", "a VPC's default group", "a VPC with IPv6"],
)
def test_a_new_group_starts_with_the_rules_aws_gives_it(name: str, live: tuple[Rule, ...], expected: list[str]) -> None:
    """Whatever else is live is not approved; a direction that is not guarded is not known."""
    values: dict[str, Any] = {"region": "eu-west-1", "group_id": "sg-1", "group_name": name, "owner": ACCOUNT}
    known = start(**values, directions=DIRECTIONS, live=RuleSet(live))
    assert sorted(rule.identity for rule in known.rules) == sorted(expected)
    inbound = start(**values, directions=["ingress"], live=RuleSet(live))
    assert [rule.identity for rule in inbound.rules] == [one for one in expected if one.startswith("ingress")]
    assert not inbound.knows("egress")


def test_the_missing_rule_of_a_new_group_is_the_one_a_call_names_until_another_made_that() -> None:
    """Its id was never seen: the first call heard names the only rule that is missing, unless its creation is heard."""
    values: dict[str, Any] = {"region": "eu-west-1", "group_id": "sg-1", "group_name": "default", "owner": ACCOUNT}
    known = start(**values, directions=["ingress"], live=RuleSet(), touched="sgr-7")
    (given,) = known.rules
    assert given.rule_id == "sgr-7"
    made = call("add", resulting=(tcp(80, "sgr-7"),))
    both = accept_call(known, made, RuleSet())
    assert {one.identity for one in both.rules} == {given.identity, tcp(80).identity}
    assert has_accepted(both, tcp(80), made)
    assert not has_accepted(known, tcp(80), made)


# -- allowed calls -----------------------------------------------------------------------------------------------------


def test_an_addition_is_approved_and_nothing_else_that_is_live() -> None:
    """Somebody else's rule may be there too, its event still on its way."""
    made, foreign = tcp(80, "sgr-3", description="mine"), tcp(23, "sgr-4")
    allowed = call("add", requested=(tcp(80),), resulting=(made,))
    assert after(adopted(WEB, SSH), allowed, WEB, SSH, made, foreign) == facts([WEB, SSH, made])


def test_an_addition_without_an_answer_takes_id_and_owner_from_the_group() -> None:
    """One that is not there has no id, so nobody can tell what became of it since: it is not accepted."""
    asked = (tcp(80, source=group("sg-9")), tcp(81, source=group("sg-8")))
    live = tcp(80, "sgr-3", source=PEER)
    assert after(adopted(WEB), call("add", requested=asked), WEB, live) == facts([WEB, live])


def test_a_group_known_by_name_alone_is_never_a_source() -> None:
    """What the group shows of it is a difference that people are asked about."""
    live = tcp(80, "sgr-3", source=PEER)
    assert after(adopted(), call("add", requested=(tcp(80, source=group_by_name("lb")),)), live) == set()


@pytest.mark.parametrize(
    "fields",
    [{"rule_ids": ("sgr-1",), "resulting": (WEB,)}, {"rule_ids": ("sgr-1",)}, {"requested": (tcp(443),)}],
    ids=["answered", "by id", "by values"],
)
def test_what_was_removed_is_no_longer_approved(fields: dict[str, Any]) -> None:
    """However the event names it."""
    assert after(adopted(WEB, SSH), call("remove", **fields), SSH) == facts([SSH])


def test_a_removal_by_values_finds_the_owner_in_the_baseline() -> None:
    """The event does not say it, and the group no longer shows the rule."""
    peered = tcp(80, "sgr-3", source=PEER)
    assert after(adopted(peered), call("remove", requested=(tcp(80, source=group("sg-9")),))) == set()
    text = tcp(80, source=group("sg-9"), description="new")
    assert after(adopted(peered), call("describe", requested=(text,))) == facts([replace(peered, description="new")])


def test_an_edit_takes_direction_and_owner_from_the_rule() -> None:
    """The event has neither."""
    before = tcp(80, "sgr-3", source=PEER, direction="egress")
    now = replace(before, from_port=81, to_port=81)
    asked = call("modify", edits=(edit("sgr-3", tcp(81, source=group("sg-9"))),))
    for live in ((now,), ()):
        assert after(adopted(before, directions=DIRECTIONS), asked, *live) == facts([now])


def test_the_direction_of_an_edited_rule_becomes_known_later() -> None:
    """From its creation, or from a later edit that finds it live."""
    edited, live = tcp(81, "sgr-3"), tcp(82, "sgr-3", direction="egress")
    empty = adopted(directions=DIRECTIONS)
    first = accept_call(empty, call("modify", edits=(edit("sgr-3", edited),)), RuleSet())
    assert not len(first.rules)
    made = call("add", direction="egress", event_time=BEFORE, resulting=(tcp(80, "sgr-3", direction="egress"),))
    assert after(first, made) == facts([tcp(81, "sgr-3", direction="egress")])
    assert after(first, call("modify", event_time=LATER, edits=(edit("sgr-3", tcp(82, "sgr-3")),)), live) == facts(
        [live]
    )


@pytest.mark.parametrize("by_id", [True, False])
def test_a_description_is_approved(by_id: bool) -> None:
    """Given by id or by values."""
    fields = {"edits": (edit("sgr-1", None, "new"),)} if by_id else {"requested": (tcp(443, description="new"),)}
    now = replace(WEB, description="new")
    assert after(adopted(WEB, SSH), call("describe", **fields), now, SSH) == facts([now, SSH])


def test_what_was_made_and_removed_before_the_adoption_stays_away() -> None:
    """Its removal may never be heard of; what was there at the adoption is known by its id."""
    late = adopted(WEB, at=LATER)
    assert after(late, call("add", resulting=(SSH,))) == facts([WEB])
    assert after(late, call("add", resulting=(WEB,))) == facts([WEB])


# -- approvals ---------------------------------------------------------------------------------------------------------


def test_an_approved_change_becomes_part_of_the_baseline() -> None:
    """With the ids of the live rules; what was removed or edited away goes, the rest stays."""
    change = make_change(
        added=[tcp(1, "sgr-old")],
        removed=[tcp(2, "sgr-2")],
        modified=[Modification(before=tcp(3, "sgr-3"), after=tcp(4))],
    )
    before = adopted(tcp(2, "sgr-2"), tcp(3, "sgr-3"), tcp(9, "sgr-9"))
    live = RuleSet([tcp(1, "sgr-1"), tcp(4, "sgr-3"), tcp(9, "sgr-9")])
    known = accept_change(before, change, live, NOON)
    assert facts(known.rules) == facts(live)
    assert facts(accept_change(known, change, live, LATER).rules) == facts(live), "a retry changes nothing"


def test_an_edit_of_a_rule_that_was_not_approved_adds_it() -> None:
    """It was accepted as a whole, in observe mode."""
    change = make_change(modified=[Modification(before=tcp(3, "sgr-3"), after=tcp(4))])
    assert facts(accept_change(adopted(), change, RuleSet([tcp(4, "sgr-3")]), NOON).rules) == facts([tcp(4, "sgr-3")])


def test_a_description_that_the_group_did_not_keep_is_not_approved() -> None:
    """The baseline then has what is live, or every snapshot would see a difference."""
    change = make_change(added=[tcp(port, description="web") for port in (1, 2, 3)])
    live = RuleSet([tcp(1, "sgr-1"), tcp(2, "sgr-2", description="web")])
    assert facts(accept_change(adopted(), change, live, NOON).rules) == facts([*live, tcp(3, description="web")])


# -- calls that are not allowed ----------------------------------------------------------------------------------------

ADOPTED_LATER = adopted(WEB, tcp(80, "sgr-5"), at=LATER)


@pytest.mark.parametrize(
    "made",
    [
        call("add", resulting=(WEB,)),
        call("add", requested=(tcp(443),)),
        call("modify", edits=(edit("sgr-1", tcp(443, "sgr-1"), "web"),)),
    ],
    ids=["added", "added, without an answer", "edited"],
)
def test_what_an_unapproved_call_made_leaves_the_baseline(made: Call) -> None:
    """It was accepted only because it was there at the adoption."""
    assert facts(without_unapproved(ADOPTED_LATER, made, RuleSet()).rules) == facts([tcp(80, "sgr-5")])


def test_what_an_unapproved_call_removed_counts_as_approved() -> None:
    """So that its removal is reverted and asked about, once."""
    made = call("remove", resulting=(SSH, tcp(80, "sgr-5")))
    known = without_unapproved(ADOPTED_LATER, made, RuleSet())
    assert facts(known.rules) == facts([WEB, SSH, tcp(80, "sgr-5")])
    assert without_unapproved(known, made, RuleSet()) is known


@pytest.mark.parametrize(
    ("known", "made"),
    [
        (adopted(WEB), call("add", requested=(tcp(443),))),
        (adopted(WEB), call("remove", resulting=(SSH,))),
        (ADOPTED_LATER, call("modify", edits=(edit("sgr-1", tcp(23, "sgr-1")),))),
        (ADOPTED_LATER, call("modify", edits=(edit("sgr-1", None, "else"),))),
        (ADOPTED_LATER, call("describe", requested=(WEB,))),
        (ADOPTED_LATER, call("remove", resulting=(OUTBOUND,))),
        (accept_call(adopted(), call("add", resulting=(WEB,)), RuleSet()), call("add", resulting=(WEB,))),
    ],
    ids=["added since", "removed since", "other values", "a text", "a description", "not known", "allowed"],
)
def test_other_unapproved_calls_leave_the_baseline_as_it_is(known: Baseline, made: Call) -> None:
    """They came after the adoption, or did not make what it accepted."""
    assert without_unapproved(known, made, RuleSet()) is known


def test_an_older_unapproved_edit_is_remembered_so_that_its_removal_restores_nothing() -> None:
    """The rule was closed before adoption; nobody knows the values that it had before the edit."""
    known = without_unapproved(ADOPTED_LATER, call("modify", edits=(edit("sgr-9", tcp(23, "sgr-9")),)), RuleSet())
    closed = call("remove", resulting=(tcp(23, "sgr-9"),))
    assert (known.rules, without_unapproved(known, closed, RuleSet()).rules) == (ADOPTED_LATER.rules,) * 2
    assert without_unapproved(ADOPTED_LATER, closed, RuleSet()).like(tcp(23)) is not None


def test_of_the_second_of_adoption_nobody_is_sure() -> None:
    """CloudTrail writes whole seconds."""
    known = adopted(WEB, at=NOON + timedelta(milliseconds=500))
    assert known.is_adopted_after("ingress", NOON)
    assert not known.is_adopted_after("ingress", NOON, surely=True)
    assert not known.is_adopted_after("egress", NOON)


# -- ids and tags ------------------------------------------------------------------------------------------------------


def test_a_restored_rule_is_known_by_every_id_it_has_had() -> None:
    """The one it has now stands beside it."""
    known = with_ids_seen(adopted(WEB, SSH), RuleSet([tcp(443, "sgr-7"), SSH]))
    assert {one.rule_id for one in known.rules} == {"sgr-7", "sgr-2"}
    assert known.by_id("sgr-1") == known.by_id("sgr-7") == WEB
    assert facts(known.by_ids(["sgr-7", "sgr-1", "sgr-2", None, ""])) == facts(known.rules)
    assert (known.by_id("sgr-9"), known.by_id(None)) == (None, None)
    assert with_ids_seen(known, RuleSet([tcp(443, "sgr-7"), SSH])) is known


def test_an_id_stays_with_the_missing_rule_it_was_edited_away_from() -> None:
    """Edited back, it has to be known."""
    known = with_ids_seen(adopted(WEB, SSH), RuleSet([tcp(22, "sgr-1")]))
    assert facts(known.rules) == facts([WEB, SSH])


def test_approved_rules_that_changed_places_keep_the_ids_they_were_made_with() -> None:
    """An allowed edit that names one of them may still be on its way."""
    known = with_ids_seen(adopted(tcp(1, "sgr-1"), tcp(2, "sgr-2")), RuleSet([tcp(1, "sgr-2"), tcp(2, "sgr-1")]))
    assert ids(*known.rules) == ids(tcp(1, "sgr-1"), tcp(2, "sgr-2"))


def test_a_removed_rule_is_no_longer_found_by_its_id() -> None:
    """Nor one in whose place another one is approved now."""
    known = accept_call(adopted(WEB, SSH), call("remove", resulting=(WEB,)), RuleSet())
    assert (known.by_id("sgr-1"), known.like(WEB), known.like(SSH)) == (None, None, SSH)


def test_tags_are_those_that_a_snapshot_saw_last() -> None:
    """Without AWS's own, which nobody else can set; a rule that is not live keeps those it had."""
    tagged = replace(WEB, tags=(("a", "1"), ("aws:cloudformation:stack-name", "x")))
    known = with_tags_seen(adopted(WEB, SSH), RuleSet([tagged, SSH]))
    assert [rule.tags for rule in known.rules] == [(), (("a", "1"),)]
    assert with_tags_seen(known, RuleSet([SSH])) == known
    made = replace(tcp(80, "sgr-5"), tags=(("b", "2"), ("AWS:x", "y")))
    assert accept_call(known, call("add", resulting=(made,)), RuleSet()).like(made) == made
    (found,) = [one for one in accept_call(known, call("add", resulting=(made,)), RuleSet()).rules if one == made]
    assert found.tags == (("b", "2"),)


# -- what differs ------------------------------------------------------------------------------------------------------


def test_a_shortfall_is_what_is_missing_or_described_otherwise() -> None:
    """Each approved rule has to be there with its own description; other live rules do not matter."""
    live = RuleSet([tcp(80, "sgr-2", description="else"), tcp(443, "sgr-3"), tcp(1)])
    found = shortfall([tcp(22), tcp(80, description="web"), tcp(443)], live)
    assert (found.added, found.removed) == ((tcp(22),), ())
    ((before, now),) = [(edit.before, edit.after) for edit in found.modified]
    assert (before.rule_id, before.description, now.description) == ("sgr-2", "else", "web")


def test_each_difference_has_a_key_of_its_own() -> None:
    """Short, whatever the description; all parts together are the whole."""
    change = make_change(
        added=[tcp(1, description="x" * 255)],
        removed=[tcp(2)],
        modified=[
            Modification(before=tcp(3), after=tcp(4)),
            Modification(before=tcp(5), after=tcp(5, description="y")),
        ],
    )
    parts = differences(change)
    assert joined(parts.values()) == change
    assert "- ingress/tcp/2-2/ipv4/10.0.0.0/8" in parts
    assert all(len(key) < 100 for key in parts)
    assert parts.keys().isdisjoint(differences(make_change(added=[tcp(1)])))
