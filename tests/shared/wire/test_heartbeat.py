"""The heartbeat's JSON: what is written is read again, what is unknown is left out, what is long is cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.wire.fields import Field, FieldError
from shared.wire.heartbeat import UNKNOWN, Heartbeat, Problem, heartbeat_from_json, heartbeat_to_json
from shared.wire.messages import HeartbeatMessage, read_message, write_message

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
SMALL = Heartbeat(account="222222222222", region="eu-west-1", sent_at=AT, version="0.1.0", mode="enforce")
FULL = Heartbeat(
    account="222222222222",
    account_name="payments",
    region="eu-west-1",
    sent_at=AT,
    version="0.1.0",
    policy_digest="0123456789abcdef",
    mode="observe",
    adopted_at=(("egress", AT), ("ingress", AT)),
    groups=0,
    dead_letters=0,
    rule="on",
    trail="off",
    probe="arrived",
    probe_ms=0,
    problems=(Problem(kind="trail", text="CloudTrail is off."),),
)


@pytest.mark.parametrize("one", [SMALL, FULL])
def test_a_heartbeat_is_read_as_written(one: Heartbeat) -> None:
    """As a message too; 0 is a number that is known."""
    assert read_message(write_message(HeartbeatMessage(heartbeat=one))) == HeartbeatMessage(heartbeat=one)


def test_what_is_unknown_is_left_out() -> None:
    """Nothing but what every heartbeat has."""
    assert heartbeat_to_json(SMALL) == {
        "account": "222222222222",
        "region": "eu-west-1",
        "sentAt": "2026-10-01T12:00:00.000Z",
        "productVersion": "0.1.0",
        "mode": "enforce",
        "rule": UNKNOWN,
        "trail": UNKNOWN,
        "probe": "waiting",
    }


def test_long_texts_are_cut_on_both_sides() -> None:
    """So that no message and no item grows, whatever somebody sends."""
    many = tuple(Problem(kind="k" * 99, text="t" * 999) for _ in range(20))
    written = heartbeat_to_json(replace(SMALL, problems=many))
    assert len(written["problems"]) == 10
    assert {len(one["text"]) for one in written["problems"]} == {400}
    foreign = {
        **heartbeat_to_json(SMALL),
        "mode": "m" * 999,
        "probe": "p" * 999,
        "problems": [{"kind": "k", "text": "t" * 999}] * 20,
    }
    read = heartbeat_from_json(Field(foreign, "message"))
    assert (len(read.mode), len(read.probe), len(read.problems), len(read.problems[0].text)) == (64, 64, 10, 400)


def test_a_heartbeat_names_the_field_that_is_wrong() -> None:
    """As every message does."""
    with pytest.raises(FieldError, match=r"message\.sentAt"):
        heartbeat_from_json(Field({**heartbeat_to_json(SMALL), "sentAt": "yesterday"}, "message"))
