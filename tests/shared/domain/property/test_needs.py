"""Laws of what a request needs, over random entries and requests.

Networks and ports are drawn from few values, so that entries and requests meet often.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import Change, Modification, make_change
from shared.domain.exposure import Span
from shared.domain.needs import Needs, needs, needs_zero, strictest
from shared.domain.networks import is_private, merged, range_of
from shared.domain.risk_rule import RiskRule
from shared.domain.rule import Rule, Source, cidr, group, make_rule, prefix_list
from tests.support.risk import ACCOUNT, facts, opened

CIDRS = (
    *("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/7", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "11.0.0.0/8"),
    *("11.0.0.0/9", "11.128.0.0/9", "203.0.113.0/24", "203.0.113.0/25", "::/0", "2001::/16", "2001::/17", "fc00::/7"),
)
sources: st.SearchStrategy[Source] = st.one_of(
    st.sampled_from(CIDRS).map(cidr),
    st.sampled_from((group("sg-1", account=ACCOUNT), group("sg-2"), prefix_list("pl-1"), prefix_list("pl-2"))),
)
spans = st.sampled_from([(22, 22), (20, 30), (80, 90), (0, 65535), (23, 79)]).map(lambda pair: Span(*pair))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Some rule."""
    span = draw(spans)
    return make_rule(
        direction=draw(st.sampled_from(("ingress", "ingress", "egress"))),
        protocol=draw(st.sampled_from(("tcp", "tcp", "udp", "-1", "50"))),
        from_port=span.first,
        to_port=span.last,
        source=draw(sources),
    )


def _some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


@st.composite
def entries(draw: st.DrawFn) -> RiskRule:
    """Some entry, lenient as often as not."""
    return RiskRule(
        place=f"rules[{draw(st.integers(0, 99))}]",
        sources=draw(_some("internet", "public", "private", "group", "prefix_list")),  # type: ignore[arg-type]
        ports=tuple(draw(st.lists(spans, max_size=1))),
        protocols=draw(_some("tcp", "udp", "-1")),
        kinds=draw(_some("add", "modify", "remove")),  # type: ignore[arg-type]
        directions=draw(_some("ingress", "egress")),  # type: ignore[arg-type]
        cidrs=merged(map(range_of, draw(st.lists(st.sampled_from(CIDRS), max_size=3)))),
        approvals=draw(st.sampled_from((0, 0, 0, 1, 2, 3))),
        approvers=draw(_some("U1", "U2", "U3")),
        max_hours=draw(st.sampled_from((None, 4, 8))),
        deny=draw(st.sampled_from(("", "", "Never."))),
        mention=draw(_some("U1", "S1")),
    )


