"""Reads a security-group call out of the EventBridge event that CloudTrail sends. Pure.

CloudTrail writes EC2 calls in several forms at once: camelCase for the old actions, PascalCase below a wrapper for the
newer ones, one element as an object or several as a list, ports as numbers or text. ``read_head`` reads what the
decision and a revoke by rule id need, and falls back to EventBridge's envelope, or to "unknown", wherever a field has
an unexpected form; ``read_rules`` adds everything else. So nothing odd in a field can keep a port open.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import MAXYEAR, UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard, TypeVar

from shared.domain.place import is_account, is_region
from shared.wire.fields import Field, FieldError

from .call import Call
from .forms import anything_omitted, is_omitted, items, soft_mapping, soft_text
from .identity import read_caller

if TYPE_CHECKING:
    from shared.domain.rule import Direction, Rule

    from .call import CallKind, RuleEdit

_T = TypeVar("_T")


NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a call whose event has none."""


class EventError(FieldError):
    """An event that cannot be read; the message names the field by its path."""


class _Action(NamedTuple):
    kind: CallKind
    direction: Direction | None


ACTIONS: Final[Mapping[str, _Action]] = {
    "AuthorizeSecurityGroupIngress": _Action("add", "ingress"),
    "AuthorizeSecurityGroupEgress": _Action("add", "egress"),
    "RevokeSecurityGroupIngress": _Action("remove", "ingress"),
    "RevokeSecurityGroupEgress": _Action("remove", "egress"),
    "ModifySecurityGroupRules": _Action("modify", None),
    "UpdateSecurityGroupRuleDescriptionsIngress": _Action("describe", "ingress"),
    "UpdateSecurityGroupRuleDescriptionsEgress": _Action("describe", "egress"),
    "CreateSecurityGroup": _Action("create_group", None),
    "DeleteSecurityGroup": _Action("delete_group", None),
    "ModifyManagedPrefixList": _Action("indirect", None),
    "RestoreManagedPrefixListVersion": _Action("indirect", None),
    "AssociateSecurityGroupVpc": _Action("indirect", None),
}
"""The API actions the member app listens to."""


def read_head(event: Mapping[str, object], now: datetime = NO_TIME) -> Call:
    """Read who did what to which group; of the rules, nothing.

    Args:
        event: the EventBridge envelope with ``detail``, the CloudTrail record.
        now: taken where neither record nor envelope has a time that can be read.

    Raises:
        EventError: when the record's ``eventName`` is not one of :data:`ACTIONS`: nothing can be known of it then.
    """
    envelope = Field(event)
    try:
        name = envelope["detail"]["eventName"].text()
    except FieldError as error:
        raise EventError(error.path.removeprefix("detail."), error.problem) from error
    action = ACTIONS.get(name)
    if action is None:
        raise EventError("eventName", f"{name[:40]!r} is not a security group call this product knows")
    detail = envelope["detail"]
    error_code = soft_text(detail["errorCode"])
    parameters = _parameters(detail)
    group_id = soft_text(parameters.either("groupId", "GroupId")) if not error_code else ""
    return Call(
        name=name,
        kind=action.kind,
        direction=action.direction,
        request_id=soft_text(detail["requestID"])
        or soft_text(detail["eventID"])
        or soft_text(envelope["id"])
        or _hash(event),
        event_time=_time(detail["eventTime"]) or _time(envelope["time"]) or now,
        account=_matching(is_account, detail["recipientAccountId"], envelope["account"]),
        region=_matching(is_region, detail["awsRegion"], envelope["region"]),
        caller=read_caller(detail["userIdentity"]),
        error_code=error_code,
        group_id=group_id or _group_of_response(detail["responseElements"]),
        group_name="" if error_code else soft_text(parameters.either("groupName", "GroupName")),
        omitted=is_omitted(detail["requestParameters"]) or is_omitted(detail["responseElements"]),
    )


