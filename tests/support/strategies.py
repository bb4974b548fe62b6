"""Hypothesis strategies for the domain's values: what EC2 could hold, in canonical form and in every spelling of it.

Values that only a broken sender could make belong to the tests of the parsers, not here.
"""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from central.chalicelib.requests.record import ClickedMessage, Decision, Failure, HistoryEntry, Record, Task
from member.chalicelib.assessment.approved import approved_with
from member.chalicelib.cloudtrail.call import Call, CallKind
from shared.domain.caller import Caller
from shared.domain.change import Change, Modification, make_change
from shared.domain.operations import Added, Described, Edited, Operation, Removed
from shared.domain.reach import Interfaces, Manager, Reach
from shared.domain.request import FIRST_STATUSES, MOVES, Request
from shared.domain.rule import Direction, Rule, Source, cidr, group, make_rule, prefix_list

# "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*", at most 255 characters
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
DESCRIPTION_ALPHABET = string.ascii_letters + string.digits + " ._-:/()#,@[]+=&;{}!$*"

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGIONS = ("eu-west-1", "us-east-2")

accounts = st.sampled_from(ACCOUNTS)
regions = st.sampled_from(REGIONS)
directions: st.SearchStrategy[Direction] = st.sampled_from(("ingress", "egress"))
descriptions = st.text(DESCRIPTION_ALPHABET, max_size=255)
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001 - aware below
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
"""UTC times in the milliseconds our formats keep."""


def _ids(prefix: str) -> st.SearchStrategy[str]:
    return st.integers(0, 16**17 - 1).map(lambda number: f"{prefix}-{number:017x}")


group_ids = _ids("sg")
rule_ids = _ids("sgr")
request_ids = st.uuids(version=4).map(str)
tags = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12),
    max_size=3,
).map(lambda pairs: tuple(sorted(pairs.items())))

ipv4_sources = st.one_of(
    st.sampled_from(("0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32")),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
).map(cidr)
ipv6_sources = st.one_of(
    st.sampled_from(("::/0", "2001:db8::/32", "fd00::1/128")),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
).map(cidr)
prefix_list_sources = _ids("pl").map(prefix_list)
# A group id belongs to one account for ever, so the owner follows from the id.
group_sources = st.builds(
    lambda group_id, peering: group(group_id, account=ACCOUNTS[int(group_id[-1], 16) % 3], peering=peering),
    group_ids,
    st.one_of(st.just(""), _ids("pcx")),
)
sources: st.SearchStrategy[Source] = st.one_of(ipv4_sources, ipv6_sources, prefix_list_sources, group_sources)

_port_ranges = st.one_of(
    st.sampled_from(((22, 22), (443, 443), (0, 65535))),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: (min(pair), max(pair))),
)
_type_ranges = st.one_of(st.just((-1, -1)), st.tuples(st.integers(0, 255), st.integers(-1, 255)))
_other_protocols = st.integers(0, 255).filter(lambda number: number not in (1, 6, 17, 58)).map(str)
protocols_and_ports: st.SearchStrategy[tuple[str, tuple[int | None, int | None]]] = st.one_of(
    st.tuples(st.sampled_from(("tcp", "udp")), _port_ranges),
    st.tuples(st.sampled_from(("icmp", "icmpv6")), _type_ranges),
    st.tuples(st.one_of(st.just("-1"), _other_protocols), st.just((None, None))),
)
"""A canonical protocol with ports that fit it."""


@st.composite
def rules(
    draw: st.DrawFn,
    *,
    direction: Direction | None = None,
    with_id: bool | None = None,
    source: st.SearchStrategy[Source] = sources,
) -> Rule:
    """One rule.

    Args:
        draw: hypothesis' own.
        direction: this one; ``None`` for either.
        with_id: whether it has a rule id; ``None`` for either.
        source: where its source is drawn from.
    """
    protocol, (first, last) = draw(protocols_and_ports)
    has_id = draw(st.booleans()) if with_id is None else with_id
    return make_rule(
        direction=draw(directions) if direction is None else direction,
        protocol=protocol,
        from_port=first,
        to_port=last,
        source=draw(source),
        description=draw(descriptions),
        tags=draw(tags),
        rule_id=draw(rule_ids) if has_id else None,
    )


