"""The verb ``replay`` of ``python -m shared.policy``: which files, which policy, and a progress bar."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from shared.domain.policy import Policies
from shared.policy.cli.replay import Replay
from shared.policy.cli.replay_report import in_words, to_json
from shared.policy.cli.trail_files import Record, TrailFileError, find_trail_files, read_records
from shared.policy.loading import PolicyFileError, policy_file, read_policy_text, with_mode
from shared.wire.policy_document import PolicyError, parse_policies

_STEP: Final = 500
"""Records between two steps of the progress bar."""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser], own_role: Callable[[str], str]) -> None:
    """Add the verb to the command line.

    Args:
        verbs: where verbs are added.
        own_role: reads the ARN of the product's own role.
    """
    parser = verbs.add_parser(
        "replay",
        help="play a trail's log files through the policy: questions a day, by whom, and what each entry caught",
        description="Play a trail's log files through the policy, offline: questions a day, by account and requester, "
        "what each entry of [[rules]] caught, and the noisiest callers. Questions count as approved.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".json or .json.gz, or a folder of them")
    parser.add_argument("--policy", type=Path, help="policy file (default: the one the apps would read)")
    parser.add_argument("--mode", choices=("enforce", "observe"), help="instead of the policy's mode, in every account")
    parser.add_argument(
        "--gather-seconds",
        type=float,
        help="how long after a call the next one joins its batch; 0: each is asked alone (default: as the policy says)",
    )
    parser.add_argument("--own-role", type=own_role, metavar="ARN", help="the member app's role")
    parser.add_argument("--top", type=int, default=10, help="how many accounts and callers to list")
    parser.add_argument("--json", action="store_true", help="write JSON instead of sentences")
    parser.set_defaults(replay=run)


def run(options: argparse.Namespace) -> int:
    """Play the files and write the report to standard output, problems to standard error.

    Returns:
        0, or 1 when the policy or a file cannot be read; the other files are played nevertheless.
    """
    try:
        policies = _read_policy(options.policy or policy_file())
        files = find_trail_files(options.files)
    except (PolicyFileError, TrailFileError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.mode:
        policies = with_mode(policies, options.mode)
    replay = Replay(policies, gather_seconds=options.gather_seconds, own_session=options.own_role or "")
    problems: list[str] = []
    for record in _records(files, problems):
        replay.take(record)
    tally = replay.tally
    report = json.dumps(to_json(tally), indent=2) if options.json else "\n".join(in_words(tally, options.top))
    sys.stdout.write(f"{report}\n")
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def _read_policy(path: Path) -> Policies:
    try:
        return parse_policies(read_policy_text(path))
    except PolicyError as error:
        raise PolicyFileError(f"Policy file {path}: {error}.") from error


def _records(files: Sequence[Path], problems: list[str]) -> Iterator[Record]:
    """Yield the records of one file after the other, with a progress bar where somebody sits at a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        sizes = {path: path.stat().st_size for path in files}
        task = progress.add_task(f"{len(files):,} files", total=sum(sizes.values()))
        done = 0
        for path in files:
            try:
                records = read_records(path)
            except TrailFileError as error:
                problems.append(str(error))
                records = []
            for number, record in enumerate(records):
                if number % _STEP == 0:
                    progress.update(task, completed=done + sizes[path] * number // len(records))
                yield record
            done += sizes[path]
            progress.update(task, completed=done)
