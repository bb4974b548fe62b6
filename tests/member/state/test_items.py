"""The items of ``securityGroupState``: nothing is lost between two invocations, and what was altered is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.cloudtrail.call import RuleEdit
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.approvals import REMOVED_KEPT
from member.chalicelib.state.baseline import (
    Baseline,
    Difference,
    accept_call,
    accept_change,
    adopt,
    differences,
    with_ids_seen,
    with_tags_seen,
)
from member.chalicelib.state.doubt import Doubt
from member.chalicelib.state.items import (
    LARGEST_BODY,
    OUTCOME_OF_STATUS,
    TAGS_BUDGET,
    Adoption,
    LedgerEntry,
    Outcome,
    TooLargeError,
    adoption_from_item,
    adoption_to_item,
    baseline_from_item,
    baseline_to_item,
    bounded,
    entry_from_item,
    entry_to_item,
    group_key,
    region_key,
    request_key,
    unread_from_item,
    unread_key,
    unread_to_item,
)
from shared.domain.change import Modification, make_change
from shared.domain.operations import Added, Edited, Removed
from shared.domain.request import FIRST_STATUSES, Request
from shared.domain.rule import DIRECTIONS, Rule, cidr, make_rule
from shared.wire.fields import FieldError
from tests.support import strategies
from tests.support.central_account import make_request
from tests.support.examples import BEFORE, NOON, adopted, call, tcp

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    """A baseline as calls, approvals and snapshots leave it."""
    rules = draw(strategies.rule_sets())
    known = Baseline(
        region=draw(strategies.regions),
        group_id=draw(strategies.group_ids),
        group_name=draw(st.text(strategies.DESCRIPTION_ALPHABET, max_size=255)),
        version=draw(st.integers(0, 10**6)),
        differences=draw(st.sampled_from([(), (Difference(key="+ x", since=AT, request_id="r-1"),)])),
    )
    for direction in draw(st.sampled_from([(), ("ingress",), ("egress", "ingress")])):
        known = adopt(known, direction, rules, draw(strategies.moments))
    return with_tags_seen(known, RuleSet(rules))


entries = st.builds(
    LedgerEntry,
    request=strategies.requests(),
    outcome=st.sampled_from(get_args(Outcome)),
    attempts=st.integers(0, 10),
)


def from_dynamodb(item: dict[str, Any]) -> dict[str, Any]:
    """The item as boto3 returns it: numbers are decimals."""
    return {
        key: Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in item.items()
    }


@given(baselines())
def test_a_baseline_comes_back_whole(baseline: Baseline) -> None:
    """Rule ids and tags too, without which a restored rule would not be the same."""
    again = baseline_from_item(from_dynamodb(baseline_to_item(baseline)))
    assert again == baseline

    def beside(rules: RuleSet) -> list[tuple[object, ...]]:
        return [(rule.rule_id, rule.tags, rule.source.peering) for rule in rules]

    assert beside(again.rules) == beside(baseline.rules)


@given(entries)
def test_a_ledger_entry_comes_back_whole(entry: LedgerEntry) -> None:
    """With the digest that an approval will be compared with."""
    item = entry_to_item(entry)
    assert item["digest"] == entry.request.digest
    assert entry_from_item(from_dynamodb(item)) == entry


def test_keys_say_what_an_item_is() -> None:
    """The keys that design and docs promise."""
    assert group_key("eu-west-1", "sg-1") == "group#eu-west-1#sg-1"
    assert request_key("r-1") == "request#r-1"
    assert region_key("eu-west-1") == "region#eu-west-1"


def test_every_first_status_has_an_outcome() -> None:
    """Whatever comes into being is written to the ledger."""
    assert set(OUTCOME_OF_STATUS) == FIRST_STATUSES


RULE = make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"), rule_id="sgr-1")
BASELINE = baseline_to_item(adopted(RULE))


def test_all_that_a_baseline_remembers_comes_back() -> None:
    """Ids, tags, removed rules, descriptions by values, edits that cannot be ordered, and differences."""
    known = adopted(tcp(22, "sgr-1"), tcp(443, "sgr-3", direction="egress"), directions=DIRECTIONS)
    edits = [RuleEdit(rule_id="sgr-1", after=tcp(port, "sgr-1"), description="") for port in (23, 24)]
    for made in (
        call("remove", resulting=(tcp(80, "sgr-2"),)),
        call("describe", requested=(tcp(22, description="office"),)),
        call("describe", edits=(RuleEdit(rule_id="sgr-9", after=None, description="early"),)),
        *(call("modify", edits=(one,)) for one in edits),
    ):
        known = accept_call(known, made, RuleSet([tcp(24, "sgr-1")]))
    known = with_tags_seen(known, RuleSet([replace(tcp(24), tags=(("a", "b"),))]))
    doubt = Doubt(unread_since=AT).with_restored([tcp(99)], AT)
    known = replace(known, differences=(Difference(key="- x", since=AT, request_id="r-1"),), doubt=doubt, version=7)
    assert baseline_from_item(from_dynamodb(baseline_to_item(known))) == known


def test_by_which_id_a_rule_was_named_comes_back() -> None:
    """Also where a removal found it."""
    known = with_ids_seen(adopted(tcp(22, "sgr-1")), RuleSet([tcp(22, "sgr-5")]))
    edit = RuleEdit(rule_id="sgr-5", after=tcp(25, "sgr-5"), description="new")
    known = accept_call(known, call("modify", edits=(edit,)), RuleSet())
    known = accept_call(known, call("remove", resulting=(tcp(26, "sgr-5"),)), RuleSet())
    (one,) = known.approvals.entries
    assert (one.values.versions[-1].by_id, one.removed_by_id, one.removed_place) == ("sgr-5", "sgr-5", tcp(26).identity)
    assert baseline_from_item(from_dynamodb(baseline_to_item(known))) == known


def test_a_call_of_which_not_even_the_group_is_known_comes_back() -> None:
    """Its time counts."""
    item = unread_to_item("eu-west-1", AT)
    assert (item["id"], unread_from_item(from_dynamodb(item))) == (unread_key("eu-west-1"), AT)
    with pytest.raises(FieldError, match="since"):
        unread_from_item({"id": "unread#eu-west-1"})


def test_an_adoption_comes_back_whole() -> None:
    """A region that is being adopted has no direction yet."""
    whole = Adoption(region="eu-west-1", adopted=(("egress", AT), ("ingress", AT)), not_stored=("sg-1",))
    assert adoption_from_item(adoption_to_item(whole)) == whole
    assert whole.directions == ("egress", "ingress")
    begun = Adoption(region="eu-west-1", is_unreported=True)
    assert adoption_from_item(adoption_to_item(begun)) == begun
    with pytest.raises(FieldError, match=r"region#eu-west-1\.adoptedAt: 'sideways' is not a direction"):
        adoption_from_item({**adoption_to_item(whole), "adoptedAt": {"sideways": "2026-10-01T12:00:00.000Z"}})


# -- bounds ------------------------------------------------------------------------------------------------------------


def long_text(chance: random.Random) -> str:
    """A description that nothing compresses."""
    return "".join(chance.choices(strategies.DESCRIPTION_ALPHABET, k=255))


def test_a_thousand_rules_with_the_longest_descriptions_fit() -> None:
    """Also when each has been described anew, by id and by values, and differs from the live group."""
    chance = random.Random(3)  # noqa: S311 - the same test data each time
    rules = [tcp(port, f"sgr-{chance.randrange(16**17):017x}", description=long_text(chance)) for port in range(1000)]
    known = adopted(*rules)
    for minute in range(1, 4):
        rules = [replace(one, description=long_text(chance)) for one in rules]
        edits = tuple(RuleEdit(rule_id=one.rule_id or "", after=None, description=one.description) for one in rules)
        named = {"edits": edits} if minute % 2 else {"requested": tuple(rules)}
        made = call("describe", event_time=NOON + timedelta(minutes=minute), **named)
        known = accept_call(known, made, RuleSet(rules))
    parts = differences(make_change(added=[tcp(port, description=long_text(chance)) for port in range(1000, 2000)]))
    known = replace(known, differences=tuple(Difference(key=key, since=AT) for key in parts))
    item = baseline_to_item(known)
    assert len(item["body"]) <= LARGEST_BODY
    read = baseline_from_item(item)
    assert set(read.rules) == set(rules)
    late = call("add", event_time=BEFORE, resulting=(tcp(3000, "sgr-9"),))
    assert set(accept_call(read, late, RuleSet()).rules) in (set(rules), {*rules, tcp(3000)})


def test_ten_thousand_rules_that_came_and_went_fit() -> None:
    """What is remembered of removed rules has a bound; what is approved is remembered."""
    chance = random.Random(4)  # noqa: S311 - the same test data each time
    live: list[Rule] = []
    known = adopted()
    for number in range(0, 10_000, 50):
        at = NOON + timedelta(seconds=number)
        gone, live = live[:50], live[50:]
        come = [tcp(one, f"sgr-{one:017x}", description=long_text(chance)[:40]) for one in range(number, number + 50)]
        live += come
        for made in (
            call("add", event_time=at, resulting=tuple(come)),
            call("remove", event_time=at, resulting=tuple(gone)),
        ):
            known = accept_call(known, made, RuleSet(live))
        live = live if number % 200 else live[:30]
        known = accept_change(
            known, make_change(removed=[one for one in known.rules if one not in live]), RuleSet(live), at
        )
    assert set(known.rules) == set(live)
    assert len(known.approvals.entries) <= len(live) + REMOVED_KEPT
    assert len(baseline_to_item(known)["body"]) < LARGEST_BODY


def test_tags_are_left_out_where_there_is_no_room_for_them() -> None:
    """120 rules may have 2 MB of them."""
    tags = tuple((f"{number:02}" + "\u1234" * 126, "\u4321" * 256) for number in range(50))
    rules = [replace(tcp(port, f"sgr-{port}"), tags=tags) for port in range(120)]
    known = with_tags_seen(adopted(*rules), RuleSet(rules))
    read = baseline_from_item(baseline_to_item(known))
    assert read.rules == known.rules
    assert read.tags == known.tags[: TAGS_BUDGET // (50 * (2 + 126 * 3 + 256 * 3))]


def test_what_does_not_fit_is_refused_before_it_is_written() -> None:
    """Baselines that EC2's quotas do not allow; requests that were not split."""
    chance = random.Random(5)  # noqa: S311 - the same test data each time
    rules = [tcp(port, description=long_text(chance)) for port in range(3000)]
    with pytest.raises(TooLargeError, match="baseline of sg-1 takes"):
        baseline_to_item(adopted(*rules))
    request = make_request(change=make_change(added=rules))
    with pytest.raises(TooLargeError, match=f"request {request.request_id} takes"):
        entry_to_item(LedgerEntry(request=request, outcome="reverted"))