def rule_sets(*, max_size: int = 8, **options: Any) -> st.SearchStrategy[tuple[Rule, ...]]:
    """The rules of one group, sorted by identity: no two equal for EC2, no rule id twice.

    Args:
        max_size: at most so many rules.
        **options: as for :func:`rules`.
    """
    return st.lists(
        rules(**options),
        max_size=max_size,
        unique_by=(lambda rule: rule.identity, lambda rule: rule.rule_id or object()),
    ).map(sort_rules)


def sort_rules(some: Any) -> tuple[Rule, ...]:
    """Return rules in the order every change and every result of ``apply`` has."""
    return tuple(sorted(some, key=lambda rule: rule.identity))


@st.composite
def before_and_after(draw: st.DrawFn, /, **options: Any) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """A group's rules before and after: some kept, some gone, some new, some edited in place, some described anew."""
    everything = list(draw(rule_sets(max_size=10, **options)))
    before: list[Rule] = []
    after: list[Rule] = []
    while everything:
        rule = everything.pop()
        fate = draw(st.sampled_from(("keep", "remove", "add", "describe", "edit", "restore")))
        if fate != "add":
            before.append(rule)
        if fate in ("keep", "add"):
            after.append(rule)
        elif fate == "describe":
            after.append(_with(rule, description=draw(descriptions)))
        elif fate == "restore":  # removed and added again: equal for EC2, but with another id
            after.append(_with(rule, rule_id=draw(rule_ids)))
        elif fate == "edit" and everything:
            new = everything.pop()
            after.append(_with(new, rule_id=rule.rule_id))
    return sort_rules(before), sort_rules(after)


def _with(rule: Rule, **values: Any) -> Rule:
    parts = {name: getattr(rule, name) for name in Rule.__dataclass_fields__}
    return make_rule(**{**parts, **values})


@st.composite
def changes(draw: st.DrawFn, /, **options: Any) -> Change:
    """A change that fits some group: no two of its rules equal, but both sides of a new description."""
    some = list(draw(rule_sets(max_size=10, **options)))
    added: list[Rule] = []
    removed: list[Rule] = []
    modified: list[Modification] = []
    while some:
        rule = some.pop()
        match draw(st.sampled_from(("add", "remove", "edit", "describe"))):
            case "add":
                added.append(rule)
            case "remove":
                removed.append(rule)
            case "edit" if some:
                modified.append(Modification(before=rule, after=_with(some.pop(), rule_id=rule.rule_id)))
            case _:
                modified.append(Modification(before=rule, after=_with(rule, description=draw(descriptions))))
    return make_change(added=added, removed=removed, modified=modified)


_names = st.one_of(
    st.fixed_dictionaries({"rule_id": rule_ids}),
    st.fixed_dictionaries({"rule": rules()}),
    st.fixed_dictionaries({"rule_id": rule_ids, "rule": rules()}),
)
operations: st.SearchStrategy[Operation] = st.one_of(
    rules().map(lambda rule: Added(rule=rule)),
    _names.map(lambda names: Removed(**names)),
    st.builds(
        lambda names, after, was_gone: Edited(**names, after=after, was_gone=was_gone), _names, rules(), st.booleans()
    ),
    st.builds(lambda names, text: Described(**names, description=text), _names, descriptions),
)
"""What a call may have done to one rule, named by id, by values or by both."""


@st.composite
def callers(draw: st.DrawFn) -> Caller:
    """An IAM user, or a session of a role, with or without a service acting for it."""
    account = draw(accounts)
    person = draw(st.text(string.ascii_letters + string.digits + "+=,.@_-", min_size=2, max_size=64))
    invoked_by = draw(st.sampled_from(("", "cloudformation.amazonaws.com")))
    if draw(st.booleans()):
        arn = f"arn:aws:iam::{account}:user/{person}"
        return Caller(type="IAMUser", account=account, arn=arn, principal_arn=arn, name=person, invoked_by=invoked_by)
    role = draw(st.sampled_from(("AWSReservedSSO_Admin_0123456789abcdef", "deploy")))
    path = "aws-reserved/sso.amazonaws.com/" if role.startswith("AWSReservedSSO_") else ""
    return Caller(
        type="AssumedRole",
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{role}/{person}",
        principal_arn=f"arn:aws:iam::{account}:role/{path}{role}",
        name=f"{person} ({role})",
        invoked_by=invoked_by,
    )


