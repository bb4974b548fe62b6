"""Every parser against documents with something wrong in them: a value, or the one error it declares."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from central.chalicelib.requests.items import record_from_item, record_to_item
from central.chalicelib.slack.click_payload import ClickError, is_ssl_check, read_click
from central.chalicelib.slack.signature import find_flaw, sign
from member.chalicelib.assessment.assess import assess
from member.chalicelib.cloudtrail.event import EventError, created_rule_ids, read_head, read_rules
from member.chalicelib.decision import decide, denied_at_once
from member.chalicelib.ec2.forms import rule_from_api
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, accept_call, adopt, without_unapproved
from member.chalicelib.state.items import (
    LedgerEntry,
    baseline_from_item,
    baseline_to_item,
    entry_from_item,
    entry_to_item,
)
from shared.aws.attributes import from_attributes, to_attributes
from shared.domain.policy import Policy
from shared.domain.request import Request
from shared.domain.rule import RuleError, canonical_protocol, cidr, make_rule
from shared.policy.cli.checks import find_mistakes
from shared.policy.cli.summary import summary
from shared.policy.loading import VENDORED_POLICY_FILE
from shared.wire.compression import from_bytes, from_text
from shared.wire.fields import FieldError
from shared.wire.messages import (
    AppliedMessage,
    ApplyMessage,
    DenyMessage,
    ErrorMessage,
    MessageError,
    RequestMessage,
    read_message,
    write_message,
)
from shared.wire.policy_document import PolicyError, parse_policies
from shared.wire.policy_lines import line_of
from tests.attack.fuzzing import Record, anything, fuzz, mutated, written
from tests.support import events
from tests.support.central_account import make_record, make_request

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
EVENTS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(events.DATA.glob("*.json"))]
RULES = tuple(
    make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=port,
        to_port=port,
        source=cidr("0.0.0.0/0"),
        rule_id=f"sgr-{port}",
    )
    for port in (22, 443)
)
REQUEST = make_request(event_time=NOW)


def baseline() -> Baseline:
    """Return the baseline of the group the example events are about."""
    empty = Baseline(region=events.REGION, group_id=events.GROUP, group_name="web")
    return adopt(empty, "ingress", RULES, NOW)


def test_cloudtrail_events(record_property: Record) -> None:
    """An event is read, judged and laid beside baseline and group, or named as unreadable by the path of a field."""

    def attack(event: Any) -> str:
        created_rule_ids(event)
        try:
            head = read_head(event, NOW)
            call = read_rules(event, head)
        except EventError:
            return "EventError"
        decide(Policy(directions=("ingress", "egress")), call, is_own=False)
        for known in (None, baseline()):
            for live in (RuleSet(), RuleSet(RULES)):
                found = assess(call, known, live, ("ingress",))
                denied_at_once(Policy(require_description=True), found.change.added)
                accept_call(known or baseline(), call, live)
                without_unapproved(known or baseline(), call, live)
        return "accepted"

    ends = fuzz(record_property, "CloudTrail events", mutated(EVENTS), attack)
    assert {"accepted", "EventError"} == set(ends)


def all_messages(request: Request) -> list[Any]:
    """Return one message of every kind, as JSON."""
    ids: dict[str, Any] = {"request_id": request.request_id, "digest": request.digest}
    place: dict[str, Any] = {"account": request.account, "region": request.region}
    some = (
        RequestMessage(request=request),
        AppliedMessage(**ids, **place, applied_at=NOW),
        ErrorMessage(**ids, **place, code="X", reason="x", failed_at=NOW),
        DenyMessage(**ids),
        ApplyMessage(**ids, approver_id="U1", approver_name="ada", approved_at=NOW),
    )
    return [json.loads(write_message(one)) for one in some]


def test_sns_messages(record_property: Record) -> None:
    """A message is read, or refused with the path of a field."""

    def attack(text: str) -> str:
        try:
            read_message(text)
        except MessageError:
            return "MessageError"
        return "accepted"

    texts = mutated(all_messages(REQUEST)).map(json.dumps)
    packed = texts.map(lambda one: json.dumps({"zlib": base64.b85encode(zlib.compress(one.encode())).decode()}))
    ends = fuzz(record_property, "SNS messages", st.one_of(texts, texts, packed, st.text()), attack)
    assert {"accepted", "MessageError"} == set(ends)


CLICK = {
    "type": "block_actions",
    "user": {"id": "U061F7AUR", "username": "grace", "team_id": "T0001"},
    "team": {"id": "T0001"},
    "token": "t",
    "container": {"type": "message", "message_ts": "1727740800.000100"},
    "response_url": "https://hooks.slack.com/actions/T0001/1/x",
    "actions": [{"action_id": "approve", "value": json.dumps({"requestId": "r", "digest": "0" * 64})}],
}


@st.composite
def click_bodies(draw: st.DrawFn, click: dict[str, Any] | None = None) -> bytes:
    """A form with a click that has something wrong in it, in the payload, in the button's value, or in the bytes."""
    payload = draw(mutated([click or CLICK]))
    text = json.dumps(payload)
    body = urlencode({draw(st.sampled_from(("payload", "payload", "payload", "ssl_check", ""))): text}).encode()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=6)) + body[at + draw(st.integers(0, 6)) :]
    return draw(st.one_of(st.just(body), st.just(body), st.binary(max_size=200)))


