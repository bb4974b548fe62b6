"""Requests and records to make messages from, examples and generated ones, and how the tests read a payload."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st

from shared.domain.caller import Caller
from shared.domain.change import Change, Modification, make_change
from shared.domain.request import Request, Status
from shared.domain.rule import Rule, Source, cidr, group, group_by_name, make_rule, prefix_list
from shared.slack import messages
from shared.slack.blocks import Payload
from shared.slack.request_view import RequestView

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
STATUSES: tuple[Status, ...] = get_args(Status)

ADA = Caller(
    type="AssumedRole",
    account="222222222222",
    arn="arn:aws:sts::222222222222:assumed-role/AWSReservedSSO_Admin_1a2b/ada@example.com",
    principal_arn="arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1a2b",
    name="ada@example.com (AWSReservedSSO_Admin_1a2b)",
)
MARKUP = (
    "<!here> <@U061F7AUR> *bold* _it_ ~no~ `code` <https://evil.example|safe> https://evil.example @channel :tada: &lt;"
)


def tcp(port: int, source: str = "10.0.0.0/8", **more: Any) -> Rule:
    """Return an inbound TCP rule."""
    values: dict[str, Any] = {"direction": "ingress", "protocol": "tcp", "from_port": port, "to_port": port, **more}
    return make_rule(source=cidr(source), **values)


def many(number: int, description: str = "") -> Change:
    """Return a change that adds so many rules, each with its own source, port and description of 255 characters."""
    rules = []
    for index in range(number):
        text = f"{index:04d} {description}"
        rules.append(tcp(1000 + index, f"10.{index // 250}.{index % 250}.0/24", description=(text + "&<*" * 85)[:255]))
    return make_change(added=rules)


def make_request(change: Change, **values: Any) -> Request:
    """Return a request; each value can be set."""
    defaults: dict[str, Any] = {
        "request_id": "59dbff89-35bd-4eac-99ed-be587ed825a1",
        "account": "222222222222",
        "account_name": "production",
        "region": "eu-west-1",
        "group_id": "sg-0123456789abcdef0",
        "group_name": "web",
        "requester": ADA,
        "event_name": "AuthorizeSecurityGroupIngress",
        "event_time": NOON,
    }
    return Request(change=change, **(defaults | values))


def make_view(request: Request, status: Status = "pending", **values: Any) -> RequestView:
    """Return a request in that status, as messages show it; each value can be set."""
    defaults: dict[str, Any] = {"requested_at": request.event_time}
    if status in ("approved", "applied", "error", "denied"):
        decided_at = NOON + timedelta(minutes=5)
        defaults |= {"decided_by": "U061F7AUR", "decided_by_name": "grace", "decided_at": decided_at}
    if status == "error":
        defaults |= {"error_code": "InvalidPermission.Duplicate", "error_reason": "the specified rule already exists"}
    return RequestView(request=request, status=status, **(defaults | values))


def every_message(view: RequestView) -> Iterator[Payload]:
    """Yield every payload that the product could send about a request."""
    yield from messages.question(view)
    yield from messages.question(view, reminder=True)
    yield from messages.outcome(view)
    for approving in (True, False):
        yield from map(messages.as_replacement, messages.processing(view, approving=approving))
    yield messages.as_replacement(messages.outcome_replacement(view))
    yield messages.ephemeral(view.request.reason or "Done.")


# -- reading -----------------------------------------------------------------------------------------------------------


def all_blocks(payload: Payload) -> list[Payload]:
    """Return the blocks, those in attachments included."""
    return [*payload["blocks"], *(block for one in payload.get("attachments", ()) for block in one["blocks"])]


def text_objects(value: Any) -> Iterator[Payload]:
    """Yield every text object, wherever it is."""
    if isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value
        else:
            for member in value.values():
                yield from text_objects(member)
    elif isinstance(value, list):
        for element in value:
            yield from text_objects(element)


def texts(payload: Payload, kind: str = "") -> list[str]:
    """Return what is seen without a click, in order: all texts, or those of one type."""
    shown = [block for block in all_blocks(payload) if block["type"] != "actions"]
    return [one["text"] for one in text_objects(shown) if kind in ("", one["type"])]


def rule_texts(payload: Payload) -> list[str]:
    """Return the sections that show rules."""
    return [text for text in texts(payload, "plain_text") if text.startswith(("•", "    "))]


def buttons(payload: Payload) -> list[Payload]:
    """Return the buttons of a message."""
    return [button for block in all_blocks(payload) if block["type"] == "actions" for button in block["elements"]]


# -- generating --------------------------------------------------------------------------------------------------------

# More often than not what hurts: markup, escapes, line ends, what turns text around or has no shape. Half a surrogate
# pair is refused where it is read (``Field.text``), so no request has one.
nasty = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",)),
        st.sampled_from('&<>*_~`@:|"\\\n\t\u202e\u200b\u3164\ufe0f\U000e0001'),
    ),
    max_size=300,
)

sources: st.SearchStrategy[Source] = st.one_of(
    st.ip_addresses().map(str).map(cidr),
    st.integers(0, 32).map(lambda bits: cidr(f"8.8.0.0/{bits}")),
    st.integers(0, 128).map(lambda bits: cidr(f"2600::/{bits}")),
    st.from_regex(r"pl-[0-9a-f]{8,17}", fullmatch=True).map(prefix_list),
    st.builds(
        group, st.from_regex(r"sg-[0-9a-f]{8,17}", fullmatch=True), account=st.just("111111111111"), peering=nasty
    ),
    st.builds(group_by_name, nasty),
)
ports = st.integers(0, 65535)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Generate rules of every protocol and kind of source."""
    protocol = draw(st.sampled_from(["tcp", "udp", "icmp", "icmpv6", "-1", "50", "99"]))
    first, last = sorted((draw(ports), draw(ports)))
    if protocol.startswith("icmp"):
        first, last = draw(st.integers(-1, 255)), draw(st.integers(-1, 255))
    return make_rule(
        direction=draw(st.sampled_from(["ingress", "egress"])),
        protocol=protocol,
        from_port=first,
        to_port=last,
        source=draw(sources),
        description=draw(nasty),
        tags=draw(st.lists(st.tuples(nasty, nasty), max_size=3)),
    )


