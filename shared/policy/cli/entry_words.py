"""Says in plain words what an entry of ``[[rules]]`` matches and what it asks for.

What does not belong here: the other keys of a policy (``summary``), and whether an entry can match (``rule_checks``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from shared.domain.exposure import Span
from shared.domain.networks import Range
from shared.domain.policy import Policy
from shared.domain.risk_rule import RiskRule
from shared.slack.describe_names import PORTS
from shared.slack.text import visible

from .approver_checks import everybody_who_can

EVERYBODY: Final = "everybody who can click in the approval channel"
_SHOWN: Final = 4
_SOURCES: Final = {
    "internet": "the internet",
    "public": "public addresses",
    "private": "private addresses",
    "group": "security groups",
    "prefix_list": "prefix lists",
}
_KINDS: Final = {"add": "added", "modify": "edited", "remove": "removed"}


def entry_in_words(entry: RiskRule, policy: Policy) -> str:
    """Return an entry as a sentence, e.g. ``SSH (22/tcp) to the internet needs 2 of U1, U2, U3, for at most 8 hours``.

    Args:
        entry: the entry.
        policy: what holds where it is judged; its approvers count, too.
    """
    return f"{entry.place}: {''.join(_matched(entry))} {_asked(entry, policy)}."


def who_may_approve(policy: Policy, *lists: Sequence[str], without: Collection[str] = ()) -> str:
    """Return who is in the policy's approvers and in every one of these lists, e.g. ``U1, U2``.

    Args:
        policy: what holds.
        lists: of Slack ids; who is in a user group is not known here, so several lists may be named.
        without: Slack users who may not.
    """
    named = [one for one in (policy.approvers, *lists) if one]
    can = everybody_who_can(*named)
    if can is not None and all(not any(_is_user_group(each) for each in one) for one in named):
        return ", ".join(sorted(can.difference(without))) or "nobody"
    return " who are also in ".join(", ".join(one) for one in named) or EVERYBODY


def approvals_in_words(approvals: int, who: str) -> str:
    """Return e.g. ``2 of U1, U2``, ``1 person (everybody who can click in the approval channel)``."""
    if who != EVERYBODY:
        return f"{approvals} of {who}"
    return f"{'1 person' if approvals == 1 else f'{approvals} different people'} ({who})"


# -- what it matches ---------------------------------------------------------------------------------------------------


def _matched(entry: RiskRule) -> Iterator[str]:
    if entry.directions == ("egress",):
        yield "outbound "
    yield _traffic(entry)
    yield f" to {_sources(entry)}"
    if entry.kinds:
        yield f", when {_listed([_KINDS[kind] for kind in entry.kinds], 'or')},"
    for words, values in (
        ("in account", entry.accounts),
        ("in region", entry.regions),
        ("in group", entry.groups),
        ("by", entry.principals),
    ):
        if values:
            yield f" {words} {_listed(values, 'or')}"


def _traffic(entry: RiskRule) -> str:
    protocols = [one for one in entry.protocols if one != "-1"]
    if "-1" in entry.protocols or not protocols:
        return _few([_port(span, "") for span in entry.ports]) if entry.ports else "anything"
    if not entry.ports:
        return _listed([protocol.upper() for protocol in protocols], "or")
    return _few([_port(span, f"/{'+'.join(protocols)}") for span in entry.ports])


def _port(span: Span, protocol: str) -> str:
    if span.first != span.last:
        return f"ports {span.first}-{span.last}{protocol}"
    name = PORTS.get(span.first)
    return f"{name} ({span.first}{protocol})" if name else f"port {span.first}{protocol}"


def _sources(entry: RiskRule) -> str:
    sources = list(entry.sources) or (["private", "group"] if entry.is_lenient and not entry.cidrs else [])
    named = [
        "security groups of the same account" if entry.is_lenient and source == "group" else _SOURCES[source]
        for source in sources
    ]
    classes = _listed(named, "or")
    if not entry.cidrs:
        return classes or "anybody"
    ranges = _few([text for one in entry.cidrs for text in _cidrs(one)])
    verb = "wholly inside" if entry.is_lenient else "overlapping"
    return f"{classes} {verb} {ranges}" if classes else f"addresses {verb} {ranges}"


def _cidrs(one: Range) -> Iterator[str]:
    if one.version == 4:
        first, last = ipaddress.IPv4Address(one.first), ipaddress.IPv4Address(one.last)
        yield from map(str, ipaddress.summarize_address_range(first, last))
    else:
        low, high = ipaddress.IPv6Address(one.first), ipaddress.IPv6Address(one.last)
        yield from map(str, ipaddress.summarize_address_range(low, high))


# -- what it asks for --------------------------------------------------------------------------------------------------


def _asked(entry: RiskRule, policy: Policy) -> str:
    if entry.deny:
        return f'is denied at once: "{visible(entry.deny).rstrip(".")}"'
    hours = "" if entry.max_hours is None else f", for at most {entry.max_hours:g} hours"
    if entry.is_lenient:
        return f"is allowed at once, and told in monitoring{hours}"
    mentioned = f"; the question names {', '.join(entry.mention)}" if entry.mention else ""
    approvals = approvals_in_words(entry.approvals, who_may_approve(policy, entry.approvers))
    return f"needs {approvals}{hours}{mentioned}"


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _few(words: Sequence[str]) -> str:
    more = len(words) - _SHOWN
    return _listed(words, "or") if more <= 0 else f"{', '.join(words[:_SHOWN])} and {more} more"


def _is_user_group(slack_id: str) -> bool:
    return slack_id.startswith("S")
