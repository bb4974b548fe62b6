"""The central app's doors against arbitrary input: the route anybody can reach, the topics members can."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from central.chalicelib.outcome import MessageRefusedError
from central.chalicelib.requests.items import record_from_item
from central.chalicelib.requests.table import DifferentRequestError
from central.chalicelib.slack.signature import sign
from central.chalicelib.triggers import WrongTopicError
from shared.wire.messages import MessageError, RequestMessage, write_message
from tests.attack.fuzzing import NASTY, Record, fuzz, mutated
from tests.attack.test_fuzz_parsers import CLICK, all_messages
from tests.shared.slack.test_messages_safety import assert_inert, assert_sound
from tests.support import strategies
from tests.support.central_account import SECRET, Central, make_request
from tests.support.denials import form_of, submission, use_token
from tests.support.slack_stand_in import RESPONSE, SlackStandIn

TOPICS = ("securityGroupChange", "denySecurityGroupChange", "errorHandlerSecurityGroupChange")
HEADERS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)


def test_route(central: Central, record_property: Record) -> None:
    """Whatever is posted, signed or not: 200, 400, 401 or 413, no 5xx, no trace of code, and nothing is decided."""
    request = central.file()
    before, asked = central.item(), len(central.slack.posts)
    # A click on the request that is right in everything but one digit of the digest, which no mutation guesses.
    almost = {"requestId": request.request_id, "digest": f"{int(request.digest[0], 16) ^ 1:x}{request.digest[1:]}"}
    action = {"action_id": "approve", "value": json.dumps(almost)}
    click = {**CLICK, "response_url": central.slack.url(RESPONSE), "actions": [action]}
    forms = mutated([click]).map(lambda payload: urlencode({"payload": json.dumps(payload)}).encode())
    bodies = st.one_of(forms, forms, forms, st.binary(max_size=300), st.just(b"x" * (1024 * 1024 + 1)))

    def attack(one: tuple[bytes, str, str, bool]) -> str:
        body, signature, timestamp, signed = one
        forged = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": timestamp}
        answer = central.post(body) if signed else central.post(body, **forged)
        assert answer.status in (200, 400, 401, 413)
        assert "Traceback" not in answer.body
        assert request.digest not in answer.body
        assert central.item() == before
        assert not {post.path for post in central.slack.posts[asked:]} - {RESPONSE}
        return str(answer.status)

    moment = str(int(datetime.now(UTC).timestamp()))
    signatures = st.one_of(HEADERS, st.sampled_from(("", sign(SECRET, moment, b""), sign("x", moment, b""))))
    inputs = st.tuples(
        bodies, signatures, st.one_of(HEADERS, st.just(moment)), st.sampled_from((True, True, True, False))
    )
    ends = fuzz(record_property, "POST /slack/actions", inputs, attack)
    assert {"200", "400", "401"} <= set(ends)
    assert central.sent("applySecurityGroupChange") == central.sent("denySecurityGroupChange") == []
    for post in central.slack.posts:
        assert_inert(post.payload)


def test_submissions(central: Central, slack: SlackStandIn, monkeypatch: Any, record_property: Record) -> None:
    """Whatever is submitted in whichever modal, signed: closed, told why, or 400; nothing is decided, no 5xx."""
    use_token(slack, monkeypatch)
    request = central.file()
    before, asked = central.item(), len(central.slack.posts)
    almost = {"requestId": request.request_id, "digest": f"{int(request.digest[0], 16) ^ 1:x}{request.digest[1:]}"}
    carried = {**almost, "channel": "C0001", "ts": "1727740800.000100", "responseUrl": central.slack.url(RESPONSE)}
    view = {"callback_id": "denial", "private_metadata": json.dumps(carried)}
    withdrawing = [{"action_id": "withdraw", "value": json.dumps(almost)}]
    offered = [{"action_id": "deny_without_reason", "value": json.dumps(carried)}]
    clicks = [{**CLICK, "response_url": central.slack.url(RESPONSE), "actions": one} for one in (withdrawing, offered)]
    whole = submission(view, "no need")
    inside = mutated([carried]).map(lambda one: submission({**view, "private_metadata": json.dumps(one)}, "no need"))
    payloads = st.one_of(mutated([whole]), inside, st.text(max_size=600).map(lambda one: submission(view, one)))
    bodies = st.one_of(payloads, payloads, mutated(clicks)).map(form_of)

    def attack(body: bytes) -> str:
        answer = central.post(body)
        assert answer.status in (200, 400, 413)
        assert "Traceback" not in answer.body
        assert request.digest not in answer.body
        assert central.item() == before
        assert not {post.path for post in central.slack.posts[asked:]} - {RESPONSE, "/api/views.open"}
        if not answer.body or answer.status != 200:
            return str(answer.status)
        told = json.loads(answer.body)
        assert told["response_action"] == "errors"
        assert list(told["errors"]) == ["reason"]
        return "told"

    ends = fuzz(record_property, "submissions of the modal", bodies, attack)
    assert {"told", "400"} <= set(ends)
    assert central.sent("applySecurityGroupChange") == central.sent("denySecurityGroupChange") == []


texts = st.one_of(
    st.text(max_size=40), st.sampled_from([one for one in NASTY if isinstance(one, str) and len(one) < 9000])
)


@st.composite
def hostile_requests(draw: st.DrawFn) -> Any:
    """A request with a digest that fits, and anything in its texts that JSON in UTF-8 can say."""
    request = draw(strategies.requests())
    for name in draw(st.lists(st.sampled_from(("account_name", "group_id", "group_name", "event_name", "reason")))):
        request = replace(request, **{name: draw(texts).encode(errors="ignore").decode()})
    return replace(request, request_id=draw(texts).encode(errors="ignore").decode() or "x")


def test_topics(central: Central, record_property: Record) -> None:
    """Whatever is published on whichever topic: a declared refusal or a new request; the waiting one stays the same."""
    victim = central.file()
    before = central.item()
    mangled = mutated(all_messages(victim) + all_messages(make_request("another"))).map(json.dumps)
    filed = hostile_requests().map(lambda request: write_message(RequestMessage(request=request)))
    inputs = st.tuples(st.sampled_from(TOPICS), st.one_of(mangled, filed, filed, st.text(max_size=50)))

    def attack(pair: tuple[str, str]) -> str:
        topic, text = pair
        posts = len(central.slack.posts)
        try:
            central.deliver_text(text, to=topic)
        except (MessageError, WrongTopicError, MessageRefusedError, DifferentRequestError) as error:
            assert len(central.slack.posts) == posts
            return type(error).__name__
        finally:
            assert central.item() == before
        for post in central.slack.posts[posts:]:
            assert_sound(post.payload)
            assert_inert(post.payload)
        central.slack.forget()
        return "accepted"

    ends = fuzz(record_property, "the central topics", inputs, attack)
    assert {"accepted", "MessageError", "WrongTopicError"} <= set(ends)
    assert central.sent("applySecurityGroupChange") == []
    assert record_from_item(central.item()).status == "pending"