_ACTIONS: dict[CallKind, tuple[str, ...]] = {
    "add": ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
    "remove": ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
    "modify": ("ModifySecurityGroupRules",),
    "describe": ("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
    "create_group": ("CreateSecurityGroup",),
    "delete_group": ("DeleteSecurityGroup",),
}


@st.composite
def calls(draw: st.DrawFn, *, kind: CallKind | None = None) -> Call:
    """A recorded call without its rules, as policy judges it.

    Args:
        draw: hypothesis' own.
        kind: this kind; ``None`` for any.
    """
    chosen = draw(st.sampled_from(tuple(_ACTIONS))) if kind is None else kind
    name = draw(st.sampled_from(_ACTIONS[chosen]))
    direction: Direction | None = None
    if name.endswith(("Ingress", "Egress")):
        direction = "ingress" if name.endswith("Ingress") else "egress"
    caller = draw(callers())
    return Call(
        name=name,
        kind=chosen,
        direction=direction,
        request_id=draw(request_ids),
        event_time=draw(moments),
        account=caller.account,
        region=draw(regions),
        caller=caller,
        error_code=draw(st.sampled_from(("", "", "", "Client.DryRunOperation"))),
        group_id=draw(group_ids),
    )


reaches = st.none() | st.builds(
    Reach,
    interfaces=st.none() | st.builds(Interfaces, count=st.integers(0, 100), is_more=st.booleans()),
    manager=st.none() | st.builds(Manager, name=st.text(DESCRIPTION_ALPHABET, max_size=300), is_tagged=st.booleans()),
    in_force_seconds=st.none() | st.integers(0, 1000),
)


@st.composite
def requests(draw: st.DrawFn, /, **options: Any) -> Request:
    """A request as a member account files it.

    Args:
        draw: hypothesis' own.
        **options: as for :func:`rules`, for the rules of its change.
    """
    requester = draw(st.one_of(st.none(), callers()))
    status = draw(st.sampled_from(sorted(FIRST_STATUSES)))
    change = draw(changes(**options))
    made = () if requester is None else draw(st.lists(operations, max_size=3).map(tuple))
    timed = sorted({rule.identity for rule in change.rules if draw(st.integers(0, 4)) == 0})
    return Request(
        request_id=draw(request_ids),
        account=draw(accounts),
        account_name=draw(st.sampled_from(("", "shop-production"))),
        region=draw(regions),
        group_id=draw(group_ids),
        group_name=draw(st.text(DESCRIPTION_ALPHABET, max_size=255)),
        requester=requester,
        event_name="" if requester is None else "AuthorizeSecurityGroupIngress",
        event_time=draw(moments),
        change=change,
        origin="snapshot" if requester is None else "call",
        status=status,
        reason="" if status == "pending" else draw(st.text(string.printable, min_size=1, max_size=40)),
        remaining=tuple(change.added) if status == "unreverted" else (),
        operations=made,
        approved=approved_with(change, made, draw(rule_sets(max_size=2))),
        limits=tuple((identity, draw(moments)) for identity in timed),
        reach=draw(reaches),
    )


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A stored request somewhere on its way, with the history that led there."""
    request = draw(requests())
    user = draw(st.from_regex(r"U[A-Z0-9]{8}", fullmatch=True))
    at = draw(moments)
    history = [HistoryEntry(at=request.event_time, status=request.status, previous="", by=request.account)]
    steps = draw(st.integers(0, 3))
    while MOVES[history[-1].status] and len(history) <= steps:
        status = draw(st.sampled_from(sorted(MOVES[history[-1].status])))
        history.append(HistoryEntry(at=at, status=status, previous=history[-1].status, by=user))
    decided = len(history) > 1 and history[1].status in ("approved", "denied")
    has_failed = any(entry.status == "error" for entry in history)
    clicked = ClickedMessage(response_url="https://hooks.slack.com/actions/T0/1/x", ts="1503435956.000247")
    tasks: tuple[Task, ...] = ("ask", "announce", "dispatch", "notify", "notifyMonitoring")
    return Record(
        request=request,
        status=history[-1].status,
        requested_at=request.event_time,
        tasks=tuple((task, at) for task in tasks if draw(st.booleans())),
        history=tuple(history),
        decision=Decision(by=user, by_name="Ada", at=at) if decided else None,
        failure=Failure(code="InvalidPermission.Duplicate", reason="The rule exists already.") if has_failed else None,
        clicked=clicked if decided else ClickedMessage(),
        reminded_at=draw(st.one_of(st.none(), st.just(at))),
        duplicate_of=draw(st.sampled_from(["", "59dbff89-35bd-4eac-99ed-be587ed825a1"])),
        duplicates=draw(st.integers(0, 1000)),
        duplicates_shown=draw(st.integers(0, 1000)),
    )
