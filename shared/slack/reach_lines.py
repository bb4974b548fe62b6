"""What a change reaches, in short lines of plain text: shown between where it is and its rules.

Names of stacks, tags and lists are users' words: the lines are visible text for ``plain_text`` objects, never markup.

What does not belong here: how much of the internet a change opens to (``shared.slack.messages_details``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.domain.change import Change
from shared.domain.reach import InterfaceKind, Interfaces, PrefixList, Reach, covered, covering, opened_by
from shared.domain.request import Request
from shared.slack.describe import sentence
from shared.slack.limits import size
from shared.slack.text import counted, shorten, visible

REACH_ROOM: Final = 1200
"""Most characters of all lines together, as ``limits.size`` counts them."""

_LINE: Final = 300
_LAST_LINE: Final = 60
_COVERING: Final = 3
_NOT_KNOWN: Final = "What it reaches: not known"
_NAMES: Final[Mapping[InterfaceKind, str]] = {
    "instance": "instances",
    "load_balancer": "load balancers",
    "lambda": "Lambda functions",
    "database": "databases",
    "endpoint": "VPC endpoints",
    "other": "others",
}
_TIMES: Final = ((7200, 3600, "h"), (120, 60, "min"))


def reach_lines(request: Request) -> tuple[str, ...]:
    """Return what the change reaches, one fact a line; of a question that it is not known, where it is not.

    Args:
        request: the request.

    Returns:
        Lines of visible text, each at most 300 characters, together at most :data:`REACH_ROOM` as ``limits.size``
        counts.
    """
    if request.change.is_empty or (request.reach is None and request.status != "pending"):
        return ()
    return _bounded(_lines(request.change, request.reach or Reach()))


def group_lines(change: Change, requests: Iterable[Request]) -> tuple[str, ...]:
    """Return what the net change of a group reaches, by what its calls say; as :func:`reach_lines` does.

    Args:
        change: the net change.
        requests: its calls in their order; the newest says what the group is attached to.
    """
    known = [one.reach for one in requests if one.reach is not None]
    newest = known[-1] if known else Reach()
    lists = {one.list_id: one for reach in known for one in reach.prefix_lists}
    held = covering(change, (rule for reach in known for rule in reach.covered_by))
    whole = replace(newest, covered_by=held, prefix_lists=tuple(lists.values()), in_force_seconds=None)
    return _bounded(_lines(change, whole))


def _bounded(lines: Iterable[str]) -> tuple[str, ...]:
    found = [shorten(line, _LINE) for line in lines]
    kept: list[str] = []
    left = REACH_ROOM - _LAST_LINE
    for number, line in enumerate(found):
        left -= size(line) + 2
        if left < 0:
            return (*kept, f"… and {counted(len(found) - number, 'more line')} about what it reaches")
        kept.append(line)
    return tuple(kept)


def _lines(change: Change, reach: Reach) -> Iterator[str]:
    interfaces, manager = reach.interfaces, reach.manager
    yield _NOT_KNOWN if interfaces is None else _attached(interfaces)
    yield from _covered(change, reach)
    if manager is None and interfaces is not None:
        yield "Who manages the group: not known"
    elif manager is not None and manager.name:
        yield f"{'Tagged as managed by' if manager.is_tagged else 'Managed by'} {visible(manager.name)}"
    if reach.in_force_seconds is not None:
        verb = "Was open" if change.kind == "add" else "Was in force"
        yield f"{verb} for {_time(reach.in_force_seconds)}"
    yield from _prefix_lists(change, reach)


def _attached(interfaces: Interfaces) -> str:
    if not interfaces.count and not interfaces.is_more:
        return "Reaches nothing now: the group is attached to no network interface"
    number = f"{interfaces.count} or more interfaces" if interfaces.is_more else counted(interfaces.count, "interface")
    kinds = ", ".join(f"{count} of {_NAMES[kind]}" for kind, count in interfaces.kinds)
    text = f"Reaches {number} ({kinds})" if kinds else f"Reaches {number}"
    if not interfaces.public:
        return f"{text}, no public address" + (" among them" if interfaces.is_more else "")
    return f"{text}, public: {_named(interfaces.public, interfaces.more_public)}"


def _covered(change: Change, reach: Reach) -> Iterator[str]:
    rules = covered(change, reach.covered_by)
    if not rules:
        return
    opened = len(opened_by(change))
    head = "Already open" if len(rules) == opened else f"Already open are {len(rules)} of {counted(opened, 'rule')}"
    which = "an approved rule" if len(reach.covered_by) == 1 else "approved rules"
    shown = [sentence(rule) for rule in reach.covered_by[:_COVERING]]
    yield f"{head}, by {which}: {_named(shown, len(reach.covered_by) - len(shown))}"


def _prefix_lists(change: Change, reach: Reach) -> Iterator[str]:
    known = {one.list_id: one for one in reach.prefix_lists}
    wanted = dict.fromkeys(rule.source.value for rule in change.rules if rule.source.kind == "prefix_list")
    for list_id in wanted:
        one = known.get(list_id)
        yield f"Prefix list {visible(list_id)}: owner and content not known" if one is None else _prefix_list(one)


def _prefix_list(one: PrefixList) -> str:
    name = f" ({visible(one.name)})" if one.name else ""
    owner = "AWS" if one.is_of_aws else f"account {visible(one.owner)}"
    version = "" if one.version is None else f", version {one.version}"
    content = _named(one.entries, one.more_entries) if one.entries else "content not known"
    return f"Prefix list {visible(one.list_id)}{name} of {owner}{version}: {content}"


def _named(texts: Sequence[str], more: int) -> str:
    return ", ".join(texts) + (f" and {more} more" if more else "")


def _time(seconds: int) -> str:
    for least, unit, name in _TIMES:
        if seconds >= least:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
