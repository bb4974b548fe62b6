"""Entries of ``[[rules]]`` and requests they judge, in few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.domain.change import Change, make_change
from shared.domain.exposure import Span
from shared.domain.networks import merged, range_of
from shared.domain.risk_rule import RequestFacts, RiskRule
from shared.domain.rule import Direction, Rule, cidr, make_rule

ACCOUNT = "222222222222"
REGION = "eu-west-1"
GROUP = "sg-0a1b2c3d4e5f60718"
PRINCIPAL = "arn:aws:iam::222222222222:role/deploy"


def entry(*, ports: Iterable[tuple[int, int]] = (), cidrs: Iterable[str] = (), **values: Any) -> RiskRule:
    """An entry; ports as pairs that do not touch, cidrs as text."""
    spans = tuple(Span(first, last) for first, last in ports)
    return RiskRule(ports=spans, cidrs=merged(map(range_of, cidrs)), **values)


def opened(
    source: str,
    first: int | None = 22,
    last: int | None = None,
    *,
    protocol: str = "tcp",
    direction: Direction = "ingress",
) -> Rule:
    """A rule for a block of addresses; one port unless ``last`` says more."""
    return make_rule(
        direction=direction,
        protocol=protocol,
        source=cidr(source),
        from_port=first,
        to_port=first if last is None else last,
    )


def facts(*added: Rule, change: Change | None = None, **values: Any) -> RequestFacts:
    """What would be added (or another change), at a known place by a known principal."""
    known: dict[str, Any] = {
        "account": ACCOUNT,
        "region": REGION,
        "group_id": GROUP,
        "principal_arn": PRINCIPAL,
        "change": make_change(added=added) if change is None else change,
    }
    return RequestFacts(**{**known, **values})
