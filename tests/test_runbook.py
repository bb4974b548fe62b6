"""The runbook names every error, metric, alarm, notice, code and warning that an operator can see, with advice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from central.chalicelib.click import Refusal
from shared.slack import error_advice, status_view

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PRODUCT = [
    path
    for folder in ("shared", "central/chalicelib", "member/chalicelib", "deploy")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PRODUCT}


def nodes() -> Iterator[ast.AST]:
    """Yield every node of the product's code."""
    for tree in TREES.values():
        yield from ast.walk(tree)


def calls(*names: str) -> Iterator[ast.Call]:
    """Yield the calls of functions or methods with one of these names."""
    for node in nodes():
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in names:
                yield node


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts an argument may have."""
    return (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def errors() -> set[str]:
    """Return the names of all classes of errors."""
    known: set[str] = set()
    for node in nodes():
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            if any(base.endswith("Error") or base == "Exception" for base in bases):
                known.add(node.name)
    return known


def metrics() -> set[str]:
    """Return the names of all metrics."""
    return {text for call in calls("count", "seconds") for text in texts(call.args[0]) if call.args}


def refusals() -> set[str]:
    """Return the reasons of ``MessagesRefused``."""
    counted = [call for call in calls("count") if "MessagesRefused" in texts(call.args[0])]
    return {text for call in counted for keyword in call.keywords for text in texts(keyword.value)}


def warnings() -> set[str]:
    """Return the messages of all log records that say something is wrong."""
    loud = calls("warning", "error", "exception")
    return {
        text
        for call in loud
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "logger"
        for text in texts(call.args[0])
    }


def alarms() -> set[tuple[str, str]]:
    """Return app and name of every alarm."""
    found = set()
    for app in ("central", "member"):
        template = (ROOT / "deploy" / "templates" / f"{app}.yaml").read_text(encoding="utf-8")
        found |= {
            (app, name) for name in re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm", template, re.MULTILINE)
        }
    return found


def codes() -> set[str]:
    """Return our own codes of an error, and those of EC2's that Slack gives advice for."""
    own = {
        keyword.value.value
        for call in calls("Refusal")
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    return {*map(str, own), *error_advice._TO_DO}


def notices() -> set[str]:
    """Return the kinds of notices, and the calls that are only announced."""
    own = {text for call in calls("notice") for one in call.args[1:2] for text in texts(one)}
    return {*own, *status_view._OBSERVED_HEADLINES}


def reasons() -> set[str]:
    """Return why a call was not, or could not be, reverted: the sentences of assess, edits and follow_up."""
    return {
        text
        for path, tree in TREES.items()
        if path.name in ("assess.py", "edits.py", "follow_up.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for text in texts(node.value)
        if " " in text
    }


def unbroken(text: str) -> str:
    """Return the text with its line ends as spaces."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", sorted(errors()))
def test_every_error_has_its_advice(name: str) -> None:
    """Whatever class of error stands in a log or a dead letter, the runbook says what to do."""
    assert f"`{name}`" in RUNBOOK


@pytest.mark.parametrize("name", sorted(metrics()))
def test_every_metric_has_its_advice(name: str) -> None:
    """Each metric says what to watch for."""
    assert f"`{name}`" in RUNBOOK


@pytest.mark.parametrize(("app", "name"), sorted(alarms()))
def test_every_alarm_has_its_advice(app: str, name: str) -> None:
    """Each alarm of each account stands in the table of that account."""
    section = RUNBOOK.split("### Central account")[1].split("### Member account")[app == "member"].split("\n## ")[0]
    assert f"| `{name}` |" in section


@pytest.mark.parametrize("kind", sorted(notices()))
def test_every_notice_has_its_advice(kind: str) -> None:
    """What is posted without buttons stands in its own section."""
    assert f"`{kind}`" in RUNBOOK.split("## Notices")[1].split("\n## ")[0]


@pytest.mark.parametrize("text", sorted(warnings()))
def test_every_warning_in_the_log_has_its_advice(text: str) -> None:
    """Each log record of a problem is named as it is written."""
    assert f"`{text}`" in RUNBOOK


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_code_of_an_error_has_its_advice(code: str) -> None:
    """What Slack shows beside an approved change that could not be applied."""
    assert f"`{code}`" in RUNBOOK


@pytest.mark.parametrize("reason", [*get_args(Refusal), "response_url"])
def test_every_refused_click_has_its_advice(reason: str) -> None:
    """Each reason of the metric ``ClicksRefused``."""
    assert f"| `{reason}` |" in RUNBOOK.split("## Clicks that were refused")[1]


@pytest.mark.parametrize("reason", sorted(refusals()))
def test_every_refused_message_has_its_advice(reason: str) -> None:
    """Each reason of the metric ``MessagesRefused``."""
    assert f"| `{reason}` |" in RUNBOOK.split("## Messages that were refused")[1]


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_for_not_reverting_has_its_advice(reason: str) -> None:
    """What a request says that was not, or could not be, reverted."""
    assert reason in unbroken(RUNBOOK)


def test_the_lists_are_not_empty() -> None:
    """Should the code change its form, these tests must not pass for want of anything to look at."""
    for found, least in (
        (errors(), 20),
        (metrics(), 15),
        (alarms(), 15),
        (warnings(), 12),
        (codes(), 8),
        (notices(), 8),
        (refusals(), 5),
        (reasons(), 5),
    ):
        assert len(found) >= least, found


def test_links_within_the_runbook_lead_somewhere() -> None:
    """Each link to a section has that section."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors
