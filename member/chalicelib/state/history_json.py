"""The JSON form of a baseline's history: what was done lately, and how the rules before that differ from today's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.rule import Rule
from shared.wire.fields import Field
from shared.wire.rule_json import rule_from_json, rule_to_json, time_to_text

from .history import Deed, Described, Edited, Entry, History, Made, Moved, Removed, Seen

Json = dict[str, Any]

_VERBS: Final[Mapping[type[Deed], str]] = {
    Made: "made",
    Edited: "edited",
    Described: "described",
    Moved: "moved",
    Removed: "removed",
    Seen: "seen",
}


def history_to_json(history: History, rules: tuple[Rule, ...]) -> Json:
    """Return ``{"came": [identity…], "went": [rule…], "formerIds": [[id, identity]…], "entries": [entry…]}``.

    Args:
        history: the history.
        rules: the rules it leads to. Most of them are the origin's, so the origin is written as the difference:
            ``came`` are the identities of those that are not, ``went`` are rules of the origin that are not among them.
    """
    origin = {rule.identity: rule for rule in history.origin}
    same = {rule.identity for rule in rules if _is_same(rule, origin.get(rule.identity))}
    document: Json = {
        "came": [rule.identity for rule in rules if rule.identity not in same],
        "went": [rule_to_json(rule) for rule in history.origin if rule.identity not in same],
        "formerIds": [[rule_id, identity] for rule_id, identity in history.former_ids],
        "entries": [_entry_to_json(entry) for entry in history.entries],
    }
    if history.settled_calls:
        document["settledCalls"] = list(history.settled_calls)
    if history.settled_until is not None:
        document["settledUntil"] = time_to_text(history.settled_until)
    return document


def history_from_json(field: Field, rules: tuple[Rule, ...]) -> History:
    """Read a history; one that is missing begins with these rules.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    came = {one.text() for one in field["came"].elements()}
    origin = [rule for rule in rules if rule.identity not in came]
    origin += [rule_from_json(one) for one in field["went"].elements()]
    return History(
        origin=tuple(sorted(origin, key=lambda rule: rule.identity)),
        former_ids=tuple(_pair(one) for one in field["formerIds"].elements()),
        entries=tuple(_entry_from_json(one) for one in field["entries"].elements()),
        settled_calls=tuple(one.text() for one in field["settledCalls"].elements()),
        settled_until=None if field["settledUntil"].is_missing else field["settledUntil"].time(),
    )


def _is_same(rule: Rule, before: Rule | None) -> bool:
    return before == rule and before.rule_id == rule.rule_id


def _pair(field: Field) -> tuple[str, str]:
    parts = [one.text() for one in field.elements()]
    if len(parts) != 2:
        raise field.error("expected a rule id and an identity")
    return parts[0], parts[1]


def _entry_to_json(entry: Entry) -> Json:
    document: Json = {
        "moment": time_to_text(entry.moment),
        "deeds": [_deed_to_json(deed) for deed in entry.deeds],
    }
    return document | ({"call": entry.call} if entry.call else {})


def _entry_from_json(field: Field) -> Entry:
    return Entry(
        moment=field["moment"].time(),
        deeds=tuple(_deed_from_json(one) for one in field["deeds"].elements()),
        call=field["call"].optional_text(),
    )


def _deed_to_json(deed: Deed) -> Json:
    document: Json = {"verb": _VERBS[type(deed)]}
    if deed.rule is not None:
        document["rule"] = rule_to_json(deed.rule)
    match deed:
        case Made():
            pass
        case Edited():
            document |= {"isOfKnown": True} if deed.is_of_known else {}
        case Moved():
            document["before"] = rule_to_json(deed.before)
        case Described():
            document |= {"ruleId": deed.rule_id, "description": deed.description}
        case _:
            document["ruleId"] = deed.rule_id
    return {key: value for key, value in document.items() if value is not None}


def _deed_from_json(field: Field) -> Deed:
    verb, rule_id = field["verb"].text(), field["ruleId"].optional_text() or None
    kind = next((kind for kind, name in _VERBS.items() if name == verb), None)
    if kind is None:
        raise field["verb"].error(f"expected one of {', '.join(_VERBS.values())}, found {verb[:40]!r}")
    rule = None if field["rule"].is_missing else rule_from_json(field["rule"])
    if kind is Described:
        return Described(description=field["description"].optional_text(), rule_id=rule_id, rule=rule)
    if kind is Removed:
        return Removed(rule_id=rule_id, rule=rule)
    whole = rule or rule_from_json(field["rule"])
    if kind is Made:
        return Made(rule=whole)
    if kind is Edited:
        return Edited(rule=whole, is_of_known=field["isOfKnown"].flag())
    if kind is Moved:
        return Moved(before=rule_from_json(field["before"]), rule=whole)
    return Seen(rule=whole, rule_id=field["ruleId"].text())
