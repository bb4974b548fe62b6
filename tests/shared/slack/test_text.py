"""User text is made safe to show: seen in full, active in nothing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.slack import limits
from shared.slack.text import counted, date, escape, mention, shorten, utc, visible
from tests.shared.slack.examples import NOON, nasty


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("office vpn", "office vpn"),
        ("Büro – Zürich 東京 🔥", "Büro – Zürich 東京 🔥"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("a\nb\r\tc\x00", "a\\u000ab\\u000d\\u0009c\\u0000"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("a\u00a0b\u3000", "a\\u00a0b\\u3000"),
        ("\u3164\u115f\u2800\ufe0f", "\\u3164\\u115f\\u2800\\ufe0f"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(text: str, shown: str) -> None:
    """Control, bidirectional, invisible and odd space characters become visible; everything else stays."""
    assert visible(text) == shown


@given(nasty)
def test_a_visible_text_is_printable_and_stays_as_it_is(text: str) -> None:
    """What is shown has nothing unseen left in it, and making it visible again changes nothing."""
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


@given(nasty.map(visible), st.integers(50, 400))
def test_a_shortened_text_fits_and_says_what_is_missing(text: str, most: int) -> None:
    """A text that fits is whole; of another the beginning stands, with the number of characters left out."""
    short = shorten(text, most)
    assert limits.size(short) <= most
    if limits.size(text) <= most:
        assert short == text
    else:
        kept, _, rest = short.rpartition("… (")
        assert text.startswith(kept)
        assert rest == f"{len(text) - len(kept)} more characters)"


def test_escaping_replaces_the_ampersand_first() -> None:
    """What looks like an entity stays what it was."""
    assert escape("<a> & &lt;") == "&lt;a&gt; &amp; &amp;lt;"


def test_times_are_shown_in_the_readers_zone_with_utc_as_fallback() -> None:
    """Slack's own date markup stands for the same moment as its fallback, whatever zone the moment came in."""
    moment = datetime(2026, 10, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert utc(moment) == "2026-10-01 12:00:00 UTC"
    expected = "<!date^1790856000^{date_short_pretty} at {time_secs}|2026-10-01 12:00:00 UTC>"
    assert date(moment) == date(NOON) == expected


@pytest.mark.parametrize(
    ("user_id", "markup"),
    [
        ("U061F7AUR", "<@U061F7AUR>"),
        ("W012A3CDE", "<@W012A3CDE>"),
        ("", ""),
        ("policy", ""),
        ("U061F7AUR> <!here", ""),
        ("U061F7AUR\n", ""),
        ("C0123456789", ""),
    ],
)
def test_only_a_slack_user_id_becomes_a_mention(user_id: str, markup: str) -> None:
    """Nothing else gets into markup."""
    assert mention(user_id) == markup


def test_one_is_not_a_plural() -> None:
    """Numbers read well."""
    assert [counted(number, "rule") for number in (0, 1, 2)] == ["0 rules", "1 rule", "2 rules"]