def reason_to_ignore(event: Mapping[str, object], *, account: str, region: str) -> str:
    """Return why an event is no call of this account and region that was made just now, ``""`` when it is one.

    Args:
        event: the EventBridge envelope.
        account: this account; empty when unknown.
        region: this region; empty when unknown.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html (``replay-name``),
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    envelope = Field(event)
    detail = soft_mapping(envelope["detail"])
    if envelope["replay-name"].value:
        return "it was replayed from an archive"
    category = detail["eventCategory"].value
    if category is not None and category != "Management":
        return f"it is not a management event, but {str(category)[:40]!r}"
    for field, has_form, own in (
        (detail["recipientAccountId"], is_account, account),
        (envelope["account"], is_account, account),
        (detail["awsRegion"], is_region, region),
        (envelope["region"], is_region, region),
    ):
        named = _matching(has_form, field)
        if own and named and named != own:
            return f"its {field.path} is not this one"
    return ""


def read_rules(event: Mapping[str, object], head: Call) -> Call:
    """Return ``head`` with every rule the event speaks of.

    What cannot be read counts as left out, and ``Call.unreadable`` names it by its path.

    Args:
        event: the same event that ``head`` was read from.
        head: what :func:`read_head` returned.
    """
    if head.error_code or head.kind in ("create_group", "delete_group", "indirect"):
        return head
    # Imported here: added rules are revoked before rules are looked at.
    from .rules import answered_rules, described_rules, modified_rules, requested_rule_ids, requested_rules

    detail = soft_mapping(Field(event)["detail"])
    parameters, response = _parameters(detail), detail["responseElements"]
    direction = head.direction or "ingress"
    problems: list[str] = []

    def read(reader: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return reader()
        except FieldError as error:
            problems.append(str(error).removeprefix("detail."))
            return otherwise

    requested: tuple[Rule, ...] = ()
    edits: tuple[RuleEdit, ...] = ()
    rule_ids: tuple[str, ...] = ()
    if not isinstance(detail["requestParameters"].value, Mapping):
        problems.append("requestParameters: expected an object")
    elif not is_omitted(parameters):
        if head.kind == "modify":
            edits = read(lambda: tuple(modified_rules(parameters, head.account)), ())
        else:
            requested = read(lambda: tuple(requested_rules(parameters, direction, head.account)), ())
            edits = read(lambda: tuple(described_rules(parameters)), ()) if head.kind == "describe" else ()
        rule_ids = read(lambda: tuple(requested_rule_ids(parameters)), ())
    resulting: tuple[Rule, ...] | None = None
    is_answer_whole = not anything_omitted(response)
    if is_answer_whole:
        resulting = read(lambda: answered_rules(response, head.kind, direction, head.account, requested), None)
    omitted = not is_answer_whole or anything_omitted(detail["requestParameters"])
    if not (omitted or problems or requested or edits or rule_ids or resulting):
        problems.append("requestParameters: names no rule")
    return replace(
        head,
        requested=requested,
        resulting=resulting,
        rule_ids=rule_ids,
        edits=edits,
        omitted=omitted or bool(problems),
        unreadable="; ".join(problems),
    )


def created_rule_ids(event: Mapping[str, object]) -> tuple[str, ...]:
    """Return the ids of the rules that an Authorize call made, or ``()`` when the event does not have them all.

    Never raises: an answer that cannot be read is one that does not have them.
    """
    try:
        answered = Field(event)["detail"]["responseElements"]["securityGroupRuleSet"]
    except FieldError:
        return ()
    if anything_omitted(answered):
        return ()
    # Without a cursor for each of a thousand rules, all of which stay open meanwhile.
    listed = answered.value
    listed = listed.get("items", listed) if isinstance(listed, Mapping) else listed
    listed = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(listed, list | tuple):
        return ()
    ids: tuple[Any, ...] = tuple(one.get("securityGroupRuleId") for one in listed if isinstance(one, Mapping))
    return ids if len(ids) == len(listed) and all(map(_is_rule_id, ids)) else ()


def _is_rule_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value) and value.isascii()


def _time(field: Field) -> datetime | None:
    """Return the time; none for one at the edge of what a ``datetime`` can say: others are worked out from it."""
    try:
        moment = field.time()
    except FieldError:
        return None
    return moment if NO_TIME.year <= moment.year < MAXYEAR else None


def _matching(has_form: Callable[[str], bool], *fields: Field) -> str:
    return next((text for field in fields if has_form(text := soft_text(field))), "")


def _hash(event: Mapping[str, object]) -> str:
    return f"event-{hashlib.sha256(repr(event).encode(errors='replace')).hexdigest()[:32]}"


def _group_of_response(response: Field) -> str:
    if not isinstance(response.value, Mapping) or is_omitted(response):
        return ""
    if soft_text(response["groupId"]):
        return soft_text(response["groupId"])
    try:
        listed = [
            one for name in ("securityGroupRuleSet", "revokedSecurityGroupRuleSet") for one in items(response[name])
        ]
        return next((found for one in listed if (found := soft_text(soft_mapping(one)["groupId"]))), "")
    except FieldError:
        return ""


def _parameters(detail: Field) -> Field:
    """Return the request parameters, without the wrapper that the newer actions put around them."""
    parameters = soft_mapping(detail["requestParameters"])
    wrapped = parameters[f"{detail['eventName'].value}Request"]
    return wrapped if isinstance(wrapped.value, Mapping) else parameters
