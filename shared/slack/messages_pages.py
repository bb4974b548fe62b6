"""Lays out the rules: as few blocks as reasonable, as many messages as needed, and no rule left out.

How the rules fall into parts depends on the request alone, never on its status. So the outcome of a request has the
same last part as its question, and can take its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from shared.domain.request import Request
from shared.domain.rule import Rule
from shared.slack import limits
from shared.slack.blocks import Payload, own, plain, section
from shared.slack.describe import edit_lines, number_of_rules, rule_lines

PIECE: Final = 1400
"""Most characters of one piece of text, as ``limits.size`` counts them; a description of 255 ``&`` is not broken."""

_SECTION: Final = 2900
_SECTION_COST: Final = limits.size(section(plain(""))) + 1
_HEADING_COST: Final = limits.size(section(own("*" * 100))) + 1

LEAST_ROOM: Final = PIECE + _SECTION_COST + _HEADING_COST
"""What a part must have room for: one piece and its heading."""

_INDENT: Final = "    "
_NONE: Final = "This request names no rule."


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules under one heading.

    Attributes:
        wish: the heading while the change is asked for, e.g. ``Add 2 inbound rules``.
        fact: the heading once the change is a fact, e.g. ``Added 2 inbound rules``.
        pieces: the rules as text, each at most :data:`PIECE` long.
    """

    wish: str
    fact: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Consecutive pieces of one group within one part, joined into sections; only ``paginate`` adds to one."""

    group: Group
    is_continued: bool
    sections: list[str] = field(default_factory=list)


Page = list[Passage]


def paginate(request: Request, room: int) -> list[Page]:
    """Distribute all rules of a request over parts; see :func:`lay_out`."""
    return lay_out(rule_groups(request), room)


def lay_out(groups: Iterable[Group], room: int) -> list[Page]:
    """Distribute what stands under headings over parts.

    A section is begun only where two neighbours together would be longer than 2,900 characters, so that the number of
    blocks stays far below Slack's limit whatever the rules are.

    Args:
        groups: the headings, and what stands below them.
        room: characters each part has for rules, as ``limits.size`` counts them; at least :data:`LEAST_ROOM`.

    Returns:
        At least one page.
    """
    pages: list[Page] = [[]]
    left = room
    for group in groups:
        passage: Passage | None = None
        for index, piece in enumerate(group.pieces):
            cost = limits.size(piece)
            joins = passage is not None and limits.size(passage.sections[-1]) + cost <= _SECTION
            cost += 0 if joins else _SECTION_COST
            cost += 0 if passage is not None else _HEADING_COST
            if cost > left and pages[-1]:
                cost = limits.size(piece) + _SECTION_COST + _HEADING_COST
                pages.append([])
                passage, joins, left = None, False, room
            left -= cost
            if passage is None:
                passage = Passage(group=group, is_continued=index > 0)
                pages[-1].append(passage)
            if joins:
                passage.sections[-1] += f"\n{piece}"
            else:
                passage.sections.append(piece)
    return pages


def page_blocks(page: Page, *, is_fact: bool) -> list[Payload]:
    """Return a page as blocks: a bold heading for each group and its rules as plain text.

    Args:
        page: one of what :func:`paginate` returned.
        is_fact: whether the change was made; else it is asked for.
    """
    blocks: list[Payload] = []
    for passage in page:
        heading = passage.group.fact if is_fact else passage.group.wish
        blocks.append(section(own(f"*{heading}*{' (continued)' if passage.is_continued else ''}")))
        blocks.extend(section(plain(text)) for text in passage.sections)
    return blocks or [section(plain(_NONE))]


def rule_groups(request: Request) -> list[Group]:
    """Return the rules of a request under their headings."""
    change = request.change
    removed = {rule.identity for rule in change.removed}
    open_still = [rule for rule in request.remaining if rule.identity not in removed]
    missing = [rule for rule in request.remaining if rule.identity in removed]
    after = [edit.after for edit in change.modified]
    groups = (
        _group("Still in force, approved by nobody:", "", open_still, map(rule_lines, open_still)),
        _group("Still missing, removal approved by nobody:", "", missing, map(rule_lines, missing)),
        _group("Add", "Added", change.added, map(rule_lines, change.added)),
        _group("Change", "Changed", after, map(edit_lines, change.modified)),
        _group("Remove", "Removed", change.removed, map(rule_lines, change.removed)),
    )
    return [group for group in groups if group.pieces]


def _group(wish: str, fact: str, rules: Iterable[Rule], lines: Iterable[tuple[str, ...]]) -> Group:
    number = number_of_rules(rules)
    pieces = tuple(piece for one in lines for piece in pieces_of(one))
    return Group(wish=f"{wish} {number}", fact=f"{fact or wish} {number}", pieces=pieces)


def pieces_of(lines: tuple[str, ...]) -> Iterator[str]:
    """Yield a rule as one text, or as several where its tags are too many for one."""
    piece, left = "", PIECE
    for line in (f"• {lines[0]}", *(f"{_INDENT}{line}" for line in lines[1:])):
        for chunk in _chunks(line):
            cost = limits.size(chunk)
            if piece and cost > left:
                yield piece
                piece, left = "", PIECE
            piece = f"{piece}\n{chunk}" if piece else chunk
            left -= cost
    yield piece


def _chunks(line: str) -> Iterator[str]:
    """Yield a line whole, or in chunks of at most ``PIECE`` that are indented like the lines around them."""
    if limits.size(line) <= PIECE:
        yield line
        return
    chunk, left = "", PIECE - limits.QUOTES
    for char in line:
        cost = limits.size(char) - limits.QUOTES
        if cost > left:
            yield chunk
            chunk, left = _INDENT, PIECE - limits.size(_INDENT)
        chunk += char
        left -= cost
    yield chunk