changes = st.builds(
    make_change,
    added=st.lists(rules(), max_size=4),
    removed=st.lists(rules(), max_size=3),
    modified=st.lists(st.builds(Modification, before=rules(), after=rules()), max_size=3),
)
callers = st.builds(
    Caller,
    type=st.just("AssumedRole"),
    arn=st.one_of(nasty, st.just("arn:aws:sts::222222222222:assumed-role/" + "r" * 2009)),
    name=nasty,
    invoked_by=nasty,
)
requests = st.builds(
    Request,
    request_id=st.one_of(st.uuids().map(str), st.from_regex(r"[A-Za-z0-9:-]{512}", fullmatch=True)),
    account=st.just("222222222222"),
    account_name=nasty,
    region=st.sampled_from(["eu-west-1", "ap-southeast-2"]),
    group_id=st.sampled_from(["", "sg-0123456789abcdef0"]),
    group_name=st.one_of(nasty, st.just("&" * 255)),
    requester=st.one_of(st.none(), callers),
    event_name=st.sampled_from(["", "ModifySecurityGroupRules"]),
    event_time=st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    change=changes,
    origin=st.sampled_from(["call", "snapshot", "notice"]),
    status=st.sampled_from(["pending", "denied", "unreverted", "observed"]),
    reason=nasty,
    remaining=st.lists(rules(), max_size=2).map(tuple),
)
views = st.builds(
    RequestView,
    request=requests,
    status=st.sampled_from(STATUSES),
    requested_at=st.just(NOON),
    decided_by=st.one_of(nasty, st.sampled_from(["", "policy", "U061F7AUR", "W012A3CDE"])),
    decided_by_name=nasty,
    decided_at=st.sampled_from([None, NOON]),
    error_code=st.one_of(nasty, st.sampled_from(["InvalidPermission.Duplicate", "Client.InvalidGroup.NotFound"])),
    error_reason=nasty,
    times_made=st.sampled_from([1, 1, 3, 1_000_001]),
)