def test_a_requests_tags_are_bounded_and_its_reason_says_so() -> None:
    """What is shown is what is applied."""
    large = replace(tcp(22), tags=(("a", "x" * TAGS_BUDGET),))
    small = replace(tcp(80), tags=(("a", "b"),))
    fitting = make_request(change=make_change(added=[small, tcp(443)]))
    assert bounded(fitting) is fitting
    change = make_change(added=[small], removed=[large], modified=[Modification(before=tcp(1), after=tcp(2))])
    found = bounded(make_request(change=change, reason="Because."))
    assert [rule.tags for rule in (*found.change.added, *found.change.removed)] == [(("a", "b"),), ()]
    assert (
        found.reason == "Because. The tags of 1 rules are left out: together they are too large to be shown or stored."
    )


def test_the_tags_of_operations_are_bounded_with_those_of_the_change() -> None:
    """A rule that the change adds without its tags is added without them; what only operations tell counts too."""
    large = replace(tcp(80), tags=(("a", "x" * TAGS_BUDGET),))
    small, edited = replace(tcp(81), tags=(("a", "b"),)), replace(tcp(82), tags=(("a", "b"),))
    made = (
        *(Added(rule=rule) for rule in (large, small, replace(large, to_port=90))),
        Edited(rule_id="sgr-1", after=edited),
        Removed(rule_id="sgr-2"),
    )
    found = bounded(make_request(change=make_change(added=[small, large]), operations=made))
    rules = [one.after if isinstance(one, Edited) else one.rule for one in found.operations]
    assert [rule.tags if rule is not None else None for rule in rules] == [(), (), (), (), None]
    fitting = bounded(make_request(change=make_change(added=[small]), operations=made[1:2]))
    assert [one.rule and one.rule.tags for one in fitting.operations] == [(("a", "b"),)]
    assert "The tags of 4 rules" in found.reason


