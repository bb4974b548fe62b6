"""Lambda's context says how long there is and who asks; without it, or with a poor imitation, the app works too.

Tools that call a handler by hand (a redrive, a local run, a test of somebody else's) bring whatever context they have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from central.app import app, securityGroupChange, sweepRequests
from shared.domain.request import Request
from shared.wire.messages import APPLY, DENY, RequestMessage, write_message
from tests.support.central_account import ACCOUNT, Central, click_body, make_request, signed_headers


@dataclass(frozen=True, slots=True)
class Imitation:
    """The context that aws-lambda-powertools' documentation gives tests: one id for all, and no time to ask for."""

    function_name: str = "test"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:test"
    aws_request_id: str = "52fdfc07-2182-154f-163f-5f0f9a621d72"


def click(central: Central, request: Request, action: str, context: Any) -> int:
    """Click a button of a request."""
    body = click_body(central.slack, request, action, "U061F7AUR")
    status: int = app(http_event(body, body.decode()), context)["statusCode"]
    return status


def http_event(signed: bytes, body: str) -> dict[str, Any]:
    """Return a POST as API Gateway hands it to the function, with the signature of some body."""
    return {
        "requestContext": {"resourcePath": "/slack/actions", "httpMethod": "POST"},
        "multiValueQueryStringParameters": None,
        "headers": signed_headers(signed),
        "pathParameters": None,
        "body": body,
        "stageVariables": None,
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("context", [None, object(), Imitation()], ids=["none", "empty", "imitation"])
def test_every_trigger_works_whatever_the_context_lacks(central: Central, context: Any) -> None:
    """A request is asked, decided and swept without anything that only Lambda knows."""
    request = make_request()
    message = write_message(RequestMessage(request=request))
    securityGroupChange(central.client.events.generate_sns_event(message), context)
    assert len(central.approval) == 1
    assert click(central, request, "deny", context) == 200
    assert len(central.sent(DENY)) == 1
    sweepRequests(central.client.events.generate_cw_event("aws.events", "Scheduled Event", {}, []), context)
    assert central.status() == "denied"


@pytest.mark.parametrize(("body", "is_base64"), [("%%%", True), ("ä", True), ("payload=\ud800", False)])
def test_a_body_that_is_no_bytes_is_refused(central: Central, body: str, *, is_base64: bool) -> None:
    """What API Gateway could not have sent is no error of ours: nobody can have signed it."""
    answer = app({**http_event(b"payload=x", body), "isBase64Encoded": is_base64}, None)
    assert answer["statusCode"] == 401
    assert central.sent(APPLY) == []


def test_invocations_that_share_an_id_decide_once(central: Central) -> None:
    """The id of an invocation proves nothing alone: a second click is late, whatever it calls itself."""
    request = central.file()
    assert [click(central, request, "approve", Imitation()) for _ in range(2)] == [200, 200]
    assert len(central.sent(APPLY)) == 1
    assert [entry["status"] for entry in central.item()["history"]] == ["pending", "approved"]
    assert "Your click changed nothing. Approved by" in json.dumps(central.responses[1].payload)
