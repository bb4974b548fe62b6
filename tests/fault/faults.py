"""What can go wrong with one call, and when it strikes.

A fault is aimed at one call of a flow, by its number in a run without faults. What is struck is the exchange on the
network, below botocore's own retries and below the product's patience with Slack, so that both are part of what is
tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["throttled", "server error", "no answer", "reply lost", "killed after", "killed before"]
"""``no answer``: the connection fails, nothing is executed. ``reply lost``: executed, but nobody hears of it."""

Reach = Literal["exchange", "call", "three calls"]
"""How far a fault reaches: one exchange, which the client's own retry may repair; the call with all its retries; the
same call in three deliveries of its trigger, so that Lambda's two retries are used up."""

KINDS: tuple[Kind, ...] = get_args(Kind)
REACHES: tuple[Reach, ...] = get_args(Reach)
KILLS: frozenset[Kind] = frozenset({"killed after", "killed before"})


class KilledError(BaseException):
    """The process is gone: no handler may catch this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request of a function on the network.

    Attributes:
        function: the name of the function that makes it.
        delivery: number of the delivery of its trigger, counted over the whole run.
        call: what the exchange belongs to; retries of one call share it.
        service: ``ec2``, ``dynamodb``, ``sns``, ``sts`` or ``slack``.
        action: the API action, or which of Slack's addresses.
        subject: table, topic or group.
    """

    function: str
    delivery: int
    call: str
    service: str
    action: str
    subject: str

    @property
    def name(self) -> str:
        """For people: ``revertSecurityGroup: ec2 RevokeSecurityGroupIngress sg-…``."""
        return f"{self.function}: {self.service} {self.action} {self.subject}".rstrip()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same call in another delivery."""
        return self.function, self.service, self.action, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault at one call.

    Attributes:
        kind: what goes wrong.
        reach: how far.
        at: number of the call in the run without faults, from 0.
    """

    kind: Kind
    reach: Reach
    at: int


def faults_at(number: int) -> list[Fault]:
    """Return every fault that can strike a call; a process that is killed does not try again."""
    return [
        Fault(kind=kind, reach=reach, at=number)
        for kind in KINDS
        for reach in REACHES
        if not (kind in KILLS and reach == "exchange")
    ]


class Aim:
    """Decides for each exchange whether it is struck."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.seen: list[Exchange] = []
        """Every exchange so far while recording."""
        self.is_recording = False
        self.has_struck = False
        self._fault = fault
        self._key: tuple[str, str, str, str] | None = None
        self._call = ""
        self._delivery = -1
        self._left = 0

    def judge(self, exchange: Exchange) -> Kind | None:
        """Return what happens to an exchange; ``None``: nothing."""
        fault = self._fault
        if not self.is_recording:
            return None
        self.seen.append(exchange)
        if fault is None:
            return None
        if self._key is None:
            if len(self.seen) - 1 != fault.at:
                return None
            self.has_struck = True
            self._key, self._call, self._delivery = exchange.key, exchange.call, exchange.delivery
            self._left = 3 if fault.reach == "three calls" else 1
            return fault.kind
        if exchange.key != self._key or fault.reach == "exchange":
            return None
        if exchange.call == self._call:  # the client tries again
            return fault.kind if self._left > 0 else None
        if self._left <= 1 or exchange.delivery == self._delivery:
            return None
        self._left -= 1
        self._call, self._delivery = exchange.call, exchange.delivery
        return fault.kind
