"""The trail that ``python -m bench.trails`` plays is one that the policy's verb can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.trails import main, write_trail
from shared.policy.cli.replay import Replay
from shared.policy.cli.trail_files import find_trail_files, read_records
from shared.wire.policy_document import parse_policies


def test_every_generated_record_is_a_call_that_is_judged(tmp_path: Path) -> None:
    """Additions, removals by rule id and edits, most of them with values; the same trail each time."""
    write_trail(tmp_path, 2_500, groups=50)
    files = find_trail_files([tmp_path])
    assert len(files) == 2
    replay = Replay(parse_policies(""))
    for path in files:
        for record in read_records(path):
            replay.take(record)
    tally = replay.tally
    assert (tally.records, tally.calls, tally.unreadable, tally.duplicates) == (2_500, 2_500, 0, 0)
    assert tally.verbs == {"revert": 2_500}
    assert tally.unknown_values < 250


def test_time_and_memory_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """By the command, which ends as the verb does."""
    assert main(["--records", "50", "--groups", "5"]) == 0
    out = capfd.readouterr().out
    assert "50 records, 50 security group calls" in out
    assert " MB at most." in out
