"""docs/contracts.md names every attribute that is stored, every field that is sent, and every setting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from central.chalicelib.requests.items import record_to_item
from central.chalicelib.requests.record import ClickedMessage, Decision, Failure, HistoryEntry, Record
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Difference, accept_call, with_tags_seen
from member.chalicelib.state.items import Adoption, LedgerEntry, adoption_to_item, baseline_to_item, entry_to_item
from shared.domain.request import Request
from shared.wire.messages import (
    AdoptedMessage,
    AppliedMessage,
    ApplyMessage,
    DenyMessage,
    ErrorMessage,
    Message,
    RequestMessage,
    write_message,
)
from tests.support.central_account import make_request
from tests.support.examples import adopted, call, tcp

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
REQUEST: Request = make_request(event_time=NOON)
SUBJECT: dict[str, str] = {
    "request_id": "r-1",
    "digest": REQUEST.digest,
    "account": REQUEST.account,
    "region": REQUEST.region,
}
MESSAGES: tuple[Message, ...] = (
    RequestMessage(request=REQUEST),
    AppliedMessage(**SUBJECT, applied_at=NOON),
    ErrorMessage(**SUBJECT, code="UnknownRequest", reason="unknown", failed_at=NOON),
    ApplyMessage(request_id="r-1", digest="0", approver_id="U1", approver_name="ada", approved_at=NOON),
    DenyMessage(request_id="r-1", digest="0"),
    AdoptedMessage(account="1", account_name="a", region="r", adopted_at=(("ingress", NOON),), groups=1),
)


def section(title: str) -> str:
    """Return the part of the page below a heading of the second level."""
    return PAGE.split(f"\n## {title}")[1].split("\n## ")[0]


def is_named(key: str, text: str) -> bool:
    """True when a name stands in code quotes."""
    return any(re.search(rf"\b{re.escape(key)}\b", quoted) for quoted in re.findall(r"`([^`\n]+)`", text))


def keys(value: Any) -> Iterator[str]:
    """Yield the keys of a document that have names of ours; a map by direction, task or tag has not."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            if key not in ("adoptedAt", "tags", "body"):
                yield from keys(member)
    elif isinstance(value, list):
        for member in value:
            yield from keys(member)


def member_items() -> dict[str, dict[str, Any]]:
    """Return one of each item of the member's table, with everything that it can have."""
    rule = replace(tcp(22, "sgr-1", description="x"), tags=(("team", "web"),))
    baseline = with_tags_seen(adopted(rule), RuleSet([rule]))
    baseline = accept_call(baseline, call("remove", resulting=(rule,)), RuleSet())
    baseline = replace(baseline, differences=(Difference(key="+ x", since=NOON),))
    group = baseline_to_item(baseline)
    return {
        "group": group | {"of the body": json.loads(group["body"])},
        "request": entry_to_item(LedgerEntry(request=REQUEST, outcome="reverted", parts=2)) | {"note": ""},
        "region": adoption_to_item(Adoption(region="eu-west-1", adopted=(("ingress", NOON),))),
    }


@pytest.mark.parametrize("kind", ["group", "request", "region"])
def test_it_names_every_attribute_of_the_members_table(kind: str) -> None:
    """Of the bodies of baselines, too."""
    text = section("A rule") + section("Member table")
    wanted = set(keys(member_items()[kind])) - {"of the body"}
    assert len(wanted) > 4
    assert [key for key in sorted(wanted) if not is_named(key, text)] == []


def test_it_names_every_attribute_of_the_central_table() -> None:
    """Of a request that has everything."""
    record = Record(
        request=replace(REQUEST, reason="why"),
        status="error",
        requested_at=NOON,
        tasks=(("notify", NOON),),
        leases=(("notify", NOON),),
        history=(HistoryEntry(at=NOON, status="error", previous="approved", by="sweep", note="why"),),
        decision=Decision(by="U1", by_name="ada", at=NOON),
        failure=Failure(code="NotInForce", reason="why"),
        clicked=ClickedMessage(response_url="https://hooks.slack.com/x", ts="1.1"),
        reminded_at=NOON,
        duplicate_of="r-2",
        duplicates=3,
        duplicates_shown=3,
    )
    text = section("Central table")
    assert [key for key in keys(record_to_item(record, owner="i-1")) if not is_named(key, text)] == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_it_names_every_field_of_a_message(message: Message) -> None:
    """With its type, and of a request everything in it."""
    document = json.loads(write_message(message))
    text = section("A rule") + section("A request") + section("SNS messages")
    assert is_named(document["type"], text)
    assert [key for key in keys(document) if not is_named(key, text)] == []


@pytest.mark.parametrize("app", ["central", "member"])
def test_it_names_every_setting(app: str) -> None:
    """As the configuration of each app has them."""
    config = json.loads((ROOT / ".chalice" / app / "config.json").read_text(encoding="utf-8"))
    names = config["stages"]["dev"]["environment_variables"]
    assert [name for name in names if not is_named(name, section("Settings"))] == []


def test_it_names_every_notice() -> None:
    """As the flows publish them."""
    sources = [path.read_text() for app in ("member", "central") for path in (ROOT / app / "chalicelib").glob("*.py")]
    kinds = set(re.findall(r'notice\(\s*here,\s*"(\w+)"', "\n".join(sources))) | {"Adopted", "AdoptedAgain"}
    assert len(kinds) > 5
    assert [kind for kind in sorted(kinds) if not is_named(kind, section("SNS messages"))] == []
