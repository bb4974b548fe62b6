"""Allowed calls lead to the same approved rules in whatever order they are heard, and however often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, accept_call, accept_change, adopt, with_ids_seen
from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Rule
from tests.support.examples import BEFORE, NOON, call, tcp

Facts = set[tuple[str, str, str | None]]
Step = tuple[str, int, int, str, int]

PORTS = (22, 80, 443)
TEXTS = ("", "one", "two")
EMPTY = Baseline(region="eu-west-1", group_id="sg-1", adopted=(("ingress", BEFORE),))

steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add two", "edit", "describe", "describe by values", "remove", "remove by values"]),
        st.integers(0, 5),
        st.sampled_from(PORTS),
        st.sampled_from(TEXTS),
        st.integers(0, 2),
    ),
    max_size=12,
)
"""What somebody wants to do: which rule, to which port and text, and how many seconds after the step before."""


def facts(rules: Iterable[Rule]) -> Facts:
    """Identity, description and id of rules."""
    return {(one.identity, one.description, one.rule_id) for one in rules}


def texts(rules: Iterable[Rule]) -> set[tuple[str, str]]:
    """Identity and description of rules."""
    return {(one.identity, one.description) for one in rules}


@dataclass
class Group:
    """A group in EC2: it never has two rules of the same identity, and an id is never given twice.

    Attributes:
        live: its rules by id.
        calls: what CloudTrail reports, in the order of the calls.
        seconds: the time of the last call.
        edits: how often each rule was edited or described in each second.
        unnamed: the places of rules that were removed or described by their values alone, and when.
        gone_unnamed: the rules that were removed by their values alone: which one that was, follows from where it was.
        added: the places that rules came to, and when; in the same second as those they are in doubt.
    """

    live: dict[str, Rule] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    seconds: int = 0
    made: int = 0
    edits: dict[tuple[str, int], int] = field(default_factory=dict)
    unnamed: set[tuple[str, int]] = field(default_factory=set)
    gone_unnamed: set[str] = field(default_factory=set)
    added: set[tuple[str, int]] = field(default_factory=set)

    @property
    def rules(self) -> RuleSet:
        """The rules now."""
        return RuleSet(self.live.values())

    @property
    def is_in_doubt(self) -> bool:
        """True when two edits of a rule, or what was done to a place and who came to it, cannot be ordered."""
        twice = {rule_id for (rule_id, _), times in self.edits.items() if times > 1}
        return bool(twice & (self.live.keys() | self.gone_unnamed)) or bool(self.unnamed & self.added)

    def does(self, step: Step) -> None:
        """Make a call, unless EC2 would refuse it."""
        kind, number, port, text, pause = step
        free = [one for one in (port, *PORTS) if all(rule.from_port != one for rule in self.live.values())]
        chosen = sorted(self.live)[number % len(self.live)] if self.live else ""
        self.seconds += pause
        if kind.startswith("add") and free:
            wanted = dict.fromkeys(free if kind == "add two" else free[:1])
            self._add([tcp(one, self._new_id(), description=text) for one in list(wanted)[:2]])
        elif chosen and kind == "edit":
            self._edit(chosen, text, port if port in free else self.live[chosen].from_port or 0)
        elif chosen and kind.startswith("describe"):
            self._describe(chosen, text, by_values=kind.endswith("values"))
        elif chosen and kind.startswith("remove"):
            self._remove(chosen, by_values=kind.endswith("values"), is_answered=bool(number % 2))

    def _new_id(self) -> str:
        self.made += 1
        return f"sgr-{self.made:02}"

    def _hear(self, made: Call) -> None:
        number = len(self.calls)
        self.calls.append(replace(made, request_id=f"r-{number}", event_time=NOON + timedelta(seconds=self.seconds)))

    def _add(self, rules: Sequence[Rule]) -> None:
        self.live |= {rule.rule_id or "": rule for rule in rules}
        self.added |= {(rule.identity, self.seconds) for rule in rules}
        self._hear(call("add", requested=tuple(rules), resulting=tuple(rules)))

    def _edit(self, rule_id: str, text: str, port: int) -> None:
        rule = tcp(port, rule_id, description=text)
        self.live[rule_id] = rule
        self._touch(rule_id)
        self.added.add((rule.identity, self.seconds))
        self._hear(call("modify", edits=(RuleEdit(rule_id=rule_id, after=rule, description=text),)))

    def _describe(self, rule_id: str, text: str, *, by_values: bool) -> None:
        rule = self.live[rule_id] = replace(self.live[rule_id], description=text)
        self._touch(rule_id)
        if by_values:
            self.unnamed.add((rule.identity, self.seconds))
        edit = RuleEdit(rule_id=rule_id, after=None, description=text)
        named = {"requested": (replace(rule, rule_id=None),)} if by_values else {"edits": (edit,)}
        self._hear(call("describe", **named))

    def _remove(self, rule_id: str, *, by_values: bool, is_answered: bool) -> None:
        rule = self.live.pop(rule_id)
        if by_values:
            self.unnamed.add((rule.identity, self.seconds))
            self.gone_unnamed.add(rule_id)
            self._hear(call("remove", requested=(replace(rule, rule_id=None, description=""),)))
        elif is_answered:
            self._hear(call("remove", resulting=(rule,)))
        else:
            self._hear(call("remove", rule_ids=(rule_id,)))

    def _touch(self, rule_id: str) -> None:
        moment = (rule_id, self.seconds)
        self.edits[moment] = self.edits.get(moment, 0) + 1


def heard(calls: Iterable[Call], live: RuleSet, start: Baseline = EMPTY) -> Baseline:
    """The baseline after these calls, heard in this order."""
    for one in calls:
        start = accept_call(start, one, live)
    return start


def history(wanted: Sequence[Step]) -> Group:
    """A group to which these things were done."""
    group = Group()
    for step in wanted:
        group.does(step)
    return group


def any_order(data: st.DataObject, calls: Sequence[Call]) -> list[Call]:
    """The calls in some order, some of them twice."""
    order = data.draw(st.permutations(calls))
    return [*order, *(data.draw(st.lists(st.sampled_from(order), max_size=4)) if order else [])]


@given(steps, st.data())
def test_calls_heard_in_any_order_and_twice_are_the_group(wanted: list[Step], data: st.DataObject) -> None:
    """Rules move into each other's places, are removed and made anew."""
    group = history(wanted)
    assume(not group.is_in_doubt)
    assert facts(heard(any_order(data, group.calls), group.rules).rules) == facts(group.rules)


