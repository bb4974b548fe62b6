"""What an allowed call makes of the baseline: what it did itself, and nothing else that stands in the group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from member.chalicelib.assessment.assess import find
from member.chalicelib.cloudtrail.call import Call, CallKind, RuleEdit
from member.chalicelib.state.allowed import absorb
from member.chalicelib.state.baseline import Baseline
from member.chalicelib.state.history import settled
from shared.domain.rule import Rule, group, group_by_name
from tests.support import examples
from tests.support.examples import ACCOUNT, GUARDED, NOON, learned, tcp

WEB, SSH = tcp(443, "sgr-1", description="web"), tcp(22, "sgr-2", description="ssh")


def baseline(*rules: Rule) -> Baseline:
    """A group that was learned an hour ago."""
    return learned(*(rules or (WEB, SSH)))


def call(kind: CallKind, seconds: int = 0, **fields: Any) -> Call:
    """A call, some seconds after noon."""
    named = {"request_id": f"{kind}-{seconds}", "event_time": NOON + timedelta(seconds=seconds)}
    return examples.call(kind, **(named | fields))


def after(known: Baseline, what: Call, *live: Rule) -> Baseline:
    """The baseline after a call, the group being as given."""
    return absorb(known, what, find(what, known, live, GUARDED), live)


def facts(rules: Iterable[Rule]) -> set[tuple[str, str, str | None]]:
    """Identity, description and id of rules."""
    return {(one.identity, one.description, one.rule_id) for one in rules}


def edit(rule_id: str, to: Rule | None, text: str = "") -> RuleEdit:
    """An edit as an event says it."""
    return RuleEdit(rule_id=rule_id, after=to, description=text)


# -- additions ---------------------------------------------------------------------------------------------------------


def test_an_addition_is_approved_and_nothing_else_that_is_live() -> None:
    """Somebody else's rule may be there too, its event still on the way."""
    made, alien = tcp(80, "sgr-3", description="mine"), tcp(23, "sgr-4")
    known = after(baseline(), call("add", requested=(tcp(80),), resulting=(made,)), WEB, SSH, made, alien)
    assert facts(known.rules) == facts([WEB, SSH, made])
    assert known.last_change(made) == NOON


def test_an_addition_without_an_answer_takes_id_and_owner_from_the_group() -> None:
    """Where neither says who owns a referenced group, it is the account's own."""
    peer, own = group("sg-9", account="333333333333"), group("sg-8", account=ACCOUNT)
    asked = (tcp(80, source=group("sg-9")), tcp(81, source=group("sg-8")))
    live = tcp(80, "sgr-3", source=peer)
    known = after(baseline(), call("add", requested=asked), WEB, SSH, live)
    assert facts(known.rules) == facts([WEB, SSH, live, tcp(81, source=own)])


def test_an_addition_by_a_groups_name_is_what_the_group_shows_of_it() -> None:
    """A name is no source of a rule."""
    asked, live = tcp(80, source=group_by_name("lb")), tcp(80, "sgr-3", source=group("sg-9", account=ACCOUNT))
    known = after(baseline(), call("add", requested=(asked,)), WEB, SSH, live)
    assert facts(known.rules) == facts([WEB, SSH, live])


# -- removals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"rule_ids": ("sgr-1",), "resulting": (WEB,)},
        {"rule_ids": ("sgr-1",)},
        {"requested": (tcp(443),)},
    ],
    ids=["answered", "by id", "by values"],
)
def test_what_was_removed_is_no_longer_approved(fields: dict[str, Any]) -> None:
    """However the event names it."""
    assert facts(after(baseline(), call("remove", **fields), SSH).rules) == facts([SSH])


def test_of_a_removal_that_cloudtrail_left_out_the_group_tells() -> None:
    """What is missing in it was removed; what the event does say counts once."""
    whole = call("remove", omitted=True)
    assert facts(after(baseline(), whole, SSH).rules) == facts([SSH])
    part = call("remove", omitted=True, requested=(tcp(443),))
    assert facts(after(baseline(), part).rules) == set()


