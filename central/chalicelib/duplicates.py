"""What becomes of a request that only repeats another: counted, shown with the other one, and ended with it.

A pipeline or controller that puts its rule back each time it is taken back would flood both channels. So one question
stands for all of it; it is shown again, with the number, whenever that has grown a lot. Each repeat stays a request of
its own all the same, with its own history and digest, and may be decided on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.record import Record
from shared.domain.request import Status
from shared.policy.loading import written_policies
from shared.telemetry import count, logger
from shared.wire.fields import FieldError
from shared.wire.rule_json import time_to_text

from .context import Run, facts
from .outbox.posting import pay
from .requests.duplicates_table import Repeats
from .requests.fingerprint import JOINED_FOR, JOINING
from .requests.moves import Move, Moved
from .requests.table import Claim

_SWEEP: Final = "sweep"
"""Who ended a repeat, in its history, unless somebody denied the request that stood for it."""

_VERBS: Final = {"applied": "decided", "expired": "expired"}


def stored_as_repeat(run: Run, record: Record) -> Claim | None:
    """Store a new request as a repeat of another, if it is one.

    Returns:
        ``None`` when it is none, or nothing is known for now: no request is lost for want of an answer about others.
    """
    if record.status not in JOINING:
        return None
    repeats = Repeats(run.table)
    try:
        joins_for = min(JOINED_FOR, written_policies().for_account(record.request.account).expires_after)
        first = repeats.first_of(record, since=run.now - joins_for)
        claim = repeats.store(record, first, joins_for=joins_for) if first else None
    except (ClientError, BotoCoreError) as error:
        problem = f"{type(error).__name__}: {error}"
        logger.warning("repeats not looked up", extra={**facts(record), "problem": problem})
        return None
    if claim is not None:
        count("Repeats", account=record.request.account)
        logger.info("request repeats another", extra={**facts(record), "repeat_of": first})
    return claim


def show_again(run: Run, repeat: Record) -> None:
    """Show the question that stands for a repeat again, with the number, if that is due.

    Raises:
        UnpaidError: when a setting or a dead webhook kept it from Slack; the sweep tries again.
    """
    first = run.table.get(repeat.repeat_of)
    if first is not None and first.status == first.request.status:
        pay(run, Repeats(run.table).show_again(first, run.now, by=repeat.request.account))


class Followers:
    """The repeats that one sweep comes across, and what became of the requests that stood for them."""

    def __init__(self, run: Run) -> None:
        """Take the sweep's invocation."""
        self._run = run
        self._firsts: dict[str, Record | None] = {}
        self._asked_instead: dict[str, str] = {}

    def tend(self, repeat: Record, expires_after: timedelta | None) -> None:
        """End a pending repeat when the request that stood for it has come to its end.

        Channels hear nothing of it: they were told what became of the other one, which stood for all. Where that one
        could not be applied, or cannot be read any more, one of its repeats is asked in its place.

        Args:
            repeat: a pending one.
            expires_after: how long a request waits for a decision at most; ``None`` where the policy does not say.

        Raises:
            UnpaidError: when a setting or a dead webhook kept a question from Slack; the sweep tries again.
        """
        first = self._first_of(repeat)
        if first is None or first.status == "error":
            self._ask_instead(repeat)
        elif first.status == "denied":
            self._deny(repeat, first)
        elif first.status in ("applied", "expired"):
            self._expire(repeat, f"{_VERBS[first.status]} with request {repeat.repeat_of}")
        elif expires_after is not None and repeat.requested_at + expires_after <= self._run.now:
            self._expire(repeat, "nobody decided in time")

    def _first_of(self, repeat: Record) -> Record | None:
        if repeat.repeat_of not in self._firsts:
            try:
                self._firsts[repeat.repeat_of] = self._run.table.get(repeat.repeat_of)
            except FieldError:  # damaged: nobody can decide it
                self._firsts[repeat.repeat_of] = None
        return self._firsts[repeat.repeat_of]

    def _deny(self, repeat: Record, first: Record) -> None:
        values = {
            "decidedBy": first.decided_by,
            "decidedByName": first.decided_by_name,
            "decidedAt": time_to_text(first.decided_at or self._run.now),
        }
        note = f"decided with request {first.request.request_id}"
        self._end(repeat, "denied", by=first.decided_by, note=note, values=values)

    def _expire(self, repeat: Record, note: str) -> None:
        self._end(repeat, "expired", by=_SWEEP, note=note, values={})

    def _ask_instead(self, repeat: Record) -> None:
        instead = self._asked_instead.get(repeat.repeat_of)
        if instead is not None:
            self._expire(repeat, f"asked with request {instead}")
            return
        note = f"asked on its own: request {repeat.repeat_of} was not applied"
        claim = Repeats(self._run.table).ask_on_its_own(repeat, self._run.now, by=_SWEEP, note=note)
        if claim.debts:
            self._asked_instead[repeat.repeat_of] = repeat.request.request_id
        pay(self._run, claim)

    def _end(self, repeat: Record, to: Status, *, by: str, note: str, values: Mapping[str, str]) -> None:
        move = Move(
            request_id=repeat.request.request_id,
            previous="pending",
            to=to,
            digest=repeat.request.digest,
            at=self._run.now,
            by=by,
            note=note,
            values=values,
        )
        moved = self._run.table.move(move)
        if isinstance(moved, Moved):
            count("Outcomes", status=to)
            logger.info("repeat ended", extra=facts(moved.record))
