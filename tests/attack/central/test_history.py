"""A request's history is only ever appended to: by every flow, in every write, and by what the functions may do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from shared.domain.request import Request
from shared.wire.messages import AppliedMessage, ErrorMessage
from tests.support.central_account import Central, make_request
from tests.support.slack_stand_in import APPROVAL, Reply

POLICIES = Path(__file__).parents[3] / ".chalice" / "central" / "policies"

PUTTING = ("securityGroupChange", "sweepRequests")
"""What stores requests, and what makes batches of them."""

Write = tuple[str, dict[str, Any]]


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Write]]:
    """Every call to DynamoDB from now on that could change something."""
    made: list[Write] = []
    original = BaseClient._make_api_call

    def noting(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if self.meta.service_model.service_name == "dynamodb" and operation not in ("GetItem", "BatchGetItem", "Query"):
            made.append((operation, arguments))
        return original(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", noting)
    return made  # type: ignore[return-value]  # a fixture may be what it yields


def report(request: Request, *, failed: bool) -> AppliedMessage | ErrorMessage:
    """Return what the member account says."""
    ids: dict[str, Any] = {
        "request_id": request.request_id,
        "digest": request.digest,
        "account": request.account,
        "region": request.region,
    }
    if failed:
        return ErrorMessage(**ids, code="InvalidGroup.NotFound", reason="gone", failed_at=datetime.now(UTC))
    return AppliedMessage(**ids, applied_at=datetime.now(UTC))


def tell_everything(central: Central) -> Iterator[Request]:
    """Play every flow the central app knows, on requests of every kind; yield each one again after every step."""
    for number, status in enumerate(("pending", "denied", "unreverted", "observed")):
        yield central.file(make_request(f"first-{number}", status=status, reason="because"))
    denied = central.file(make_request("denied"))
    yield denied
    central.click(denied, "deny")
    yield denied
    central.click(denied, "approve")
    yield denied
    failed = central.file(make_request("failed"))
    yield failed
    central.click(failed)
    yield failed
    central.sweep(minutes=20)
    yield failed
    central.deliver(report(failed, failed=True), to="errorHandlerSecurityGroupChange")
    yield failed
    central.deliver(report(failed, failed=False))
    yield failed
    central.slack.always[APPROVAL] = Reply(status=503)
    unasked = central.file(make_request("unasked"))
    yield unasked
    central.slack.always.clear()
    for hours in (0.2, 5, 6, 80):
        central.sweep(hours=hours)
        yield unasked
    central.file(unasked)
    yield unasked
    fight = [make_request(f"fight-{number}", group_id="sg-0000000000000000f") for number in range(4)]
    for one in fight:
        yield central.file(one)
    central.click(fight[0], "deny")
    yield fight[0]
    central.sweep()
    yield fight[-1]


def singly(writes: list[Write]) -> Iterator[Write]:
    """Yield each write, those within transactions too."""
    for operation, arguments in writes:
        if operation != "TransactWriteItems":
            yield operation, arguments
            continue
        for one in arguments["TransactItems"]:
            for kind, inner in one.items():
                yield f"{kind}Item", inner


def test_no_flow_forgets_a_line_of_a_history(central: Central) -> None:
    """After every step of every flow a history begins with all it said before."""
    known: dict[str, list[Any]] = {}
    for request in tell_everything(central):
        for request_id in {*known, request.request_id}:
            history = central.item(request_id)["history"]
            before = known.get(request_id, [])
            assert history[: len(before)] == before
            known[request_id] = history
    assert [entry["status"] for entry in known["failed"]] == ["pending", "approved", "approved", "error", "applied"]
    assert [entry["status"] for entry in known["unasked"]] == ["pending", "pending", "expired"]
    assert [entry["status"] for entry in known["fight-3"]] == ["pending", "denied"]
    for history in known.values():
        assert [entry.get("previous", "") for entry in history] == ["", *(entry["status"] for entry in history[:-1])]
        assert all(entry["by"] for entry in history)


def test_no_write_could_forget_one(central: Central, writes: list[Write]) -> None:
    """An item is put only where none is, and a history is set only to itself with something appended."""
    for _ in tell_everything(central):
        pass
    assert {operation for operation, _ in writes} == {"PutItem", "UpdateItem", "TransactWriteItems"}
    for operation, arguments in singly(writes):
        if operation == "PutItem":
            of_batch = arguments["Item"]["requestId"]["S"].startswith("batch#")  # has no history, and is written whole
            assert of_batch or arguments["ConditionExpression"] == "attribute_not_exists(requestId)"
            assert arguments["ConditionExpression"]
            continue
        expression = arguments["UpdateExpression"]
        touching = [part for part in re.split(r", (?![^(]*\))|SET |REMOVE ", expression) if "#history" in part]
        assert all(re.fullmatch(r"#history = list_append\(#history, :v\d+\) ?", part) for part in touching), expression
        assert "attribute_exists(requestId)" in arguments["ConditionExpression"]
        if "#status = " in expression:
            assert touching, "a move without a line in the history"


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.json")), ids=lambda path: path.stem)
def test_no_function_may_delete_a_request(path: Path) -> None:
    """What the code does not do, the role does not allow: no function deletes items, and two alone put new ones."""
    statements = json.loads(path.read_text(encoding="utf-8"))["Statement"]
    allowed = {action for one in statements if one["Effect"] == "Allow" for action in one["Action"]}
    table = {action.removeprefix("dynamodb:") for action in allowed if action.startswith("dynamodb:")}
    assert table <= {"BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"}
    assert ("PutItem" in table) == (path.stem in PUTTING)


def test_a_request_filed_again_keeps_its_history(central: Central) -> None:
    """Not even the account that filed it can begin a request's story anew."""
    request = central.file()
    central.click(request, "deny")
    before = central.item()["history"]
    central.file(request)
    assert central.item()["history"] == before
    assert replace(request).digest == central.item()["digest"]
