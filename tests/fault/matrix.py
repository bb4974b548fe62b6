"""Runs every flow with every fault at every call, and says what survived."""

from __future__ import annotations

import contextlib
import io
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from shared.telemetry import logger
from tests.fault.faults import Aim, Exchange, Fault, faults_at
from tests.fault.flows import FLOWS, Flow
from tests.fault.judging import settle, violations
from tests.fault.world import Begin, worlds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run with one fault.

    Attributes:
        flow: the flow's name.
        fault: what went wrong.
        call: where.
        violations: what was not as it must be; nothing when it survived.
    """

    flow: str
    fault: Fault
    call: Exchange
    violations: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.flow}: {self.fault.kind} ({self.fault.reach}) at call {self.fault.at}, {self.call.name}"


def run_flow_once(begin: Begin, flow: Flow, aim: Aim | None = None) -> tuple[list[Exchange], list[str]]:
    """Run a flow; return its calls, and what was not as it must be in the end."""
    aim = aim or Aim()
    world = begin(aim, policy=flow.policy)
    world.settings = flow.settings
    group = flow.prepare(world)
    aim.is_recording = True
    flow.play(world, group)
    aim.is_recording = False
    settle(world)
    return aim.seen, violations(world, group, flow.end)


def calls_of(begin: Begin, flow: Flow) -> list[Exchange]:
    """Run a flow without faults and return its calls.

    Raises:
        AssertionError: when it does not end as it must even so.
    """
    calls, wrong = run_flow_once(begin, flow)
    assert not wrong, f"{flow.name} without any fault: {wrong}"
    return calls


def run_cell(begin: Begin, flow: Flow, fault: Fault) -> Cell:
    """Run a flow with a fault.

    Raises:
        AssertionError: when the fault did not strike.
    """
    aim = Aim(fault)
    calls, wrong = run_flow_once(begin, flow, aim)
    assert aim.has_struck, f"{flow.name}: {fault} struck nothing"
    return Cell(flow=flow.name, fault=fault, call=calls[fault.at], violations=tuple(wrong))


def cells_of(begin: Begin, flow: Flow) -> Iterator[Cell]:
    """Run a flow with every fault at every call."""
    for number, _ in enumerate(calls_of(begin, flow)):
        for fault in faults_at(number):
            yield run_cell(begin, flow, fault)


def run_flow(name: str) -> list[Cell]:
    """Run a flow with every fault at every call, in a process of its own."""
    (flow,) = [one for one in FLOWS if one.name == name]
    logger.setLevel(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()), worlds() as begin:  # metrics go to standard output
        return list(cells_of(begin, flow))


def table(cells: list[Cell]) -> str:
    """Return the matrix: one line per flow, one column per kind of fault, each with its three reaches."""
    kinds = list(dict.fromkeys(cell.fault.kind for cell in cells))
    total, survived = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for cell in cells:
        total[cell.flow, cell.fault.kind] += 1
        survived[cell.flow, cell.fault.kind] += not cell.violations
    lines = [f"{'':<22}{'calls':>6}" + "".join(f"{kind:>15}" for kind in kinds)]
    for flow in dict.fromkeys(cell.flow for cell in cells):
        calls = len({cell.fault.at for cell in cells if cell.flow == flow})
        marks = (f"{survived[flow, kind]} of {total[flow, kind]}" for kind in kinds)
        lines.append(f"{flow:<22}{calls:>6}" + "".join(f"{mark:>15}" for mark in marks))
    return "\n".join(lines)