def test_click_bodies(record_property: Record) -> None:
    """A signed body is a click, Slack's look at the certificate, or refused with the path of a field."""

    def attack(body: bytes) -> str:
        is_check = is_ssl_check(body)
        try:
            click = read_click(body)
        except ClickError:
            return "ssl_check" if is_check else "ClickError"
        assert click.user_id
        assert len(click.digest) == 64
        return "accepted"

    ends = fuzz(record_property, "click bodies", click_bodies(), attack)
    assert {"accepted", "ClickError"} <= set(ends)


def test_signatures(record_property: Record) -> None:
    """No header, however odd, is an error; and nothing but the genuine signature is genuine."""
    texts = st.one_of(
        st.text(), st.text("0123456789abcdef=v", max_size=80), st.sampled_from(("1796000000", "1796000000 ", "v0="))
    )
    moment = datetime.fromtimestamp(1_796_000_000, UTC)

    def attack(pair: tuple[str, str, bytes]) -> str:
        timestamp, signature, body = pair
        flaw = find_flaw(secret="s", timestamp=timestamp, signature=signature, body=body, now=moment)
        assert flaw
        genuine = sign("s", "1796000000", body)
        assert not find_flaw(secret="s", timestamp="1796000000", signature=genuine, body=body, now=moment)
        return "refused"

    fuzz(record_property, "signatures", st.tuples(texts, texts, st.binary(max_size=50)), attack)


@st.composite
def policy_texts(draw: st.DrawFn) -> str:
    """The shipped policy with lines put in, taken out and cut."""
    lines = VENDORED_POLICY_FILE.read_text(encoding="utf-8").splitlines()
    keys = (
        "mode",
        "directions",
        "guard",
        "approvers",
        "drift",
        "expire_after_hours",
        "x",
        '"',
        "[accounts]",
        "[people]",
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines)))
        value = draw(st.one_of(written.map(lambda one: json.dumps(one)), st.text(max_size=20)))
        line = draw(
            st.sampled_from((f"{draw(st.sampled_from(keys))} = {value}", value, f"[{value}]", f"[accounts.{value}]"))
        )
        lines[at : at + draw(st.integers(0, 2))] = [line]
    return "\n".join(lines)


def test_policy_documents(record_property: Record) -> None:
    """A policy is understood completely, or refused with the key."""

    def attack(text: str) -> str:
        try:
            policies = parse_policies(text)
        except PolicyError as error:
            line_of(text, error.path)
            return "PolicyError"
        find_mistakes(policies)
        summary(policies)
        return "accepted"

    fuzz(record_property, "policy documents", st.one_of(policy_texts(), policy_texts(), st.text()), attack)


def test_stored_items(record_property: Record) -> None:
    """A damaged item of either table is named by its attribute; nothing half read is used."""
    entry = LedgerEntry(request=REQUEST, outcome="reverted")
    readers = {"requestId": record_from_item, "rule": baseline_from_item, "entry": entry_from_item}
    items = {
        "requestId": record_to_item(make_record(REQUEST)),
        "rule": baseline_to_item(baseline()),
        "entry": entry_to_item(entry),
    }
    plain = {kind: from_attributes(to_attributes(item)) for kind, item in items.items()}
    inputs = st.sampled_from(sorted(plain)).flatmap(
        lambda kind: st.tuples(
            st.just(kind), mutated([plain[kind]], anything).filter(lambda one: isinstance(one, dict))
        )
    )

    def attack(pair: tuple[str, Any]) -> str:
        kind, item = pair
        try:
            readers[kind](item)
        except FieldError:
            return "FieldError"
        return "accepted"

    ends = fuzz(record_property, "stored items", inputs, attack)
    assert {"accepted", "FieldError"} == set(ends)


def test_packing(record_property: Record) -> None:
    """Bytes and texts of any kind are unpacked or refused; nothing unpacks to more than there is room for."""
    body = mutated(all_messages(REQUEST)).map(lambda one: json.dumps(one).encode())
    cut = st.tuples(body.map(zlib.compress), st.integers(0, 400)).map(lambda pair: pair[0][: pair[1]])
    bombs = st.integers(1, 3).map(lambda level: zlib.compress(b"[" * 10**6 * level))
    blobs = st.one_of(body, body.map(zlib.compress), cut, bombs, st.binary())

    def attack(blob: bytes) -> str:
        try:
            from_bytes(blob)
            from_text(blob.decode("utf-8", "surrogateescape"))
        except FieldError:
            return "FieldError"
        return "accepted"

    ends = fuzz(record_property, "packed documents", blobs, attack)
    assert "FieldError" in ends


def test_answers_of_ec2(record_property: Record) -> None:
    """A rule that EC2 describes is read, or named by its field: the snapshot goes on with the others."""
    described = {
        "SecurityGroupRuleId": "sgr-1",
        "GroupId": "sg-1",
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "CidrIpv4": "0.0.0.0/0",
        "Description": "x",
        "Tags": [{"Key": "a", "Value": "b"}],
        "ReferencedGroupInfo": {"GroupId": "sg-2", "UserId": "222222222222"},
    }

    def attack(document: Any) -> str:
        try:
            rule_from_api(document, "222222222222")
        except FieldError:
            return "FieldError"
        return "accepted"

    ends = fuzz(record_property, "EC2's answers", mutated([described]), attack)
    assert {"accepted", "FieldError"} == set(ends)


def test_rules(record_property: Record) -> None:
    """Protocols, ports and addresses in any spelling make a canonical rule or a RuleError."""
    ports = st.one_of(st.none(), st.integers(-2, 70_000), st.integers())
    texts = st.one_of(st.text(), st.text("0123456789abcdef.:/% ", max_size=45), st.ip_addresses().map(str))

    def attack(parts: tuple[str, Any, Any, str]) -> str:
        protocol, first, last, block = parts
        try:
            rule = make_rule(
                direction="ingress",
                protocol=canonical_protocol(protocol),
                from_port=first,
                to_port=last,
                source=cidr(block),
            )
        except RuleError:
            return "RuleError"
        assert (
            make_rule(
                direction="ingress",
                protocol=rule.protocol,
                from_port=rule.from_port,
                to_port=rule.to_port,
                source=cidr(rule.source.value),
            )
            == rule
        )
        return "accepted"

    protocols = st.one_of(st.sampled_from(("tcp", "TCP", "6", "-1", "icmp", "58", "50")), st.text(max_size=5))
    fuzz(record_property, "rules", st.tuples(protocols, ports, ports, texts), attack)
