"""The command line of the policy: ``python -m shared.policy check [FILE [EVENT ...]] [--event EVENT ...]``.

The verb ``replay`` stands in ``shared.policy.replay_command``.

It reads files and writes to standard output; what it says comes from ``shared.policy.explanation``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from member.chalicelib.cloudtrail.event import ACTIONS, EventError
from shared.domain.policy import Policies, Policy
from shared.policy import replay_command
from shared.policy.explanation import explain, session_of_role, to_json
from shared.policy.loading import POLICY_FILE_SETTING, VENDORED_POLICY_FILE, PolicyFileError, read_policy_file
from shared.settings import optional

_FINE: Final = 0
_INVALID: Final = 1


class EventFileError(RuntimeError):
    """A file is no CloudTrail event; the message names the file."""


@dataclass(slots=True)
class Report:
    """What was found, for people and for programs.

    Attributes:
        policy: ``file``, and ``error`` when it is invalid.
        events: one entry for each event, with ``error`` for one that cannot be read.
        lines: the same as text.
        problems: errors as text.
    """

    policy: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process when left out.

    Returns:
        0 when everything is fine, 1 for an invalid policy or an event that cannot be read. (Wrong usage exits with 2.)
    """
    options = _options(arguments)
    if "run" in options:
        return int(options.run(options))
    file = options.file or Path(optional(POLICY_FILE_SETTING) or VENDORED_POLICY_FILE)
    report = _check(file, [*options.events, *options.event], options.own_role or "")
    if options.json:
        print(json.dumps({"policy": report.policy, "events": report.events}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(report.lines), end="\n" if report.lines else "")
        print("\n".join(report.problems), end="\n" if report.problems else "", file=sys.stderr)
    return _INVALID if report.problems else _FINE


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shared.policy", description="Check the policy file.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    check = verbs.add_parser(
        "check",
        help="validate a policy file, and say what it would do with CloudTrail events",
        description="Validate a policy file, and say what it would do with CloudTrail events, and why.",
    )
    check.add_argument("file", nargs="?", type=Path, help="policy file (default: the one the apps would read)")
    check.add_argument(
        "events",
        nargs="*",
        default=[],
        type=Path,
        metavar="EVENT",
        help="events, after the policy file: as with --event",
    )
    check.add_argument(
        "--event",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="EVENT",
        help='JSON files: an event as EventBridge delivers it, a CloudTrail record, or a log file {"Records": […]}',
    )
    check.add_argument(
        "--own-role",
        type=_own_role,
        metavar="ARN",
        help="role of the member app: its own calls are ignored",
    )
    check.add_argument("--json", action="store_true", help="write JSON instead of sentences")
    replay_command.add_parser(verbs, _own_role)
    return parser.parse_args(arguments)


def _own_role(text: str) -> str:
    try:
        return session_of_role(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _check(file: Path, event_files: Sequence[Path], own_session: str) -> Report:
    report = Report(policy={"file": str(file)})
    try:
        policies = read_policy_file(file)
    except PolicyFileError as error:
        report.policy["error"] = str(error)
        report.problems.append(str(error))
        return report
    report.lines += _summary(file, policies)
    for event_file in event_files:
        _explain_file(report, policies, event_file, own_session)
    return report


def _summary(file: Path, policies: Policies) -> Iterator[str]:
    yield f"{file} is valid. In general: {_in_short(policies.general)}."
    for account, policy in policies.accounts:
        yield f"In account {account}: {_in_short(policy)}."


def _in_short(policy: Policy) -> str:
    guarded = " and ".join(policy.directions) or "no"
    kinds = ", ".join(policy.guard) or "nothing"
    return f"mode {policy.mode}; guards {guarded} rules; takes back: {kinds}"


def _explain_file(report: Report, policies: Policies, file: Path, own_session: str) -> None:
    try:
        events = list(_events(file))
    except EventFileError as error:
        report.events.append({"file": str(file), "error": str(error)})
        report.problems.append(str(error))
        return
    report.lines += ["", f"{file}:"]
    if not events:
        report.lines.append("No security group call in this file.")
    for place, event in events:
        entry: dict[str, Any] = {"file": str(file), "place": place}
        report.events.append(entry)
        try:
            explanation = explain(policies, event, own_session=own_session)
        except EventError as error:
            entry["error"] = f"{file}: {place}{error}"
            report.problems.append(entry["error"])
        else:
            entry |= to_json(explanation)
            report.lines += explanation.sentences


def _events(file: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield each event of a file with its place; a log file's other calls are left out."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EventFileError(f"Event file {file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise EventFileError(f"Event file {file} is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise EventFileError(f"Event file {file} is no CloudTrail event: expected a JSON object.")
    records = document.get("Records")
    if not isinstance(records, list):
        yield "", _enveloped(document)
        return
    for index, record in enumerate(records):
        event = _enveloped(record) if isinstance(record, dict) else {"detail": record}
        detail = event["detail"]
        if not isinstance(detail, dict) or detail.get("eventName") in ACTIONS:
            yield f"Records[{index}].", event


def _enveloped(document: Mapping[str, object]) -> Mapping[str, object]:
    return document if "detail" in document else {"detail": document}


if __name__ == "__main__":
    sys.exit(main())