def test_an_entry_comes_back_with_the_digest_it_was_stored_with() -> None:
    """Else an approval would be refused that fits."""
    entry = LedgerEntry(request=make_request(event_time=AT), outcome="reverted", attempts=2)
    item = entry_to_item(entry)
    assert item["digest"] == entry.request.digest
    assert entry_from_item(from_dynamodb(item)) == entry


@pytest.mark.parametrize("key", ["outcome", "body", "attempts"])
def test_an_entry_that_only_looks_right_is_refused(key: str) -> None:
    """The error names the item and the attribute."""
    item = entry_to_item(LedgerEntry(request=make_request(), outcome="reverted"))
    with pytest.raises(FieldError) as caught:
        entry_from_item({**item, key: "nonsense"})
    assert caught.value.path.startswith("request#")


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        ({"body": "{}"}, "body"),
        ({"body": b"junk"}, "body"),
        (
            {"body": b'{"approvals": [{"values": [{"at": ["2026-10-01T12:00:00.000Z"]}]}]}'},
            "body.approvals[0].values[0].rule.direction",
        ),
        ({"body": b'{"approvals": [{"removed": ["2026-10-01T12:00:00.000Z"]}]}'}, "body.approvals[0].removed"),
        ({"body": b'{"approvals": [{"direction": "sideways"}]}'}, "body.approvals[0].direction"),
        ({"region": None}, "region"),
        ({"groupId": ""}, "groupId"),
        ({"adoptedAt": {"sideways": "2026-10-01T12:00:00.000Z"}}, "adoptedAt"),
        ({"version": None}, "version"),
        ({"version": Decimal("1.5")}, "version"),
    ],
)
def test_a_damaged_baseline_is_refused_by_path(damage: dict[str, Any], path: str) -> None:
    """The path begins with the item's key."""
    with pytest.raises(FieldError) as caught:
        baseline_from_item({**BASELINE, **damage})
    assert caught.value.path == f"group#eu-west-1#sg-1.{path}"


@given(strategies.requests(), st.sampled_from(["outcome", "body", "attempts"]))
def test_a_damaged_ledger_entry_is_refused_by_path(request: Request, key: str) -> None:
    """An approval never meets an entry that only looks right."""
    item = entry_to_item(LedgerEntry(request=request, outcome="reverted"))
    with pytest.raises(FieldError) as caught:
        entry_from_item({**item, key: "nonsense"})
    assert caught.value.path == f"request#{request.request_id}.{key}"


def test_until_when_a_request_is_applied_is_kept() -> None:
    """An empty one is none: the table writes it so when a later approval is for good."""
    entry = LedgerEntry(request=make_request(event_time=AT), outcome="ended", valid_until=NOON)
    item = entry_to_item(entry)
    assert (entry_from_item(item), item["validUntil"]) == (entry, "2026-10-01T12:00:00.000Z")
    assert entry_from_item({**item, "validUntil": ""}).valid_until is None