policies = st.lists(entries(), max_size=4)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Some change of at least one rule."""
    some = st.lists(rules(), max_size=2)
    added = draw(st.lists(rules(), min_size=1, max_size=3))
    edits = [
        Modification(before=before, after=after)
        for before, after in draw(st.lists(st.tuples(rules(), rules()), max_size=1))
    ]
    return make_change(added=added, removed=draw(some), modified=edits)


approved = st.lists(rules(), max_size=3)


def at_least(more: Needs, less: Needs) -> bool:
    """Whether ``more`` asks for everything that ``less`` asks for."""
    hours = float("inf")
    return (
        more.approvals >= less.approvals
        and set(more.approvers) >= set(less.approvers)
        and (more.max_hours or hours) <= (less.max_hours or hours)
        and (bool(more.deny) or not less.deny)
        and set(more.mention) >= set(less.mention)
    )


@given(policies, changes(), changes(), approved)
def test_a_rule_more_never_makes_it_need_less(
    policy: Sequence[RiskRule], change: Change, more: Change, already: Sequence[Rule]
) -> None:
    """Whatever is added to the request: additions, removals or edits."""
    both = make_change(
        added=change.added + more.added, removed=change.removed + more.removed, modified=change.modified + more.modified
    )
    alone = needs(policy, facts(change=change), already)
    assert at_least(needs(policy, facts(change=both), already), alone)


@given(policies, changes(), approved, approved)
def test_more_approved_rules_never_make_it_need_less(
    policy: Sequence[RiskRule], change: Change, already: Sequence[Rule], more: Sequence[Rule]
) -> None:
    """What is judged again at the last click can only get stricter by them."""
    about = facts(change=change)
    assert at_least(needs(policy, about, [*already, *more]), needs(policy, about, already))


@given(policies, changes(), approved, st.data())
def test_splitting_ranges_never_makes_it_need_less(
    policy: Sequence[RiskRule], change: Change, already: Sequence[Rule], data: st.DataObject
) -> None:
    """Addresses in halves or in more parts, ports at any place, again and again."""
    parts = [part for rule in change.added for part in split(rule, data, depth=3)]
    whole = needs(policy, facts(*change.added), already)
    assert at_least(needs(policy, facts(*parts), already), whole)


def split(rule: Rule, data: st.DataObject, depth: int) -> Iterator[Rule]:
    """Yield rules that open together exactly what one opens."""
    parts = [rule]
    if depth and data.draw(st.booleans()):
        halves = _half_addresses if data.draw(st.booleans()) else _half_ports
        parts = list(halves(rule))
    if len(parts) == 1:
        yield rule
        return
    for part in parts:
        yield from split(part, data, depth - 1)


def _half_addresses(rule: Rule) -> Iterable[Rule]:
    if rule.source.kind not in ("ipv4", "ipv6"):
        return [rule]
    network = ipaddress.ip_network(rule.source.value)
    return [_like(rule, cidr(str(half))) for half in network.subnets()]


def _half_ports(rule: Rule) -> Iterable[Rule]:
    if rule.from_port is None or rule.to_port is None or rule.from_port == rule.to_port:
        return [rule]
    middle = (rule.from_port + rule.to_port) // 2
    return [_like(rule, rule.source, rule.from_port, middle), _like(rule, rule.source, middle + 1, rule.to_port)]


def _like(rule: Rule, source: Source, first: int | None = None, last: int | None = None) -> Rule:
    return make_rule(
        direction=rule.direction,
        protocol=rule.protocol,
        source=source,
        from_port=rule.from_port if first is None else first,
        to_port=rule.to_port if last is None else last,
    )


@given(policies, rules(), st.data())
def test_splitting_over_several_calls_never_makes_it_need_less(
    policy: Sequence[RiskRule], rule: Rule, data: st.DataObject
) -> None:
    """Each part is approved before the next one is asked; the most that any of them needs is what the whole needs.

    Each may be opened without asking on its own, where an entry says so of each part.
    """
    strict = [entry for entry in policy if not entry.is_lenient]
    whole = needs(strict, facts(rule))
    parts = data.draw(st.permutations(list(split(rule, data, depth=3))))
    found = [needs(strict, facts(part), parts[:index]) for index, part in enumerate(parts)]
    assert at_least(strictest(found), whole)


@given(policies, changes(), changes(), approved)
def test_a_batch_needs_what_each_of_its_requests_and_its_net_change_need(
    policy: Sequence[RiskRule], one: Change, other: Change, already: Sequence[Rule]
) -> None:
    """In any order; a batch of one request needs what the request needs."""
    net = make_change(added=one.added + other.added, removed=one.removed + other.removed)
    each = [needs(policy, facts(change=change), already) for change in (one, other, net)]
    batch = strictest(each)
    assert all(at_least(batch, request) for request in each)
    assert batch.approvals == max(request.approvals for request in each)
    assert replace(strictest(each[::-1]), matches=()) == replace(batch, matches=())
    assert at_least(each[0], strictest([each[0]]))
    assert at_least(strictest([each[0]]), each[0])


@given(st.lists(st.integers(0, 59), min_size=1, max_size=59), st.integers(2, 9))
def test_sixty_parts_of_the_internet_are_the_internet(cuts: Sequence[int], number: int) -> None:
    """Wherever it is cut, in one request; every part with the approved others."""
    internet = RiskRule(sources=("internet",), approvals=number)
    networks = [ipaddress.ip_network("0.0.0.0/0")]
    for cut in cuts:
        at = cut % len(networks)
        networks[at : at + 1] = networks[at].subnets()
    parts = [opened(str(network)) for network in networks]
    assert needs([internet], facts(*parts)).approvals == number
    public = [rule for rule in parts if not is_private(range_of(rule.source.value))]
    for index, part in enumerate(public[:3]):
        others = parts[:index] + parts[index + 1 :]
        assert needs([internet], facts(part), [part, *others]).approvals == number


@given(policies, changes(), approved)
def test_the_strictest_entry_wins(policy: Sequence[RiskRule], change: Change, already: Sequence[Rule]) -> None:
    """All entries ask for at least what each entry alone asks for, but for 0 approvals."""
    about = facts(change=change)
    together = needs(policy, about, already)
    for one in policy:
        alone = needs([one], about, already)
        if alone.matches and not one.is_lenient:
            assert at_least(together, alone)
    assert together.approvals <= max([1, *(one.approvals for one in policy)])


@given(st.permutations(range(4)), st.lists(entries(), min_size=4, max_size=4), changes(), approved)
def test_the_order_of_entries_does_not_matter(
    order: Sequence[int], policy: Sequence[RiskRule], change: Change, already: Sequence[Rule]
) -> None:
    """Only the order of the explanations does."""
    about = facts(change=change)
    one, other = needs(policy, about, already), needs([policy[index] for index in order], about, already)
    assert set(one.matches) == set(other.matches)
    assert (one.approvals, one.approvers, one.max_hours, one.deny, one.mention) == (
        *(other.approvals, other.approvers, other.max_hours, other.deny, other.mention),
    )


@given(policies, changes(), approved)
def test_zero_from_the_event_is_zero_of_the_request(
    policy: Sequence[RiskRule], change: Change, already: Sequence[Rule]
) -> None:
    """The decision before the revert and the one after agree on the same approved rules."""
    about = facts(change=change)
    assert needs_zero(policy, about, already) == (needs(policy, about, already).approvals == 0)
    assert needs_zero(policy, about) or not needs_zero(policy, about, already)


@given(policies, changes(), approved)
def test_zero_needs_a_lenient_entry_and_no_other(
    policy: Sequence[RiskRule], change: Change, already: Sequence[Rule]
) -> None:
    """Without one of them at least one approval is needed; every match of a zero is a lenient entry's."""
    about = facts(change=change)
    found = needs(policy, about, already)
    strict = [one for one in policy if not one.is_lenient]
    assert needs(strict, about, already).approvals >= 1
    if found.approvals == 0:
        assert not needs(strict, about, already).matches
