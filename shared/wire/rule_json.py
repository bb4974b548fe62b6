"""Our own JSON form of rules and changes: in SNS messages, table items and digests' neighbours.

Keys are camelCase as in AWS's own JSON. Reading checks every field and names a wrong one by its path.
docs/contracts.md describes the form for people. Whole requests stand in ``shared.wire.request_json``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, get_args

from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Direction, Rule, RuleError, Source, SourceKind, cidr, make_rule
from shared.wire.fields import Field

Json = dict[str, Any]

_DIRECTIONS: Final = get_args(Direction)
_SOURCE_KINDS: Final = get_args(SourceKind)


def rule_to_json(rule: Rule) -> Json:
    """Return e.g. ``{"direction": "ingress", "protocol": "tcp", "fromPort": 22, "toPort": 22, "source": {…}}``."""
    source: Json = {"kind": rule.source.kind, "value": rule.source.value}
    if rule.source.account:
        source["account"] = rule.source.account
    if rule.source.peering:
        source["peering"] = rule.source.peering
    document: Json = {"direction": rule.direction, "protocol": rule.protocol, "source": source}
    if rule.from_port is not None:
        document |= {"fromPort": rule.from_port, "toPort": rule.to_port}
    if rule.description:
        document["description"] = rule.description
    if rule.tags:
        document["tags"] = dict(rule.tags)
    if rule.rule_id is not None:
        document["ruleId"] = rule.rule_id
    return document


def rule_from_json(field: Field) -> Rule:
    """Read a rule.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    try:
        return make_rule(
            direction=one_of(field["direction"], _DIRECTIONS),
            protocol=field["protocol"].text(),
            from_port=field["fromPort"].optional_integer(),
            to_port=field["toPort"].optional_integer(),
            source=_source(field["source"]),
            description=field["description"].optional_text(),
            tags=((key, tag.optional_text()) for key, tag in field["tags"].members()),
            rule_id=field["ruleId"].optional_text() or None,
        )
    except RuleError as error:
        raise field.error(str(error)) from error


def _source(field: Field) -> Source:
    kind: SourceKind = one_of(field["kind"], _SOURCE_KINDS)
    value = field["value"].text()
    if kind in ("ipv4", "ipv6"):
        try:
            source = cidr(value)
        except RuleError as error:
            raise field["value"].error(str(error)) from error
        if source.kind != kind:
            raise field["value"].error(f"{value!r} is no {kind} block")
        return source
    return Source(
        kind=kind,
        value=value,
        account=field["account"].optional_text(),
        peering=field["peering"].optional_text(),
    )


def change_to_json(change: Change) -> Json:
    """Return ``{"added": [rule…], "removed": [rule…], "modified": [{"before": rule, "after": rule}…]}``."""
    return {
        "added": [rule_to_json(rule) for rule in change.added],
        "removed": [rule_to_json(rule) for rule in change.removed],
        "modified": [
            {"before": rule_to_json(edit.before), "after": rule_to_json(edit.after)} for edit in change.modified
        ],
    }


def change_from_json(field: Field) -> Change:
    """Read a change.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    return make_change(
        added=[rule_from_json(one) for one in field["added"].elements()],
        removed=[rule_from_json(one) for one in field["removed"].elements()],
        modified=[
            Modification(before=rule_from_json(one["before"]), after=rule_from_json(one["after"]))
            for one in field["modified"].elements()
        ],
    )


def time_to_text(moment: datetime) -> str:
    """Return UTC ISO 8601 with milliseconds, e.g. ``2026-10-01T12:00:00.000Z``; sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def one_of(field: Field, allowed: tuple[str, ...]) -> Any:
    """Return the value of a field if it is one of those allowed.

    Raises:
        FieldError: names the field, and what is allowed there.
    """
    if field.value not in allowed:
        raise field.error(f"expected one of {', '.join(allowed)}, found {field.value!r}")
    return field.value
