"""The items of the member account's table ``securityGroupState``: baselines, the ledger, and the adoption of regions.

docs/contracts.md describes each attribute. Rules stand in one binary attribute ``body`` (JSON, compressed when large);
what an operator looks for in the console (outcome, digest, version, times) are attributes of their own. What is written
is bounded, and what is read has the same bound. Pure.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (400 KB)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

from shared.domain.operations import Added, Edited, Operation
from shared.domain.request import Request
from shared.domain.rule import DIRECTIONS, Direction, Rule, Tags
from shared.wire.compression import from_bytes, to_bytes
from shared.wire.fields import Field
from shared.wire.request_json import request_from_json, request_to_json
from shared.wire.rule_json import rule_from_json, rule_to_json, time_to_text

from .approvals import Approval, Approvals, compacted
from .baseline import Baseline, Difference
from .doubt import Doubt, Restored
from .register import Register, Version
from .timed import Limit, Timed

Item = dict[str, Any]
Outcome = Literal["reverted", "unreverted", "observed", "denied", "applying", "applied", "ended", "error", "superseded"]

OUTCOME_OF_STATUS: Final[Mapping[str, Outcome]] = {
    "pending": "reverted",
    "applied": "applied",
    "denied": "denied",
    "unreverted": "unreverted",
    "observed": "observed",
}

LARGEST_BODY: Final = 350_000
"""Bytes of a body; the rest of an item's 400 KB is for its other attributes."""

TAGS_BUDGET: Final = 60_000
"""Characters of tags that one item or one request carries; 50 tags of a rule may have 19,200 characters."""


class TooLargeError(ValueError):
    """A value that does not fit an item, whatever can be left out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What this account itself knows of a request; nothing is ever applied that is not written here.

    Attributes:
        request: as it was reverted.
        outcome: ``reverted`` may be applied; ``applying`` is the intent, written before the first call that opens
            anything.
        attempts: how often applying was begun.
        parts: of a request that was too large for one message, into how many requests it was split; else 0.
        note: the code of an ``error``; the batch that a request was applied or superseded with; else empty.
        valid_until: until when it is applied; ``None``: for good, or not applied yet.
    """

    request: Request
    outcome: Outcome
    attempts: int = 0
    parts: int = 0
    note: str = ""
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """When the groups of a region were accepted as they were.

    Attributes:
        region: e.g. ``eu-west-1``.
        adopted: when, by direction; none while it is under way.
        not_stored: groups whose rules could not be stored; of these only what events say is reverted.
        is_unreported: the central account has not been told yet.
    """

    region: str
    adopted: tuple[tuple[Direction, datetime], ...] = ()
    not_stored: tuple[str, ...] = ()
    is_unreported: bool = False

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The adopted directions."""
        return tuple(direction for direction, _ in self.adopted)


def group_key(region: str, group_id: str) -> str:
    """Return the table key of a group's baseline, ``group#<region>#<sg-id>``."""
    return f"group#{region}#{group_id}"


def request_key(request_id: str) -> str:
    """Return the table key of a ledger entry, ``request#<requestId>``."""
    return f"request#{request_id}"


def region_key(region: str) -> str:
    """Return the table key of a region's adoption, ``region#<region>``."""
    return f"region#{region}"


def turn_key(region: str, group_id: str) -> str:
    """Return the table key of whose turn it is to write a group's baseline, ``turn#<region>#<sg-id>``."""
    return f"turn#{region}#{group_id}"


def unread_key(region: str) -> str:
    """Return the table key of calls that name no group, ``unread#<region>``."""
    return f"unread#{region}"


# -- calls that nobody can read ----------------------------------------------------------------------------------------


def unread_to_item(region: str, since: datetime) -> Item:
    """Return the item that says when the first call was made of which not even the group is known."""
    return {"id": unread_key(region), "region": region, "since": time_to_text(since)}


def unread_from_item(item: Mapping[str, Any]) -> datetime:
    """Read when the first call was made of which not even the group is known.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    return Field(item, str(item.get("id", "item")))["since"].time()


# -- adoption ----------------------------------------------------------------------------------------------------------


def adoption_to_item(adoption: Adoption) -> Item:
    """Return the item of a region's adoption."""
    return {
        "id": region_key(adoption.region),
        "region": adoption.region,
        "adoptedAt": {direction: time_to_text(at) for direction, at in adoption.adopted},
        "notStored": list(adoption.not_stored),
        "isUnreported": adoption.is_unreported,
    }