def test_the_owner_of_a_referenced_group_is_known_from_the_baseline_when_the_rule_is_gone() -> None:
    """The event does not say it, and the group no longer shows it."""
    peered = tcp(80, "sgr-3", source=group("sg-9", account="333333333333"))
    named = tcp(80, source=group("sg-9"))
    assert after(baseline(peered), call("remove", requested=(named,))).rules == ()
    text = replace(named, description="new")
    assert facts(after(baseline(peered), call("describe", requested=(text,))).rules) == facts(
        [replace(peered, description="new")]
    )


# -- edits -------------------------------------------------------------------------------------------------------------


def test_an_edit_takes_direction_and_owner_from_the_rule() -> None:
    """The event has neither."""
    before = tcp(80, "sgr-3", source=group("sg-9", account="333333333333"))
    now = replace(before, from_port=81, to_port=81)
    asked = edit("sgr-3", tcp(81, source=group("sg-9")))
    for live in ((now,), ()):
        known = after(baseline(before), call("modify", edits=(asked,)), *live)
        assert facts(known.rules) == facts([now])


def test_an_edit_of_a_rule_that_nobody_knows_yet_counts_once_it_is_heard_of() -> None:
    """Calls arrive in any order, and by then somebody may have removed the rule."""
    made, edited = tcp(80, "sgr-3"), tcp(81, "sgr-3")
    first = after(baseline(), call("modify", 2, edits=(edit("sgr-3", edited),)), WEB, SSH)
    assert facts(first.rules) == facts([WEB, SSH])
    both = after(first, call("add", 1, resulting=(made,)), WEB, SSH)
    assert facts(both.rules) == facts([WEB, SSH, edited])


@pytest.mark.parametrize("by_id", [True, False])
def test_a_description_is_approved(by_id: bool) -> None:
    """Given by id or by values."""
    fields = {"edits": (edit("sgr-1", None, "new"),)} if by_id else {"requested": (tcp(443, description="new"),)}
    now = replace(WEB, description="new")
    assert facts(after(baseline(), call("describe", **fields), now, SSH).rules) == facts([now, SSH])


def test_of_an_edit_that_cloudtrail_left_out_the_group_tells() -> None:
    """By the ids of the rules."""
    now = tcp(444, "sgr-1", description="web")
    assert facts(after(baseline(), call("modify", omitted=True), now, SSH).rules) == facts([now, SSH])


# -- again, and late ---------------------------------------------------------------------------------------------------


def test_a_call_heard_again_after_an_approval_of_something_else_changes_nothing() -> None:
    """It was before it, however late it is heard again."""
    added = call("add", 1, resulting=(tcp(80, "sgr-3"),))
    removed = call("remove", 2, resulting=(tcp(80, "sgr-3"),))
    known = after(after(baseline(), added, WEB, SSH), removed, WEB, SSH)
    assert facts(after(known, added, WEB, SSH).rules) == facts([WEB, SSH])


def test_a_call_that_is_part_of_what_is_settled_is_not_made_again() -> None:
    """Its entry is gone; that its rule has been touched since is remembered."""
    added = call("add", 1, resulting=(tcp(80, "sgr-3"),))
    removed = call("remove", 2, resulting=(tcp(80, "sgr-3"),))
    known = after(after(baseline(), added, WEB, SSH), removed, WEB, SSH)
    long_since = replace(known, history=settled(known.history))
    assert facts(after(long_since, added, WEB, SSH).rules) == facts([WEB, SSH])
    unheard = call("add", 1, request_id="late", resulting=(tcp(81, "sgr-4"),))
    assert facts(after(long_since, unheard, WEB, SSH).rules) == facts([WEB, SSH, tcp(81, "sgr-4")])
    newer = call("add", 3, resulting=(tcp(80, "sgr-5"),))
    assert facts(after(long_since, newer, WEB, SSH).rules) == facts([WEB, SSH, tcp(80, "sgr-5")])


def test_a_removal_of_a_thousand_rules_that_is_heard_before_they_were_made_is_not_forgotten() -> None:
    """More than is remembered of each rule: in doubt, what was called before that does not count."""
    many = tuple(tcp(port, f"sgr-{port}") for port in range(1000, 2000))
    known = after(baseline(), call("remove", 2, resulting=many), WEB, SSH)
    known = after(known, call("add", 1, resulting=many), WEB, SSH)
    assert facts(known.rules) == facts([WEB, SSH])
    assert facts(after(known, call("add", 3, resulting=many[:1]), WEB, SSH).rules) == facts([WEB, SSH, many[0]])