@given(steps, st.data())
def test_the_order_of_hearing_never_matters(wanted: list[Step], data: st.DataObject) -> None:
    """Also where calls of one second cannot be ordered."""
    group = history(wanted)
    in_turn = heard(group.calls, group.rules)
    assert facts(heard(any_order(data, group.calls), group.rules).rules) == facts(in_turn.rules)


@given(steps, st.data())
def test_a_call_heard_again_changes_nothing(wanted: list[Step], data: st.DataObject) -> None:
    """Not even what is stored."""
    group = history(wanted)
    assume(group.calls)
    baseline = heard(data.draw(st.permutations(group.calls)), group.rules)
    assert accept_call(baseline, data.draw(st.sampled_from(group.calls)), group.rules) == baseline


@given(steps, steps, st.data())
def test_calls_from_before_the_adoption_change_nothing_of_it(
    first: list[Step], second: list[Step], data: st.DataObject
) -> None:
    """The group was accepted as it was; calls from before may still arrive, among those from after."""
    group = history(first)
    group.seconds += 2
    adopted = adopt(EMPTY, "ingress", group.rules, NOON + timedelta(seconds=group.seconds - 1, milliseconds=500))
    for step in second:
        group.does(step)
    assume(not group.is_in_doubt)
    order = any_order(data, group.calls)
    heard_some = data.draw(st.integers(0, len(order)))
    after = heard(order, group.rules, adopted)
    assert facts(after.rules) == facts(group.rules)
    early = [one for one in order[:heard_some] if one in group.calls]
    assert facts(heard([*early, *order], group.rules, adopted).rules) == facts(group.rules)


@given(steps, steps, st.data())
def test_an_approval_stands_between_the_calls(first: list[Step], second: list[Step], data: st.DataObject) -> None:
    """What was applied comes after the calls from before it, whenever those are heard, and before those after it."""
    group = history(first)
    early = any_order(data, group.calls)
    late_from = data.draw(st.integers(0, len(early)))
    baseline = heard(group.calls, group.rules)
    assume(not group.is_in_doubt)
    group.seconds += 1
    at = NOON + timedelta(seconds=group.seconds, milliseconds=300)
    change = approve_something(group)
    baseline = accept_change(baseline, change, group.rules, at)
    group.seconds += 1
    count = len(group.calls)
    for step in second:
        group.does(step)
    assume(not group.is_in_doubt)
    rest = any_order(data, [*early[late_from:], *group.calls[count:]])
    assert facts(heard(rest, group.rules, baseline).rules) == facts(group.rules)


def approve_something(group: Group) -> Change:
    """Apply a change that adds, edits and removes as far as there is something to change; return it."""
    added: list[Rule] = []
    removed: list[Rule] = []
    modified: list[Modification] = []
    for rule_id, rule in sorted(group.live.items()):
        if not removed:
            removed.append(group.live.pop(rule_id))
        elif not modified:
            after = replace(rule, description="approved")
            modified.append(Modification(before=rule, after=after))
            group.live[rule_id] = after
    taken = {rule.from_port for rule in (*group.live.values(), *removed)}
    for port in (*PORTS, 8080):
        if port not in taken and not added:
            rule = tcp(port, group._new_id(), description="approved")
            group.live[rule.rule_id or ""] = rule
            added.append(replace(rule, rule_id=None))
    return make_change(added=added, removed=removed, modified=modified)


@given(steps, steps, st.data())
def test_a_restored_rule_is_known_by_each_of_its_ids(
    first: list[Step], second: list[Step], data: st.DataObject
) -> None:
    """An unapproved removal was reverted, so the rule has a new id; calls name the old one and the new one."""
    group = history(first)
    assume(group.live and not group.is_in_doubt)
    early = any_order(data, group.calls)
    baseline = heard(early, group.rules)
    gone = data.draw(st.sampled_from(sorted(group.live)))
    restored = replace(group.live.pop(gone), rule_id=group._new_id())
    group.live[restored.rule_id or ""] = restored
    baseline = with_ids_seen(baseline, group.rules)
    assert facts(baseline.rules) == facts(group.rules)
    group.seconds += 1
    count = len(group.calls)
    for step in second:
        group.does(step)
    assume(not group.is_in_doubt)
    rest = any_order(data, [*early, *group.calls[count:]])
    assert facts(heard(rest, group.rules, baseline).rules) == facts(group.rules)