def adoption_from_item(item: Mapping[str, Any]) -> Adoption:
    """Read a region's adoption.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("id", "item")))
    return Adoption(
        region=field["region"].text(),
        adopted=_times(field["adoptedAt"]),
        not_stored=tuple(one.text() for one in field["notStored"].elements()),
        is_unreported=field["isUnreported"].flag(),
    )


# -- baselines ---------------------------------------------------------------------------------------------------------


def baseline_to_item(baseline: Baseline) -> Item:
    """Return the item of a baseline, in plain Python values; tags beyond :data:`TAGS_BUDGET` are left out.

    Where that does not fit, all tags are left out, and what the rules were before.

    Raises:
        TooLargeError: when not even the approved rules fit.
    """
    body = _baseline_body(baseline, within_budget(baseline.tags))
    if len(body) > LARGEST_BODY:
        body = _baseline_body(replace(baseline, approvals=compacted(baseline.approvals)), ())
    if len(body) > LARGEST_BODY:
        raise TooLargeError(f"the baseline of {baseline.group_id} takes {len(body)} bytes, more than {LARGEST_BODY}")
    ending = [one.until for one in baseline.timed if not one.is_told]
    return {
        "id": group_key(baseline.region, baseline.group_id),
        "region": baseline.region,
        "groupId": baseline.group_id,
        "groupName": baseline.group_name,
        "adoptedAt": {direction: time_to_text(at) for direction, at in baseline.adopted},
        "version": baseline.version,
        "body": body,
    } | ({"endsAt": time_to_text(min(ending))} if ending else {})


def within_budget(tags: tuple[tuple[str, Tags], ...]) -> tuple[tuple[str, Tags], ...]:
    """Return the tags of as many rules as :data:`TAGS_BUDGET` has room for, in their order."""
    left, kept = TAGS_BUDGET, []
    for identity, some in tags:
        left -= sum(len(key.encode()) + len(value.encode()) for key, value in some)
        if left < 0:
            break
        kept.append((identity, some))
    return tuple(kept)


def _baseline_body(baseline: Baseline, tags: tuple[tuple[str, Tags], ...]) -> bytes:
    return to_bytes(
        {
            "approvals": [_approval_to_json(one) for one in baseline.approvals.entries],
            "forgottenUntil": time_to_text(baseline.approvals.forgotten_until),
            "tags": {identity: dict(some) for identity, some in tags},
            "differences": [
                {"key": one.key, "since": time_to_text(one.since), "requestId": one.request_id}
                for one in baseline.differences
            ],
        }
        | _doubt_to_json(baseline.doubt)
        | ({"timed": [_timed_to_json(one) for one in baseline.timed]} if baseline.timed else {})
    )


def baseline_from_item(item: Mapping[str, Any]) -> Baseline:
    """Read a baseline.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("id", "item")))
    body = from_bytes(_binary(field["body"]), f"{field.path}.body")
    return Baseline(
        region=field["region"].text(),
        group_id=field["groupId"].text(),
        group_name=field["groupName"].optional_text(),
        approvals=Approvals(
            entries=tuple(_approval_from_json(one) for one in body["approvals"].elements()),
            forgotten_until=body["forgottenUntil"].time(),
        ),
        adopted=_times(field["adoptedAt"]),
        tags=tuple(
            (identity, tuple(sorted((key, value.optional_text()) for key, value in some.members())))
            for identity, some in body["tags"].members()
        ),
        differences=tuple(
            Difference(key=one["key"].text(), since=one["since"].time(), request_id=one["requestId"].optional_text())
            for one in body["differences"].elements()
        ),
        doubt=_doubt(body),
        timed=tuple(_timed_from_json(one) for one in body["timed"].elements()),
        version=field["version"].integer(),
    )


def _doubt_to_json(doubt: Doubt) -> Item:
    since, restored = doubt.unread_since, doubt.restored
    document: Item = {} if since is None else {"unreadSince": time_to_text(since)}
    some = [{"rule": rule_to_json(one.rule), "at": time_to_text(one.at)} for one in restored]
    return document | ({"restored": some} if some else {})


def _doubt(body: Field) -> Doubt:
    since = body["unreadSince"]
    return Doubt(
        unread_since=None if since.is_missing else since.time(),
        restored=tuple(
            Restored(rule=rule_from_json(one["rule"]), at=one["at"].time()) for one in body["restored"].elements()
        ),
    )


