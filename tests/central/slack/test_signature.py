"""Signatures: Slack's published example, Slack's own library as second opinion, and everything that is not genuine."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from central.chalicelib.slack.signature import find_flaw, sign

# https://docs.slack.dev/authentication/verifying-requests-from-slack/
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TIMESTAMP = "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a1"
    b"4d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
THEN = datetime.fromtimestamp(int(TIMESTAMP), UTC)


def flaw(**values: object) -> str:
    """Return what is wrong with Slack's example when some of it is replaced."""
    given_values = {"secret": SECRET, "timestamp": TIMESTAMP, "signature": SIGNATURE, "body": BODY, "now": THEN}
    return find_flaw(**(given_values | values))  # type: ignore[arg-type]  # a mapping of mixed types


def test_slacks_published_example_is_genuine() -> None:
    """The signature in Slack's documentation is the one we compute, and it is accepted."""
    assert sign(SECRET, TIMESTAMP, BODY) == SIGNATURE
    assert flaw() == ""


@given(secret=st.text(string.printable, min_size=1).filter(str.strip), body=st.text(st.characters(codec="utf-8")))
def test_slacks_own_library_agrees_on_every_body(secret: str, body: str) -> None:
    """slack_sdk computes the same signature, whatever the secret and the body."""
    assert SignatureVerifier(secret).generate_signature(timestamp=TIMESTAMP, body=body) == sign(
        secret, TIMESTAMP, body.encode()
    )


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_away_is_still_accepted(seconds: int) -> None:
    """A timestamp exactly 300 seconds away, in either direction, is inside the window."""
    assert flaw(now=THEN + timedelta(seconds=seconds)) == ""


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_a_recording_is_refused(seconds: int) -> None:
    """A genuine request that is older (or younger) than the window may be a recording."""
    assert "300 seconds" in flaw(now=THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "x",
        "1531420618.0",
        " 1531420618",
        "1_531_420_618",
        "-1531420618",
        "+1531420618",
        "9" * 400,
        "١٥٣١٤٢٠٦١٨",
        "1e9",
    ],
)
def test_a_timestamp_that_is_no_plain_number_is_refused(timestamp: str) -> None:
    """Anything but plain digits is refused, never a crash."""
    assert flaw(timestamp=timestamp, signature=sign(SECRET, timestamp, BODY))


@pytest.mark.parametrize("signature", ["", "v0=", SIGNATURE.upper(), SIGNATURE[:-1], "v0=é" + "0" * 63, "\udcff"])
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    """A missing, short, upper-case or non-ASCII signature is refused, never a crash."""
    assert flaw(signature=signature)


def test_an_altered_body_or_another_secret_is_refused() -> None:
    """One changed byte or another secret makes the signature wrong."""
    assert flaw(body=BODY + b"&") == "the signature is wrong"
    assert flaw(secret=SECRET[:-1]) == "the signature is wrong"
