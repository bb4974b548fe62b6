"""The items of ``securityGroupState``: nothing is lost between two invocations, and what was altered is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from member.chalicelib.state.baseline import Baseline, Drift
from member.chalicelib.state.history import Described, Entry, History
from member.chalicelib.state.items import (
    OUTCOME_OF_STATUS,
    LedgerEntry,
    Outcome,
    baseline_from_item,
    baseline_to_item,
    entry_from_item,
    entry_to_item,
    group_key,
    request_key,
)
from shared.domain.request import FIRST_STATUSES, Request
from shared.domain.rule import Rule, cidr, make_rule
from shared.wire.fields import FieldError
from tests.support import strategies
from tests.support.central_account import make_request

drifts = st.builds(Drift, digest=st.just("d" * 64), since=strategies.moments, filed=st.booleans())
baselines = st.builds(
    Baseline,
    region=strategies.regions,
    group_id=strategies.group_ids,
    group_name=st.text(strategies.DESCRIPTION_ALPHABET, max_size=255),
    rules=strategies.rule_sets(),
    directions=st.sampled_from([(), ("ingress",), ("egress", "ingress")]),
    stamps=st.dictionaries(strategies.rule_ids, strategies.moments, max_size=3).map(lambda some: tuple(some.items())),
    drift=st.none() | drifts,
    version=st.integers(0, 10**6),
)
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


@given(baselines)
def test_a_baseline_comes_back_whole(baseline: Baseline) -> None:
    """Rule ids and tags too, without which a restored rule would not be the same."""
    again = baseline_from_item(from_dynamodb(baseline_to_item(baseline)))
    assert again == baseline

    def beside(rules: tuple[Rule, ...]) -> list[tuple[object, ...]]:
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


def test_every_first_status_has_an_outcome() -> None:
    """Whatever comes into being is written to the ledger."""
    assert set(OUTCOME_OF_STATUS) == FIRST_STATUSES


RULE = make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"), rule_id="sgr-1")
BASELINE = baseline_to_item(
    Baseline(region="eu-west-1", group_id="sg-1", rules=(RULE,), directions=("ingress",), version=3)
)


AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


def test_all_that_a_baseline_remembers_comes_back() -> None:
    """Ids and tags of rules, when it was learned and touched, former ids, and a difference seen."""
    original = Baseline(
        region="eu-west-1",
        group_id="sg-1",
        group_name="web",
        rules=(replace(RULE, tags=(("a", "b"),)),),
        directions=("egress", "ingress"),
        learned=(("ingress", AT), ("egress", AT)),
        stamps=(("sgr-1", AT),),
        history=History(
            origin=(replace(RULE, description="before"),),
            former_ids=(("sgr-0", RULE.identity),),
            entries=(Entry(moment=AT, call="r-1", deeds=(Described(rule_id="sgr-1", description=""),)),),
        ),
        drift=Drift(digest="d" * 64, since=AT, filed=True),
        version=7,
    )
    assert baseline_from_item(from_dynamodb(baseline_to_item(original))).is_same_as(original)


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
        ({"body": b'{"rules": [{}]}'}, "body.rules[0].direction"),
        ({"body": b'{"stamps": {"sgr-1": "x"}}'}, "body.stamps.sgr-1"),
        ({"region": None}, "region"),
        ({"groupId": ""}, "groupId"),
        ({"directions": ["sideways"]}, "directions[0]"),
        ({"version": None}, "version"),
        ({"version": Decimal("1.5")}, "version"),
        ({"drift": {"digest": "d"}}, "drift.since"),
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
