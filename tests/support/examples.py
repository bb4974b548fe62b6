"""Small examples to lay side by side: rules for one port, a group's baseline, recorded calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from member.chalicelib.assessment.assess import Assessment, assess
from member.chalicelib.cloudtrail.call import Call, CallKind
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, adopt
from shared.domain.caller import Caller
from shared.domain.rule import Direction, Rule, Source, cidr, make_rule

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
"""When the examples' calls are made."""
BEFORE, LATER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
GUARDED: tuple[Direction, ...] = ("ingress",)
ACCOUNT = "222222222222"
ADA = Caller(type="IAMUser", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/ada", name="ada")
OFFICE = cidr("10.0.0.0/8")


def tcp(
    port: int,
    rule_id: str | None = None,
    *,
    source: Source = OFFICE,
    direction: Direction = "ingress",
    description: str = "",
) -> Rule:
    """Return a rule for one port."""
    return make_rule(
        direction=direction,
        protocol="tcp",
        from_port=port,
        to_port=port,
        source=source,
        description=description,
        rule_id=rule_id,
    )


def adopted(*rules: Rule, at: datetime = BEFORE, directions: tuple[Direction, ...] = GUARDED) -> Baseline:
    """Return the baseline of a group that was adopted with these rules."""
    baseline = Baseline(region="eu-west-1", group_id="sg-1", group_name="web")
    for direction in directions:
        baseline = adopt(baseline, direction, rules, at)
    return baseline


def call(kind: CallKind, **values: Any) -> Call:
    """Return a call of Ada's at noon; each value can be set."""
    defaults: dict[str, Any] = {
        "name": kind,
        "direction": None if kind == "modify" else "ingress",
        "request_id": "59dbff89-35bd-4eac-99ed-be587ed825a1",
        "event_time": NOON,
        "account": ACCOUNT,
        "region": "eu-west-1",
        "caller": ADA,
        "group_id": "sg-1",
    }
    return Call(kind=kind, **(defaults | values))


def ids(*rules: Rule) -> list[tuple[str, str | None]]:
    """Return what EC2 tells rules apart by, with their ids: ``==`` of rules leaves the id out."""
    return [(rule.identity, rule.rule_id) for rule in rules]


def assessed(
    made: Call, baseline: Baseline | None, live: Iterable[Rule], directions: Iterable[Direction] = GUARDED
) -> Assessment:
    """Return a call measured against a baseline and these live rules."""
    return assess(made, baseline, RuleSet(live), directions)
