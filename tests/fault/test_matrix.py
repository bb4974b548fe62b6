"""A bounded share of the fault matrix; ``make faults`` runs all of it."""

from __future__ import annotations

from typing import Any

import pytest

from member.chalicelib.ec2.execution import Outcome
from tests.fault.faults import faults_at
from tests.fault.flows import FLOWS, Flow
from tests.fault.matrix import calls_of, run_cell, run_flow_once
from tests.fault.world import Begin

SHARE = 3
"""How many faults of each flow are tried here."""


def by_name(name: str) -> Flow:
    """Return a flow."""
    (flow,) = [one for one in FLOWS if one.name == name]
    return flow


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_flow_ends_right_whatever_fails_once_or_for_long(begin: Begin, flow: Flow) -> None:
    """Rules, request, history, ledger, baseline and messages are as without the fault, for some faults of each flow."""
    faults = [fault for number, _ in enumerate(calls_of(begin, flow)) for fault in faults_at(number)]
    first = 7 * FLOWS.index(flow) % len(faults)
    chosen = [faults[(first + share * len(faults) // SHARE) % len(faults)] for share in range(SHARE)]
    for fault in chosen:
        cell = run_cell(begin, flow, fault)
        assert not cell.violations, cell.name


MUTANTS = [
    ("add, no rule ids", "member.chalicelib.converge.run", lambda *_, **__: Outcome(), "requests"),
    ("add", "central.chalicelib.outbox.outbox.Outbox._post", lambda *_: None, "nobody was told"),
    ("remove", "member.chalicelib.publishing.publish_entry", lambda *_: None, "requests"),
    ("approve add", "member.chalicelib.apply.accept_applied", lambda *_: None, "baseline"),
    ("approve add", "member.chalicelib.apply.report_applied", lambda *_: None, "requests"),
    ("deny", "central.chalicelib.outbox.outbox.Outbox._post_outcome", lambda *_: None, "nobody was told"),
    ("sweep dispatches", "central.chalicelib.sweep._dispatch_again", lambda *_: None, "requests"),
    ("snapshot, drift", "member.chalicelib.drift._deal_with", lambda *_: None, "rules"),
]


@pytest.mark.parametrize(("name", "place", "nothing", "complaint"), MUTANTS)
def test_the_matrix_sees_what_a_broken_product_does_wrong(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, name: str, place: str, nothing: Any, complaint: str
) -> None:
    """With one step of a flow left out, the judge says what is missing: a green matrix means something."""
    monkeypatch.setattr(place, nothing)
    _, wrong = run_flow_once(begin, by_name(name))
    assert any(complaint in one for one in wrong), wrong