def _approval_to_json(approval: Approval) -> Item:
    document: Item = {
        "ids": list(approval.ids),
        "ruleId": approval.rule_id,
        "direction": approval.direction,
        "values": [{**_version_to_json(one), "rule": rule_to_json(one.value)} for one in approval.values.versions],
        "texts": [{**_version_to_json(one), "text": one.value} for one in approval.texts.versions],
        "removed": None if approval.removed is None else _moment_to_json(approval.removed),
        "removedById": approval.removed_by_id or None,
        "removedPlace": approval.removed_place or None,
        "isAdopted": approval.is_adopted,
        "limits": [_limit_to_json(one) for one in approval.limits],
    }
    return {key: value for key, value in document.items() if value not in (None, False, [])}


def _approval_from_json(field: Field) -> Approval:
    return Approval(
        ids=tuple(one.text() for one in field["ids"].elements()),
        rule_id=field["ruleId"].optional_text() or None,
        direction=None if field["direction"].is_missing else _direction(field["direction"]),
        values=Register(tuple(_version(one, rule_from_json(one["rule"])) for one in field["values"].elements())),
        texts=Register(tuple(_version(one, one["text"].optional_text()) for one in field["texts"].elements())),
        removed=None if field["removed"].is_missing else _moment(field["removed"]),
        removed_by_id=field["removedById"].optional_text(),
        removed_place=field["removedPlace"].optional_text(),
        is_adopted=field["isAdopted"].flag(),
        limits=tuple(_limit_from_json(one) for one in field["limits"].elements()),
    )


def _limit_to_json(limit: Limit) -> Item:
    before = {} if limit.before is None else {"before": rule_to_json(limit.before)}
    return {"key": limit.key, "at": _moment_to_json(limit.at), "place": limit.place, "text": limit.text, **before}


def _limit_from_json(field: Field) -> Limit:
    return Limit(
        key=field["key"].text(),
        at=_moment(field["at"]),
        place=field["place"].text(),
        text=field["text"].optional_text(),
        before=None if field["before"].is_missing else rule_from_json(field["before"]),
    )


def _timed_to_json(timed: Timed) -> Item:
    document: Item = {
        "key": timed.key,
        "until": time_to_text(timed.until),
        "requests": list(timed.requests),
        "letThrough": [rule_to_json(one) for one in timed.let_through],
        "endedAt": None if timed.ended_at is None else time_to_text(timed.ended_at),
        "note": timed.note,
        "isTold": timed.is_told,
    }
    return {key: value for key, value in document.items() if value not in (None, False, [], "")}


def _timed_from_json(field: Field) -> Timed:
    return Timed(
        key=field["key"].text(),
        until=field["until"].time(),
        requests=tuple(one.text() for one in field["requests"].elements()),
        let_through=tuple(rule_from_json(one) for one in field["letThrough"].elements()),
        ended_at=None if field["endedAt"].is_missing else field["endedAt"].time(),
        note=field["note"].optional_text(),
        is_told=field["isTold"].flag(),
    )


def _version_to_json(version: Version[Any]) -> Item:
    document: Item = {"at": _moment_to_json(version.at)}
    document |= {"isChosen": True} if version.is_chosen else {}
    return document | ({"byId": version.by_id} if version.by_id else {})


def _version(field: Field, value: Any) -> Version[Any]:
    is_chosen, by_id = field["isChosen"].flag(), field["byId"].optional_text()
    return Version(at=_moment(field["at"]), value=value, is_chosen=is_chosen, by_id=by_id)


def _moment_to_json(at: tuple[datetime, int]) -> list[Any]:
    return [time_to_text(at[0]), at[1]]


def _moment(field: Field) -> tuple[datetime, int]:
    parts = list(field.elements())
    if len(parts) != 2:
        raise field.error("expected a time and a rank")
    return parts[0].time(), parts[1].integer()


# -- ledger ------------------------------------------------------------------------------------------------------------


