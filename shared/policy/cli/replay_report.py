"""Says in words, and for programs, what a replay counted, and suggests exemptions for the noisiest roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from shared.policy.cli.replay import Tally

_SHARE: Final = 0.1
"""A role that makes this share of the calls that are asked is noisy."""

_MOSTLY: Final = 0.5
"""A caller whose calls are this share of calls to private addresses mostly opens these."""

_NEVER_EXEMPT: Final = ("/aws-reserved/sso.amazonaws.com/",)  # people


def suggested_exemptions(tally: Tally) -> list[str]:
    """Return patterns for ``exempt.principals``: the roles that make most calls that are asked; never people."""
    by_pattern: dict[str, set[str]] = {}
    calls: Counter[str] = Counter()
    for requester, count in tally.callers.items():
        arn = tally.principals[requester]
        if ":role/" not in arn or any(part in arn for part in _NEVER_EXEMPT):
            continue
        partition, account, role = arn.split(":", 5)[1], arn.split(":", 5)[4], arn.split(":", 5)[5]
        pattern = f"arn:{partition}:iam::*:{role}"
        by_pattern.setdefault(pattern, set()).add(account)
        calls[pattern] += count
    noisy = [pattern for pattern, count in calls.most_common() if count >= _SHARE * tally.asked]
    return [
        pattern if len(by_pattern[pattern]) > 1 else pattern.replace("::*:", f"::{min(by_pattern[pattern])}:")
        for pattern in noisy
    ]


def suggested_entries(tally: Tally) -> list[str]:
    """Return entries of ``[[rules]]`` with 0 approvals for noisy callers that mostly open private addresses."""
    entries = []
    for requester, count in tally.harmless.most_common():
        if count < _SHARE * tally.asked or count < _MOSTLY * tally.callers[requester]:
            continue
        match = ['source = ["private", "group"]']
        spans = sorted(tuple(map(int, span.split("-"))) for span in tally.ports.get(requester) or ())
        if spans:
            texts = (f'"{first}"' if first == last else f'"{first}-{last}"' for first, last in spans)
            match.append(f"ports = [{', '.join(texts)}]")
        match += ['kinds = ["add", "modify"]', f'principals = ["{tally.principals[requester]}"]']
        entries.append(f"[[rules]]\nmatch = {{ {', '.join(match)} }}\napprovals = 0  # {count:,} questions less")
    return entries


def to_json(tally: Tally) -> dict[str, Any]:
    """Return the counts for other programs; later versions may add names."""
    return {
        "records": tally.records,
        "calls": tally.calls,
        "duplicates": tally.duplicates,
        "unreadable": tally.unreadable,
        "unknownValues": tally.unknown_values,
        "first": tally.first.isoformat() if tally.first else None,
        "last": tally.last.isoformat() if tally.last else None,
        "decisions": dict(tally.verbs),
        "asked": tally.asked,
        "askedAtTheEnd": tally.ended,
        "allowedAtOnce": tally.let_through,
        "deniedByPolicy": tally.denied,
        "questions": sum(tally.questions.values()),
        "questionsByDay": dict(sorted(tally.days.items())),
        "questionsByAccount": dict(_by(tally, 1).most_common()),
        "questionsByRequester": dict(_by(tally, 0).most_common()),
        "callsByApprovals": {str(number): count for number, count in sorted(tally.approvals.items())},
        "batches": tally.batches,
        "callsInBatches": tally.batched,
        "largestBatch": tally.largest_batch,
        "entries": {place: dict(counts) for place, counts in tally.entries.items()},
        "repeats": {requester: count for requester, count in tally.repeats.most_common() if count},
        "suggestedExemptions": suggested_exemptions(tally),
        "suggestedEntries": suggested_entries(tally),
    }


def in_words(tally: Tally, top: int) -> Iterator[str]:
    """Yield the report, a line each.

    Args:
        tally: what was counted.
        top: how many accounts and requesters to list.
    """
    yield f"{tally.records:,} records, {tally.calls:,} security group calls{_span(tally)}."
    yield from _left_out(tally)
    if not tally.verbs:
        return
    decided = ", ".join(f"{verb} {count:,}" for verb, count in tally.verbs.most_common())
    yield f"Decisions: {decided}."
    reverted = f"{tally.asked:,} asked, {tally.let_through:,} allowed at once, {tally.denied:,} denied"
    yield f"Of the calls to revert: {reverted}."
    yield ""
    yield from _questions(tally, top)
    yield from _entries(tally)
    yield from _callers(tally, top)


def _span(tally: Tally) -> str:
    return "" if tally.first is None or tally.last is None else f", {tally.first:%Y-%m-%d} to {tally.last:%Y-%m-%d}"


def _left_out(tally: Tally) -> Iterator[str]:
    if tally.duplicates:
        yield f"{tally.duplicates:,} calls were recorded twice and counted once."
    if tally.unreadable:
        yield f"{tally.unreadable:,} calls cannot be read and are left out."
    if tally.unknown_values:
        yield f"{tally.unknown_values:,} calls have no values in these files, so no entry of [[rules]] matches them."


def _questions(tally: Tally, top: int) -> Iterator[str]:
    questions = sum(tally.questions.values())
    if not questions or tally.first is None or tally.last is None:
        yield "No questions."
        return
    days = (tally.last.date() - tally.first.date()).days + 1
    busiest, most = max(tally.days.items(), key=lambda pair: pair[1])
    yield f"Questions: {questions:,} in {days:,} days, {questions / days:.1f} a day; most on {busiest}: {most:,}."
    yield (
        f"Batches: {tally.batched:,} calls in {tally.batches:,} questions; the largest has {tally.largest_batch} calls."
    )
    if tally.ended:
        yield f"{tally.ended:,} of the questions follow the end of what was allowed at once for a time."
    needed = ", ".join(f"{count:,} need {number}" for number, count in sorted(tally.approvals.items()))
    yield f"Approvals: {needed}."
    yield from _table("Questions by account", _by(tally, 1), top)
    yield from _table("Questions by requester", _by(tally, 0), top)


def _entries(tally: Tally) -> Iterator[str]:
    if not tally.entries:
        return
    yield ""
    yield "Entries of [[rules]]:"
    for place, counts in tally.entries.items():
        found = ", ".join(f"{what} {count:,}" for what, count in counts.most_common())
        yield f"  {place}: {found or 'matched nothing'}"


def _callers(tally: Tally, top: int) -> Iterator[str]:
    yield from _table(
        "The same change made again, by requester (a controller may do so without end)", tally.repeats, top
    )
    entries = suggested_entries(tally)
    if entries:
        yield ""
        yield "These callers mostly open private addresses and groups of the same account. Such entries would allow it"
        yield "at once, told in monitoring:"
        yield from entries
    suggested = suggested_exemptions(tally)
    if not suggested:
        return
    yield ""
    yield "These roles make many of the calls that are asked. Whoever can use an exempt role can open ports without"
    yield "being asked, so exempt only roles that people cannot assume:"
    yield "[exempt]"
    yield "principals = ["
    yield from (f'  "{pattern}",' for pattern in suggested)
    yield "]"


def _table(title: str, counts: Counter[str], top: int) -> Iterator[str]:
    listed = [(name, count) for name, count in counts.most_common() if count]
    if not listed:
        return
    yield ""
    yield f"{title}:"
    yield from (f"  {count:>9,}  {name}" for name, count in listed[:top])
    if len(listed) > top:
        yield f"  {sum(count for _, count in listed[top:]):>9,}  {len(listed) - top:,} others"


def _by(tally: Tally, part: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for where, count in tally.questions.items():
        counts[where[part]] += count
    return counts
