"""The command line of the policy: ``python -m shared.policy check [FILE [EVENT ...]]`` and ``… explain EVENT ...``.

It reads files and writes to standard output; what it says comes from ``checks``, ``summary`` and ``explanation``.
The verb ``replay`` is ``replay_command``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.domain.policy import Policies
from shared.policy.cli import replay_command
from shared.policy.cli.checks import find_mistakes
from shared.policy.cli.event_files import EventFileError, read_events
from shared.policy.cli.explanation import explain, session_of_role, to_json
from shared.policy.cli.finding import Finding
from shared.policy.cli.summary import summary
from shared.policy.loading import PolicyFileError, policy_file, read_policy_text
from shared.wire.fields import FieldError
from shared.wire.policy_document import PolicyError, parse_policies
from shared.wire.policy_lines import line_of

_FINE: Final = 0
_INVALID: Final = 1


@dataclass(slots=True)
class Report:
    """What was found, for people and for programs.

    Attributes:
        policy: ``file``; ``findings`` and ``summary``, or ``error`` when it is invalid.
        events: one entry for each event, with ``error`` for one that cannot be read.
        lines: the same as text.
        problems: errors and warnings as text.
        is_invalid: whether there is an error.
    """

    policy: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_invalid: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process when left out.

    Returns:
        0 when everything is fine, 1 for errors in the policy (with ``--strict`` for warnings, too) and for an event
        that cannot be read. (Wrong usage exits with 2.)
    """
    options = _options(arguments)
    if "replay" in options:
        return int(options.replay(options))
    report: Report = options.run(options)
    if options.json:
        print(json.dumps({"policy": report.policy, "events": report.events}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(report.lines), end="\n" if report.lines else "")
        print("\n".join(report.problems), end="\n" if report.problems else "", file=sys.stderr)
    return _INVALID if report.is_invalid else _FINE


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m shared.policy", description="Check a policy file, and explain what it would do."
    )
    verbs = parser.add_subparsers(required=True, metavar="check|explain|replay")
    check = _verb(
        verbs,
        "check",
        _check,
        "Validate a policy file, warn of mistakes, and say who may decide what. With events: explain them, too.",
    )
    check.add_argument("policy", nargs="?", type=Path, metavar="FILE", help=_POLICY_HELP)
    check.add_argument("events", nargs="*", type=Path, metavar="EVENT", help=_EVENT_HELP)
    check.add_argument("--event", nargs="+", action="extend", default=[], type=Path, metavar="EVENT", help=_EVENT_HELP)
    check.add_argument("--strict", action="store_true", help="exit with status 1 for warnings, too")
    check.add_argument(
        "--bot-token", action="store_true", help="the central app has a bot token: do not warn of keys that need one"
    )
    explanation = _verb(verbs, "explain", _explain, "Say what a policy would do with CloudTrail events, and why.")
    explanation.add_argument("events", nargs="+", type=Path, metavar="EVENT", help=_EVENT_HELP)
    explanation.add_argument("--policy", type=Path, metavar="FILE", help=_POLICY_HELP)
    replay_command.add_parser(verbs, _own_role)
    return parser.parse_args(arguments)


_POLICY_HELP: Final = "policy file (default: the one the apps would read)"
_EVENT_HELP: Final = (
    'JSON file: an event as EventBridge delivers it, a CloudTrail record, or a log file {"Records": […]}'
)


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], Report],
    description: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=description, description=description)
    verb.add_argument(
        "--own-role",
        type=_own_role,
        metavar="ARN",
        help="role of the member app, whose own calls are ignored",
    )
    verb.add_argument("--json", action="store_true", help="write JSON instead of sentences")
    verb.set_defaults(run=run)
    return verb


def _own_role(text: str) -> str:
    try:
        return session_of_role(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _check(options: argparse.Namespace) -> Report:
    report, file = _report(options)
    policies, text = _read(report, file)
    if policies is None:
        return report
    findings = find_mistakes(policies, has_bot_token=options.bot_token)
    places = [(finding, _line(text, finding.key)) for finding in findings]
    is_refused = any(finding.severity == "error" for finding in findings)
    sentences = summary(policies)
    report.is_invalid = is_refused or (options.strict and bool(findings))
    report.policy["findings"] = [{**asdict(finding), "line": line} for finding, line in places]
    report.policy["summary"] = list(sentences)
    report.problems += [_finding(file, finding, line) for finding, line in places]
    report.lines += [f"{file} {'has errors' if is_refused else 'is valid'}.", *sentences]
    _explain_files(report, policies, [*options.events, *options.event], options.own_role or "")
    return report


def _explain(options: argparse.Namespace) -> Report:
    report, file = _report(options)
    policies, _ = _read(report, file)
    if policies is not None:
        _explain_files(report, policies, options.events, options.own_role or "")
    return report


def _report(options: argparse.Namespace) -> tuple[Report, Path]:
    file: Path = options.policy or policy_file()
    return Report(policy={"file": str(file)}), file


def _read(report: Report, file: Path) -> tuple[Policies | None, str]:
    """Return policies and text of a file; what makes it invalid goes into the report."""
    text = ""
    try:
        text = read_policy_text(file)
        return parse_policies(text), text
    except PolicyFileError as error:
        problem = str(error)
    except PolicyError as error:
        line = _line(text, error.path) if error.path else None
        problem = f"{_place(file, line)}: error: {error}"
    report.policy["error"] = problem
    report.problems.append(problem)
    report.is_invalid = True
    return None, text


def _finding(file: Path, finding: Finding, line: int | None) -> str:
    return f"{_place(file, line)}: {finding.severity}: {finding.key}: {finding.meaning}. {finding.remedy}"


def _place(file: Path, line: int | None) -> str:
    return f"{file}:{line}" if line else str(file)


def _line(text: str, key: str) -> int | None:
    """Return the line of a key; of one that is not written down, the line of the section it would stand in."""
    while key:
        line = line_of(text, key)
        if line:
            return line
        key = key.rpartition(".")[0]
    return None


def _explain_files(report: Report, policies: Policies, files: Sequence[Path], own_session: str) -> None:
    for file in files:
        try:
            _explain_file(report, policies, file, own_session)
        except EventFileError as error:
            _add_problem(report, {"file": str(file)}, str(error))


def _explain_file(report: Report, policies: Policies, file: Path, own_session: str) -> None:
    events = list(read_events(file))
    report.lines += [*([""] if report.lines else []), f"{file}:"]
    if not events:
        report.lines.append("No security group call in this file.")
    for place, event in events:
        entry = {"file": str(file), "place": place}
        try:
            explanation = explain(policies, event, own_session=own_session)
        except FieldError as error:
            _add_problem(report, entry, f"{file}: {place}{error}")
        else:
            report.events.append({**entry, **to_json(explanation)})
            report.lines += explanation.sentences


def _add_problem(report: Report, entry: dict[str, Any], problem: str) -> None:
    report.events.append({**entry, "error": problem})
    report.problems.append(problem)
    report.is_invalid = True