def bounded(request: Request) -> Request:
    """Return the request with as many tags as :data:`TAGS_BUDGET` has room for; its reason says what was left out.

    What is shown is what is applied: rules whose tags were left out are added without them.
    """
    budget = _TagBudget()
    change = replace(
        request.change,
        added=tuple(map(budget.kept, request.change.added)),
        removed=tuple(map(budget.kept, request.change.removed)),
        modified=tuple(
            replace(edit, before=budget.kept(edit.before), after=budget.kept(edit.after))
            for edit in request.change.modified
        ),
    )
    remaining = tuple(map(budget.kept, request.remaining))
    operations = tuple(map(budget.kept_in, request.operations))
    if not budget.without:
        return request
    note = f"The tags of {budget.without} rules are left out: together they are too large to be shown or stored."
    return replace(
        request,
        change=change,
        remaining=remaining,
        operations=operations,
        reason=" ".join(part for part in (request.reason, note) if part),
    )


class _TagBudget:
    """How many characters of tags are left; of a rule, all tags are kept or none.

    Attributes:
        without: of how many rules the tags were left out.
    """

    def __init__(self) -> None:
        self.without = 0
        self._left = TAGS_BUDGET
        self._bare: set[str] = set()

    def kept(self, rule: Rule) -> Rule:
        """Return a rule with its tags where there is room for them."""
        self._left -= sum(len(key.encode()) + len(value.encode()) for key, value in rule.tags)
        if self._left >= 0 or not rule.tags:
            return rule
        self.without += 1
        self._bare.add(rule.identity)
        return replace(rule, tags=())

    def kept_in(self, operation: Operation) -> Operation:
        """Return an operation with the tags of what it made, unless the change has the rule without them."""
        match operation:
            case Added():
                return replace(operation, rule=self._again(operation.rule))
            case Edited():
                return replace(operation, after=self._again(operation.after))
        return operation

    def _again(self, rule: Rule) -> Rule:
        return replace(rule, tags=()) if rule.identity in self._bare else self.kept(rule)


def entry_to_item(entry: LedgerEntry) -> Item:
    """Return the item of a ledger entry, in plain Python values.

    Raises:
        TooLargeError: when the request does not fit; see ``publish``, which splits it before.
    """
    request = entry.request
    body = to_bytes(request_to_json(request))
    if len(body) > LARGEST_BODY:
        raise TooLargeError(f"request {request.request_id} takes {len(body)} bytes, more than {LARGEST_BODY}")
    return {
        "id": request_key(request.request_id),
        "requestId": request.request_id,
        "outcome": entry.outcome,
        "digest": request.digest,
        "attempts": entry.attempts,
        "groupId": request.group_id,
        "region": request.region,
        "eventTime": time_to_text(request.event_time),
        "body": body,
        **({"parts": entry.parts} if entry.parts else {}),
        **({"note": entry.note} if entry.note else {}),
        **({"validUntil": time_to_text(entry.valid_until)} if entry.valid_until is not None else {}),
    }


def entry_from_item(item: Mapping[str, Any]) -> LedgerEntry:
    """Read a ledger entry; its digest has to be the one of its contents.

    Raises:
        FieldError: names the attribute that is missing or wrong.
    """
    field = Field(item, str(item.get("id", "item")))
    outcome = field["outcome"]
    if outcome.value not in get_args(Outcome):
        raise outcome.error(f"expected one of {', '.join(get_args(Outcome))}, found {outcome.value!r}")
    return LedgerEntry(
        request=request_from_json(from_bytes(_binary(field["body"]), f"{field.path}.body")),
        outcome=outcome.value,  # type: ignore[arg-type]  # checked above
        attempts=field["attempts"].optional_integer() or 0,
        parts=field["parts"].optional_integer() or 0,
        note=field["note"].optional_text(),
        valid_until=field["validUntil"].time() if field["validUntil"].optional_text() else None,
    )


# -- parts -------------------------------------------------------------------------------------------------------------


def _times(field: Field) -> tuple[tuple[Direction, datetime], ...]:
    members = {key: moment.time() for key, moment in field.members()}
    unknown = sorted(members.keys() - set(DIRECTIONS))
    if unknown:
        raise field.error(f"{unknown[0]!r} is not a direction")
    return tuple(sorted((direction, members[direction]) for direction in DIRECTIONS if direction in members))


def _direction(field: Field) -> Direction:
    for direction in DIRECTIONS:
        if field.value == direction:
            return direction
    raise field.error(f"expected one of {', '.join(DIRECTIONS)}, found {field.value!r}")


def _binary(field: Field) -> bytes:
    if not isinstance(field.value, bytes):
        raise field.error("expected binary data")
    return field.value
