"""Parts that need no system: schedules, timeline, fault counters, terminal."""

import io
import threading
from datetime import timedelta

import pytest
from moto.ec2.models import security_groups

from sandbox.activity import Activity
from sandbox.aging import earlier
from sandbox.aws.repairs import AwsRule, repaired
from sandbox.faults import Faults
from sandbox.schedules import Schedules, interval_seconds
from sandbox.terminal import Terminal
from sandbox.timeline import Entry, FaultStruck, Timeline
from sandbox.wiring import Function


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(10 minutes)", 600), ("rate(2 hours)", 7200), ("cron(0 8 * * ? *)", None)],
)
def test_rates_have_an_interval_and_crons_none(expression: str, seconds: int | None) -> None:
    """The forms that Chalice writes."""
    assert interval_seconds(expression) == seconds


def test_a_schedule_runs_until_its_context_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs at its rate, again and again."""
    monkeypatch.setattr("sandbox.schedules._SECONDS", {"minute": 0.01, "hour": 3600, "day": 86_400})
    function = Function(app="central", account="1", region="r", name="sweep")
    ran = threading.Semaphore(0)
    with Schedules([(function, "rate(1 minute)")], lambda _: ran.release()):
        assert ran.acquire(timeout=10)
        assert ran.acquire(timeout=10)


def test_listeners_are_called_for_every_entry_in_order_until_they_stop() -> None:
    """Numbers run from one; a listener that stopped is not called again."""
    timeline, heard = Timeline(), list[Entry]()
    before, one, two, after = (FaultStruck(fault=name, detail="") for name in ("before", "one", "two", "after"))
    timeline.add(before)
    stop = timeline.listen(heard.append)
    timeline.add(one)
    timeline.add(two)
    stop()
    timeline.add(after)
    assert [(entry.number, entry.step) for entry in heard] == [(2, one), (3, two)]
    assert timeline.of_type(FaultStruck, after=3) == (after,)


def test_work_counts_as_under_way_before_its_delay_is_over() -> None:
    """Whoever waits for quiet waits for what is still to begin."""
    activity, done = Activity(), list[str]()
    activity.spawn("later", lambda: done.append("x"), delay_seconds=0.05)
    activity.wait_until_idle(10)
    assert done == ["x"]


@pytest.mark.parametrize(
    ("stored", "moved"),
    [
        ("2026-01-02T03:04:05.006Z", "2026-01-01T22:04:05.006Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        ("0001-01-01T05:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        ("at 2026-01-02T03:04:05.006Z", "at 2026-01-02T03:04:05.006Z"),
    ],
)
def test_stored_times_move_into_the_past_unless_none_is_earlier(stored: str, moved: str) -> None:
    """The first moment of all, which the product stores for "long ago", stays; so does a text that is no time."""
    assert earlier({"M": {"at": {"L": [{"S": stored}]}}}, timedelta(hours=5)) == {"M": {"at": {"L": [{"S": moved}]}}}


def test_a_function_dies_after_as_many_calls_as_told_and_once() -> None:
    """Other functions' calls do not count."""
    faults = Faults(kill_function="apply", kill_after_calls=2)
    assert [faults.kills(name) for name in ("apply", "revert", "", "apply", "apply")] == [
        False,
        False,
        False,
        True,
        False,
    ]


class Screen(io.StringIO):
    """A terminal that somebody looks at."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_colour_is_for_terminals_that_have_not_refused_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and files get plain text. https://no-color.org"""
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen, file = Screen(), io.StringIO()
    Terminal(screen).passed("fine")
    Terminal(file).passed("fine")
    assert "\x1b[32m" in screen.getvalue()
    assert file.getvalue() == "   ✓ fine\n"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Screen()
    Terminal(plain).message("#channel", ["(red) Denied"])
    assert "\x1b" not in plain.getvalue()
    assert "(red) Denied" in plain.getvalue()


def test_moto_is_itself_again_after_the_repairs() -> None:
    """The repairs are in force inside the context alone."""
    with repaired():
        assert security_groups.SecurityGroupRule is AwsRule
    assert security_groups.SecurityGroupRule is AwsRule.__mro__[1]
